/// @file
/// pixel_table: from bytes of pixels to the codes that a program takes, by one look-up each.
///
///     x    = float((pixel * scale - mean) / deviation)             pixel_scaling: what the network was trained with; in doubles
///     y    = constant maps behind the input of the network, in floats, where it has any
///     code = clamp(round(y / scale of the codes) + zero point)     program::code_of
///
/// A pixel is one of 256 numbers, so all of this is done once per channel: codes are those that program::encode makes of the
/// floats, code for code. Pixels lie as [n, H, W, C].
///
///     const pixel_table table(program, {.mean = {0.485, 0.456, 0.406}, .deviation = {0.229, 0.224, 0.225}});
///     table.codes(pixels, 32, codes);
#pragma once

#include <notch/core/error.hpp>
#include <notch/deploy/program.hpp>
#include <notch/model/float_elementwise.hpp>
#include <notch/model/float_job.hpp>
#include <notch/model/network.hpp>
#include <notch/ptq/plan.hpp>
#include <notch/simd/arch.hpp>

#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>
#include <variant>
#include <vector>

namespace notch {

/// How pixels become the floats of a network's input.
struct pixel_scaling {
    double scale = 1.0 / 255;
    std::vector<double> mean{};      ///< one for each channel, or one for all; empty: 0
    std::vector<double> deviation{}; ///< alike; empty: 1

    /// The float of a pixel.
    [[nodiscard]] float operator()(std::uint8_t pixel, std::size_t channel) const noexcept {
        const auto of = [channel](const std::vector<double>& list, double none) {
            return list.empty() ? none : list[list.size() == 1 ? 0 : channel];
        };
        return static_cast<float>(std::fma(static_cast<double>(pixel), scale, -of(mean, 0)) / of(deviation, 1));
    }
    /// Raises shape_error for another number of channels, range_error for numbers that are not finite, and deviations of 0.
    void check(std::size_t channels) const {
        const auto check_list = [channels](const char* what, const std::vector<double>& list, bool may_be_zero) {
            if (list.size() > 1 && list.size() != channels)
                detail::raise<shape_error>("pixels: ", list.size(), " numbers of ", what, " for ", channels,
                                           " channels");
            for (const double x : list)
                if (!std::isfinite(x) || (x == 0 && !may_be_zero))
                    detail::raise<range_error>("pixels: ", what, " is ", x, "; it has to be finite",
                                               may_be_zero ? "" : " and not 0");
        };
        check_list("the scale", {scale}, false);
        check_list("the mean", mean, true);
        check_list("the deviation", deviation, false);
    }
    /// Floats [n, C, H, W] of pixels [n, H, W, C]. Raises shape_error for spans of other sizes, and the errors of check.
    void floats(std::span<const std::uint8_t> pixels, std::size_t channels, std::size_t count,
                std::span<float> to) const {
        check(channels);
        if (pixels.size() != to.size() || channels == 0 || count == 0 || pixels.size() % (count * channels) != 0)
            detail::raise<shape_error>("pixels: ", pixels.size(), " bytes and ", to.size(), " floats for ", count,
                                       " images of ", channels, " channels");
        const std::size_t places = pixels.size() / count / channels;
        for (std::size_t c = 0; c < channels; ++c) {
            std::array<float, 256> table;
            for (std::size_t i = 0; i < 256; ++i)
                table[i] = (*this)(static_cast<std::uint8_t>(i), c);
            for (std::size_t n = 0; n < count; ++n)
                for (std::size_t p = 0; p < places; ++p)
                    to[(n * channels + c) * places + p] = table[pixels[(n * places + p) * channels + c]];
        }
    }
};

/// The constant maps between the input of a plan's network and the tensor that codes enter, in their order.
[[nodiscard]] inline std::vector<affine_map> front_of(const plan& from) {
    std::vector<affine_map> front;
    std::size_t tensor = from.net.input;
    for (const layer& l : from.net.layers)
        if (const auto* map = std::get_if<affine_map>(&l.op);
            map != nullptr && tensor != from.input && l.inputs[0] == tensor) {
            front.push_back(*map);
            tensor = l.output;
        }
    if (tensor != from.input)
        detail::raise<state_error>("pixels: codes enter '", from.net.tensors[from.input].name,
                                   "', and there is more than constant maps before it");
    return front;
}

/// Codes of pixels, see above.
class pixel_table {
public:
    /// `front`: constant maps behind the input, see front_of. Raises the errors of pixel_scaling::check, and range_error where
    /// a pixel becomes NaN or infinity.
    explicit pixel_table(const program& to, const pixel_scaling& scaling = {},
                         const std::vector<affine_map>& front = {})
        : channels_(to.input().shape[2]), size_(to.input().size()), table_(256 * channels_) {
        scaling.check(channels_);
        std::vector<float> values(table_.size()); // [C, 256]
        for (std::size_t i = 0; i < values.size(); ++i)
            values[i] = scaling(static_cast<std::uint8_t>(i % 256), i / 256);
        const std::vector<std::size_t> shape{channels_, 16, 16};
        for (const affine_map& map : front) { // by the function that float networks use
            const std::vector<float> before = values;
            detail::float_job job;
            job.inputs = {{before.data(), &shape, before.size()}};
            job.output = values.data();
            job.shape = &shape;
            job.count = values.size();
            job.images = 1;
            detail::compute<simd::default_arch>(map, job);
        }
        for (std::size_t i = 0; i < values.size(); ++i)
            table_[i] = to.code_of(values[i], i);
    }

    /// The code of a pixel.
    [[nodiscard]] std::uint8_t code(std::uint8_t pixel, std::size_t channel) const noexcept {
        return table_[channel * 256 + pixel];
    }
    /// Codes [n, H, W, C] of pixels [n, H, W, C]. Raises shape_error for spans of other sizes.
    void codes(std::span<const std::uint8_t> pixels, std::size_t count, std::span<std::uint8_t> codes) const {
        if (pixels.size() != count * size_ || codes.size() != pixels.size())
            detail::raise<shape_error>("pixels: ", pixels.size(), " bytes and ", codes.size(), " codes for ", count,
                                       " images of ", size_, " bytes");
        for (std::size_t first = 0; first < pixels.size(); first += channels_)
            for (std::size_t c = 0; c < channels_; ++c)
                codes[first + c] = table_[c * 256 + pixels[first + c]];
    }

private:
    std::size_t channels_;
    std::size_t size_;                ///< of one image
    std::vector<std::uint8_t> table_; ///< [C, 256]
};

} // namespace notch

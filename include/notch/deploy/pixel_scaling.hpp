/// @file
/// pixel_scaling: from bytes of pixels to the floats that a network was trained with.
///
///     x = float((pixel * scale - mean) / deviation)          in doubles, the product and the difference rounded once
#pragma once

#include <notch/core/error.hpp>
#include <notch/core/int_math.hpp>

#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <vector>

namespace notch {

/// How pixels become the floats of a network's input.
struct pixel_scaling {
    double scale = 1.0 / 255;        ///< of a pixel, before the mean is taken off
    std::vector<double> mean{};      ///< one for each channel, or one for all; empty: 0
    std::vector<double> deviation{}; ///< alike; empty: 1

    /// The float of a pixel.
    [[nodiscard]] float operator()(std::uint8_t pixel, std::size_t channel) const noexcept {
        return static_cast<float>(real(pixel, channel));
    }
    /// Raises shape_error for another number of channels, range_error for numbers that are not finite, deviations of 0, and
    /// pixels that become no finite floats or all become the same one.
    void check(std::size_t channels) const {
        const auto check_list = [channels](const char* what, const std::vector<double>& list, bool may_be_zero) {
            if (list.size() > 1 && list.size() != channels)
                detail::raise<shape_error>("pixels: ", list.size(), " numbers of ", what, " for ", channels,
                                           " channels");
            for (const double x : list)
                if (is_non_finite(x) || (x == 0 && !may_be_zero))
                    detail::raise<range_error>("pixels: ", what, " is ", x, "; it has to be finite",
                                               may_be_zero ? "" : " and not 0");
        };
        check_list("the scale", {scale}, false);
        check_list("the mean", mean, true);
        check_list("the deviation", deviation, false);
        constexpr double most = std::numeric_limits<float>::max();
        for (std::size_t c = 0; c < channels; ++c) {
            const double first = real(0, c);
            const double last = real(255, c);
            const auto fits = [](double x) { return !is_non_finite(x) && std::abs(x) <= most; };
            if (!fits(first) || !fits(last) || static_cast<float>(first) == static_cast<float>(last))
                detail::raise<range_error>("pixels: those of channel ", c, " become ", first, " to ", last,
                                           "; these have to be two different floats, at most ", most, " in magnitude");
        }
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

private:
    [[nodiscard]] double real(std::uint8_t pixel, std::size_t channel) const noexcept {
        const auto of = [channel](const std::vector<double>& list, double none) {
            return list.empty() ? none : list[list.size() == 1 ? 0 : channel];
        };
        return std::fma(static_cast<double>(pixel), scale, -of(mean, 0)) / of(deviation, 1);
    }
};

} // namespace notch

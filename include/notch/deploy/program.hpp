/// @file
/// A program: a quantized network that runs in integers.
///
///     const program p = lower(plan);                 deploy/lower.hpp; may be shared by threads
///     runner run(p, 32);                             deploy/run.hpp: memory for up to 32 images
///     run(codes, 32, logits);                        no allocation
///
/// Images enter as codes [n, H, W, C] of the tensor input() (program::encode makes them of floats, pixel_table.hpp of
/// pixels); results leave as floats in the order of the network, [n, ...]. Between them stand integers. The result depends
/// neither on the instruction set, nor on the number of tasks, nor on how images are cut into batches.
#pragma once

#include <notch/core/error.hpp>
#include <notch/core/int_math.hpp>
#include <notch/deploy/step.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace notch {

/// What a program consists of. lower() makes it; programs are read, not written.
struct program_data {
    std::string name{};                           ///< of the network
    scale_form scales = scale_form::power_of_two; ///< form of all scales
    std::vector<run_tensor> tensors{};            ///< numbers as in the plan
    std::vector<program_step> steps{};            ///< in the order in which they run
    std::size_t input = 0;                        ///< tensor
    std::size_t output = 0;                       ///< tensor
    bool real_output = false;                     ///< its numbers are reals, and lie in no arena
    bool softmax = false;                         ///< behind the output
    std::size_t result_size = 0;                  ///< floats of one image
    std::size_t arena_bytes = 0;                  ///< for one image
};

/// A network in integers, see above.
class program {
public:
    /// Takes over what lower() made.
    explicit program(program_data data) : data_(std::move(data)) {}

    /// Name of the network.
    [[nodiscard]] const std::string& name() const noexcept { return data_.name; }
    /// Its steps.
    [[nodiscard]] const std::vector<program_step>& steps() const noexcept { return data_.steps; }
    /// Its tensors, numbered as in the plan.
    [[nodiscard]] const std::vector<run_tensor>& tensors() const noexcept { return data_.tensors; }
    /// The tensor that images enter.
    [[nodiscard]] const run_tensor& input() const noexcept { return data_.tensors[data_.input]; }
    /// Floats that one image gives.
    [[nodiscard]] std::size_t result_size() const noexcept { return data_.result_size; }
    /// Bytes of tensors that live at the same time, for one image.
    [[nodiscard]] std::size_t arena_bytes() const noexcept { return data_.arena_bytes; }
    /// Everything.
    [[nodiscard]] const program_data& data() const noexcept { return data_; }

    /// Codes [n, H, W, C] of floats [n, C, H, W] of the input tensor: clamp(round(x / scale) + zero point), ties to even.
    /// Raises shape_error for spans of other sizes, range_error for NaN and infinity.
    void encode(std::span<const float> images, std::size_t count, std::span<std::uint8_t> codes) const {
        const run_tensor& to = input();
        if (images.size() != count * to.size() || codes.size() != images.size())
            detail::raise<shape_error>("encode: ", images.size(), " floats and ", codes.size(), " codes for ", count,
                                       " images of [H, W, C] = ", to.shape);
        for (std::size_t i = 0; i < images.size(); ++i)
            check_finite(images[i], i);
        const std::size_t pixels = to.shape[0] * to.shape[1];
        const std::size_t channels = to.shape[2];
        const float* from = images.data();
        for (std::size_t n = 0; n < count; ++n)
            for (std::size_t c = 0; c < channels; ++c, from += pixels) {
                std::uint8_t* place = codes.data() + n * to.size() + c;
                for (std::size_t p = 0; p < pixels; ++p, place += channels)
                    *place = code_in(to, from[p]);
            }
    }
    /// The code of one number of the input tensor.
    [[nodiscard]] std::uint8_t code_of(float x, std::size_t index = 0) const {
        check_finite(x, index);
        return code_in(input(), x);
    }

private:
    static void check_finite(float x, std::size_t index) {
        if (is_non_finite(x))
            detail::raise<range_error>("encode: element ", index, " is ", x, ", which has no code");
    }
    [[nodiscard]] static std::uint8_t code_in(const run_tensor& to, float x) noexcept {
        const double code = std::nearbyint(static_cast<double>(x) / to.scale) + to.zero_point;
        return static_cast<std::uint8_t>(std::clamp(code, 0.0, static_cast<double>(to.highest)));
    }

    program_data data_;
};

} // namespace notch

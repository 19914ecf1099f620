/// @file
/// Steps of a program: one per group of layers, everything decided. Part of program.hpp.
///
/// Codes of tensors are held as uint8_t, whatever a plan says: code - lowest, so that kernels see one type. Tensors lie as
/// [n, H, W, C] in an arena; a step names them by number.
#pragma once

#include <notch/conv/geometry.hpp>
#include <notch/conv/packed_depthwise.hpp>
#include <notch/conv/packed_filters.hpp>
#include <notch/conv/pool_geometry.hpp>
#include <notch/core/fixed_point.hpp>
#include <notch/epilogue/fixed_point_requantize.hpp>
#include <notch/gemm/packed_weights.hpp>
#include <notch/ptq/policy.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace notch {

/// A tensor of a program, for one image.
struct run_tensor {
    std::array<std::size_t, 3> shape{}; ///< [H, W, C]
    std::size_t offset = 0;             ///< in the arena, for one image
    std::int32_t exponent = 0;          ///< scale = 2^exponent, where scales are powers of two
    double scale = 1;                   ///< real of one step
    std::int32_t zero_point = 0;        ///< unsigned code of 0
    std::int32_t highest = 255;         ///< largest code; the smallest is 0
    std::int32_t lowest_code = 0;       ///< what the plan calls code 0
    /// Codes of one image.
    [[nodiscard]] std::size_t size() const noexcept { return shape[0] * shape[1] * shape[2]; }
};

/// What follows the sums of a layer with weights.
struct sum_stage {
    std::vector<std::int32_t> bias{}; ///< one per output
    std::int32_t lowest = 0;          ///< of codes less the zero point
    std::int32_t highest = 0;         ///< the other bound
    fixed_point_factors fixed{};      ///< scales of sums / scale of the result, where scales are fixed points
    std::vector<float> real{};        ///< the same where they are real; scales of the sums where the result is
    fixed_point_factors residual{};   ///< scale of the residual / scales of the sums, but for powers of two
};

/// A convolution, dense or grouped.
struct conv_step {
    packed_filters filters;   ///< packed
    conv_geometry geometry{}; ///< of the convolution
    sum_stage stage{};        ///< what follows the sums
};

/// A convolution with a group per channel.
struct depthwise_step {
    packed_depthwise weights; ///< packed
    conv_geometry geometry{}; ///< of the convolution
    sum_stage stage{};        ///< what follows the sums
};

/// A product.
struct linear_step {
    packed_weights weights; ///< packed
    sum_stage stage{};      ///< what follows the sums
};

/// A sum of two tensors that no convolution took.
struct sum_step {
    std::array<q31, 2> factors{}; ///< scales of the operands / scale of the result, but for powers of two
    std::int32_t lowest = 0;      ///< codes
    std::int32_t highest = 0;     ///< the other bound
};

/// The largest code of windows.
struct max_pool_step {
    pool_geometry geometry{}; ///< of the windows
};

/// The mean of windows; of the whole image where the kernel is as large.
struct average_pool_step {
    pool_geometry geometry{}; ///< of the windows
    double factor = 1;        ///< scale of the images / scale of the result
};

/// Tensors side by side along an axis of [H, W, C].
struct concat_step {
    std::size_t axis = 2;       ///< of [H, W, C]
    std::vector<q31> factors{}; ///< one per part, but for powers of two
};

/// Codes of some places, forwards.
struct slice_step {
    std::array<std::size_t, 3> begin{}; ///< first index per axis
    std::array<std::size_t, 3> step{};  ///< per axis
};

/// Codes with a constant around them.
struct pad_step {
    std::array<std::size_t, 3> before{}; ///< elements before, per axis
    std::uint8_t value = 0;              ///< code of what is added
};

/// Codes between two others.
struct clip_step {
    std::int32_t lowest = 0;    ///< smallest code
    std::int32_t highest = 255; ///< largest code
};

/// One step.
struct program_step {
    std::string name{}; ///< of the layer
    std::variant<conv_step, depthwise_step, linear_step, sum_step, max_pool_step, average_pool_step, concat_step,
                 slice_step, pad_step, clip_step>
        work;                              ///< what it does
    std::vector<std::size_t> inputs{};     ///< tensors
    std::optional<std::size_t> residual{}; ///< tensor
    std::size_t output = 0;                ///< tensor; for the real result, none is written
    bool to_reals = false;                 ///< the result is real, and goes to the destination
    std::size_t group = 0;                 ///< of the plan
};

} // namespace notch

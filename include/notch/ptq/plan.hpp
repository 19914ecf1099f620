/// @file
/// A plan: every number of a quantized network, decided. What methods return, and what is lowered, simulated and exported.
///
///     tensor      real = scale * (code - zero_point),              code in [lowest, highest]
///     weights     real = base[o] * 2^exponents[block] * code       base is 1 where scales are powers of two;
///                 times multipliers[block], where a row of blocks has some
///                 split: plus base[o] * 2^coarse.exponents[o] * coarse code
///     sums        real = sum_scale[o] * sum,                       sum_scale[o] = input scale * base[o] * 2^least exponent
///     bias        int32 in the scale of the sums
///
/// The scale of weights changes along the inputs only by powers of two and small whole multipliers, whatever the form of scales:
/// so every sum is an integer, and one factor per output follows it. Nothing here depends on an instruction set or on a file format.
#pragma once

#include <notch/core/error.hpp>
#include <notch/core/int_math.hpp>
#include <notch/model/network.hpp>
#include <notch/ptq/layer_groups.hpp>
#include <notch/ptq/policy.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace notch {

/// How a tensor is held in codes.
struct tensor_codes {
    int bits = 8;                ///< of a code
    bool is_signed = false;      ///< codes from -2^(bits-1), not from 0
    double scale = 1;            ///< a float, exactly
    std::int32_t exponent = 0;   ///< scale = 2^exponent, where scales are powers of two
    std::int32_t zero_point = 0; ///< code of 0
    /// Smallest code.
    [[nodiscard]] std::int32_t lowest() const noexcept { return is_signed ? -(1 << (bits - 1)) : 0; }
    /// Largest code.
    [[nodiscard]] std::int32_t highest() const noexcept { return lowest() + (1 << bits) - 1; }
    /// Equal in everything.
    friend bool operator==(const tensor_codes&, const tensor_codes&) = default;
};

/// The coarse part of weights that are split in two (coarse_fine_split.hpp), which share a sum: at some taps, a rectangle, more
/// is added to the fine part.
struct coarse_weights {
    int bits = 8;                          ///< of a code
    std::array<std::size_t, 2> first{};    ///< tap [kh, kw] of the filter where they begin
    std::array<std::size_t, 2> extent{};   ///< taps [kh, kw]
    std::vector<std::int8_t> codes{};      ///< [O, I, kh, kw]
    std::vector<std::int32_t> exponents{}; ///< [O]
};

/// Weights of a group as codes.
struct planned_weights {
    int bits = 8;                            ///< of a code
    grain cut{};                             ///< which weights share a scale
    std::vector<std::size_t> shape{};        ///< [O, I, KH, KW]; KH = KW = 1 for products
    std::vector<std::int8_t> codes{};        ///< in that order
    std::size_t block_outputs = 1;           ///< of a block
    std::size_t block_inputs = 1;            ///< input channels of a block
    std::vector<std::int32_t> exponents{};   ///< per block, row-major
    std::vector<std::uint8_t> multipliers{}; ///< per block, such that multiplier times code fits a byte; or none: 1
    std::vector<double> base{};              ///< [O], floats; 1 where scales are powers of two
    std::vector<std::int32_t>
        least{}; ///< [O]: smallest exponent among the blocks, and the coarse part, that have codes other than 0
    std::optional<coarse_weights> coarse{}; ///< none: weights are not split
    std::vector<std::int32_t> bias{};       ///< [O]
    std::vector<std::uint32_t> floored{};   ///< outputs whose scale was raised so that bias and residual fit int32

    /// Blocks along the inputs.
    [[nodiscard]] std::size_t blocks() const noexcept { return ceil_div(shape[1], block_inputs); }
    /// Rows of blocks, one below the other.
    [[nodiscard]] std::size_t rows() const noexcept { return ceil_div(shape[0], block_outputs); }
    /// First output of a row of blocks.
    [[nodiscard]] std::size_t first_output(std::size_t row) const noexcept { return row * block_outputs; }
    /// One behind its last output.
    [[nodiscard]] std::size_t end_output(std::size_t row) const noexcept {
        return std::min((row + 1) * block_outputs, shape[0]);
    }
    /// Taps of a channel.
    [[nodiscard]] std::size_t taps() const noexcept { return shape[2] * shape[3]; }
    /// Number of the block of an output and an input channel.
    [[nodiscard]] std::size_t block_of(std::size_t o, std::size_t i) const noexcept {
        return o / block_outputs * blocks() + i / block_inputs;
    }
    /// The coarse code of tap t, row-major, of an output and an input channel; 0 where there is none.
    [[nodiscard]] std::int8_t coarse_code(std::size_t o, std::size_t i, std::size_t t) const noexcept {
        if (!coarse)
            return 0;
        const std::size_t h = t / shape[3] - coarse->first[0]; // wraps above
        const std::size_t w = t % shape[3] - coarse->first[1];
        if (h >= coarse->extent[0] || w >= coarse->extent[1])
            return 0;
        return coarse->codes[((o * shape[1] + i) * coarse->extent[0] + h) * coarse->extent[1] + w];
    }
    /// What the coarse part adds to that tap.
    [[nodiscard]] double coarse_value(std::size_t o, std::size_t i, std::size_t t) const noexcept {
        return coarse ? base[o] * exp2_exact(coarse->exponents[o]) * coarse_code(o, i, t) : 0.0;
    }
    /// The real that tap t of an output and an input channel stands for.
    [[nodiscard]] double value(std::size_t o, std::size_t i, std::size_t t) const noexcept {
        return scale(o, i) * codes[(o * shape[1] + i) * taps() + t] + coarse_value(o, i, t);
    }
    /// Scale of one weight.
    [[nodiscard]] double scale(std::size_t o, std::size_t i) const noexcept {
        return base[o] * exp2_exact(exponents[block_of(o, i)]) * multiplier(block_of(o, i));
    }
    /// Of a block.
    [[nodiscard]] std::int32_t multiplier(std::size_t block) const noexcept {
        return multipliers.empty() ? 1 : multipliers[block];
    }
    /// Bits in which codes are stored, those of the coarse part with them: 2, 4 or 8.
    [[nodiscard]] int stored_bits() const noexcept {
        const int widest = !multipliers.empty() ? 8 : coarse ? std::max(bits, coarse->bits) : bits;
        return widest <= 2 ? 2 : widest <= 4 ? 4 : 8;
    }
};

/// A group and its weights.
struct planned_group {
    layer_group where{};                      ///< layers and tensors
    std::optional<planned_weights> weights{}; ///< where the first layer has some
};

/// A quantized network.
struct plan {
    network net{};                                      ///< folded and fused
    scale_form scales = scale_form::power_of_two;       ///< form of all scales
    std::size_t input = 0;                              ///< the tensor that codes enter: the network's input, or what
                                                        ///< constant maps behind it make of it
    std::vector<std::optional<tensor_codes>> tensors{}; ///< per tensor of the network; those inside groups have none
    std::vector<planned_group> groups{};                ///< in the order in which they run
    bool real_output = false; ///< the last group with weights gives reals, which are not rounded
};

/// Scale of the sums of one output.
[[nodiscard]] inline double sum_scale(const planned_weights& weights, const tensor_codes& input,
                                      std::size_t o) noexcept {
    return input.scale * weights.base[o] * exp2_exact(weights.least[o]);
}

/// Bytes of the weights of a group as they are packed at 2, 4 or 8 bits, with scales and biases, without padding.
[[nodiscard]] inline std::size_t stored_bytes(const planned_weights& weights, scale_form scales) noexcept {
    const auto width = static_cast<std::size_t>(weights.stored_bits());
    const std::size_t base = scales == scale_form::power_of_two ? 0 : 4 * weights.base.size();
    std::size_t bytes = ceil_div(weights.codes.size() * width, 8) + weights.exponents.size() + base;
    if (weights.coarse)
        bytes += ceil_div(weights.coarse->codes.size() * width, 8) + weights.coarse->exponents.size();
    return bytes + 4 * weights.bias.size();
}

} // namespace notch

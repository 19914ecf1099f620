/// @file
/// What is packed, and the header of the result. Part of gemm/pack.hpp.
#pragma once

#include <notch/core/error.hpp>
#include <notch/core/fixed_point.hpp>
#include <notch/core/int_math.hpp>
#include <notch/gemm/packed_weights.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <numeric>
#include <span>
#include <string>
#include <vector>

namespace notch::detail {

/// One quantized matrix, its policies turned into numbers. Refers to the parameters of the matrix.
struct weight_term {
    const std::uint8_t* codes = nullptr; ///< [outputs][inputs], int8 where is_signed
    bool is_signed = true;
    int width = 8;
    scale_kind kind = scale_kind::power_of_two;
    std::size_t outputs = 0;
    std::size_t inputs = 0;
    std::size_t block_outputs = 0;
    std::size_t block_inputs = 0;
    std::size_t blocks = 1;                    ///< along the inputs
    std::span<const std::int32_t> exponents{}; ///< per block; power of two only
    std::span<const q31> factors{};            ///< per block; fixed point only
    std::vector<float> reals{};                ///< per block; not for powers of two
    std::span<const std::int32_t> zero_points{};
    std::span<const std::uint32_t> output_order{};
    std::span<const std::uint32_t> input_order{};

    /// The number of the quantizer's block that holds a code.
    [[nodiscard]] std::size_t block_of(std::size_t row, std::size_t input) const noexcept {
        return row / block_outputs * blocks + input / block_inputs;
    }
    /// Bits in which codes of this width are stored.
    [[nodiscard]] std::uint32_t stored_bits() const noexcept { return width <= 2 ? 2 : width <= 4 ? 4 : 8; }
    /// The code that is stored as 0.
    [[nodiscard]] std::int32_t base(std::uint32_t bits) const noexcept { return is_signed ? -(1 << (bits - 1)) : 0; }
};

/// A header with the sizes and sections of packed terms. Raises errors for terms that do not go together.
[[nodiscard]] inline packed_header planned_header(std::span<const weight_term> terms, const std::string& name) {
    const weight_term& first = terms[0];
    packed_header head;
    head.outputs = first.outputs;
    head.inputs = terms.back().inputs;
    head.terms = static_cast<std::uint32_t>(terms.size());
    head.kind = static_cast<std::uint32_t>(first.kind);
    std::uint64_t block = 0;
    bool biased = false;
    head.bits = 2;
    head.code_bits = 0;
    for (const weight_term& term : terms) {
        if (terms.size() > 1 && term.kind != scale_kind::power_of_two)
            raise<unsupported_error>(quoted(name), ": two-term weights need power-of-two scales");
        if (!std::ranges::equal(term.output_order, first.output_order) ||
            !std::ranges::equal(term.input_order, first.input_order))
            raise<shape_error>(quoted(name), ": the terms have different channel orders");
        block = std::gcd(block, static_cast<std::uint64_t>(term.block_inputs));
        head.bits = std::max(head.bits, term.stored_bits());
        head.code_bits = std::max(head.code_bits, static_cast<std::uint32_t>(term.width));
    }
    for (const weight_term& term : terms)
        if (term.blocks == 1 && terms.size() > 1) // the whole row, of any length
            block = 0;
    for (const weight_term& term : terms)
        if (term.blocks > 1)
            block = std::gcd(block, static_cast<std::uint64_t>(term.block_inputs));
    if (first.inputs != head.inputs) { // filters of fewer taps; both terms have the same blocks of channels
        block = terms.back().block_inputs;
        head.first_inputs = first.inputs;
        head.first_block = first.block_inputs;
    }
    head.block = block == 0 ? head.inputs : std::min<std::uint64_t>(block, head.inputs);
    head.blocks = ceil_div(head.inputs, head.block);
    if (first.kind == scale_kind::fixed_point && head.blocks > 1)
        raise<unsupported_error>(quoted(name), ": fixed-point scales change ", head.blocks - 1,
                                 " times along the inputs; use power_of_two (a shift per block) or real_scale there");
    for (const weight_term& term : terms) {
        biased = biased || !term.zero_points.empty() ||
                 (terms.size() > 1 && head.bits < 8 && term.base(head.bits) != first.base(head.bits));
        if (head.blocks > std::numeric_limits<std::uint32_t>::max())
            raise<range_error>(quoted(name), ": ", head.blocks, " blocks");
    }
    head.bias = static_cast<std::uint32_t>(-first.base(head.bits));

    place_sections(head, biased, !first.input_order.empty());
    return head;
}

} // namespace notch::detail

/// @file
/// pack_depthwise: quantized depthwise weights become packed ones, once, when a model is loaded.
///
///     pack_depthwise(weights)     weights [outputs, 1, kernel height, kernel width], one scale per output or per tensor
///
/// Values are code - zero point and must fit int8. With A = max(sum of positive, sum of negative values of an output) no sum
/// of products with 8-bit activations exceeds 255 A in magnitude, whatever the zero point; 255 A must be below 2^31.
#pragma once

#include <notch/conv/filters.hpp>
#include <notch/conv/packed_depthwise.hpp>
#include <notch/core/error.hpp>
#include <notch/core/int_math.hpp>
#include <notch/gemm/pack_panel.hpp>
#include <notch/quant/quantized_tensor.hpp>
#include <notch/simd/weight_codes.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <string>

namespace notch {

namespace detail {

/// Depthwise weights as a matrix [outputs, taps]. Raises errors where they are no depthwise weights.
template <quantizer_type Q, std::size_t Rank>
[[nodiscard]] weight_term depthwise_term(const quantized_tensor<Q, Rank>& weights) {
    if (weights.shape()[1] != 1)
        raise<shape_error>(quoted(weights.name), ": extents ", weights.shape(),
                           "; depthwise weights are [outputs, 1, kernel height, kernel width]");
    return filter_term(weights);
}

/// The zero point of a row of the codes.
[[nodiscard]] NOTCH_INLINE std::int32_t zero_of_row(const weight_term& term, std::size_t row) noexcept {
    return term.zero_points.empty() ? 0 : term.zero_points[term.block_of(row, 0)];
}

/// A header with the sizes and sections of packed weights.
[[nodiscard]] inline depthwise_header planned_header(const weight_term& term, const extents<4>& shape) {
    depthwise_header head;
    head.outputs = term.outputs;
    head.kernel_h = shape[2];
    head.kernel_w = shape[3];
    head.bits = term.stored_bits();
    head.kind = term.kind;
    const std::size_t columns = head.panels() * panel_columns;
    std::size_t end = 0;
    const auto place = [&end](std::size_t count, std::size_t size) {
        const std::size_t at = end;
        end = round_up(end + checked_product(count, size, "bytes of packed weights"), 64);
        return at;
    };
    head.scales = place(columns, 4); // first: no other section has the offset 0
    head.exponents = place(columns, 4);
    if (term.kind == scale_kind::fixed_point)
        head.multipliers = place(columns, 4);
    head.sums = place(columns, 4);
    if (head.bits < 8)
        head.biases = place(columns, 1);
    head.codes = place(head.panels() * head.tap_bytes(), head.taps());
    head.bytes = end;
    return head;
}

/// Checks the codes of one output and returns their sums. Raises range_error.
[[nodiscard]] inline simd::code_sums checked_sums(const weight_term& term, std::size_t row, std::size_t output,
                                                  const std::string& name) {
    const std::size_t taps = term.inputs;
    const std::int32_t zero = zero_of_row(term, row);
    const simd::code_sums sums = simd::sum_codes(term.codes + row * taps, taps, term.is_signed, zero);
    const std::int32_t lowest = term.base(static_cast<std::uint32_t>(term.width));
    const std::int32_t highest = lowest + (1 << term.width) - 1;
    if (sums.lowest + zero < lowest || sums.highest + zero > highest)
        raise<range_error>(quoted(name), ": output ", output, ": codes reach from ", sums.lowest + zero, " to ",
                           sums.highest + zero, ", outside [", lowest, ", ", highest, "] of ", term.width, " bits");
    if (sums.lowest < -128 || sums.highest > 127)
        raise<range_error>(quoted(name), ": output ", output, ": values (code - zero point ", zero, ") reach from ",
                           sums.lowest, " to ", sums.highest, "; kernels take [-128, 127]");
    const std::int64_t bound = 255 * ((sums.magnitude + (sums.sum < 0 ? -sums.sum : sums.sum)) / 2);
    if (bound > std::numeric_limits<std::int32_t>::max())
        raise<range_error>(quoted(name), ": output ", output, ": sums of products may reach ", bound, ", beyond ",
                           std::numeric_limits<std::int32_t>::max(), " (", taps, " taps)");
    return sums;
}

/// Packs weights whose policies have become numbers.
[[nodiscard]] inline packed_depthwise pack_depthwise(const weight_term& term, const extents<4>& shape,
                                                     const std::string& name) {
    depthwise_header head = planned_header(term, shape);
    aligned_buffer<std::byte> bytes(head.bytes);
    std::memset(bytes.data(), 0, bytes.size());
    const auto table = [&bytes]<class T>(T, std::size_t offset) { return reinterpret_cast<T*>(bytes.data() + offset); };
    const std::size_t taps = head.taps();
    const std::size_t per_byte = 8 / head.bits;
    const std::size_t tap_bytes = head.tap_bytes();
    for (std::size_t row = 0; row < head.outputs; ++row) {
        const std::size_t output = term.output_order.empty() ? row : term.output_order[row];
        const std::size_t block = term.block_of(row, 0);
        const std::int32_t zero = zero_of_row(term, row);
        const simd::code_sums sums = checked_sums(term, row, output, name);
        head.bound = std::max(head.bound, 255 * ((sums.magnitude + (sums.sum < 0 ? -sums.sum : sums.sum)) / 2));
        head.largest_value =
            std::max(head.largest_value, static_cast<std::uint32_t>(std::max(sums.highest, -sums.lowest)));
        const bool powers = term.kind == scale_kind::power_of_two;
        table(std::int32_t{}, head.sums)[output] = static_cast<std::int32_t>(sums.sum);
        table(std::int32_t{}, head.exponents)[output] = powers                 ? term.exponents[block]
                                                        : term.factors.empty() ? 0
                                                                               : term.factors[block].exponent;
        if (head.multipliers != 0)
            table(std::int32_t{}, head.multipliers)[output] = term.factors[block].multiplier;
        table(float{}, head.scales)[output] =
            powers ? static_cast<float>(exp2_exact(term.exponents[block])) : term.reals[block];
        // 8 bits: value = code - zero point. Less: stored code = code - base, bias = zero point - base.
        const std::int32_t base = head.bits == 8 ? zero : term.base(head.bits);
        if (head.bits < 8)
            table(std::uint8_t{}, head.biases)[output] = static_cast<std::uint8_t>(zero - base);
        std::uint8_t* to =
            table(std::uint8_t{}, head.codes) + output / panel_columns * taps * tap_bytes + output % tap_bytes;
        const std::size_t shift = output % panel_columns / tap_bytes * head.bits;
        for (std::size_t t = 0; t < taps; ++t) {
            const std::uint8_t code = term.codes[row * taps + t];
            const std::int32_t value = (term.is_signed ? std::int32_t{static_cast<std::int8_t>(code)} : code) - base;
            const auto stored = static_cast<std::uint8_t>(value);
            to[t * tap_bytes] = per_byte == 1 ? stored : static_cast<std::uint8_t>(to[t * tap_bytes] | stored << shift);
        }
    }
    return packed_depthwise(head, std::move(bytes), name);
}

} // namespace detail

/// Bytes that pack_depthwise(weights) needs, known beforehand.
template <quantizer_type Q, std::size_t Rank>
    requires(Rank == 3 || Rank == 4)
[[nodiscard]] std::size_t packed_depthwise_size(const quantized_tensor<Q, Rank>& weights) {
    return detail::planned_header(detail::depthwise_term(weights), detail::filter_shape(weights.shape())).bytes;
}

/// Packs depthwise weights [outputs, 1, kernel height, kernel width], or [outputs, 1, kernel width] of one dimension.
/// Raises shape_error where they are no such weights; unsupported_error for scales that change within an output;
/// range_error for values (code - zero point) outside [-128, 127] and for sums of products that could leave int32.
template <quantizer_type Q, std::size_t Rank>
    requires(Rank == 3 || Rank == 4)
[[nodiscard]] packed_depthwise pack_depthwise(const quantized_tensor<Q, Rank>& weights) {
    return detail::pack_depthwise(detail::depthwise_term(weights), detail::filter_shape(weights.shape()), weights.name);
}

} // namespace notch

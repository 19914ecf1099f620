/// @file
/// pack_depthwise: quantized depthwise weights become packed ones, once, when a model is loaded.
///
///     pack_depthwise(weights)     weights [outputs, 1, kernel height, kernel width], one scale per output or per tensor
///
/// Values are code - zero point and must fit int8. With A = max(sum of positive, sum of negative values of an output) no sum
/// of products with 8-bit activations exceeds 255 A in magnitude, whatever the zero point; 255 A must be below 2^31.
#pragma once

#include <notch/conv/packed_depthwise.hpp>
#include <notch/core/error.hpp>
#include <notch/core/int_math.hpp>
#include <notch/quant/quantized_tensor.hpp>
#include <notch/simd/weight_codes.hpp>

#include <algorithm>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <string>
#include <vector>

namespace notch {

namespace detail {

/// Quantized depthwise weights, their policies turned into numbers.
struct depthwise_term {
    const std::uint8_t* codes = nullptr; ///< [outputs][taps], int8 where is_signed
    bool is_signed = true;
    int width = 8;
    scale_kind kind = scale_kind::power_of_two;
    std::size_t outputs = 0;
    std::size_t kernel_h = 0;
    std::size_t kernel_w = 0;
    std::size_t block_outputs = 1;           ///< outputs that share a scale
    std::vector<std::int32_t> exponents{};   ///< per block
    std::vector<std::int32_t> multipliers{}; ///< per block
    std::vector<float> reals{};              ///< per block
    std::vector<std::int32_t> zero_points{}; ///< per block, or none
    std::vector<std::uint32_t> output_order{};

    /// Bits in which codes of this width are stored.
    [[nodiscard]] std::uint32_t stored_bits() const noexcept { return width <= 2 ? 2 : width <= 4 ? 4 : 8; }
    /// The code that is stored as 0.
    [[nodiscard]] std::int32_t base(std::uint32_t bits) const noexcept { return is_signed ? -(1 << (bits - 1)) : 0; }
    /// The zero point of a row of the codes.
    [[nodiscard]] std::int32_t zero_of(std::size_t row) const noexcept {
        return zero_points.empty() ? 0 : zero_points[row / block_outputs];
    }
};

/// What pack_depthwise needs to know of quantized weights. Raises errors where they are no depthwise weights.
template <quantizer_type Q> [[nodiscard]] depthwise_term depthwise_term_of(const quantized_tensor<Q, 4>& weights) {
    const block_grid<4> grid = weights.grid();
    const extents<4>& shape = weights.shape();
    if (shape[1] != 1 || weights.codes.size() == 0)
        raise<shape_error>(quoted(weights.name), ": extents ", shape,
                           "; depthwise weights are [outputs, 1, kernel height, kernel width], with elements");
    if (grid.blocks[1] != 1 || grid.blocks[2] != 1 || grid.blocks[3] != 1)
        raise<unsupported_error>(quoted(weights.name),
                                 ": scales change within an output; depthwise weights take per_channel or per_tensor");
    depthwise_term term;
    term.codes = reinterpret_cast<const std::uint8_t*>(weights.codes.data());
    term.is_signed = Q::bits_type::is_signed;
    term.width = Q::bits_type::width;
    term.outputs = shape[0];
    term.kernel_h = shape[2];
    term.kernel_w = shape[3];
    term.block_outputs = grid.block[0];
    term.zero_points = weights.params.zero_points;
    term.output_order = weights.params.output_order;
    for (std::size_t b = 0; b < weights.params.count(); ++b)
        term.reals.push_back(static_cast<float>(weights.params.scale(b)));
    using scale_value = typename Q::scale_policy::value_type;
    if constexpr (std::same_as<scale_value, std::int32_t>) {
        term.exponents = weights.params.scales;
        for (std::size_t b = 0; b < weights.params.count(); ++b) {
            const double scale = weights.params.scale(b);
            if (!is_power_of_two(scale) || floor_log2(scale) != term.exponents[b])
                raise<unsupported_error>(quoted(weights.name), ": scale ", scale, " of block ", b, " is stored as ",
                                         term.exponents[b], ", which is not its exponent of two");
        }
    } else if constexpr (std::same_as<scale_value, q31>) {
        term.kind = scale_kind::fixed_point;
        for (const q31& scale : weights.params.scales) {
            term.exponents.push_back(scale.exponent);
            term.multipliers.push_back(scale.multiplier);
        }
    } else {
        static_assert(std::same_as<scale_value, float>,
                      "pack_depthwise: scales are int32 exponents, q31 or float; give a scale type of your own one of "
                      "these value types");
        term.kind = scale_kind::real;
    }
    return term;
}

/// A header with the sizes and sections of packed weights.
[[nodiscard]] inline depthwise_header planned_header(const depthwise_term& term) {
    depthwise_header head;
    head.outputs = term.outputs;
    head.kernel_h = term.kernel_h;
    head.kernel_w = term.kernel_w;
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
[[nodiscard]] inline simd::code_sums checked_sums(const depthwise_term& term, std::size_t row, std::size_t output,
                                                  const std::string& name) {
    const std::size_t taps = term.kernel_h * term.kernel_w;
    const std::int32_t zero = term.zero_of(row);
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
[[nodiscard]] inline packed_depthwise pack_depthwise(const depthwise_term& term, const std::string& name) {
    depthwise_header head = planned_header(term);
    aligned_buffer<std::byte> bytes(head.bytes);
    std::memset(bytes.data(), 0, bytes.size());
    const auto table = [&bytes]<class T>(T, std::size_t offset) {
        return reinterpret_cast<T*>(bytes.data() + offset);
    };
    const std::size_t taps = head.taps();
    const std::size_t per_byte = 8 / head.bits;
    const std::size_t tap_bytes = head.tap_bytes();
    for (std::size_t row = 0; row < head.outputs; ++row) {
        const std::size_t output = term.output_order.empty() ? row : term.output_order[row];
        const std::size_t block = row / term.block_outputs;
        const std::int32_t zero = term.zero_of(row);
        const simd::code_sums sums = checked_sums(term, row, output, name);
        head.bound = std::max(head.bound, 255 * ((sums.magnitude + (sums.sum < 0 ? -sums.sum : sums.sum)) / 2));
        head.largest_value =
            std::max(head.largest_value, static_cast<std::uint32_t>(std::max(sums.highest, -sums.lowest)));
        const bool powers = term.kind == scale_kind::power_of_two;
        table(std::int32_t{}, head.sums)[output] = static_cast<std::int32_t>(sums.sum);
        table(std::int32_t{}, head.exponents)[output] = term.exponents.empty() ? 0 : term.exponents[block];
        if (head.multipliers != 0)
            table(std::int32_t{}, head.multipliers)[output] = term.multipliers[block];
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

/// The values of one panel, [tap][16].
NOTCH_INLINE void depthwise_values(const packed_depthwise& weights, const depthwise_header& head, std::size_t panel,
                                   std::int8_t* to) noexcept {
    const std::size_t tap_bytes = head.tap_bytes();
    const auto* codes = weights.section<std::uint8_t>(head.codes) + panel * head.taps() * tap_bytes;
    if (head.bits == 8) {
        std::memcpy(to, codes, head.taps() * panel_columns);
        return;
    }
    const auto* biases = weights.section<std::uint8_t>(head.biases) + panel * panel_columns;
    const auto mask = static_cast<std::uint8_t>((1U << head.bits) - 1);
    for (std::size_t t = 0; t < head.taps(); ++t, codes += tap_bytes, to += panel_columns)
        for (std::size_t part = 0, c = 0; c < panel_columns; ++part)
            for (std::size_t i = 0; i < tap_bytes; ++i, ++c)
                to[c] = static_cast<std::int8_t>(((codes[i] >> (part * head.bits)) & mask) - biases[c]);
}

} // namespace detail

/// Bytes that pack_depthwise(weights) needs, known beforehand.
template <quantizer_type Q> [[nodiscard]] std::size_t packed_depthwise_size(const quantized_tensor<Q, 4>& weights) {
    return detail::planned_header(detail::depthwise_term_of(weights)).bytes;
}

/// Packs depthwise weights [outputs, 1, kernel height, kernel width].
/// Raises shape_error where they are no such weights; unsupported_error for scales that change within an output;
/// range_error for values (code - zero point) outside [-128, 127] and for sums of products that could leave int32.
template <quantizer_type Q> [[nodiscard]] packed_depthwise pack_depthwise(const quantized_tensor<Q, 4>& weights) {
    return detail::pack_depthwise(detail::depthwise_term_of(weights), weights.name);
}

} // namespace notch

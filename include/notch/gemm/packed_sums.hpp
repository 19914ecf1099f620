/// @file
/// What the codes of packed weights add up to, read as the kernels read them. Part of gemm/packed_check.hpp.
///
/// A value is a stored code minus a bias (8 bits: the highest bit flipped, minus 128). Chunks of units add up in one
/// small accumulator per byte of a unit, and the accumulators of a chunk are added to the outputs: loops of 64 bytes
/// that compilers turn into vectors without being told the instruction set.
#pragma once

#include <notch/core/config.hpp>
#include <notch/core/int_math.hpp>
#include <notch/gemm/packed_weights.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <type_traits>

namespace notch::detail {

/// Of the values of one depth block of sixteen outputs.
struct unit_counts {
    std::int64_t sum[panel_columns] = {};
    std::int64_t magnitude[panel_columns] = {}; ///< sum of |value|
    std::uint32_t largest[panel_columns] = {};  ///< |value|
};

/// A stored code as a number that grows with the value.
template <int Bits> [[nodiscard]] NOTCH_INLINE std::uint8_t stored_code(std::uint8_t byte, std::size_t part) noexcept {
    if constexpr (Bits == 8)
        return static_cast<std::uint8_t>(byte ^ 0x80);
    else
        return static_cast<std::uint8_t>((byte >> (static_cast<std::size_t>(Bits) * part)) & ((1 << Bits) - 1));
}

/// Accumulators of a chunk: one per byte of a unit. Bytes hold 16 codes of 4 bits or 84 of 2; words 256 of 8.
template <int Bits> struct unit_accumulators {
    using number = std::conditional_t<Bits == 8, std::uint16_t, std::uint8_t>;
    static constexpr std::size_t chunk = Bits == 8 ? 256 : Bits == 4 ? 8 : 21; ///< units
    number sum[step_bytes];                                                    ///< of codes
    number magnitude[step_bytes];                                              ///< of |code - bias|
    std::uint8_t largest[step_bytes];                                          ///< |code - bias|

    /// Counts up to a chunk of units. `biases`: one per byte.
    void count(const std::uint8_t* units, std::size_t units_left, const std::uint8_t* biases) noexcept {
        for (std::size_t i = 0; i < step_bytes; ++i) {
            sum[i] = 0;
            magnitude[i] = 0;
            largest[i] = 0;
        }
        for (; units_left > 0; --units_left, units += step_bytes)
            for (std::size_t part = 0; part < 8 / Bits; ++part)
                for (std::size_t i = 0; i < step_bytes; ++i) {
                    const std::uint8_t code = stored_code<Bits>(units[i], part);
                    const auto size = static_cast<std::uint8_t>(std::max(code, biases[i]) - std::min(code, biases[i]));
                    sum[i] = static_cast<number>(sum[i] + code);
                    magnitude[i] = static_cast<number>(magnitude[i] + size);
                    largest[i] = std::max(largest[i], size);
                }
    }
};

/// Counts the values of some units. `bias` has one number per output; those of fewer than 8 bits lie below 2^Bits.
template <int Bits>
void count_units_of(const std::uint8_t* units, std::size_t count, const std::uint8_t* bias,
                    unit_counts& counts) noexcept {
    std::uint8_t biases[step_bytes];
    for (std::size_t i = 0; i < step_bytes; ++i)
        biases[i] = Bits == 8 ? std::uint8_t{128} : bias[i / step_inputs];
    unit_accumulators<Bits> chunk;
    const auto codes = static_cast<std::int32_t>(step_inputs * (8 / Bits));
    for (std::size_t from = 0; from < count; from += chunk.chunk) {
        const std::size_t units_here = std::min(count - from, chunk.chunk);
        chunk.count(units + from * step_bytes, units_here, biases);
        for (std::size_t c = 0; c < panel_columns; ++c) {
            const std::size_t i = c * step_inputs;
            counts.sum[c] += chunk.sum[i] + chunk.sum[i + 1] + chunk.sum[i + 2] + chunk.sum[i + 3] -
                             static_cast<std::int32_t>(units_here) * codes * biases[i];
            counts.magnitude[c] +=
                chunk.magnitude[i] + chunk.magnitude[i + 1] + chunk.magnitude[i + 2] + chunk.magnitude[i + 3];
            const std::uint32_t largest = std::max(std::max(chunk.largest[i], chunk.largest[i + 1]),
                                                   std::max(chunk.largest[i + 2], chunk.largest[i + 3]));
            counts.largest[c] = std::max(counts.largest[c], largest);
        }
    }
}

/// The first output with a code behind the last input that does not stand for 0, or panel_columns.
template <int Bits>
[[nodiscard]] std::size_t find_padding(const std::uint8_t* units, std::size_t length,
                                       const std::uint8_t* bias) noexcept {
    constexpr std::size_t unit_inputs = 8 / Bits * step_inputs;
    const std::uint8_t* last = units + length / unit_inputs * step_bytes;
    for (std::size_t input = length % unit_inputs; input != 0 && input < unit_inputs; ++input)
        for (std::size_t c = 0; c < panel_columns; ++c)
            if (stored_code<Bits>(last[c * step_inputs + input % step_inputs], input / step_inputs) !=
                (Bits == 8 ? 128 : bias[c]))
                return c;
    return panel_columns;
}

/// Counts the values of a depth block of `length` inputs; returns what find_padding does.
[[nodiscard]] inline std::size_t count_units(const std::uint8_t* units, std::size_t length, std::uint32_t bits,
                                             const std::uint8_t* bias, unit_counts& counts) noexcept {
    const auto run = [&]<int Bits>() {
        count_units_of<Bits>(units, ceil_div(length, 8 / Bits * step_inputs), bias, counts);
        return find_padding<Bits>(units, length, bias);
    };
    return bits == 8   ? run.template operator()<8>()
           : bits == 4 ? run.template operator()<4>()
                       : run.template operator()<2>();
}

} // namespace notch::detail

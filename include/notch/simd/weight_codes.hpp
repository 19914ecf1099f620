/// @file
/// How codes of weights are summed and interleaved when they are packed (gemm/packed_weights.hpp shows the layout).
///
/// Both walk over rows of codes of one byte each, at the speed of reading them; results are exact integers and
/// the same everywhere.
#pragma once

#include <notch/core/config.hpp>

#include <cstddef>
#include <cstdint>
#include <cstring>

namespace notch::simd {

/// Of values = code - zero point.
struct code_sums {
    std::int64_t sum = 0;       ///< of the values
    std::int64_t magnitude = 0; ///< of their magnitudes
    std::int32_t lowest = 0;    ///< the smallest value, at most 0
    std::int32_t highest = 0;   ///< the largest value, at least 0
};

/// Sums `count` codes of one byte.
[[nodiscard]] inline code_sums sum_codes(const std::uint8_t* codes, std::size_t count, bool is_signed,
                                         std::int32_t zero_point) noexcept {
    // Codes as unsigned bytes that keep their order; sums of chunks stay in 32 bits and vectorize.
    const std::uint8_t flip = is_signed ? 128 : 0;
    const std::int32_t zero = zero_point + flip;
    code_sums total;
    constexpr std::size_t chunk = 4096;
    for (std::size_t from = 0; from < count; from += chunk) {
        const std::size_t length = count - from < chunk ? count - from : chunk;
        std::int32_t sum = 0;
        std::int32_t magnitude = 0;
        std::int32_t lowest = 0;
        std::int32_t highest = 0;
        for (std::size_t i = 0; i < length; ++i) {
            const std::int32_t value = static_cast<std::uint8_t>(codes[from + i] ^ flip) - zero;
            sum += value;
            magnitude += value < 0 ? -value : value;
            lowest = value < lowest ? value : lowest;
            highest = value > highest ? value : highest;
        }
        total.sum += sum;
        total.magnitude += magnitude;
        total.lowest = lowest < total.lowest ? lowest : total.lowest;
        total.highest = highest > total.highest ? highest : total.highest;
    }
    return total;
}

/// Rows of one depth block of sixteen outputs.
struct code_rows {
    const std::uint8_t* rows[16] = {}; ///< codes of each output; those from `columns` on are not read
    std::uint8_t offset[16] = {};      ///< is added to each code, modulo 256
    std::uint8_t padding[16] = {};     ///< stored where there is no code
    std::size_t columns = 0;           ///< outputs that exist
    std::size_t length = 0;            ///< codes per row
    std::uint32_t bits = 8;            ///< of a stored code: 8, 4 or 2
};

namespace detail {

/// Four bytes + offset each, modulo 256.
[[nodiscard]] NOTCH_INLINE std::uint32_t add_bytes(std::uint32_t four, std::uint8_t offset) noexcept {
    constexpr std::uint32_t low = 0x7f7f7f7fU;
    const std::uint32_t other = offset * 0x01010101U;
    return ((four & low) + (other & low)) ^ ((four ^ other) & ~low);
}

/// The four stored codes of one output and step.
[[nodiscard]] NOTCH_INLINE std::uint32_t stored_step(const code_rows& from, std::size_t c, std::size_t step) noexcept {
    const std::size_t first = 4 * step;
    std::uint32_t four = from.padding[c] * 0x01010101U;
    if (c >= from.columns || first >= from.length)
        return four;
    if (first + 4 <= from.length) {
        std::memcpy(&four, from.rows[c] + first, 4);
        return add_bytes(four, from.offset[c]);
    }
    std::uint8_t bytes[4];
    std::memcpy(bytes, &four, 4);
    for (std::size_t i = first; i < from.length; ++i)
        bytes[i - first] = static_cast<std::uint8_t>(from.rows[c][i] + from.offset[c]);
    std::memcpy(&four, bytes, 4);
    return four;
}

} // namespace detail

/// Writes the units of 64 bytes of one depth block: 8 / bits steps share a unit, the first one in the lowest bits.
/// Precondition: code + offset lies in [0, 2^bits) for bits < 8.
inline void interleave_codes(const code_rows& from, std::uint8_t* to) noexcept {
    const std::size_t steps = (from.length + 3) / 4;
    const std::size_t per_unit = 8 / from.bits;
    for (std::size_t step = 0; step < steps; step += per_unit, to += 64)
        for (std::size_t c = 0; c < 16; ++c) {
            std::uint32_t four = detail::stored_step(from, c, step);
            for (std::size_t part = 1; part < per_unit; ++part)
                four |= detail::stored_step(from, c, step + part) << (from.bits * part);
            std::memcpy(to + 4 * c, &four, 4);
        }
}

} // namespace notch::simd

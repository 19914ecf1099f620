/// @file
/// Codes of 2 and 4 bits that share bytes, in the order of ONNX: low bits first, in row-major order over the whole tensor.
///
///     2 bits    byte i = c[4 i] | c[4 i + 1] << 2 | c[4 i + 2] << 4 | c[4 i + 3] << 6
///     4 bits    byte i = c[2 i] | c[2 i + 1] << 4
///     8 bits    byte i = c[i]
///
/// Signed codes are two's complement. Bits behind the last code are 0. Codes of 3 bits take 4, those of 5 to 7 take 8.
/// Source: ONNX, the raw_data of TensorProto for INT4, UINT4, INT2 and UINT2.
#pragma once

#include <notch/core/bits.hpp>
#include <notch/core/int_math.hpp>

#include <cstddef>
#include <cstdint>
#include <cstring>

namespace notch::detail {

/// Bits in which codes of a width are stored.
[[nodiscard]] constexpr int stored_bits(int width) noexcept { return width <= 2 ? 2 : width <= 4 ? 4 : 8; }

/// Bytes of `count` codes. Precondition: count <= the largest size / 8.
[[nodiscard]] constexpr std::size_t stored_bytes(std::size_t count, int bits) noexcept {
    return ceil_div(count * static_cast<std::size_t>(bits), 8);
}

/// The number of the first code outside a range, or `count`.
template <class Code>
[[nodiscard]] std::size_t find_outside(const Code* codes, std::size_t count, code_range range) noexcept {
    std::size_t i = 0;
    while (i < count && codes[i] >= range.lowest && codes[i] <= range.highest)
        ++i;
    return i;
}

/// Stores codes that fit Bits. Writes stored_bytes(count, Bits) bytes.
template <int Bits, class Code> void store_codes(const Code* codes, std::size_t count, std::byte* dst) noexcept {
    if constexpr (Bits == 8) {
        if (count != 0)
            std::memcpy(dst, codes, count);
    } else {
        constexpr std::size_t per_byte = 8 / Bits;
        constexpr unsigned mask = (1U << Bits) - 1;
        for (std::size_t i = 0; i < count; i += per_byte) {
            unsigned byte = 0;
            for (std::size_t part = 0; part < per_byte && i + part < count; ++part)
                byte |= (static_cast<unsigned>(codes[i + part]) & mask) << (Bits * part);
            *dst++ = static_cast<std::byte>(byte);
        }
    }
}

/// Loads codes. False where a bit behind the last one is not 0.
template <int Bits, class Code>
[[nodiscard]] bool load_codes(const std::byte* from, std::size_t count, Code* codes) noexcept {
    if constexpr (Bits == 8) {
        if (count != 0)
            std::memcpy(codes, from, count);
        return true;
    } else {
        constexpr std::size_t per_byte = 8 / Bits;
        constexpr unsigned mask = (1U << Bits) - 1;
        constexpr unsigned sign = static_cast<Code>(-1) < 0 ? 1U << (Bits - 1) : 0U;
        unsigned rest = 0;
        for (std::size_t i = 0; i < count; i += per_byte) {
            rest = std::to_integer<unsigned>(*from++);
            for (std::size_t part = 0; part < per_byte && i + part < count; ++part, rest >>= Bits)
                codes[i + part] = static_cast<Code>(static_cast<int>((rest & mask) ^ sign) - static_cast<int>(sign));
        }
        return rest == 0;
    }
}

} // namespace notch::detail

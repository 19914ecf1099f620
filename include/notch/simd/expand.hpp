/// @file
/// How stored weights become operands of the microkernels, a step of 64 bytes at a time; and rows of activations.
///
/// `expand_ops<Arch>` has
///
///     codes<Bits>(unit, bias, part)   the step number `part` of a unit of packed codes, minus 16 biases: [16][4] int8
///     widen(step, factor, to)         2 x [16][2] int16: value * factor of the output; factors are powers of two
///     shift(step, factor, to)         [16][4] int8: value * factor; the caller knows that it fits
///     flip_row(from, count, to)       codes with their highest bit flipped: uint8 <-> int8
///     widen_row(from, count, is_signed, zero, to)   int16: code - zero
///
/// An instruction set without a version of its own uses that of the nearest ancestor. A panel is expanded once
/// for many rows, so these are not the hot loops, except for products of few rows.
#pragma once

#include <notch/core/config.hpp>
#include <notch/simd/arch.hpp>

#include <cstddef>
#include <cstdint>
#include <cstring>

namespace notch::simd {

/// Resolves to the parent of an instruction set.
template <class Arch> struct expand_ops : expand_ops<typename Arch::parent> {};

/// Portable C++.
template <> struct expand_ops<scalar> {
    /// A step of int8 values.
    struct step {
        std::int8_t value[64]; ///< [16][4]
    };

    template <int Bits>
    static NOTCH_INLINE step codes(const std::uint8_t* unit, const std::uint8_t* bias, std::size_t part) noexcept {
        step s;
        for (std::size_t i = 0; i < 64; ++i) {
            if constexpr (Bits == 8)
                s.value[i] = static_cast<std::int8_t>(unit[i]);
            else
                s.value[i] = static_cast<std::int8_t>(((unit[i] >> (Bits * part)) & ((1 << Bits) - 1)) - bias[i / 4]);
        }
        return s;
    }
    static NOTCH_INLINE void store(std::int8_t* to, const step& s) noexcept { std::memcpy(to, &s, 64); }
    static NOTCH_INLINE void widen(const step& s, const std::int16_t* factor, std::int16_t* to) noexcept {
        for (std::size_t half = 0; half < 2; ++half)
            for (std::size_t c = 0; c < 16; ++c)
                for (std::size_t k = 0; k < 2; ++k)
                    to[half * 32 + 2 * c + k] =
                        static_cast<std::int16_t>(s.value[4 * c + 2 * half + k] * (factor != nullptr ? factor[c] : 1));
    }
    static NOTCH_INLINE void shift(const step& s, const std::int16_t* factor, std::int8_t* to) noexcept {
        for (std::size_t i = 0; i < 64; ++i)
            to[i] = static_cast<std::int8_t>(s.value[i] * factor[i / 4]);
    }
    static NOTCH_INLINE void flip_row(const std::uint8_t* from, std::size_t count, std::uint8_t* to) noexcept {
        std::size_t i = 0;
        for (; i + 8 <= count; i += 8) {
            std::uint64_t eight = 0;
            std::memcpy(&eight, from + i, 8);
            eight ^= 0x8080'8080'8080'8080ULL;
            std::memcpy(to + i, &eight, 8);
        }
        for (; i < count; ++i)
            to[i] = static_cast<std::uint8_t>(from[i] ^ 0x80);
    }
    static NOTCH_INLINE void widen_row(const std::uint8_t* from, std::size_t count, bool is_signed, std::int32_t zero,
                                       std::int16_t* to) noexcept {
        for (std::size_t i = 0; i < count; ++i) {
            const std::int32_t code = is_signed ? static_cast<std::int8_t>(from[i]) : from[i];
            to[i] = static_cast<std::int16_t>(code - zero);
        }
    }
};

} // namespace notch::simd

/// @file
/// How stored weights become operands of the microkernels, a step of 64 bytes at a time; and rows of activations.
///
/// `expand_ops<Arch>` has
///
///     biases(p), factors(p)           sixteen uint8, sixteen int16 (powers of two), in the form in which they are used
///     scaling<Bits>(biases, shifts)   sixteen uint8 each: a bias that is subtracted, and then a shift to the left; where
///                                     there are products of four bytes, or registers of AVX2
///     codes<Bits, Part>(unit, biases) the step number Part of a unit of packed codes, minus the biases: [16][4] int8
///     codes<Bits, Part>(unit, scaling)   the same, (code - bias) * 2^shift; the caller knows that it fits int8
///     store(to, step)                 as it is
///     widen(step, to)                 2 x [16][2] int16
///     widen(step, factors, to)        the same, times the factor of the output
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

/// @cond one struct refers to the next
// Resolves to the parent of an instruction set.
template <class Arch> struct expand_ops : expand_ops<typename Arch::parent> {};
/// @endcond

/// @cond the contract above documents the members
/// Portable C++.
template <> struct expand_ops<scalar> {
    /// A step of int8 values.
    struct step {
        std::int8_t value[64]; ///< [16][4]
    };

    /// One number per output.
    struct biases {
        std::uint8_t value[16]; ///< numbers
        NOTCH_INLINE explicit biases(const std::uint8_t* from) noexcept { std::memcpy(value, from, 16); }
    };
    /// One number per output.
    struct factors {
        std::int16_t value[16]; ///< numbers
        NOTCH_INLINE explicit factors(const std::int16_t* from) noexcept { std::memcpy(value, from, 32); }
    };
    /// Two numbers per output.
    template <int Bits> struct scaling {
        biases bias;             ///< subtracted first
        std::uint8_t factor[16]; ///< 2^shift
        NOTCH_INLINE scaling(const std::uint8_t* from, const std::uint8_t* shifts) noexcept : bias(from) {
            for (std::size_t c = 0; c < 16; ++c)
                factor[c] = static_cast<std::uint8_t>(1 << shifts[c]);
        }
    };

    template <int Bits, int Part>
    static NOTCH_INLINE step codes(const std::uint8_t* unit, const biases& bias) noexcept {
        step s;
        for (std::size_t i = 0; i < 64; ++i) {
            if constexpr (Bits == 8)
                s.value[i] = static_cast<std::int8_t>(unit[i]);
            else
                s.value[i] =
                    static_cast<std::int8_t>(((unit[i] >> (Bits * Part)) & ((1 << Bits) - 1)) - bias.value[i / 4]);
        }
        return s;
    }
    template <int Bits, int Part>
    static NOTCH_INLINE step codes(const std::uint8_t* unit, const scaling<Bits>& how) noexcept {
        step s = codes<Bits, Part>(unit, how.bias);
        for (std::size_t i = 0; i < 64; ++i)
            s.value[i] = static_cast<std::int8_t>(s.value[i] * how.factor[i / 4]);
        return s;
    }
    static NOTCH_INLINE void store(std::int8_t* to, const step& s) noexcept { std::memcpy(to, &s, 64); }
    static NOTCH_INLINE void widen(const step& s, std::int16_t* to) noexcept {
        for (std::size_t half = 0; half < 2; ++half)
            for (std::size_t i = 0; i < 32; ++i)
                to[half * 32 + i] = static_cast<std::int16_t>(int{s.value[4 * (i / 2) + 2 * half + i % 2]});
    }
    static NOTCH_INLINE void widen(const step& s, const factors& f, std::int16_t* to) noexcept {
        for (std::size_t half = 0; half < 2; ++half)
            for (std::size_t i = 0; i < 32; ++i)
                to[half * 32 + i] = static_cast<std::int16_t>(s.value[4 * (i / 2) + 2 * half + i % 2] * f.value[i / 2]);
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
/// @endcond

} // namespace notch::simd

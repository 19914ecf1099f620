/// @file
/// What an instruction set offers to depthwise convolutions: taps that lie side by side, and products of them.
///
/// A depthwise convolution multiplies every channel with its own weights, so channels are the lanes. A *unit* holds some
/// neighbouring columns of an image (`columns` of them) in sixteen channels, in the form in which the products want
/// them; the weights of as many taps have the same form. A unit is cut into `slices` that do not depend on each other.
/// A specialisation `depthwise_ops<Arch>`, one per file depthwise_ops_<isa>.hpp, has
///
///     columns, slices, unit_bytes          see above; unit_bytes is a multiple of slices
///     operand, sums                        a slice of a unit; the int32 sums of its channels
///     load(p)                              a slice, aligned to its size
///     held(a)                              the slice, at a point the compiler cannot look through: it stays in a register
///     product(a, w), add(s, a, w)          per channel, the sum of `columns` products; s + that, modulo 2^32
///     store(p, slice, s)                   the int32 of a slice where they belong among sixteen, in the order of the channels
///     unit_of_codes<Signed>(pixels, zero, to, step)   pixels: sixteen uint8 (or int8) of each column, less zero; slices are
///                                          `step` bytes apart, since those that lie side by side share banks of the cache
///     unit_of_weights(taps, to)            taps: sixteen int8 of each tap; slices side by side
///
/// An instruction set without a version of its own uses that of the nearest ancestor. The kernel is written once over
/// these names (conv/depthwise_line.hpp). Products of uint8 and int8 are exact, and so is the sum of two.
#pragma once

#include <notch/core/config.hpp>
#include <notch/simd/arch.hpp>

#include <cstddef>
#include <cstdint>
#include <cstring>

namespace notch::simd {

/// Channels of a unit.
inline constexpr std::size_t depthwise_channels = 16;

/// @cond one struct refers to the next
// Resolves to the parent of an instruction set.
template <class Arch> struct depthwise_ops : depthwise_ops<typename Arch::parent> {};
/// @endcond

/// @cond the contract above documents the members
/// Portable C++: one column, sixteen channels of int16.
template <> struct depthwise_ops<scalar> {
    static constexpr std::size_t columns = 1;
    static constexpr std::size_t slices = 1;
    static constexpr std::size_t unit_bytes = 32;

    struct operand {
        std::int16_t value[16];
    };
    struct sums {
        std::uint32_t value[16];
    };

    static NOTCH_INLINE operand load(const std::byte* from) noexcept {
        operand a;
        std::memcpy(&a, from, sizeof a);
        return a;
    }
    static NOTCH_INLINE operand held(const operand& a) noexcept { return a; }
    static NOTCH_INLINE sums product(const operand& a, const operand& w) noexcept {
        sums s;
        for (int i = 0; i < 16; ++i)
            s.value[i] = static_cast<std::uint32_t>(a.value[i] * w.value[i]);
        return s;
    }
    static NOTCH_INLINE sums add(const sums& s, const operand& a, const operand& w) noexcept {
        sums r;
        for (int i = 0; i < 16; ++i)
            r.value[i] = s.value[i] + static_cast<std::uint32_t>(a.value[i] * w.value[i]);
        return r;
    }
    static NOTCH_INLINE void store(std::int32_t* to, std::size_t /*slice*/, const sums& s) noexcept {
        std::memcpy(to, &s, sizeof s);
    }
    template <bool Signed>
    static NOTCH_INLINE void unit_of_codes(const std::uint8_t* const* pixels, std::int32_t zero, std::byte* to,
                                           std::size_t /*step*/) noexcept {
        operand a;
        for (int i = 0; i < 16; ++i) {
            const std::int32_t code = Signed ? static_cast<std::int8_t>(pixels[0][i]) : pixels[0][i];
            a.value[i] = static_cast<std::int16_t>(code - zero);
        }
        std::memcpy(to, &a, sizeof a);
    }
    static NOTCH_INLINE void unit_of_weights(const std::int8_t* const* taps, std::byte* to) noexcept {
        operand w;
        for (int i = 0; i < 16; ++i)
            w.value[i] = static_cast<std::int16_t>(std::int32_t{taps[0][i]});
        std::memcpy(to, &w, sizeof w);
    }
};
/// @endcond

} // namespace notch::simd

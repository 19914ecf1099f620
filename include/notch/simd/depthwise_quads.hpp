/// @file
/// Depthwise convolutions of three taps a line over bytes: four columns side by side make one dot product of bytes.
///
/// A *quad unit* holds four neighbouring columns of sixteen channels, a column to a byte, a channel to an int32:
///
///     columns          0 1 2 3 | 2 3 4 5 | 4 5 6 7 | ...      units begin at every other column
///     output 0, 2, ..  w w w 0   phase 0
///     output 1, 3, ..  0 w w w   phase 1, of the same unit: phase 0 moved up by a byte
///
/// Pixels come a register at a time, sixteen to sixty-four channels, and are interleaved once: two of them make a pair,
/// two pairs the units of all their channels, and the second pair is the first one of the next units.
/// A specialisation `depthwise_quads<Arch>`, in depthwise_quads_x86.hpp, has
///
///     largest_weight               dot is exact for weights up to that magnitude; 0: there are no quads
///     register_bytes               also the channels of a pixel register
///     operand, sums                a register of a unit or of weights; int32 sums of its channels
///     load(p), load_sums(p), store(p, sums)         aligned operands; int32 at any address
///     next_phase(w)                weights of phase 1 from those of phase 0
///     dot(s, a, w)                 s + the dot products of three operands with three of weights, modulo 2^32
///     pixel, pair                  channels of one pixel; those of two, interleaved
///     load_pixel<Panels, Signed>(p)     16 * Panels codes at any address; int8 codes are moved up by 128
///     same_pixel(byte)             all channels hold a byte
///     join<Panels>(a, b)           a pair
///     store_units<Panels>(to, left, right)          units of all panels, 64 bytes each, aligned
///     unit_of_weights(taps, to)    taps: sixteen int8 of each of three taps; 64 bytes, aligned
///
/// Codes are unsigned, so the zero point is taken from the sums: they begin at - zero point * sum of weights.
#pragma once

#include <notch/core/config.hpp>
#include <notch/simd/arch.hpp>
#include <notch/simd/depthwise_ops.hpp>

#include <cstddef>
#include <cstdint>

namespace notch::simd {

/// Bytes of a unit of sixteen channels.
inline constexpr std::size_t quad_unit_bytes = 64;
/// Rows and taps of a row of the kernels that quads serve.
inline constexpr std::size_t quad_taps = 3;

/// @cond one struct refers to the next
// Resolves to the parent of an instruction set.
template <class Arch> struct depthwise_quads : depthwise_quads<typename Arch::parent> {};

// None.
template <> struct depthwise_quads<scalar> {
    static constexpr std::uint32_t largest_weight = 0;
    static constexpr std::size_t register_bytes = depthwise_channels;
};
/// @endcond

} // namespace notch::simd

/// @file
/// Depthwise convolutions of three taps a line over bytes: four columns side by side make one dot product of bytes.
///
/// A *quad* holds four neighbouring columns of sixteen channels, a column to a byte, a channel to an int32:
///
///     columns          0 1 2 3 | 2 3 4 5 | 4 5 6 7 | ...      quads begin at every other column
///     output 0, 2, ..  w w w 0   phase 0
///     output 1, 3, ..  0 w w w   phase 1, of the same quad: phase 0 moved up by a byte
///
/// Two pixels are interleaved to a *pair* once, sixteen to sixty-four channels at a time; two neighbouring pairs are interleaved
/// to the quads of all their channels when they are multiplied. A register of pairs holds two registers of quads.
/// A specialisation `depthwise_quads<Arch>`, in depthwise_quads_x86.hpp, has
///
///     largest_weight               dot is exact for weights up to that magnitude; 0: there are no quads
///     register_bytes               also the most channels of a pair
///     operand, sums                a register of pairs, quads or weights; int32 sums of its channels
///     load(p), load_sums(p), store(p, sums)         aligned operands; int32 at any address
///     quad<Odd>(left, right)       the first or the second register of quads of two registers of pairs
///     next_phase(w)                weights of phase 1 from those of phase 0
///     dot(s, a, b, c, u, v, w)     s + the dot products of a and u, b and v, c and w, modulo 2^32; u, v, w: weights
///     store_pair<Panels, Signed>(to, a, b)          the pair of two pixels of 16 * Panels codes at any address; to is
///                                  aligned; int8 codes are moved up by 128
///     quads_of_weights(taps, to)   taps: sixteen int8 of each of three taps; 64 bytes, aligned
///
/// Codes are unsigned, so the zero point is taken from the sums: they begin at - zero point * sum of weights.
#pragma once

#include <notch/core/config.hpp>
#include <notch/simd/arch.hpp>
#include <notch/simd/depthwise_ops.hpp>

#include <cstddef>
#include <cstdint>

namespace notch::simd {

/// Bytes of the quads of sixteen channels.
inline constexpr std::size_t quad_bytes = 64;
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

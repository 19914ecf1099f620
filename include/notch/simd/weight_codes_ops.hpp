/// @file
/// What an instruction set offers to the packing of weights: registers of bytes, four rows of codes turned into steps.
///
/// `code_ops<Arch>` has
///
///     reg, count                   a register, and how many of them hold a step of 64 bytes
///     quad                         registers `first` to `fourth`: the same outputs in four steps that follow
///     load(rows, at)               a quad: sixteen codes from `at` on of each of 16 / count rows
///     store(to, reg)               any alignment
///     everywhere(byte)             a byte, again and again
///     spread(numbers)              16 / count bytes, each four times
///     add, subtract                bytes, modulo 256
///     subtract_saturated           bytes, 0 where the difference is negative
///     larger, smaller              of unsigned bytes
///     join<N>(a, b)                a | b << N; the caller knows that b << N fits its bytes
///     words, no_words()            sums of two bytes each
///     add_pairs(words, reg)        words + neighbouring bytes; the caller stays below 2^15
///     add_words(words, to)         int32 to[output] += both words of the output
///     keep_larger(reg, to)         int32 to[output] = the largest of it and the four bytes of the output
///     keep_smaller(reg, to)        the smallest
///
/// and, where sixteen rows fit the registers,
///
///     line                         `granules`: four quads
///     load_line(rows, at)          a line: 64 codes from `at` on of each of 16 rows. Rows often lie a power of two apart, and
///                                  then do not stay in the cache together
///     put_words, put_larger, put_smaller    as add_words, keep_larger and keep_smaller, in place of what is there
///
/// An instruction set without a version of its own uses that of the nearest ancestor. What is made of these is in
/// simd/weight_codes.hpp.
#pragma once

#include <notch/core/config.hpp>
#include <notch/simd/arch.hpp>

#include <cstddef>
#include <cstdint>
#include <cstring>

namespace notch::simd {

/// @cond one struct refers to the next
// Resolves to the parent of an instruction set.
template <class Arch> struct code_ops : code_ops<typename Arch::parent> {};
/// @endcond

/// @cond the contract above documents the members
/// Portable C++: a register is a step. Compilers turn the loops into what the flags allow.
template <> struct code_ops<scalar> {
    /// Sixteen outputs, four bytes each.
    struct reg {
        std::uint8_t value[64]; ///< [16][4]
    };
    /// Four steps.
    struct quad {
        reg first;  ///< inputs 0 to 3
        reg second; ///< inputs 4 to 7
        reg third;  ///< inputs 8 to 11
        reg fourth; ///< inputs 12 to 15
    };
    /// Two sums per output.
    struct words {
        std::uint16_t value[32]; ///< [16][2]
    };
    static constexpr std::size_t count = 1; ///< registers per step

    static NOTCH_INLINE quad load(const std::uint8_t* const* rows, std::size_t at) noexcept {
        quad q;
        for (std::size_t c = 0; c < 16; ++c) {
            const std::uint8_t* from = rows[c] + at;
            std::memcpy(q.first.value + 4 * c, from, 4);
            std::memcpy(q.second.value + 4 * c, from + 4, 4);
            std::memcpy(q.third.value + 4 * c, from + 8, 4);
            std::memcpy(q.fourth.value + 4 * c, from + 12, 4);
        }
        return q;
    }
    static NOTCH_INLINE void store(std::uint8_t* to, const reg& r) noexcept { std::memcpy(to, &r, 64); }
    static NOTCH_INLINE reg everywhere(std::uint8_t byte) noexcept {
        reg r;
        std::memset(&r, byte, 64);
        return r;
    }
    static NOTCH_INLINE reg spread(const std::uint8_t* numbers) noexcept {
        reg r;
        for (std::size_t i = 0; i < 64; ++i)
            r.value[i] = numbers[i / 4];
        return r;
    }
    static NOTCH_INLINE reg add(const reg& a, const reg& b) noexcept {
        reg r;
        for (std::size_t i = 0; i < 64; ++i)
            r.value[i] = static_cast<std::uint8_t>(a.value[i] + b.value[i]);
        return r;
    }
    static NOTCH_INLINE reg subtract(const reg& a, const reg& b) noexcept {
        reg r;
        for (std::size_t i = 0; i < 64; ++i)
            r.value[i] = static_cast<std::uint8_t>(a.value[i] - b.value[i]);
        return r;
    }
    static NOTCH_INLINE reg subtract_saturated(const reg& a, const reg& b) noexcept {
        return subtract(larger(a, b), b);
    }
    static NOTCH_INLINE reg larger(const reg& a, const reg& b) noexcept {
        reg r;
        for (std::size_t i = 0; i < 64; ++i)
            r.value[i] = a.value[i] > b.value[i] ? a.value[i] : b.value[i];
        return r;
    }
    static NOTCH_INLINE reg smaller(const reg& a, const reg& b) noexcept {
        reg r;
        for (std::size_t i = 0; i < 64; ++i)
            r.value[i] = a.value[i] < b.value[i] ? a.value[i] : b.value[i];
        return r;
    }
    template <int N> static NOTCH_INLINE reg join(const reg& a, const reg& b) noexcept {
        reg r;
        for (std::size_t i = 0; i < 64; ++i)
            r.value[i] = static_cast<std::uint8_t>(a.value[i] | b.value[i] << N);
        return r;
    }
    static NOTCH_INLINE words no_words() noexcept { return {}; }
    static NOTCH_INLINE words add_pairs(const words& sums, const reg& r) noexcept {
        words pairs;
        std::memcpy(&pairs, &r, 64);
        for (std::size_t i = 0; i < 32; ++i)
            pairs.value[i] =
                static_cast<std::uint16_t>(sums.value[i] + (pairs.value[i] & 0xff) + (pairs.value[i] >> 8));
        return pairs;
    }
    static NOTCH_INLINE void add_words(const words& sums, std::int32_t* to) noexcept {
        for (std::size_t c = 0; c < 16; ++c)
            to[c] += sums.value[2 * c] + sums.value[2 * c + 1];
    }
    static NOTCH_INLINE void keep_larger(const reg& r, std::int32_t* to) noexcept {
        for (std::size_t i = 0; i < 64; ++i)
            to[i / 4] = to[i / 4] > r.value[i] ? to[i / 4] : r.value[i];
    }
    static NOTCH_INLINE void keep_smaller(const reg& r, std::int32_t* to) noexcept {
        for (std::size_t i = 0; i < 64; ++i)
            to[i / 4] = to[i / 4] < r.value[i] ? to[i / 4] : r.value[i];
    }
};
/// @endcond

} // namespace notch::simd

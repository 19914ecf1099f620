/// @file
/// How codes of weights are summed and interleaved when they are packed (gemm/packed_weights.hpp shows the layout).
///
/// One walk over the codes of sixteen outputs does both. Results are exact integers and the same on every instruction
/// set; simd/weight_codes_ops.hpp states what each of them supplies.
#pragma once

#include <notch/core/config.hpp>
#include <notch/simd/arch.hpp>
#include <notch/simd/weight_codes_ops.hpp>

#if defined(__SSE4_1__)
#include <notch/simd/weight_codes_sse41.hpp>
#endif
#if defined(__AVX2__)
#include <notch/simd/weight_codes_avx2.hpp>
#endif
#if defined(__AVX512F__) && defined(__AVX512BW__)
#include <notch/simd/weight_codes_avx512.hpp>
#endif
#if defined(__aarch64__) && defined(__ARM_NEON)
#include <notch/simd/weight_codes_neon64.hpp>
#endif

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

/// Sums `count` codes of one byte, one after the other: the definition, and what words an error.
[[nodiscard]] inline code_sums sum_codes(const std::uint8_t* codes, std::size_t count, bool is_signed,
                                         std::int32_t zero_point) noexcept {
    code_sums total;
    for (std::size_t i = 0; i < count; ++i) {
        const std::int32_t value = (is_signed ? static_cast<std::int8_t>(codes[i]) : codes[i]) - zero_point;
        total.sum += value;
        total.magnitude += value < 0 ? -value : value;
        total.lowest = value < total.lowest ? value : total.lowest;
        total.highest = value > total.highest ? value : total.highest;
    }
    return total;
}

/// Codes of sixteen outputs, all of them within one depth block.
struct code_rows {
    const std::uint8_t* rows[16] = {}; ///< codes of each output
    std::uint8_t offset = 0;    ///< code + offset, modulo 256, are levels: unsigned, and in the order of the codes
    std::uint8_t zero[16] = {}; ///< level of the value 0 of each output
};

/// What is known of the levels of each output, for value = level - zero. Sums do not leave int32 for up to 2^22 codes.
struct level_facts {
    std::int32_t sum[16];     ///< of the levels
    std::int32_t below[16];   ///< of the magnitudes of negative values
    std::int32_t highest[16]; ///< level
    std::int32_t lowest[16];  ///< level
};

namespace detail {

/// Codes per output that are interleaved at a time: four steps, one or more whole units.
inline constexpr std::size_t code_granule = 16;

/// Nothing seen yet.
NOTCH_INLINE void clear(level_facts& facts) noexcept {
    for (std::size_t c = 0; c < 16; ++c) {
        facts.sum[c] = 0;
        facts.below[c] = 0;
        facts.highest[c] = 0;
        facts.lowest[c] = 255;
    }
}

/// Interleaves granules of the outputs of register `Register`. `zeros`: level of the value 0 of each output.
template <class Arch, int Bits, std::size_t Register>
NOTCH_INLINE void interleave_granules(const code_rows& from, const std::uint8_t* zeros, std::size_t at,
                                      std::size_t granules, std::uint8_t* to, level_facts& facts) noexcept {
    using ops = code_ops<Arch>;
    constexpr std::size_t outputs = 16 / ops::count;
    constexpr std::size_t first = Register * outputs;
    constexpr std::size_t most = 16;   // granules that are summed in words: 16 * 4 * 510 < 2^15
    const std::uint8_t* rows[outputs]; // of our own: what is stored may be anything else, as far as a compiler knows
    for (std::size_t c = 0; c < outputs; ++c)
        rows[c] = from.rows[first + c];
    const auto offset = ops::everywhere(from.offset);
    const auto zero = ops::spread(zeros + first);
    auto highest = ops::everywhere(0);
    auto lowest = ops::everywhere(255);
    to += 4 * first;
    while (granules != 0) {
        const std::size_t count = granules < most ? granules : most;
        auto sums = ops::no_words();
        auto below = ops::no_words();
        for (std::size_t g = 0; g < count; ++g, at += code_granule, to += 32 * Bits) {
            const auto codes = ops::load(rows, at);
            const auto a = ops::add(codes.first, offset);
            const auto b = ops::add(codes.second, offset);
            const auto c = ops::add(codes.third, offset);
            const auto d = ops::add(codes.fourth, offset);
            highest = ops::larger(highest, ops::larger(ops::larger(a, b), ops::larger(c, d)));
            lowest = ops::smaller(lowest, ops::smaller(ops::smaller(a, b), ops::smaller(c, d)));
            const auto below_a = ops::subtract_saturated(zero, a);
            const auto below_b = ops::subtract_saturated(zero, b);
            const auto below_c = ops::subtract_saturated(zero, c);
            const auto below_d = ops::subtract_saturated(zero, d);
            if constexpr (Bits == 8) {
                sums = ops::add_pairs(ops::add_pairs(ops::add_pairs(ops::add_pairs(sums, a), b), c), d);
                below = ops::add_pairs(ops::add_pairs(ops::add_pairs(ops::add_pairs(below, below_a), below_b), below_c),
                                       below_d);
                ops::store(to, ops::subtract(a, zero));
                ops::store(to + 64, ops::subtract(b, zero));
                ops::store(to + 128, ops::subtract(c, zero));
                ops::store(to + 192, ops::subtract(d, zero));
            } else {
                // Four numbers below 2^Bits do not leave a byte. Larger ones are no levels, and refused later on.
                sums = ops::add_pairs(sums, ops::add(ops::add(a, b), ops::add(c, d)));
                below = ops::add_pairs(below, ops::add(ops::add(below_a, below_b), ops::add(below_c, below_d)));
                if constexpr (Bits == 4) {
                    ops::store(to, ops::template join<4>(a, b));
                    ops::store(to + 64, ops::template join<4>(c, d));
                } else {
                    ops::store(to, ops::template join<4>(ops::template join<2>(a, b), ops::template join<2>(c, d)));
                }
            }
        }
        ops::add_words(sums, facts.sum + first);
        ops::add_words(below, facts.below + first);
        granules -= count;
    }
    ops::keep_larger(highest, facts.highest + first);
    ops::keep_smaller(lowest, facts.lowest + first);
}

/// Interleaves blocks of whole granules: one register of outputs after the other, so that few rows are read at a time.
template <class Arch, int Bits, std::size_t Register = 0>
NOTCH_INLINE void interleave_granules_of_blocks(const code_rows& from, const std::uint8_t* zeros, std::size_t blocks,
                                                std::size_t granules, std::uint8_t* to, level_facts* facts) noexcept {
    for (std::size_t b = 0; b < blocks; ++b)
        interleave_granules<Arch, Bits, Register>(from, zeros + 16 * b, b * granules * code_granule, granules,
                                                  to + b * granules * 32 * Bits, facts[b]);
    if constexpr (Register + 1 < code_ops<Arch>::count)
        interleave_granules_of_blocks<Arch, Bits, Register + 1>(from, zeros, blocks, granules, to, facts);
}

} // namespace detail

/// Writes the units of 64 bytes of `count` codes per output: 8 / Bits steps share a unit, the first one in the lowest
/// bits. For Bits = 8 what is stored is the value, level - zero; for less it is the level, which lies in [0, 2^Bits).
/// What is missing in the last unit stands for the value 0, and the sum of levels counts it up to a multiple of sixteen
/// codes. Returns what it has seen. At most 2^22 codes.
template <class Arch, int Bits>
[[nodiscard]] NOTCH_INLINE level_facts interleave_codes(const code_rows& from, std::size_t count,
                                                        std::uint8_t* to) noexcept {
    using detail::code_granule;
    level_facts facts;
    detail::clear(facts);
    const std::size_t granules = count / code_granule;
    detail::interleave_granules_of_blocks<Arch, Bits>(from, from.zero, 1, granules, to, &facts);
    const std::size_t whole = granules * code_granule;
    if (whole == count)
        return facts;
    // The rest, padded with zeros to a granule of its own.
    std::uint8_t codes[16][code_granule];
    std::uint8_t units[std::size_t{32} * Bits];
    code_rows rest = from;
    for (std::size_t c = 0; c < 16; ++c) {
        std::memset(codes[c], static_cast<std::uint8_t>(from.zero[c] - from.offset), code_granule);
        std::memcpy(codes[c], from.rows[c] + whole, count - whole);
        rest.rows[c] = codes[c];
    }
    detail::interleave_granules_of_blocks<Arch, Bits>(rest, rest.zero, 1, 1, units, &facts);
    constexpr std::size_t unit_codes = std::size_t{32} / Bits; // per output
    std::memcpy(to + std::size_t{2} * Bits * whole, units, (count - whole + unit_codes - 1) / unit_codes * 64);
    return facts;
}

/// The same for `blocks` depth blocks that follow each other, of `length` codes each, a multiple of sixteen.
/// `zeros`: [blocks][16], in place of those of `from`. Writes what it has seen of each block.
template <class Arch, int Bits>
NOTCH_INLINE void interleave_blocks(const code_rows& from, const std::uint8_t* zeros, std::size_t blocks,
                                    std::size_t length, std::uint8_t* to, level_facts* facts) noexcept {
    for (std::size_t b = 0; b < blocks; ++b)
        detail::clear(facts[b]);
    detail::interleave_granules_of_blocks<Arch, Bits>(from, zeros, blocks, length / detail::code_granule, to, facts);
}

} // namespace notch::simd

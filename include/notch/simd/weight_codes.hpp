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

/// Granules that a walk takes before their sums would leave words: 16 * 4 * 510 < 2^15.
inline constexpr std::size_t word_granules = 16;

/// One walk over granules of the outputs of register `Register`: their units, and what is seen of them.
template <class Arch, int Bits, std::size_t Register> class granule_walk {
    using ops = code_ops<Arch>;
    static constexpr std::size_t first = Register * 16 / ops::count;

public:
    /// `zeros`: level of the value 0 of each output.
    NOTCH_INLINE granule_walk(std::uint8_t offset, const std::uint8_t* zeros) noexcept
        : offset_(ops::everywhere(offset)), zero_(ops::spread(zeros + first)), highest_(ops::everywhere(0)),
          lowest_(ops::everywhere(255)), sums_(ops::no_words()), below_(ops::no_words()) {}

    /// Writes the units of a granule. At most word_granules of them between two calls of add_sums.
    NOTCH_INLINE void take(const typename ops::quad& codes, std::uint8_t* to) noexcept {
        const auto a = ops::add(codes.first, offset_);
        const auto b = ops::add(codes.second, offset_);
        const auto c = ops::add(codes.third, offset_);
        const auto d = ops::add(codes.fourth, offset_);
        highest_ = ops::larger(highest_, ops::larger(ops::larger(a, b), ops::larger(c, d)));
        lowest_ = ops::smaller(lowest_, ops::smaller(ops::smaller(a, b), ops::smaller(c, d)));
        const auto below_a = ops::subtract_saturated(zero_, a);
        const auto below_b = ops::subtract_saturated(zero_, b);
        const auto below_c = ops::subtract_saturated(zero_, c);
        const auto below_d = ops::subtract_saturated(zero_, d);
        to += 4 * first;
        if constexpr (Bits == 8) {
            sums_ = ops::add_pairs(ops::add_pairs(ops::add_pairs(ops::add_pairs(sums_, a), b), c), d);
            below_ = ops::add_pairs(ops::add_pairs(ops::add_pairs(ops::add_pairs(below_, below_a), below_b), below_c),
                                    below_d);
            ops::store(to, ops::subtract(a, zero_));
            ops::store(to + 64, ops::subtract(b, zero_));
            ops::store(to + 128, ops::subtract(c, zero_));
            ops::store(to + 192, ops::subtract(d, zero_));
        } else {
            // Four numbers below 2^Bits do not leave a byte. Larger ones are no levels, and refused later on.
            sums_ = ops::add_pairs(sums_, ops::add(ops::add(a, b), ops::add(c, d)));
            below_ = ops::add_pairs(below_, ops::add(ops::add(below_a, below_b), ops::add(below_c, below_d)));
            if constexpr (Bits == 4) {
                ops::store(to, ops::template join<4>(a, b));
                ops::store(to + 64, ops::template join<4>(c, d));
            } else {
                ops::store(to, ops::template join<4>(ops::template join<2>(a, b), ops::template join<2>(c, d)));
            }
        }
    }
    /// Adds the sums since the last call.
    NOTCH_INLINE void add_sums(level_facts& facts) noexcept {
        ops::add_words(sums_, facts.sum + first);
        ops::add_words(below_, facts.below + first);
        sums_ = ops::no_words();
        below_ = ops::no_words();
    }
    /// Adds what has been seen.
    NOTCH_INLINE void finish(level_facts& facts) noexcept {
        add_sums(facts);
        ops::keep_larger(highest_, facts.highest + first);
        ops::keep_smaller(lowest_, facts.lowest + first);
    }

    /// Writes what has been seen, instead of adding it. On instruction sets that have lines.
    NOTCH_INLINE void put(level_facts& facts) const noexcept {
        ops::put_words(sums_, facts.sum + first);
        ops::put_words(below_, facts.below + first);
        ops::put_larger(highest_, facts.highest + first);
        ops::put_smaller(lowest_, facts.lowest + first);
    }

private:
    typename ops::reg offset_;
    typename ops::reg zero_;
    typename ops::reg highest_;
    typename ops::reg lowest_;
    typename ops::words sums_;
    typename ops::words below_;
};

/// Sixteen rows in an array of one's own: what is stored may be anything else, as far as a compiler knows.
struct row_pointers {
    const std::uint8_t* rows[16];
    NOTCH_INLINE explicit row_pointers(const code_rows& from) noexcept {
        for (std::size_t c = 0; c < 16; ++c)
            rows[c] = from.rows[c];
    }
};

/// Interleaves granules of the outputs of register `Register`.
template <class Arch, int Bits, std::size_t Register>
NOTCH_INLINE void interleave_granules(const code_rows& from, const std::uint8_t* zeros, std::size_t at,
                                      std::size_t granules, std::uint8_t* to, level_facts& facts) noexcept {
    using ops = code_ops<Arch>;
    const row_pointers own(from);
    const std::uint8_t* const* const rows = own.rows + Register * 16 / ops::count;
    granule_walk<Arch, Bits, Register> walk(from.offset, zeros);
    while (granules != 0) {
        const std::size_t count = granules < word_granules ? granules : word_granules;
        for (std::size_t g = 0; g < count; ++g, at += code_granule, to += 32 * Bits)
            walk.take(ops::load(rows, at), to);
        granules -= count;
        if (granules != 0)
            walk.add_sums(facts);
    }
    walk.finish(facts);
}

/// Codes per output in a line of the cache.
inline constexpr std::size_t code_line = 64;
inline constexpr std::size_t line_granules = code_line / code_granule;

/// True where an instruction set reads whole lines of the rows, which matters where rows lie a power of two apart: sixteen
/// of them do not stay in the cache until the next granule's turn comes.
template <class Arch>
concept has_lines = requires(const std::uint8_t* const* rows) {
    code_ops<Arch>::load_line(rows, std::size_t{});
};

/// Interleaves whole lines of blocks of `Granules`, 1 or 2. `zeros`: those of block b from b * zero_step on. Writes the facts.
template <class Arch, int Bits, std::size_t Granules>
NOTCH_INLINE void interleave_short_blocks(const code_rows& from, const std::uint8_t* zeros, std::size_t zero_step,
                                          std::size_t lines, std::uint8_t* to, level_facts* facts) noexcept {
    const row_pointers own(from);
    for (std::size_t line = 0; line < lines; ++line) {
        const auto codes = code_ops<Arch>::load_line(own.rows, line * code_line);
#pragma GCC unroll 4
        for (std::size_t first = 0; first < line_granules; first += Granules, zeros += zero_step, ++facts) {
            granule_walk<Arch, Bits, 0> walk(from.offset, zeros);
#pragma GCC unroll 2
            for (std::size_t g = first; g < first + Granules; ++g, to += std::size_t{32} * Bits)
                walk.take(codes.granules[g], to);
            walk.put(*facts);
        }
    }
}

/// Interleaves some lines. Adds to the facts.
template <class Arch, int Bits>
NOTCH_INLINE void interleave_lines(const code_rows& from, const std::uint8_t* zeros, std::size_t at, std::size_t lines,
                                   std::uint8_t* to, level_facts& facts) noexcept {
    const row_pointers own(from);
    granule_walk<Arch, Bits, 0> walk(from.offset, zeros);
    for (std::size_t line = 0; line < lines; ++line, at += code_line) {
        if (line % (word_granules / line_granules) == 0 && line != 0)
            walk.add_sums(facts);
        const auto codes = code_ops<Arch>::load_line(own.rows, at);
#pragma GCC unroll 4
        for (std::size_t g = 0; g < line_granules; ++g, to += std::size_t{32} * Bits)
            walk.take(codes.granules[g], to);
    }
    walk.finish(facts);
}

/// Interleaves granules of all outputs: one register of outputs after the other, so that few rows are read at a time. Adds to
/// the facts of blocks.
template <class Arch, int Bits, std::size_t Register = 0>
NOTCH_INLINE void interleave_blocks_of_granules(const code_rows& from, const std::uint8_t* zeros, std::size_t zero_step,
                                                std::size_t blocks, std::size_t granules, std::uint8_t* to,
                                                level_facts* facts) noexcept {
    for (std::size_t b = 0; b < blocks; ++b)
        interleave_granules<Arch, Bits, Register>(from, zeros + b * zero_step, b * granules * code_granule, granules,
                                                  to + b * granules * 32 * Bits, facts[b]);
    if constexpr (Register + 1 < code_ops<Arch>::count)
        interleave_blocks_of_granules<Arch, Bits, Register + 1>(from, zeros, zero_step, blocks, granules, to, facts);
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
    std::size_t whole = 0;
    if constexpr (detail::has_lines<Arch>) {
        detail::interleave_lines<Arch, Bits>(from, from.zero, 0, count / detail::code_line, to, facts);
        whole = count / detail::code_line * detail::code_line;
    }
    code_rows rest = from;
    for (const std::uint8_t*& row : rest.rows)
        row += whole;
    const std::size_t granules = (count - whole) / code_granule;
    detail::interleave_blocks_of_granules<Arch, Bits>(rest, from.zero, 0, 1, granules,
                                                      to + std::size_t{2} * Bits * whole, &facts);
    whole += granules * code_granule;
    if (whole == count)
        return facts;
    // The rest, padded with zeros to a granule of its own.
    std::uint8_t codes[16][code_granule];
    std::uint8_t units[std::size_t{32} * Bits];
    for (std::size_t c = 0; c < 16; ++c) {
        std::memset(codes[c], static_cast<std::uint8_t>(from.zero[c] - from.offset), code_granule);
        std::memcpy(codes[c], from.rows[c] + whole, count - whole);
        rest.rows[c] = codes[c];
    }
    detail::interleave_blocks_of_granules<Arch, Bits>(rest, from.zero, 0, 1, 1, units, &facts);
    constexpr std::size_t unit_codes = std::size_t{32} / Bits; // per output
    std::memcpy(to + std::size_t{2} * Bits * whole, units, (count - whole + unit_codes - 1) / unit_codes * 64);
    return facts;
}

/// The same for `blocks` depth blocks that follow each other, of `length` codes each, a multiple of sixteen. `zeros`: sixteen
/// for each block, `zero_step` apart, in place of those of `from`. Writes what it has seen of each block.
template <class Arch, int Bits>
NOTCH_INLINE void interleave_blocks(const code_rows& from, const std::uint8_t* zeros, std::size_t zero_step,
                                    std::size_t blocks, std::size_t length, std::uint8_t* to,
                                    level_facts* facts) noexcept {
    const std::size_t granules = length / detail::code_granule;
    if constexpr (detail::has_lines<Arch>) {
        const std::size_t lines = blocks * length / detail::code_line;
        if (granules == 1 && blocks % 4 == 0)
            return detail::interleave_short_blocks<Arch, Bits, 1>(from, zeros, zero_step, lines, to, facts);
        if (granules == 2 && blocks % 2 == 0)
            return detail::interleave_short_blocks<Arch, Bits, 2>(from, zeros, zero_step, lines, to, facts);
    }
    for (std::size_t b = 0; b < blocks; ++b)
        detail::clear(facts[b]);
    if constexpr (detail::has_lines<Arch>)
        if (length % detail::code_line == 0) {
            for (std::size_t b = 0; b < blocks; ++b)
                detail::interleave_lines<Arch, Bits>(from, zeros + b * zero_step, b * length,
                                                     length / detail::code_line, to + b * length * 2 * Bits, facts[b]);
            return;
        }
    detail::interleave_blocks_of_granules<Arch, Bits>(from, zeros, zero_step, blocks, granules, to, facts);
}

/// Sixteen rows of `count` numbers of four bytes, transposed: number i of row c goes to to[i * step + c].
template <class Arch, class Number>
NOTCH_INLINE void transpose_numbers(const Number* const* rows, std::size_t count, Number* to,
                                    std::size_t step) noexcept {
    static_assert(sizeof(Number) == 4);
    std::size_t i = 0;
    if constexpr (detail::has_lines<Arch>)
        for (; i + 16 <= count; i += 16, to += 16 * step) {
            const std::uint8_t* bytes[16];
            for (std::size_t c = 0; c < 16; ++c)
                bytes[c] = reinterpret_cast<const std::uint8_t*>(rows[c] + i);
            const auto line = code_ops<Arch>::load_line(bytes, 0);
#pragma GCC unroll 4
            for (std::size_t g = 0; g < 4; ++g) {
                const auto& of = line.granules[g];
                Number* const at = to + 4 * g * step;
                code_ops<Arch>::store(reinterpret_cast<std::uint8_t*>(at), of.first);
                code_ops<Arch>::store(reinterpret_cast<std::uint8_t*>(at + step), of.second);
                code_ops<Arch>::store(reinterpret_cast<std::uint8_t*>(at + 2 * step), of.third);
                code_ops<Arch>::store(reinterpret_cast<std::uint8_t*>(at + 3 * step), of.fourth);
            }
        }
    for (; i < count; ++i, to += step)
        for (std::size_t c = 0; c < 16; ++c)
            to[c] = rows[c][i];
}

} // namespace notch::simd

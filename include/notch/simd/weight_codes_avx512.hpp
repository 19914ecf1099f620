/// @file
/// Packing of weights on AVX-512 F and BW. Part of simd/weight_codes.hpp; weight_codes_ops.hpp states the contract.
#pragma once

#include <notch/core/config.hpp>
#include <notch/simd/arch.hpp>
#include <notch/simd/weight_codes_ops.hpp>

#if defined(__AVX512F__) && defined(__AVX512BW__)

#include <cstddef>
#include <cstdint>

#include <immintrin.h>

// Intrinsics of gcc 12 pass an undefined register where no lane is masked out, and its macros an unsigned mask.
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wuninitialized"
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#pragma GCC diagnostic ignored "-Wsign-conversion"
#endif

namespace notch::simd {

/// All outputs in one register.
template <> struct code_ops<avx512bw> {
    using reg = __m512i;   ///< a register
    using words = __m512i; ///< [16][2] uint16
    /// Four steps.
    struct quad {
        __m512i first;  ///< inputs 0 to 3
        __m512i second; ///< inputs 4 to 7
        __m512i third;  ///< inputs 8 to 11
        __m512i fourth; ///< inputs 12 to 15
    };
    /// Four quads.
    struct line {
        quad granules[4]; ///< inputs 0 to 15, 16 to 31, ...
    };
    static constexpr std::size_t count = 1; ///< registers per step

    /// Sixteen rows of numbers of four bytes, transposed.
    static NOTCH_INLINE line load_line(const std::uint8_t* const* rows, std::size_t at) noexcept {
        __m512i in[4][4]; // [input / 4 % 4][row / 4], 128 bits of each of four granules
#pragma GCC unroll 4
        for (std::size_t k = 0; k < 4; ++k) {
            const quad q = transposed(whole(rows[4 * k] + at), whole(rows[4 * k + 1] + at), whole(rows[4 * k + 2] + at),
                                      whole(rows[4 * k + 3] + at));
            in[0][k] = q.first;
            in[1][k] = q.second;
            in[2][k] = q.third;
            in[3][k] = q.fourth;
        }
        line out;
#pragma GCC unroll 4
        for (std::size_t j = 0; j < 4; ++j) {
            const __m512i a = _mm512_shuffle_i32x4(in[j][0], in[j][1], 0x44); // granules 0, 1 of rows 0-3, 4-7
            const __m512i b = _mm512_shuffle_i32x4(in[j][2], in[j][3], 0x44);
            const __m512i c = _mm512_shuffle_i32x4(in[j][0], in[j][1], 0xee);
            const __m512i d = _mm512_shuffle_i32x4(in[j][2], in[j][3], 0xee);
            step_of(out.granules[0], j) = _mm512_shuffle_i32x4(a, b, 0x88);
            step_of(out.granules[1], j) = _mm512_shuffle_i32x4(a, b, 0xdd);
            step_of(out.granules[2], j) = _mm512_shuffle_i32x4(c, d, 0x88);
            step_of(out.granules[3], j) = _mm512_shuffle_i32x4(c, d, 0xdd);
        }
        return out;
    }
    static NOTCH_INLINE quad load(const std::uint8_t* const* rows, std::size_t at) noexcept {
        const __m512i a = four_rows(rows, at);
        const __m512i b = four_rows(rows + 1, at);
        const __m512i c = four_rows(rows + 2, at);
        const __m512i d = four_rows(rows + 3, at);
        return transposed(a, b, c, d);
    }
    static NOTCH_INLINE void store(std::uint8_t* to, reg r) noexcept { _mm512_storeu_si512(to, r); }
    static NOTCH_INLINE reg everywhere(std::uint8_t byte) noexcept { return _mm512_set1_epi8(static_cast<char>(byte)); }
    static NOTCH_INLINE reg spread(const std::uint8_t* numbers) noexcept {
        const __m128i first_bytes = _mm_setr_epi8(0, 0, 0, 0, 4, 4, 4, 4, 8, 8, 8, 8, 12, 12, 12, 12);
        return _mm512_shuffle_epi8(_mm512_cvtepu8_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(numbers))),
                                   _mm512_broadcast_i32x4(first_bytes));
    }
    static NOTCH_INLINE reg add(reg a, reg b) noexcept { return _mm512_add_epi8(a, b); }
    static NOTCH_INLINE reg subtract(reg a, reg b) noexcept { return _mm512_sub_epi8(a, b); }
    static NOTCH_INLINE reg subtract_saturated(reg a, reg b) noexcept { return _mm512_subs_epu8(a, b); }
    static NOTCH_INLINE reg larger(reg a, reg b) noexcept { return _mm512_max_epu8(a, b); }
    static NOTCH_INLINE reg smaller(reg a, reg b) noexcept { return _mm512_min_epu8(a, b); }
    template <int N> static NOTCH_INLINE reg join(reg a, reg b) noexcept {
        return _mm512_or_si512(a, _mm512_slli_epi16(b, N));
    }
    static NOTCH_INLINE words no_words() noexcept { return _mm512_setzero_si512(); }
    static NOTCH_INLINE words add_pairs(words sums, reg r) noexcept {
        return _mm512_add_epi16(sums, _mm512_maddubs_epi16(r, _mm512_set1_epi8(1)));
    }
    static NOTCH_INLINE void add_words(words sums, std::int32_t* to) noexcept {
        _mm512_storeu_si512(to, _mm512_add_epi32(_mm512_loadu_si512(to), both_words(sums)));
    }
    static NOTCH_INLINE void keep_larger(reg r, std::int32_t* to) noexcept {
        _mm512_storeu_si512(to, _mm512_max_epi32(_mm512_loadu_si512(to), largest(r)));
    }
    static NOTCH_INLINE void keep_smaller(reg r, std::int32_t* to) noexcept {
        _mm512_storeu_si512(to, _mm512_min_epi32(_mm512_loadu_si512(to), smallest(r)));
    }
    static NOTCH_INLINE void put_words(words sums, std::int32_t* to) noexcept {
        _mm512_storeu_si512(to, both_words(sums));
    }
    static NOTCH_INLINE void put_larger(reg r, std::int32_t* to) noexcept { _mm512_storeu_si512(to, largest(r)); }
    static NOTCH_INLINE void put_smaller(reg r, std::int32_t* to) noexcept { _mm512_storeu_si512(to, smallest(r)); }

private:
    static NOTCH_INLINE __m512i both_words(words sums) noexcept {
        return _mm512_madd_epi16(sums, _mm512_set1_epi16(1));
    }
    static NOTCH_INLINE __m512i largest(reg r) noexcept {
        r = _mm512_max_epu8(r, _mm512_srli_epi32(r, 16));
        r = _mm512_max_epu8(r, _mm512_srli_epi32(r, 8));
        return _mm512_and_si512(r, _mm512_set1_epi32(255));
    }
    static NOTCH_INLINE __m512i smallest(reg r) noexcept {
        r = _mm512_min_epu8(r, _mm512_srli_epi32(r, 16));
        r = _mm512_min_epu8(r, _mm512_srli_epi32(r, 8));
        return _mm512_and_si512(r, _mm512_set1_epi32(255));
    }
    static NOTCH_INLINE __m512i whole(const std::uint8_t* row) noexcept { return _mm512_loadu_si512(row); }
    static NOTCH_INLINE __m512i& step_of(quad& q, std::size_t j) noexcept {
        return j == 0 ? q.first : j == 1 ? q.second : j == 2 ? q.third : q.fourth;
    }
    /// Within 128 bits: numbers 0 of a to d, numbers 1, 2, 3.
    static NOTCH_INLINE quad transposed(__m512i a, __m512i b, __m512i c, __m512i d) noexcept {
        const __m512i low_ab = _mm512_unpacklo_epi32(a, b);
        const __m512i low_cd = _mm512_unpacklo_epi32(c, d);
        const __m512i high_ab = _mm512_unpackhi_epi32(a, b);
        const __m512i high_cd = _mm512_unpackhi_epi32(c, d);
        return {_mm512_unpacklo_epi64(low_ab, low_cd), _mm512_unpackhi_epi64(low_ab, low_cd),
                _mm512_unpacklo_epi64(high_ab, high_cd), _mm512_unpackhi_epi64(high_ab, high_cd)};
    }
    /// Sixteen bytes each of rows 0, 4, 8 and 12.
    static NOTCH_INLINE __m512i four_rows(const std::uint8_t* const* rows, std::size_t at) noexcept {
        return _mm512_inserti64x4(_mm512_castsi256_si512(both(rows[0] + at, rows[4] + at)),
                                  both(rows[8] + at, rows[12] + at), 1);
    }
    static NOTCH_INLINE __m256i both(const std::uint8_t* low, const std::uint8_t* high) noexcept {
        return _mm256_inserti128_si256(_mm256_castsi128_si256(_mm_loadu_si128(reinterpret_cast<const __m128i*>(low))),
                                       _mm_loadu_si128(reinterpret_cast<const __m128i*>(high)), 1);
    }
};

} // namespace notch::simd

#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic pop
#endif

#endif

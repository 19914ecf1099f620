/// @file
/// Packing of weights on SSE4.1. Part of simd/weight_codes.hpp; weight_codes_ops.hpp states the contract.
#pragma once

#include <notch/core/config.hpp>
#include <notch/simd/arch.hpp>
#include <notch/simd/weight_codes_ops.hpp>

#if defined(__SSE4_1__)

#include <cstddef>
#include <cstdint>
#include <cstring>

#include <smmintrin.h>

namespace notch::simd {

/// Four outputs per register.
template <> struct code_ops<sse41> {
    using reg = __m128i;   ///< a register
    using words = __m128i; ///< [4][2] uint16
    /// Four steps.
    struct quad {
        __m128i first;  ///< inputs 0 to 3
        __m128i second; ///< inputs 4 to 7
        __m128i third;  ///< inputs 8 to 11
        __m128i fourth; ///< inputs 12 to 15
    };
    static constexpr std::size_t count = 4; ///< registers per step

    static NOTCH_INLINE quad load(const std::uint8_t* const* rows, std::size_t at) noexcept {
        const __m128i a = get(rows[0] + at);
        const __m128i b = get(rows[1] + at);
        const __m128i c = get(rows[2] + at);
        const __m128i d = get(rows[3] + at);
        const __m128i low_ab = _mm_unpacklo_epi32(a, b);
        const __m128i low_cd = _mm_unpacklo_epi32(c, d);
        const __m128i high_ab = _mm_unpackhi_epi32(a, b);
        const __m128i high_cd = _mm_unpackhi_epi32(c, d);
        return {_mm_unpacklo_epi64(low_ab, low_cd), _mm_unpackhi_epi64(low_ab, low_cd),
                _mm_unpacklo_epi64(high_ab, high_cd), _mm_unpackhi_epi64(high_ab, high_cd)};
    }
    static NOTCH_INLINE void store(std::uint8_t* to, reg r) noexcept {
        _mm_storeu_si128(reinterpret_cast<__m128i*>(to), r);
    }
    static NOTCH_INLINE reg everywhere(std::uint8_t byte) noexcept { return _mm_set1_epi8(static_cast<char>(byte)); }
    static NOTCH_INLINE reg spread(const std::uint8_t* numbers) noexcept {
        std::int32_t four = 0;
        std::memcpy(&four, numbers, 4);
        return _mm_shuffle_epi8(_mm_cvtsi32_si128(four), _mm_setr_epi8(0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3));
    }
    static NOTCH_INLINE reg add(reg a, reg b) noexcept { return _mm_add_epi8(a, b); }
    static NOTCH_INLINE reg subtract(reg a, reg b) noexcept { return _mm_sub_epi8(a, b); }
    static NOTCH_INLINE reg subtract_saturated(reg a, reg b) noexcept { return _mm_subs_epu8(a, b); }
    static NOTCH_INLINE reg larger(reg a, reg b) noexcept { return _mm_max_epu8(a, b); }
    static NOTCH_INLINE reg smaller(reg a, reg b) noexcept { return _mm_min_epu8(a, b); }
    template <int N> static NOTCH_INLINE reg join(reg a, reg b) noexcept {
        return _mm_or_si128(a, _mm_slli_epi16(b, N));
    }
    static NOTCH_INLINE words no_words() noexcept { return _mm_setzero_si128(); }
    static NOTCH_INLINE words add_pairs(words sums, reg r) noexcept {
        return _mm_add_epi16(sums, _mm_maddubs_epi16(r, _mm_set1_epi8(1)));
    }
    static NOTCH_INLINE void add_words(words sums, std::int32_t* to) noexcept {
        put(to, _mm_add_epi32(get(to), _mm_madd_epi16(sums, _mm_set1_epi16(1))));
    }
    static NOTCH_INLINE void keep_larger(reg r, std::int32_t* to) noexcept {
        r = _mm_max_epu8(r, _mm_srli_epi32(r, 16));
        r = _mm_max_epu8(r, _mm_srli_epi32(r, 8));
        put(to, _mm_max_epi32(get(to), _mm_and_si128(r, _mm_set1_epi32(255))));
    }
    static NOTCH_INLINE void keep_smaller(reg r, std::int32_t* to) noexcept {
        r = _mm_min_epu8(r, _mm_srli_epi32(r, 16));
        r = _mm_min_epu8(r, _mm_srli_epi32(r, 8));
        put(to, _mm_min_epi32(get(to), _mm_and_si128(r, _mm_set1_epi32(255))));
    }

private:
    static NOTCH_INLINE __m128i get(const void* from) noexcept {
        return _mm_loadu_si128(static_cast<const __m128i*>(from));
    }
    static NOTCH_INLINE void put(void* to, __m128i r) noexcept { _mm_storeu_si128(static_cast<__m128i*>(to), r); }
};

} // namespace notch::simd

#endif

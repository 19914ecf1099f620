/// @file
/// Packing of weights on AVX2. Part of simd/weight_codes.hpp; weight_codes_ops.hpp states the contract.
#pragma once

#include <notch/core/config.hpp>
#include <notch/simd/arch.hpp>
#include <notch/simd/weight_codes_ops.hpp>

#if defined(__AVX2__)

#include <cstddef>
#include <cstdint>
#include <cstring>

#include <immintrin.h>

namespace notch::simd {

/// Eight outputs per register.
template <> struct code_ops<avx2> {
    using reg = __m256i;   ///< a register
    using words = __m256i; ///< [8][2] uint16
    /// Four steps.
    struct quad {
        __m256i first;  ///< inputs 0 to 3
        __m256i second; ///< inputs 4 to 7
        __m256i third;  ///< inputs 8 to 11
        __m256i fourth; ///< inputs 12 to 15
    };
    static constexpr std::size_t count = 2; ///< registers per step

    static NOTCH_INLINE quad load(const std::uint8_t* const* rows, std::size_t at) noexcept {
        const __m256i a = both(rows[0] + at, rows[4] + at);
        const __m256i b = both(rows[1] + at, rows[5] + at);
        const __m256i c = both(rows[2] + at, rows[6] + at);
        const __m256i d = both(rows[3] + at, rows[7] + at);
        const __m256i low_ab = _mm256_unpacklo_epi32(a, b);
        const __m256i low_cd = _mm256_unpacklo_epi32(c, d);
        const __m256i high_ab = _mm256_unpackhi_epi32(a, b);
        const __m256i high_cd = _mm256_unpackhi_epi32(c, d);
        return {_mm256_unpacklo_epi64(low_ab, low_cd), _mm256_unpackhi_epi64(low_ab, low_cd),
                _mm256_unpacklo_epi64(high_ab, high_cd), _mm256_unpackhi_epi64(high_ab, high_cd)};
    }
    static NOTCH_INLINE void store(std::uint8_t* to, reg r) noexcept { put(to, r); }
    static NOTCH_INLINE reg everywhere(std::uint8_t byte) noexcept { return _mm256_set1_epi8(static_cast<char>(byte)); }
    static NOTCH_INLINE reg spread(const std::uint8_t* numbers) noexcept {
        std::int64_t eight = 0;
        std::memcpy(&eight, numbers, 8);
        return _mm256_shuffle_epi8(_mm256_set1_epi64x(eight),
                                   _mm256_setr_epi8(0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3, //
                                                    4, 4, 4, 4, 5, 5, 5, 5, 6, 6, 6, 6, 7, 7, 7, 7));
    }
    static NOTCH_INLINE reg add(reg a, reg b) noexcept { return _mm256_add_epi8(a, b); }
    static NOTCH_INLINE reg subtract(reg a, reg b) noexcept { return _mm256_sub_epi8(a, b); }
    static NOTCH_INLINE reg subtract_saturated(reg a, reg b) noexcept { return _mm256_subs_epu8(a, b); }
    static NOTCH_INLINE reg larger(reg a, reg b) noexcept { return _mm256_max_epu8(a, b); }
    static NOTCH_INLINE reg smaller(reg a, reg b) noexcept { return _mm256_min_epu8(a, b); }
    template <int N> static NOTCH_INLINE reg join(reg a, reg b) noexcept {
        return _mm256_or_si256(a, _mm256_slli_epi16(b, N));
    }
    static NOTCH_INLINE words no_words() noexcept { return _mm256_setzero_si256(); }
    static NOTCH_INLINE words add_pairs(words sums, reg r) noexcept {
        return _mm256_add_epi16(sums, _mm256_maddubs_epi16(r, _mm256_set1_epi8(1)));
    }
    static NOTCH_INLINE void add_words(words sums, std::int32_t* to) noexcept {
        put(to, _mm256_add_epi32(get(to), _mm256_madd_epi16(sums, _mm256_set1_epi16(1))));
    }
    static NOTCH_INLINE void keep_larger(reg r, std::int32_t* to) noexcept {
        r = _mm256_max_epu8(r, _mm256_srli_epi32(r, 16));
        r = _mm256_max_epu8(r, _mm256_srli_epi32(r, 8));
        put(to, _mm256_max_epi32(get(to), _mm256_and_si256(r, _mm256_set1_epi32(255))));
    }
    static NOTCH_INLINE void keep_smaller(reg r, std::int32_t* to) noexcept {
        r = _mm256_min_epu8(r, _mm256_srli_epi32(r, 16));
        r = _mm256_min_epu8(r, _mm256_srli_epi32(r, 8));
        put(to, _mm256_min_epi32(get(to), _mm256_and_si256(r, _mm256_set1_epi32(255))));
    }

private:
    static NOTCH_INLINE __m256i get(const void* from) noexcept {
        return _mm256_loadu_si256(static_cast<const __m256i*>(from));
    }
    static NOTCH_INLINE void put(void* to, __m256i r) noexcept { _mm256_storeu_si256(static_cast<__m256i*>(to), r); }
    static NOTCH_INLINE __m256i both(const std::uint8_t* low, const std::uint8_t* high) noexcept {
        return _mm256_inserti128_si256(_mm256_castsi128_si256(_mm_loadu_si128(reinterpret_cast<const __m128i*>(low))),
                                       _mm_loadu_si128(reinterpret_cast<const __m128i*>(high)), 1);
    }
};

} // namespace notch::simd

#endif

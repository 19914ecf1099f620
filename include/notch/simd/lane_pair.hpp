/// @file
/// Stores of two lanes side by side: the codes of both leave in one instruction where an instruction set has it.
///
///     store_saturated_pair(p, a, b)     store_saturated(p, a), store_saturated(p + width, b), see simd/int_lane.hpp
///     store_saturated_square(p, step, a, b, c, d)     a pair at p, a pair at p + step
#pragma once

#include <notch/core/config.hpp>
#include <notch/simd/int_kernels.hpp>
#include <notch/simd/lane.hpp>

#include <concepts>
#include <cstdint>

namespace notch::simd {

/// Writes the codes of two lanes, clamped to their type.
template <class Code, lane Lane>
NOTCH_INLINE void store_saturated_pair(Code* to, const Lane& a, const Lane& b) noexcept {
    store_saturated(to, a);
    store_saturated(to + lane_width<Lane>, b);
}

/// Writes the codes of two lanes, and of two more `step` codes further.
template <class Code, lane Lane>
NOTCH_INLINE void store_saturated_square(Code* to, std::ptrdiff_t step, const Lane& a, const Lane& b, const Lane& c,
                                         const Lane& d) noexcept {
    store_saturated_pair(to, a, b);
    store_saturated_pair(to + step, c, d);
}

#if defined(__AVX2__)
/// Writes the codes of two lanes, clamped to their type.
template <class Code>
NOTCH_INLINE void store_saturated_pair(Code* to, const avx2_ints& a, const avx2_ints& b) noexcept {
    // Words come in the order a0-3 b0-3 a4-7 b4-7.
    const __m256i words = _mm256_permute4x64_epi64(_mm256_packs_epi32(a.value, b.value), 0b11011000);
    const __m128i low = _mm256_castsi256_si128(words);
    const __m128i high = _mm256_extracti128_si256(words, 1);
    if constexpr (std::same_as<Code, std::uint8_t>)
        _mm_storeu_si128(reinterpret_cast<__m128i*>(to), _mm_packus_epi16(low, high));
    else
        _mm_storeu_si128(reinterpret_cast<__m128i*>(to), _mm_packs_epi16(low, high));
}

/// Writes the codes of two lanes, and of two more `step` codes further.
template <class Code>
NOTCH_INLINE void store_saturated_square(Code* to, std::ptrdiff_t step, const avx2_ints& a, const avx2_ints& b,
                                         const avx2_ints& c, const avx2_ints& d) noexcept {
    // Four codes in a number: a0 b0 c0 d0 in the lower half, a1 b1 c1 d1 in the upper one.
    const __m256i first = _mm256_packs_epi32(a.value, b.value);
    const __m256i second = _mm256_packs_epi32(c.value, d.value);
    const __m256i codes =
        std::same_as<Code, std::uint8_t> ? _mm256_packus_epi16(first, second) : _mm256_packs_epi16(first, second);
    const __m128i low = _mm256_castsi256_si128(codes);
    const __m128i high = _mm256_extracti128_si256(codes, 1);
    _mm_storeu_si128(reinterpret_cast<__m128i*>(to), _mm_unpacklo_epi32(low, high));
    _mm_storeu_si128(reinterpret_cast<__m128i*>(to + step), _mm_unpackhi_epi32(low, high));
}
#endif

#if defined(__AVX512F__) && defined(__AVX512BW__)
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wuninitialized"
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#endif
/// Writes the codes of two lanes, clamped to their type.
template <class Code>
NOTCH_INLINE void store_saturated_pair(Code* to, const avx512_ints& a, const avx512_ints& b) noexcept {
    const __m512i words = _mm512_packs_epi32(a.value, b.value);
    const __m512i codes =
        std::same_as<Code, std::uint8_t> ? _mm512_packus_epi16(words, words) : _mm512_packs_epi16(words, words);
    // Four codes in a number: a0 b0 a0 b0 in the first quarter, a1 b1 a1 b1 in the next.
    const __m512i order = _mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 0, 4, 8, 12, 1, 5, 9, 13);
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(to), _mm512_castsi512_si256(_mm512_permutexvar_epi32(order, codes)));
}

/// Where codes of four packed registers come from. Packing leaves four codes in a number: a0 b0 c0 d0 in the first quarter,
/// a1 b1 c1 d1 in the next.
[[nodiscard]] NOTCH_INLINE __m512i order_of_four() noexcept {
    return _mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
}

/// Writes the codes of four lanes, clamped to their type.
template <class Code>
NOTCH_INLINE void store_saturated_four(Code* to, const avx512_ints& a, const avx512_ints& b, const avx512_ints& c,
                                       const avx512_ints& d) noexcept {
    const __m512i first = _mm512_packs_epi32(a.value, b.value);
    const __m512i second = _mm512_packs_epi32(c.value, d.value);
    const __m512i codes =
        std::same_as<Code, std::uint8_t> ? _mm512_packus_epi16(first, second) : _mm512_packs_epi16(first, second);
    _mm512_storeu_si512(to, _mm512_permutexvar_epi32(order_of_four(), codes));
}
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic pop
#endif
#endif

#if defined(__SSE4_1__)
/// Writes the codes of two lanes, clamped to their type.
template <class Code>
NOTCH_INLINE void store_saturated_pair(Code* to, const sse41_ints& a, const sse41_ints& b) noexcept {
    const __m128i words = _mm_packs_epi32(a.value, b.value);
    if constexpr (std::same_as<Code, std::uint8_t>)
        _mm_storel_epi64(reinterpret_cast<__m128i*>(to), _mm_packus_epi16(words, words));
    else
        _mm_storel_epi64(reinterpret_cast<__m128i*>(to), _mm_packs_epi16(words, words));
}
#endif

} // namespace notch::simd

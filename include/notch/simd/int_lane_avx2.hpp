/// @file
/// The lane of AVX2: eight int32. Part of simd/int_kernels.hpp; int_lane.hpp states the contract.
#pragma once

#include <notch/core/config.hpp>
#include <notch/simd/arch.hpp>
#include <notch/simd/int_lane.hpp>

#if defined(__AVX2__)

#include <cstddef>
#include <cstdint>

#include <immintrin.h>

namespace notch::simd {

/// Eight int32 that wrap around.
struct avx2_ints {
    __m256i value; ///< the register

    NOTCH_INLINE avx2_ints(__m256i v) noexcept : value(v) {} // NOLINT(google-explicit-constructor)
    NOTCH_INLINE explicit avx2_ints(std::int32_t v) noexcept : value(_mm256_set1_epi32(v)) {} ///< eight times v

    friend NOTCH_INLINE avx2_ints operator+(avx2_ints a, avx2_ints b) noexcept {
        return _mm256_add_epi32(a.value, b.value);
    }
    friend NOTCH_INLINE avx2_ints operator-(avx2_ints a, avx2_ints b) noexcept {
        return _mm256_sub_epi32(a.value, b.value);
    }
    friend NOTCH_INLINE avx2_ints operator*(avx2_ints a, avx2_ints b) noexcept {
        return _mm256_mullo_epi32(a.value, b.value);
    }
    friend NOTCH_INLINE avx2_ints operator&(avx2_ints a, avx2_ints b) noexcept {
        return _mm256_and_si256(a.value, b.value);
    }
    friend NOTCH_INLINE avx2_ints operator|(avx2_ints a, avx2_ints b) noexcept {
        return _mm256_or_si256(a.value, b.value);
    }
    friend NOTCH_INLINE avx2_ints operator~(avx2_ints a) noexcept {
        return _mm256_xor_si256(a.value, _mm256_set1_epi32(-1));
    }
    friend NOTCH_INLINE avx2_ints operator<<(avx2_ints a, int n) noexcept {
        return _mm256_sll_epi32(a.value, _mm_cvtsi32_si128(n));
    }
    friend NOTCH_INLINE avx2_ints operator>>(avx2_ints a, int n) noexcept {
        return _mm256_sra_epi32(a.value, _mm_cvtsi32_si128(n));
    }
    friend NOTCH_INLINE avx2_ints operator<<(avx2_ints a, avx2_ints n) noexcept {
        return _mm256_sllv_epi32(a.value, n.value);
    }
    friend NOTCH_INLINE avx2_ints operator>>(avx2_ints a, avx2_ints n) noexcept {
        return _mm256_srav_epi32(a.value, n.value);
    }
    friend NOTCH_INLINE avx2_floats to_floats(avx2_ints a) noexcept { return _mm256_cvtepi32_ps(a.value); }
    friend NOTCH_INLINE void store_saturated(std::uint8_t* to, avx2_ints a) noexcept {
        const __m128i words = packed_words(a);
        _mm_storel_epi64(reinterpret_cast<__m128i*>(to), _mm_packus_epi16(words, words));
    }
    friend NOTCH_INLINE void store_saturated(std::int8_t* to, avx2_ints a) noexcept {
        const __m128i words = packed_words(a);
        _mm_storel_epi64(reinterpret_cast<__m128i*>(to), _mm_packs_epi16(words, words));
    }

private:
    static NOTCH_INLINE __m128i packed_words(avx2_ints a) noexcept {
        return _mm_packs_epi32(_mm256_castsi256_si128(a.value), _mm256_extracti128_si256(a.value, 1));
    }
};

/// The integers that the floats are.
[[nodiscard]] NOTCH_INLINE avx2_ints to_ints(avx2_floats x) noexcept { return _mm256_cvtps_epi32(x.value); }
/// See int_lane.hpp.
[[nodiscard]] NOTCH_INLINE avx2_floats clamp_floats(avx2_floats x, avx2_floats lowest, avx2_floats highest) noexcept {
    return _mm256_min_ps(_mm256_max_ps(x.value, lowest.value), highest.value);
}
/// See int_lane.hpp.
[[nodiscard]] NOTCH_INLINE avx2_floats as_rounded(avx2_floats x) noexcept {
    asm("" : "+x"(x.value));
    return x;
}
/// See int_lane.hpp.
NOTCH_INLINE void store_floats(float* to, avx2_floats x) noexcept { _mm256_storeu_ps(to, x.value); }

/// See lane.hpp.
template <> struct lane_traits<avx2_ints> {
    static constexpr bool is_lane = true;   ///< a lane
    static constexpr std::size_t width = 8; ///< numbers per lane
    static NOTCH_INLINE avx2_ints load(const std::int32_t* from) noexcept {
        return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(from));
    }
    static NOTCH_INLINE void store(std::int32_t* to, avx2_ints a) noexcept {
        _mm256_storeu_si256(reinterpret_cast<__m256i*>(to), a.value);
    }
    static NOTCH_INLINE avx2_ints min(avx2_ints a, avx2_ints b) noexcept { return _mm256_min_epi32(a.value, b.value); }
    static NOTCH_INLINE avx2_ints max(avx2_ints a, avx2_ints b) noexcept { return _mm256_max_epi32(a.value, b.value); }
};

/// See int_lane.hpp.
template <> struct lane_floats<avx2_ints> {
    using type = avx2_floats; ///< the companion
    static NOTCH_INLINE avx2_floats load(const float* from) noexcept { return _mm256_loadu_ps(from); }
};

/// See int_lane.hpp.
template <> struct widest_lane<avx2> {
    using type = avx2_ints; ///< the lane
};

} // namespace notch::simd

#endif

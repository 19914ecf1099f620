/// @file
/// Elementwise kernels: what a lane is on AVX2. Part of simd/elementwise.hpp.
#pragma once

#include <notch/core/config.hpp>
#include <notch/simd/arch.hpp>

#include <cstddef>
#include <cstdint>
#include <type_traits>

#include <immintrin.h>

namespace notch::simd
{

template <class Arch> struct elementwise;

/// Eight floats.
struct avx2_floats
{
    __m256 value; ///< the register

    NOTCH_INLINE avx2_floats(__m256 v) noexcept : value(v) {}                   // NOLINT(google-explicit-constructor)
    NOTCH_INLINE explicit avx2_floats(float v) noexcept : value(_mm256_set1_ps(v)) {} ///< eight times v

    friend NOTCH_INLINE avx2_floats operator+(avx2_floats a, avx2_floats b) noexcept { return _mm256_add_ps(a.value, b.value); }
    friend NOTCH_INLINE avx2_floats operator-(avx2_floats a, avx2_floats b) noexcept { return _mm256_sub_ps(a.value, b.value); }
    friend NOTCH_INLINE avx2_floats operator*(avx2_floats a, avx2_floats b) noexcept { return _mm256_mul_ps(a.value, b.value); }
    friend NOTCH_INLINE avx2_floats nearest(avx2_floats a) noexcept
    {
        return _mm256_round_ps(a.value, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
    }
    friend NOTCH_INLINE avx2_floats truncate(avx2_floats a) noexcept
    {
        return _mm256_round_ps(a.value, _MM_FROUND_TO_ZERO | _MM_FROUND_NO_EXC);
    }
    friend NOTCH_INLINE avx2_floats one_where_equal(avx2_floats a, avx2_floats b) noexcept
    {
        return _mm256_and_ps(_mm256_cmp_ps(a.value, b.value, _CMP_EQ_OQ), _mm256_set1_ps(1.0F));
    }
    friend NOTCH_INLINE avx2_floats one_where_less(avx2_floats a, avx2_floats b) noexcept
    {
        return _mm256_and_ps(_mm256_cmp_ps(a.value, b.value, _CMP_LT_OQ), _mm256_set1_ps(1.0F));
    }
};

/// Lanes, scaling and byte stores on AVX2.
template <> struct elementwise<avx2>
{
    using lane = avx2_floats;               ///< eight floats
    static constexpr std::size_t width = 8; ///< floats per lane

    /// The reciprocal of a scale in both precisions.
    struct factor
    {
        __m256d wide;  ///< 1 / scale
        __m256 single; ///< 1 / scale as a float

        NOTCH_INLINE factor(double inverse, float single_inverse) noexcept
            : wide(_mm256_set1_pd(inverse)), single(_mm256_set1_ps(single_inverse))
        {
        }
        NOTCH_INLINE lane times_single(lane x) const noexcept { return _mm256_mul_ps(x.value, single); }
        NOTCH_INLINE lane times_double(lane x) const noexcept
        {
            const __m128 low = _mm256_cvtpd_ps(_mm256_mul_pd(_mm256_cvtps_pd(_mm256_castps256_ps128(x.value)), wide));
            const __m128 high = _mm256_cvtpd_ps(_mm256_mul_pd(_mm256_cvtps_pd(_mm256_extractf128_ps(x.value, 1)), wide));
            return _mm256_insertf128_ps(_mm256_castps128_ps256(low), high, 1);
        }
    };

    /// Remembers the largest magnitude, as bits, of all values seen.
    struct watcher
    {
        __m256i largest = _mm256_setzero_si256();

        NOTCH_INLINE void see(lane x) noexcept
        {
            const __m256i magnitude = _mm256_and_si256(_mm256_castps_si256(x.value), _mm256_set1_epi32(0x7fff'ffff));
            largest = _mm256_max_epi32(largest, magnitude);
        }
        [[nodiscard]] NOTCH_INLINE bool all_finite() const noexcept
        {
            return _mm256_testz_si256(_mm256_cmpgt_epi32(largest, _mm256_set1_epi32(0x7f7f'ffff)), _mm256_set1_epi32(-1)) != 0;
        }
    };

    static NOTCH_INLINE watcher watch() noexcept { return {}; }
    static NOTCH_INLINE lane load(const float* from) noexcept { return _mm256_loadu_ps(from); }
    static NOTCH_INLINE lane clamp(lane x, lane lowest, lane highest) noexcept
    {
        return _mm256_min_ps(_mm256_max_ps(x.value, lowest.value), highest.value);
    }

    template <class Code> static NOTCH_INLINE __m256i bytes(__m256i low, __m256i high) noexcept
    {
        if constexpr (std::is_signed_v<Code>)
            return _mm256_packs_epi16(low, high);
        else
            return _mm256_packus_epi16(low, high);
    }

    /// Adds the zero point and stores 32 codes. The packs work on 128-bit halves; one permutation puts
    /// the eight groups of four codes back in order.
    template <class Code> static NOTCH_INLINE void store(Code* dst, std::int32_t zero_point, lane a, lane b, lane c, lane d) noexcept
    {
        const __m256i zero = _mm256_set1_epi16(static_cast<std::int16_t>(zero_point));
        const __m256i low = _mm256_packs_epi32(_mm256_cvtps_epi32(a.value), _mm256_cvtps_epi32(b.value));
        const __m256i high = _mm256_packs_epi32(_mm256_cvtps_epi32(c.value), _mm256_cvtps_epi32(d.value));
        const __m256i mixed = bytes<Code>(_mm256_add_epi16(low, zero), _mm256_add_epi16(high, zero));
        const __m256i ordered = _mm256_permutevar8x32_epi32(mixed, _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7));
        _mm256_storeu_si256(reinterpret_cast<__m256i*>(dst), ordered);
    }

    /// Adds the zero point and stores 8 codes.
    template <class Code> static NOTCH_INLINE void store(Code* dst, std::int32_t zero_point, lane a) noexcept
    {
        const __m256i words = _mm256_cvtps_epi32(a.value);
        const __m128i packed = _mm_packs_epi32(_mm256_castsi256_si128(words), _mm256_extracti128_si256(words, 1));
        const __m128i shifted = _mm_add_epi16(packed, _mm_set1_epi16(static_cast<std::int16_t>(zero_point)));
        const __m128i codes = std::is_signed_v<Code> ? _mm_packs_epi16(shifted, shifted) : _mm_packus_epi16(shifted, shifted);
        _mm_storel_epi64(reinterpret_cast<__m128i*>(dst), codes);
    }
};

} // namespace notch::simd

/// @file
/// Elementwise kernels: what a lane is on AVX2. Part of simd/elementwise.hpp, which states the contract.
#pragma once

#include <notch/core/config.hpp>
#include <notch/simd/arch.hpp>
#include <notch/simd/elementwise_contract.hpp>
#include <notch/simd/elementwise_sse41.hpp>

#if defined(__AVX2__)

#include <cstddef>
#include <cstdint>
#include <type_traits>

#include <immintrin.h>

namespace notch::simd {

/// Eight floats.
struct avx2_floats {
    __m256 value; ///< the register

    NOTCH_INLINE avx2_floats(__m256 v) noexcept : value(v) {} // NOLINT(google-explicit-constructor)
    NOTCH_INLINE explicit avx2_floats(float v) noexcept : value(_mm256_set1_ps(v)) {} ///< eight times v

    friend NOTCH_INLINE avx2_floats operator+(avx2_floats a, avx2_floats b) noexcept {
        return _mm256_add_ps(a.value, b.value);
    }
    friend NOTCH_INLINE avx2_floats operator-(avx2_floats a, avx2_floats b) noexcept {
        return _mm256_sub_ps(a.value, b.value);
    }
    friend NOTCH_INLINE avx2_floats operator*(avx2_floats a, avx2_floats b) noexcept {
        return _mm256_mul_ps(a.value, b.value);
    }
    friend NOTCH_INLINE avx2_floats nearest(avx2_floats a) noexcept {
        return _mm256_round_ps(a.value, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
    }
    friend NOTCH_INLINE avx2_floats truncate(avx2_floats a) noexcept {
        return _mm256_round_ps(a.value, _MM_FROUND_TO_ZERO | _MM_FROUND_NO_EXC);
    }
    friend NOTCH_INLINE avx2_floats one_where_equal(avx2_floats a, avx2_floats b) noexcept {
        return _mm256_and_ps(_mm256_cmp_ps(a.value, b.value, _CMP_EQ_OQ), _mm256_set1_ps(1.0F));
    }
    friend NOTCH_INLINE avx2_floats one_where_less(avx2_floats a, avx2_floats b) noexcept {
        return _mm256_and_ps(_mm256_cmp_ps(a.value, b.value, _CMP_LT_OQ), _mm256_set1_ps(1.0F));
    }
};

/// Lanes, scaling, and loads and stores on AVX2.
template <> struct elementwise<avx2> {
    using lane = avx2_floats;                    ///< eight floats
    static constexpr std::size_t width = 8;      ///< floats per lane
    static constexpr std::size_t alignment = 32; ///< what stream() asks of its address

    /// A factor in both precisions.
    struct factor {
        __m256d wide;  ///< the factor
        __m256 single; ///< the factor as a float

        NOTCH_INLINE factor(double exact, float rounded) noexcept
            : wide(_mm256_set1_pd(exact)), single(_mm256_set1_ps(rounded)) {}
        NOTCH_INLINE lane times_single(lane x) const noexcept { return _mm256_mul_ps(x.value, single); }
        NOTCH_INLINE lane times_double(lane x) const noexcept { return products(x, wide, wide); }
        NOTCH_INLINE lane times_double(const float* x) const noexcept { return products(x, wide, wide); }
    };

    /// Remembers the largest magnitude, as bits, of all values seen.
    struct watcher {
        __m256i largest = _mm256_setzero_si256();

        NOTCH_INLINE void see(lane x) noexcept {
            const __m256i magnitude = _mm256_and_si256(_mm256_castps_si256(x.value), _mm256_set1_epi32(0x7fff'ffff));
            largest = _mm256_max_epi32(largest, magnitude);
        }
        [[nodiscard]] NOTCH_INLINE bool all_finite() const noexcept {
            return _mm256_testz_si256(_mm256_cmpgt_epi32(largest, _mm256_set1_epi32(0x7f7f'ffff)),
                                      _mm256_set1_epi32(-1)) != 0;
        }
    };

    /// The three running extremes of bit patterns that min_max_run asks for.
    struct extremes {
        __m256i largest_signed;   ///< of the patterns as int32
        __m256i largest_unsigned; ///< of the patterns as uint32
        __m256i least_unsigned;   ///< of the patterns as uint32

        NOTCH_INLINE extremes(__m256i s, __m256i u, __m256i v) noexcept
            : largest_signed(s), largest_unsigned(u), least_unsigned(v) {}
        NOTCH_INLINE explicit extremes(lane x) noexcept
            : largest_signed(_mm256_castps_si256(x.value)), largest_unsigned(largest_signed),
              least_unsigned(largest_signed) {}
        NOTCH_INLINE void see(lane x) noexcept {
            const __m256i bits = _mm256_castps_si256(x.value);
            largest_signed = _mm256_max_epi32(largest_signed, bits);
            largest_unsigned = _mm256_max_epu32(largest_unsigned, bits);
            least_unsigned = _mm256_min_epu32(least_unsigned, bits);
        }
        NOTCH_INLINE void join(const extremes& other) noexcept {
            largest_signed = _mm256_max_epi32(largest_signed, other.largest_signed);
            largest_unsigned = _mm256_max_epu32(largest_unsigned, other.largest_unsigned);
            least_unsigned = _mm256_min_epu32(least_unsigned, other.least_unsigned);
        }
        [[nodiscard]] NOTCH_INLINE pattern_extremes collect() const noexcept {
            using half = elementwise<sse41>::extremes;
            half low(_mm256_castsi256_si128(largest_signed), _mm256_castsi256_si128(largest_unsigned),
                     _mm256_castsi256_si128(least_unsigned));
            low.join(half(_mm256_extracti128_si256(largest_signed, 1), _mm256_extracti128_si256(largest_unsigned, 1),
                          _mm256_extracti128_si256(least_unsigned, 1)));
            return low.collect();
        }
    };

    static NOTCH_INLINE watcher watch() noexcept { return {}; }
    /// Hints that the memory `bytes` behind `from` will be read; the address need not exist.
    static NOTCH_INLINE void prefetch(const float* from, std::size_t bytes) noexcept {
        _mm_prefetch(reinterpret_cast<const char*>(reinterpret_cast<std::uintptr_t>(from) + bytes), _MM_HINT_T0);
    }
    static NOTCH_INLINE lane load(const float* from) noexcept { return _mm256_loadu_ps(from); }
    static NOTCH_INLINE lane clamp(lane x, lane lowest, lane highest) noexcept {
        return _mm256_min_ps(_mm256_max_ps(x.value, lowest.value), highest.value);
    }

    /// Eight products with four doubles and four doubles, rounded to float.
    static NOTCH_INLINE lane products(lane x, __m256d first, __m256d second) noexcept {
        const __m128 low = _mm256_cvtpd_ps(_mm256_mul_pd(_mm256_cvtps_pd(_mm256_castps256_ps128(x.value)), first));
        const __m128 high = _mm256_cvtpd_ps(_mm256_mul_pd(_mm256_cvtps_pd(_mm256_extractf128_ps(x.value, 1)), second));
        return _mm256_insertf128_ps(_mm256_castps128_ps256(low), high, 1);
    }
    /// The same, of eight floats in memory: a conversion that loads spares taking the register apart.
    static NOTCH_INLINE lane products(const float* x, __m256d first, __m256d second) noexcept {
        const __m128 low = _mm256_cvtpd_ps(_mm256_mul_pd(_mm256_cvtps_pd(_mm_loadu_ps(x)), first));
        const __m128 high = _mm256_cvtpd_ps(_mm256_mul_pd(_mm256_cvtps_pd(_mm_loadu_ps(x + 4)), second));
        return _mm256_insertf128_ps(_mm256_castps128_ps256(low), high, 1);
    }
    /// Element i times factors[i], rounded to float.
    static NOTCH_INLINE lane times_each(const float* x, const double* factors) noexcept {
        return products(x, _mm256_loadu_pd(factors), _mm256_loadu_pd(factors + 4));
    }
    /// codes[i] - zero_point, as floats.
    template <class Code> static NOTCH_INLINE lane differences(const Code* codes, std::int32_t zero_point) noexcept {
        const __m128i bytes = _mm_loadl_epi64(reinterpret_cast<const __m128i*>(codes));
        __m256i wide;
        if constexpr (std::is_signed_v<Code>)
            wide = _mm256_cvtepi8_epi32(bytes);
        else
            wide = _mm256_cvtepu8_epi32(bytes);
        return _mm256_cvtepi32_ps(_mm256_sub_epi32(wide, _mm256_set1_epi32(zero_point)));
    }

    static NOTCH_INLINE void store(float* dst, lane a) noexcept { _mm256_storeu_ps(dst, a.value); }
    static NOTCH_INLINE void stream(float* dst, lane a) noexcept { _mm256_stream_ps(dst, a.value); }
    static NOTCH_INLINE void fence() noexcept { _mm_sfence(); }

    template <class Code> static NOTCH_INLINE __m256i narrowed(__m256i low, __m256i high) noexcept {
        if constexpr (std::is_signed_v<Code>)
            return _mm256_packs_epi16(low, high);
        else
            return _mm256_packus_epi16(low, high);
    }

    /// 32 codes: the zero point is added. The packs work on 128-bit halves; one permutation puts the
    /// eight groups of four codes back in order.
    template <class Code>
    static NOTCH_INLINE __m256i codes(std::int32_t zero_point, lane a, lane b, lane c, lane d) noexcept {
        const __m256i zero = _mm256_set1_epi16(static_cast<std::int16_t>(zero_point));
        const __m256i low = _mm256_packs_epi32(_mm256_cvtps_epi32(a.value), _mm256_cvtps_epi32(b.value));
        const __m256i high = _mm256_packs_epi32(_mm256_cvtps_epi32(c.value), _mm256_cvtps_epi32(d.value));
        const __m256i mixed = narrowed<Code>(_mm256_add_epi16(low, zero), _mm256_add_epi16(high, zero));
        return _mm256_permutevar8x32_epi32(mixed, _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7));
    }

    /// Adds the zero point and stores 32 codes.
    template <class Code>
    static NOTCH_INLINE void store(Code* dst, std::int32_t zero_point, lane a, lane b, lane c, lane d) noexcept {
        _mm256_storeu_si256(reinterpret_cast<__m256i*>(dst), codes<Code>(zero_point, a, b, c, d));
    }
    /// The same past the caches. Precondition: dst is a multiple of `alignment`.
    template <class Code>
    static NOTCH_INLINE void stream(Code* dst, std::int32_t zero_point, lane a, lane b, lane c, lane d) noexcept {
        _mm256_stream_si256(reinterpret_cast<__m256i*>(dst), codes<Code>(zero_point, a, b, c, d));
    }

    template <class Code> static NOTCH_INLINE void store_words(Code* dst, __m256i words) noexcept {
        const __m128i packed = _mm_packs_epi32(_mm256_castsi256_si128(words), _mm256_extracti128_si256(words, 1));
        __m128i bytes;
        if constexpr (std::is_signed_v<Code>)
            bytes = _mm_packs_epi16(packed, packed);
        else
            bytes = _mm_packus_epi16(packed, packed);
        _mm_storel_epi64(reinterpret_cast<__m128i*>(dst), bytes);
    }
    /// Adds the zero point and stores 8 codes.
    template <class Code> static NOTCH_INLINE void store(Code* dst, std::int32_t zero_point, lane a) noexcept {
        store_words(dst, _mm256_add_epi32(_mm256_cvtps_epi32(a.value), _mm256_set1_epi32(zero_point)));
    }
    /// Adds a zero point to each element and stores 8 codes.
    template <class Code>
    static NOTCH_INLINE void store_each(Code* dst, const std::int32_t* zero_points, lane a) noexcept {
        const __m256i zero = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(zero_points));
        store_words(dst, _mm256_add_epi32(_mm256_cvtps_epi32(a.value), zero));
    }
};

} // namespace notch::simd

#endif

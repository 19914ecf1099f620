/// @file
/// Elementwise kernels: what a lane is on AVX-512 F and BW. Part of simd/elementwise.hpp, which states the contract.
#pragma once

#include <notch/core/config.hpp>
#include <notch/simd/arch.hpp>
#include <notch/simd/elementwise_avx2.hpp>
#include <notch/simd/elementwise_contract.hpp>

#if defined(__AVX512F__) && defined(__AVX512BW__)

#include <cstddef>
#include <cstdint>
#include <type_traits>

#include <immintrin.h>

// Intrinsics of gcc 12 pass an undefined register where no lane is masked out, and its macros an unsigned mask.
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wuninitialized"
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#pragma GCC diagnostic ignored "-Wsign-conversion"
#endif

namespace notch::simd {

/// Sixteen floats.
struct avx512_floats {
    __m512 value; ///< the register

    NOTCH_INLINE avx512_floats(__m512 v) noexcept : value(v) {} // NOLINT(google-explicit-constructor)
    NOTCH_INLINE explicit avx512_floats(float v) noexcept : value(_mm512_set1_ps(v)) {} ///< sixteen times v

    friend NOTCH_INLINE avx512_floats operator+(avx512_floats a, avx512_floats b) noexcept {
        return _mm512_add_ps(a.value, b.value);
    }
    friend NOTCH_INLINE avx512_floats operator-(avx512_floats a, avx512_floats b) noexcept {
        return _mm512_sub_ps(a.value, b.value);
    }
    friend NOTCH_INLINE avx512_floats operator*(avx512_floats a, avx512_floats b) noexcept {
        return _mm512_mul_ps(a.value, b.value);
    }
    friend NOTCH_INLINE avx512_floats nearest(avx512_floats a) noexcept {
        return _mm512_roundscale_ps(a.value, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
    }
    friend NOTCH_INLINE avx512_floats truncate(avx512_floats a) noexcept {
        return _mm512_roundscale_ps(a.value, _MM_FROUND_TO_ZERO | _MM_FROUND_NO_EXC);
    }
    friend NOTCH_INLINE avx512_floats one_where_equal(avx512_floats a, avx512_floats b) noexcept {
        return _mm512_maskz_mov_ps(_mm512_cmp_ps_mask(a.value, b.value, _CMP_EQ_OQ), _mm512_set1_ps(1.0F));
    }
    friend NOTCH_INLINE avx512_floats one_where_less(avx512_floats a, avx512_floats b) noexcept {
        return _mm512_maskz_mov_ps(_mm512_cmp_ps_mask(a.value, b.value, _CMP_LT_OQ), _mm512_set1_ps(1.0F));
    }
};

/// Lanes, scaling, and loads and stores on AVX-512 F and BW.
template <> struct elementwise<avx512bw> {
    using lane = avx512_floats;                  ///< sixteen floats
    using shorter = avx2;                        ///< for runs below sixteen
    static constexpr std::size_t width = 16;     ///< floats per lane
    static constexpr std::size_t alignment = 64; ///< what stream() asks of its address

    /// A factor in both precisions.
    struct factor {
        __m512d wide;  ///< the factor
        __m512 single; ///< the factor as a float

        NOTCH_INLINE factor(double exact, float rounded) noexcept
            : wide(_mm512_set1_pd(exact)), single(_mm512_set1_ps(rounded)) {}
        NOTCH_INLINE lane times_single(lane x) const noexcept { return _mm512_mul_ps(x.value, single); }
        NOTCH_INLINE lane times_double(lane x) const noexcept { return products(x, wide, wide); }
        NOTCH_INLINE lane times_double(const float* x) const noexcept { return products(x, wide, wide); }
    };

    /// Remembers the largest magnitude, as bits, of all values seen.
    struct watcher {
        __m512i largest = _mm512_setzero_si512();

        NOTCH_INLINE void see(lane x) noexcept {
            const __m512i magnitude = _mm512_and_si512(_mm512_castps_si512(x.value), _mm512_set1_epi32(0x7fff'ffff));
            largest = _mm512_max_epi32(largest, magnitude);
        }
        [[nodiscard]] NOTCH_INLINE bool all_finite() const noexcept {
            return _mm512_cmpgt_epi32_mask(largest, _mm512_set1_epi32(0x7f7f'ffff)) == 0;
        }
    };

    /// The three running extremes of bit patterns that min_max_run asks for.
    struct extremes {
        __m512i largest_signed;   ///< of the patterns as int32
        __m512i largest_unsigned; ///< of the patterns as uint32
        __m512i least_unsigned;   ///< of the patterns as uint32

        NOTCH_INLINE explicit extremes(lane x) noexcept
            : largest_signed(_mm512_castps_si512(x.value)), largest_unsigned(largest_signed),
              least_unsigned(largest_signed) {}
        NOTCH_INLINE void see(lane x) noexcept {
            const __m512i bits = _mm512_castps_si512(x.value);
            largest_signed = _mm512_max_epi32(largest_signed, bits);
            largest_unsigned = _mm512_max_epu32(largest_unsigned, bits);
            least_unsigned = _mm512_min_epu32(least_unsigned, bits);
        }
        NOTCH_INLINE void join(const extremes& other) noexcept {
            largest_signed = _mm512_max_epi32(largest_signed, other.largest_signed);
            largest_unsigned = _mm512_max_epu32(largest_unsigned, other.largest_unsigned);
            least_unsigned = _mm512_min_epu32(least_unsigned, other.least_unsigned);
        }
        [[nodiscard]] NOTCH_INLINE pattern_extremes collect() const noexcept {
            using half = elementwise<avx2>::extremes;
            half low(_mm512_castsi512_si256(largest_signed), _mm512_castsi512_si256(largest_unsigned),
                     _mm512_castsi512_si256(least_unsigned));
            low.join(half(_mm512_extracti64x4_epi64(largest_signed, 1), _mm512_extracti64x4_epi64(largest_unsigned, 1),
                          _mm512_extracti64x4_epi64(least_unsigned, 1)));
            return low.collect();
        }
    };

    static NOTCH_INLINE watcher watch() noexcept { return {}; }
    /// Hints that the memory `bytes` behind `from` will be read; the address need not exist.
    static NOTCH_INLINE void prefetch(const float* from, std::size_t bytes) noexcept {
        _mm_prefetch(reinterpret_cast<const char*>(reinterpret_cast<std::uintptr_t>(from) + bytes), _MM_HINT_T0);
    }
    static NOTCH_INLINE lane load(const float* from) noexcept { return _mm512_loadu_ps(from); }
    static NOTCH_INLINE lane clamp(lane x, lane lowest, lane highest) noexcept {
        return _mm512_min_ps(_mm512_max_ps(x.value, lowest.value), highest.value);
    }

    /// Sixteen doubles, rounded to float.
    static NOTCH_INLINE lane joined(__m512d low, __m512d high) noexcept {
        const __m512d first = _mm512_castpd256_pd512(_mm256_castps_pd(_mm512_cvtpd_ps(low)));
        return _mm512_castpd_ps(_mm512_insertf64x4(first, _mm256_castps_pd(_mm512_cvtpd_ps(high)), 1));
    }
    /// Sixteen products with eight doubles and eight doubles, rounded to float.
    static NOTCH_INLINE lane products(lane x, __m512d first, __m512d second) noexcept {
        const __m256 upper = _mm256_castpd_ps(_mm512_extractf64x4_pd(_mm512_castps_pd(x.value), 1));
        return joined(_mm512_mul_pd(_mm512_cvtps_pd(_mm512_castps512_ps256(x.value)), first),
                      _mm512_mul_pd(_mm512_cvtps_pd(upper), second));
    }
    /// The same, of sixteen floats in memory: a conversion that loads spares taking the register apart.
    static NOTCH_INLINE lane products(const float* x, __m512d first, __m512d second) noexcept {
        return joined(_mm512_mul_pd(_mm512_cvtps_pd(_mm256_loadu_ps(x)), first),
                      _mm512_mul_pd(_mm512_cvtps_pd(_mm256_loadu_ps(x + 8)), second));
    }
    /// Element i times factors[i], rounded to float.
    static NOTCH_INLINE lane times_each(const float* x, const double* factors) noexcept {
        return products(x, _mm512_loadu_pd(factors), _mm512_loadu_pd(factors + 8));
    }
    /// codes[i] - zero_point, as floats.
    template <class Code> static NOTCH_INLINE lane differences(const Code* codes, std::int32_t zero_point) noexcept {
        const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(codes));
        __m512i wide;
        if constexpr (std::is_signed_v<Code>)
            wide = _mm512_cvtepi8_epi32(bytes);
        else
            wide = _mm512_cvtepu8_epi32(bytes);
        return _mm512_cvtepi32_ps(_mm512_sub_epi32(wide, _mm512_set1_epi32(zero_point)));
    }

    static NOTCH_INLINE void store(float* dst, lane a) noexcept { _mm512_storeu_ps(dst, a.value); }
    static NOTCH_INLINE void stream(float* dst, lane a) noexcept { _mm512_stream_ps(dst, a.value); }
    static NOTCH_INLINE void fence() noexcept { _mm_sfence(); }

    template <class Code> static NOTCH_INLINE __m512i narrowed(__m512i low, __m512i high) noexcept {
        if constexpr (std::is_signed_v<Code>)
            return _mm512_packs_epi16(low, high);
        else
            return _mm512_packus_epi16(low, high);
    }

    /// 64 codes: the zero point is added. The packs work on 128-bit quarters; one permutation puts the
    /// sixteen groups of four codes back in order.
    template <class Code>
    static NOTCH_INLINE __m512i codes(std::int32_t zero_point, lane a, lane b, lane c, lane d) noexcept {
        const __m512i zero = _mm512_set1_epi16(static_cast<std::int16_t>(zero_point));
        const __m512i low = _mm512_packs_epi32(_mm512_cvtps_epi32(a.value), _mm512_cvtps_epi32(b.value));
        const __m512i high = _mm512_packs_epi32(_mm512_cvtps_epi32(c.value), _mm512_cvtps_epi32(d.value));
        const __m512i mixed = narrowed<Code>(_mm512_add_epi16(low, zero), _mm512_add_epi16(high, zero));
        return _mm512_permutexvar_epi32(_mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15), mixed);
    }

    /// Adds the zero point and stores 64 codes.
    template <class Code>
    static NOTCH_INLINE void store(Code* dst, std::int32_t zero_point, lane a, lane b, lane c, lane d) noexcept {
        _mm512_storeu_si512(dst, codes<Code>(zero_point, a, b, c, d));
    }
    /// The same past the caches. Precondition: dst is a multiple of `alignment`.
    template <class Code>
    static NOTCH_INLINE void stream(Code* dst, std::int32_t zero_point, lane a, lane b, lane c, lane d) noexcept {
        _mm512_stream_si512(reinterpret_cast<__m512i*>(dst), codes<Code>(zero_point, a, b, c, d));
    }

    /// Stores 16 codes: the low bytes of int32 that are codes already.
    template <class Code> static NOTCH_INLINE void store_words(Code* dst, __m512i words) noexcept {
        _mm_storeu_si128(reinterpret_cast<__m128i*>(dst), _mm512_cvtepi32_epi8(words));
    }
    /// Adds the zero point and stores 16 codes.
    template <class Code> static NOTCH_INLINE void store(Code* dst, std::int32_t zero_point, lane a) noexcept {
        store_words(dst, _mm512_add_epi32(_mm512_cvtps_epi32(a.value), _mm512_set1_epi32(zero_point)));
    }
    /// Adds a zero point to each element and stores 16 codes.
    template <class Code>
    static NOTCH_INLINE void store_each(Code* dst, const std::int32_t* zero_points, lane a) noexcept {
        store_words(dst, _mm512_add_epi32(_mm512_cvtps_epi32(a.value), _mm512_loadu_si512(zero_points)));
    }
};

} // namespace notch::simd

#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic pop
#endif

#endif

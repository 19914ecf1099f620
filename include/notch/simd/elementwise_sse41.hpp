/// @file
/// Elementwise kernels: what a lane is on SSE4.1. Part of simd/elementwise.hpp, which states the contract.
#pragma once

#include <notch/core/config.hpp>
#include <notch/simd/arch.hpp>
#include <notch/simd/elementwise_contract.hpp>

#if defined(__SSE4_1__)

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <type_traits>

#include <smmintrin.h>

namespace notch::simd {

/// Four floats.
struct sse41_floats {
    __m128 value; ///< the register

    NOTCH_INLINE sse41_floats(__m128 v) noexcept : value(v) {} // NOLINT(google-explicit-constructor)
    NOTCH_INLINE explicit sse41_floats(float v) noexcept : value(_mm_set1_ps(v)) {} ///< four times v

    friend NOTCH_INLINE sse41_floats operator+(sse41_floats a, sse41_floats b) noexcept {
        return _mm_add_ps(a.value, b.value);
    }
    friend NOTCH_INLINE sse41_floats operator-(sse41_floats a, sse41_floats b) noexcept {
        return _mm_sub_ps(a.value, b.value);
    }
    friend NOTCH_INLINE sse41_floats operator*(sse41_floats a, sse41_floats b) noexcept {
        return _mm_mul_ps(a.value, b.value);
    }
    friend NOTCH_INLINE sse41_floats nearest(sse41_floats a) noexcept {
        return _mm_round_ps(a.value, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
    }
    friend NOTCH_INLINE sse41_floats truncate(sse41_floats a) noexcept {
        return _mm_round_ps(a.value, _MM_FROUND_TO_ZERO | _MM_FROUND_NO_EXC);
    }
    friend NOTCH_INLINE sse41_floats one_where_equal(sse41_floats a, sse41_floats b) noexcept {
        return _mm_and_ps(_mm_cmpeq_ps(a.value, b.value), _mm_set1_ps(1.0F));
    }
    friend NOTCH_INLINE sse41_floats one_where_less(sse41_floats a, sse41_floats b) noexcept {
        return _mm_and_ps(_mm_cmplt_ps(a.value, b.value), _mm_set1_ps(1.0F));
    }
};

/// Lanes, scaling, and loads and stores on SSE4.1.
template <> struct elementwise<sse41> {
    using lane = sse41_floats;                   ///< four floats
    static constexpr std::size_t width = 4;      ///< floats per lane
    static constexpr std::size_t alignment = 16; ///< what stream() asks of its address

    /// A factor in both precisions.
    struct factor {
        __m128d wide;  ///< the factor
        __m128 single; ///< the factor as a float

        NOTCH_INLINE factor(double exact, float rounded) noexcept
            : wide(_mm_set1_pd(exact)), single(_mm_set1_ps(rounded)) {}
        NOTCH_INLINE lane times_single(lane x) const noexcept { return _mm_mul_ps(x.value, single); }
        NOTCH_INLINE lane times_double(lane x) const noexcept { return products(x, wide, wide); }
        NOTCH_INLINE lane times_double(const float* x) const noexcept { return products(x, wide, wide); }
    };

    /// Remembers the largest magnitude, as bits, of all values seen.
    struct watcher {
        __m128i largest = _mm_setzero_si128();

        NOTCH_INLINE void see(lane x) noexcept {
            const __m128i magnitude = _mm_and_si128(_mm_castps_si128(x.value), _mm_set1_epi32(0x7fff'ffff));
            largest = _mm_max_epi32(largest, magnitude);
        }
        [[nodiscard]] NOTCH_INLINE bool all_finite() const noexcept {
            return _mm_movemask_epi8(_mm_cmpgt_epi32(largest, _mm_set1_epi32(0x7f7f'ffff))) == 0;
        }
    };

    /// The three running extremes of bit patterns that min_max_run asks for.
    struct extremes {
        __m128i largest_signed;   ///< of the patterns as int32
        __m128i largest_unsigned; ///< of the patterns as uint32
        __m128i least_unsigned;   ///< of the patterns as uint32

        NOTCH_INLINE extremes(__m128i s, __m128i u, __m128i v) noexcept
            : largest_signed(s), largest_unsigned(u), least_unsigned(v) {}
        NOTCH_INLINE explicit extremes(lane x) noexcept
            : largest_signed(_mm_castps_si128(x.value)), largest_unsigned(largest_signed),
              least_unsigned(largest_signed) {}
        NOTCH_INLINE void see(lane x) noexcept {
            const __m128i bits = _mm_castps_si128(x.value);
            largest_signed = _mm_max_epi32(largest_signed, bits);
            largest_unsigned = _mm_max_epu32(largest_unsigned, bits);
            least_unsigned = _mm_min_epu32(least_unsigned, bits);
        }
        NOTCH_INLINE void join(const extremes& other) noexcept {
            largest_signed = _mm_max_epi32(largest_signed, other.largest_signed);
            largest_unsigned = _mm_max_epu32(largest_unsigned, other.largest_unsigned);
            least_unsigned = _mm_min_epu32(least_unsigned, other.least_unsigned);
        }
        [[nodiscard]] NOTCH_INLINE pattern_extremes collect() const noexcept {
            const extremes halves = joined_with<_MM_SHUFFLE(1, 0, 3, 2)>();
            const extremes all = halves.joined_with<_MM_SHUFFLE(2, 3, 0, 1)>();
            return {_mm_cvtsi128_si32(all.largest_signed),
                    static_cast<std::uint32_t>(_mm_cvtsi128_si32(all.largest_unsigned)),
                    static_cast<std::uint32_t>(_mm_cvtsi128_si32(all.least_unsigned))};
        }

    private:
        template <int Order> [[nodiscard]] NOTCH_INLINE extremes joined_with() const noexcept {
            extremes result(_mm_shuffle_epi32(largest_signed, Order), _mm_shuffle_epi32(largest_unsigned, Order),
                            _mm_shuffle_epi32(least_unsigned, Order));
            result.join(*this);
            return result;
        }
    };

    static NOTCH_INLINE watcher watch() noexcept { return {}; }
    /// Hints that the memory `bytes` behind `from` will be read; the address need not exist.
    static NOTCH_INLINE void prefetch(const float* from, std::size_t bytes) noexcept {
        _mm_prefetch(reinterpret_cast<const char*>(reinterpret_cast<std::uintptr_t>(from) + bytes), _MM_HINT_T0);
    }
    static NOTCH_INLINE lane load(const float* from) noexcept { return _mm_loadu_ps(from); }
    static NOTCH_INLINE lane clamp(lane x, lane lowest, lane highest) noexcept {
        return _mm_min_ps(_mm_max_ps(x.value, lowest.value), highest.value);
    }

    /// Four products with two doubles and two doubles, rounded to float.
    static NOTCH_INLINE lane products(lane x, __m128d first, __m128d second) noexcept {
        const __m128 low = _mm_cvtpd_ps(_mm_mul_pd(_mm_cvtps_pd(x.value), first));
        const __m128 high = _mm_cvtpd_ps(_mm_mul_pd(_mm_cvtps_pd(_mm_movehl_ps(x.value, x.value)), second));
        return _mm_movelh_ps(low, high);
    }
    /// The same, of four floats in memory.
    static NOTCH_INLINE lane products(const float* x, __m128d first, __m128d second) noexcept {
        return products(load(x), first, second);
    }
    /// Element i times factors[i], rounded to float.
    static NOTCH_INLINE lane times_each(const float* x, const double* factors) noexcept {
        return products(x, _mm_loadu_pd(factors), _mm_loadu_pd(factors + 2));
    }
    /// codes[i] - zero_point, as floats.
    template <class Code> static NOTCH_INLINE lane differences(const Code* codes, std::int32_t zero_point) noexcept {
        std::int32_t four = 0;
        std::memcpy(&four, codes, 4);
        const __m128i bytes = _mm_cvtsi32_si128(four);
        __m128i wide;
        if constexpr (std::is_signed_v<Code>)
            wide = _mm_cvtepi8_epi32(bytes);
        else
            wide = _mm_cvtepu8_epi32(bytes);
        return _mm_cvtepi32_ps(_mm_sub_epi32(wide, _mm_set1_epi32(zero_point)));
    }

    static NOTCH_INLINE void store(float* dst, lane a) noexcept { _mm_storeu_ps(dst, a.value); }
    static NOTCH_INLINE void stream(float* dst, lane a) noexcept { _mm_stream_ps(dst, a.value); }
    static NOTCH_INLINE void fence() noexcept { _mm_sfence(); }

    template <class Code> static NOTCH_INLINE __m128i narrowed(__m128i low, __m128i high) noexcept {
        if constexpr (std::is_signed_v<Code>)
            return _mm_packs_epi16(low, high);
        else
            return _mm_packus_epi16(low, high);
    }

    /// 16 codes: the zero point is added.
    template <class Code>
    static NOTCH_INLINE __m128i codes(std::int32_t zero_point, lane a, lane b, lane c, lane d) noexcept {
        const __m128i zero = _mm_set1_epi16(static_cast<std::int16_t>(zero_point));
        const __m128i low = _mm_packs_epi32(_mm_cvtps_epi32(a.value), _mm_cvtps_epi32(b.value));
        const __m128i high = _mm_packs_epi32(_mm_cvtps_epi32(c.value), _mm_cvtps_epi32(d.value));
        return narrowed<Code>(_mm_add_epi16(low, zero), _mm_add_epi16(high, zero));
    }

    /// Adds the zero point and stores 16 codes.
    template <class Code>
    static NOTCH_INLINE void store(Code* dst, std::int32_t zero_point, lane a, lane b, lane c, lane d) noexcept {
        _mm_storeu_si128(reinterpret_cast<__m128i*>(dst), codes<Code>(zero_point, a, b, c, d));
    }
    /// The same past the caches. Precondition: dst is a multiple of `alignment`.
    template <class Code>
    static NOTCH_INLINE void stream(Code* dst, std::int32_t zero_point, lane a, lane b, lane c, lane d) noexcept {
        _mm_stream_si128(reinterpret_cast<__m128i*>(dst), codes<Code>(zero_point, a, b, c, d));
    }

    template <class Code> static NOTCH_INLINE void store_words(Code* dst, __m128i words) noexcept {
        const __m128i packed = _mm_packs_epi32(words, words);
        const std::int32_t four = _mm_cvtsi128_si32(narrowed<Code>(packed, packed));
        std::memcpy(dst, &four, 4);
    }
    /// Adds the zero point and stores 4 codes.
    template <class Code> static NOTCH_INLINE void store(Code* dst, std::int32_t zero_point, lane a) noexcept {
        store_words(dst, _mm_add_epi32(_mm_cvtps_epi32(a.value), _mm_set1_epi32(zero_point)));
    }
    /// Adds a zero point to each element and stores 4 codes.
    template <class Code>
    static NOTCH_INLINE void store_each(Code* dst, const std::int32_t* zero_points, lane a) noexcept {
        const __m128i zero = _mm_loadu_si128(reinterpret_cast<const __m128i*>(zero_points));
        store_words(dst, _mm_add_epi32(_mm_cvtps_epi32(a.value), zero));
    }
};

} // namespace notch::simd

#endif

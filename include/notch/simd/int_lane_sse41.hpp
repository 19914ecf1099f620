/// @file
/// The lane of SSE4.1: four int32. Part of simd/int_kernels.hpp; int_lane.hpp states the contract.
///
/// There are no shifts by a count per number. To the left it is a product with 2^n, which a table of bytes gives; to the
/// right it is four shifts, of which one number each is kept.
#pragma once

#include <notch/core/config.hpp>
#include <notch/simd/arch.hpp>
#include <notch/simd/int_lane.hpp>

#if defined(__SSE4_1__)

#include <cstddef>
#include <cstdint>
#include <cstring>

#include <smmintrin.h>

namespace notch::simd {

/// Four int32 that wrap around.
struct sse41_ints {
    __m128i value; ///< the register

    NOTCH_INLINE sse41_ints(__m128i v) noexcept : value(v) {} // NOLINT(google-explicit-constructor)
    NOTCH_INLINE explicit sse41_ints(std::int32_t v) noexcept : value(_mm_set1_epi32(v)) {} ///< four times v

    friend NOTCH_INLINE sse41_ints operator+(sse41_ints a, sse41_ints b) noexcept {
        return _mm_add_epi32(a.value, b.value);
    }
    friend NOTCH_INLINE sse41_ints operator-(sse41_ints a, sse41_ints b) noexcept {
        return _mm_sub_epi32(a.value, b.value);
    }
    friend NOTCH_INLINE sse41_ints operator*(sse41_ints a, sse41_ints b) noexcept {
        return _mm_mullo_epi32(a.value, b.value);
    }
    friend NOTCH_INLINE sse41_ints operator&(sse41_ints a, sse41_ints b) noexcept {
        return _mm_and_si128(a.value, b.value);
    }
    friend NOTCH_INLINE sse41_ints operator|(sse41_ints a, sse41_ints b) noexcept {
        return _mm_or_si128(a.value, b.value);
    }
    friend NOTCH_INLINE sse41_ints operator~(sse41_ints a) noexcept {
        return _mm_xor_si128(a.value, _mm_set1_epi32(-1));
    }
    friend NOTCH_INLINE sse41_ints operator<<(sse41_ints a, int n) noexcept {
        return _mm_sll_epi32(a.value, _mm_cvtsi32_si128(n));
    }
    friend NOTCH_INLINE sse41_ints operator>>(sse41_ints a, int n) noexcept {
        return _mm_sra_epi32(a.value, _mm_cvtsi32_si128(n));
    }
    friend NOTCH_INLINE sse41_ints operator<<(sse41_ints a, sse41_ints n) noexcept {
        return _mm_mullo_epi32(a.value, powers_of_two(n.value));
    }
    friend NOTCH_INLINE sse41_ints operator>>(sse41_ints a, sse41_ints n) noexcept {
        const __m128i upper = _mm_unpackhi_epi32(n.value, _mm_setzero_si128());
        const __m128i first = _mm_sra_epi32(a.value, _mm_cvtepu32_epi64(n.value));
        const __m128i second = _mm_sra_epi32(a.value, _mm_srli_epi64(n.value, 32));
        const __m128i third = _mm_sra_epi32(a.value, upper);
        const __m128i fourth = _mm_sra_epi32(a.value, _mm_srli_si128(n.value, 12));
        return _mm_blend_epi16(_mm_blend_epi16(first, second, 0b00001100), _mm_blend_epi16(third, fourth, 0b11000000),
                               0b11110000);
    }
    friend NOTCH_INLINE sse41_floats to_floats(sse41_ints a) noexcept { return _mm_cvtepi32_ps(a.value); }
    friend NOTCH_INLINE void store_saturated(std::uint8_t* to, sse41_ints a) noexcept {
        const __m128i words = _mm_packs_epi32(a.value, a.value);
        store_four(to, _mm_packus_epi16(words, words));
    }
    friend NOTCH_INLINE void store_saturated(std::int8_t* to, sse41_ints a) noexcept {
        const __m128i words = _mm_packs_epi32(a.value, a.value);
        store_four(to, _mm_packs_epi16(words, words));
    }

private:
    static NOTCH_INLINE void store_four(void* to, __m128i bytes) noexcept {
        const std::int32_t four = _mm_cvtsi128_si32(bytes);
        std::memcpy(to, &four, 4);
    }
    /// 2^n for 0 <= n <= 31. Byte k of it is 2^(n - 8k) where that is a byte, and 0 elsewhere: the saturated sum has
    /// its highest bit set unless 0 <= n - 8k <= 15, and then the table answers 0.
    static NOTCH_INLINE __m128i powers_of_two(__m128i n) noexcept {
        const __m128i four_times = _mm_setr_epi8(0, 0, 0, 0, 4, 4, 4, 4, 8, 8, 8, 8, 12, 12, 12, 12);
        const __m128i table = _mm_setr_epi8(1, 2, 4, 8, 16, 32, 64, -128, 0, 0, 0, 0, 0, 0, 0, 0);
        const __m128i bit = _mm_sub_epi8(_mm_shuffle_epi8(n, four_times), _mm_set1_epi32(0x18100800));
        return _mm_shuffle_epi8(table, _mm_adds_epu8(bit, _mm_set1_epi8(0x70)));
    }
};

/// The integers that the floats are.
[[nodiscard]] NOTCH_INLINE sse41_ints to_ints(sse41_floats x) noexcept { return _mm_cvtps_epi32(x.value); }
/// See int_lane.hpp.
[[nodiscard]] NOTCH_INLINE sse41_floats clamp_floats(sse41_floats x, sse41_floats lowest,
                                                     sse41_floats highest) noexcept {
    return _mm_min_ps(_mm_max_ps(x.value, lowest.value), highest.value);
}
/// See int_lane.hpp.
[[nodiscard]] NOTCH_INLINE sse41_floats as_rounded(sse41_floats x) noexcept {
    asm("" : "+x"(x.value));
    return x;
}
/// See int_lane.hpp.
NOTCH_INLINE void store_floats(float* to, sse41_floats x) noexcept { _mm_storeu_ps(to, x.value); }

/// See lane.hpp.
template <> struct lane_traits<sse41_ints> {
    static constexpr bool is_lane = true;   ///< a lane
    static constexpr std::size_t width = 4; ///< numbers per lane
    static NOTCH_INLINE sse41_ints load(const std::int32_t* from) noexcept {
        return _mm_loadu_si128(reinterpret_cast<const __m128i*>(from));
    }
    static NOTCH_INLINE void store(std::int32_t* to, sse41_ints a) noexcept {
        _mm_storeu_si128(reinterpret_cast<__m128i*>(to), a.value);
    }
    static NOTCH_INLINE sse41_ints min(sse41_ints a, sse41_ints b) noexcept { return _mm_min_epi32(a.value, b.value); }
    static NOTCH_INLINE sse41_ints max(sse41_ints a, sse41_ints b) noexcept { return _mm_max_epi32(a.value, b.value); }
};

/// See int_lane.hpp.
template <> struct lane_floats<sse41_ints> {
    using type = sse41_floats; ///< the companion
    static NOTCH_INLINE sse41_floats load(const float* from) noexcept { return _mm_loadu_ps(from); }
};

/// See int_lane.hpp.
template <> struct widest_lane<sse41> {
    using type = sse41_ints; ///< the lane
};

} // namespace notch::simd

#endif

/// @file
/// The lane of AVX2: eight int32. Part of simd/int_kernels.hpp; int_lane.hpp states the contract.
#pragma once

#include <notch/core/config.hpp>
#include <notch/core/rounding.hpp>
#include <notch/simd/arch.hpp>
#include <notch/simd/int_lane.hpp>

#if defined(__AVX2__)

#include <cstddef>
#include <cstdint>
#include <limits>

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
[[nodiscard]] NOTCH_INLINE avx2_ints nearest_ints(avx2_floats x) noexcept { return _mm256_cvtps_epi32(x.value); }
/// See int_lane.hpp.
[[nodiscard]] NOTCH_INLINE avx2_floats powers_of_two(avx2_ints n) noexcept {
    return _mm256_castsi256_ps(((n + avx2_ints(127)) << 23).value);
}
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

/// See int_lane.hpp. Products of 64 bits come from the even numbers, and from the odd ones moved down.
template <> struct q31_products<avx2_ints> {
    static NOTCH_INLINE avx2_ints single(avx2_ints x, avx2_ints multipliers, avx2_ints exponents) noexcept {
        const __m256i shift = _mm256_sub_epi32(_mm256_set1_epi32(31), exponents.value); // 1 .. 61
        const __m256i even = rounded(_mm256_mul_epi32(x.value, multipliers.value), down(up(shift)));
        const __m256i odd = rounded(_mm256_mul_epi32(down(x.value), down(multipliers.value)), down(shift));
        // A number fits where its upper half is the sign of the lower one; the upper half tells the end it passes.
        const avx2_ints low = joined(even, up(odd));
        const avx2_ints high = joined(down(even), odd);
        return saturated_unless(_mm256_cmpeq_epi32(high.value, (low >> 31).value), low, high);
    }
    static NOTCH_INLINE avx2_ints twice(avx2_ints x, avx2_ints multipliers, avx2_ints exponents) noexcept {
        const __m256i zero = _mm256_setzero_si256();
        const avx2_ints left(_mm256_max_epi32(exponents.value, zero));
        const avx2_ints right(_mm256_max_epi32(_mm256_sub_epi32(zero, exponents.value), zero));
        const avx2_ints moved = x << left;
        const __m256i shifted = saturated_unless(_mm256_cmpeq_epi32((moved >> left).value, x.value), moved, x).value;
        // Bits 31 to 62 of the product are the result: rounded with ties up, which is what the definition does.
        const __m256i half = _mm256_set1_epi64x(std::int64_t{1} << 30);
        const __m256i even = _mm256_add_epi64(_mm256_mul_epi32(shifted, multipliers.value), half);
        const __m256i odd = _mm256_add_epi64(_mm256_mul_epi32(down(shifted), down(multipliers.value)), half);
        return nearest_away::shift_right(joined(_mm256_srli_epi64(even, 31), _mm256_slli_epi64(odd, 1)), right);
    }

private:
    static NOTCH_INLINE __m256i down(__m256i a) noexcept { return _mm256_srli_epi64(a, 32); }
    static NOTCH_INLINE __m256i up(__m256i a) noexcept { return _mm256_slli_epi64(a, 32); }
    /// The lower halves of the even, the upper halves of the odd.
    static NOTCH_INLINE avx2_ints joined(__m256i even, __m256i odd) noexcept {
        return _mm256_blend_epi32(even, odd, 0b10101010);
    }
    /// floor(product / 2^shift + 1/2). The shift is a logical one: of a number that is 2^63 larger, which makes the
    /// result 2^(63 - shift) larger.
    static NOTCH_INLINE __m256i rounded(__m256i product, __m256i shift) noexcept {
        const __m256i top = _mm256_set1_epi64x(std::numeric_limits<std::int64_t>::min());
        const __m256i half = _mm256_srli_epi64(_mm256_sllv_epi64(_mm256_set1_epi64x(1), shift), 1);
        const __m256i sum = _mm256_add_epi64(product, _mm256_add_epi64(top, half));
        return _mm256_sub_epi64(_mm256_srlv_epi64(sum, shift), _mm256_srlv_epi64(top, shift));
    }
    /// x where the mask is set, elsewhere the end of int32 on the side of y.
    static NOTCH_INLINE avx2_ints saturated_unless(__m256i mask, avx2_ints x, avx2_ints y) noexcept {
        const __m256i end = _mm256_xor_si256((y >> 31).value, _mm256_set1_epi32(0x7fff'ffff));
        return _mm256_blendv_epi8(end, x.value, mask);
    }
};

/// See int_lane.hpp.
template <> struct widest_lane<avx2> {
    using type = avx2_ints; ///< the lane
};

} // namespace notch::simd

#endif

/// @file
/// The lane of AVX-512 F and BW: sixteen int32. Part of simd/int_kernels.hpp; int_lane.hpp states the contract.
#pragma once

#include <notch/core/config.hpp>
#include <notch/core/rounding.hpp>
#include <notch/simd/arch.hpp>
#include <notch/simd/int_lane.hpp>

#if defined(__AVX512F__) && defined(__AVX512BW__)

#include <cstddef>
#include <cstdint>
#include <limits>

#include <immintrin.h>

// Intrinsics of gcc 12 pass an undefined register where no lane is masked out, and its macros an unsigned mask.
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wuninitialized"
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#pragma GCC diagnostic ignored "-Wsign-conversion"
#endif

namespace notch::simd {

/// Sixteen int32 that wrap around.
struct avx512_ints {
    __m512i value; ///< the register

    NOTCH_INLINE avx512_ints(__m512i v) noexcept : value(v) {} // NOLINT(google-explicit-constructor)
    NOTCH_INLINE explicit avx512_ints(std::int32_t v) noexcept : value(_mm512_set1_epi32(v)) {} ///< sixteen times v

    friend NOTCH_INLINE avx512_ints operator+(avx512_ints a, avx512_ints b) noexcept {
        return _mm512_add_epi32(a.value, b.value);
    }
    friend NOTCH_INLINE avx512_ints operator-(avx512_ints a, avx512_ints b) noexcept {
        return _mm512_sub_epi32(a.value, b.value);
    }
    friend NOTCH_INLINE avx512_ints operator*(avx512_ints a, avx512_ints b) noexcept {
        return _mm512_mullo_epi32(a.value, b.value);
    }
    friend NOTCH_INLINE avx512_ints operator&(avx512_ints a, avx512_ints b) noexcept {
        return _mm512_and_si512(a.value, b.value);
    }
    friend NOTCH_INLINE avx512_ints operator|(avx512_ints a, avx512_ints b) noexcept {
        return _mm512_or_si512(a.value, b.value);
    }
    friend NOTCH_INLINE avx512_ints operator~(avx512_ints a) noexcept {
        return _mm512_xor_si512(a.value, _mm512_set1_epi32(-1));
    }
    friend NOTCH_INLINE avx512_ints operator<<(avx512_ints a, int n) noexcept {
        return _mm512_sll_epi32(a.value, _mm_cvtsi32_si128(n));
    }
    friend NOTCH_INLINE avx512_ints operator>>(avx512_ints a, int n) noexcept {
        return _mm512_sra_epi32(a.value, _mm_cvtsi32_si128(n));
    }
    friend NOTCH_INLINE avx512_ints operator<<(avx512_ints a, avx512_ints n) noexcept {
        return _mm512_sllv_epi32(a.value, n.value);
    }
    friend NOTCH_INLINE avx512_ints operator>>(avx512_ints a, avx512_ints n) noexcept {
        return _mm512_srav_epi32(a.value, n.value);
    }
    friend NOTCH_INLINE avx512_floats to_floats(avx512_ints a) noexcept { return _mm512_cvtepi32_ps(a.value); }
    friend NOTCH_INLINE void store_saturated(std::uint8_t* to, avx512_ints a) noexcept {
        // The narrowing store takes its operand as unsigned.
        store_bytes(to, _mm512_cvtusepi32_epi8(_mm512_max_epi32(a.value, _mm512_setzero_si512())));
    }
    friend NOTCH_INLINE void store_saturated(std::int8_t* to, avx512_ints a) noexcept {
        store_bytes(to, _mm512_cvtsepi32_epi8(a.value));
    }

private:
    static NOTCH_INLINE void store_bytes(void* to, __m128i bytes) noexcept {
        _mm_storeu_si128(static_cast<__m128i*>(to), bytes);
    }
};

/// The integers that the floats are.
[[nodiscard]] NOTCH_INLINE avx512_ints to_ints(avx512_floats x) noexcept { return _mm512_cvtps_epi32(x.value); }
/// See int_lane.hpp.
[[nodiscard]] NOTCH_INLINE avx512_ints nearest_ints(avx512_floats x) noexcept { return _mm512_cvtps_epi32(x.value); }
/// See int_lane.hpp.
[[nodiscard]] NOTCH_INLINE avx512_floats powers_of_two(avx512_ints n) noexcept {
    return _mm512_castsi512_ps(((n + avx512_ints(127)) << 23).value);
}
/// See int_lane.hpp.
[[nodiscard]] NOTCH_INLINE avx512_floats clamp_floats(avx512_floats x, avx512_floats lowest,
                                                      avx512_floats highest) noexcept {
    return _mm512_min_ps(_mm512_max_ps(x.value, lowest.value), highest.value);
}
/// See int_lane.hpp.
[[nodiscard]] NOTCH_INLINE avx512_floats as_rounded(avx512_floats x) noexcept {
    asm("" : "+v"(x.value));
    return x;
}
/// See int_lane.hpp.
NOTCH_INLINE void store_floats(float* to, avx512_floats x) noexcept { _mm512_storeu_ps(to, x.value); }

/// See lane.hpp.
template <> struct lane_traits<avx512_ints> {
    static constexpr bool is_lane = true;    ///< a lane
    static constexpr std::size_t width = 16; ///< numbers per lane
    static NOTCH_INLINE avx512_ints load(const std::int32_t* from) noexcept { return _mm512_loadu_si512(from); }
    static NOTCH_INLINE void store(std::int32_t* to, avx512_ints a) noexcept { _mm512_storeu_si512(to, a.value); }
    static NOTCH_INLINE avx512_ints min(avx512_ints a, avx512_ints b) noexcept {
        return _mm512_min_epi32(a.value, b.value);
    }
    static NOTCH_INLINE avx512_ints max(avx512_ints a, avx512_ints b) noexcept {
        return _mm512_max_epi32(a.value, b.value);
    }
};

/// See int_lane.hpp.
template <> struct lane_floats<avx512_ints> {
    using type = avx512_floats; ///< the companion
    static NOTCH_INLINE avx512_floats load(const float* from) noexcept { return _mm512_loadu_ps(from); }
};

/// See int_lane.hpp. Products of 64 bits come from the even numbers, and from the odd ones moved down.
template <> struct q31_products<avx512_ints> {
    static NOTCH_INLINE avx512_ints single(avx512_ints x, avx512_ints multipliers, avx512_ints exponents) noexcept {
        const __m512i shift = _mm512_sub_epi32(_mm512_set1_epi32(31), exponents.value); // 1 .. 61
        const __m512i even = rounded(_mm512_mul_epi32(x.value, multipliers.value), down(up(shift)));
        const __m512i odd = rounded(_mm512_mul_epi32(down(x.value), down(multipliers.value)), down(shift));
        return joined(saturated(even), up(saturated(odd)));
    }
    static NOTCH_INLINE avx512_ints twice(avx512_ints x, avx512_ints multipliers, avx512_ints exponents) noexcept {
        const __m512i zero = _mm512_setzero_si512();
        const avx512_ints left(_mm512_max_epi32(exponents.value, zero));
        const avx512_ints right(_mm512_max_epi32(_mm512_sub_epi32(zero, exponents.value), zero));
        const avx512_ints moved = x << left;
        const __m512i shifted =
            _mm512_mask_xor_epi32(moved.value, _mm512_cmpneq_epi32_mask((moved >> left).value, x.value),
                                  (x >> 31).value, _mm512_set1_epi32(0x7fff'ffff));
        // Bits 31 to 62 of the product are the result: rounded with ties up, which is what the definition does.
        const __m512i half = _mm512_set1_epi64(std::int64_t{1} << 30);
        const __m512i even = _mm512_add_epi64(_mm512_mul_epi32(shifted, multipliers.value), half);
        const __m512i odd = _mm512_add_epi64(_mm512_mul_epi32(down(shifted), down(multipliers.value)), half);
        return nearest_away::shift_right(joined(_mm512_srli_epi64(even, 31), _mm512_slli_epi64(odd, 1)), right);
    }

private:
    static NOTCH_INLINE __m512i down(__m512i a) noexcept { return _mm512_srli_epi64(a, 32); }
    static NOTCH_INLINE __m512i up(__m512i a) noexcept { return _mm512_slli_epi64(a, 32); }
    /// The lower halves of the even, the upper halves of the odd.
    static NOTCH_INLINE avx512_ints joined(__m512i even, __m512i odd) noexcept {
        return _mm512_mask_blend_epi32(0xaaaa, even, odd);
    }
    static NOTCH_INLINE __m512i rounded(__m512i product, __m512i shift) noexcept {
        const __m512i one = _mm512_set1_epi64(1);
        const __m512i half = _mm512_sllv_epi64(one, _mm512_sub_epi64(shift, one));
        return _mm512_srav_epi64(_mm512_add_epi64(product, half), shift); // below 2^62 + 2^60
    }
    static NOTCH_INLINE __m512i saturated(__m512i a) noexcept {
        using limits = std::numeric_limits<std::int32_t>;
        return _mm512_min_epi64(_mm512_max_epi64(a, _mm512_set1_epi64(limits::min())),
                                _mm512_set1_epi64(limits::max()));
    }
};

/// See int_lane.hpp.
template <> struct widest_lane<avx512bw> {
    using type = avx512_ints; ///< the lane
};

} // namespace notch::simd

#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic pop
#endif

#endif

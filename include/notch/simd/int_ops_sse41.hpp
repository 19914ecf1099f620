/// @file
/// Matrix kernels: the integer products of SSE4.1. Part of simd/int_kernels.hpp; int_ops.hpp states the contract.
#pragma once

#include <notch/core/config.hpp>
#include <notch/simd/arch.hpp>
#include <notch/simd/int_lane_sse41.hpp>
#include <notch/simd/int_ops.hpp>

#if defined(__SSE4_1__)

#include <cstddef>
#include <cstdint>
#include <cstring>

#include <smmintrin.h>

namespace notch::simd {

/// Registers of 16 bytes.
template <> struct int_ops<sse41> {
    using reg = __m128i;                          ///< a register
    static constexpr std::size_t bytes = 16;      ///< of a register
    static constexpr std::size_t count = 4;       ///< registers per step
    static constexpr bool has_quad8 = false;      ///< there is no exact product of four
    static constexpr bool has_pairs = true;       ///< pairs8 and pairs16 exist
    static constexpr bool signed_rows = false;    ///< the row operand of pairs8 is uint8
    static constexpr std::size_t tile_rows = 2;   ///< rows of a tile: a third would take all sixteen registers
    static constexpr std::size_t tile_panels = 1; ///< panels of a tile

    static NOTCH_INLINE reg zero() noexcept { return _mm_setzero_si128(); }
    static NOTCH_INLINE reg load(const void* from) noexcept {
        return _mm_loadu_si128(static_cast<const __m128i*>(from));
    }
    static NOTCH_INLINE void store(void* to, reg r) noexcept { _mm_storeu_si128(static_cast<__m128i*>(to), r); }
    static NOTCH_INLINE reg as_computed(reg r) noexcept {
#if !defined(__clang__)
        asm("" : "+x"(r));
#endif
        return r;
    }
    static NOTCH_INLINE reg repeat4(const void* from) noexcept {
        std::int32_t four = 0;
        std::memcpy(&four, from, 4);
        return _mm_set1_epi32(four);
    }
    static NOTCH_INLINE reg add16(reg a, reg b) noexcept { return _mm_add_epi16(a, b); }
    static NOTCH_INLINE reg subtract16(reg a, reg b) noexcept { return _mm_sub_epi16(a, b); }
    static NOTCH_INLINE reg add32(reg a, reg b) noexcept { return _mm_add_epi32(a, b); }
    static NOTCH_INLINE reg subtract32(reg a, reg b) noexcept { return _mm_sub_epi32(a, b); }
    template <int Count> static NOTCH_INLINE reg shift_right32(reg a) noexcept { return _mm_srai_epi32(a, Count); }
    static NOTCH_INLINE reg shift_left32(reg a, reg counts) noexcept {
        return (sse41_ints(a) << sse41_ints(counts)).value;
    }
    static NOTCH_INLINE reg pairs16(reg a, reg b) noexcept { return _mm_madd_epi16(a, b); }
    static NOTCH_INLINE reg pairs8(reg a, reg b) noexcept { return _mm_maddubs_epi16(a, b); }
    static NOTCH_INLINE reg multiply16(reg a, reg b) noexcept { return _mm_mullo_epi16(a, b); }
    static NOTCH_INLINE reg bytes32(const std::uint8_t* from) noexcept {
        std::int32_t four = 0;
        std::memcpy(&four, from, 4);
        return _mm_cvtepu8_epi32(_mm_cvtsi32_si128(four));
    }
    template <int Bits, int Part> static NOTCH_INLINE reg stored_codes(reg unit) noexcept {
        if constexpr (Part > 0)
            unit = _mm_srli_epi16(unit, Bits * Part);
        return _mm_and_si128(unit, _mm_set1_epi8((1 << Bits) - 1));
    }
    static NOTCH_INLINE void add_scaled(float* sums, reg a, const float* scales) noexcept {
        const sse41_floats product = to_floats(sse41_ints(a)) * sse41_floats(_mm_loadu_ps(scales));
        _mm_storeu_ps(sums, _mm_add_ps(_mm_loadu_ps(sums), as_rounded(product).value));
    }
};

} // namespace notch::simd

#endif

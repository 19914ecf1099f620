/// @file
/// Matrix kernels: the integer products of AVX-512. Part of simd/int_kernels.hpp; int_ops.hpp states the contract.
#pragma once

#include <notch/core/config.hpp>
#include <notch/simd/arch.hpp>
#include <notch/simd/int_lane_avx512.hpp>
#include <notch/simd/int_ops.hpp>

#if defined(__AVX512F__) && defined(__AVX512BW__)

#include <cstddef>
#include <cstdint>
#include <cstring>

#include <immintrin.h>

// Intrinsics of gcc 12 pass an undefined register where no lane is masked out, and its macros an unsigned mask.
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wuninitialized"
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#pragma GCC diagnostic ignored "-Wsign-conversion"
#endif

namespace notch::simd {

/// Registers of 64 bytes.
template <> struct int_ops<avx512bw> {
    using reg = __m512i;                          ///< a register
    static constexpr std::size_t bytes = 64;      ///< of a register
    static constexpr std::size_t count = 1;       ///< registers per step
    static constexpr bool has_quad8 = false;      ///< there is no exact product of four
    static constexpr bool has_pairs = true;       ///< pairs8 and pairs16 exist
    static constexpr bool signed_rows = false;    ///< the row operand of pairs8 is uint8
    static constexpr std::size_t tile_rows = 8;   ///< rows of a tile
    static constexpr std::size_t tile_panels = 2; ///< panels of a tile

    static NOTCH_INLINE reg zero() noexcept { return _mm512_setzero_si512(); }
    static NOTCH_INLINE reg load(const void* from) noexcept { return _mm512_loadu_si512(from); }
    static NOTCH_INLINE void store(void* to, reg r) noexcept { _mm512_storeu_si512(to, r); }
    static NOTCH_INLINE reg as_computed(reg r) noexcept {
#if !defined(__clang__)
        asm("" : "+v"(r));
#endif
        return r;
    }
    static NOTCH_INLINE reg repeat4(const void* from) noexcept {
        std::int32_t four = 0;
        std::memcpy(&four, from, 4);
        return _mm512_set1_epi32(four);
    }
    static NOTCH_INLINE reg add16(reg a, reg b) noexcept { return _mm512_add_epi16(a, b); }
    static NOTCH_INLINE reg subtract16(reg a, reg b) noexcept { return _mm512_sub_epi16(a, b); }
    static NOTCH_INLINE reg add32(reg a, reg b) noexcept { return _mm512_add_epi32(a, b); }
    static NOTCH_INLINE reg subtract32(reg a, reg b) noexcept { return _mm512_sub_epi32(a, b); }
    template <int Count> static NOTCH_INLINE reg shift_right32(reg a) noexcept { return _mm512_srai_epi32(a, Count); }
    static NOTCH_INLINE reg shift_left32(reg a, reg counts) noexcept { return _mm512_sllv_epi32(a, counts); }
    static NOTCH_INLINE reg pairs16(reg a, reg b) noexcept { return _mm512_madd_epi16(a, b); }
    static NOTCH_INLINE reg pairs8(reg a, reg b) noexcept { return _mm512_maddubs_epi16(a, b); }
    static NOTCH_INLINE reg multiply32(reg a, reg b) noexcept { return _mm512_mullo_epi32(a, b); }
    static NOTCH_INLINE reg multiply16(reg a, reg b) noexcept { return _mm512_mullo_epi16(a, b); }
    static NOTCH_INLINE reg bytes32(const std::uint8_t* from) noexcept {
        return _mm512_cvtepu8_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(from)));
    }
    template <int Bits, int Part> static NOTCH_INLINE reg stored_codes(reg unit) noexcept {
        if constexpr (Part > 0)
            unit = _mm512_srli_epi16(unit, Bits * Part);
        return _mm512_and_si512(unit, _mm512_set1_epi8((1 << Bits) - 1));
    }
    template <int Bits, int Part> static NOTCH_INLINE reg codes_in_place(reg unit) noexcept {
        return _mm512_and_si512(unit, _mm512_set1_epi8(static_cast<char>(((1 << Bits) - 1) << (Bits * Part))));
    }
    static NOTCH_INLINE void add_scaled(float* sums, reg a, const float* scales) noexcept {
        const avx512_floats product = to_floats(avx512_ints(a)) * avx512_floats(_mm512_loadu_ps(scales));
        _mm512_storeu_ps(sums, _mm512_add_ps(_mm512_loadu_ps(sums), as_rounded(product).value));
    }
};

#if defined(__AVX512VL__) && defined(__AVX512DQ__) && defined(__AVX512CD__) && defined(__AVX512VNNI__)
/// With the dot product of bytes.
template <> struct int_ops<avx512vnni> : int_ops<avx512bw> {
    static constexpr bool has_quad8 = true;        ///< quad8 exists
    static constexpr std::size_t tile_rows = 6;    ///< rows of a tile
    static constexpr std::size_t tile_panels = 4;  ///< panels of a tile
    static constexpr std::size_t shift_panels = 2; ///< with sums of runs beside the sums
    static constexpr std::size_t shift_rows = 7;   ///< of such a tile
    static constexpr std::size_t narrow_rows = 12; ///< with fewer panels: enough sums to hide the latency of a product

    /// Sixteen bytes four times.
    static NOTCH_INLINE reg repeat16(const void* from) noexcept {
        return _mm512_broadcast_i32x4(_mm_loadu_si128(static_cast<const __m128i*>(from)));
    }
    /// Of each sixteen bytes those that `which` says.
    static NOTCH_INLINE reg shuffle16(reg bytes, reg which) noexcept { return _mm512_shuffle_epi8(bytes, which); }
    static NOTCH_INLINE reg quad8(reg acc, reg a, reg b) noexcept {
#if defined(__GNUC__)
        // The intrinsic of gcc 12 leads to accumulators that are moved and spilled.
        asm("vpdpbusd {%2, %1, %0|%0, %1, %2}" : "+v"(acc) : "v"(a), "v"(b));
        return acc;
#else
        return _mm512_dpbusd_epi32(acc, a, b);
#endif
    }
};
#endif

} // namespace notch::simd

#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic pop
#endif

#endif

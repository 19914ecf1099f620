/// @file
/// Matrix kernels: the integer products of AVX2. Part of simd/int_kernels.hpp; int_ops.hpp states the contract.
#pragma once

#include <notch/core/config.hpp>
#include <notch/simd/arch.hpp>
#include <notch/simd/int_lane_avx2.hpp>
#include <notch/simd/int_ops.hpp>

#if defined(__AVX2__)

#include <cstddef>
#include <cstdint>
#include <cstring>

#include <immintrin.h>

namespace notch::simd {

/// Registers of 32 bytes.
template <> struct int_ops<avx2> {
    using reg = __m256i;                          ///< a register
    static constexpr std::size_t bytes = 32;      ///< of a register
    static constexpr std::size_t count = 2;       ///< registers per step
    static constexpr bool has_quad8 = false;      ///< there is no exact product of four
    static constexpr bool has_pairs = true;       ///< pairs8 and pairs16 exist
    static constexpr bool signed_rows = false;    ///< the row operand of pairs8 is uint8
    static constexpr std::size_t tile_rows = 6;   ///< rows of a tile
    static constexpr std::size_t tile_panels = 1; ///< panels of a tile

    static NOTCH_INLINE reg zero() noexcept { return _mm256_setzero_si256(); }
    static NOTCH_INLINE reg load(const void* from) noexcept {
        return _mm256_loadu_si256(static_cast<const __m256i*>(from));
    }
    static NOTCH_INLINE void store(void* to, reg r) noexcept { _mm256_storeu_si256(static_cast<__m256i*>(to), r); }
    static NOTCH_INLINE reg as_computed(reg r) noexcept {
        asm("" : "+x"(r)); // clang 14 gains a fifth from it on chains
        return r;
    }
    static NOTCH_INLINE reg repeat4(const void* from) noexcept {
        std::int32_t four = 0;
        std::memcpy(&four, from, 4);
        return _mm256_set1_epi32(four);
    }
    static NOTCH_INLINE reg add16(reg a, reg b) noexcept { return _mm256_add_epi16(a, b); }
    static NOTCH_INLINE reg subtract16(reg a, reg b) noexcept { return _mm256_sub_epi16(a, b); }
    static NOTCH_INLINE reg add32(reg a, reg b) noexcept { return _mm256_add_epi32(a, b); }
    static NOTCH_INLINE reg subtract32(reg a, reg b) noexcept { return _mm256_sub_epi32(a, b); }
    template <int Count> static NOTCH_INLINE reg shift_right32(reg a) noexcept { return _mm256_srai_epi32(a, Count); }
    static NOTCH_INLINE reg shift_left32(reg a, reg counts) noexcept { return _mm256_sllv_epi32(a, counts); }
    static NOTCH_INLINE reg pairs16(reg a, reg b) noexcept { return _mm256_madd_epi16(a, b); }
    static NOTCH_INLINE reg pairs8(reg a, reg b) noexcept { return _mm256_maddubs_epi16(a, b); }
    static NOTCH_INLINE reg multiply32(reg a, reg b) noexcept { return _mm256_mullo_epi32(a, b); }
    static NOTCH_INLINE reg multiply16(reg a, reg b) noexcept { return _mm256_mullo_epi16(a, b); }
    static NOTCH_INLINE reg bytes32(const std::uint8_t* from) noexcept {
        return _mm256_cvtepu8_epi32(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(from)));
    }
    template <int Bits, int Part> static NOTCH_INLINE reg stored_codes(reg unit) noexcept {
        if constexpr (Part > 0)
            unit = _mm256_srli_epi16(unit, Bits * Part);
        return _mm256_and_si256(unit, _mm256_set1_epi8((1 << Bits) - 1));
    }
    template <int Bits, int Part> static NOTCH_INLINE reg codes_in_place(reg unit) noexcept {
        return _mm256_and_si256(unit, _mm256_set1_epi8(static_cast<char>(((1 << Bits) - 1) << (Bits * Part))));
    }
    static NOTCH_INLINE void add_scaled(float* sums, reg a, const float* scales) noexcept {
        const avx2_floats product = to_floats(avx2_ints(a)) * avx2_floats(_mm256_loadu_ps(scales));
        _mm256_storeu_ps(sums, _mm256_add_ps(_mm256_loadu_ps(sums), as_rounded(product).value));
    }
};

#if defined(__AVXVNNI__)
/// With the dot product of bytes.
template <> struct int_ops<avx_vnni> : int_ops<avx2> {
    static constexpr bool has_quad8 = true; ///< quad8 exists

    static NOTCH_INLINE reg quad8(reg acc, reg a, reg b) noexcept { return _mm256_dpbusd_avx_epi32(acc, a, b); }
};
#endif

} // namespace notch::simd

#endif

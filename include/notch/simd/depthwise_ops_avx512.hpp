/// @file
/// Depthwise convolutions: the products of AVX-512, and of dot products of int16. Part of simd/depthwise_isa.hpp;
/// depthwise_ops.hpp states the contract.
#pragma once

#include <notch/core/config.hpp>
#include <notch/simd/arch.hpp>
#include <notch/simd/depthwise_ops.hpp>
#include <notch/simd/depthwise_ops_avx2.hpp>

#if defined(__AVX2__)

#include <cstddef>
#include <cstdint>

#include <immintrin.h>

// Intrinsics of gcc 12 pass an undefined register where no lane is masked out.
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wuninitialized"
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#endif

namespace notch::simd {

/// @cond the contract documents the members
#if defined(__AVXVNNI__)
/// Product and sum in one instruction.
template <> struct depthwise_ops<avx_vnni> : depthwise_ops<avx2> {
    static NOTCH_INLINE sums add(sums s, operand a, operand w) noexcept { return _mm256_dpwssd_avx_epi32(s, a, w); }
};
#endif

#if defined(__AVX512F__) && defined(__AVX512BW__)
/// Two columns as pairs of int16, in all channels at once. Units are made as those of AVX2 are.
template <> struct depthwise_ops<avx512bw> : depthwise_ops<avx2> {
    static constexpr std::size_t slices = 1;
    using operand = __m512i;
    using sums = __m512i;

    static NOTCH_INLINE operand load(const std::byte* from) noexcept { return _mm512_load_si512(from); }
    static NOTCH_INLINE operand held(operand a) noexcept {
        asm("" : "+v"(a));
        return a;
    }
    static NOTCH_INLINE sums product(operand a, operand w) noexcept { return _mm512_madd_epi16(a, w); }
    static NOTCH_INLINE sums add(sums s, operand a, operand w) noexcept {
        s = _mm512_add_epi32(s, _mm512_madd_epi16(a, w));
        asm("" : "+v"(s)); // or gcc starts all products at once, and spills
        return s;
    }
    template <bool Signed>
    static NOTCH_INLINE void unit_of_codes(const std::uint8_t* const* pixels, std::int32_t zero, std::byte* to,
                                           std::size_t /*step*/) noexcept {
        depthwise_ops<avx2>::unit_of_codes<Signed>(pixels, zero, to, 32);
    }
    static NOTCH_INLINE void store(std::int32_t* to, std::size_t /*slice*/, sums s) noexcept {
        _mm512_storeu_si512(to, s);
    }
};

#if defined(__AVX512VL__) && defined(__AVX512DQ__) && defined(__AVX512CD__) && defined(__AVX512VNNI__)
/// Product and sum in one instruction.
template <> struct depthwise_ops<avx512vnni> : depthwise_ops<avx512bw> {
    static NOTCH_INLINE sums add(sums s, operand a, operand w) noexcept {
#if defined(__GNUC__)
        // The intrinsic of gcc 12 leads to accumulators that are moved and spilled.
        asm("vpdpwssd {%2, %1, %0|%0, %1, %2}" : "+v"(s) : "v"(a), "v"(w));
        return s;
#else
        return _mm512_dpwssd_epi32(s, a, w);
#endif
    }
};
#endif
#endif
/// @endcond

} // namespace notch::simd

#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic pop
#endif

#endif

/// @file
/// Depthwise convolutions: the products of SSE4.1. Part of simd/depthwise_isa.hpp; depthwise_ops.hpp states the contract.
#pragma once

#include <notch/core/config.hpp>
#include <notch/simd/arch.hpp>
#include <notch/simd/depthwise_ops.hpp>

#if defined(__SSE4_1__)

#include <cstddef>
#include <cstdint>

#include <smmintrin.h>

namespace notch::simd {

/// @cond the contract documents the members
/// Two columns as pairs of int16: a slice is four channels, and one product adds both columns.
template <> struct depthwise_ops<sse41> {
    static constexpr std::size_t columns = 2;
    static constexpr std::size_t slices = 4;
    static constexpr std::size_t unit_bytes = 64;
    using operand = __m128i;
    using sums = __m128i;

    static NOTCH_INLINE operand load(const std::byte* from) noexcept {
        return _mm_load_si128(reinterpret_cast<const __m128i*>(from));
    }
    static NOTCH_INLINE operand held(operand a) noexcept {
        asm("" : "+x"(a));
        return a;
    }
    static NOTCH_INLINE sums product(operand a, operand w) noexcept { return _mm_madd_epi16(a, w); }
    static NOTCH_INLINE sums add(sums s, operand a, operand w) noexcept {
        s = _mm_add_epi32(s, _mm_madd_epi16(a, w));
        asm("" : "+x"(s)); // or gcc starts all products at once, and spills
        return s;
    }
    static NOTCH_INLINE void store(std::int32_t* to, std::size_t slice, sums s) noexcept {
        _mm_storeu_si128(reinterpret_cast<__m128i*>(to) + slice, s);
    }
    template <bool Signed>
    static NOTCH_INLINE void unit_of_codes(const std::uint8_t* const* pixels, std::int32_t zero, std::byte* to,
                                           std::size_t step) noexcept {
        store_unit<Signed>(sixteen(pixels[0]), sixteen(pixels[1]), _mm_set1_epi16(static_cast<short>(zero)), to, step);
    }
    static NOTCH_INLINE void unit_of_weights(const std::int8_t* const* taps, std::byte* to) noexcept {
        store_unit<true>(sixteen(taps[0]), sixteen(taps[1]), _mm_setzero_si128(), to, 16);
    }

private:
    static NOTCH_INLINE __m128i sixteen(const void* from) noexcept {
        return _mm_loadu_si128(static_cast<const __m128i*>(from));
    }
    template <bool Signed>
    static NOTCH_INLINE void store_unit(__m128i a, __m128i b, __m128i zero, std::byte* to, std::size_t step) noexcept {
        const __m128i low = _mm_unpacklo_epi8(a, b);
        const __m128i high = _mm_unpackhi_epi8(a, b);
        const auto slice = [to, step](std::size_t i)
                               NOTCH_LAMBDA_INLINE { return reinterpret_cast<__m128i*>(to + i * step); };
        _mm_store_si128(slice(0), _mm_sub_epi16(words<Signed>(low), zero));
        _mm_store_si128(slice(1), _mm_sub_epi16(words<Signed>(_mm_unpackhi_epi64(low, low)), zero));
        _mm_store_si128(slice(2), _mm_sub_epi16(words<Signed>(high), zero));
        _mm_store_si128(slice(3), _mm_sub_epi16(words<Signed>(_mm_unpackhi_epi64(high, high)), zero));
    }
    /// The first eight bytes as int16.
    template <bool Signed> static NOTCH_INLINE __m128i words(__m128i bytes) noexcept {
        return Signed ? _mm_cvtepi8_epi16(bytes) : _mm_cvtepu8_epi16(bytes);
    }
};
/// @endcond

} // namespace notch::simd

#endif

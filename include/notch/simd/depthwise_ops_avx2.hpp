/// @file
/// Depthwise convolutions: the products of AVX2. Part of simd/depthwise_isa.hpp; depthwise_ops.hpp states the contract.
#pragma once

#include <notch/core/config.hpp>
#include <notch/simd/arch.hpp>
#include <notch/simd/depthwise_ops.hpp>

#if defined(__AVX2__)

#include <cstddef>
#include <cstdint>

#include <immintrin.h>

namespace notch::simd {

/// @cond the contract documents the members
/// Two columns as pairs of int16: a slice is eight channels, and one product adds both columns.
template <> struct depthwise_ops<avx2> {
    static constexpr std::size_t columns = 2;
    static constexpr std::size_t slices = 2;
    static constexpr std::size_t unit_bytes = 64;
    using operand = __m256i;
    using sums = __m256i;

    static NOTCH_INLINE operand load(const std::byte* from) noexcept {
        return _mm256_load_si256(reinterpret_cast<const __m256i*>(from));
    }
    static NOTCH_INLINE operand held(operand a) noexcept {
        asm("" : "+x"(a));
        return a;
    }
    static NOTCH_INLINE sums product(operand a, operand w) noexcept { return _mm256_madd_epi16(a, w); }
    static NOTCH_INLINE sums add(sums s, operand a, operand w) noexcept {
        s = _mm256_add_epi32(s, _mm256_madd_epi16(a, w));
        asm("" : "+x"(s)); // or gcc starts all products at once, and spills
        return s;
    }
    static NOTCH_INLINE void store(std::int32_t* to, std::size_t slice, sums s) noexcept {
        _mm256_storeu_si256(reinterpret_cast<__m256i*>(to) + slice, s);
    }
    template <bool Signed>
    static NOTCH_INLINE void unit_of_codes(const std::uint8_t* const* pixels, std::int32_t zero, std::byte* to,
                                           std::size_t step) noexcept {
        store_unit<Signed>(twice(pixels[0]), twice(pixels[1]), _mm256_set1_epi16(static_cast<short>(zero)), to, step);
    }
    static NOTCH_INLINE void unit_of_weights(const std::int8_t* const* taps, std::byte* to) noexcept {
        store_unit<true>(twice(taps[0]), twice(taps[1]), _mm256_setzero_si256(), to, 32);
    }

private:
    /// Sixteen bytes, in both halves of a register: shuffles within halves are the cheap ones.
    static NOTCH_INLINE __m256i twice(const void* from) noexcept {
        return _mm256_broadcastsi128_si256(_mm_loadu_si128(static_cast<const __m128i*>(from)));
    }
    template <bool Signed>
    static NOTCH_INLINE void store_unit(__m256i a, __m256i b, __m256i zero, std::byte* to, std::size_t step) noexcept {
        _mm256_store_si256(reinterpret_cast<__m256i*>(to),
                           _mm256_sub_epi16(words<Signed>(_mm256_unpacklo_epi8(a, b)), zero));
        _mm256_store_si256(reinterpret_cast<__m256i*>(to + step),
                           _mm256_sub_epi16(words<Signed>(_mm256_unpackhi_epi8(a, b)), zero));
    }
    /// The first eight bytes of the lower half, the last eight of the upper half, as int16.
    template <bool Signed> static NOTCH_INLINE __m256i words(__m256i bytes) noexcept {
        if constexpr (Signed) { // to the upper bytes, and down with their signs
            const __m256i places = _mm256_setr_epi8(-1, 0, -1, 1, -1, 2, -1, 3, -1, 4, -1, 5, -1, 6, -1, 7, -1, 8, -1,
                                                    9, -1, 10, -1, 11, -1, 12, -1, 13, -1, 14, -1, 15);
            return _mm256_srai_epi16(_mm256_shuffle_epi8(bytes, places), 8);
        } else {
            const __m256i places = _mm256_setr_epi8(0, -1, 1, -1, 2, -1, 3, -1, 4, -1, 5, -1, 6, -1, 7, -1, 8, -1, 9,
                                                    -1, 10, -1, 11, -1, 12, -1, 13, -1, 14, -1, 15, -1);
            return _mm256_shuffle_epi8(bytes, places);
        }
    }
};
/// @endcond

} // namespace notch::simd

#endif

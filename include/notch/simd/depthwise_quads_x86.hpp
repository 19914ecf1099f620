/// @file
/// Depthwise convolutions: dot products of four columns, of x86. Part of simd/depthwise_isa.hpp; depthwise_quads.hpp
/// states the contract.
///
/// Without dot products of bytes, three products of two bytes add up in int16: exact for weights of 4 and 2 bits.
/// Lane l of a register of pixels gets channels 4 l .. 4 l + 3 of each sixteen (of each thirty-two bytes: eight), so that
/// what is interleaved within the lanes leaves the channels of a unit in their order.
#pragma once

#include <notch/core/config.hpp>
#include <notch/simd/arch.hpp>
#include <notch/simd/depthwise_quads.hpp>
#include <notch/simd/int_kernels.hpp>

#if defined(__SSE4_1__)

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
/// Four channels a register.
template <> struct depthwise_quads<sse41> {
    static constexpr std::uint32_t largest_weight = 32767 / (3 * 2 * 255);
    static constexpr std::size_t register_bytes = 16;
    using operand = __m128i;
    using sums = __m128i;

    static NOTCH_INLINE operand load(const std::byte* from) noexcept {
        return _mm_load_si128(reinterpret_cast<const __m128i*>(from));
    }
    static NOTCH_INLINE sums load_sums(const std::int32_t* from) noexcept {
        return _mm_loadu_si128(reinterpret_cast<const __m128i*>(from));
    }
    static NOTCH_INLINE void store(std::int32_t* to, sums s) noexcept {
        _mm_storeu_si128(reinterpret_cast<__m128i*>(to), s);
    }
    static NOTCH_INLINE operand next_phase(operand w) noexcept { return _mm_slli_epi32(w, 8); }
    static NOTCH_INLINE sums dot(sums s, operand a, operand b, operand c, operand u, operand v, operand w) noexcept {
        const __m128i words =
            _mm_add_epi16(_mm_add_epi16(_mm_maddubs_epi16(a, u), _mm_maddubs_epi16(b, v)), _mm_maddubs_epi16(c, w));
        return _mm_add_epi32(s, _mm_madd_epi16(words, _mm_set1_epi16(1)));
    }
    template <std::size_t Panels, bool Signed>
    static NOTCH_INLINE operand load_pixel(const std::uint8_t* from) noexcept {
        static_assert(Panels == 1);
        const __m128i codes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(from));
        return Signed ? _mm_xor_si128(codes, _mm_set1_epi8(-128)) : codes;
    }
    template <std::size_t Panels, bool Signed>
    static NOTCH_INLINE void store_pair(std::byte* to, const std::uint8_t* left, const std::uint8_t* right) noexcept {
        const __m128i a = load_pixel<Panels, Signed>(left);
        const __m128i b = load_pixel<Panels, Signed>(right);
        _mm_store_si128(reinterpret_cast<__m128i*>(to), _mm_unpacklo_epi8(a, b));
        _mm_store_si128(reinterpret_cast<__m128i*>(to + register_bytes), _mm_unpackhi_epi8(a, b));
    }
    template <bool Odd> static NOTCH_INLINE operand quad(operand left, operand right) noexcept {
        return Odd ? _mm_unpackhi_epi16(left, right) : _mm_unpacklo_epi16(left, right);
    }
    static NOTCH_INLINE void quads_of_weights(const std::int8_t* taps, std::byte* to) noexcept {
        const auto tap = [taps](std::size_t i) NOTCH_LAMBDA_INLINE {
            return _mm_loadu_si128(reinterpret_cast<const __m128i*>(taps + i * depthwise_channels));
        };
        const __m128i zero = _mm_setzero_si128();
        const __m128i low = _mm_unpacklo_epi8(tap(0), tap(1));
        const __m128i high = _mm_unpackhi_epi8(tap(0), tap(1));
        const __m128i last_low = _mm_unpacklo_epi8(tap(2), zero);
        const __m128i last_high = _mm_unpackhi_epi8(tap(2), zero);
        auto* const at = reinterpret_cast<__m128i*>(to);
        _mm_store_si128(at, _mm_unpacklo_epi16(low, last_low));
        _mm_store_si128(at + 1, _mm_unpackhi_epi16(low, last_low));
        _mm_store_si128(at + 2, _mm_unpacklo_epi16(high, last_high));
        _mm_store_si128(at + 3, _mm_unpackhi_epi16(high, last_high));
    }
};

#if defined(__AVX2__)
/// Eight channels a register.
template <> struct depthwise_quads<avx2> : depthwise_quads<sse41> {
    static constexpr std::size_t register_bytes = 32;
    using operand = __m256i;
    using sums = __m256i;

    static NOTCH_INLINE operand load(const std::byte* from) noexcept {
        return _mm256_load_si256(reinterpret_cast<const __m256i*>(from));
    }
    static NOTCH_INLINE sums load_sums(const std::int32_t* from) noexcept {
        return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(from));
    }
    static NOTCH_INLINE void store(std::int32_t* to, sums s) noexcept {
        _mm256_storeu_si256(reinterpret_cast<__m256i*>(to), s);
    }
    static NOTCH_INLINE operand next_phase(operand w) noexcept { return _mm256_slli_epi32(w, 8); }
    static NOTCH_INLINE sums dot(sums s, operand a, operand b, operand c, operand u, operand v, operand w) noexcept {
        const __m256i words = _mm256_add_epi16(_mm256_add_epi16(_mm256_maddubs_epi16(a, u), _mm256_maddubs_epi16(b, v)),
                                               _mm256_maddubs_epi16(c, w));
        return _mm256_add_epi32(s, _mm256_madd_epi16(words, _mm256_set1_epi16(1)));
    }
    template <std::size_t Panels, bool Signed>
    static NOTCH_INLINE operand load_pixel(const std::uint8_t* from) noexcept {
        static_assert(Panels <= 2);
        const auto* const codes = reinterpret_cast<const __m128i*>(from);
        __m256i all{};
        if constexpr (Panels == 1)
            all = _mm256_castsi128_si256(_mm_loadu_si128(codes));
        else
            all = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(from));
        all = _mm256_permutevar8x32_epi32(all, _mm256_setr_epi32(0, 2, 4, 6, 1, 3, 5, 7));
        return Signed ? _mm256_xor_si256(all, _mm256_set1_epi8(-128)) : all;
    }
    template <std::size_t Panels, bool Signed>
    static NOTCH_INLINE void store_pair(std::byte* to, const std::uint8_t* left, const std::uint8_t* right) noexcept {
        const __m256i a = load_pixel<Panels, Signed>(left);
        const __m256i b = load_pixel<Panels, Signed>(right);
        _mm256_store_si256(reinterpret_cast<__m256i*>(to), _mm256_unpacklo_epi8(a, b));
        if constexpr (Panels == 2)
            _mm256_store_si256(reinterpret_cast<__m256i*>(to + register_bytes), _mm256_unpackhi_epi8(a, b));
    }
    template <bool Odd> static NOTCH_INLINE operand quad(operand left, operand right) noexcept {
        return Odd ? _mm256_unpackhi_epi16(left, right) : _mm256_unpacklo_epi16(left, right);
    }
};

#if defined(__AVXVNNI__)
/// Dot products of four bytes.
template <> struct depthwise_quads<avx_vnni> : depthwise_quads<avx2> {
    static constexpr std::uint32_t largest_weight = 128;
    static NOTCH_INLINE sums dot(sums s, operand a, operand b, operand c, operand u, operand v, operand w) noexcept {
        using products = int_ops<avx_vnni>;
        return products::quad8(products::quad8(products::quad8(s, a, u), b, v), c, w);
    }
};
#endif

#if defined(__AVX512F__) && defined(__AVX512BW__)
/// Sixteen channels a register.
template <> struct depthwise_quads<avx512bw> : depthwise_quads<sse41> {
    static constexpr std::size_t register_bytes = 64;
    using operand = __m512i;
    using sums = __m512i;

    static NOTCH_INLINE operand load(const std::byte* from) noexcept { return _mm512_load_si512(from); }
    static NOTCH_INLINE sums load_sums(const std::int32_t* from) noexcept { return _mm512_loadu_si512(from); }
    static NOTCH_INLINE void store(std::int32_t* to, sums s) noexcept { _mm512_storeu_si512(to, s); }
    static NOTCH_INLINE operand next_phase(operand w) noexcept { return _mm512_slli_epi32(w, 8); }
    static NOTCH_INLINE sums dot(sums s, operand a, operand b, operand c, operand u, operand v, operand w) noexcept {
        const __m512i words = _mm512_add_epi16(_mm512_add_epi16(_mm512_maddubs_epi16(a, u), _mm512_maddubs_epi16(b, v)),
                                               _mm512_maddubs_epi16(c, w));
        return _mm512_add_epi32(s, _mm512_madd_epi16(words, _mm512_set1_epi16(1)));
    }
    template <std::size_t Panels, bool Signed>
    static NOTCH_INLINE operand load_pixel(const std::uint8_t* from) noexcept {
        static_assert(Panels == 1 || Panels == 2 || Panels == 4);
        const __m512i lanes = _mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
        __m512i all{};
        if constexpr (Panels == 1)
            all = _mm512_castsi128_si512(_mm_loadu_si128(reinterpret_cast<const __m128i*>(from)));
        else if constexpr (Panels == 2)
            all = _mm512_castsi256_si512(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(from)));
        else
            all = _mm512_loadu_si512(from);
        all = _mm512_permutexvar_epi32(lanes, all);
        return Signed ? _mm512_xor_si512(all, _mm512_set1_epi8(-128)) : all;
    }
    template <std::size_t Panels, bool Signed>
    static NOTCH_INLINE void store_pair(std::byte* to, const std::uint8_t* left, const std::uint8_t* right) noexcept {
        const __m512i a = load_pixel<Panels, Signed>(left);
        const __m512i b = load_pixel<Panels, Signed>(right);
        _mm512_store_si512(to, _mm512_unpacklo_epi8(a, b));
        if constexpr (Panels == 4)
            _mm512_store_si512(to + register_bytes, _mm512_unpackhi_epi8(a, b));
    }
    template <bool Odd> static NOTCH_INLINE operand quad(operand left, operand right) noexcept {
        return Odd ? _mm512_unpackhi_epi16(left, right) : _mm512_unpacklo_epi16(left, right);
    }
};

#if defined(__AVX512VL__) && defined(__AVX512DQ__) && defined(__AVX512CD__) && defined(__AVX512VNNI__)
/// Dot products of four bytes.
template <> struct depthwise_quads<avx512vnni> : depthwise_quads<avx512bw> {
    static constexpr std::uint32_t largest_weight = 128;
    static NOTCH_INLINE sums dot(sums s, operand a, operand b, operand c, operand u, operand v, operand w) noexcept {
        using products = int_ops<avx512vnni>;
        return products::quad8(products::quad8(products::quad8(s, a, u), b, v), c, w);
    }
};
#endif
#endif
#endif
/// @endcond

} // namespace notch::simd

#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic pop
#endif

#endif

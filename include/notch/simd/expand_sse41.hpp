/// @file
/// Operands of the microkernels on SSE4.1. Part of simd/int_kernels.hpp; expand.hpp states the contract.
#pragma once

#include <notch/core/config.hpp>
#include <notch/simd/arch.hpp>
#include <notch/simd/expand.hpp>

#if defined(__SSE4_1__)

#include <cstddef>
#include <cstdint>

#include <smmintrin.h>

namespace notch::simd {

/// Four registers are a step.
template <> struct expand_ops<sse41> {
    /// A step of int8 values, or two numbers for each output: four outputs per register.
    struct step {
        __m128i first;  ///< outputs 0 to 3
        __m128i second; ///< outputs 4 to 7
        __m128i third;  ///< outputs 8 to 11
        __m128i fourth; ///< outputs 12 to 15
    };

    /// Each number four times.
    struct biases {
        step bytes; ///< as they are subtracted
        NOTCH_INLINE explicit biases(const std::uint8_t* from) noexcept : bytes(four_times(load(from))) {}
    };
    /// Each number twice.
    struct factors {
        step words; ///< as they are multiplied
        NOTCH_INLINE explicit factors(const std::int16_t* from) noexcept : words(twice(load(from), load(from + 8))) {}
    };

    template <int Bits, int Part>
    static NOTCH_INLINE step codes(const std::uint8_t* unit, const biases& bias) noexcept {
        return {codes_of<Bits, Part>(load(unit), bias.bytes.first),
                codes_of<Bits, Part>(load(unit + 16), bias.bytes.second),
                codes_of<Bits, Part>(load(unit + 32), bias.bytes.third),
                codes_of<Bits, Part>(load(unit + 48), bias.bytes.fourth)};
    }
    static NOTCH_INLINE void store(std::int8_t* to, const step& s) noexcept {
        put(to, s.first);
        put(to + 16, s.second);
        put(to + 32, s.third);
        put(to + 48, s.fourth);
    }
    static NOTCH_INLINE void widen(const step& s, std::int16_t* to) noexcept {
        store_words(to, words_of(s, front()));
        store_words(to + 32, words_of(s, back()));
    }
    static NOTCH_INLINE void widen(const step& s, const factors& f, std::int16_t* to) noexcept {
        store_words(to, product(words_of(s, front()), f.words));
        store_words(to + 32, product(words_of(s, back()), f.words));
    }
    static NOTCH_INLINE void flip_row(const std::uint8_t* from, std::size_t count, std::uint8_t* to) noexcept {
        std::size_t i = 0;
        for (; i + 16 <= count; i += 16)
            put(to + i, _mm_xor_si128(load(from + i), _mm_set1_epi8(-128)));
        expand_ops<scalar>::flip_row(from + i, count - i, to + i);
    }
    static NOTCH_INLINE void widen_row(const std::uint8_t* from, std::size_t count, bool is_signed, std::int32_t zero,
                                       std::int16_t* to) noexcept {
        // Signed codes are flipped to unsigned ones that are 128 larger.
        const __m128i flip = _mm_set1_epi8(static_cast<char>(is_signed ? -128 : 0));
        const __m128i zeros = _mm_set1_epi16(static_cast<short>(is_signed ? zero + 128 : zero));
        std::size_t i = 0;
        for (; i + 16 <= count; i += 16) {
            const __m128i bytes = _mm_xor_si128(load(from + i), flip);
            put(to + i, _mm_sub_epi16(_mm_unpacklo_epi8(bytes, _mm_setzero_si128()), zeros));
            put(to + i + 8, _mm_sub_epi16(_mm_unpackhi_epi8(bytes, _mm_setzero_si128()), zeros));
        }
        expand_ops<scalar>::widen_row(from + i, count - i, is_signed, zero, to + i);
    }

private:
    static NOTCH_INLINE __m128i load(const void* from) noexcept {
        return _mm_loadu_si128(static_cast<const __m128i*>(from));
    }
    static NOTCH_INLINE void put(void* to, __m128i r) noexcept { _mm_storeu_si128(static_cast<__m128i*>(to), r); }
    static NOTCH_INLINE void store_words(std::int16_t* to, const step& s) noexcept {
        put(to, s.first);
        put(to + 8, s.second);
        put(to + 16, s.third);
        put(to + 24, s.fourth);
    }

    /// One register of stored codes as values.
    template <int Bits, int Part> static NOTCH_INLINE __m128i codes_of(__m128i stored, __m128i bias) noexcept {
        if constexpr (Bits < 8) {
            if constexpr (Part > 0)
                stored = _mm_srli_epi16(stored, Bits * Part);
            stored = _mm_sub_epi8(_mm_and_si128(stored, _mm_set1_epi8((1 << Bits) - 1)), bias);
        }
        return stored;
    }
    /// Which bytes of a register are the first two of each output; they go to the upper halves of words.
    static NOTCH_INLINE __m128i front() noexcept {
        return _mm_setr_epi8(-1, 0, -1, 1, -1, 4, -1, 5, -1, 8, -1, 9, -1, 12, -1, 13);
    }
    /// The same for the other two.
    static NOTCH_INLINE __m128i back() noexcept {
        return _mm_setr_epi8(-1, 2, -1, 3, -1, 6, -1, 7, -1, 10, -1, 11, -1, 14, -1, 15);
    }
    static NOTCH_INLINE __m128i words_of(__m128i bytes, __m128i which) noexcept {
        return _mm_srai_epi16(_mm_shuffle_epi8(bytes, which), 8);
    }
    /// [16][2] int16.
    static NOTCH_INLINE step words_of(const step& s, __m128i which) noexcept {
        return {words_of(s.first, which), words_of(s.second, which), words_of(s.third, which),
                words_of(s.fourth, which)};
    }
    /// Words times words, modulo 2^16.
    static NOTCH_INLINE step product(const step& a, const step& b) noexcept {
        return {_mm_mullo_epi16(a.first, b.first), _mm_mullo_epi16(a.second, b.second),
                _mm_mullo_epi16(a.third, b.third), _mm_mullo_epi16(a.fourth, b.fourth)};
    }
    /// Sixteen words, each of them twice.
    static NOTCH_INLINE step twice(__m128i low, __m128i high) noexcept {
        return {_mm_unpacklo_epi16(low, low), _mm_unpackhi_epi16(low, low), _mm_unpacklo_epi16(high, high),
                _mm_unpackhi_epi16(high, high)};
    }
    /// Sixteen bytes, each of them four times.
    static NOTCH_INLINE step four_times(__m128i bytes) noexcept {
        return twice(_mm_unpacklo_epi8(bytes, bytes), _mm_unpackhi_epi8(bytes, bytes));
    }
};

} // namespace notch::simd

#endif

/// @file
/// Operands of the microkernels on AVX-512 F and BW. Part of simd/int_kernels.hpp; expand.hpp states the contract.
#pragma once

#include <notch/core/config.hpp>
#include <notch/simd/arch.hpp>
#include <notch/simd/expand.hpp>
#include <notch/simd/expand_avx2.hpp>

#if defined(__AVX512F__) && defined(__AVX512BW__)

#include <cstddef>
#include <cstdint>

#include <immintrin.h>

// Intrinsics of gcc 12 pass an undefined register where no lane is masked out, and its macros an unsigned mask.
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wuninitialized"
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#pragma GCC diagnostic ignored "-Wsign-conversion"
#endif

namespace notch::simd {

/// One register is a step.
template <> struct expand_ops<avx512bw> {
    /// A step of int8 values.
    struct step {
        __m512i bytes; ///< [16][4]
    };

    /// Each number four times.
    struct biases {
        __m512i bytes; ///< as they are subtracted
        NOTCH_INLINE explicit biases(const std::uint8_t* from) noexcept : bytes(each_byte(lanes(from))) {}
    };
    /// Each number twice.
    struct factors {
        __m512i words; ///< as they are multiplied
        NOTCH_INLINE explicit factors(const std::int16_t* from) noexcept
            : words(
                  _mm512_shuffle_epi8(_mm512_cvtepu16_epi32(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(from))),
                                      everywhere(_mm_setr_epi8(0, 1, 0, 1, 4, 5, 4, 5, 8, 9, 8, 9, 12, 13, 12, 13)))) {}
    };

    /// Lanes of 32 bits, one output each, are rotated so that the code of each byte stands where it is shifted to; a mask
    /// then clears what came from elsewhere.
    template <int Bits> struct scaling {
        __m512i counts[8 / Bits]; ///< how far codes of each step are rotated
        __m512i mask;             ///< where the bits of a shifted code stand
        __m512i bytes;            ///< biases, shifted
        NOTCH_INLINE scaling(const std::uint8_t* from, const std::uint8_t* shifts) noexcept {
            counts[0] = lanes(shifts);
            for (int part = 1; part < 8 / Bits; ++part)
                counts[part] = _mm512_sub_epi32(counts[0], _mm512_set1_epi32(Bits * part));
            mask = each_byte(_mm512_sllv_epi32(_mm512_set1_epi32((1 << Bits) - 1), counts[0]));
            bytes = shifted<0>(each_byte(lanes(from)));
        }
        /// Code number Part of each byte, shifted.
        template <int Part> NOTCH_INLINE __m512i shifted(__m512i stored) const noexcept {
            return _mm512_and_si512(_mm512_rolv_epi32(stored, counts[Part]), mask);
        }
    };

    /// The same in fewer numbers, for shifts that no unsigned code leaves its byte by: (2^Bits - 1) << shift <= 255.
    struct byte_scaling {
        __m512i counts; ///< shifts of the outputs
        __m512i bytes;  ///< biases, shifted
        NOTCH_INLINE byte_scaling(const biases& bias, const std::uint8_t* shifts) noexcept
            : counts(lanes(shifts)), bytes(_mm512_sllv_epi32(bias.bytes, counts)) {}
    };

    template <int Bits, int Part>
    static NOTCH_INLINE step codes(const std::uint8_t* unit, const biases& bias) noexcept {
        __m512i stored = _mm512_loadu_si512(unit);
        if constexpr (Bits < 8) {
            if constexpr (Part > 0)
                stored = _mm512_srli_epi16(stored, Bits * Part);
            stored = _mm512_sub_epi8(_mm512_and_si512(stored, _mm512_set1_epi8((1 << Bits) - 1)), bias.bytes);
        }
        return {stored};
    }
    template <int Bits, int Part>
    static NOTCH_INLINE step codes(const std::uint8_t* unit, const scaling<Bits>& how) noexcept {
        __m512i codes = how.template shifted<Part>(_mm512_loadu_si512(unit));
        if constexpr (Bits < 8)
            codes = _mm512_sub_epi8(codes, how.bytes);
        return {codes};
    }
    template <int Bits, int Part>
    static NOTCH_INLINE step codes(const std::uint8_t* unit, const byte_scaling& how) noexcept {
        __m512i stored = _mm512_loadu_si512(unit);
        if constexpr (Part > 0)
            stored = _mm512_srli_epi16(stored, Bits * Part);
        stored = _mm512_and_si512(stored, _mm512_set1_epi8((1 << Bits) - 1));
        return {_mm512_sub_epi8(_mm512_sllv_epi32(stored, how.counts), how.bytes)};
    }
    static NOTCH_INLINE void store(std::int8_t* to, const step& s) noexcept { _mm512_storeu_si512(to, s.bytes); }
    static NOTCH_INLINE void widen(const step& s, std::int16_t* to) noexcept {
        _mm512_storeu_si512(to, front(s));
        _mm512_storeu_si512(to + 32, back(s));
    }
    static NOTCH_INLINE void widen(const step& s, const factors& f, std::int16_t* to) noexcept {
        _mm512_storeu_si512(to, _mm512_mullo_epi16(front(s), f.words));
        _mm512_storeu_si512(to + 32, _mm512_mullo_epi16(back(s), f.words));
    }
    static NOTCH_INLINE void flip_row(const std::uint8_t* from, std::size_t count, std::uint8_t* to) noexcept {
        std::size_t i = 0;
        for (; i + 64 <= count; i += 64)
            _mm512_storeu_si512(to + i, _mm512_xor_si512(_mm512_loadu_si512(from + i), _mm512_set1_epi8(-128)));
        expand_ops<avx2>::flip_row(from + i, count - i, to + i);
    }
    static NOTCH_INLINE void widen_row(const std::uint8_t* from, std::size_t count, bool is_signed, std::int32_t zero,
                                       std::int16_t* to) noexcept {
        const __m512i zeros = _mm512_set1_epi16(static_cast<short>(zero));
        std::size_t i = 0;
        for (; i + 32 <= count; i += 32) {
            const __m256i bytes = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(from + i));
            const __m512i words = is_signed ? _mm512_cvtepi8_epi16(bytes) : _mm512_cvtepu8_epi16(bytes);
            _mm512_storeu_si512(to + i, _mm512_sub_epi16(words, zeros));
        }
        expand_ops<avx2>::widen_row(from + i, count - i, is_signed, zero, to + i);
    }

private:
    static NOTCH_INLINE __m512i everywhere(__m128i bytes) noexcept { return _mm512_broadcast_i32x4(bytes); }
    /// Sixteen bytes as lanes of 32 bits.
    static NOTCH_INLINE __m512i lanes(const std::uint8_t* from) noexcept {
        return _mm512_cvtepu8_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(from)));
    }
    /// The lowest byte of each lane of 32 bits, four times.
    static NOTCH_INLINE __m512i each_byte(__m512i a) noexcept {
        return _mm512_shuffle_epi8(a, everywhere(_mm_setr_epi8(0, 0, 0, 0, 4, 4, 4, 4, 8, 8, 8, 8, 12, 12, 12, 12)));
    }
    /// The first two bytes of each output as int16: each goes to the upper half of a word and is shifted down.
    static NOTCH_INLINE __m512i front(const step& s) noexcept {
        const __m128i which = _mm_setr_epi8(-1, 0, -1, 1, -1, 4, -1, 5, -1, 8, -1, 9, -1, 12, -1, 13);
        return _mm512_srai_epi16(_mm512_shuffle_epi8(s.bytes, everywhere(which)), 8);
    }
    /// The other two.
    static NOTCH_INLINE __m512i back(const step& s) noexcept {
        const __m128i which = _mm_setr_epi8(-1, 2, -1, 3, -1, 6, -1, 7, -1, 10, -1, 11, -1, 14, -1, 15);
        return _mm512_srai_epi16(_mm512_shuffle_epi8(s.bytes, everywhere(which)), 8);
    }
};

} // namespace notch::simd

#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic pop
#endif

#endif

/// @file
/// Operands of the microkernels on AVX2. Part of simd/int_kernels.hpp; expand.hpp states the contract.
#pragma once

#include <notch/core/config.hpp>
#include <notch/simd/arch.hpp>
#include <notch/simd/expand.hpp>

#if defined(__AVX2__)

#include <cstddef>
#include <cstdint>

#include <immintrin.h>

namespace notch::simd {

/// Two registers are a step.
template <> struct expand_ops<avx2> {
    /// A step of int8 values: outputs 0 to 7, outputs 8 to 15.
    struct step {
        __m256i low;  ///< the first eight outputs
        __m256i high; ///< the others
    };

    /// Each number four times.
    struct biases {
        step bytes; ///< as they are subtracted
        NOTCH_INLINE explicit biases(const std::uint8_t* from) noexcept : bytes(four_times(from)) {}
    };
    /// Each number twice.
    struct factors {
        __m256i low;  ///< of the first eight outputs
        __m256i high; ///< of the others
        NOTCH_INLINE explicit factors(const std::int16_t* from) noexcept : low(twice(from)), high(twice(from + 8)) {}
    };

    /// Codes are shifted as lanes of 32 bits, one output each; a mask then clears what came from the next byte.
    template <int Bits> struct scaling {
        step counts; ///< shifts of the outputs
        step masks;  ///< where the bits of a shifted code stand
        step bytes;  ///< biases, shifted
        NOTCH_INLINE scaling(const std::uint8_t* from, const std::uint8_t* shifts) noexcept
            : counts{lanes(shifts), lanes(shifts + 8)} {
            const __m256i mask = _mm256_set1_epi32((1 << Bits) - 1);
            masks = {each_byte(_mm256_sllv_epi32(mask, counts.low)), each_byte(_mm256_sllv_epi32(mask, counts.high))};
            const step unshifted = four_times(from);
            bytes = {shifted<0>(unshifted.low, counts.low, masks.low),
                     shifted<0>(unshifted.high, counts.high, masks.high)};
        }
        /// A code or bias of every byte, shifted.
        template <int Part> static NOTCH_INLINE __m256i shifted(__m256i stored, __m256i by, __m256i mask) noexcept {
            if constexpr (Part > 0)
                stored = _mm256_srli_epi32(stored, Bits * Part);
            return _mm256_and_si256(_mm256_sllv_epi32(stored, by), mask);
        }
    };

    template <int Bits, int Part>
    static NOTCH_INLINE step codes(const std::uint8_t* unit, const biases& bias) noexcept {
        step s{load(unit), load(unit + 32)};
        if constexpr (Bits < 8) {
            const __m256i mask = _mm256_set1_epi8((1 << Bits) - 1);
            if constexpr (Part > 0) {
                s.low = _mm256_srli_epi16(s.low, Bits * Part);
                s.high = _mm256_srli_epi16(s.high, Bits * Part);
            }
            s.low = _mm256_sub_epi8(_mm256_and_si256(s.low, mask), bias.bytes.low);
            s.high = _mm256_sub_epi8(_mm256_and_si256(s.high, mask), bias.bytes.high);
        }
        return s;
    }
    template <int Bits, int Part>
    static NOTCH_INLINE step codes(const std::uint8_t* unit, const scaling<Bits>& how) noexcept {
        step s{scaling<Bits>::template shifted<Part>(load(unit), how.counts.low, how.masks.low),
               scaling<Bits>::template shifted<Part>(load(unit + 32), how.counts.high, how.masks.high)};
        if constexpr (Bits < 8) {
            s.low = _mm256_sub_epi8(s.low, how.bytes.low);
            s.high = _mm256_sub_epi8(s.high, how.bytes.high);
        }
        return s;
    }
    static NOTCH_INLINE void store(std::int8_t* to, const step& s) noexcept {
        _mm256_storeu_si256(reinterpret_cast<__m256i*>(to), s.low);
        _mm256_storeu_si256(reinterpret_cast<__m256i*>(to + 32), s.high);
    }
    static NOTCH_INLINE void widen(const step& s, std::int16_t* to) noexcept {
        const words w(s);
        for (std::size_t i = 0; i < 4; ++i)
            _mm256_storeu_si256(reinterpret_cast<__m256i*>(to + 16 * i), w.value[i]);
    }
    static NOTCH_INLINE void widen(const step& s, const factors& f, std::int16_t* to) noexcept {
        const words w(s);
        for (std::size_t i = 0; i < 4; ++i)
            _mm256_storeu_si256(reinterpret_cast<__m256i*>(to + 16 * i),
                                _mm256_mullo_epi16(w.value[i], i % 2 == 0 ? f.low : f.high));
    }
    static NOTCH_INLINE void flip_row(const std::uint8_t* from, std::size_t count, std::uint8_t* to) noexcept {
        std::size_t i = 0;
        for (; i + 32 <= count; i += 32)
            _mm256_storeu_si256(reinterpret_cast<__m256i*>(to + i),
                                _mm256_xor_si256(load(from + i), _mm256_set1_epi8(-128)));
        expand_ops<scalar>::flip_row(from + i, count - i, to + i);
    }
    static NOTCH_INLINE void widen_row(const std::uint8_t* from, std::size_t count, bool is_signed, std::int32_t zero,
                                       std::int16_t* to) noexcept {
        const __m256i zeros = _mm256_set1_epi16(static_cast<short>(zero));
        std::size_t i = 0;
        for (; i + 16 <= count; i += 16) {
            const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(from + i));
            const __m256i words = is_signed ? _mm256_cvtepi8_epi16(bytes) : _mm256_cvtepu8_epi16(bytes);
            _mm256_storeu_si256(reinterpret_cast<__m256i*>(to + i), _mm256_sub_epi16(words, zeros));
        }
        expand_ops<scalar>::widen_row(from + i, count - i, is_signed, zero, to + i);
    }

private:
    /// A step as 2 x [16][2] int16: each byte goes to the upper half of a word, then is shifted down with its sign.
    struct words {
        __m256i value[4];
        NOTCH_INLINE explicit words(const step& s) noexcept {
            const __m256i first = _mm256_setr_epi8(-1, 0, -1, 1, -1, 4, -1, 5, -1, 8, -1, 9, -1, 12, -1, 13, //
                                                   -1, 0, -1, 1, -1, 4, -1, 5, -1, 8, -1, 9, -1, 12, -1, 13);
            const __m256i second = _mm256_setr_epi8(-1, 2, -1, 3, -1, 6, -1, 7, -1, 10, -1, 11, -1, 14, -1, 15, //
                                                    -1, 2, -1, 3, -1, 6, -1, 7, -1, 10, -1, 11, -1, 14, -1, 15);
            value[0] = _mm256_srai_epi16(_mm256_shuffle_epi8(s.low, first), 8);
            value[1] = _mm256_srai_epi16(_mm256_shuffle_epi8(s.high, first), 8);
            value[2] = _mm256_srai_epi16(_mm256_shuffle_epi8(s.low, second), 8);
            value[3] = _mm256_srai_epi16(_mm256_shuffle_epi8(s.high, second), 8);
        }
    };
    static NOTCH_INLINE __m256i load(const std::uint8_t* from) noexcept {
        return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(from));
    }
    /// Eight bytes as lanes of 32 bits.
    static NOTCH_INLINE __m256i lanes(const std::uint8_t* from) noexcept {
        return _mm256_cvtepu8_epi32(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(from)));
    }
    /// The lowest byte of each lane of 32 bits, four times.
    static NOTCH_INLINE __m256i each_byte(__m256i a) noexcept {
        return _mm256_shuffle_epi8(a, _mm256_setr_epi8(0, 0, 0, 0, 4, 4, 4, 4, 8, 8, 8, 8, 12, 12, 12, 12, //
                                                       0, 0, 0, 0, 4, 4, 4, 4, 8, 8, 8, 8, 12, 12, 12, 12));
    }
    /// Sixteen bytes, each of them four times.
    static NOTCH_INLINE step four_times(const std::uint8_t* from) noexcept {
        const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(from));
        const __m256i spread = _mm256_setr_epi8(0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3, //
                                                4, 4, 4, 4, 5, 5, 5, 5, 6, 6, 6, 6, 7, 7, 7, 7);
        return {_mm256_shuffle_epi8(_mm256_broadcastsi128_si256(bytes), spread),
                _mm256_shuffle_epi8(_mm256_broadcastsi128_si256(_mm_srli_si128(bytes, 8)), spread)};
    }
    /// Eight words, each of them twice.
    static NOTCH_INLINE __m256i twice(const std::int16_t* from) noexcept {
        const __m256i words = _mm256_cvtepu16_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(from)));
        return _mm256_or_si256(words, _mm256_slli_epi32(words, 16));
    }
};

} // namespace notch::simd

#endif

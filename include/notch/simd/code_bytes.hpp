/// @file
/// What microkernels need that finish their tiles themselves: codes of four registers of numbers, clamped, with a zero point,
/// and shifts that leave the units of the products alone.
///
///     has_code_bytes<Arch>    true where there is
///     code_bytes<Arch>        byte[i] = min(max(x[i] + zero point, lowest), highest)
///
/// So far for AVX-512 BW.
#pragma once

#include <notch/core/config.hpp>
#include <notch/simd/arch.hpp>
#include <notch/simd/int_kernels.hpp>
#include <notch/simd/lane_pair.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>

#if defined(__AVX512F__) && defined(__AVX512BW__)
#include <immintrin.h>
#endif

namespace notch::simd {

/// Bounds and zero point of codes of eight bits.
template <class Arch> class code_bytes;

/// True where they exist.
template <class Arch> inline constexpr bool has_code_bytes = requires { typename code_bytes<Arch>::reg; };

#if defined(__AVX512F__) && defined(__AVX512BW__)
// Intrinsics of gcc 12 pass an undefined register where no lane is masked out.
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wuninitialized"
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#endif

/// Of four registers, sixty-four bytes. Signed codes are moved up by 128, and back.
template <> class code_bytes<avx512bw> {
public:
    using reg = __m512i; ///< sixteen numbers, or the codes of four times as many

    code_bytes() = default;
    /// |zero_point| <= 255.
    NOTCH_INLINE code_bytes(std::int32_t zero_point, std::int32_t lowest, std::int32_t highest, bool is_signed) noexcept
        : zero_(_mm512_set1_epi16(static_cast<short>(zero_point + up(is_signed)))),
          lowest_(_mm512_set1_epi8(bound(lowest, is_signed))), highest_(_mm512_set1_epi8(bound(highest, is_signed))),
          flip_(_mm512_set1_epi8(static_cast<char>(up(is_signed)))), order_(order_of_four()),
          row_order_(_mm512_setr_epi32(0, 4, 8, 12, 2, 6, 10, 14, 1, 5, 9, 13, 3, 7, 11, 15)),
          packing_does_all_(!is_signed && zero_point == 0 && lowest <= 0 && highest >= 255) {}

    /// The codes of four registers, one behind the other.
    [[nodiscard]] NOTCH_INLINE reg operator()(reg a, reg b, reg c, reg d) const noexcept {
        return _mm512_permutexvar_epi32(order_, packed(words(a, b), words(c, d)));
    }
    /// Numbers of sixteen bits, for `rows`. What does not fit them lies beyond all codes, with any zero point.
    [[nodiscard]] static NOTCH_INLINE reg words(reg a, reg b) noexcept { return _mm512_packs_epi32(a, b); }
    /// The codes of two rows, from words(first row, second row) of their first and of their second sixteen columns.
    [[nodiscard]] NOTCH_INLINE reg rows(reg left, reg right) const noexcept {
        return _mm512_permutexvar_epi32(row_order_, packed(left, right));
    }
    /// Stores the codes of one row, or of four.
    template <std::size_t Rows> static NOTCH_INLINE void store(std::uint8_t* const* rows, reg codes) noexcept {
        static_assert(Rows == 1 || Rows == 4);
        if constexpr (Rows == 1) {
            _mm512_storeu_si512(rows[0], codes);
        } else {
            store_quarter(rows[0], _mm512_castsi512_si128(codes));
            store_quarter(rows[1], _mm512_extracti32x4_epi32(codes, 1));
            store_quarter(rows[2], _mm512_extracti32x4_epi32(codes, 2));
            store_quarter(rows[3], _mm512_extracti32x4_epi32(codes, 3));
        }
    }

    /// What `shifted` takes for a shift by a count in [0, 30].
    [[nodiscard]] static NOTCH_INLINE avx512_ints shift_of(avx512_ints count) noexcept { return count << 23; }
    /// x / 2^count for x that is 0 or at least 1: the count is taken from the exponent, in its place. A product would run on
    /// the units that compute dot products.
    [[nodiscard]] static NOTCH_INLINE avx512_floats shifted(avx512_floats x, avx512_ints shift) noexcept {
        // The upper half of 0 stays 0.
        return _mm512_castsi512_ps(_mm512_subs_epu16(_mm512_castps_si512(x.value), shift.value));
    }

    /// Stores the codes of one half: a row of `rows`, of 16 or 32 columns.
    template <std::size_t Columns, bool Second>
    static NOTCH_INLINE void store_row(std::uint8_t* to, reg codes) noexcept {
        static_assert(Columns == 16 || Columns == 32);
        const __m256i half = Second ? _mm512_extracti64x4_epi64(codes, 1) : _mm512_castsi512_si256(codes);
        if constexpr (Columns == 32)
            _mm256_storeu_si256(reinterpret_cast<__m256i*>(to), half);
        else
            store_quarter(to, _mm256_castsi256_si128(half));
    }

private:
    static NOTCH_INLINE void store_quarter(std::uint8_t* to, __m128i codes) noexcept {
        _mm_storeu_si128(reinterpret_cast<__m128i*>(to), codes);
    }
    static NOTCH_INLINE std::int32_t up(bool is_signed) noexcept { return is_signed ? 128 : 0; }
    static NOTCH_INLINE char bound(std::int32_t code, bool is_signed) noexcept {
        return static_cast<char>(std::clamp(code, is_signed ? -128 : 0, is_signed ? 127 : 255) + up(is_signed));
    }
    [[nodiscard]] NOTCH_INLINE reg packed(reg first, reg second) const noexcept {
        return packing_does_all_ ? _mm512_packus_epi16(first, second) : moved(first, second);
    }
    [[nodiscard]] NOTCH_INLINE reg moved(reg first, reg second) const noexcept {
        const reg codes = _mm512_packus_epi16(_mm512_adds_epi16(first, zero_), _mm512_adds_epi16(second, zero_));
        return _mm512_xor_si512(_mm512_max_epu8(_mm512_min_epu8(codes, highest_), lowest_), flip_);
    }

    reg zero_;
    reg lowest_;
    reg highest_;
    reg flip_;
    reg order_;             ///< of four registers, see lane_pair.hpp
    reg row_order_;         ///< a0 c0 b0 d0 ..., where the rows are a b and c d
    bool packing_does_all_; ///< codes are all of uint8
};
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic pop
#endif

/// The same.
template <> class code_bytes<avx512vnni> : public code_bytes<avx512bw> { using code_bytes<avx512bw>::code_bytes; };
#endif

} // namespace notch::simd

/// @file
/// Packed depthwise weights of 4 and 2 bits become bytes: the taps of sixteen channels.
///
///     depthwise_taps<Arch>::unpack(codes, bits, biases, count, to)     count taps of sixteen int8: code - bias
///
/// The codes of a tap are the parts of packed bytes, the lowest bits first (conv/packed_depthwise.hpp).
#pragma once

#include <notch/core/config.hpp>
#include <notch/simd/arch.hpp>
#include <notch/simd/depthwise_ops.hpp>

#include <cstddef>
#include <cstdint>

#if defined(__SSE4_1__)
#include <cstring>
#include <smmintrin.h>
#endif

namespace notch::simd {

/// @cond one struct refers to the next
// Resolves to the parent of an instruction set.
template <class Arch> struct depthwise_taps : depthwise_taps<typename Arch::parent> {};
/// @endcond

/// @cond the comment above documents the member
template <> struct depthwise_taps<scalar> {
    static NOTCH_INLINE void unpack(const std::uint8_t* codes, std::uint32_t bits, const std::uint8_t* biases,
                                    std::size_t count, std::int8_t* to) noexcept {
        const std::size_t bytes = depthwise_channels * bits / 8;
        const std::uint32_t mask = (1U << bits) - 1;
        for (; count != 0; --count, codes += bytes, to += depthwise_channels)
            for (std::size_t part = 0, c = 0; c < depthwise_channels; ++part)
                for (std::size_t i = 0; i < bytes; ++i, ++c)
                    to[c] = static_cast<std::int8_t>((std::uint32_t{codes[i]} >> (part * bits) & mask) - biases[c]);
    }
};

#if defined(__SSE4_1__)
template <> struct depthwise_taps<sse41> {
    static NOTCH_INLINE void unpack(const std::uint8_t* codes, std::uint32_t bits, const std::uint8_t* biases,
                                    std::size_t count, std::int8_t* to) noexcept {
        const __m128i bias = _mm_loadu_si128(reinterpret_cast<const __m128i*>(biases));
        if (bits == 4)
            for (; count != 0; --count, codes += 8, to += depthwise_channels) {
                const __m128i packed = _mm_loadl_epi64(reinterpret_cast<const __m128i*>(codes));
                store(to, _mm_unpacklo_epi64(packed, _mm_srli_epi16(packed, 4)), 15, bias);
            }
        else
            for (; count != 0; --count, codes += 4, to += depthwise_channels) {
                int bytes = 0;
                std::memcpy(&bytes, codes, sizeof bytes);
                const __m128i packed = _mm_cvtsi32_si128(bytes);
                const __m128i low = _mm_unpacklo_epi32(packed, _mm_srli_epi32(packed, 2));
                store(to, _mm_unpacklo_epi64(low, _mm_srli_epi32(low, 4)), 3, bias);
            }
    }

private:
    static NOTCH_INLINE void store(std::int8_t* to, __m128i parts, char mask, __m128i bias) noexcept {
        _mm_storeu_si128(reinterpret_cast<__m128i*>(to), _mm_sub_epi8(_mm_and_si128(parts, _mm_set1_epi8(mask)), bias));
    }
};
#endif
/// @endcond

} // namespace notch::simd

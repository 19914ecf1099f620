/// @file
/// Codes of one byte as lanes of int32: load_codes<Lane>(p) for uint8_t and int8_t, any alignment.
#pragma once

#include <notch/core/config.hpp>
#include <notch/simd/int_kernels.hpp>

#include <cstddef>
#include <cstdint>
#include <cstring>

namespace notch::simd {

/// lane_width codes of one byte as a lane.
template <lane Lane, class Code> [[nodiscard]] NOTCH_INLINE Lane load_codes(const Code* from) noexcept {
    if constexpr (requires { typename Lane::half; }) { // two lanes (simd/wide_lane.hpp)
        using half = typename Lane::half;
        return {load_codes<half>(from), load_codes<half>(from + lane_width<half>)};
    } else {
        std::int32_t numbers[lane_width<Lane>];
        for (std::size_t i = 0; i < lane_width<Lane>; ++i)
            numbers[i] = from[i];
        return load_lane<Lane>(numbers);
    }
}

#if defined(__SSE4_1__)
/// Four codes.
template <> [[nodiscard]] NOTCH_INLINE sse41_ints load_codes<sse41_ints>(const std::uint8_t* from) noexcept {
    std::int32_t four = 0;
    std::memcpy(&four, from, 4);
    return _mm_cvtepu8_epi32(_mm_cvtsi32_si128(four));
}
/// Four codes.
template <> [[nodiscard]] NOTCH_INLINE sse41_ints load_codes<sse41_ints>(const std::int8_t* from) noexcept {
    std::int32_t four = 0;
    std::memcpy(&four, from, 4);
    return _mm_cvtepi8_epi32(_mm_cvtsi32_si128(four));
}
#endif

#if defined(__AVX2__)
/// Eight codes.
template <> [[nodiscard]] NOTCH_INLINE avx2_ints load_codes<avx2_ints>(const std::uint8_t* from) noexcept {
    return _mm256_cvtepu8_epi32(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(from)));
}
/// Eight codes.
template <> [[nodiscard]] NOTCH_INLINE avx2_ints load_codes<avx2_ints>(const std::int8_t* from) noexcept {
    return _mm256_cvtepi8_epi32(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(from)));
}
#endif

#if defined(__AVX512F__) && defined(__AVX512BW__)
// Intrinsics of gcc 12 pass an undefined register where no lane is masked out.
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wuninitialized"
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#endif
/// Sixteen codes.
template <> [[nodiscard]] NOTCH_INLINE avx512_ints load_codes<avx512_ints>(const std::uint8_t* from) noexcept {
    return _mm512_cvtepu8_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(from)));
}
/// Sixteen codes.
template <> [[nodiscard]] NOTCH_INLINE avx512_ints load_codes<avx512_ints>(const std::int8_t* from) noexcept {
    return _mm512_cvtepi8_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(from)));
}
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic pop
#endif
#endif

#if defined(__aarch64__) && defined(__ARM_NEON)
/// Four codes.
template <> [[nodiscard]] NOTCH_INLINE neon64_ints load_codes<neon64_ints>(const std::uint8_t* from) noexcept {
    std::uint32_t four = 0;
    std::memcpy(&four, from, 4);
    const uint8x8_t bytes = vreinterpret_u8_u32(vdup_n_u32(four));
    return vreinterpretq_s32_u32(vmovl_u16(vget_low_u16(vmovl_u8(bytes))));
}
/// Four codes.
template <> [[nodiscard]] NOTCH_INLINE neon64_ints load_codes<neon64_ints>(const std::int8_t* from) noexcept {
    std::uint32_t four = 0;
    std::memcpy(&four, from, 4);
    return vmovl_s16(vget_low_s16(vmovl_s8(vreinterpret_s8_u32(vdup_n_u32(four)))));
}
#endif

} // namespace notch::simd

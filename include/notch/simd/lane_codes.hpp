/// @file
/// Codes of one byte as lanes of int32: load_codes<Lane>(p) for uint8_t and int8_t, any alignment.
#pragma once

#include <notch/core/config.hpp>
#include <notch/simd/int_kernels.hpp>

#include <cstddef>
#include <cstdint>

namespace notch::simd {

/// lane_width codes of one byte as a lane.
template <lane Lane, class Code> [[nodiscard]] NOTCH_INLINE Lane load_codes(const Code* from) noexcept {
    std::int32_t numbers[lane_width<Lane>];
    for (std::size_t i = 0; i < lane_width<Lane>; ++i)
        numbers[i] = from[i];
    return load_lane<Lane>(numbers);
}

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

} // namespace notch::simd

/// @file
/// Registers of xsimd as lanes, for programs that write their integer code over xsimd. The library does not use them: the
/// header is apart because xsimd costs half a second to compile. It is empty where xsimd is not installed.
#pragma once

#include <notch/core/config.hpp>
#include <notch/simd/lane.hpp>

#if __has_include(<xsimd/xsimd.hpp>)

#include <cstddef>
#include <cstdint>

#include <xsimd/xsimd.hpp>

namespace notch::simd {

/// A register of int32.
template <class Arch> struct lane_traits<xsimd::batch<std::int32_t, Arch>> {
    using batch = xsimd::batch<std::int32_t, Arch>;   ///< the lane
    static constexpr bool is_lane = true;             ///< a lane
    static constexpr std::size_t width = batch::size; ///< numbers per lane
    static NOTCH_INLINE batch load(const std::int32_t* from) noexcept { return batch::load_unaligned(from); }
    static NOTCH_INLINE void store(std::int32_t* to, const batch& value) noexcept { value.store_unaligned(to); }
    static NOTCH_INLINE batch min(const batch& a, const batch& b) noexcept { return xsimd::min(a, b); }
    static NOTCH_INLINE batch max(const batch& a, const batch& b) noexcept { return xsimd::max(a, b); }
};

} // namespace notch::simd

#endif

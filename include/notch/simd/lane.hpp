/// @file
/// What integer epilogues are written over: one int32 or a register of them.
///
///     template <lane Lane> Lane stage(Lane accumulator);
///
/// A stage that uses + - * & | ~ >> << and the functions below is the scalar reference and the fast
/// path in one text. A lane is std::int32_t or a register of an instruction set (simd/int_lane.hpp), which is what the
/// epilogues run over; with simd/lane_xsimd.hpp, xsimd::batch<std::int32_t, A> is one too.
/// Shift counts are one int for all, or a lane of counts; `Rounding::shift_right(lane, count)` takes both
/// (core/rounding.hpp). Registers wrap around as two's complement; an int32 must not overflow.
#pragma once

#include <notch/core/config.hpp>

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <type_traits>

namespace notch::simd {

/// Facts about a lane; `is_lane` is false for everything that is none.
template <class T> struct lane_traits {
    static constexpr bool is_lane = false; ///< not a lane
};

/// One int32.
template <> struct lane_traits<std::int32_t> {
    static constexpr bool is_lane = true;   ///< a lane
    static constexpr std::size_t width = 1; ///< numbers per lane
    /// The number at an address.
    static NOTCH_INLINE std::int32_t load(const std::int32_t* from) noexcept { return *from; }
    /// Puts the number at an address.
    static NOTCH_INLINE void store(std::int32_t* to, std::int32_t value) noexcept { *to = value; }
    /// The smaller of two.
    static NOTCH_INLINE constexpr std::int32_t min(std::int32_t a, std::int32_t b) noexcept { return a < b ? a : b; }
    /// The larger of two.
    static NOTCH_INLINE constexpr std::int32_t max(std::int32_t a, std::int32_t b) noexcept { return a > b ? a : b; }
};

/// One int32 or a register of them.
template <class T>
concept lane = lane_traits<T>::is_lane;

/// A shift count for a lane: one for all, or one per number.
template <class N, class Lane>
concept lane_count = lane<Lane> &&(std::same_as<N, int> || std::same_as<N, Lane>);

/// Numbers per lane.
template <lane Lane> inline constexpr std::size_t lane_width = lane_traits<Lane>::width;

/// Reads lane_width numbers from an address of any alignment.
template <lane Lane> [[nodiscard]] NOTCH_INLINE Lane load_lane(const std::int32_t* from) noexcept {
    return lane_traits<Lane>::load(from);
}

/// Writes lane_width numbers to an address of any alignment.
template <lane Lane> NOTCH_INLINE void store_lane(std::int32_t* to, const Lane& value) noexcept {
    lane_traits<Lane>::store(to, value);
}

/// The smaller of each pair.
template <lane Lane> [[nodiscard]] NOTCH_INLINE constexpr Lane lane_min(const Lane& a, const Lane& b) noexcept {
    return lane_traits<Lane>::min(a, b);
}

/// The larger of each pair.
template <lane Lane> [[nodiscard]] NOTCH_INLINE constexpr Lane lane_max(const Lane& a, const Lane& b) noexcept {
    return lane_traits<Lane>::max(a, b);
}

} // namespace notch::simd

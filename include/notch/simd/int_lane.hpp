/// @file
/// The lanes of the epilogues: one int32, or a register of them, with its companion of floats.
///
///     lane_of<Arch>                  the widest lane of an instruction set; std::int32_t for scalar
///     float_lane<Lane>               as many floats
///     to_floats(lane)                float(x), rounded to nearest even
///     to_ints(floats)                exact for whole numbers in int32; anything else is a precondition
///     nearest_ints(floats)           rounded to nearest even, into int32; powers_of_two(lane): 2^n as floats, |n| <= 126.
///                                    Registers of x86 have both
///     load_floats<Lane>(p), store_floats(p, floats), clamp_floats(x, lowest, highest)
///     as_rounded(floats)             the product as rounded: no compiler may contract what passes here
///     store_saturated(p, lane)       uint8_t or int8_t, clamped to the type
///     multiply_q31_single(x, multipliers, exponents), multiply_q31_double
///                                    multiply_single and multiply_double of core/fixed_point.hpp, number by number
///
/// An instruction set without a lane of its own has that of its nearest ancestor.
/// Registers wrap around as two's complement; an int32 must not overflow.
#pragma once

#include <notch/core/config.hpp>
#include <notch/core/fixed_point.hpp>
#include <notch/simd/arch.hpp>
#include <notch/simd/as_computed.hpp>
#include <notch/simd/elementwise_isa.hpp>
#include <notch/simd/lane.hpp>

#include <cstddef>
#include <cstdint>

namespace notch::simd {

/// One float, at a point the optimizer cannot look through: a product that passes here is rounded.
[[nodiscard]] NOTCH_INLINE float as_rounded(float x) noexcept { return detail::as_computed(x); }

/// float(x), rounded to nearest even.
[[nodiscard]] NOTCH_INLINE float to_floats(std::int32_t x) noexcept { return static_cast<float>(x); }
/// The integer that x is. Precondition: x is whole and in int32.
[[nodiscard]] NOTCH_INLINE std::int32_t to_ints(float x) noexcept { return static_cast<std::int32_t>(x); }
/// The smaller of highest and the larger of x and lowest.
[[nodiscard]] NOTCH_INLINE float clamp_floats(float x, float lowest, float highest) noexcept {
    const float above = x > lowest ? x : lowest;
    return above < highest ? above : highest;
}
/// Writes a float.
NOTCH_INLINE void store_floats(float* to, float x) noexcept { *to = x; }
/// Writes one code, clamped to its type.
NOTCH_INLINE void store_saturated(std::uint8_t* to, std::int32_t x) noexcept {
    *to = static_cast<std::uint8_t>(x < 0 ? 0 : x > 255 ? 255 : x);
}
/// Writes one code, clamped to its type.
NOTCH_INLINE void store_saturated(std::int8_t* to, std::int32_t x) noexcept {
    *to = static_cast<std::int8_t>(x < -128 ? -128 : x > 127 ? 127 : x);
}

/// x * factor with one rounding, see core/fixed_point.hpp.
[[nodiscard]] NOTCH_INLINE std::int32_t multiply_q31_single(std::int32_t x, std::int32_t multiplier,
                                                            std::int32_t exponent) noexcept {
    return multiply_single(x, {multiplier, exponent});
}
/// x * factor with two roundings, see core/fixed_point.hpp.
[[nodiscard]] NOTCH_INLINE std::int32_t multiply_q31_double(std::int32_t x, std::int32_t multiplier,
                                                            std::int32_t exponent) noexcept {
    return multiply_double(x, {multiplier, exponent});
}

/// The companion of a lane and how it is read.
template <class Lane> struct lane_floats;

/// One float.
template <> struct lane_floats<std::int32_t> {
    using type = float;                                                          ///< the companion
    static NOTCH_INLINE float load(const float* from) noexcept { return *from; } ///< the float at an address
};

/// As many floats as the lane has integers.
template <class Lane> using float_lane = typename lane_floats<Lane>::type;

/// Reads lane_width floats from an address of any alignment.
template <class Lane> [[nodiscard]] NOTCH_INLINE float_lane<Lane> load_floats(const float* from) noexcept {
    return lane_floats<Lane>::load(from);
}

/// Products of a lane and q31 factors: number by number, unless a lane has a version of its own.
template <class Lane> struct q31_products {
    /// multiply_single of each number.
    static NOTCH_INLINE Lane single(Lane x, Lane multipliers, Lane exponents) noexcept {
        return each(x, multipliers, exponents,
                    [](std::int32_t value, q31 factor) NOTCH_LAMBDA_INLINE { return multiply_single(value, factor); });
    }
    /// multiply_double of each number.
    static NOTCH_INLINE Lane twice(Lane x, Lane multipliers, Lane exponents) noexcept {
        return each(x, multipliers, exponents,
                    [](std::int32_t value, q31 factor) NOTCH_LAMBDA_INLINE { return multiply_double(value, factor); });
    }

private:
    template <class F> static NOTCH_INLINE Lane each(Lane x, Lane multipliers, Lane exponents, const F& f) noexcept {
        constexpr std::size_t width = lane_width<Lane>;
        std::int32_t numbers[width];
        std::int32_t m[width];
        std::int32_t e[width];
        store_lane<Lane>(numbers, x);
        store_lane<Lane>(m, multipliers);
        store_lane<Lane>(e, exponents);
        for (std::size_t i = 0; i < width; ++i)
            numbers[i] = f(numbers[i], {m[i], e[i]});
        return load_lane<Lane>(numbers);
    }
};

/// multiply_single of each number and its factor. Precondition: -30 <= exponents <= 30.
template <lane Lane>
[[nodiscard]] NOTCH_INLINE Lane multiply_q31_single(Lane x, Lane multipliers, Lane exponents) noexcept {
    return q31_products<Lane>::single(x, multipliers, exponents);
}

/// multiply_double of each number and its factor. Precondition: -30 <= exponents <= 30.
template <lane Lane>
[[nodiscard]] NOTCH_INLINE Lane multiply_q31_double(Lane x, Lane multipliers, Lane exponents) noexcept {
    return q31_products<Lane>::twice(x, multipliers, exponents);
}

/// @cond one struct refers to the next
// The widest lane of an instruction set: its parent's, unless it has one of its own.
template <class Arch> struct widest_lane : widest_lane<typename Arch::parent> {};
/// @endcond

/// One int32.
template <> struct widest_lane<scalar> {
    using type = std::int32_t; ///< the lane
};

/// The widest lane of an instruction set.
template <class Arch> using lane_of = typename widest_lane<Arch>::type;

} // namespace notch::simd

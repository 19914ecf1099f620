/// @file
/// A real factor as a 32-bit integer and a shift, the way integer-only engines multiply.
///
///     real = multiplier * 2^(exponent - 31),   multiplier in [2^30, 2^31)
///
/// The multiplier is a Q31 number in [1/2, 1). Two roundings of `value * real` are in use, and they
/// differ by one code now and then, so each has a name:
///
/// * `multiply_single`: the 64-bit product is rounded once, ties towards +infinity.
/// * `multiply_double`: the high half of the doubled product is rounded, then the shift is rounded
///   again with ties away from zero. Source: gemmlowp `fixedpoint.h`, SaturatingRoundingDoublingHighMul
///   and RoundingDivideByPOT; the reference of TensorFlow Lite up to 2.19.
#pragma once

#include <notch/core/config.hpp>
#include <notch/core/error.hpp>
#include <notch/core/int_math.hpp>
#include <notch/core/rounding.hpp>

#include <cstdint>
#include <limits>

namespace notch {

/// The 64-bit product is rounded once: multiply_single.
struct single_rounding {};

/// The doubled product's high half is rounded, then the shift is: multiply_double.
struct double_rounding {};

/// A positive real number as a Q31 multiplier and a power of two, see above.
struct q31 {
    std::int32_t multiplier = 1 << 30; ///< in [2^30, 2^31)
    std::int32_t exponent = 1;         ///< real = multiplier * 2^(exponent - 31)

    /// The number it stands for, exact in a double.
    [[nodiscard]] constexpr double real() const noexcept {
        return static_cast<double>(multiplier) * exp2_exact(exponent - 31);
    }
    /// True where both numbers are equal.
    friend constexpr bool operator==(const q31&, const q31&) = default;
};

/// The q31 nearest to a positive real, ties to even; relative error at most 2^-31.
/// Raises range_error unless 2^-126 <= real < 2^127.
[[nodiscard]] constexpr q31 to_q31(double real) {
    if (is_non_finite(real) || !(real >= exp2_exact(-126)) || !(real < exp2_exact(127)))
        detail::raise<range_error>("fixed-point factor ", real, " lies outside [2^-126, 2^127)");
    const int exponent = floor_log2(real) + 1;
    const double scaled = real * exp2_exact(31 - exponent); // in [2^30, 2^31), exact
    auto multiplier = static_cast<std::int64_t>(scaled);
    const double rest = scaled - static_cast<double>(multiplier);
    multiplier += static_cast<std::int64_t>(rest > 0.5) | (static_cast<std::int64_t>(rest == 0.5) & multiplier & 1);
    if (multiplier == (std::int64_t{1} << 31))
        return {1 << 30, exponent + 1};
    return {static_cast<std::int32_t>(multiplier), exponent};
}

namespace detail {

/// Clamps a 64-bit integer to int32.
[[nodiscard]] NOTCH_INLINE constexpr std::int32_t saturate_to_int32(std::int64_t value) noexcept {
    constexpr std::int64_t low = std::numeric_limits<std::int32_t>::min();
    constexpr std::int64_t high = std::numeric_limits<std::int32_t>::max();
    return static_cast<std::int32_t>(value < low ? low : value > high ? high : value);
}

} // namespace detail

/// floor(value * multiplier * 2^(exponent - 31) + 1/2), saturated to int32: one rounding, ties up.
/// Precondition: -31 <= exponent <= 30 (a result of another exponent is 0, or saturates).
[[nodiscard]] NOTCH_INLINE constexpr std::int32_t multiply_single(std::int32_t value, q31 factor) noexcept {
    const int shift = 31 - factor.exponent; // 1 .. 62
    const std::int64_t product = std::int64_t{value} * factor.multiplier;
    // product >> (shift - 1) cannot lose the rounding bit, and adding 1 to it cannot overflow.
    return detail::saturate_to_int32(((product >> (shift - 1)) + 1) >> 1);
}

/// The same product with two roundings. For exponent > 0 the value is first shifted left, saturating.
/// Precondition: -30 <= exponent <= 30.
[[nodiscard]] NOTCH_INLINE constexpr std::int32_t multiply_double(std::int32_t value, q31 factor) noexcept {
    const int left = factor.exponent > 0 ? factor.exponent : 0;
    const int right = factor.exponent > 0 ? 0 : -factor.exponent;
    const std::int64_t shifted = detail::saturate_to_int32(std::int64_t{value} << left);
    const std::int64_t product = shifted * factor.multiplier;
    const std::int64_t nudge = product >= 0 ? (std::int64_t{1} << 30) : 1 - (std::int64_t{1} << 30);
    const auto high = static_cast<std::int32_t>((product + nudge) / (std::int64_t{1} << 31));
    return nearest_away::shift_right(high, right);
}

} // namespace notch

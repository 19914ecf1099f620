/// @file
/// Zero points: the code that stands for 0.
///
/// * `symmetric`: the zero point is 0. Signed codes reach both ways; unsigned codes hold one-sided
///   data (after a ReLU) with all their codes.
/// * `affine`: the zero point is any code, chosen after the scale is snapped, so that the lower end
///   of the range falls on the lowest code. The range is widened to hold 0, which is therefore
///   represented exactly: padding, ReLU and pruned weights stay exact.
///
///     real = scale * (code - zero_point)
#pragma once

#include <notch/core/bits.hpp>
#include <notch/core/int_math.hpp>
#include <notch/core/rounding.hpp>

#include <concepts>
#include <cstdint>

namespace notch {

/// The ends of the data of one block, or of a clipped range.
struct value_range {
    float min = 0; ///< smallest value
    float max = 0; ///< largest value

    /// True where both ends are equal.
    friend constexpr bool operator==(const value_range&, const value_range&) = default;
};

/// Zero is code 0.
struct symmetric {
    /// Whether zero points are stored.
    static constexpr bool has_zero_point = false;

    /// The smallest scale that holds the range: max|x| / highest code; one-sided for unsigned codes.
    /// With `half_step` the largest value may lie half a step beyond the highest code.
    [[nodiscard]] static constexpr double wanted_scale(value_range range, code_range codes, bool half_step) noexcept {
        const double above = exact_double(range.max);
        const double below = codes.lowest < 0 ? -exact_double(range.min) : 0.0;
        const double largest = above > below ? above : below;
        return largest <= 0.0 ? 0.0 : largest / (static_cast<double>(codes.highest) + (half_step ? 0.5 : 0.0));
    }

    /// Always 0.
    [[nodiscard]] static constexpr std::int32_t zero_point(value_range, double, code_range) noexcept { return 0; }
};

/// Zero is a code of its own for every block.
struct affine {
    /// Whether zero points are stored.
    static constexpr bool has_zero_point = true;

    /// The smallest scale that holds the range widened to 0: (max - min) / number of steps.
    [[nodiscard]] static constexpr double wanted_scale(value_range range, code_range codes, bool half_step) noexcept {
        const double above = exact_double(range.max) > 0 ? exact_double(range.max) : 0.0;
        const double below = exact_double(range.min) < 0 ? exact_double(range.min) : 0.0;
        return (above - below) / (static_cast<double>(codes.steps()) + (half_step ? 1.0 : 0.0));
    }

    /// lowest - round(min / scale), ties to even, clamped to the codes; min widened to 0.
    [[nodiscard]] static constexpr std::int32_t zero_point(value_range range, double scale, code_range codes) noexcept {
        const double below = exact_double(range.min) < 0 ? exact_double(range.min) : 0.0;
        const double steps = -below / scale;
        if (!(steps < static_cast<double>(codes.steps())))
            return codes.highest;
        const auto whole = static_cast<std::int32_t>(steps);
        const double rest = steps - static_cast<double>(whole);
        const std::int32_t up =
            static_cast<std::int32_t>(rest > 0.5) | (static_cast<std::int32_t>(rest == 0.5) & whole & 1);
        return codes.lowest + whole + up;
    }
};

/// A zero-point rule: the scale a range needs, and the code of 0 once the scale is snapped.
template <class Z>
concept zero_point_rule = requires(value_range range, code_range codes, double scale, bool half_step) {
    { Z::has_zero_point } -> std::convertible_to<bool>;
    { Z::wanted_scale(range, codes, half_step) } -> std::convertible_to<double>;
    { Z::zero_point(range, scale, codes) } -> std::convertible_to<std::int32_t>;
};

} // namespace notch

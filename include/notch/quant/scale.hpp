/// @file
/// Scale types: which numbers a scale may be, and how a real one is snapped to them.
///
/// | type                             | a scale is                    | stored as          | requantization      |
/// |----------------------------------|-------------------------------|--------------------|---------------------|
/// | power_of_two<snap_up>            | 2^e, 2^e >= s                 | int32 exponent     | shift               |
/// | power_of_two<snap_nearest>       | 2^e, e nearest to log2(s)     | int32 exponent     | shift               |
/// | power_of_two<snap_down>          | 2^e, 2^e <= s                 | int32 exponent     | shift               |
/// | power_of_two<snap_least_squares> | 2^e of least square error     | int32 exponent     | shift               |
/// | fixed_point<rounding style>      | m 2^(e-31), m in [2^30, 2^31) | q31                | multiply and shift  |
/// | real_scale                       | any float                     | float              | float multiply      |
///
/// Every scale lies in [2^-100, 2^119]. The lower end keeps 1/scale and all products away from
/// denormal floats, so that flush-to-zero (which -ffast-math switches on) cannot change a code; a
/// smaller scale becomes 2^-100. The upper end keeps every dequantized number finite, since
/// 255 * 2^119 < 2^127; data that needs a larger scale is refused by fitting. A block without a non-zero
/// value has the scale 1.
#pragma once

#include <notch/core/fixed_point.hpp>
#include <notch/core/int_math.hpp>

#include <array>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <string_view>

namespace notch {

/// Exponent of the smallest scale.
inline constexpr int min_scale_exponent = -100;
/// Exponent of the largest scale.
inline constexpr int max_scale_exponent = 119;

namespace detail {

/// Brings a wanted scale into [2^-100, 2^119]; 0, the scale of a block of zeros, becomes 1.
[[nodiscard]] constexpr double admissible_scale(double scale) noexcept {
    if (scale == 0.0)
        return 1.0;
    if (scale < exp2_exact(min_scale_exponent))
        return exp2_exact(min_scale_exponent);
    return scale > exp2_exact(max_scale_exponent) ? exp2_exact(max_scale_exponent) : scale;
}

[[nodiscard]] constexpr int clamp_exponent(int exponent) noexcept {
    return exponent < min_scale_exponent   ? min_scale_exponent
           : exponent > max_scale_exponent ? max_scale_exponent
                                           : exponent;
}

} // namespace detail

/// The smallest power of two that is not below the scale: nothing that fitted is clipped.
struct snap_up {
    /// Exponent for a scale in [2^-100, 2^119].
    [[nodiscard]] static constexpr int exponent(double scale) noexcept {
        return floor_log2(scale) + (is_power_of_two(scale) ? 0 : 1);
    }
};

/// The power of two whose exponent is nearest to log2(scale).
struct snap_nearest {
    /// Exponent for a scale in [2^-100, 2^119]: rounds up where the mantissa m in [1, 2) has m^2 >= 2.
    [[nodiscard]] static constexpr int exponent(double scale) noexcept {
        const int below = floor_log2(scale);
        const double mantissa = scale * exp2_exact(-below);
        return below + (mantissa * mantissa >= 2.0 ? 1 : 0);
    }
};

/// The largest power of two that is not above the scale: finest steps, the largest values saturate.
struct snap_down {
    /// Exponent for a scale in [2^-100, 2^119].
    [[nodiscard]] static constexpr int exponent(double scale) noexcept { return floor_log2(scale); }
};

/// The power of two of least square error over the block: snap_up's and the three below it are tried.
/// Where there is no data to try them on (params_from_range), it is snap_up.
struct snap_least_squares {
    /// How many exponents are tried.
    static constexpr int tried = 4;
    /// Exponent for a scale in [2^-100, 2^119] when there is no data.
    [[nodiscard]] static constexpr int exponent(double scale) noexcept { return snap_up::exponent(scale); }
};

/// A snapping rule: `static int exponent(double scale)`; with `tried`, that exponent and those below
/// it are compared by square error.
template <class S>
concept snap_rule = requires(double scale) {
    { S::exponent(scale) } -> std::convertible_to<int>;
};

/// Scales 2^e: every requantization is a shift.
template <snap_rule Snap = snap_least_squares> struct power_of_two {
    using value_type = std::int32_t; ///< the exponent

    /// The exponent for a wanted scale, clamped to [-100, 119].
    [[nodiscard]] static constexpr value_type snap(double scale) noexcept {
        return detail::clamp_exponent(Snap::exponent(detail::admissible_scale(scale)));
    }

    /// The exponents to compare by square error, where the rule compares; largest first.
    [[nodiscard]] static constexpr auto candidates(double scale) noexcept requires requires { Snap::tried; }
    {
        std::array<value_type, static_cast<std::size_t>(Snap::tried)> result{};
        const value_type top = snap(scale);
        for (int i = 0; i < Snap::tried; ++i)
            result[static_cast<std::size_t>(i)] = detail::clamp_exponent(top - i);
        return result;
    }

    /// 2^exponent; 0 or infinity for an exponent that no double has, which every use of it refuses.
    [[nodiscard]] static constexpr double to_real(value_type exponent) noexcept {
        if (exponent < -1022)
            return 0.0;
        return exponent > 1023 ? std::numeric_limits<double>::infinity() : exp2_exact(exponent);
    }
};

namespace detail {

/// True for power_of_two<>: its numbers are exponents, and in range where those are. A scale type of one's own with the same
/// numbers may mean something else by them.
template <class T> inline constexpr bool has_exponents = false;
template <class Snap> inline constexpr bool has_exponents<power_of_two<Snap>> = true;

} // namespace detail

/// Scales m 2^(e-31): requantization multiplies by an integer and shifts.
template <class Style = single_rounding> struct fixed_point {
    static_assert(std::same_as<Style, single_rounding> || std::same_as<Style, double_rounding>,
                  "fixed_point<Style>: Style is single_rounding or double_rounding");
    using value_type = q31;       ///< multiplier and exponent
    using rounding_style = Style; ///< how requantization rounds

    /// The nearest q31, in [2^-100, 2^119].
    [[nodiscard]] static constexpr value_type snap(double scale) { return to_q31(detail::admissible_scale(scale)); }
    /// multiplier 2^(exponent - 31); 0 for a value that is no q31, which every use of it refuses.
    [[nodiscard]] static constexpr double to_real(value_type scale) noexcept {
        const bool is_q31 = scale.multiplier >= (1 << 30) && scale.exponent > -900 && scale.exponent < 900;
        return is_q31 ? scale.real() : 0.0;
    }
};

/// Scales that are floats: the only scale type for which a float decides a code at run time.
struct real_scale {
    using value_type = float; ///< the scale

    /// The nearest float, in [2^-100, 2^119].
    [[nodiscard]] static constexpr value_type snap(double scale) noexcept {
        return static_cast<float>(detail::admissible_scale(scale));
    }
    /// The scale itself.
    [[nodiscard]] static constexpr double to_real(value_type scale) noexcept { return static_cast<double>(scale); }
};

namespace detail {

/// Raises range_error for a scale that is not finite or exceeds the largest one.
inline void check_wanted_scale(double scale, std::size_t block, std::string_view name) {
    if (is_non_finite(scale) || scale > exp2_exact(max_scale_exponent))
        raise<range_error>(quoted(name), ": block ", block, " needs a scale of ", scale, "; the largest is 2^",
                           max_scale_exponent, " = ", exp2_exact(max_scale_exponent));
}

} // namespace detail

/// A scale type: what is stored, how a wanted scale becomes one, and which real number it is.
template <class S>
concept scale_type = requires(double scale, const typename S::value_type& value) {
    typename S::value_type;
    { S::snap(scale) } -> std::same_as<typename S::value_type>;
    { S::to_real(value) } -> std::convertible_to<double>;
};

/// A scale type that offers several values for one wanted scale, to be compared by square error.
template <class S>
concept searching_scale_type = scale_type<S> && requires(double scale) {
    { *std::begin(S::candidates(scale)) } -> std::convertible_to<typename S::value_type>;
};

} // namespace notch

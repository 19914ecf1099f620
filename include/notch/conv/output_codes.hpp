/// @file
/// What the codes of a result mean, and how numbers of another power-of-two scale become such codes. Part of pooling, add
/// and concat_channels.
///
///     code = clamp(round(x * 2^(e - exponent)) + zero_point, lowest, highest)
///
/// The product is exact, it is rounded once, and a code beyond the range is the end of the range, whatever e is.
#pragma once

#include <notch/conv/image.hpp>
#include <notch/core/config.hpp>
#include <notch/core/error.hpp>
#include <notch/core/rounding.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <string_view>

namespace notch {

/// Scale, zero point and range of the codes of a result.
struct output_codes {
    std::int32_t exponent = 0;                                       ///< scale = 2^exponent, in [-126, 127]
    std::int32_t zero_point = 0;                                     ///< code of 0
    std::int32_t lowest = std::numeric_limits<std::int32_t>::min();  ///< no code is below it, nor below its type
    std::int32_t highest = std::numeric_limits<std::int32_t>::max(); ///< no code is above it, nor above its type

    /// The same without negative reals: max(x, 0).
    [[nodiscard]] constexpr output_codes with_relu() const noexcept {
        return {exponent, zero_point, std::max(lowest, zero_point), highest};
    }
};

namespace detail {

/// Destination type of integer operators.
template <class T>
concept code_type = std::same_as<T, std::uint8_t> || std::same_as<T, std::int8_t>;

/// Range and zero point of codes, checked.
struct code_limits {
    std::int32_t zero_point = 0;
    std::int32_t lowest = 0;
    std::int32_t highest = 0;

    /// A number, from the zero point on, as a code. Precondition: |x| <= 2^30.
    template <class T> [[nodiscard]] NOTCH_INLINE T code(std::int32_t x) const noexcept {
        return static_cast<T>(std::min(std::max(x + zero_point, lowest), highest));
    }
};

/// The limits of a result of type T. Raises range_error for a zero point or an exponent that cannot be one, and for a range
/// without a code. `what`: the operation.
template <code_type T> [[nodiscard]] code_limits limits_of(const output_codes& output, std::string_view what) {
    check_zero_point<T>(output.zero_point, what);
    check_exponent(output.exponent, what);
    const std::int32_t lowest = std::max(output.lowest, lowest_code<T>);
    const std::int32_t highest = std::min(output.highest, highest_code<T>);
    if (lowest > highest)
        raise<range_error>(what, ": codes from ", output.lowest, " to ", output.highest, ": none of them lies in [",
                           lowest_code<T>, ", ", highest_code<T>, "]");
    return {output.zero_point, lowest, highest};
}

/// Raises unsupported_error unless images have a power-of-two scale.
template <class Code> void check_power_of_two(const image_codes<Code>& images, std::string_view what) {
    if (images.scale != 0.0F)
        raise<unsupported_error>(what, ": images of the real scale ", images.scale,
                                 "; the result is computed by shifts and needs power-of-two scales");
}

/// Raises shape_error unless a destination has the extents of the result.
inline void check_destination(std::string_view what, const extents<4>& dst, const extents<4>& wanted) {
    if (dst != wanted)
        raise<shape_error>(what, ": a destination of extents ", dst, " for a result of extents ", wanted);
}

/// round(x 2^-count), saturated far beyond every code, for |x| < 2^30 and any count. The rule depends on no more of a
/// fraction than whether it is 0, below a half, a half or above.
template <deterministic_rounding Rounding> struct code_shift {
    std::int32_t right;
    std::int32_t left;
    std::int32_t largest; ///< magnitudes beyond it change nothing

    explicit code_shift(std::int32_t count) noexcept
        : right(std::clamp(count, 0, 30)), left(std::clamp(-count, 0, 20)),
          largest(count > 30  ? 1
                  : count < 0 ? 1024
                              : std::numeric_limits<std::int32_t>::max()) {}
    [[nodiscard]] NOTCH_INLINE std::int32_t operator()(std::int32_t x) const noexcept {
        const std::int32_t bounded = std::min(std::max(x, -largest), largest);
        return Rounding::shift_right(bounded * (std::int32_t{1} << left), right);
    }
};

} // namespace detail
} // namespace notch

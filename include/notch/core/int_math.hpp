/// @file
/// Integer helpers with checked edges: division that rounds up, narrowing that refuses to lose
/// bits, products that refuse to wrap, exact powers of two.
#pragma once

#include <notch/core/config.hpp>
#include <notch/core/error.hpp>

#include <bit>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <string_view>
#include <utility>

namespace notch {

/// The number of blocks of `divisor` that cover `value`: ceil(value / divisor). Precondition: divisor > 0.
[[nodiscard]] NOTCH_INLINE constexpr std::size_t ceil_div(std::size_t value, std::size_t divisor) noexcept {
    return value / divisor + (value % divisor != 0 ? 1 : 0);
}

/// The smallest multiple of `multiple` that is not below `value`. Precondition: multiple > 0 and the
/// result fits std::size_t.
[[nodiscard]] NOTCH_INLINE constexpr std::size_t round_up(std::size_t value, std::size_t multiple) noexcept {
    return ceil_div(value, multiple) * multiple;
}

/// Where part number `part` begins when `count` things are cut into `parts` neighbouring parts of like size; the first ones
/// have one more. Precondition: part <= parts, parts > 0.
[[nodiscard]] NOTCH_INLINE constexpr std::size_t part_begin(std::size_t count, std::size_t parts,
                                                            std::size_t part) noexcept {
    const std::size_t rest = count % parts;
    return count / parts * part + (part < rest ? part : rest);
}

/// Converts between integer types; raises range_error that names `what` when the value does not fit.
template <std::integral To, std::integral From>
[[nodiscard]] constexpr To checked_narrow(From value, std::string_view what) {
    if (!std::in_range<To>(value))
        detail::raise<range_error>(what, " is ", value, ", outside [", std::numeric_limits<To>::min(), ", ",
                                   std::numeric_limits<To>::max(), "]");
    return static_cast<To>(value);
}

/// Multiplies two sizes; raises range_error that names `what` when the product does not fit.
[[nodiscard]] constexpr std::size_t checked_product(std::size_t a, std::size_t b, std::string_view what) {
    if (a != 0 && b > std::numeric_limits<std::size_t>::max() / a)
        detail::raise<range_error>(what, ": ", a, " x ", b, " does not fit ", std::numeric_limits<std::size_t>::max());
    return a * b;
}

/// 2^exponent as a double, exact, without a library call. Precondition: -1022 <= exponent <= 1023.
[[nodiscard]] NOTCH_INLINE constexpr double exp2_exact(int exponent) noexcept {
    return std::bit_cast<double>(static_cast<std::uint64_t>(exponent + 1023) << 52);
}

/// floor(log2(x)) of a positive normal double, read from its exponent bits. Precondition: x is normal and > 0.
[[nodiscard]] NOTCH_INLINE constexpr int floor_log2(double x) noexcept {
    return static_cast<int>((std::bit_cast<std::uint64_t>(x) >> 52) & 0x7ff) - 1023;
}

/// True where x is a positive normal power of two.
[[nodiscard]] NOTCH_INLINE constexpr bool is_power_of_two(double x) noexcept {
    const auto bits = std::bit_cast<std::uint64_t>(x);
    const auto exponent = bits >> 52;
    return (bits & 0x000f'ffff'ffff'ffffULL) == 0 && exponent > 0 && exponent < 0x7ff;
}

/// The value of a finite float as a double, also of a denormal one where flush-to-zero is on.
[[nodiscard]] constexpr double exact_double(float x) noexcept {
    const auto bits = std::bit_cast<std::uint32_t>(x);
    const auto field = static_cast<int>((bits >> 23) & 0xff);
    const std::uint32_t mantissa = (bits & 0x7f'ffffU) | (field != 0 ? 0x80'0000U : 0U);
    const double magnitude = static_cast<double>(mantissa) * exp2_exact((field != 0 ? field : 1) - 150);
    return (bits >> 31) != 0 ? -magnitude : magnitude;
}

/// True where x is NaN or infinite, told from its bits: -ffast-math cannot remove the test.
[[nodiscard]] NOTCH_INLINE constexpr bool is_non_finite(float x) noexcept {
    return (std::bit_cast<std::uint32_t>(x) & 0x7f80'0000U) == 0x7f80'0000U;
}

/// True where x is NaN or infinite, told from its bits: -ffast-math cannot remove the test.
[[nodiscard]] NOTCH_INLINE constexpr bool is_non_finite(double x) noexcept {
    return (std::bit_cast<std::uint64_t>(x) & 0x7ff0'0000'0000'0000ULL) == 0x7ff0'0000'0000'0000ULL;
}

} // namespace notch

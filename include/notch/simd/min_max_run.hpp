/// @file
/// The smallest and the largest of a run of floats, and whether all of them are finite.
///
///     -0.0 < +0.0, otherwise the order of the reals
///
/// Nothing compares floats. Bit patterns of floats that are not negative ascend with their value, as
/// int32 and as uint32; patterns of negative floats lie above them as uint32, and descend. Hence
///
///     s = largest as int32      the maximum, where there is a value >= +0
///     u = largest as uint32     the minimum, where there is a value <= -0
///     v = least as uint32       the minimum where all are >= +0, the maximum where all are <= -0
///
/// and a NaN or an infinity, whose magnitude is the largest of all, shows in s or in u. Three integer
/// operations per register, the same result for every order, under -ffast-math and under flushing of
/// denormal numbers.
#pragma once

#include <notch/core/config.hpp>
#include <notch/simd/arch.hpp>
#include <notch/simd/elementwise_isa.hpp>

#include <bit>
#include <cstddef>
#include <cstdint>
#include <limits>

namespace notch::simd {

namespace detail {

/// Reads minimum and maximum from the three extremes, see above; false where one value was not finite.
NOTCH_INLINE bool read_extremes(const pattern_extremes& seen, float& min, float& max) noexcept {
    const bool has_negative = seen.largest_unsigned >= 0x8000'0000U;
    const bool has_positive = seen.largest_signed >= 0;
    min = std::bit_cast<float>(has_negative ? seen.largest_unsigned : seen.least_unsigned);
    max = std::bit_cast<float>(has_positive ? static_cast<std::uint32_t>(seen.largest_signed) : seen.least_unsigned);
    return seen.largest_signed < 0x7f80'0000 && seen.largest_unsigned < 0xff80'0000U;
}

/// The scalar definition of min_max_run. Precondition: count > 0.
NOTCH_INLINE bool min_max_elements(const float* x, std::size_t count, float& min, float& max) noexcept {
    pattern_extremes seen{std::bit_cast<std::int32_t>(x[0]), std::bit_cast<std::uint32_t>(x[0]),
                          std::bit_cast<std::uint32_t>(x[0])};
    for (std::size_t i = 1; i < count; ++i) {
        const auto s = std::bit_cast<std::int32_t>(x[i]);
        const auto u = std::bit_cast<std::uint32_t>(x[i]);
        seen.largest_signed = s > seen.largest_signed ? s : seen.largest_signed;
        seen.largest_unsigned = u > seen.largest_unsigned ? u : seen.largest_unsigned;
        seen.least_unsigned = u < seen.least_unsigned ? u : seen.least_unsigned;
    }
    return read_extremes(seen, min, max);
}

/// The same by lanes. Precondition: count >= width.
template <class Arch>
NOTCH_INLINE bool min_max_lanes(const float* x, std::size_t count, float& min, float& max) noexcept {
    using ops = elementwise<Arch>;
    constexpr std::size_t width = ops::width;
    constexpr std::size_t ahead = 512;
    typename ops::extremes first(ops::load(x));
    typename ops::extremes second = first;
    std::size_t i = 0;
    for (; i + 4 * width <= count; i += 4 * width) {
        for (std::size_t line = 0; line < 4 * width; line += 16)
            ops::prefetch(x, (i + ahead + line) * sizeof(float));
        first.see(ops::load(x + i));
        second.see(ops::load(x + i + width));
        first.see(ops::load(x + i + 2 * width));
        second.see(ops::load(x + i + 3 * width));
    }
    for (; i + width <= count; i += width)
        first.see(ops::load(x + i));
    second.see(ops::load(x + count - width)); // the last lane overlaps the one before
    first.join(second);
    return read_extremes(first.collect(), min, max);
}

} // namespace detail

/// Minimum and maximum of `count` floats, -0.0 below +0.0. Returns false where one of them is NaN or
/// infinite; min and max then mean nothing. Of no floats at all, the minimum is the largest float and
/// the maximum the lowest.
template <class Arch>
[[nodiscard]] bool min_max_run(const float* x, std::size_t count, float& min, float& max) noexcept {
    if (count == 0) {
        min = std::numeric_limits<float>::max();
        max = std::numeric_limits<float>::lowest();
        return true;
    }
    if constexpr (elementwise<Arch>::width > 1)
        if (count >= elementwise<Arch>::width)
            return detail::min_max_lanes<Arch>(x, count, min, max);
    return detail::min_max_elements(x, count, min, max);
}

} // namespace notch::simd

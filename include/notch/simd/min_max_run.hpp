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

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <limits>

namespace notch::simd
{

namespace detail
{

/// The three extremes of bit patterns, see above.
struct pattern_extremes
{
    std::uint32_t largest_signed;
    std::uint32_t largest_unsigned;
    std::uint32_t least_unsigned;

    NOTCH_INLINE explicit pattern_extremes(std::uint32_t bits) noexcept
        : largest_signed(bits), largest_unsigned(bits), least_unsigned(bits)
    {
    }
    NOTCH_INLINE void join(std::uint32_t s, std::uint32_t u, std::uint32_t v) noexcept
    {
        largest_signed = static_cast<std::int32_t>(s) > static_cast<std::int32_t>(largest_signed) ? s : largest_signed;
        largest_unsigned = u > largest_unsigned ? u : largest_unsigned;
        least_unsigned = v < least_unsigned ? v : least_unsigned;
    }
    NOTCH_INLINE bool read(float& min, float& max) const noexcept
    {
        const bool has_negative = largest_unsigned >= 0x8000'0000U;
        const bool has_positive = largest_signed < 0x8000'0000U;
        min = std::bit_cast<float>(has_negative ? largest_unsigned : least_unsigned);
        max = std::bit_cast<float>(has_positive ? largest_signed : least_unsigned);
        return static_cast<std::int32_t>(largest_signed) < 0x7f80'0000 && largest_unsigned < 0xff80'0000U;
    }
};

/// The scalar definition of min_max_run. Precondition: count > 0.
NOTCH_INLINE bool min_max_elements(const float* x, std::size_t count, float& min, float& max) noexcept
{
    pattern_extremes seen(std::bit_cast<std::uint32_t>(x[0]));
    for (std::size_t i = 1; i < count; ++i)
    {
        const auto bits = std::bit_cast<std::uint32_t>(x[i]);
        seen.join(bits, bits, bits);
    }
    return seen.read(min, max);
}

/// The same by lanes. Precondition: count >= width.
template <class Arch> NOTCH_INLINE bool min_max_lanes(const float* x, std::size_t count, float& min, float& max) noexcept
{
    using isa = elementwise<Arch>;
    constexpr std::size_t width = isa::width;
    constexpr std::size_t ahead = 512;
    typename isa::extremes first(isa::load(x));
    typename isa::extremes second = first;
    std::size_t i = 0;
    for (; i + 4 * width <= count; i += 4 * width)
    {
        for (std::size_t line = 0; line < 4 * width; line += 16)
            isa::prefetch(x, (i + ahead + line) * sizeof(float));
        first.see(isa::load(x + i));
        second.see(isa::load(x + i + width));
        first.see(isa::load(x + i + 2 * width));
        second.see(isa::load(x + i + 3 * width));
    }
    for (; i + width <= count; i += width)
        first.see(isa::load(x + i));
    second.see(isa::load(x + count - width)); // the last lane overlaps the one before

    std::array<std::uint32_t, 6 * width> spilled;
    first.spill(spilled.data());
    second.spill(spilled.data() + 3 * width);
    pattern_extremes seen(spilled[0]);
    seen.least_unsigned = spilled[2 * width];
    for (std::size_t k = 0; k < width; ++k)
    {
        seen.join(spilled[k], spilled[width + k], spilled[2 * width + k]);
        seen.join(spilled[3 * width + k], spilled[4 * width + k], spilled[5 * width + k]);
    }
    return seen.read(min, max);
}

} // namespace detail

/// Minimum and maximum of `count` floats, -0.0 below +0.0. Returns false where one of them is NaN or
/// infinite; min and max then mean nothing. Of no floats at all, the minimum is the largest float and
/// the maximum the lowest.
template <class Arch> [[nodiscard]] bool min_max_run(const float* x, std::size_t count, float& min, float& max) noexcept
{
    if (count == 0)
    {
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

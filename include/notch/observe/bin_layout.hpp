/// @file
/// Where the 4,096 bins of a histogram lie, and how values find theirs.
///
/// A layout follows from the smallest and the largest value alone: the sides of zero that are
/// needed, and the smallest 2^e above max|x|. A value's bin follows from its sign and
///
///     floor(|x| / 2^s),   s = width_exponent
///
/// which for a float is a shift of its mantissa. Because halving the number of bins on a side, or
/// adding a side, only drops low bits of that number, a coarser layout's bins are unions of a finer
/// layout's. See observe/histogram.hpp for the picture.
#pragma once

#include <notch/core/config.hpp>
#include <notch/core/int_math.hpp>
#include <notch/observe/scan.hpp>

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>

namespace notch::detail {

/// Number of bins of a histogram.
inline constexpr std::uint32_t histogram_bins = 4096;
/// The slot behind the bins: the count of zeros.
inline constexpr std::uint32_t zero_slot = histogram_bins;

/// Where the bins lie.
struct bin_layout {
    int width_exponent = -161; ///< log2 of the width of a bin
    std::uint32_t origin = 0;  ///< number of bins below zero: 0, 2048 or 4096

    /// The layout for values whose ends have these keys.
    [[nodiscard]] static constexpr bin_layout of(std::int32_t lowest, std::int32_t highest) noexcept {
        const std::uint32_t magnitude = std::max(magnitude_of_key(lowest), magnitude_of_key(highest));
        const auto field = static_cast<int>(magnitude >> 23);
        const int exponent = field != 0 ? field - 126 : static_cast<int>(std::bit_width(magnitude)) - 149;
        const bool both = lowest < 0 && highest > 0;
        return {exponent - (both ? 11 : 12), both ? histogram_bins / 2 : lowest < 0 ? histogram_bins : 0};
    }

    /// floor(|x| / width), from the bits of |x|. Precondition: the layout covers x.
    [[nodiscard]] constexpr std::uint32_t steps(std::uint32_t magnitude) const noexcept {
        const std::uint32_t field = magnitude >> 23;
        const std::uint32_t mantissa = (magnitude & 0x7f'ffffU) | (field != 0 ? 0x80'0000U : 0U);
        const int shift = width_exponent - (static_cast<int>(field != 0 ? field : 1) - 150);
        return shift > 31 ? 0 : shift >= 0 ? mantissa >> shift : mantissa << -shift;
    }

    /// The slot of a value, from its key. Precondition: the layout covers x.
    [[nodiscard]] constexpr std::uint32_t slot(std::int32_t key) const noexcept {
        if (key == 0 || key == -1)
            return zero_slot;
        const std::uint32_t distance = steps(magnitude_of_key(key));
        return key < 0 ? origin - 1 - distance : origin + distance;
    }

    /// The bin of this layout that holds a bin of a finer one.
    [[nodiscard]] constexpr std::uint32_t bin_for(const bin_layout& finer, std::uint32_t bin) const noexcept {
        const int halvings = std::min(width_exponent - finer.width_exponent, 31);
        return bin < finer.origin ? origin - 1 - ((finer.origin - 1 - bin) >> halvings)
                                  : origin + ((bin - finer.origin) >> halvings);
    }

    /// True where both put every value into the same bin.
    friend constexpr bool operator==(const bin_layout&, const bin_layout&) = default;
};

/// Counts values into their slots. Slots are computed for a whole block first, which vectorizes;
/// the product by a power of two is exact, or so small that it is truncated to 0 either way.
template <std::size_t Count>
NOTCH_INLINE void count_block(const float* x, std::size_t count, const bin_layout& layout,
                              std::uint64_t* counts) noexcept {
    std::array<std::uint32_t, observed_block> slots;
    const std::size_t n = Count != 0 ? Count : count;
    if (layout.width_exponent >= -126) {
        const auto inverse = static_cast<float>(exp2_exact(-layout.width_exponent));
        const auto origin = static_cast<std::int32_t>(layout.origin);
        for (std::size_t i = 0; i < n; ++i) {
            const auto bits = std::bit_cast<std::int32_t>(x[i]);
            const std::int32_t slot = origin + static_cast<std::int32_t>(x[i] * inverse) + (bits >> 31);
            const std::uint32_t is_zero =
                (bits & 0x7fff'ffff) == 0 ? ~0U : 0U; // a mask, since a branch is mispredicted after a ReLU
            slots[i] = (static_cast<std::uint32_t>(slot) & ~is_zero) | (zero_slot & is_zero);
        }
    } else {
        for (std::size_t i = 0; i < n; ++i)
            slots[i] = layout.slot(ordered_key(x[i]));
    }
    for (std::size_t i = 0; i < n; ++i)
        ++counts[slots[i]];
}

} // namespace notch::detail

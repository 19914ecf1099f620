/// @file
/// Epilogues that numbers describe, so that microkernels can finish their tiles in registers:
///
///     code = min(max(scaled(sum + add[c]) + zero point, lowest), highest)
///
///     scaled(x) = float(x) * factor[c], or x / 2^shift[c], rounded to nearest even
///
/// Stages describe themselves where they can, see epilogue/stage.hpp. Codes are those of the stages, bit for bit.
#pragma once

#include <notch/core/config.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>

namespace notch {

/// What a plain epilogue does to the sums of some columns.
struct plain_codes {
    /// Columns of a tile, at most.
    static constexpr std::size_t most_columns = 64;
    /// What becomes of sums.
    enum class scaling : std::uint8_t {
        none,        ///< nothing so far
        product,     ///< factors, whose products do not leave int32
        short_shift, ///< shifts of numbers that are floats without rounding
        shift        ///< shifts of numbers that have room for a half
    };

    alignas(64) std::int32_t add[most_columns];    ///< per column, modulo 2^32
    alignas(64) float factors[most_columns];       ///< per column, for `product`
    alignas(64) std::int32_t shifts[most_columns]; ///< per column, in [0, 30], for both kinds of shifts
    scaling how = scaling::none;                   ///< what becomes of sums
    std::int32_t zero_point = 0;                   ///< is added behind the scaling
    std::int32_t lowest = -(1 << 30);              ///< no code is smaller
    std::int32_t highest = 1 << 30;                ///< no code is larger

    /// Forgets what is there.
    NOTCH_INLINE void clear() noexcept {
        how = scaling::none;
        zero_point = 0;
        lowest = -(1 << 30);
        highest = 1 << 30;
    }
    /// A scaling of sums. False where they have been scaled.
    [[nodiscard]] NOTCH_INLINE bool then_scale(scaling by) noexcept {
        const bool is_first = how == scaling::none;
        how = by;
        return is_first;
    }
    /// A clamp behind what is there. False where sums have not been scaled, or low > high.
    [[nodiscard]] NOTCH_INLINE bool then_clamp(std::int32_t low, std::int32_t high) noexcept {
        if (low > high)
            return false;
        lowest = std::clamp(lowest, low, high);
        highest = std::clamp(highest, low, high);
        return how != scaling::none;
    }
    /// A zero point behind what is there. False where sums have not been scaled, or where it is none of eight bits.
    [[nodiscard]] NOTCH_INLINE bool then_add(std::int32_t zero) noexcept {
        constexpr std::int32_t room = 1 << 30;
        if (how == scaling::none || zero < -255 || zero > 255 || zero_point + zero < -255 || zero_point + zero > 255 ||
            lowest > room || highest < -room)
            return false;
        zero_point += zero;
        lowest += zero;
        highest += zero;
        return true;
    }
};

} // namespace notch

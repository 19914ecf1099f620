/// @file
/// Random numbers without a state: a function of seed and index.
///
/// A generator that is called in sequence makes the result depend on who calls first. Here element
/// i always gets the same number, whatever thread, tile or instruction set computes it.
#pragma once

#include <notch/core/config.hpp>

#include <cstdint>

namespace notch {

/// 64 well-mixed bits for one index of one stream: the output function of SplitMix64 applied to
/// seed + (index + 1) * 0x9E3779B97F4A7C15. Source: Steele, Lea, Flood, "Fast splittable pseudorandom
/// number generators", OOPSLA 2014, figure 17; the counter takes the place of the running state.
[[nodiscard]] NOTCH_INLINE constexpr std::uint64_t counter_bits(std::uint64_t seed, std::uint64_t index) noexcept {
    std::uint64_t z = seed + (index + 1) * 0x9E37'79B9'7F4A'7C15ULL;
    z = (z ^ (z >> 30)) * 0xBF58'476D'1CE4'E5B9ULL;
    z = (z ^ (z >> 27)) * 0x94D0'49BB'1331'11EBULL;
    return z ^ (z >> 31);
}

/// 31 random bits for one index: uniform over [0, 2^31). What a random_rounding takes.
[[nodiscard]] NOTCH_INLINE constexpr std::int32_t counter_random(std::uint64_t seed, std::uint64_t index) noexcept {
    return static_cast<std::int32_t>(counter_bits(seed, index) >> 33);
}

/// A uniform real in [0, 1) with 53 random bits.
[[nodiscard]] NOTCH_INLINE constexpr double counter_uniform(std::uint64_t seed, std::uint64_t index) noexcept {
    return static_cast<double>(counter_bits(seed, index) >> 11) * 0x1p-53;
}

} // namespace notch

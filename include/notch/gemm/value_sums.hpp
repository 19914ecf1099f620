/// @file
/// What the values of an output of packed weights add up to, and the largest sum of products that follows. Part of pack.hpp,
/// which counts while it writes, and of packed_check.hpp, which counts what it reads.
#pragma once

#include <algorithm>
#include <cstdint>

namespace notch::detail {

/// The sum and the sum of magnitudes of the values of an output. Magnitudes end at `most`: they then say no more than that
/// products leave int32, whatever their signs, and nothing is added to the sum.
struct value_sums {
    std::int64_t sum = 0;
    std::int64_t magnitude = 0;
    static constexpr std::int64_t most = std::int64_t{1} << 40;

    /// Adds those of a block, times 2^shift. Precondition: shift <= 31.
    void add(std::int64_t block_sum, std::int64_t block_magnitude, std::uint32_t shift) noexcept {
        if (magnitude == most || block_magnitude > most >> shift) {
            magnitude = most;
            return;
        }
        magnitude = std::min(magnitude + (block_magnitude << shift), most);
        sum += block_sum * (std::int64_t{1} << shift);
    }
    /// Largest sum of products with 8-bit activations; at least that, where magnitudes have ended.
    [[nodiscard]] std::int64_t bound() const noexcept { return 255 * ((magnitude + (sum < 0 ? -sum : sum)) / 2); }
};

} // namespace notch::detail

/// @file
/// What pack counts while it writes a panel. Part of gemm/pack_panel.hpp.
///
/// All of it is done for sixteen outputs, in loops that compilers turn into vectors as long as they are loops: unrolled
/// completely they become sixteen statements. Groups of 16 or 32 inputs would cost more here than in their codes.
#pragma once

#include <notch/core/config.hpp>
#include <notch/core/int_math.hpp>
#include <notch/gemm/packed_weights.hpp>
#include <notch/gemm/value_sums.hpp>
#include <notch/gemm/weight_term.hpp>
#include <notch/simd/weight_codes.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>

namespace notch::detail {

/// What is known of a depth block of a panel, per output. Sums that no packed weights can have stop growing at 2^30.
struct block_facts {
    std::int32_t sum[panel_columns];       ///< of values
    std::int32_t magnitude[panel_columns]; ///< of |values|
    std::int32_t largest[panel_columns];   ///< |value|
    std::int32_t exponent[panel_columns];  ///< of its scale, power of two only
};

/// The levels that a width has.
struct level_limits {
    std::int32_t lowest;
    std::int32_t highest;
    level_limits(const weight_term& term, std::uint32_t bits) noexcept
        : lowest(term.base(static_cast<std::uint32_t>(term.width)) - term.base(bits)),
          highest(lowest + (1 << term.width) - 1) {}
};

/// Adds what has been seen of a piece, `First` of its depth block. False where a level is none of the width or a value
/// none that kernels take.
template <bool First>
[[nodiscard]] NOTCH_INLINE bool add_piece(const std::uint8_t* zeros, std::size_t inputs, const simd::level_facts& seen,
                                          level_limits limits, block_facts& facts) noexcept {
    const auto count = static_cast<std::int32_t>(round_up(inputs, simd::detail::code_granule));
    constexpr std::int32_t most = 1 << 30;
    std::int32_t excess[panel_columns]; // negative where something is
    // Kept a loop, which compilers turn into vectors; sixteen statements they do not.
#pragma GCC unroll 1
    for (std::size_t c = 0; c < panel_columns; ++c) {
        const std::int32_t zero = zeros[c];
        const std::int32_t sum = seen.sum[c] - count * zero;
        const std::int32_t magnitude = sum + 2 * seen.below[c];
        const std::int32_t above = seen.highest[c] - zero;
        const std::int32_t below = zero - seen.lowest[c];
        const std::int32_t largest = std::max(std::max(above, below), 0);
        facts.sum[c] = First ? sum : std::min(std::max(facts.sum[c], -most), most) + sum;
        facts.magnitude[c] = First ? magnitude : std::min(facts.magnitude[c], most) + magnitude;
        facts.largest[c] = First ? largest : std::max(facts.largest[c], largest);
        excess[c] = (127 - above) | (128 - below) | (limits.highest - seen.highest[c]) |
                    (seen.lowest[c] - limits.lowest) | (limits.highest - zero) | (zero - limits.lowest);
    }
    std::int32_t all = 0;
    for (const std::int32_t of_output : excess)
        all |= of_output;
    return all >= 0;
}

/// What is known of all depth blocks of a panel, per output. `sum` and `magnitude` are value_sums.
struct panel_facts {
    std::int64_t sum[panel_columns] = {};
    std::int64_t magnitude[panel_columns] = {};
    std::int64_t shifted[panel_columns] = {}; ///< the largest |value| * 2^shift
    std::int32_t largest[panel_columns] = {}; ///< the largest |value|
    std::int32_t shift[panel_columns] = {};   ///< the largest one

    /// Adds a depth block. `lowest`: the exponent of each output; `bytes`: the shifts of the block.
    NOTCH_INLINE void add(const block_facts& facts, const std::int32_t* lowest, std::uint8_t* bytes) noexcept {
        constexpr std::int64_t most = value_sums::most;
        std::int32_t shifts[panel_columns];
#pragma GCC unroll 1
        for (std::size_t c = 0; c < panel_columns; ++c) {
            shifts[c] = facts.magnitude[c] != 0 ? facts.exponent[c] - lowest[c] : 0;
            shift[c] = std::max(shift[c], shifts[c]);
            largest[c] = std::max(largest[c], facts.largest[c]);
        }
#pragma GCC unroll 1
        for (std::size_t c = 0; c < panel_columns; ++c)
            bytes[c] = static_cast<std::uint8_t>(shifts[c]);
#pragma GCC unroll 1
        for (std::size_t c = 0; c < panel_columns; ++c) {
            // value_sums::add for magnitudes below 2^31, without a branch.
            const std::uint64_t by = static_cast<std::uint32_t>(shifts[c]);
            const std::int64_t added = std::int64_t{facts.magnitude[c]} << by;
            const std::int64_t room = magnitude[c] == most ? 0 : most;
            const std::uint64_t mask = added > room ? 0 : ~std::uint64_t{0};
            const std::uint64_t signed_sum = static_cast<std::uint64_t>(std::int64_t{facts.sum[c]}) << by;
            sum[c] = static_cast<std::int64_t>(static_cast<std::uint64_t>(sum[c]) + (signed_sum & mask));
            const std::int64_t total = magnitude[c] + added;
            magnitude[c] = total < most ? total : most;
            const std::int64_t value = std::int64_t{facts.largest[c]} << by;
            shifted[c] = shifted[c] > value ? shifted[c] : value;
        }
    }
};

} // namespace notch::detail

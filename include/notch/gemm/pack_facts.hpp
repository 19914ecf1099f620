/// @file
/// What pack counts while it writes a panel. Part of gemm/pack_panel.hpp.
///
/// All of it is done for the sixteen outputs of a panel at once: groups of 16 or 32 inputs would cost more here than in their
/// codes.
#pragma once

#include <notch/core/config.hpp>
#include <notch/core/int_math.hpp>
#include <notch/gemm/packed_weights.hpp>
#include <notch/gemm/value_sums.hpp>
#include <notch/gemm/weight_term.hpp>
#include <notch/simd/int_kernels.hpp>
#include <notch/simd/lane_codes.hpp>
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

/// True where a number is below 0.
template <simd::lane Lane> [[nodiscard]] NOTCH_INLINE bool any_negative(const Lane& numbers) noexcept {
    std::int32_t each[simd::lane_width<Lane>];
    simd::store_lane(each, numbers);
    std::int32_t all = 0;
    for (const std::int32_t number : each)
        all |= number;
    return all < 0;
}

/// Adds what has been seen of a piece, `First` of its depth block. `excess` becomes negative where a level is none of the
/// width or a value none that kernels take.
template <bool First, simd::lane Lane>
NOTCH_INLINE void add_piece(const std::uint8_t* zeros, std::size_t inputs, const simd::level_facts& seen,
                            level_limits limits, block_facts& facts, Lane& excess) noexcept {
    constexpr std::size_t width = simd::lane_width<Lane>;
    const Lane count(static_cast<std::int32_t>(round_up(inputs, simd::detail::code_granule)));
    const Lane most(1 << 30);
#pragma GCC unroll 2
    for (std::size_t c = 0; c < panel_columns; c += width) {
        const Lane zero = simd::load_codes<Lane>(zeros + c);
        const Lane sum = simd::load_lane<Lane>(seen.sum + c) - count * zero;
        const Lane below_zero = simd::load_lane<Lane>(seen.below + c);
        const Lane magnitude = sum + below_zero + below_zero;
        const Lane lowest = simd::load_lane<Lane>(seen.lowest + c);
        const Lane highest = simd::load_lane<Lane>(seen.highest + c);
        const Lane above = highest - zero;
        const Lane below = zero - lowest;
        const Lane largest = simd::lane_max(simd::lane_max(above, below), Lane(0));
        if constexpr (First) {
            simd::store_lane(facts.sum + c, sum);
            simd::store_lane(facts.magnitude + c, magnitude);
            simd::store_lane(facts.largest + c, largest);
        } else {
            const Lane sum_before = simd::load_lane<Lane>(facts.sum + c);
            const Lane magnitude_before = simd::load_lane<Lane>(facts.magnitude + c);
            simd::store_lane(facts.sum + c, simd::lane_min(simd::lane_max(sum_before, Lane(0) - most), most) + sum);
            simd::store_lane(facts.magnitude + c, simd::lane_min(magnitude_before, most) + magnitude);
            simd::store_lane(facts.largest + c, simd::lane_max(simd::load_lane<Lane>(facts.largest + c), largest));
        }
        excess = excess | (Lane(127) - above) | (Lane(128) - below) | (Lane(limits.highest) - highest) |
                 (lowest - Lane(limits.lowest)) | (Lane(limits.highest) - zero) | (zero - Lane(limits.lowest));
    }
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

/// The same where nothing leaves int32: sums of |value| * 2^shift stay below 2^31.
template <simd::lane Lane> class short_panel_facts {
    static constexpr std::size_t width = simd::lane_width<Lane>;

public:
    /// Adds a depth block.
    NOTCH_INLINE void add(const block_facts& facts, const std::int32_t* lowest, std::uint8_t* bytes) noexcept {
        using simd::store_saturated; // of one number; those of registers are friends
        std::size_t c = 0;
        for (outputs& of : outputs_) {
            const Lane magnitude = simd::load_lane<Lane>(facts.magnitude + c);
            const Lane exponent = simd::load_lane<Lane>(facts.exponent + c);
            const Lane largest = simd::load_lane<Lane>(facts.largest + c);
            const Lane shift = (exponent - simd::load_lane<Lane>(lowest + c)) & ((Lane(0) - magnitude) >> 31);
            of.sum = of.sum + (simd::load_lane<Lane>(facts.sum + c) << shift);
            of.magnitude = of.magnitude + (magnitude << shift);
            of.shifted = simd::lane_max(of.shifted, largest << shift);
            of.largest = simd::lane_max(of.largest, largest);
            of.shift = simd::lane_max(of.shift, shift);
            store_saturated(bytes + c, shift);
            c += width;
        }
    }
    [[nodiscard]] panel_facts all() const noexcept {
        panel_facts facts;
        std::size_t c = 0;
        for (const outputs& of : outputs_) {
            std::int32_t numbers[3][width];
            simd::store_lane(numbers[0], of.sum);
            simd::store_lane(numbers[1], of.magnitude);
            simd::store_lane(numbers[2], of.shifted);
            simd::store_lane(facts.largest + c, of.largest);
            simd::store_lane(facts.shift + c, of.shift);
            for (std::size_t i = 0; i < width; ++i, ++c) {
                facts.sum[c] = numbers[0][i];
                facts.magnitude[c] = numbers[1][i];
                facts.shifted[c] = numbers[2][i];
            }
        }
        return facts;
    }

private:
    struct outputs {
        Lane sum = Lane(0);
        Lane magnitude = Lane(0);
        Lane shifted = Lane(0);
        Lane largest = Lane(0);
        Lane shift = Lane(0);
    };
    outputs outputs_[panel_columns / width];
};

} // namespace notch::detail

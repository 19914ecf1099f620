/// @file
/// How a depthwise convolution over quads is cut.
///
///     for each set of groups of channels             a group is a register of codes: up to 64 channels
///         for each block of lines of a task, and of columns
///             for each tile of output lines          source lines that are new become pairs, of all groups of the set
///                 for each group                     sums, then the epilogue
///
/// Pairs of the source lines of a tile lie in a ring: those that the next tile shares stay. A set has several groups where
/// the channels of a pixel share cache lines, and as far as the ring stays in the first-level cache.
#pragma once

#include <notch/conv/depthwise_problem.hpp>
#include <notch/conv/depthwise_quad_line.hpp>
#include <notch/core/config.hpp>
#include <notch/core/int_math.hpp>
#include <notch/simd/depthwise_isa.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <numeric>

namespace notch::detail {

/// Bytes of pairs and of sums that are kept in the first-level cache.
inline constexpr std::size_t quad_ring_bytes = std::size_t{20} << 10;
inline constexpr std::size_t quad_tile_bytes = std::size_t{15} << 10;
/// Bytes of pairs of all groups: more, where that cache is larger, for a line of source pixels is then read once, and not once
/// for each set of groups that shares it.
template <class Arch>
inline constexpr std::size_t quad_whole_ring_bytes =
    simd::depthwise_quads<Arch>::register_bytes == 64 ? std::size_t{30} << 10 : quad_ring_bytes;
/// Pixels of a tile of short lines.
inline constexpr std::size_t quad_tile = 56;
/// Fewest columns of a block, where there are more.
inline constexpr std::size_t quad_columns = 14;

/// The cut.
struct quad_cut {
    std::size_t group_panels = 1; ///< panels of a group: 1, 2 or 4
    std::size_t groups = 1;
    std::size_t set_groups = 1; ///< groups of a set
    std::size_t sets = 1;
    std::size_t columns = 1; ///< output columns of a block
    std::size_t column_blocks = 1;
    std::size_t lines = 1;       ///< output lines of a block
    std::size_t line_blocks = 1; ///< of an image
    std::size_t images = 1;
    std::size_t tile_lines = 1; ///< output lines of a tile
    std::size_t row_step = 1;   ///< lines of the ring between output lines: the stride, but 3 where they share none
    std::size_t ring = 1;       ///< lines of the ring
    std::size_t line_bytes = 0; ///< of a line of pairs of a set
    std::size_t tile_bytes = 0; ///< of sums

    /// Pairs of a line, for some output columns.
    [[nodiscard]] static NOTCH_INLINE std::size_t pairs_of(std::size_t columns, std::size_t stride) noexcept {
        return ((columns - 1) * stride + simd::quad_taps + 1 + (stride == 1 ? 1 : 0)) / 2;
    }
    /// What tasks share: whole lines, so that they write to the same cache lines at their ends only.
    [[nodiscard]] std::size_t pieces() const noexcept { return images * line_blocks; }
    /// Bytes of the operands of the weights of a set.
    [[nodiscard]] std::size_t weight_bytes() const noexcept { return set_groups * group_panels * quad_weight_bytes; }
    /// Workspace of a task: pairs, sums, weights, and taps of a panel.
    [[nodiscard]] std::size_t task_bytes() const noexcept {
        return ring * line_bytes + tile_bytes + weight_bytes() +
               round_up(simd::quad_taps * simd::quad_taps * simd::depthwise_channels, 64);
    }
};

/// True where a convolution is taken over quads. Weights that are all 0 do not make an instruction set have some.
template <class Arch> [[nodiscard]] bool takes_quads(const depthwise_problem& problem) noexcept {
    return simd::depthwise_quads<Arch>::largest_weight != 0 &&
           problem.largest_weight <= simd::depthwise_quads<Arch>::largest_weight && problem.multiplier == 1 &&
           problem.channel_stride == 1 && problem.kernel_h == simd::quad_taps && problem.kernel_w == simd::quad_taps &&
           problem.stride_w <= 2 && problem.dilation_h == 1 && problem.dilation_w == 1;
}

/// Cuts for some tasks.
template <class Arch> [[nodiscard]] quad_cut cut_quads(const depthwise_problem& problem, std::size_t tasks) noexcept {
    quad_cut cut;
    cut.images = problem.images;
    const std::size_t panels = ceil_div(problem.outputs(), simd::depthwise_channels);
    const std::size_t most = simd::depthwise_quads<Arch>::register_bytes / simd::depthwise_channels;
    while (cut.group_panels < std::min(panels, most))
        cut.group_panels *= 2;
    cut.groups = ceil_div(panels, cut.group_panels);
    cut.row_step = std::min(problem.stride_h, simd::quad_taps);
    const std::size_t pair_bytes = quad_pair_bytes<Arch>(cut.group_panels);
    const std::size_t two_lines = std::min<std::size_t>(problem.out_height, 2);

    // Columns for two lines of one group, then as many groups as fit.
    const std::size_t sum_bytes = cut.group_panels * simd::depthwise_channels * sizeof(std::int32_t);
    const auto ring_bytes = [&](std::size_t lines, std::size_t columns, std::size_t groups) {
        return ((lines - 1) * cut.row_step + simd::quad_taps) * groups * quad_cut::pairs_of(columns, problem.stride_w) *
               pair_bytes;
    };
    const auto room_of = [&](std::size_t groups) {
        return groups == cut.groups ? quad_whole_ring_bytes<Arch> : quad_ring_bytes;
    };
    const auto fits = [&](std::size_t columns, std::size_t groups) {
        return ring_bytes(two_lines, columns, groups) <= room_of(groups) &&
               two_lines * columns * sum_bytes <= quad_tile_bytes;
    };
    std::size_t parts = 1;
    const auto columns_of = [&](std::size_t n) { return ceil_div(problem.out_width, n); };
    while (columns_of(parts) > quad_columns && !fits(columns_of(parts), 1))
        ++parts;
    if (!fits(columns_of(parts), cut.groups) && columns_of(parts + 1) >= quad_columns &&
        fits(columns_of(parts + 1), cut.groups))
        ++parts;
    cut.columns = columns_of(parts);
    cut.column_blocks = ceil_div(problem.out_width, cut.columns);
    // Tiles of short lines have more of them, unless fewer lines leave room for all groups.
    const std::size_t by_rows = (quad_rows - simd::quad_taps) / cut.row_step + 1;
    // All lines of a block, or what gives each task the same number of blocks.
    const std::size_t images = std::max<std::size_t>(cut.images, 1);
    const std::size_t shares = images >= 4 * tasks ? 1 : std::max<std::size_t>(tasks, 1) / std::gcd(images, tasks);
    const std::size_t block_lines = ceil_div(problem.out_height, std::min(shares, problem.out_height));
    std::size_t lines = std::min({by_rows, std::max(quad_tile / cut.columns, two_lines), block_lines});
    if (cut.groups > 1 && fits(cut.columns, cut.groups))
        while (lines > two_lines && ring_bytes(lines, cut.columns, cut.groups) > room_of(cut.groups))
            --lines;
    cut.tile_lines = lines == block_lines ? lines : std::max<std::size_t>(lines / 2 * 2, 1);
    cut.ring = (cut.tile_lines - 1) * cut.row_step + simd::quad_taps;
    const std::size_t one_group = ring_bytes(cut.tile_lines, cut.columns, 1);
    const std::size_t groups = cut.groups * one_group <= room_of(cut.groups)
                                   ? cut.groups
                                   : std::max<std::size_t>(quad_ring_bytes / one_group, 1);
    cut.sets = ceil_div(cut.groups, groups);
    cut.set_groups = ceil_div(cut.groups, cut.sets);
    cut.sets = ceil_div(cut.groups, cut.set_groups);
    cut.line_bytes = cut.set_groups * quad_cut::pairs_of(cut.columns, problem.stride_w) * pair_bytes;

    cut.tile_bytes = cut.tile_lines * cut.columns * sum_bytes;

    cut.lines = std::min(round_up(block_lines, cut.tile_lines), problem.out_height);
    cut.line_blocks = ceil_div(problem.out_height, cut.lines);
    return cut;
}

} // namespace notch::detail

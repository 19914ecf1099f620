/// @file
/// How a depthwise convolution is cut: into blocks that stay in the first-level cache, and into tasks for threads.
///
///     for each block of output lines and columns
///         for each panel of 16 outputs       weights become operands, source lines of the block become units
///             for each tile of lines         sums, then the epilogue
///
/// Blocks overlap in the source; they are as large as the cache allows, so that few codes are made into units twice. All
/// panels of a block follow one another, because they share lines of the caches. Where the image is padded, units hold
/// the zero point: the kernel has no borders. With a dilation, outputs fall into classes that read different columns:
///
///     output x reads columns x * stride + dilation * k      classes x mod (dilation / gcd), of stride (stride / gcd)
///
/// and a line holds the columns of one class after the other, so that the kernel sees no dilation either.
#pragma once

#include <notch/conv/depthwise_line.hpp>
#include <notch/conv/depthwise_problem.hpp>
#include <notch/conv/depthwise_quad_plan.hpp>
#include <notch/core/config.hpp>
#include <notch/core/error.hpp>
#include <notch/core/int_math.hpp>
#include <notch/gemm/workspace.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <numeric>
#include <string_view>

namespace notch::detail {

/// Units of columns, and the cut into pieces.
struct depthwise_cut {
    std::size_t class_count = 1;   ///< of output columns
    std::size_t class_stride = 1;  ///< columns between outputs of a class, in columns of the class
    std::size_t units = 1;         ///< of a row of weights
    std::size_t phases = 1;        ///< of the weights
    std::size_t unit_columns = 1;  ///< columns of a unit
    std::size_t unit_bytes = 1;    ///< bytes of a unit
    std::size_t block_columns = 1; ///< output columns of a block
    std::size_t block_lines = 1;   ///< output lines of a block
    std::size_t tile_lines = 1;    ///< output lines of a tile
    std::size_t source_lines = 1;  ///< source lines of a block
    std::size_t column_blocks = 1;
    std::size_t line_blocks = 1; ///< of an image
    std::size_t panels = 1;
    bool is_quad = false; ///< taken over quads, cut as `quads` says
    quad_cut quads{};
    std::size_t tasks = 1;
    std::size_t line_bytes = 0;   ///< units of a source line
    std::size_t weight_bytes = 0; ///< operands of a panel
    std::size_t tile_bytes = 0;   ///< sums
    std::size_t value_bytes = 0;  ///< weights of a panel before they become operands
    std::size_t task_bytes = 0;   ///< workspace of a task

    /// Outputs of a class within a block.
    [[nodiscard]] NOTCH_INLINE std::size_t class_outputs(std::size_t columns, std::size_t number) const noexcept {
        return number >= columns ? 0 : (columns - number - 1) / class_count + 1;
    }
    /// Units of a source line for some outputs of a class.
    [[nodiscard]] NOTCH_INLINE std::size_t class_units(std::size_t outputs) const noexcept {
        return outputs == 0 ? 0 : (outputs - 1) * class_stride / unit_columns + units;
    }
    /// Units of a source line for a block of output columns.
    [[nodiscard]] std::size_t line_units(std::size_t columns) const noexcept {
        std::size_t sum = 0;
        for (std::size_t c = 0; c < std::min(class_count, columns); ++c)
            sum += class_units(class_outputs(columns, c));
        return sum;
    }
    [[nodiscard]] std::size_t workspace() const noexcept { return tasks * task_bytes; }
};

/// Outputs of a tile, unless a line of a block has more.
inline constexpr std::size_t depthwise_tile = 64;
/// Most columns of a block.
inline constexpr std::size_t depthwise_columns = 128;
/// Fewest columns of a block, where there are more.
inline constexpr std::size_t depthwise_least_columns = 8;
/// Bytes of source lines that are kept in the first-level cache.
inline constexpr std::size_t depthwise_block_bytes = std::size_t{10} << 10;
/// What a line costs beside its units, in units.
inline constexpr std::size_t depthwise_line_cost = 3;
/// Workspace beyond the size of the source.
inline constexpr std::size_t depthwise_spare_bytes = std::size_t{60} << 10;

/// Chooses the block: of all widths the one that has the fewest units to make for an output.
inline void choose_depthwise_block(depthwise_cut& cut, const depthwise_problem& problem) noexcept {
    const std::size_t reach = (problem.kernel_h - 1) * problem.dilation_h + 1;
    double best = 0;
    // Equal parts of a line, from the widest that fit a block to single columns.
    std::size_t columns = 0;
    for (std::size_t widest = std::min(problem.out_width, depthwise_columns); widest != 0; widest = columns - 1) {
        const std::size_t parts = ceil_div(problem.out_width, widest);
        columns = ceil_div(problem.out_width, parts);
        if (parts > 1 && columns < depthwise_least_columns && best != 0)
            break;
        const std::size_t units = cut.line_units(columns);
        const std::size_t room = depthwise_block_bytes / (units * cut.unit_bytes);
        const std::size_t most = room > reach ? (room - reach) / problem.stride_h + 1 : 1;
        const std::size_t lines = ceil_div(problem.out_height, ceil_div(problem.out_height, most));
        const double made =
            static_cast<double>((units + depthwise_line_cost) * ((lines - 1) * problem.stride_h + reach)) *
            static_cast<double>(ceil_div(problem.out_height, lines)) *
            static_cast<double>(ceil_div(problem.out_width, columns));
        if (best == 0 || made < best) {
            best = made;
            cut.block_columns = columns;
            cut.block_lines = lines;
        }
        if (lines == problem.out_height && parts == 1)
            break;
    }
    cut.source_lines = (cut.block_lines - 1) * problem.stride_h + reach;
    cut.column_blocks = ceil_div(problem.out_width, cut.block_columns);
    cut.line_blocks = ceil_div(problem.out_height, cut.block_lines);
    cut.line_bytes = cut.line_units(cut.block_columns) * cut.unit_bytes;
    cut.tile_lines = std::clamp<std::size_t>(depthwise_tile / cut.block_columns, 1, cut.block_lines);
}

/// Cuts a depthwise convolution over quads.
template <class Arch>
[[nodiscard]] depthwise_cut cut_over_quads(const depthwise_problem& problem, std::size_t tasks) noexcept {
    depthwise_cut cut;
    cut.is_quad = true;
    cut.quads = cut_quads<Arch>(problem, tasks);
    cut.unit_columns = 4;
    cut.unit_bytes = simd::quad_bytes;
    cut.block_columns = cut.quads.columns;
    cut.block_lines = cut.quads.lines;
    cut.task_bytes = cut.quads.task_bytes();
    return cut;
}

/// Cuts a depthwise convolution over units of any size.
template <class Arch> [[nodiscard]] depthwise_cut cut_units(const depthwise_problem& problem) noexcept {
    using ops = simd::depthwise_ops<Arch>;
    depthwise_cut cut;
    const std::size_t common = std::gcd(problem.stride_w, problem.dilation_w);
    cut.class_count = problem.dilation_w / common;
    cut.class_stride = problem.stride_w / common;
    cut.units = depthwise_units<Arch>(problem.kernel_w, cut.class_stride);
    cut.phases = depthwise_phases<Arch>(cut.class_stride);
    cut.unit_columns = ops::columns;
    cut.unit_bytes = ops::unit_bytes;
    cut.panels = ceil_div(problem.outputs(), simd::depthwise_channels);
    choose_depthwise_block(cut, problem);
    cut.weight_bytes = round_up(cut.phases * problem.kernel_h * cut.units * cut.unit_bytes, 64);
    cut.tile_bytes = cut.tile_lines * cut.block_columns * simd::depthwise_channels * sizeof(std::int32_t);
    cut.value_bytes = round_up((problem.kernel_h * problem.kernel_w + 1) * simd::depthwise_channels, 64);
    cut.task_bytes = round_up(capped_bytes(cut.source_lines, cut.line_bytes), 64) + cut.weight_bytes + cut.tile_bytes +
                     cut.value_bytes;
    return cut;
}

/// Cuts a depthwise convolution with outputs for an instruction set. `name`: of the weights, for messages. Raises range_error
/// where its workspace cannot be addressed.
template <class Arch>
[[nodiscard]] depthwise_cut cut_depthwise(const depthwise_problem& problem, std::size_t tasks, std::string_view name) {
    depthwise_cut cut = takes_quads<Arch>(problem) ? cut_over_quads<Arch>(problem, tasks) : cut_units<Arch>(problem);
    if (cut.task_bytes >= most_bytes - 64)
        raise<range_error>("depthwise_conv2d: ", quoted(name), ": a block of the result takes ", cut.source_lines,
                           " lines of ", cut.line_bytes, " bytes, padding and dilation included; the most are ",
                           most_bytes, " bytes");
    // Tasks must not multiply the workspace beyond the size of the source.
    const std::size_t most = (problem.source_bytes() + depthwise_spare_bytes) / cut.task_bytes;
    const std::size_t pieces =
        cut.is_quad ? cut.quads.pieces() : problem.images * cut.line_blocks * cut.column_blocks * cut.panels;
    cut.tasks = std::clamp<std::size_t>(tasks, 1, std::max<std::size_t>(std::min(most, pieces), 1));
    return cut;
}

} // namespace notch::detail

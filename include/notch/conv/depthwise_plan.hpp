/// @file
/// How a depthwise convolution is cut: into tasks for threads, into blocks of columns and tiles that stay in the cache.
///
///     for each group of panels                 weights become operands
///         for each block of output columns     one, unless the image is wide
///             for each image, tile of output lines
///                 for each panel               new source lines become units, sums of the tile, epilogue
///
/// Source lines that several output lines read stay in a ring of lines. Where the image is padded, columns and lines hold
/// the zero point: the kernel has no borders. With a dilation, outputs fall into classes that read different columns:
///
///     output x reads columns x * stride + dilation * k      classes x mod (dilation / gcd), of stride (stride / gcd)
///
/// and a line holds the columns of one class after the other, so that the kernel sees no dilation either.
#pragma once

#include <notch/conv/depthwise_line.hpp>
#include <notch/core/config.hpp>
#include <notch/core/int_math.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <numeric>

namespace notch::detail {

/// All numbers of a depthwise convolution. Strides count elements. Source codes are int8 where is_signed.
struct depthwise_problem {
    const std::uint8_t* source = nullptr;
    bool is_signed = false;
    std::int32_t zero_point = 0;
    std::size_t images = 1;
    std::size_t height = 0;
    std::size_t width = 0;
    std::size_t channels = 0;
    std::ptrdiff_t image_stride = 0;
    std::ptrdiff_t line_stride = 0;
    std::ptrdiff_t pixel_stride = 0;
    std::ptrdiff_t channel_stride = 1;
    std::size_t multiplier = 1; ///< outputs per channel
    std::size_t kernel_h = 1;
    std::size_t kernel_w = 1;
    std::size_t out_height = 0;
    std::size_t out_width = 0;
    std::size_t stride_h = 1;
    std::size_t stride_w = 1;
    std::size_t dilation_h = 1;
    std::size_t dilation_w = 1;
    std::size_t top = 0;  ///< padded lines above
    std::size_t left = 0; ///< padded columns on the left

    /// Output channels.
    [[nodiscard]] std::size_t outputs() const noexcept { return channels * multiplier; }
    /// Bytes of the source.
    [[nodiscard]] std::size_t source_bytes() const noexcept { return images * height * width * channels; }
};

/// Units of columns, and the cut into pieces.
struct depthwise_cut {
    std::size_t class_count = 1;   ///< of output columns
    std::size_t class_stride = 1;  ///< columns between outputs of a class, in columns of the class
    std::size_t units = 1;         ///< of a row of weights
    std::size_t phases = 1;        ///< of the weights
    std::size_t unit_columns = 1;  ///< columns of a unit
    std::size_t unit_bytes = 1;    ///< bytes of a unit
    std::size_t block_columns = 1; ///< output columns of a block
    std::size_t tile_lines = 1;    ///< output lines of a tile
    std::size_t ring_lines = 1;    ///< source lines that are kept
    std::size_t group_panels = 1;
    std::size_t groups = 1;
    std::size_t line_tasks = 1;
    std::size_t group_tasks = 1;
    std::size_t line_bytes = 0;   ///< units of a source line
    std::size_t weight_bytes = 0; ///< operands of a panel
    std::size_t tile_bytes = 0;   ///< sums
    std::size_t value_bytes = 0;  ///< weights of a panel before they become operands
    std::size_t row_bytes = 0;    ///< pointers to the lines of a kernel
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
    [[nodiscard]] std::size_t tasks() const noexcept { return line_tasks * group_tasks; }
    [[nodiscard]] std::size_t workspace() const noexcept { return tasks() * task_bytes; }
};

/// Sums of a tile, in outputs of sixteen channels.
inline constexpr std::size_t depthwise_tile = 128;
/// Bytes of source lines that are kept in the first-level cache.
inline constexpr std::size_t depthwise_ring_bytes = std::size_t{22} << 10;
/// Workspace beyond the size of the source.
inline constexpr std::size_t depthwise_spare_bytes = std::size_t{60} << 10;

/// Cuts a depthwise convolution with outputs for an instruction set.
template <class Arch>
[[nodiscard]] depthwise_cut cut_depthwise(const depthwise_problem& problem, std::size_t tasks) noexcept {
    using ops = simd::depthwise_ops<Arch>;
    depthwise_cut cut;
    const std::size_t common = std::gcd(problem.stride_w, problem.dilation_w);
    cut.class_count = problem.dilation_w / common;
    cut.class_stride = problem.stride_w / common;
    cut.units = depthwise_units<Arch>(problem.kernel_w, cut.class_stride);
    cut.phases = depthwise_phases<Arch>(cut.class_stride);
    cut.unit_columns = ops::columns;
    cut.unit_bytes = ops::unit_bytes;

    const std::size_t reach = (problem.kernel_h - 1) * problem.dilation_h + 1;
    const auto ring_of = [&](std::size_t lines) {
        return std::min((lines - 1) * problem.stride_h + reach, problem.height);
    };
    cut.block_columns = std::min(problem.out_width, depthwise_tile);
    const auto ring_bytes = [&] { return ring_of(1) * cut.line_units(cut.block_columns) * cut.unit_bytes; };
    while (cut.block_columns > 16 && ring_bytes() > depthwise_ring_bytes)
        cut.block_columns = ceil_div(cut.block_columns, 2);
    cut.block_columns = ceil_div(problem.out_width, ceil_div(problem.out_width, cut.block_columns));
    cut.line_bytes = cut.line_units(cut.block_columns) * cut.unit_bytes;
    if (cut.block_columns == problem.out_width) {
        cut.tile_lines = std::clamp<std::size_t>(depthwise_tile / problem.out_width, 1, problem.out_height);
        while (cut.tile_lines > 1 && ring_of(cut.tile_lines) * cut.line_bytes > depthwise_ring_bytes)
            --cut.tile_lines;
        cut.tile_lines = ceil_div(problem.out_height, ceil_div(problem.out_height, cut.tile_lines));
    }
    cut.ring_lines = ring_of(cut.tile_lines);

    const std::size_t panels = ceil_div(problem.outputs(), simd::depthwise_channels);
    cut.group_panels = std::min<std::size_t>(panels, 4);
    while (cut.group_panels > 1 && cut.group_panels * cut.ring_lines * cut.line_bytes > depthwise_ring_bytes)
        --cut.group_panels;
    cut.groups = ceil_div(panels, cut.group_panels);

    cut.weight_bytes = cut.phases * problem.kernel_h * cut.units * cut.unit_bytes;
    cut.tile_bytes = cut.tile_lines * cut.block_columns * simd::depthwise_channels * sizeof(std::int32_t);
    cut.value_bytes = round_up((problem.kernel_h * problem.kernel_w + 1) * simd::depthwise_channels, 64);
    cut.row_bytes = round_up(problem.kernel_h * sizeof(const std::byte*), 64);
    cut.task_bytes = cut.group_panels * (cut.ring_lines * cut.line_bytes + cut.weight_bytes) + cut.line_bytes +
                     cut.tile_bytes + cut.value_bytes + cut.row_bytes;
    cut.task_bytes = round_up(cut.task_bytes, 64);

    // Tasks must not multiply the workspace beyond the size of the source.
    tasks = std::clamp<std::size_t>(tasks, 1, (problem.source_bytes() + depthwise_spare_bytes) / cut.task_bytes + 1);
    const std::size_t lines = problem.images * problem.out_height;
    if (cut.groups >= 4 * tasks) {
        cut.group_tasks = tasks;
    } else {
        cut.line_tasks = std::min(tasks, lines);
        cut.group_tasks = std::min(tasks / cut.line_tasks, cut.groups);
    }
    return cut;
}

} // namespace notch::detail

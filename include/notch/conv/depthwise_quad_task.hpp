/// @file
/// One task of a depthwise convolution over quads: for each block, weights become quads and source lines pairs, sums are
/// computed in all panels of the group, stored.
///
/// Blocks of a group that lie below one another come one after the other: the weights stay, and the lines that two blocks share
/// are moved instead of made again.
#pragma once

#include <notch/conv/depthwise_plan.hpp>
#include <notch/conv/depthwise_quad_line.hpp>
#include <notch/conv/depthwise_quad_source.hpp>
#include <notch/conv/depthwise_source.hpp>
#include <notch/conv/packed_depthwise.hpp>
#include <notch/core/config.hpp>
#include <notch/gemm/blocking.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>

namespace notch::detail {

/// The operands of the weights of one panel: the quads of each row, and where its sums begin. `values` has room for the taps.
template <class Arch>
void make_quad_weights(const depthwise_job& job, std::size_t panel, std::int8_t* values, std::byte* to) noexcept {
    const depthwise_header& head = job.weights->header();
    const std::int8_t* const taps = taps_of_panel<Arch>(*job.weights, head, panel, values);
    for (std::size_t row = 0; row < simd::quad_taps; ++row, to += simd::quad_bytes)
        simd::depthwise_quads<Arch>::quads_of_weights(taps + row * simd::quad_taps * panel_columns, to);
    const auto zero = static_cast<std::uint32_t>(job.problem.zero_point + (job.problem.is_signed ? 128 : 0));
    const std::int32_t* const sums = job.weights->section<std::int32_t>(head.sums) + panel * panel_columns;
    auto* const start = reinterpret_cast<std::uint32_t*>(to);
    for (std::size_t i = 0; i < panel_columns; ++i)
        start[i] = 0U - zero * static_cast<std::uint32_t>(sums[i]);
}

/// One task. `store(tile, image, line, column, lines, columns, first output, outputs, stride)` takes sums
/// [lines][columns][stride].
template <class Arch, class Store> class depthwise_quad_task {
    static constexpr std::size_t channels = simd::depthwise_channels;

public:
    depthwise_quad_task(const depthwise_job& job, const Store& store, std::byte* workspace) noexcept
        : job_(job), problem_(job.problem), cut_(job.cut), store_(store), source_(workspace),
          weights_(source_ + round_up(cut_.source_lines * cut_.line_bytes, 64)),
          tile_(reinterpret_cast<std::int32_t*>(weights_ + cut_.weight_bytes)),
          values_(reinterpret_cast<std::int8_t*>(weights_ + cut_.weight_bytes + cut_.tile_bytes)),
          kernel_(find_quad_kernel<Arch>(problem_.stride_h, problem_.stride_w)) {}

    /// Computes task number `task`: some blocks of some groups.
    void run(std::size_t task) noexcept {
        const std::size_t blocks = problem_.images * cut_.line_blocks * cut_.column_blocks;
        const std::size_t end = part_begin(blocks * cut_.groups, cut_.tasks, task + 1);
        std::size_t piece = part_begin(blocks * cut_.groups, cut_.tasks, task);
        while (piece < end) {
            const std::size_t group = piece / blocks;
            const std::size_t group_end = std::min((group + 1) * blocks, end);
            const depthwise_quad_source<Arch> source(job_, group);
            for (std::size_t p = 0; p < ceil_div(source.outputs(), channels); ++p)
                make_quad_weights<Arch>(job_, group * cut_.group_panels + p, values_, weights_ + p * quad_weight_bytes);
            for (bool follows = false; piece < group_end; ++piece, follows = true) {
                const std::size_t block = piece % blocks;
                const std::size_t column_block = block / cut_.line_blocks;
                const std::size_t line_block = block % cut_.line_blocks;
                run_block(source, column_block / cut_.column_blocks, line_block, column_block % cut_.column_blocks,
                          follows && line_block != 0);
            }
        }
    }

private:
    void run_block(const depthwise_quad_source<Arch>& source, std::size_t image, std::size_t line_block,
                   std::size_t column_block, bool follows) noexcept {
        const std::size_t y = line_block * cut_.block_lines;
        const std::size_t lines = std::min(cut_.block_lines, problem_.out_height - y);
        const std::size_t x = column_block * cut_.block_columns;
        const std::size_t columns = std::min(cut_.block_columns, problem_.out_width - x);
        const std::size_t line_bytes = source.line_bytes();
        const std::size_t needed = (lines - 1) * problem_.stride_h + simd::quad_taps;
        std::size_t kept = 0;
        if (follows && problem_.stride_h < simd::quad_taps) {
            kept = simd::quad_taps - problem_.stride_h;
            std::memmove(source_, source_ + cut_.block_lines * problem_.stride_h * line_bytes, kept * line_bytes);
        }
        source.make(image, y * problem_.stride_h + kept, needed - kept, x * problem_.stride_w,
                    cut_.class_units(columns), source_ + kept * line_bytes);
        depthwise_quad_work work;
        work.line_bytes = line_bytes;
        work.pair_bytes = quad_pair_bytes<Arch>(source.panels());
        work.weights = weights_;
        work.panels = ceil_div(source.outputs(), channels);
        work.sums = tile_;
        work.stride_h = problem_.stride_h;
        work.count = columns;
        work.sums_stride = source.panels() * channels;
        for (std::size_t line = 0; line < lines; line += work.lines) {
            work.lines = std::min(cut_.tile_lines, lines - line);
            work.source = source_ + line * problem_.stride_h * line_bytes;
            kernel_(work);
            store_(tile_, image, y + line, x, work.lines, columns, source.first_output(), source.outputs(),
                   work.sums_stride);
        }
    }

    const depthwise_job& job_;
    const depthwise_problem& problem_;
    const depthwise_cut& cut_;
    const Store& store_;
    std::byte* source_;
    std::byte* weights_;
    std::int32_t* tile_;
    std::int8_t* values_;
    depthwise_quad_kernel kernel_;
};

} // namespace notch::detail

/// @file
/// One task of a depthwise convolution: for each piece, weights and source lines become units, sums are computed, stored.
#pragma once

#include <notch/conv/depthwise_line.hpp>
#include <notch/conv/depthwise_plan.hpp>
#include <notch/conv/depthwise_source.hpp>
#include <notch/conv/packed_depthwise.hpp>
#include <notch/core/config.hpp>
#include <notch/gemm/blocking.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>

namespace notch::detail {

/// The operands of the weights of one panel: [phase][row][unit]. `values` has room for the taps and one more.
template <class Arch>
void make_depthwise_weights(const depthwise_job& job, std::size_t panel, std::int8_t* values, std::byte* to) noexcept {
    using ops = simd::depthwise_ops<Arch>;
    constexpr std::size_t columns = ops::columns;
    const depthwise_header& head = job.weights->header();
    const std::size_t taps = head.kernel_w;
    const std::int8_t* const of_panel = taps_of_panel<Arch>(*job.weights, head, panel, values);
    const std::int8_t* none = values + head.taps() * panel_columns;
    std::memset(values + head.taps() * panel_columns, 0, panel_columns);
    for (std::size_t phase = 0; phase < job.cut.phases; ++phase)
        for (std::size_t row = 0; row < head.kernel_h; ++row)
            for (std::size_t unit = 0; unit < job.cut.units; ++unit, to += ops::unit_bytes) {
                const std::int8_t* pointers[columns];
                for (std::size_t i = 0; i < columns; ++i) {
                    const std::size_t tap = unit * columns + i - phase; // wraps below 0
                    pointers[i] = tap < taps ? of_panel + (row * taps + tap) * panel_columns : none;
                }
                ops::unit_of_weights(pointers, to);
            }
}

/// One task. `store(tile, image, line, column, lines, columns, first output, outputs, stride)` takes sums
/// [lines][columns][stride].
template <class Arch, class Store> class depthwise_task {
    using ops = simd::depthwise_ops<Arch>;
    static constexpr std::size_t channels = simd::depthwise_channels;
    static constexpr std::size_t slice_bytes = ops::unit_bytes / ops::slices;

public:
    depthwise_task(const depthwise_job& job, const Store& store, std::byte* workspace) noexcept
        : job_(job), problem_(job.problem), cut_(job.cut), store_(store), source_(workspace),
          weights_(source_ + round_up(cut_.source_lines * cut_.line_bytes, 64)),
          tile_(reinterpret_cast<std::int32_t*>(weights_ + cut_.weight_bytes)),
          values_(reinterpret_cast<std::int8_t*>(weights_ + cut_.weight_bytes + cut_.tile_bytes)),
          kernel_(find_depthwise_kernel<Arch>(problem_.kernel_h, problem_.kernel_w, cut_.class_stride)) {}

    /// Computes task number `task`: some pieces, which are panels of blocks.
    void run(std::size_t task) noexcept {
        const std::size_t pieces = problem_.images * cut_.line_blocks * cut_.column_blocks * cut_.panels;
        const std::size_t end = part_begin(pieces, cut_.tasks, task + 1);
        for (std::size_t piece = part_begin(pieces, cut_.tasks, task); piece < end; ++piece) {
            const std::size_t block = piece / cut_.panels;
            const std::size_t line_block = block / cut_.column_blocks;
            run_block(line_block / cut_.line_blocks, line_block % cut_.line_blocks, block % cut_.column_blocks,
                      piece % cut_.panels);
        }
    }

private:
    void run_block(std::size_t image, std::size_t line_block, std::size_t column_block, std::size_t panel) noexcept {
        const std::size_t y = line_block * cut_.block_lines;
        const std::size_t lines = std::min(cut_.block_lines, problem_.out_height - y);
        const std::size_t x = column_block * cut_.block_columns;
        const std::size_t columns = std::min(cut_.block_columns, problem_.out_width - x);
        make_depthwise_weights<Arch>(job_, panel, values_, weights_);
        const std::size_t source_lines =
            (lines - 1) * problem_.stride_h + (problem_.kernel_h - 1) * problem_.dilation_h + 1;
        if (problem_.is_signed)
            depthwise_source<Arch, true>(job_, panel)
                .make(image, y * problem_.stride_h, source_lines, x, columns, source_);
        else
            depthwise_source<Arch, false>(job_, panel)
                .make(image, y * problem_.stride_h, source_lines, x, columns, source_);
        depthwise_lines_work work;
        work.weights = weights_;
        work.slice_step = cut_.line_bytes / ops::slices;
        work.row_count = problem_.kernel_h;
        work.row_step = problem_.dilation_h * cut_.line_bytes;
        work.units = cut_.units;
        work.stride = cut_.class_stride;
        work.line_step = problem_.stride_h * cut_.line_bytes;
        work.sums_stride = cut_.class_count * channels;
        work.sums_line_stride = columns * channels;
        for (std::size_t line = 0; line < lines; line += work.lines) {
            work.lines = std::min(cut_.tile_lines, lines - line);
            work.source = source_ + line * work.line_step;
            for (std::size_t c = 0; c < std::min(cut_.class_count, columns); ++c) {
                work.count = cut_.class_outputs(columns, c);
                work.sums = tile_ + c * channels;
                kernel_(work);
                work.source += cut_.class_units(work.count) * slice_bytes;
            }
            store_(tile_, image, y + line, x, work.lines, columns, panel * channels,
                   std::min(channels, problem_.outputs() - panel * channels), channels);
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
    depthwise_kernel kernel_;
};

} // namespace notch::detail

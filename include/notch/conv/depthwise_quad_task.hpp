/// @file
/// One task of a depthwise convolution over quads: some blocks of lines, in all sets of channels (depthwise_quad_plan.hpp).
#pragma once

#include <notch/conv/depthwise_plan.hpp>
#include <notch/conv/depthwise_quad_line.hpp>
#include <notch/conv/depthwise_quad_source.hpp>
#include <notch/conv/depthwise_source.hpp>
#include <notch/conv/depthwise_store.hpp>
#include <notch/conv/packed_depthwise.hpp>
#include <notch/core/config.hpp>
#include <notch/gemm/blocking.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <type_traits>

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
        : job_(job), problem_(job.problem), cut_(job.cut.quads), store_(store), ring_(workspace),
          tile_(reinterpret_cast<std::int32_t*>(ring_ + cut_.ring * cut_.line_bytes)),
          weights_(ring_ + cut_.ring * cut_.line_bytes + cut_.tile_bytes),
          values_(reinterpret_cast<std::int8_t*>(weights_ + cut_.weight_bytes())),
          kernel_(find_quad_kernel<Arch>(problem_.stride_h, problem_.stride_w)) {
        work_.row_step = cut_.row_step;
        work_.sums = tile_;
        from_.problem = &problem_;
        from_.row_step = cut_.row_step;
        from_.ring = cut_.ring;
        from_.line_bytes = cut_.line_bytes;
    }

    /// Computes task number `task`.
    void run(std::size_t task) noexcept {
        const std::size_t begin = part_begin(cut_.pieces(), job_.cut.tasks, task);
        const std::size_t end = part_begin(cut_.pieces(), job_.cut.tasks, task + 1);
        for (std::size_t set = 0; begin != end && set < cut_.sets; ++set) {
            begin_set(set);
            for (std::size_t piece = begin; piece < end; ++piece)
                for (std::size_t columns = 0; columns < cut_.column_blocks; ++columns)
                    run_block(piece / cut_.line_blocks, piece % cut_.line_blocks, columns);
        }
    }

private:
    /// The weights of a set, and how its pixels are read.
    void begin_set(std::size_t set) noexcept {
        first_group_ = set * cut_.set_groups;
        group_count_ = std::min(cut_.set_groups, cut_.groups - first_group_);
        const std::size_t first = first_group_ * cut_.group_panels;
        const std::size_t panels = ceil_div(problem_.outputs(), channels);
        for (std::size_t p = 0; p < group_count_ * cut_.group_panels && first + p < panels; ++p)
            make_quad_weights<Arch>(job_, first + p, values_, weights_ + p * quad_weight_bytes);

        constexpr std::size_t full = simd::depthwise_quads<Arch>::register_bytes;
        const std::size_t outputs = std::min(group_count_ * cut_.group_panels * channels,
                                             problem_.outputs() - first_group_ * cut_.group_panels * channels);
        from_.full_groups = outputs / full;
        from_.rest_channels = outputs % full;
        from_.readable = problem_.width;
        const std::size_t read = panels_of(from_.rest_channels) * channels;
        if (from_.rest_channels != 0 && read != from_.rest_channels) {
            // Pixels at the end of a line may be too close to it to be read as whole registers.
            const bool is_dense = problem_.pixel_stride == static_cast<std::ptrdiff_t>(problem_.channels);
            const std::size_t behind = ceil_div(read - from_.rest_channels, problem_.channels);
            from_.readable = !is_dense || problem_.width <= behind ? 0 : problem_.width - behind;
        }
    }

    /// Panels of the pairs of some outputs: a power of two.
    [[nodiscard]] static std::size_t panels_of(std::size_t outputs) noexcept {
        return outputs <= channels ? 1 : outputs <= 2 * channels ? 2 : 4;
    }

    void run_block(std::size_t image, std::size_t line_block, std::size_t column_block) noexcept {
        const std::size_t y = line_block * cut_.lines;
        const std::size_t lines = std::min(cut_.lines, problem_.out_height - y);
        const std::size_t x = column_block * cut_.columns;
        work_.count = std::min(cut_.columns, problem_.out_width - x);
        from_.start = x * problem_.stride_w;
        from_.pairs = quad_cut::pairs_of(work_.count, problem_.stride_w);
        from_.line = y * problem_.stride_h;
        from_.source = problem_.source + static_cast<std::ptrdiff_t>(image) * problem_.image_stride +
                       static_cast<std::ptrdiff_t>(first_group_ * cut_.group_panels * channels);
        from_.end = 0;
        for (std::size_t line = 0; line < lines; line += work_.lines) {
            work_.lines = std::min(cut_.tile_lines, lines - line);
            const std::size_t first = line * cut_.row_step;
            from_.row = std::max(from_.end, first);
            from_.end = first + (work_.lines - 1) * cut_.row_step + simd::quad_taps;
            for (std::size_t row = first, slot = first % cut_.ring; row < from_.end; ++row) {
                work_.rows[row - first] = ring_ + slot * cut_.line_bytes;
                slot = slot + 1 == cut_.ring ? 0 : slot + 1;
            }
            if (problem_.is_signed)
                make_quad_pairs<Arch, true>(from_, ring_);
            else
                make_quad_pairs<Arch, false>(from_, ring_);
            for (std::size_t g = 0; g < group_count_; ++g)
                compute(g, image, y + line, x);
        }
    }

    /// Group number `group` of the set.
    void compute(std::size_t group, std::size_t image, std::size_t y, std::size_t x) noexcept {
        const std::size_t first = (first_group_ + group) * cut_.group_panels * channels;
        const std::size_t outputs = std::min(cut_.group_panels * channels, problem_.outputs() - first);
        const std::size_t panels = panels_of(outputs);
        work_.offset = group * from_.pairs * quad_pair_bytes<Arch>(cut_.group_panels);
        work_.pair_bytes = quad_pair_bytes<Arch>(panels);
        work_.weights = weights_ + group * cut_.group_panels * quad_weight_bytes;
        work_.panels = ceil_div(outputs, channels);
        work_.sums_stride = panels * channels;
        work_.numbers = nullptr;
        if constexpr (simd::has_code_bytes<Arch>) {
            if (outputs % channels == 0 && prepare_codes(image, y, x, first, outputs)) {
                kernel_(work_);
                return;
            }
        }
        kernel_(work_);
        store_(tile_, image, y, x, work_.lines, work_.count, first, outputs, work_.sums_stride);
    }

    /// Lets the kernel store codes, from a pixel on. False where the epilogue is not plain.
    [[nodiscard]] bool prepare_codes(std::size_t image, std::size_t y, std::size_t x, std::size_t first,
                                     std::size_t outputs) noexcept {
        const code_pixels to = store_.describe(image, y, x, first, outputs, numbers_);
        if (to.first == nullptr || numbers_.how == plain_codes::scaling::shift)
            return false;
        numbers_.complete(outputs, to.is_signed);
        work_.numbers = &numbers_;
        work_.codes = to.first;
        work_.pixel_step = to.pixel_step;
        work_.line_step = to.line_step;
        return true;
    }

    const depthwise_job& job_;
    const depthwise_problem& problem_;
    const quad_cut& cut_;
    const Store& store_;
    std::byte* ring_;
    std::int32_t* tile_;
    std::byte* weights_;
    std::int8_t* values_;
    depthwise_quad_kernel kernel_;
    depthwise_quad_work work_{};
    depthwise_quad_lines_source from_{};
    std::size_t first_group_ = 0;
    std::size_t group_count_ = 0;
    struct nothing {};
    std::conditional_t<simd::has_code_bytes<Arch>, finish_numbers<Arch>, nothing> numbers_; ///< of a group
};

} // namespace notch::detail

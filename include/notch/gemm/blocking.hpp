/// @file
/// How a product is cut: into tasks for threads, into blocks of rows that stay in the cache, into tiles.
///
///     for each block of rows                operands of the rows are made, where they cannot be read in place
///         for each group of panels
///             for each part of the inputs   operands of the panels are made, small enough for the second-level cache
///                 for each tile of rows     microkernel; after the last part, epilogue
///
/// Products of a few rows need no operands of panels: gemm/direct_plan.hpp says which, gemm/direct_task.hpp is the task.
/// Sums wait in memory between the parts. Panels that need no operand are not cut into parts. Tasks share nothing: each
/// makes the operands it needs. Results do not depend on the number of tasks, since every output is computed by one of
/// them, in one order.
#pragma once

#include <notch/core/config.hpp>
#include <notch/gemm/direct_task.hpp>
#include <notch/gemm/panel_walk.hpp>
#include <notch/gemm/row_operand.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>

namespace notch::detail {

/// One task.
template <class Arch, class Store> class gemm_task {
public:
    gemm_task(const gemm_job& job, const Store& store, std::byte* workspace) noexcept
        : job_(job), head_(job.weights.header()), store_(store), row_memory_(workspace),
          walk_(job, store, workspace + job.cut.row_bytes) {}

    /// Computes task number `task`.
    void run(std::size_t task) noexcept {
        if (job_.choice.direct) {
            direct_task<Arch, Store>(job_, store_, row_memory_).run(task);
            return;
        }
        const gemm_blocking& cut = job_.cut;
        const std::size_t row_task = task / cut.column_tasks;
        const std::size_t column_task = task % cut.column_tasks;
        const std::size_t end = part_begin(job_.rows.rows, cut.row_tasks, row_task + 1);
        const std::size_t first_group = part_begin(cut.groups, cut.column_tasks, column_task);
        const std::size_t last_group = part_begin(cut.groups, cut.column_tasks, column_task + 1);
        for (std::size_t row = part_begin(job_.rows.rows, cut.row_tasks, row_task); row < end;) {
            const std::size_t rows = std::min(cut.block_rows, end - row);
            make_rows(row, rows);
            for (std::size_t group = first_group; group < last_group; ++group)
                walk_.run_group(group, row, rows, [this](std::size_t r) {
                    return row_base_ + static_cast<std::ptrdiff_t>(r) * row_stride_;
                });
            row += rows;
        }
    }

private:
    void make_rows(std::size_t first, std::size_t rows) noexcept {
        if (!job_.cut.copies_rows) {
            row_base_ = reinterpret_cast<const std::byte*>(job_.rows.data) +
                        static_cast<std::ptrdiff_t>(first) * job_.rows.row_stride;
            row_stride_ = job_.rows.row_stride;
            return;
        }
        const auto* order = job_.weights.section<std::uint32_t>(head_.order);
        for (std::size_t r = 0; r < rows; ++r)
            expand_row<Arch>(head_, job_.choice, job_.rows, first + r, order, row_memory_ + r * job_.choice.row_bytes);
        row_base_ = row_memory_;
        row_stride_ = static_cast<std::ptrdiff_t>(job_.choice.row_bytes);
    }

    const gemm_job& job_;
    const packed_header& head_;
    const Store& store_;
    std::byte* row_memory_;
    panel_walk<Arch, Store> walk_;
    const std::byte* row_base_ = nullptr;
    std::ptrdiff_t row_stride_ = 0;
};

} // namespace notch::detail

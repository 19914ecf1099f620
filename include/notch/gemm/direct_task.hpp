/// @file
/// A task of a product of few rows: its row operands, then panel by panel kernel and epilogue.
#pragma once

#include <notch/core/config.hpp>
#include <notch/gemm/direct_kernel.hpp>
#include <notch/gemm/direct_plan.hpp>
#include <notch/gemm/direct_rows.hpp>
#include <notch/gemm/panel_walk.hpp>
#include <notch/gemm/store_tile.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>

namespace notch::detail {

/// One task.
template <class Arch, class Store> class direct_task {
    static constexpr std::size_t most_panels = direct_panels<Arch>(1);

public:
    direct_task(const gemm_job& job, const Store& store, std::byte* workspace) noexcept
        : job_(job), head_(job.weights.header()), store_(store), memory_(workspace) {}

    /// Computes task number `task`.
    void run(std::size_t task) const noexcept {
        const std::size_t rows = job_.rows.rows;
        const std::byte* pointers[direct_rows];
        const auto* order = job_.weights.section<std::uint32_t>(head_.order);
        const direct_row_maker<Arch> make(head_, job_.choice, job_.rows, order,
                                          head_.block_scales != 0 ? job_.zero_point : 0);
        for (std::size_t r = 0; r < rows; ++r) {
            std::byte* const to = memory_ + r * job_.choice.row_bytes;
            make(r, to);
            pointers[r] = to;
        }
        for (std::size_t r = rows; r < direct_rows; ++r) // three rows are four
            pointers[r] = pointers[rows - 1];

        alignas(64) std::int32_t tile[direct_rows * most_panels * panel_columns];
        direct_work work;
        work.rows = pointers;
        work.code_stride = head_.panel_bytes();
        work.table_stride = head_.depth_blocks() * panel_columns;
        work.layout = lay_out_direct(simd::int_ops<Arch>::has_quad8, head_);
        work.terms = head_.terms;
        work.tile = tile;
        const bool floats = head_.block_scales != 0;
        const direct_finish finish = floats ? direct_finish::floats : direct_finish::integers;
        work.zero = 0x0101'0101U * static_cast<std::uint8_t>(job_.zero_point);
        const std::size_t together = direct_panels<Arch>(rows);
        const direct_kernel kernel = find_direct_kernel<Arch>(head_.bits, rows, together, finish);
        const direct_kernel kernel_of_one = find_direct_kernel<Arch>(head_.bits, rows, 1, finish);
        const std::size_t end = part_begin(head_.panels(), job_.cut.column_tasks, task + 1);
        for (std::size_t p = part_begin(head_.panels(), job_.cut.column_tasks, task), panels = 0; p < end;
             p += panels) {
            panels = end - p < together ? 1 : together;
            const std::size_t table = p * work.table_stride;
            work.codes = job_.weights.section<std::byte>(head_.codes) + p * work.code_stride;
            if (direct_shifts(head_))
                work.shifts = job_.weights.section<std::uint8_t>(head_.block_shifts) + table;
            if (head_.biases != 0)
                work.biases = job_.weights.section<std::uint8_t>(head_.biases) + table;
            if (floats)
                work.scales = job_.weights.section<float>(head_.block_scales) + table;
            (panels == 1 ? kernel_of_one : kernel)(work);
            const std::size_t column = p * panel_columns;
            const std::size_t columns = panels * panel_columns;
            store_(tile, {0, rows, column, std::min<std::size_t>(columns, head_.outputs - column), columns});
        }
    }

private:
    const gemm_job& job_;
    const packed_header& head_;
    const Store& store_;
    std::byte* memory_;
};

} // namespace notch::detail

/// @file
/// Products of few rows: when packed codes are multiplied as they are read, and what the kernels need for it.
///
/// A panel operand in memory pays off when many rows share it. Up to direct_rows rows, codes are unpacked in registers
/// instead (gemm/direct_kernel.hpp). Stored codes of two and four bits are the unsigned operand of a product and
/// activations the signed one; the bias of the codes is made good by sums of the activations, which stand behind each
/// row operand (gemm/direct_rows.hpp).
///
/// | instructions | codes        | row operand                | sums                                                     |
/// |--------------|--------------|----------------------------|----------------------------------------------------------|
/// | quad8        | 2, 4 bits    | int8                       | int32, of a depth block                                  |
/// | quad8        | 8 bits       | uint8 or int8              | the same; only where exponents change along the inputs   |
/// | pairs        | 2, 4 bits    | int8                       | int16, of a run of steps, then widened by 2^shift        |
/// | pairs        | 8 bits       | halves of uint8, 0 .. 15   | two of int16, widened by 2^shift and 2^(shift + 4)       |
#pragma once

#include <notch/core/config.hpp>
#include <notch/gemm/panel_walk.hpp>
#include <notch/gemm/plan.hpp>
#include <notch/gemm/row_operand.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>

namespace notch::detail {

/// The most rows of a product without panel operands.
inline constexpr std::size_t direct_rows = 4;

/// True where activations are cut into halves of four bits.
[[nodiscard]] NOTCH_INLINE constexpr bool direct_halves(bool has_quad8, std::uint32_t bits) noexcept {
    return !has_quad8 && bits == 8;
}

/// Units of 64 bytes whose products fit the int16 sums of pairs.
[[nodiscard]] NOTCH_INLINE constexpr std::size_t direct_run_units(std::uint32_t bits) noexcept {
    const std::size_t largest = bits == 8 ? 15 : (std::size_t{1} << bits) - 1;
    return 32767 / (2 * 128 * largest) / (8 / bits);
}

/// How the codes of a panel are walked. Depth blocks between which nothing happens are one.
struct direct_layout {
    std::size_t blocks = 1;     ///< of one term
    std::size_t units = 0;      ///< of a block
    std::size_t last_units = 0; ///< of the last block
    std::size_t run_units = 0;  ///< of a run: each has a sum behind the row operand
    std::size_t sums_at = 0;    ///< bytes from the row operand to its sums

    /// Units of a block.
    [[nodiscard]] NOTCH_INLINE std::size_t units_of(std::size_t block) const noexcept {
        return block + 1 == blocks ? last_units : units;
    }
    /// Runs of one term.
    [[nodiscard]] NOTCH_INLINE std::size_t runs() const noexcept {
        return (blocks - 1) * ceil_div(units, run_units) + ceil_div(last_units, run_units);
    }
};

/// True where the exponents of depth blocks differ.
[[nodiscard]] NOTCH_INLINE bool direct_shifts(const packed_header& head) noexcept {
    return head.block_shifts != 0 && head.largest_shift != 0;
}

/// Lays out a product.
[[nodiscard]] NOTCH_INLINE direct_layout lay_out_direct(bool has_quad8, const packed_header& head) noexcept {
    direct_layout layout;
    const std::size_t term_units = head.panel_bytes() / head.terms / step_bytes;
    if (direct_shifts(head) || head.block_scales != 0 || head.biases != 0) {
        layout.blocks = head.blocks;
        layout.units = head.code_bytes(0) / step_bytes;
        layout.last_units = head.code_bytes(head.blocks - 1) / step_bytes;
    } else {
        layout.units = term_units;
        layout.last_units = term_units;
    }
    layout.run_units = has_quad8 ? unlimited_steps : direct_run_units(head.bits);
    layout.sums_at =
        term_units * head.unit_steps() * (direct_halves(has_quad8, head.bits) ? 2 * step_inputs : step_inputs);
    return layout;
}

/// True where a product of some rows multiplies codes as they are read. With pairs, sums of floats do so only for
/// activations whose zero point is that of the row operand, see plan_job.
[[nodiscard]] NOTCH_INLINE bool takes_direct(const kernel_traits& traits, const packed_header& head,
                                             std::size_t rows) noexcept {
    if (rows == 0 || rows > direct_rows)
        return false;
    if (head.bits == 8)
        return head.block_scales == 0 &&
               (traits.has_quad8 ? direct_shifts(head) : head.largest_shift <= chain_shift - 4);
    return head.largest_value < 1U << head.bits && (traits.has_quad8 || head.largest_shift <= chain_shift);
}

/// The kernel of a product of some rows.
[[nodiscard]] NOTCH_INLINE kernel_choice choose_for_rows(const kernel_traits& traits, const packed_header& head,
                                                         std::size_t rows) noexcept {
    if (!takes_direct(traits, head, rows))
        return choose_kernel(traits, head);
    kernel_choice choice;
    choice.direct = true;
    choice.family = traits.has_quad8 ? dot_family::quad : dot_family::chain;
    choice.finish = head.block_scales != 0 ? dot_finish::real
                    : direct_shifts(head)  ? dot_finish::shift
                                           : dot_finish::once;
    choice.signed_rows = head.bits < 8 || (traits.has_quad8 && traits.signed_rows);
    const direct_layout layout = lay_out_direct(traits.has_quad8, head);
    choice.longest_run = std::min(layout.run_units, unlimited_steps / head.unit_steps()) * head.unit_steps();
    choice.row_bytes = round_up(layout.sums_at + (head.bits < 8 ? layout.runs() * sizeof(std::int32_t) : 0), 64);
    return choice;
}

/// Cuts a direct product: every task has some panels and all rows.
[[nodiscard]] NOTCH_INLINE gemm_blocking cut_direct(const packed_header& head, const kernel_choice& choice,
                                                    std::size_t rows, std::size_t tasks) noexcept {
    gemm_blocking cut;
    cut.tile_rows = rows == 3 ? 4 : rows;
    cut.groups = head.panels();
    cut.column_tasks = std::clamp<std::size_t>(tasks, 1, cut.groups);
    cut.block_rows = rows;
    cut.copies_rows = true;
    cut.row_bytes = rows * choice.row_bytes;
    cut.task_bytes = cut.row_bytes;
    return cut;
}

/// Plans kernel, zero point and cut of a product. The weights and rows of the job are set.
NOTCH_INLINE void plan_job(const kernel_traits& traits, gemm_job& job, std::size_t tasks) noexcept {
    const packed_header& head = job.weights.header();
    job.choice = choose_for_rows(traits, head, job.rows.rows);
    job.zero_point = operand_zero_point(job.choice, job.rows.is_signed, job.rows.zero_point);
    if (job.choice.direct) {
        if (job.choice.finish != dot_finish::real || job.zero_point == 0 || traits.has_quad8) {
            job.cut = cut_direct(head, job.choice, job.rows.rows, tasks);
            return;
        }
        job.choice = choose_kernel(traits, head);
        job.zero_point = operand_zero_point(job.choice, job.rows.is_signed, job.rows.zero_point);
    }
    job.cut = cut_product(traits, head, job.choice, job.rows.rows, rows_in_place(head, job.choice, job.rows), tasks);
}

/// The largest workspace of products of some rows, whatever their strides, sign and zero point.
[[nodiscard]] NOTCH_INLINE std::size_t product_workspace(const kernel_traits& traits, const packed_header& head,
                                                         std::size_t rows, std::size_t tasks) noexcept {
    std::size_t most = 0;
    const kernel_choice choice = choose_for_rows(traits, head, rows);
    if (choice.direct)
        most = cut_direct(head, choice, rows, tasks).workspace();
    if (!choice.direct || (choice.finish == dot_finish::real && !traits.has_quad8))
        most = std::max(most, cut_product(traits, head, choose_kernel(traits, head), rows, false, tasks).workspace());
    return most;
}

} // namespace notch::detail

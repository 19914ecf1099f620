/// @file
/// Kernels of few rows for exact products of four bytes: the sums of some panels, from packed codes that are unpacked in
/// registers. gemm/direct_kernel.hpp says what is computed.
///
/// What bounds them is the memory that the codes come from. Several panels at a time share the row operands, keep as many
/// products in flight as the processor can finish, and wait together for the end of a depth block.
#pragma once

#include <notch/core/config.hpp>
#include <notch/gemm/direct_plan.hpp>
#include <notch/gemm/direct_work.hpp>
#include <notch/gemm/microkernel.hpp>
#include <notch/gemm/packed_pointer.hpp>
#include <notch/simd/int_kernels.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <utility>

namespace notch::detail {

/// True where codes of fewer than 8 bits may be unsigned operands at their place in the byte.
template <class Ops> inline constexpr bool has_codes_in_place = requires(typename Ops::reg unit) {
    Ops::template codes_in_place<4, 0>(unit);
};

/// One product.
template <class Arch, int Bits, std::size_t Rows, std::size_t Panels, direct_finish Finish> class direct_quads {
    using ops = simd::int_ops<Arch>;
    using reg = typename ops::reg;
    static constexpr std::size_t per_unit = 8 / Bits;
    /// Products of the codes with the zero point are summed beside those with the rows then.
    static constexpr bool floats = Finish == direct_finish::floats;
    static constexpr std::size_t vectors = ops::count;       ///< of a step of a panel
    static constexpr std::size_t columns = Panels * vectors; ///< registers of a row
    static constexpr std::size_t lanes = ops::bytes / 4;
    static constexpr std::ptrdiff_t unit_row_bytes = static_cast<std::ptrdiff_t>(per_unit * step_inputs);
    /// Registers of sums and totals.
    static constexpr std::size_t room = vectors == 2 ? 10 : 24;
    /// Codes are multiplied where they lie in their byte, as code * 2^(Bits * part), where each part has sums of its own.
    static constexpr bool in_place =
        !floats && Bits < 8 && has_codes_in_place<ops> && Rows * columns * (per_unit + 1) <= room;
    /// Units until sums of such products, less than 4 * 128 * 2^8 each, are made those of codes: below 2^31.
    static constexpr std::size_t most_units = in_place ? std::size_t{1} << 14 : unlimited_steps;
    /// Registers that the sums of a row and register of the panel are spread over, to wait less for each other.
    static constexpr std::size_t slots =
        in_place ? per_unit : std::min<std::size_t>(per_unit, std::max<std::size_t>(8 / (Rows * columns), 1));
    using block_sums = reg[Rows][columns][slots];
    /// Totals stay in registers, if they find room there beside the sums of a block.
    static constexpr bool keeps_totals = !floats && Rows * columns * (slots + 1) <= room;
    using totals = reg[Rows][columns];
    using zero_sums = reg[columns]; ///< of the codes times the zero point

public:
    NOTCH_INLINE explicit direct_quads(const direct_work& work) noexcept
        : work_(work), codes_(work.codes), ahead_(work.codes, work.code_stride, Panels) {
#pragma GCC unroll 4
        for (std::size_t i = 0; i < Rows; ++i)
            rows_[i] = one_by_one(work.rows[i]);
    }

    /// All of it.
    NOTCH_INLINE void run() noexcept {
        totals total;
#pragma GCC unroll 16
        for (std::size_t i = 0; i < Rows; ++i)
#pragma GCC unroll 16
            for (std::size_t j = 0; j < columns; ++j) {
                total[i][j] = ops::zero();
                if constexpr (!keeps_totals)
                    ops::store(place(i, j), ops::zero());
            }
        const std::size_t blocks = work_.layout.blocks;
        for (std::size_t term = 0; term < work_.terms; ++term) {
            at_ = 0;
            sum_ = static_cast<std::ptrdiff_t>(work_.layout.sums_at);
            for (std::size_t h = 0; h < blocks; ++h, table_ += panel_columns)
                add_block(work_.layout.units_of(h), total);
        }
        if constexpr (keeps_totals) {
#pragma GCC unroll 16
            for (std::size_t i = 0; i < Rows; ++i)
#pragma GCC unroll 16
                for (std::size_t j = 0; j < columns; ++j)
                    ops::store(place(i, j), total[i][j]);
        }
    }

private:
    /// The place of register j of row i in the tile.
    NOTCH_INLINE std::int32_t* place(std::size_t i, std::size_t j) const noexcept {
        return work_.tile + i * Panels * panel_columns + j * lanes;
    }
    /// Of register j, in the tables of depth blocks.
    NOTCH_INLINE std::size_t entry(std::size_t j) const noexcept {
        return j / vectors * work_.table_stride + table_ + j % vectors * lanes;
    }

    /// One depth block.
    NOTCH_INLINE void add_block(std::size_t units, totals& total) noexcept {
        block_sums sums;
#pragma GCC unroll 16
        for (std::size_t j = 0; j < columns; ++j)
#pragma GCC unroll 16
            for (std::size_t i = 0; i < Rows; ++i) {
#pragma GCC unroll 16
                for (std::size_t s = 0; s < slots; ++s)
                    sums[i][j][s] = ops::zero();
                if constexpr (Bits < 8)
                    sums[i][j][0] = ops::repeat4(rows_[i] + sum_);
            }
        if constexpr (Bits < 8)
            if (work_.biases != nullptr)
                multiply_biases(sums);
        zero_sums zeros;
#pragma GCC unroll 16
        for (reg& zero : zeros)
            zero = ops::zero();
        sum_ += 4;
        for (; units > most_units; units -= most_units) {
            add_units(most_units, sums, zeros);
            join_slots(sums, std::make_index_sequence<slots>());
#pragma GCC unroll 16
            for (auto& row : sums)
#pragma GCC unroll 16
                for (auto& column : row)
#pragma GCC unroll 16
                    for (std::size_t s = 1; s < slots; ++s)
                        column[s] = ops::zero();
        }
        add_units(units, sums, zeros);
        join_slots(sums, std::make_index_sequence<slots>());
        finish_block(sums, zeros, total);
    }

    NOTCH_INLINE void add_units(std::size_t units, block_sums& sums, zero_sums& zeros) noexcept {
        const std::ptrdiff_t end = at_ + static_cast<std::ptrdiff_t>(units) * unit_row_bytes;
        std::ptrdiff_t at = at_;
        const std::byte* unit = codes_;
        code_prefetch ahead = ahead_;
        for (; at != end; at += unit_row_bytes, unit += step_bytes) {
            ahead.template next<Panels>(work_.code_stride);
            add_parts(sums, zeros, unit, at, std::make_index_sequence<per_unit>());
        }
        ahead_ = ahead;
        at_ = at;
        codes_ = unit;
    }

    /// The sums of all slots, in the first one.
    template <std::size_t... Slots>
    static NOTCH_INLINE void join_slots(block_sums& sums, std::index_sequence<Slots...>) noexcept {
#pragma GCC unroll 16
        for (auto& row : sums)
#pragma GCC unroll 16
            for (auto& column : row)
                ((Slots == 0 ? void() : join_slot<Slots>(column)), ...);
    }
    template <std::size_t Slot> static NOTCH_INLINE void join_slot(reg (&column)[slots]) noexcept {
        if constexpr (in_place)
            column[0] = ops::add32(column[0], ops::template shift_right32<Bits* static_cast<int>(Slot)>(column[Slot]));
        else
            column[0] = ops::add32(column[0], column[Slot]);
    }

    NOTCH_INLINE void multiply_biases(block_sums& sums) const noexcept {
#pragma GCC unroll 16
        for (std::size_t j = 0; j < columns; ++j) {
            const reg biases = ops::bytes32(work_.biases + entry(j));
#pragma GCC unroll 16
            for (std::size_t i = 0; i < Rows; ++i)
                sums[i][j][0] = ops::multiply32(sums[i][j][0], biases);
        }
    }

    template <std::size_t... Parts>
    NOTCH_INLINE void add_parts(block_sums& sums, zero_sums& zeros, const std::byte* unit, std::ptrdiff_t at,
                                std::index_sequence<Parts...>) const noexcept {
        reg stored[columns];
#pragma GCC unroll 16
        for (std::size_t j = 0; j < columns; ++j) {
            const std::byte* const from = unit + j / vectors * work_.code_stride;
            stored[j] = ops::load(from + j % vectors * ops::bytes);
            if constexpr (per_unit > 1)
                stored[j] = ops::as_computed(stored[j]); // else it is loaded for each part
        }
        (add_quads<Parts>(sums, zeros, stored, at + static_cast<std::ptrdiff_t>(Parts * step_inputs)), ...);
    }

    template <std::size_t Part>
    NOTCH_INLINE void add_quads(block_sums& sums, zero_sums& zeros, const reg (&stored)[columns],
                                std::ptrdiff_t at) const noexcept {
        reg codes[columns];
#pragma GCC unroll 16
        for (std::size_t j = 0; j < columns; ++j) {
            codes[j] = stored[j];
            if constexpr (in_place)
                codes[j] = ops::template codes_in_place<Bits, static_cast<int>(Part)>(stored[j]);
            else if constexpr (Bits < 8)
                codes[j] = ops::template stored_codes<Bits, static_cast<int>(Part)>(stored[j]);
        }
#pragma GCC unroll 16
        for (std::size_t i = 0; i < Rows; ++i) {
            const reg row = ops::repeat4(rows_[i] + at);
#pragma GCC unroll 16
            for (std::size_t j = 0; j < columns; ++j) {
                reg& sum = sums[i][j][Part % slots];
                sum = added(sum, row, codes[j]);
            }
        }
        if constexpr (floats) {
            const reg zero = ops::repeat4(&work_.zero);
#pragma GCC unroll 16
            for (std::size_t j = 0; j < columns; ++j)
                zeros[j] = added(zeros[j], zero, codes[j]);
        }
    }
    /// The operand that has a sign is the second one, where they differ.
    static NOTCH_INLINE reg added(reg sum, reg row, reg codes) noexcept {
        if constexpr (Bits < 8 && !ops::signed_rows)
            return ops::as_computed(ops::quad8(sum, codes, row));
        else
            return ops::as_computed(ops::quad8(sum, row, codes));
    }

    NOTCH_INLINE void finish_block(const block_sums& sums, const zero_sums& zeros, totals& total) const noexcept {
#pragma GCC unroll 16
        for (std::size_t j = 0; j < columns; ++j) {
            reg counts = ops::zero();
            if constexpr (!floats)
                if (work_.shifts != nullptr)
                    counts = ops::bytes32(work_.shifts + entry(j));
#pragma GCC unroll 16
            for (std::size_t i = 0; i < Rows; ++i) {
                reg sum = sums[i][j][0];
                if constexpr (floats) {
                    sum = ops::subtract32(sum, zeros[j]);
                    ops::add_scaled(reinterpret_cast<float*>(place(i, j)), sum, work_.scales + entry(j));
                } else {
                    sum = ops::shift_left32(sum, counts);
                    if constexpr (keeps_totals)
                        total[i][j] = ops::add32(total[i][j], sum);
                    else
                        ops::store(place(i, j), ops::add32(ops::load(place(i, j)), sum));
                }
            }
        }
    }

    const direct_work& work_;
    const std::byte* rows_[Rows];
    const std::byte* codes_;
    code_prefetch ahead_;
    std::ptrdiff_t at_ = 0;  ///< bytes from the rows to the next unit
    std::ptrdiff_t sum_ = 0; ///< bytes from the rows to the sum of the next depth block
    std::size_t table_ = 0;  ///< of shifts, biases and scales
};

} // namespace notch::detail

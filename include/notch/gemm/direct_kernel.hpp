/// @file
/// Kernels of few rows: the sums of one or several panels, from packed codes that are unpacked in registers.
///
///     tile[i][c] = sum over depth blocks of (sum of activation i * value of column c) * 2^shift, or * scale
///
/// Instruction sets with quad8 keep int32 sums in registers for a depth block (gemm/direct_quads.hpp). With pairs, which
/// stand here, int16 sums are kept for a run, as many registers of the panel at a time as fit, and widened into a tile in
/// memory by a product with 2^shift. A run begins with the sums behind the row operand: they are minus what the bias of the
/// stored codes adds. Their int16 may wrap on the way; where a run ends it is sum of activation * value, which fits.
#pragma once

#include <notch/core/config.hpp>
#include <notch/gemm/direct_plan.hpp>
#include <notch/gemm/direct_quads.hpp>
#include <notch/gemm/direct_work.hpp>
#include <notch/gemm/packed_pointer.hpp>
#include <notch/simd/int_kernels.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <utility>

namespace notch::detail {

/// One product of a panel with pairs.
template <class Arch, int Bits, std::size_t Rows> class direct_pairs {
    using ops = simd::int_ops<Arch>;
    using reg = typename ops::reg;
    static constexpr std::size_t per_unit = 8 / Bits;
    static constexpr std::size_t registers = ops::count; ///< of a step
    static constexpr std::size_t lanes = ops::bytes / 4;
    static constexpr bool has_sums = Bits < 8;
    /// Row operands of a step: upper and lower halves, or one.
    static constexpr std::size_t halves = direct_halves(ops::has_quad8, Bits) ? 2 : 1;
    static constexpr std::ptrdiff_t unit_row_bytes = static_cast<std::ptrdiff_t>(per_unit * halves * step_inputs);

public:
    NOTCH_INLINE explicit direct_pairs(const direct_work& work) noexcept : work_(work), codes_(work.codes) {
        for (std::size_t i = 0; i < Rows; ++i)
            rows_[i] = work.rows[i];
    }

    /// All of it.
    NOTCH_INLINE void run() noexcept {
        clear(work_.tile);
        const std::size_t blocks = work_.layout.blocks;
        for (std::size_t term = 0; term < work_.terms; ++term) {
            at_ = 0;
            sum_ = static_cast<std::ptrdiff_t>(work_.layout.sums_at);
            for (std::size_t h = 0; h < blocks; ++h, table_ += panel_columns)
                add_runs(work_.layout.units_of(h));
        }
    }

private:
    /// The place of register v of row i in a tile.
    static NOTCH_INLINE std::int32_t* place(std::int32_t* tile, std::size_t i, std::size_t v) noexcept {
        return tile + i * panel_columns + v * lanes;
    }

    /// Not by memset: loads of registers would wait for narrower stores.
    static NOTCH_INLINE void clear(std::int32_t* tile) noexcept {
        for (std::size_t i = 0; i < Rows; ++i)
            for (std::size_t v = 0; v < registers; ++v)
                ops::store(place(tile, i, v), ops::as_computed(ops::zero()));
    }

    /// Registers of the panel at a time: int16 sums of all rows in eight registers.
    static constexpr std::size_t together =
        std::clamp<std::size_t>(8 / (Rows * halves), std::size_t{1}, std::size_t{registers});

    /// What a depth block multiplies by: [16] words, each of them twice.
    struct block_factors {
        alignas(64) std::int32_t factors[panel_columns]; ///< 2^shift
        alignas(64) std::int32_t biases[panel_columns];
    };

    NOTCH_INLINE void read_factors(block_factors& to) const noexcept {
        constexpr std::int32_t twice = 0x10001;
        constexpr std::int32_t sixteen = 16;
#pragma GCC unroll 16
        for (std::size_t v = 0; v < registers; ++v) {
            reg factors = ops::repeat4(&twice);
            if (work_.shifts != nullptr)
                factors = ops::shift_left32(factors, ops::bytes32(work_.shifts + table_ + v * lanes));
            ops::store(to.factors + v * lanes, factors);
            if constexpr (has_sums) {
                const reg biases =
                    work_.biases == nullptr ? ops::zero() : ops::bytes32(work_.biases + table_ + v * lanes);
                ops::store(to.biases + v * lanes,
                           ops::add32(biases, ops::shift_left32(biases, ops::repeat4(&sixteen))));
            }
        }
    }

    /// One depth block, run by run.
    NOTCH_INLINE void add_runs(std::size_t units) noexcept {
        block_factors block;
        read_factors(block);
        const float* const scales = work_.scales == nullptr ? nullptr : work_.scales + table_;
        // The sums of a block with a scale wait for all of its runs.
        alignas(64) std::int32_t block_sums[Rows * panel_columns];
        const bool waits = scales != nullptr && units > run_units;
        if (waits)
            clear(block_sums);
        const run_end end{waits ? block_sums : work_.tile, waits ? nullptr : scales,
                          has_sums && work_.biases != nullptr};
        const std::byte* codes = codes_;
        std::ptrdiff_t at = at_;
        std::ptrdiff_t sum = sum_;
        for (; units >= run_units; units -= run_units) {
#pragma GCC unroll 4
            for (std::size_t v = 0; v < registers; v += together)
                add_run<run_units>({codes + v * ops::bytes, at, sum, v}, run_units, block, end);
            codes += run_units * step_bytes;
            at += static_cast<std::ptrdiff_t>(run_units) * unit_row_bytes;
            sum += 4;
        }
        if (units != 0) {
            for (std::size_t v = 0; v < registers; v += together)
                add_run<1>({codes + v * ops::bytes, at, sum, v}, units, block, end);
            codes += units * step_bytes;
            at += static_cast<std::ptrdiff_t>(units) * unit_row_bytes;
            sum += 4;
        }
        codes_ = codes;
        at_ = at;
        sum_ = sum;
        if (waits)
            for (std::size_t i = 0; i < Rows; ++i)
                for (std::size_t v = 0; v < registers; ++v)
                    ops::add_scaled(reinterpret_cast<float*>(place(work_.tile, i, v)),
                                    ops::load(place(block_sums, i, v)), scales + v * lanes);
    }

    /// Units of a run.
    static constexpr std::size_t run_units = direct_run_units(Bits);
    /// Some registers of a run.
    struct run_place {
        const std::byte* codes;
        std::ptrdiff_t at;  ///< from the rows to the first unit
        std::ptrdiff_t sum; ///< from the rows to the sum
        std::size_t first;  ///< register
    };
    /// What becomes of the sums of a run.
    struct run_end {
        std::int32_t* to;
        const float* scales;
        bool biased; ///< the sums of the rows are to be multiplied by the biases
    };
    using run_sums = reg[Rows][halves][together];

    /// Units of one turn of the loop over those of a run.
    static constexpr std::size_t turn_units(std::size_t most) noexcept {
        const std::size_t good = std::max<std::size_t>(Bits == 8 ? 8 / Rows : Bits == 4 ? 4 / Rows : 2 / Rows, 1);
        return most % good == 0 ? good : 1;
    }

    /// `Most`: it has a multiple of so many units; they are unrolled in part.
    template <std::size_t Most>
    NOTCH_INLINE void add_run(run_place run, std::size_t units, const block_factors& block,
                              const run_end& end) const noexcept {
        constexpr std::size_t turn = turn_units(Most);
        run_sums sums;
#pragma GCC unroll 16
        for (std::size_t i = 0; i < Rows; ++i)
#pragma GCC unroll 16
            for (std::size_t v = 0; v < together; ++v) {
#pragma GCC unroll 16
                for (std::size_t half = 0; half < halves; ++half)
                    sums[i][half][v] = ops::zero();
                if constexpr (has_sums) {
                    sums[i][0][v] = ops::repeat4(rows_[i] + run.sum);
                    if (end.biased)
                        sums[i][0][v] =
                            ops::multiply16(sums[i][0][v], ops::load(block.biases + (run.first + v) * lanes));
                }
            }
        for (std::size_t u = 0; u < units; u += turn, run.codes += turn * step_bytes) {
#pragma GCC unroll 16
            for (std::size_t k = 0; k < turn; ++k, run.at += unit_row_bytes) {
                prefetch_codes<6144>(run.codes + k * step_bytes);
                add_pairs(sums, run.codes + k * step_bytes, run.at, std::make_index_sequence<per_unit>());
            }
        }
        constexpr std::int32_t four = 4;
#pragma GCC unroll 16
        for (std::size_t v = 0; v < together; ++v) {
            const std::size_t column = (run.first + v) * lanes;
            const reg factors = ops::load(block.factors + column);
#pragma GCC unroll 16
            for (std::size_t i = 0; i < Rows; ++i) {
                std::int32_t* sum = place(end.to, i, run.first + v);
                reg added = ops::pairs16(sums[i][halves - 1][v], factors);
                if constexpr (halves == 2)
                    added =
                        ops::add32(added, ops::pairs16(sums[i][0][v], ops::shift_left32(factors, ops::repeat4(&four))));
                if (has_sums && end.scales != nullptr)
                    ops::add_scaled(reinterpret_cast<float*>(sum), added, end.scales + column);
                else
                    ops::store(sum, ops::add32(ops::load(sum), added));
            }
        }
    }

    template <std::size_t... Parts>
    NOTCH_INLINE void add_pairs(run_sums& sums, const std::byte* unit, std::ptrdiff_t at,
                                std::index_sequence<Parts...>) const noexcept {
        reg stored[together];
#pragma GCC unroll 16
        for (std::size_t v = 0; v < together; ++v)
            stored[v] = ops::as_computed(ops::load(unit + v * ops::bytes)); // else it is loaded for each part
        (add_pairs_of<Parts>(sums, stored, at + static_cast<std::ptrdiff_t>(Parts * step_inputs)), ...);
    }

    template <std::size_t Part>
    NOTCH_INLINE void add_pairs_of(run_sums& sums, const reg (&stored)[together], std::ptrdiff_t at) const noexcept {
        reg codes[together];
#pragma GCC unroll 16
        for (std::size_t v = 0; v < together; ++v)
            codes[v] = unpacked<Part>(stored[v]);
#pragma GCC unroll 16
        for (std::size_t i = 0; i < Rows; ++i)
#pragma GCC unroll 16
            for (std::size_t half = 0; half < halves; ++half) {
                const reg row = ops::repeat4(rows_[i] + at + static_cast<std::ptrdiff_t>(half * step_inputs));
#pragma GCC unroll 16
                for (std::size_t v = 0; v < together; ++v) {
                    reg& sum = sums[i][half][v];
                    const reg products = halves == 2 ? ops::pairs8(row, codes[v]) : ops::pairs8(codes[v], row);
                    sum = ops::as_computed(ops::add16(sum, products));
                }
            }
    }

    template <std::size_t Part> static NOTCH_INLINE reg unpacked(reg stored) noexcept {
        if constexpr (Bits == 8)
            return stored;
        else
            return ops::template stored_codes<Bits, static_cast<int>(Part)>(stored);
    }

    const direct_work& work_;
    const std::byte* rows_[Rows];
    const std::byte* codes_;
    std::ptrdiff_t at_ = 0;  ///< bytes from the rows to the next unit
    std::ptrdiff_t sum_ = 0; ///< bytes from the rows to the sum of the next run
    std::size_t table_ = 0;  ///< of shifts, biases and scales
};

/// The kernel of some panels.
template <class Arch, int Bits, std::size_t Rows, std::size_t Panels, direct_finish Finish>
void direct_sums(const direct_work& work) noexcept {
    if constexpr (simd::int_ops<Arch>::has_quad8)
        direct_quads<Arch, Bits, Rows, Panels, Finish>(work).run();
    else
        direct_pairs<Arch, Bits, Rows>(work).run();
}

template <class Arch, int Bits, std::size_t Rows, direct_finish Finish>
[[nodiscard]] inline direct_kernel direct_kernel_of(std::size_t panels) noexcept {
    constexpr std::size_t most = direct_panels<Arch>(Rows);
    return panels == most ? &direct_sums<Arch, Bits, Rows, most, Finish> : &direct_sums<Arch, Bits, Rows, 1, Finish>;
}

template <class Arch, int Bits, std::size_t Rows>
[[nodiscard]] inline direct_kernel direct_kernel_of(std::size_t panels, direct_finish finish) noexcept {
    if constexpr (simd::int_ops<Arch>::has_quad8 && Bits < 8)
        if (finish == direct_finish::floats)
            return direct_kernel_of<Arch, Bits, Rows, direct_finish::floats>(panels);
    static_cast<void>(finish); // pairs find out
    return direct_kernel_of<Arch, Bits, Rows, direct_finish::integers>(panels);
}

template <class Arch, int Bits>
[[nodiscard]] inline direct_kernel direct_kernel_of(std::size_t rows, std::size_t panels,
                                                    direct_finish finish) noexcept {
    return rows == 1   ? direct_kernel_of<Arch, Bits, 1>(panels, finish)
           : rows == 2 ? direct_kernel_of<Arch, Bits, 2>(panels, finish)
                       : direct_kernel_of<Arch, Bits, 4>(panels, finish);
}

/// The kernel of a width, for 1, 2 or 4 rows, and for one panel or direct_panels of them.
template <class Arch>
[[nodiscard]] direct_kernel find_direct_kernel(std::uint32_t bits, std::size_t rows, std::size_t panels,
                                               direct_finish finish) noexcept {
    switch (bits) {
    case 2:
        return direct_kernel_of<Arch, 2>(rows, panels, finish);
    case 4:
        return direct_kernel_of<Arch, 4>(rows, panels, finish);
    default:
        return direct_kernel_of<Arch, 8>(rows, panels, finish);
    }
}

} // namespace notch::detail

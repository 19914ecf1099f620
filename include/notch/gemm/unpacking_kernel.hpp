/// @file
/// Microkernels that expand the panels which they multiply: for the first tile of rows of a group of panels.
///
///     codes -> registers -> products with the rows of this tile
///                        -> memory, the panel operand of the other tiles
///
/// Six rows leave registers and ports of the vector unit idle enough that unpacking costs next to nothing there, while a
/// pass of its own over the panels is a tenth of the time of a product of sixteen rows. They exist for quads whose tile
/// has one vector per panel, and for exponents that do not change or are absorbed: see unpacks_in_tiles().
#pragma once

#include <notch/core/config.hpp>
#include <notch/gemm/microkernel.hpp>
#include <notch/gemm/packed_pointer.hpp>
#include <notch/gemm/plan.hpp>
#include <notch/simd/int_kernels.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <new>
#include <type_traits>
#include <utility>

namespace notch::detail {

/// Where the panels of a group are unpacked from and to. A kernel moves it on by what it has unpacked.
struct unpack_work {
    const std::byte* codes = nullptr;     ///< next unit of the first panel
    std::size_t code_stride = 0;          ///< bytes from a panel to the next one
    const std::uint8_t* biases = nullptr; ///< of the present depth block and the first panel
    const std::uint8_t* shifts = nullptr; ///< the same
    std::size_t bias_panel = 0;  ///< bytes from the biases of a panel to those of the next one; 0: all the same
    std::size_t bias_block = 0;  ///< the same of a depth block
    std::size_t shift_panel = 0; ///< bytes from the shifts of a panel to those of the next one
    std::size_t block_steps = 0; ///< of a depth block, or of all of them where nothing changes
    std::size_t block_left = 0;  ///< steps of the present depth block
    std::byte* to = nullptr;     ///< operand of the first panel
    std::size_t to_stride = 0;   ///< bytes from a panel to the next one
};

/// Computes one tile, of one segment.
using unpacking_kernel = void (*)(const tile_work&, unpack_work&) noexcept;

/// The fewest rows of a tile that is worth such a kernel.
inline constexpr std::size_t least_unpacking_rows = 4;

/// True for instruction sets that have these kernels.
template <class Arch>
inline constexpr bool has_unpacking_kernels =
    simd::int_ops<Arch>::has_quad8&& simd::int_ops<Arch>::count == 1 && simd::int_ops<Arch>::tile_panels > 1;

/// True where the first tile of a product may unpack its panels: each part is one segment and begins with a unit.
template <class Arch>
[[nodiscard]] NOTCH_INLINE bool unpacks_in_tiles(const packed_header& head, const kernel_choice& choice) noexcept {
    return has_unpacking_kernels<Arch> && head.bits < 8 && choice.family == dot_family::quad &&
           choice.finish == dot_finish::once && choice.pieces == 0 && head.terms == 1 &&
           (head.blocks == 1 || ceil_div(head.block, step_inputs) % head.unit_steps() == 0);
}

/// The microkernel. `Shifts`: exponents are absorbed.
template <class Arch, int Bits, bool Shifts, std::size_t Rows> class unpacking_product {
    using ops = simd::int_ops<Arch>;
    using expand = simd::expand_ops<Arch>;
    using reg = typename ops::reg;
    static constexpr std::size_t panels = ops::tile_panels;
    static constexpr std::size_t per_unit = 8 / Bits;
    using numbers = std::conditional_t<Shifts, typename expand::template scaling<Bits>, typename expand::biases>;
    using tile_type = tile_registers<Arch, Rows, panels>;

public:
    static void run(const tile_work& work, unpack_work& from) noexcept {
        const std::byte* rows[Rows];
        for (std::size_t i = 0; i < Rows; ++i)
            rows[i] = work.rows[i];
        tile_type tile;
        tile.clear();
        if (work.adds)
            tile.load(work.tile);
        unpack_work at = from;
        std::ptrdiff_t row_at = work.segments->offset;
        for (std::size_t left = work.segments->steps; left != 0;) {
            alignas(64) std::byte memory[panels * sizeof(numbers)];
            const numbers* const how = enter(at, memory);
            const std::size_t steps = std::min(left, at.block_left);
            const std::byte* codes = at.codes;
            std::byte* to = at.to;
            for (std::size_t unit = 0; unit < steps / per_unit; ++unit) {
                add_parts(tile, rows, row_at, codes, at, how, to, std::make_index_sequence<per_unit>());
                codes += step_bytes;
                to += per_unit * step_bytes;
                row_at += static_cast<std::ptrdiff_t>(per_unit * step_inputs);
            }
            if (const std::size_t rest = steps % per_unit; rest != 0) {
                add_some(tile, rows, row_at, codes, at, how, to, rest, std::make_index_sequence<per_unit - 1>());
                codes += step_bytes;
                to += rest * step_bytes;
                row_at += static_cast<std::ptrdiff_t>(rest * step_inputs);
            }
            at.codes = codes;
            at.to = to;
            left -= steps;
            at.block_left -= steps;
            if (at.block_left == 0) {
                at.block_left = at.block_steps;
                at.biases += at.bias_block;
                if constexpr (Shifts)
                    at.shifts += panel_columns;
            }
        }
        from = at;
        tile.store(work.tile);
    }

private:
    /// The biases and shifts of a depth block, in memory: they are operands of instructions there.
    static NOTCH_INLINE const numbers* enter(const unpack_work& at, std::byte* memory) noexcept {
        for (std::size_t p = 0; p < panels; ++p) {
            const std::uint8_t* const biases = at.biases + p * at.bias_panel;
            if constexpr (Shifts)
                new (memory + p * sizeof(numbers)) numbers(biases, at.shifts + p * at.shift_panel);
            else
                new (memory + p * sizeof(numbers)) numbers(biases);
        }
        const auto* how = reinterpret_cast<const numbers*>(memory);
#if defined(__GNUC__)
        asm("" : "+r"(how) : : "memory"); // registers are for sums
#endif
        return how;
    }

    template <std::size_t... Parts>
    static NOTCH_INLINE void add_parts(tile_type& tile, const std::byte* const (&rows)[Rows], std::ptrdiff_t row_at,
                                       const std::byte* codes, const unpack_work& from, const numbers* how,
                                       std::byte* to, std::index_sequence<Parts...>) noexcept {
        (add_step<Parts>(tile, rows, row_at + static_cast<std::ptrdiff_t>(Parts * step_inputs), codes, from, how,
                         to + Parts * step_bytes),
         ...);
    }
    /// The first `count` steps of a unit.
    template <std::size_t... Parts>
    static NOTCH_INLINE void add_some(tile_type& tile, const std::byte* const (&rows)[Rows], std::ptrdiff_t row_at,
                                      const std::byte* codes, const unpack_work& from, const numbers* how,
                                      std::byte* to, std::size_t count, std::index_sequence<Parts...>) noexcept {
        ((Parts < count ? add_step<Parts>(tile, rows, row_at + static_cast<std::ptrdiff_t>(Parts * step_inputs), codes,
                                          from, how, to + Parts * step_bytes)
                        : void()),
         ...);
    }

    template <std::size_t Part>
    static NOTCH_INLINE void add_step(tile_type& tile, const std::byte* const (&rows)[Rows], std::ptrdiff_t row_at,
                                      const std::byte* codes, const unpack_work& from, const numbers* how,
                                      std::byte* to) noexcept {
        reg column[panels];
#pragma GCC unroll 4
        for (std::size_t p = 0; p < panels; ++p) {
            const std::byte* const unit = codes + p * from.code_stride;
            if constexpr (Part == 0)
                prefetch_codes(unit);
            const auto step = expand::template codes<Bits, static_cast<int>(Part)>(
                reinterpret_cast<const std::uint8_t*>(unit), how[p]);
            expand::store(reinterpret_cast<std::int8_t*>(to + p * from.to_stride), step);
            column[p] = step.bytes;
        }
#pragma GCC unroll 16
        for (std::size_t i = 0; i < Rows; ++i) {
            const reg row = ops::repeat4(rows[i] + row_at);
#pragma GCC unroll 4
            for (std::size_t p = 0; p < panels; ++p)
                tile.sums[i][p] = ops::as_computed(ops::quad8(tile.sums[i][p], row, column[p]));
        }
    }
};

template <class Arch, int Bits, bool Shifts>
[[nodiscard]] inline unpacking_kernel unpacking_kernel_of(std::size_t rows) noexcept {
    static_assert(simd::int_ops<Arch>::tile_rows == 6);
    return rows == 4   ? &unpacking_product<Arch, Bits, Shifts, 4>::run
           : rows == 5 ? &unpacking_product<Arch, Bits, Shifts, 5>::run
                       : &unpacking_product<Arch, Bits, Shifts, 6>::run;
}

/// The kernel of a product with unpacks_in_tiles() for a tile of 4, 5 or 6 rows.
template <class Arch>
[[nodiscard]] unpacking_kernel find_unpacking_kernel(std::uint32_t bits, bool shifts, std::size_t rows) noexcept {
    if (bits == 4)
        return shifts ? unpacking_kernel_of<Arch, 4, true>(rows) : unpacking_kernel_of<Arch, 4, false>(rows);
    return shifts ? unpacking_kernel_of<Arch, 2, true>(rows) : unpacking_kernel_of<Arch, 2, false>(rows);
}

/// Where a group of panels begins. `biases`: sixteen bytes for where all codes have the same one.
[[nodiscard]] NOTCH_INLINE unpack_work begin_unpacking(packed_pointer weights, const kernel_choice& choice,
                                                       std::size_t panel, std::uint8_t* biases) noexcept {
    const packed_header& head = weights.header();
    const bool changes = choice.absorbs || head.biases != 0;
    const std::size_t table = panel * head.depth_blocks() * panel_columns;
    unpack_work work;
    work.code_stride = head.panel_bytes();
    work.codes = weights.section<std::byte>(head.codes) + panel * work.code_stride;
    work.biases = biases;
    if (head.biases != 0) {
        work.biases = weights.section<std::uint8_t>(head.biases) + table;
        work.bias_panel = head.depth_blocks() * panel_columns;
        work.bias_block = panel_columns;
    } else {
        std::memset(biases, static_cast<int>(head.bias), panel_columns);
    }
    work.shifts = biases;
    if (choice.absorbs) {
        work.shifts = weights.section<std::uint8_t>(head.block_shifts) + table;
        work.shift_panel = head.depth_blocks() * panel_columns;
    }
    work.block_steps = changes ? ceil_div(head.block, step_inputs) : head.term_steps(0);
    work.block_left = work.block_steps;
    return work;
}

} // namespace notch::detail

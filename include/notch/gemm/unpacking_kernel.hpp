/// @file
/// Microkernels that unpack codes of 2 and 4 bits in registers: no panel operand is made.
///
/// Masks, shifts and subtractions find room beside the products, which two ports of the processor compute, while a store
/// of an unpacked step takes as long as two products. So every tile of rows unpacks again. Numbers of depth blocks, the
/// biases and shifts of a group of panels, are prepared once for all of its tiles, as operands of instructions:
///
///     numbers    [depth block][panel] of byte_scaling where exponents are absorbed, else of biases
///
/// These kernels exist for quads with one register per panel and step, see has_unpacking_kernels; unpacks_in_tiles() says
/// which weights they take.
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

/// The codes of a group of panels, for one part.
struct unpack_work {
    const std::byte* codes = nullptr;   ///< first unit of the first panel
    std::size_t code_stride = 0;        ///< bytes from a panel to the next one
    const std::byte* numbers = nullptr; ///< of the depth blocks, the first one that of the first unit
    std::size_t block_units = 0;        ///< of a depth block
    std::size_t first_units = 0;        ///< of the first one
};

/// Computes one tile, of one segment.
using unpacking_kernel = void (*)(const tile_work&, const unpack_work&) noexcept;

/// The fewest rows of a tile that has such a kernel.
inline constexpr std::size_t least_unpacking_rows = 3;

/// True for instruction sets that have these kernels.
template <class Arch>
inline constexpr bool has_unpacking_kernels =
    simd::int_ops<Arch>::has_quad8&& simd::int_ops<Arch>::count == 1 && simd::int_ops<Arch>::tile_panels > 1;

/// True for weights that these kernels take: each part is one segment and begins with a unit, shifted codes are bytes
/// without a sign, and the numbers of depth blocks need no more memory than their panel operand would.
template <class Arch>
[[nodiscard]] NOTCH_INLINE bool unpacks_in_tiles(const packed_header& head, const kernel_choice& choice) noexcept {
    const std::size_t steps = ceil_div(head.block, step_inputs);
    return has_unpacking_kernels<Arch> && head.bits < 8 && choice.family == dot_family::quad &&
           choice.finish == dot_finish::once && choice.pieces == 0 && head.terms == 1 &&
           (!choice.absorbs || ((1U << head.bits) - 1) << head.largest_shift <= 255) &&
           (head.blocks == 1 || (steps * head.bits % 8 == 0 && steps >= 4));
}

/// What stands in `numbers`. `Shifts`: exponents are absorbed.
template <class Arch, bool Shifts>
using unpack_numbers =
    std::conditional_t<Shifts, typename simd::expand_ops<Arch>::byte_scaling, typename simd::expand_ops<Arch>::biases>;

/// The microkernel.
template <class Arch, int Bits, bool Shifts, std::size_t Rows> class unpacking_product {
    using ops = simd::int_ops<Arch>;
    using expand = simd::expand_ops<Arch>;
    using reg = typename ops::reg;
    using numbers = unpack_numbers<Arch, Shifts>;
    using tile_type = tile_registers<Arch, Rows, ops::tile_panels>;
    static constexpr std::size_t panels = ops::tile_panels;
    static constexpr std::size_t per_unit = 8 / Bits;

public:
    static void run(const tile_work& work, const unpack_work& from) noexcept {
        const std::byte* rows[Rows];
#pragma GCC unroll 16
        for (std::size_t i = 0; i < Rows; ++i)
            rows[i] = one_by_one(work.rows[i]) + work.segments->offset;
        tile_type tile;
        tile.clear();
        if (work.adds)
            tile.load(work.tile);
        unpacking_product product(rows, from);
        const std::size_t steps = work.segments->steps;
        std::size_t block = from.first_units;
        // One loop, not one of blocks around one of units: gcc would compute its pointers anew for each block, and carry
        // them from one to the next in vector registers, where they wait for all products before them.
        for (std::size_t left = steps / per_unit; left != 0; --left) {
            product.add_unit(tile, std::make_index_sequence<per_unit>());
            if (--block == 0) {
                block = from.block_units;
                product.how_ += panels;
            }
        }
        if (const std::size_t rest = steps % per_unit; rest != 0)
            product.add_steps(tile, rest, std::make_index_sequence<per_unit - 1>());
        tile.store(work.tile);
    }

private:
    NOTCH_INLINE unpacking_product(const std::byte* const (&rows)[Rows], const unpack_work& from) noexcept
        : rows_(rows), codes_(from.codes), stride_(from.code_stride),
          how_(reinterpret_cast<const numbers*>(from.numbers)) {}

    template <std::size_t... Parts>
    NOTCH_INLINE void add_unit(tile_type& tile, std::index_sequence<Parts...>) noexcept {
#pragma GCC unroll 4
        for (std::size_t p = 0; p < panels; ++p)
            prefetch_codes(codes_ + p * stride_);
        (add_step<Parts>(tile), ...);
        codes_ += step_bytes;
        at_ += static_cast<std::ptrdiff_t>(per_unit * step_inputs);
    }
    /// The first steps of a unit.
    template <std::size_t... Parts>
    NOTCH_INLINE void add_steps(tile_type& tile, std::size_t count, std::index_sequence<Parts...>) const noexcept {
        ((Parts < count ? add_step<Parts>(tile) : void()), ...);
    }

    template <std::size_t Part> NOTCH_INLINE void add_step(tile_type& tile) const noexcept {
        const numbers* how = how_;
        const std::byte* codes = codes_;
#if defined(__GNUC__)
        // Both are operands in memory: compilers would load them once, and keep them on the stack, and sums with them.
        asm volatile("" : "+r"(how), "+r"(codes));
#endif
        reg column[panels];
#pragma GCC unroll 4
        for (std::size_t p = 0; p < panels; ++p)
            column[p] = expand::template codes<Bits, static_cast<int>(Part)>(
                            reinterpret_cast<const std::uint8_t*>(codes + p * stride_), how[p])
                            .bytes;
#pragma GCC unroll 16
        for (std::size_t i = 0; i < Rows; ++i) {
            const reg row = ops::repeat4(rows_[i] + at_ + static_cast<std::ptrdiff_t>(Part * step_inputs));
#pragma GCC unroll 4
            for (std::size_t p = 0; p < panels; ++p)
                tile.sums[i][p] = ops::as_computed(ops::quad8(tile.sums[i][p], row, column[p]));
        }
    }

    const std::byte* const (&rows_)[Rows];
    const std::byte* codes_;
    std::size_t stride_;
    const numbers* how_;
    std::ptrdiff_t at_ = 0; ///< bytes from the rows to the next unit
};

template <class Arch, int Bits, bool Shifts>
[[nodiscard]] inline unpacking_kernel unpacking_kernel_of(std::size_t rows) noexcept {
    static_assert(simd::int_ops<Arch>::tile_rows == 6);
    return rows == 3   ? &unpacking_product<Arch, Bits, Shifts, 3>::run
           : rows == 4 ? &unpacking_product<Arch, Bits, Shifts, 4>::run
           : rows == 5 ? &unpacking_product<Arch, Bits, Shifts, 5>::run
                       : &unpacking_product<Arch, Bits, Shifts, 6>::run;
}

/// The kernel of a product with unpacks_in_tiles() for a tile of 3 to 6 rows.
template <class Arch>
[[nodiscard]] unpacking_kernel find_unpacking_kernel(std::uint32_t bits, bool shifts, std::size_t rows) noexcept {
    if (bits == 4)
        return shifts ? unpacking_kernel_of<Arch, 4, true>(rows) : unpacking_kernel_of<Arch, 4, false>(rows);
    return shifts ? unpacking_kernel_of<Arch, 2, true>(rows) : unpacking_kernel_of<Arch, 2, false>(rows);
}

/// The parts of a group of panels, one after the other.
template <class Arch> class unpack_parts {
    static constexpr std::size_t panels = simd::int_ops<Arch>::tile_panels;

public:
    unpack_parts(packed_pointer weights, const kernel_choice& choice, std::size_t panel) noexcept
        : shifts_(choice.absorbs) {
        const packed_header& head = weights.header();
        const std::size_t table = panel * head.depth_blocks() * panel_columns;
        const bool changes = choice.absorbs || head.biases != 0;
        work_.code_stride = head.panel_bytes();
        work_.codes = weights.section<std::byte>(head.codes) + panel * work_.code_stride;
        work_.block_units = head.units_of(ceil_div(changes ? head.block : head.inputs, step_inputs));
        work_.first_units = work_.block_units;
        table_stride_ = head.depth_blocks() * panel_columns;
        if (head.biases != 0)
            bias_ = weights.section<std::uint8_t>(head.biases) + table;
        else
            std::memset(biases_, static_cast<int>(head.bias), panel_columns);
        if (shifts_)
            shift_ = weights.section<std::uint8_t>(head.block_shifts) + table;
    }

    /// Prepares the numbers of the next part, of some units, in memory at a multiple of 64.
    const unpack_work& next(std::size_t units, std::byte* memory) noexcept {
        if (shifts_)
            prepare<true>(units, memory);
        else
            prepare<false>(units, memory);
        work_.numbers = memory;
        return work_;
    }
    /// Moves on to the next part.
    void leave(std::size_t units) noexcept {
        work_.codes += units * step_bytes;
        const std::size_t block = work_.block_units;
        const std::size_t done = block - work_.first_units + units; // from the beginning of the first block
        const std::size_t blocks = done / block;
        bias_ += bias_ == nullptr ? 0 : blocks * panel_columns;
        shift_ += shift_ == nullptr ? 0 : blocks * panel_columns;
        work_.first_units = block - (done - blocks * block);
    }

private:
    template <bool Shifts> NOTCH_INLINE void prepare(std::size_t units, std::byte* memory) const noexcept {
        using numbers = unpack_numbers<Arch, Shifts>;
        using biases = typename simd::expand_ops<Arch>::biases;
        const std::size_t block = work_.block_units;
        const std::size_t blocks = ceil_div(block - work_.first_units + units, block);
        const biases all(biases_);
        for (std::size_t h = 0; h < blocks; ++h)
            for (std::size_t p = 0; p < panels; ++p, memory += sizeof(numbers)) {
                const std::size_t at = p * table_stride_ + h * panel_columns;
                const biases own = bias_ == nullptr ? all : biases(bias_ + at);
                if constexpr (Shifts)
                    new (memory) numbers(own, shift_ + at);
                else
                    new (memory) numbers(own);
            }
    }

    unpack_work work_;
    bool shifts_;
    std::size_t table_stride_ = 0;        ///< bytes from the biases or shifts of a panel to those of the next one
    const std::uint8_t* bias_ = nullptr;  ///< of the first block; null: biases_
    const std::uint8_t* shift_ = nullptr; ///< of the first block; null: 0
    std::uint8_t biases_[panel_columns] = {};
};

} // namespace notch::detail

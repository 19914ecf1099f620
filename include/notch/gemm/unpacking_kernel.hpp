/// @file
/// Microkernels that unpack codes of 2 and 4 bits in registers: no panel operand is made.
///
/// Masks, shifts and subtractions find room beside the products, which two ports of the processor compute, while a store
/// of an unpacked step takes as long as two products. So every tile of rows unpacks again. Numbers of depth blocks, the
/// biases and shifts of a group of panels, are prepared once for all of its tiles, as operands of instructions:
///
///     numbers    [depth block][panel] of byte_scaling where exponents are absorbed, else of biases
///
/// These kernels exist for quads with one register per panel and step; gemm/plan.hpp says which weights they take.
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

/// Computes one tile. Each segment lies in one depth block or is the only one; all but the last one are whole units, and so
/// is what they pass over.
using unpacking_kernel = void (*)(const tile_work&, const unpack_work&) noexcept;

/// Products of fewer rows are not cut into such tiles.
inline constexpr std::size_t least_unpacking_rows = 3;

/// True for products whose weights these kernels take: each part is one segment and begins with a unit.
[[nodiscard]] NOTCH_INLINE bool unpacks_in_tiles(const kernel_traits& traits, const packed_header& head,
                                                 const kernel_choice& choice) noexcept {
    return choice.pieces == 0 && unpacks_values(traits, head, choice);
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
    static_assert(sizeof(numbers) == unpack_number_bytes(Shifts));
    using tile_type = tile_registers<Arch, Rows, ops::tile_panels>;
    static constexpr std::size_t panels = ops::tile_panels;
    static constexpr std::size_t per_unit = 8 / Bits;
    static constexpr std::size_t unit_bytes = per_unit * step_bytes; ///< of the panel operand that is not made

public:
    static void run(const tile_work& work, const unpack_work& from) noexcept {
        kept_pointer<const tile_work> kept(work);
        const std::byte* rows[Rows];
        read_rows(rows, work.rows);
        tile_type tile;
        tile.clear();
        if (work.adds)
            tile.load(work.tile);
        unpacking_product product(rows, from);
        waiting_kind<Arch, dot_family::quad, dot_finish::once, panels> waiting(work);
        const row_segment* const end = work.segments + work.segment_count;
        for (const row_segment* segment = work.segments; segment != end; ++segment) {
            product.at_ = segment->offset;
            product.pass_over(segment->skips_before / unit_bytes, from);
            // One loop, not one of blocks around one of units: gcc would compute its pointers anew for each block, and carry
            // them from one to the next in vector registers, where they wait for all products before them.
            for (std::size_t left = segment->steps / per_unit; left != 0; --left) {
                product.add_unit(tile, std::make_index_sequence<per_unit>());
                waiting.step([&]() NOTCH_LAMBDA_INLINE { read_rows(rows, (*kept).rows, Rows - 1); });
                product.pass_units(1, from);
            }
            if (const std::size_t rest = segment->steps % per_unit; rest != 0)
                product.add_steps(tile, rest, std::make_index_sequence<per_unit - 1>());
            product.pass_over(segment->skips_after / unit_bytes, from);
        }
        tile.store((*kept).tile);
    }

private:
    NOTCH_INLINE unpacking_product(const std::byte* const (&rows)[Rows], const unpack_work& from) noexcept
        : rows_(rows), codes_(from.codes), stride_(from.code_stride),
          how_(reinterpret_cast<const numbers*>(from.numbers)), block_(from.first_units) {}

    /// Moves on in the depth block.
    NOTCH_INLINE void pass_units(std::size_t units, const unpack_work& from) noexcept {
        block_ -= units;
        if (block_ == 0) {
            block_ = from.block_units;
            how_ += panels;
        }
    }
    NOTCH_INLINE void pass_over(std::size_t units, const unpack_work& from) noexcept {
        if (units != 0) {
            codes_ += units * step_bytes;
            pass_units(units, from);
        }
    }

    template <std::size_t... Parts>
    NOTCH_INLINE void add_unit(tile_type& tile, std::index_sequence<Parts...>) noexcept {
        const std::byte* ahead = one_by_one(codes_); // or it would be `codes_`, and that computed from it
#pragma GCC unroll 4
        for (std::size_t p = 0; p < panels; ++p, ahead += stride_)
            prefetch_codes(ahead);
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
    std::size_t block_;     ///< units that are left of the depth block
    std::ptrdiff_t at_ = 0; ///< bytes from the rows to the next unit
};

template <class Arch, int Bits, bool Shifts, std::size_t... Rows>
[[nodiscard]] inline unpacking_kernel unpacking_kernel_of(std::size_t rows, std::index_sequence<Rows...>) noexcept {
    static constexpr unpacking_kernel kernels[] = {&unpacking_product<Arch, Bits, Shifts, Rows + 1>::run...};
    return kernels[rows - 1];
}

/// The kernel of a tile of some rows.
template <class Arch>
[[nodiscard]] unpacking_kernel find_unpacking_kernel(std::uint32_t bits, bool shifts, std::size_t rows) noexcept {
    constexpr auto all = std::make_index_sequence<simd::int_ops<Arch>::tile_rows>();
    if (bits == 4)
        return shifts ? unpacking_kernel_of<Arch, 4, true>(rows, all) : unpacking_kernel_of<Arch, 4, false>(rows, all);
    return shifts ? unpacking_kernel_of<Arch, 2, true>(rows, all) : unpacking_kernel_of<Arch, 2, false>(rows, all);
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

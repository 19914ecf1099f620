/// @file
/// Which kernel a product takes: decided from the packed numbers and the instruction set, in one place.
///
/// | instructions | weights                                    | family | scales that change along the inputs            |
/// |--------------|--------------------------------------------|--------|------------------------------------------------|
/// | quad8        | any                                        | quad   | value * 2^shift in int8: absorbed; else shifts |
/// | pairs        | magnitudes that allow three steps in int16 | chain  | shift <= 14: absorbed; else as below           |
/// | pairs        | any                                        | pair   | value * 2^shift in int16: absorbed; else shifts|
///
/// Real scales that change along the inputs: pair or quad, a float sum per block. None of the families can saturate:
/// the sums of a chain are widened every floor(32767 / (2 * 255 * largest magnitude)) steps.
#pragma once

#include <notch/core/config.hpp>
#include <notch/gemm/microkernel.hpp>
#include <notch/gemm/packed_weights.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>

namespace notch::detail {

/// The kernel of a product.
struct kernel_choice {
    dot_family family = dot_family::quad;
    dot_finish finish = dot_finish::once;
    bool direct = false;      ///< codes are multiplied as they are read: gemm/direct_plan.hpp
    bool absorbs = false;     ///< exponents are multiplied into the panel operand
    bool signed_rows = false; ///< the row operand of a quad is int8
    bool reads_shifts =
        false;            ///< runs are depth blocks, shifted by what the packed weights hold: panels are not copied
    bool unpacks = false; ///< codes are unpacked by the microkernels, all segments at once: conv/conv_plan.hpp
    bool slides = false;  ///< results side by side share their pixels: gemm/sliding_kernel.hpp
    std::size_t panel_groups = 1;   ///< groups of channels whose outputs share a panel and are computed together
    std::size_t group_channels = 0; ///< of each of these
    /// Of one length, of a depth block, that rows hold apart; 0: all blocks stand side by side.
    std::size_t pieces = 0;
    std::size_t first_pieces = 0; ///< the same of the first of two terms
    std::size_t longest_run = 0;  ///< steps, at most
    std::size_t part_steps = 0;   ///< steps after which a part ends with the run
    std::size_t parts = 0;        ///< of a dot product, computed one after the other
    std::size_t segments = 0;     ///< of all parts
    std::size_t row_bytes = 0;    ///< of the operand of one row
    std::size_t part_bytes = 0;   ///< of the operand of one panel, for the largest part
};

/// True where the row operand is int8; uint8 or int16 otherwise.
[[nodiscard]] NOTCH_INLINE constexpr bool takes_signed_rows(const kernel_choice& choice) noexcept {
    return choice.signed_rows && (choice.direct || choice.family == dot_family::quad);
}

/// Steps that fit the int16 sums of a chain.
[[nodiscard]] constexpr std::size_t chain_steps(std::uint32_t largest_value) noexcept {
    return largest_value == 0 ? 64 : std::min<std::size_t>(64, 32767 / (2 * 255 * std::size_t{largest_value}));
}

/// The largest factor 2^14 of pairs16, and of shifts that a chain absorbs.
inline constexpr std::uint32_t chain_shift = 14;
/// A chain shorter than this is slower than a pair.
inline constexpr std::size_t shortest_chain = 3;

/// More steps than there are.
inline constexpr std::size_t unlimited_steps = std::size_t{1} << 31;
/// Bytes of panel operands that a part expands: with the rows of a block they stay in the second-level cache.
inline constexpr std::size_t part_panel_bytes = std::size_t{128} << 10;

/// What planning knows of an instruction set.
struct kernel_traits {
    bool has_quad8 = false;       ///< an exact product of four bytes
    bool signed_rows = false;     ///< the row operand of it is int8
    std::size_t tile_rows = 1;    ///< of the largest tile
    std::size_t tile_panels = 1;  ///< of the largest tile
    std::size_t narrow_rows = 1;  ///< of a tile of fewer panels
    std::size_t shift_panels = 0; ///< of a tile whose runs are shifted in registers; 0: of any
    std::size_t shift_rows = 0;   ///< of such a tile
    bool unpacks = false;         ///< has microkernels that unpack codes: gemm/unpacking_kernel.hpp
    bool joins_groups = false;    ///< has microkernels for several groups of channels: gemm/group_kernel.hpp
    bool slides = false;          ///< has microkernels for results side by side: gemm/sliding_kernel.hpp

    /// Panels of a tile where there are some: the largest tile, two, or one.
    [[nodiscard]] NOTCH_INLINE constexpr std::size_t panels_of_tile(std::size_t panels,
                                                                    dot_finish finish) const noexcept {
        if (finish == dot_finish::shift && shift_panels != 0)
            return std::min(panels, shift_panels);
        if (panels >= tile_panels)
            return tile_panels;
        return panels >= 2 && tile_panels > 2 ? 2 : 1;
    }
    /// Rows of a tile of some panels.
    [[nodiscard]] NOTCH_INLINE constexpr std::size_t rows_of_tile(std::size_t panels,
                                                                  dot_finish finish) const noexcept {
        if (finish == dot_finish::shift && shift_panels != 0)
            return shift_rows;
        return panels < tile_panels && finish == dot_finish::once ? narrow_rows : tile_rows;
    }
};

/// The number of an instruction set, or that of the largest tile.
template <class Ops> [[nodiscard]] constexpr std::size_t narrow_rows_of() noexcept {
    if constexpr (requires { Ops::narrow_rows; })
        return Ops::narrow_rows;
    else
        return Ops::tile_rows;
}

/// True for instruction sets with microkernels that unpack codes.
template <class Arch>
inline constexpr bool has_unpacking_kernels =
    simd::int_ops<Arch>::has_quad8&& simd::int_ops<Arch>::count == 1 && simd::int_ops<Arch>::tile_panels > 1;

/// Rows of a tile whose runs are shifted in registers.
template <class Ops> [[nodiscard]] constexpr std::size_t shift_rows_of() noexcept {
    if constexpr (requires { Ops::shift_rows; })
        return Ops::shift_rows;
    else
        return Ops::tile_rows;
}

/// True for instruction sets with microkernels for panels that groups of channels share.
template <class Arch>
inline constexpr bool has_group_kernels = requires(const void* from, typename simd::int_ops<Arch>::reg r) {
    simd::int_ops<Arch>::shuffle16(simd::int_ops<Arch>::repeat16(from), r);
};

/// True for instruction sets with microkernels for results side by side.
template <class Arch>
inline constexpr bool has_sliding_kernels = has_unpacking_kernels<Arch>&& simd::has_code_bytes<Arch>;

/// Rows of a tile whose rows are results side by side, at most: registers for their sums, for two more pixels, and for weights.
inline constexpr std::size_t sliding_rows = 14;

/// The traits of an instruction set that this translation unit is compiled for.
template <class Arch>
inline constexpr kernel_traits kernel_traits_of{simd::int_ops<Arch>::has_quad8,
                                                simd::int_ops<Arch>::signed_rows,
                                                simd::int_ops<Arch>::tile_rows,
                                                simd::int_ops<Arch>::tile_panels,
                                                narrow_rows_of<simd::int_ops<Arch>>(),
                                                shift_panels_of<simd::int_ops<Arch>>(),
                                                shift_rows_of<simd::int_ops<Arch>>(),
                                                has_unpacking_kernels<Arch>,
                                                has_group_kernels<Arch>,
                                                has_sliding_kernels<Arch>};

/// True where the packed bytes of a panel are its operand.
[[nodiscard]] NOTCH_INLINE bool panels_in_place(const packed_header& head, const kernel_choice& choice) noexcept {
    return head.bits == 8 && choice.family == dot_family::quad && !choice.absorbs &&
           (choice.finish == dot_finish::once || choice.reads_shifts);
}

/// True where microkernels may unpack the values: shifted codes are bytes without a sign, and the numbers of depth blocks need
/// no more memory than their panel operand would.
[[nodiscard]] NOTCH_INLINE bool unpacks_values(const kernel_traits& traits, const packed_header& head,
                                               const kernel_choice& choice) noexcept {
    const std::size_t steps = ceil_div(head.block, step_inputs);
    return traits.unpacks && head.bits < 8 && choice.family == dot_family::quad && choice.finish == dot_finish::once &&
           head.terms == 1 && (!choice.absorbs || ((1U << head.bits) - 1) << head.largest_shift <= 255) &&
           (head.blocks == 1 || (steps * head.bits % 8 == 0 && steps >= 4));
}

/// Bytes of what these microkernels know of a depth block and a panel.
[[nodiscard]] NOTCH_INLINE constexpr std::size_t unpack_number_bytes(bool absorbs) noexcept {
    return absorbs ? 2 * step_bytes : step_bytes;
}

/// Where a segment lies in a dot product.
struct segment_place {
    std::size_t term = 0;
    std::size_t block = 0; ///< depth block of its term
    std::size_t piece = 0; ///< of the block
    std::size_t first = 0; ///< its first step among those of the piece
    std::size_t step = 0;  ///< its first step among those of the term
    std::size_t steps = 0;
    bool begins = true;    ///< a run
    bool ends = true;      ///< a run
    bool ends_part = true; ///< what has been summed so far goes to memory
};

/// Cuts a dot product into segments: visit(segment_place) for each, in order.
template <class Visit>
NOTCH_INLINE void walk_segments(const packed_header& head, const kernel_choice& choice, const Visit& visit) {
    // Where nothing happens between depth blocks and rows are read in one go, the blocks are one.
    const bool joined = choice.family != dot_family::chain && choice.finish == dot_finish::once && choice.pieces == 0;
    const std::size_t blocks = joined ? 1 : head.blocks;
    std::size_t part = 0;
    for (std::size_t term = 0; term < head.terms; ++term) {
        segment_place place;
        place.term = term;
        const std::size_t pieces = term + 1 < head.terms ? choice.first_pieces : choice.pieces;
        for (place.block = 0; place.block < blocks; ++place.block) {
            std::size_t left = joined ? head.term_steps(term) : head.steps(term * head.blocks + place.block);
            const std::size_t piece = left / std::max<std::size_t>(pieces, 1);
            std::size_t run = 0;
            for (place.piece = 0; left != 0; ++place.piece) {
                for (place.first = 0; place.first < piece; place.first += place.steps) {
                    place.begins = run == 0;
                    if (place.begins) {
                        const bool of_pieces = choice.finish == dot_finish::real ||
                                               (choice.finish == dot_finish::shift && left <= choice.longest_run);
                        run = std::min(of_pieces ? left : piece - place.first, choice.longest_run);
                    }
                    place.steps = std::min(piece - place.first, run);
                    run -= place.steps;
                    left -= place.steps;
                    part += place.steps;
                    place.ends = run == 0;
                    const bool last = term + 1 == head.terms && place.block + 1 == blocks && left == 0;
                    place.ends_part = last || (place.ends && part >= choice.part_steps);
                    if (place.ends_part)
                        part = 0;
                    visit(static_cast<const segment_place&>(place));
                    place.step += place.steps;
                }
            }
        }
    }
}

/// Counts segments and parts, and the bytes of the largest part.
NOTCH_INLINE void count_segments(const packed_header& head, kernel_choice& choice) noexcept {
    std::size_t bytes = 0;
    walk_segments(head, choice, [&](const segment_place& place) NOTCH_LAMBDA_INLINE {
        bytes += place.steps * operand_step_bytes(choice.family) +
                 (place.begins ? run_header_bytes(choice.family, choice.finish) : 0);
        choice.segments += 1;
        choice.parts += place.ends_part ? 1 : 0;
        choice.part_bytes = std::max(choice.part_bytes, bytes);
        if (place.ends_part)
            bytes = 0;
    });
}

/// Chooses family and finish. `pieces`: of a depth block; `part`: bytes of panel operands that are expanded at once;
/// `first_pieces`: of a depth block of the first of two terms.
[[nodiscard]] NOTCH_INLINE kernel_choice choose_kernel(const kernel_traits& traits, const packed_header& head,
                                                       std::size_t pieces = 0, std::size_t part = part_panel_bytes,
                                                       std::size_t first_pieces = 0) noexcept {
    kernel_choice choice;
    choice.pieces = pieces;
    choice.first_pieces = first_pieces;
    choice.signed_rows = traits.signed_rows;
    const bool shifts = head.block_shifts != 0 && head.largest_shift != 0;
    if (head.block_scales != 0) {
        choice.family = traits.has_quad8 ? dot_family::quad : dot_family::pair;
        choice.finish = dot_finish::real;
    } else if (traits.has_quad8) {
        choice.absorbs = shifts && head.largest_shifted <= 127;
        choice.finish = shifts && !choice.absorbs ? dot_finish::shift : dot_finish::once;
    } else if (chain_steps(head.largest_value) >= shortest_chain && head.largest_shift <= chain_shift) {
        choice.family = dot_family::chain;
        choice.absorbs = shifts;
    } else {
        choice.family = dot_family::pair;
        choice.absorbs = shifts && head.largest_shifted <= 32767;
        choice.finish = shifts && !choice.absorbs ? dot_finish::shift : dot_finish::once;
    }
    choice.reads_shifts = traits.shift_panels != 0 && head.bits == 8 && choice.finish == dot_finish::shift;
    choice.row_bytes = head.term_steps(head.terms - 1) * row_step_bytes(choice.family);
    choice.part_steps =
        panels_in_place(head, choice) ? unlimited_steps : part / operand_step_bytes(choice.family) / traits.tile_panels;
    // A sum that is shifted is that of its pieces, shifted, so that long ones may be cut; a float sum is not.
    choice.longest_run = choice.finish == dot_finish::real ? unlimited_steps : choice.part_steps;
    if (choice.family == dot_family::chain) {
        choice.longest_run = chain_steps(head.largest_value);
        if (choice.longest_run > head.unit_steps()) // whole units are expanded faster
            choice.longest_run -= choice.longest_run % head.unit_steps();
    }
    count_segments(head, choice);
    return choice;
}

/// Chooses family and finish for an instruction set.
template <class Arch> [[nodiscard]] kernel_choice choose_kernel(const packed_header& head) noexcept {
    return choose_kernel(kernel_traits_of<Arch>, head);
}

/// The segments of rows whose depth blocks stand side by side, in order. `to` has choice.segments elements.
inline void fill_segments(const packed_header& head, const kernel_choice& choice, row_segment* to) noexcept {
    const std::size_t size = row_step_bytes(choice.family);
    walk_segments(head, choice, [&](const segment_place& place) {
        *to++ = {static_cast<std::ptrdiff_t>(place.step * size), static_cast<std::uint32_t>(place.steps), place.begins,
                 place.ends, place.ends_part};
    });
}

} // namespace notch::detail

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
    bool absorbs = false;        ///< exponents are multiplied into the panel operand
    bool signed_rows = false;    ///< the row operand of a quad is int8
    std::size_t longest_run = 0; ///< steps of a chain before it is widened; 0 for the others
    std::size_t row_bytes = 0;   ///< of the operand of one row
    std::size_t panel_bytes = 0; ///< of the operand of one panel
    std::size_t run_count = 0;   ///< runs of one term
};

/// Steps that fit the int16 sums of a chain.
[[nodiscard]] constexpr std::size_t chain_steps(std::uint32_t largest_value) noexcept {
    return largest_value == 0 ? 64 : std::min<std::size_t>(64, 32767 / (2 * 255 * std::size_t{largest_value}));
}

/// The largest factor 2^14 of pairs16, and of shifts that a chain absorbs.
inline constexpr std::uint32_t chain_shift = 14;
/// A chain shorter than this is slower than a pair.
inline constexpr std::size_t shortest_chain = 3;

/// What planning knows of an instruction set.
struct kernel_traits {
    bool has_quad8 = false;      ///< an exact product of four bytes
    bool signed_rows = false;    ///< the row operand of it is int8
    std::size_t tile_rows = 1;   ///< of the largest tile
    std::size_t tile_panels = 1; ///< of the largest tile
};

/// The traits of an instruction set that this translation unit is compiled for.
template <class Arch>
inline constexpr kernel_traits kernel_traits_of{simd::int_ops<Arch>::has_quad8, simd::int_ops<Arch>::signed_rows,
                                                simd::int_ops<Arch>::tile_rows, simd::int_ops<Arch>::tile_panels};

/// Chooses family and finish.
[[nodiscard]] NOTCH_INLINE kernel_choice choose_kernel(const kernel_traits& traits,
                                                       const packed_header& head) noexcept {
    kernel_choice choice;
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
        choice.longest_run = chain_steps(head.largest_value);
        if (choice.longest_run > head.unit_steps()) // runs begin with a unit of codes
            choice.longest_run -= choice.longest_run % head.unit_steps();
    } else {
        choice.family = dot_family::pair;
        choice.absorbs = shifts && head.largest_shifted <= 32767;
        choice.finish = shifts && !choice.absorbs ? dot_finish::shift : dot_finish::once;
    }
    const auto runs_of = [&](std::size_t steps) {
        return choice.longest_run == 0 ? std::size_t{1} : ceil_div(steps, choice.longest_run);
    };
    if (choice.finish == dot_finish::once && choice.family != dot_family::chain)
        choice.run_count = 1;
    else
        choice.run_count =
            (head.blocks - 1) * runs_of(ceil_div(head.block, step_inputs)) + runs_of(head.steps(head.blocks - 1));
    choice.row_bytes = head.term_steps() * row_step_bytes(choice.family);
    choice.panel_bytes = head.terms * (head.term_steps() * operand_step_bytes(choice.family) +
                                       choice.run_count * run_header_bytes(choice.family, choice.finish));
    return choice;
}

/// Chooses family and finish for an instruction set.
template <class Arch> [[nodiscard]] kernel_choice choose_kernel(const packed_header& head) noexcept {
    return choose_kernel(kernel_traits_of<Arch>, head);
}

/// Steps of each run of one term, in order. `runs` has choice.run_count elements.
inline void fill_runs(const packed_header& head, const kernel_choice& choice, std::uint32_t* runs) noexcept {
    const auto cut = [&](std::size_t steps) {
        const std::size_t most = choice.longest_run == 0 ? steps : choice.longest_run;
        for (; steps > 0; steps -= std::min(steps, most))
            *runs++ = static_cast<std::uint32_t>(std::min(steps, most));
    };
    const bool whole = choice.family != dot_family::chain && choice.finish == dot_finish::once;
    if (whole)
        cut(head.term_steps());
    else
        for (std::size_t h = 0; h < head.blocks; ++h)
            cut(head.steps(h));
}

} // namespace notch::detail

/// @file
/// The kernel of depthwise convolutions over quads: sums of some output lines of 3 x 3 taps.
///
/// Every line of pairs (simd/depthwise_quads.hpp) serves three kernel rows. Two output lines are made at once where they
/// share lines, and with a stride of 1 both outputs that begin in a quad:
///
///     stride 1    4 quads, 12 products for 4 outputs     stride 2    5 quads, 6 products for 2 outputs
///
/// The pair on the right of one quad is the one on the left of the next.
#pragma once

#include <notch/core/config.hpp>
#include <notch/simd/depthwise_isa.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>

namespace notch::detail {

/// Bytes of the operands of a panel: the quads of three rows, and where sums begin.
inline constexpr std::size_t quad_weight_bytes = (simd::quad_taps + 1) * simd::quad_bytes;

/// Bytes of a pair of some panels.
template <class Arch> [[nodiscard]] constexpr std::size_t quad_pair_bytes(std::size_t panels) noexcept {
    return std::max(2 * panels * simd::depthwise_channels, simd::depthwise_quads<Arch>::register_bytes);
}

/// Most source lines of a call.
inline constexpr std::size_t quad_rows = 27;

/// The work of one call: some output lines of some panels.
struct depthwise_quad_work {
    const std::byte* rows[quad_rows]{}; ///< the first pair of each source line
    std::size_t offset = 0;             ///< bytes from there to that of the first panel
    std::size_t pair_bytes = 0;         ///< of a pair
    const std::byte* weights = nullptr; ///< of the first panel, quad_weight_bytes each
    std::size_t panels = 1;
    std::size_t row_step = 1;     ///< source lines between output lines: 1, 2, or 3 where they share none
    std::size_t count = 0;        ///< outputs of a line
    std::size_t lines = 1;        ///< output lines
    std::int32_t* sums = nullptr; ///< of the first output: 16 of each panel
    std::size_t sums_stride = 0;  ///< between outputs
};

/// Sums of `Lines` output lines that lie `Stride` source lines apart. Phases: outputs that begin in a quad. Odd: the second
/// register of quads.
template <class Arch, std::size_t Phases, std::size_t Lines, std::size_t Stride, bool Odd> struct depthwise_quad_lines {
    using ops = simd::depthwise_quads<Arch>;
    using operand = typename ops::operand;
    using sums = typename ops::sums;
    static constexpr std::size_t taps = simd::quad_taps;
    static constexpr std::size_t rows = (Lines - 1) * Stride + taps;

    /// Outputs of one quad; `Made` of the phases. `left`: the pairs on its left, which become those on its right.
    template <std::size_t Made>
    static NOTCH_INLINE void outputs(operand (&left)[rows], const std::byte* const (&lines)[rows], std::size_t at,
                                     const operand (&w)[2][taps], sums start, std::int32_t* to, std::size_t step,
                                     std::size_t line_step) noexcept {
        operand a[rows];
#pragma GCC unroll 8
        for (std::size_t r = 0; r < rows; ++r) {
            const operand next = ops::load(lines[r] + at);
            a[r] = ops::template quad<Odd>(left[r], next);
            left[r] = next;
        }
#pragma GCC unroll 2
        for (std::size_t l = 0; l < Lines; ++l)
#pragma GCC unroll 2
            for (std::size_t p = 0; p < Made; ++p)
                ops::store(to + l * line_step + p * step, ops::dot(start, a[l * Stride], a[l * Stride + 1],
                                                                   a[l * Stride + 2], w[p][0], w[p][1], w[p][2]));
    }

    /// Of the lines that begin with source line `first`, `offset` bytes from its first pair.
    static NOTCH_INLINE void run(const depthwise_quad_work& work, std::size_t first, std::size_t offset,
                                 const operand (&w)[2][taps], sums start, std::int32_t* to) noexcept {
        const std::size_t pair_bytes = work.pair_bytes;
        const std::size_t step = work.sums_stride;
        const std::size_t line_step = work.count * step;
        const std::byte* lines[rows];
        operand left[rows];
#pragma GCC unroll 8
        for (std::size_t r = 0; r < rows; ++r) {
            lines[r] = work.rows[first + r] + offset;
            left[r] = ops::load(lines[r]);
        }
        std::size_t at = pair_bytes;
        for (std::size_t n = work.count / Phases; n != 0; --n, at += pair_bytes, to += Phases * step)
            outputs<Phases>(left, lines, at, w, start, to, step, line_step);
        if (Phases > 1 && work.count % Phases != 0)
            outputs<1>(left, lines, at, w, start, to, step, line_step);
    }
};

/// Some lines of one register of channels.
template <class Arch, std::size_t Phases, std::size_t Stride, bool Odd>
NOTCH_INLINE void depthwise_quad_register(const depthwise_quad_work& work, std::size_t offset, const std::byte* weights,
                                          std::int32_t* to) noexcept {
    using ops = simd::depthwise_quads<Arch>;
    constexpr std::size_t taps = simd::quad_taps;
    typename ops::operand w[2][taps];
#pragma GCC unroll 4
    for (std::size_t r = 0; r < taps; ++r) {
        w[0][r] = ops::load(weights + r * simd::quad_bytes);
        w[1][r] = ops::next_phase(w[0][r]);
    }
    const auto start = ops::load_sums(reinterpret_cast<const std::int32_t*>(weights + taps * simd::quad_bytes));
    const std::size_t line_step = work.count * work.sums_stride;
    std::size_t line = 0;
    if constexpr (Stride != 0)
        for (; line + 2 <= work.lines; line += 2)
            depthwise_quad_lines<Arch, Phases, 2, Stride, Odd>::run(work, line * Stride, offset, w, start,
                                                                    to + line * line_step);
    for (; line < work.lines; ++line)
        depthwise_quad_lines<Arch, Phases, 1, 1, Odd>::run(work, line * work.row_step, offset, w, start,
                                                           to + line * line_step);
}

/// Computes some lines. Stride: source lines between output lines, 0 where they share none.
template <class Arch, std::size_t Phases, std::size_t Stride>
void depthwise_quad_run(const depthwise_quad_work& call) noexcept {
    constexpr std::size_t bytes = simd::depthwise_quads<Arch>::register_bytes;
    constexpr std::size_t slices = simd::quad_bytes / bytes; // registers of a panel
    const depthwise_quad_work work = call;                   // what is stored could change the original
    for (std::size_t i = 0; i < work.panels * slices; ++i) {
        const std::byte* const weights = work.weights + i / slices * quad_weight_bytes + i % slices * bytes;
        const std::size_t offset = work.offset + i / 2 * bytes;
        std::int32_t* const to = work.sums + i * bytes / sizeof(std::int32_t);
        if (i % 2 == 0)
            depthwise_quad_register<Arch, Phases, Stride, false>(work, offset, weights, to);
        else
            depthwise_quad_register<Arch, Phases, Stride, true>(work, offset, weights, to);
    }
}

/// Computes some lines of some panels.
using depthwise_quad_kernel = void (*)(const depthwise_quad_work&) noexcept;

/// The kernel of two strides; 1 or 2 along a line.
template <class Arch>
[[nodiscard]] depthwise_quad_kernel find_quad_kernel(std::size_t stride_h, std::size_t stride_w) noexcept {
    if (stride_w == 1)
        return stride_h == 1 ? &depthwise_quad_run<Arch, 2, 1> : &depthwise_quad_run<Arch, 2, 0>;
    return stride_h == 2 ? &depthwise_quad_run<Arch, 1, 2> : &depthwise_quad_run<Arch, 1, 0>;
}

} // namespace notch::detail

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

/// Weights of some registers of channels, in both phases, and where their sums begin.
template <class Arch, std::size_t Registers> struct depthwise_quad_weights {
    typename simd::depthwise_quads<Arch>::operand taps[Registers][2][simd::quad_taps];
    typename simd::depthwise_quads<Arch>::sums start[Registers];
};

/// Sums of `Lines` output lines that lie `Stride` source lines apart. Phases: outputs that begin in a quad. A register of pairs
/// holds two of quads: `First` and `Registers` say which are made.
template <class Arch, std::size_t Phases, std::size_t Lines, std::size_t Stride, std::size_t First,
          std::size_t Registers>
struct depthwise_quad_lines {
    using ops = simd::depthwise_quads<Arch>;
    using operand = typename ops::operand;
    using weights = depthwise_quad_weights<Arch, Registers>;
    static constexpr std::size_t taps = simd::quad_taps;
    static constexpr std::size_t rows = (Lines - 1) * Stride + taps;

    /// Outputs of one quad; `Made` of the phases. `left`: the pairs on its left, which become those on its right.
    template <std::size_t Made>
    static NOTCH_INLINE void outputs(operand (&left)[rows], const std::byte* const (&lines)[rows], std::size_t at,
                                     const weights& w, std::int32_t* to, std::size_t step,
                                     std::size_t line_step) noexcept {
        operand right[rows];
#pragma GCC unroll 8
        for (std::size_t r = 0; r < rows; ++r)
            right[r] = ops::load(lines[r] + at);
#pragma GCC unroll 2
        for (std::size_t i = 0; i < Registers; ++i, to += ops::register_bytes / sizeof(std::int32_t)) {
            operand a[rows];
#pragma GCC unroll 8
            for (std::size_t r = 0; r < rows; ++r)
                a[r] = First + i == 0 ? ops::template quad<false>(left[r], right[r])
                                      : ops::template quad<true>(left[r], right[r]);
#pragma GCC unroll 2
            for (std::size_t l = 0; l < Lines; ++l)
#pragma GCC unroll 2
                for (std::size_t p = 0; p < Made; ++p)
                    ops::store(to + l * line_step + p * step,
                               ops::dot(w.start[i], a[l * Stride], a[l * Stride + 1], a[l * Stride + 2],
                                        w.taps[i][p][0], w.taps[i][p][1], w.taps[i][p][2]));
        }
#pragma GCC unroll 8
        for (std::size_t r = 0; r < rows; ++r)
            left[r] = right[r];
    }

    /// Of the lines that begin with source line `first`, `offset` bytes from its first pair.
    static NOTCH_INLINE void run(const depthwise_quad_work& work, std::size_t first, std::size_t offset,
                                 const weights& w, std::int32_t* to) noexcept {
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
            outputs<Phases>(left, lines, at, w, to, step, line_step);
        if (Phases > 1 && work.count % Phases != 0)
            outputs<1>(left, lines, at, w, to, step, line_step);
    }
};

/// Some lines of some registers of channels, from register `number` on.
template <class Arch, std::size_t Phases, std::size_t Stride, std::size_t First, std::size_t Registers>
NOTCH_INLINE void depthwise_quad_registers(const depthwise_quad_work& work, std::size_t number) noexcept {
    using ops = simd::depthwise_quads<Arch>;
    constexpr std::size_t bytes = ops::register_bytes;
    constexpr std::size_t slices = simd::quad_bytes / bytes; // registers of a panel
    constexpr std::size_t taps = simd::quad_taps;
    depthwise_quad_weights<Arch, Registers> w;
#pragma GCC unroll 2
    for (std::size_t i = 0; i < Registers; ++i) {
        const std::byte* const from =
            work.weights + (number + i) / slices * quad_weight_bytes + (number + i) % slices * bytes;
#pragma GCC unroll 4
        for (std::size_t r = 0; r < taps; ++r) {
            w.taps[i][0][r] = ops::load(from + r * simd::quad_bytes);
            w.taps[i][1][r] = ops::next_phase(w.taps[i][0][r]);
        }
        w.start[i] = ops::load_sums(reinterpret_cast<const std::int32_t*>(from + taps * simd::quad_bytes));
    }
    const std::size_t offset = work.offset + number / 2 * bytes;
    std::int32_t* const to = work.sums + number * bytes / sizeof(std::int32_t);
    const std::size_t line_step = work.count * work.sums_stride;
    std::size_t line = 0;
    if constexpr (Stride != 0)
        for (; line + 2 <= work.lines; line += 2)
            depthwise_quad_lines<Arch, Phases, 2, Stride, First, Registers>::run(work, line * Stride, offset, w,
                                                                                 to + line * line_step);
    for (; line < work.lines; ++line)
        depthwise_quad_lines<Arch, Phases, 1, 1, First, Registers>::run(work, line * work.row_step, offset, w,
                                                                        to + line * line_step);
}

/// Computes some lines. Stride: source lines between output lines, 0 where they share none.
template <class Arch, std::size_t Phases, std::size_t Stride>
void depthwise_quad_run(const depthwise_quad_work& call) noexcept {
    constexpr std::size_t bytes = simd::depthwise_quads<Arch>::register_bytes;
    const depthwise_quad_work work = call; // what is stored could change the original
    const std::size_t registers = work.panels * (simd::quad_bytes / bytes);
    std::size_t i = 0;
    if constexpr (bytes == simd::quad_bytes) // there are registers enough for two at once
        for (; i + 2 <= registers; i += 2)
            depthwise_quad_registers<Arch, Phases, Stride, 0, 2>(work, i);
    for (; i < registers; ++i)
        if (i % 2 == 0)
            depthwise_quad_registers<Arch, Phases, Stride, 0, 1>(work, i);
        else
            depthwise_quad_registers<Arch, Phases, Stride, 1, 1>(work, i);
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

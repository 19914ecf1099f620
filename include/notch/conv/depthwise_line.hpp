/// @file
/// The kernel of depthwise convolutions: sums of some output lines, in sixteen channels.
///
/// Source lines are sequences of units (simd/depthwise_ops.hpp) whose first column is that of the first output. Outputs lie
/// `stride` columns apart, so where a unit has two columns, outputs begin in its first or second column in turn:
///
///     columns, two per unit     0 1 | 2 3 | 4 5 | ...
///     output 0                  w w | w .             phase 0: weights (w0 w1) (w2 0)
///     output 1                    w | w w             phase 1: weights (0 w0) (w1 w2)
///     output 2                        w w | w .       phase 0 again, `step` units on
///
/// The slices of a line follow one another. Every source code is interleaved once; with stride 1 both phases share what is loaded. The weights of three rows of
/// three taps stay in registers, others are read again for every four outputs.
#pragma once

#include <notch/core/config.hpp>
#include <notch/simd/depthwise_isa.hpp>

#include <cstddef>
#include <cstdint>

namespace notch::detail {

/// The work of one call: some output lines.
struct depthwise_lines_work {
    const std::byte* source = nullptr;  ///< units of the first kernel row of the first line
    std::size_t slice_step = 0;         ///< bytes between the slices of a line
    const std::byte* weights = nullptr; ///< units [phase][row][unit]
    std::size_t row_count = 0;          ///< rows of the kernel
    std::size_t row_step = 0;           ///< bytes between the lines of two kernel rows
    std::size_t units = 0;              ///< of a row of weights
    std::size_t stride = 1;             ///< columns between outputs
    std::size_t count = 0;              ///< outputs of a line
    std::size_t lines = 1;              ///< output lines
    std::size_t line_step = 0;          ///< bytes between the source lines of two output lines
    std::int32_t* sums = nullptr;       ///< of the first output: 16
    std::size_t sums_stride = 0;        ///< between outputs
    std::size_t sums_line_stride = 0;   ///< between lines
};

/// How many phases outputs have.
template <class Arch> [[nodiscard]] NOTCH_INLINE constexpr std::size_t depthwise_phases(std::size_t stride) noexcept {
    static_assert(simd::depthwise_ops<Arch>::columns <= 2);
    return simd::depthwise_ops<Arch>::columns == 2 && stride % 2 == 1 ? 2 : 1;
}

/// Units of a row of weights: those of the last phase.
template <class Arch>
[[nodiscard]] NOTCH_INLINE constexpr std::size_t depthwise_units(std::size_t taps, std::size_t stride) noexcept {
    constexpr std::size_t columns = simd::depthwise_ops<Arch>::columns;
    return (taps + depthwise_phases<Arch>(stride) - 1 + columns - 1) / columns;
}

/// Places in the lines and in the weights. Rows and Units are 0 where they are known at run time only.
template <class Arch, std::size_t Rows, std::size_t Units> struct depthwise_walk {
    using ops = simd::depthwise_ops<Arch>;
    using operand = typename ops::operand;
    using sums = typename ops::sums;
    static constexpr std::size_t slice_bytes = ops::unit_bytes / ops::slices;

    depthwise_lines_work work; ///< a copy: what is stored could change the original
    std::size_t slice;

    [[nodiscard]] NOTCH_INLINE std::size_t rows() const noexcept { return Rows != 0 ? Rows : work.row_count; }
    [[nodiscard]] NOTCH_INLINE std::size_t units() const noexcept { return Units != 0 ? Units : work.units; }
    [[nodiscard]] NOTCH_INLINE operand weight(std::size_t phase, std::size_t row, std::size_t unit) const noexcept {
        return ops::load(work.weights + ((phase * rows() + row) * units() + unit) * ops::unit_bytes +
                         slice * slice_bytes);
    }
    /// Unit 0 of a kernel row of a line.
    [[nodiscard]] NOTCH_INLINE const std::byte* source(std::size_t line, std::size_t row) const noexcept {
        return work.source + line * work.line_step + row * work.row_step + slice * work.slice_step;
    }
    /// Where the sums of an output go.
    [[nodiscard]] NOTCH_INLINE std::int32_t* to(std::size_t line, std::size_t output) const noexcept {
        return work.sums + line * work.sums_line_stride + output * work.sums_stride;
    }
};

/// Kernel of a fixed size with the weights in registers. Shared: two phases that begin in the same unit.
template <class Arch, std::size_t Phases, bool Shared, std::size_t Rows, std::size_t Units>
void depthwise_fixed(const depthwise_lines_work& work) noexcept {
    using walk_type = depthwise_walk<Arch, Rows, Units>;
    using ops = typename walk_type::ops;
    using operand = typename ops::operand;
    using sums = typename ops::sums;
    constexpr std::size_t unit = ops::unit_bytes / ops::slices;
    const std::size_t step = work.stride * Phases / ops::columns * unit; // bytes between outputs of phase 0
    const std::size_t second = work.stride / 2 * unit;
    const std::size_t count = work.count;
    const std::size_t lines = work.lines;
    const std::size_t sums_stride = work.sums_stride;
    for (std::size_t slice = 0; slice < ops::slices; ++slice) {
        const walk_type walk{work, slice};
        operand weights[Phases][Rows][Units];
#pragma GCC unroll 16
        for (std::size_t p = 0; p < Phases; ++p)
#pragma GCC unroll 16
            for (std::size_t r = 0; r < Rows; ++r)
#pragma GCC unroll 16
                for (std::size_t u = 0; u < Units; ++u)
                    weights[p][r][u] = walk.weight(p, r, u);
        for (std::size_t line = 0; line < lines; ++line) {
            const std::byte* data[Rows];
#pragma GCC unroll 16
            for (std::size_t r = 0; r < Rows; ++r)
                data[r] = walk.source(line, r);
            std::int32_t* to = walk.to(line, 0);
            std::size_t left = count;
            std::size_t offset = 0;
            for (; left >= Phases; left -= Phases, offset += step) {
                sums s[Phases];
#pragma GCC unroll 16
                for (std::size_t r = 0; r < Rows; ++r)
#pragma GCC unroll 16
                    for (std::size_t u = 0; u < Units; ++u) {
                        operand a = ops::held(ops::load(data[r] + offset + u * unit));
#pragma GCC unroll 16
                        for (std::size_t p = 0; p < Phases; ++p) {
                            if (p == 1 && !Shared)
                                a = ops::load(data[r] + offset + second + u * unit);
                            s[p] = r + u == 0 ? ops::product(a, weights[p][r][u]) : ops::add(s[p], a, weights[p][r][u]);
                        }
                    }
#pragma GCC unroll 16
                for (std::size_t p = 0; p < Phases; ++p) {
                    ops::store(to, slice, s[p]);
                    to += sums_stride;
                }
            }
            if (Phases > 1 && left != 0) {
                sums s{};
#pragma GCC unroll 16
                for (std::size_t r = 0; r < Rows; ++r)
#pragma GCC unroll 16
                    for (std::size_t u = 0; u < Units; ++u) {
                        const operand a = ops::load(data[r] + offset + u * unit);
                        s = r + u == 0 ? ops::product(a, weights[0][r][u]) : ops::add(s, a, weights[0][r][u]);
                    }
                ops::store(to, slice, s);
            }
        }
    }
}

/// Kernel of a fixed size for outputs that begin one unit apart: what is loaded once serves all of `Outputs` of them.
template <class Arch, std::size_t Rows, std::size_t Units, std::size_t Outputs>
NOTCH_INLINE void depthwise_slide(const typename simd::depthwise_ops<Arch>::operand (&weights)[Rows][Units],
                                  const std::byte* const (&data)[Rows], std::size_t offset, std::size_t slice,
                                  std::int32_t* to, std::size_t sums_stride) noexcept {
    using ops = simd::depthwise_ops<Arch>;
    constexpr std::size_t unit = ops::unit_bytes / ops::slices;
    typename ops::sums s[Outputs];
#pragma GCC unroll 16
    for (std::size_t r = 0; r < Rows; ++r)
#pragma GCC unroll 16
        for (std::size_t u = 0; u < Outputs + Units - 1; ++u) {
            const auto a = ops::held(ops::load(data[r] + offset + u * unit));
#pragma GCC unroll 16
            for (std::size_t o = 0; o < Outputs; ++o)
                if (u >= o && u - o < Units)
                    s[o] = r + u - o == 0 ? ops::product(a, weights[r][u - o]) : ops::add(s[o], a, weights[r][u - o]);
        }
#pragma GCC unroll 16
    for (std::size_t o = 0; o < Outputs; ++o)
        ops::store(to + o * sums_stride, slice, s[o]);
}

/// Kernel of a fixed size, of one phase, for outputs that begin one unit apart.
template <class Arch, std::size_t Rows, std::size_t Units>
void depthwise_sliding(const depthwise_lines_work& work) noexcept {
    using walk_type = depthwise_walk<Arch, Rows, Units>;
    using ops = typename walk_type::ops;
    constexpr std::size_t outputs = 4;
    constexpr std::size_t unit = ops::unit_bytes / ops::slices;
    const std::size_t count = work.count;
    const std::size_t lines = work.lines;
    const std::size_t sums_stride = work.sums_stride;
    for (std::size_t slice = 0; slice < ops::slices; ++slice) {
        const walk_type walk{work, slice};
        typename ops::operand weights[Rows][Units];
#pragma GCC unroll 16
        for (std::size_t r = 0; r < Rows; ++r)
#pragma GCC unroll 16
            for (std::size_t u = 0; u < Units; ++u)
                weights[r][u] = walk.weight(0, r, u);
        for (std::size_t line = 0; line < lines; ++line) {
            const std::byte* data[Rows];
#pragma GCC unroll 16
            for (std::size_t r = 0; r < Rows; ++r)
                data[r] = walk.source(line, r);
            std::int32_t* to = walk.to(line, 0);
            std::size_t left = count;
            std::size_t offset = 0;
            for (; left >= outputs; left -= outputs, offset += outputs * unit, to += outputs * sums_stride)
                depthwise_slide<Arch, Rows, Units, outputs>(weights, data, offset, slice, to, sums_stride);
            for (; left != 0; --left, offset += unit, to += sums_stride)
                depthwise_slide<Arch, Rows, Units, 1>(weights, data, offset, slice, to, sums_stride);
        }
    }
}

/// Kernel of any size: `Steps` times the phases at once.
template <class Arch, std::size_t Phases, std::size_t Steps>
NOTCH_INLINE void depthwise_steps(const depthwise_walk<Arch, 0, 0>& walk, std::size_t line,
                                  std::size_t first) noexcept {
    using ops = simd::depthwise_ops<Arch>;
    using operand = typename ops::operand;
    using sums = typename ops::sums;
    constexpr std::size_t unit = ops::unit_bytes / ops::slices;
    const std::size_t stride = walk.work.stride;
    const std::size_t step = stride * Phases / ops::columns * unit;
    const std::size_t second = stride / 2 * unit;
    sums s[Steps][Phases]{};
    for (std::size_t r = 0; r < walk.rows(); ++r) {
        const std::byte* data = walk.source(line, r) + first * stride / ops::columns * unit;
        for (std::size_t u = 0; u < walk.units(); ++u) {
#pragma GCC unroll 4
            for (std::size_t p = 0; p < Phases; ++p) {
                const operand w = ops::held(walk.weight(p, r, u));
#pragma GCC unroll 4
                for (std::size_t i = 0; i < Steps; ++i)
                    s[i][p] = ops::add(s[i][p], ops::load(data + i * step + p * second + u * unit), w);
            }
        }
    }
#pragma GCC unroll 4
    for (std::size_t i = 0; i < Steps; ++i)
#pragma GCC unroll 4
        for (std::size_t p = 0; p < Phases; ++p)
            ops::store(walk.to(line, first + i * Phases + p), walk.slice, s[i][p]);
}

/// Kernel of any size.
template <class Arch, std::size_t Phases> void depthwise_any(const depthwise_lines_work& work) noexcept {
    constexpr std::size_t steps = 4 / Phases;
    const std::size_t count = work.count;
    for (std::size_t slice = 0; slice < simd::depthwise_ops<Arch>::slices; ++slice) {
        const depthwise_walk<Arch, 0, 0> walk{work, slice};
        for (std::size_t line = 0; line < walk.work.lines; ++line) {
            std::size_t x = 0;
            for (; x + 4 <= count; x += 4)
                depthwise_steps<Arch, Phases, steps>(walk, line, x);
            for (; x + Phases <= count; x += Phases)
                depthwise_steps<Arch, Phases, 1>(walk, line, x);
            if (Phases > 1 && x < count)
                depthwise_steps<Arch, 1, 1>(walk, line, x);
        }
    }
}

/// Computes some lines.
using depthwise_kernel = void (*)(const depthwise_lines_work&) noexcept;

/// The kernel for some rows and taps and a stride.
template <class Arch>
[[nodiscard]] depthwise_kernel find_depthwise_kernel(std::size_t rows, std::size_t taps, std::size_t stride) noexcept {
    constexpr std::size_t columns = simd::depthwise_ops<Arch>::columns;
    const bool three = rows == 3 && taps == 3;
    if constexpr (columns == 2) {
        if (three)
            return stride == 1       ? &depthwise_fixed<Arch, 2, true, 3, 2>
                   : stride == 2     ? &depthwise_sliding<Arch, 3, 2>
                   : stride % 2 == 1 ? &depthwise_fixed<Arch, 2, false, 3, 2>
                                     : &depthwise_fixed<Arch, 1, true, 3, 2>;
        return stride % 2 == 1 ? &depthwise_any<Arch, 2> : &depthwise_any<Arch, 1>;
    } else {
        if (three)
            return stride == 1 ? &depthwise_sliding<Arch, 3, 3> : &depthwise_fixed<Arch, 1, true, 3, 3>;
        return &depthwise_any<Arch, 1>;
    }
}

} // namespace notch::detail

/// @file
/// The kernel of depthwise convolutions over quads: sums of some output lines of 3 x 3 taps.
///
/// Every line of pairs (simd/depthwise_quads.hpp) serves three kernel rows. Two output lines are made at once where they
/// share lines, and with a stride of 1 both outputs that begin in a quad:
///
///     stride 1    4 quads, 12 products for 4 outputs     stride 2    5 quads, 6 products for 2 outputs
///
/// The pair on the right of one quad is the one on the left of the next. Where the epilogue is plain (epilogue/plain_codes.hpp)
/// and there are registers of 64 bytes, codes are stored and no sums.
#pragma once

#include <notch/core/config.hpp>
#include <notch/gemm/finish_codes.hpp>
#include <notch/simd/code_bytes.hpp>
#include <notch/simd/depthwise_isa.hpp>
#include <notch/simd/int_kernels.hpp>

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
    // Codes instead of sums:
    const plain_codes* numbers = nullptr; ///< finish_numbers of all channels; null: sums
    std::uint8_t* codes = nullptr;        ///< of the first output
    std::ptrdiff_t pixel_step = 0;        ///< between outputs
    std::ptrdiff_t line_step = 0;         ///< between lines
};

/// Weights of some registers of channels, in both phases, and where their sums begin.
template <class Arch, std::size_t Registers> struct depthwise_quad_weights {
    typename simd::depthwise_quads<Arch>::operand taps[Registers][2][simd::quad_taps];
    typename simd::depthwise_quads<Arch>::sums start[Registers];
};

/// What becomes of the sums of some registers of channels.
enum class quad_end { sums, shifted, scaled };

/// Sums are stored.
template <class Arch, std::size_t Registers, std::size_t Lines, quad_end End> class quad_sink {
    using ops = simd::depthwise_quads<Arch>;

public:
    NOTCH_INLINE quad_sink(const depthwise_quad_work& work, std::size_t line, std::size_t number) noexcept
        : step_(work.sums_stride), line_step_(work.count * step_),
          to_(work.sums + line * line_step_ + number * ops::register_bytes / sizeof(std::int32_t)) {}
    /// Sums of register i of `Made` outputs, line by line.
    template <std::size_t Made>
    NOTCH_INLINE void take(std::size_t i, const typename ops::sums (&sums)[Lines][Made]) noexcept {
#pragma GCC unroll 2
        for (std::size_t l = 0; l < Lines; ++l)
#pragma GCC unroll 2
            for (std::size_t p = 0; p < Made; ++p)
                ops::store(to_ + l * line_step_ + p * step_ + i * ops::register_bytes / sizeof(std::int32_t),
                           sums[l][p]);
    }
    /// All registers have been taken.
    template <std::size_t Made> NOTCH_INLINE void leave() noexcept { to_ += Made * step_; }

private:
    std::size_t step_;
    std::size_t line_step_;
    std::int32_t* to_;
};

/// Codes are stored, of two outputs at a time: side by side, or one above the other.
template <class Arch, std::size_t Registers, std::size_t Lines, quad_end End>
    requires(End != quad_end::sums && simd::has_code_bytes<Arch>)
class quad_sink<Arch, Registers, Lines, End> {
    using ops = simd::depthwise_quads<Arch>;
    using lane = simd::lane_of<Arch>;
    using reg = typename ops::sums;
    static constexpr std::size_t width = simd::lane_width<lane>;

public:
    NOTCH_INLINE quad_sink(const depthwise_quad_work& work, std::size_t line, std::size_t number) noexcept
        : numbers_(static_cast<const finish_numbers<Arch>*>(work.numbers)), at_(number * width),
          pixel_step_(work.pixel_step), line_step_(work.line_step),
          to_(work.codes + static_cast<std::ptrdiff_t>(line) * line_step_ + number * width) {}
    template <std::size_t Made> NOTCH_INLINE void take(std::size_t i, const reg (&sums)[Lines][Made]) noexcept {
        if constexpr (Made == 2) {
#pragma GCC unroll 2
            for (std::size_t l = 0; l < Lines; ++l)
                words_[l][i] = simd::code_bytes<Arch>::words(scaled(i, sums[l][0]), scaled(i, sums[l][1]));
        } else {
            words_[0][i] = simd::code_bytes<Arch>::words(scaled(i, sums[0][0]), scaled(i, sums[Lines - 1][0]));
        }
    }
    template <std::size_t Made> NOTCH_INLINE void leave() noexcept {
        if constexpr (Made == 2) {
#pragma GCC unroll 2
            for (std::size_t l = 0; l < Lines; ++l)
                store<true>(to_ + static_cast<std::ptrdiff_t>(l) * line_step_, pixel_step_, words_[l]);
        } else {
            store<Lines == 2>(to_, line_step_, words_[0]);
        }
        to_ += static_cast<std::ptrdiff_t>(Made) * pixel_step_;
    }

private:
    NOTCH_INLINE reg scaled(std::size_t i, reg sum) const noexcept {
        const auto x = to_floats(lane(sum));
        if constexpr (End == quad_end::shifted)
            return nearest_ints(
                       simd::code_bytes<Arch>::shifted(x, simd::load_lane<lane>(numbers_->shifts + at_ + i * width)))
                .value;
        else
            return nearest_ints(as_rounded(x * simd::load_floats<lane>(numbers_->factors + at_ + i * width))).value;
    }
    template <bool Two>
    NOTCH_INLINE void store(std::uint8_t* to, std::ptrdiff_t step, const reg (&words)[Registers]) const noexcept {
        using bytes = simd::code_bytes<Arch>;
        const reg codes = numbers_->bytes.rows(words[0], words[Registers - 1]);
        bytes::template store_row<Registers * width, false>(to, codes);
        if constexpr (Two)
            bytes::template store_row<Registers * width, true>(to + step, codes);
    }

    const finish_numbers<Arch>* numbers_;
    std::size_t at_; ///< column of the first channel
    std::ptrdiff_t pixel_step_;
    std::ptrdiff_t line_step_;
    std::uint8_t* to_;
    reg words_[Lines][Registers];
};

/// Sums of `Lines` output lines that lie `Stride` source lines apart. Phases: outputs that begin in a quad. A register of pairs
/// holds two of quads: `First` and `Registers` say which are made.
template <class Arch, std::size_t Phases, std::size_t Lines, std::size_t Stride, std::size_t First,
          std::size_t Registers, quad_end End>
struct depthwise_quad_lines {
    using ops = simd::depthwise_quads<Arch>;
    using operand = typename ops::operand;
    using weights = depthwise_quad_weights<Arch, Registers>;
    using sink = quad_sink<Arch, Registers, Lines, End>;
    static constexpr std::size_t taps = simd::quad_taps;
    static constexpr std::size_t rows = (Lines - 1) * Stride + taps;

    /// Outputs of one quad; `Made` of the phases. `left`: the pairs on its left, which become those on its right.
    template <std::size_t Made>
    static NOTCH_INLINE void outputs(operand (&left)[rows], const std::byte* const (&lines)[rows], std::size_t at,
                                     const weights& w, sink& to) noexcept {
        operand right[rows];
#pragma GCC unroll 8
        for (std::size_t r = 0; r < rows; ++r)
            right[r] = ops::load(lines[r] + at);
#pragma GCC unroll 2
        for (std::size_t i = 0; i < Registers; ++i) {
            operand a[rows];
#pragma GCC unroll 8
            for (std::size_t r = 0; r < rows; ++r)
                a[r] = First + i == 0 ? ops::template quad<false>(left[r], right[r])
                                      : ops::template quad<true>(left[r], right[r]);
            typename ops::sums sums[Lines][Made];
#pragma GCC unroll 2
            for (std::size_t l = 0; l < Lines; ++l)
#pragma GCC unroll 2
                for (std::size_t p = 0; p < Made; ++p)
                    sums[l][p] = ops::dot(w.start[i], a[l * Stride], a[l * Stride + 1], a[l * Stride + 2],
                                          w.taps[i][p][0], w.taps[i][p][1], w.taps[i][p][2]);
            to.take(i, sums);
        }
        to.template leave<Made>();
#pragma GCC unroll 8
        for (std::size_t r = 0; r < rows; ++r)
            left[r] = right[r];
    }

    /// Line `line` and those that are made with it, from source line `first` on, `offset` bytes from its first pair.
    static NOTCH_INLINE void run(const depthwise_quad_work& work, std::size_t first, std::size_t offset,
                                 const weights& w, std::size_t line, std::size_t number) noexcept {
        const std::size_t pair_bytes = work.pair_bytes;
        const std::byte* lines[rows];
        operand left[rows];
#pragma GCC unroll 8
        for (std::size_t r = 0; r < rows; ++r) {
            lines[r] = work.rows[first + r] + offset;
            left[r] = ops::load(lines[r]);
        }
        sink to(work, line, number);
        std::size_t at = pair_bytes;
        for (std::size_t n = work.count / Phases; n != 0; --n, at += pair_bytes)
            outputs<Phases>(left, lines, at, w, to);
        if (Phases > 1 && work.count % Phases != 0)
            outputs<1>(left, lines, at, w, to);
    }
};

/// Some lines of some registers of channels, from register `number` on.
template <class Arch, std::size_t Phases, std::size_t Stride, quad_end End, std::size_t First, std::size_t Registers>
NOTCH_INLINE void depthwise_quad_registers(const depthwise_quad_work& work, std::size_t number) noexcept {
    using ops = simd::depthwise_quads<Arch>;
    constexpr std::size_t bytes = ops::register_bytes;
    constexpr std::size_t slices = simd::quad_bytes / bytes; // registers of a panel
    constexpr std::size_t taps = simd::quad_taps;
    using lane = simd::lane_of<Arch>;
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
        if constexpr (End != quad_end::sums)
            w.start[i] =
                (lane(w.start[i]) + simd::load_lane<lane>(work.numbers->add + (number + i) * simd::lane_width<lane>))
                    .value;
    }
    const std::size_t offset = work.offset + number / 2 * bytes;
    std::size_t line = 0;
    if constexpr (Stride != 0)
        for (; line + 2 <= work.lines; line += 2)
            depthwise_quad_lines<Arch, Phases, 2, Stride, First, Registers, End>::run(work, line * Stride, offset, w,
                                                                                      line, number);
    for (; line < work.lines; ++line)
        depthwise_quad_lines<Arch, Phases, 1, 1, First, Registers, End>::run(work, line * work.row_step, offset, w,
                                                                             line, number);
}

/// Computes some lines. Stride: source lines between output lines, 0 where they share none.
template <class Arch, std::size_t Phases, std::size_t Stride, quad_end End>
NOTCH_INLINE void depthwise_quad_lines_of(const depthwise_quad_work& work) noexcept {
    constexpr std::size_t bytes = simd::depthwise_quads<Arch>::register_bytes;
    const std::size_t registers = work.panels * (simd::quad_bytes / bytes);
    std::size_t i = 0;
    if constexpr (bytes == simd::quad_bytes) // there are registers enough for two at once
        for (; i + 2 <= registers; i += 2)
            depthwise_quad_registers<Arch, Phases, Stride, End, 0, 2>(work, i);
    for (; i < registers; ++i)
        if (i % 2 == 0)
            depthwise_quad_registers<Arch, Phases, Stride, End, 0, 1>(work, i);
        else
            depthwise_quad_registers<Arch, Phases, Stride, End, 1, 1>(work, i);
}

/// The same, to sums or to codes.
template <class Arch, std::size_t Phases, std::size_t Stride>
void depthwise_quad_run(const depthwise_quad_work& call) noexcept {
    const depthwise_quad_work work = call; // what is stored could change the original
    if constexpr (simd::has_code_bytes<Arch>) {
        if (work.numbers != nullptr) {
            if (work.numbers->how == plain_codes::scaling::short_shift)
                depthwise_quad_lines_of<Arch, Phases, Stride, quad_end::shifted>(work);
            else
                depthwise_quad_lines_of<Arch, Phases, Stride, quad_end::scaled>(work);
            return;
        }
    }
    depthwise_quad_lines_of<Arch, Phases, Stride, quad_end::sums>(work);
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

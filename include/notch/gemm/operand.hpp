/// @file
/// Operands of the microkernels: one row of activations, or one panel of weights, in the form of a family.
///
/// A panel is expanded into a stream of steps, with the headers of its runs in front of them, once for all rows of
/// a task. A row is copied (or widened, or flipped between uint8 and int8), each depth block padded with zeros
/// to whole steps. Rows and panels that already have the form are used where they lie.
#pragma once

#include <notch/core/config.hpp>
#include <notch/gemm/plan.hpp>

#include <cstddef>
#include <cstdint>
#include <cstring>

namespace notch::detail {

/// Codes of activations, and how they are read.
struct activation_rows {
    const std::uint8_t* data = nullptr; ///< int8 where is_signed
    bool is_signed = false;
    std::ptrdiff_t row_stride = 0;
    std::ptrdiff_t column_stride = 1;
    std::int32_t zero_point = 0;
    std::size_t rows = 0;
};

/// What the row operand of a family is larger than the code: the zero point seems larger by it.
[[nodiscard]] inline std::int32_t operand_zero_point(const kernel_choice& choice,
                                                     const activation_rows& from) noexcept {
    if (choice.family == dot_family::pair) // subtracted while widening
        return 0;
    const bool wants_signed = choice.family == dot_family::quad && choice.signed_rows;
    const std::int32_t moved = wants_signed == from.is_signed ? 0 : wants_signed ? -128 : 128;
    return from.zero_point + moved;
}

/// True where rows can be read in place: bytes of the right sign side by side, all depth blocks whole steps.
[[nodiscard]] inline bool rows_in_place(const packed_header& head, const kernel_choice& choice,
                                        const activation_rows& from) noexcept {
    const bool wants_signed = choice.family == dot_family::quad && choice.signed_rows;
    return choice.family != dot_family::pair && wants_signed == from.is_signed && from.column_stride == 1 &&
           head.order == 0 && head.inputs % step_inputs == 0 && (head.blocks == 1 || head.block % step_inputs == 0);
}

/// True where the packed bytes of a panel are its operand.
[[nodiscard]] inline bool panels_in_place(const packed_header& head, const kernel_choice& choice) noexcept {
    return head.bits == 8 && choice.family == dot_family::quad && choice.finish == dot_finish::once && !choice.absorbs;
}

/// Writes the operand of one row.
template <class Arch>
void expand_row(const packed_header& head, const kernel_choice& choice, const activation_rows& from, std::size_t row,
                const std::uint32_t* order, std::byte* to) noexcept {
    using expand = simd::expand_ops<Arch>;
    const std::uint8_t* source = from.data + static_cast<std::ptrdiff_t>(row) * from.row_stride;
    const std::size_t size = row_step_bytes(choice.family) / step_inputs;
    const bool flips = choice.family != dot_family::pair &&
                       from.is_signed != (choice.family == dot_family::quad && choice.signed_rows);
    constexpr std::size_t piece = 256;
    std::uint8_t gathered[piece];
    for (std::size_t h = 0, first = 0; h < head.blocks; ++h) {
        const std::size_t length = head.length(h);
        for (std::size_t i = 0; i < length; i += piece) {
            std::size_t count = length - i;
            const std::uint8_t* codes = source + first + i;
            if (order != nullptr || from.column_stride != 1) {
                count = std::min(count, piece);
                for (std::size_t k = 0; k < count; ++k) {
                    const std::size_t input = order != nullptr ? order[first + i + k] : first + i + k;
                    gathered[k] = source[static_cast<std::ptrdiff_t>(input) * from.column_stride];
                }
                codes = gathered;
            }
            if (choice.family == dot_family::pair)
                expand::widen_row(codes, count, from.is_signed, from.zero_point, reinterpret_cast<std::int16_t*>(to));
            else if (flips)
                expand::flip_row(codes, count, reinterpret_cast<std::uint8_t*>(to));
            else
                std::memcpy(to, codes, count);
            to += count * size;
            if (codes != gathered)
                break;
        }
        first += length;
        const std::size_t padding = (head.steps(h) * step_inputs - length) * size;
        std::memset(to, 0, padding);
        to += padding;
    }
}

/// Expands one panel.
template <class Arch, int Bits> class panel_expander {
    using expand = simd::expand_ops<Arch>;

public:
    panel_expander(const packed_weights& weights, const kernel_choice& choice, std::int32_t zero_point) noexcept
        : weights_(weights), head_(weights.header()), choice_(choice), zero_point_(zero_point) {}

    void operator()(std::size_t panel, std::byte* to) noexcept {
        const auto* unit = weights_.section<std::uint8_t>(head_.codes) + panel * head_.panel_bytes();
        const bool whole_chain = choice_.family == dot_family::chain && !choice_.absorbs;
        std::size_t left = 0; // steps of the current run
        for (std::size_t h = 0; h < head_.depth_blocks(); ++h) {
            const std::size_t block = h % head_.blocks;
            const std::size_t steps = head_.steps(block);
            enter(panel, h);
            if (!whole_chain || block == 0)
                left = 0;
            for (std::size_t s = 0; s < steps; ++s) {
                if (left == 0) {
                    write_header(panel, h, unit, steps, to);
                    left = choice_.longest_run != 0 ? choice_.longest_run : steps;
                }
                --left;
                const std::size_t part = s % (8 / Bits);
                write_step(expand::template codes<Bits>(unit, bias_, part), to);
                if (part + 1 == 8 / Bits || s + 1 == steps)
                    unit += step_bytes;
            }
        }
    }

private:
    /// Reads the biases and shifts of a depth block.
    void enter(std::size_t panel, std::size_t h) noexcept {
        const std::size_t index = (panel * head_.depth_blocks() + h) * panel_columns;
        const auto* biases = weights_.section<std::uint8_t>(head_.biases);
        const auto* shifts = weights_.section<std::uint8_t>(head_.block_shifts);
        for (std::size_t c = 0; c < panel_columns; ++c) {
            bias_[c] = biases != nullptr ? biases[index + c] : static_cast<std::uint8_t>(head_.bias);
            shift_[c] = shifts != nullptr ? shifts[index + c] : std::uint8_t{0};
            factor_[c] = static_cast<std::int16_t>(choice_.absorbs ? 1 << shift_[c] : 1);
        }
    }

    void write_header(std::size_t panel, std::size_t h, const std::uint8_t* unit, std::size_t steps,
                      std::byte*& to) noexcept {
        if (run_header_bytes(choice_.family, choice_.finish) == 0)
            return;
        std::int32_t numbers[panel_columns];
        for (std::size_t c = 0; c < panel_columns; ++c)
            numbers[c] = choice_.family == dot_family::chain ? factor_[c] * 0x10001 : shift_[c];
        if (choice_.finish == dot_finish::real)
            std::memcpy(numbers,
                        weights_.section<float>(head_.block_scales) +
                            (panel * head_.depth_blocks() + h) * panel_columns,
                        step_bytes);
        std::memcpy(to, numbers, step_bytes);
        to += step_bytes;
        if (choice_.finish == dot_finish::real && choice_.family == dot_family::quad) {
            write_corrections(unit, steps, to);
            to += step_bytes;
        }
    }

    /// Minus the zero point times the sums of a block.
    void write_corrections(const std::uint8_t* unit, std::size_t steps, std::byte* to) noexcept {
        std::int32_t sums[panel_columns] = {};
        std::int8_t values[step_bytes];
        for (std::size_t s = 0; s < steps; ++s) {
            const std::size_t part = s % (8 / Bits);
            expand::store(values, expand::template codes<Bits>(unit, bias_, part));
            for (std::size_t i = 0; i < step_bytes; ++i)
                sums[i / step_inputs] += values[i];
            if (part + 1 == 8 / Bits)
                unit += step_bytes;
        }
        for (std::int32_t& sum : sums)
            sum *= -zero_point_;
        std::memcpy(to, sums, step_bytes);
    }

    void write_step(const typename expand::step& step, std::byte*& to) noexcept {
        if (choice_.family == dot_family::pair)
            expand::widen(step, choice_.absorbs ? factor_ : nullptr, reinterpret_cast<std::int16_t*>(to));
        else if (choice_.family == dot_family::quad && choice_.absorbs)
            expand::shift(step, factor_, reinterpret_cast<std::int8_t*>(to));
        else
            expand::store(reinterpret_cast<std::int8_t*>(to), step);
        to += operand_step_bytes(choice_.family);
    }

    const packed_weights& weights_;
    const packed_header& head_;
    const kernel_choice& choice_;
    std::int32_t zero_point_;
    std::uint8_t bias_[panel_columns] = {};
    std::uint8_t shift_[panel_columns] = {};
    std::int16_t factor_[panel_columns] = {};
};

/// Writes the operand of one panel.
template <class Arch>
void expand_panel(const packed_weights& weights, const kernel_choice& choice, std::int32_t zero_point,
                  std::size_t panel, std::byte* to) noexcept {
    switch (weights.header().bits) {
    case 2:
        panel_expander<Arch, 2>(weights, choice, zero_point)(panel, to);
        break;
    case 4:
        panel_expander<Arch, 4>(weights, choice, zero_point)(panel, to);
        break;
    default:
        panel_expander<Arch, 8>(weights, choice, zero_point)(panel, to);
    }
}

} // namespace notch::detail

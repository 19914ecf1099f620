/// @file
/// Row operands of the microkernels: one row of activations in the form of a family.
///
/// A row is copied (or widened, or flipped between uint8 and int8), each depth block padded with zeros to whole
/// steps. Rows that already have the form are used where they lie.
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
[[nodiscard]] NOTCH_INLINE std::int32_t operand_zero_point(const kernel_choice& choice,
                                                           const activation_rows& from) noexcept {
    if (choice.family == dot_family::pair) // subtracted while widening
        return 0;
    const bool wants_signed = choice.family == dot_family::quad && choice.signed_rows;
    const std::int32_t moved = wants_signed == from.is_signed ? 0 : wants_signed ? -128 : 128;
    return from.zero_point + moved;
}

/// True where rows can be read in place: bytes of the right sign side by side, all depth blocks whole steps.
[[nodiscard]] NOTCH_INLINE bool rows_in_place(const packed_header& head, const kernel_choice& choice,
                                              const activation_rows& from) noexcept {
    const bool wants_signed = choice.family == dot_family::quad && choice.signed_rows;
    return choice.family != dot_family::pair && wants_signed == from.is_signed && from.column_stride == 1 &&
           head.order == 0 && head.inputs % step_inputs == 0 && (head.blocks == 1 || head.block % step_inputs == 0);
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

} // namespace notch::detail

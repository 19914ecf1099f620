/// @file
/// Row operands of the microkernels: one row of activations in the form of a family.
///
/// A row is copied (or widened, or flipped between uint8 and int8), each depth block padded with zeros to whole
/// steps. Rows that already have the form are used where they lie.
#pragma once

#include <notch/core/config.hpp>
#include <notch/gemm/plan.hpp>

#include <algorithm>
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

/// The zero point of the row operand. Codes flipped to the other sign are larger or smaller by 128; a pair subtracts the
/// zero point while it widens.
[[nodiscard]] NOTCH_INLINE std::int32_t operand_zero_point(const kernel_choice& choice, bool is_signed,
                                                           std::int32_t zero_point) noexcept {
    if (choice.family == dot_family::pair)
        return 0;
    return zero_point + (takes_signed_rows(choice) == is_signed ? 0 : takes_signed_rows(choice) ? -128 : 128);
}

/// True where codes side by side, of whole steps, are the row operand.
[[nodiscard]] NOTCH_INLINE bool codes_in_place(const kernel_choice& choice, bool is_signed) noexcept {
    return choice.family != dot_family::pair && takes_signed_rows(choice) == is_signed;
}

/// True where rows can be read in place: bytes of the right sign side by side, all depth blocks whole steps.
[[nodiscard]] NOTCH_INLINE bool rows_in_place(const packed_header& head, const kernel_choice& choice,
                                              const activation_rows& from) noexcept {
    return codes_in_place(choice, from.is_signed) && from.column_stride == 1 && head.order == 0 &&
           head.inputs % step_inputs == 0 && (head.blocks == 1 || head.block % step_inputs == 0);
}

/// Writes codes in the form of a kernel: widened to int16 less the zero point, flipped to the other sign, or as they are.
template <class Arch> class code_writer {
    using expand = simd::expand_ops<Arch>;

public:
    code_writer(const kernel_choice& choice, bool is_signed, std::int32_t zero_point) noexcept
        : widens_(choice.family == dot_family::pair), flips_(!widens_ && takes_signed_rows(choice) != is_signed),
          is_signed_(is_signed), zero_point_(zero_point) {}

    /// Bytes of a code.
    [[nodiscard]] NOTCH_INLINE std::size_t size() const noexcept { return widens_ ? 2 : 1; }
    /// Each byte of the zero point in that form.
    [[nodiscard]] NOTCH_INLINE int zero_byte() const noexcept {
        return widens_ ? 0 : (zero_point_ & 0xff) ^ (flips_ ? 0x80 : 0);
    }
    /// Codes that lie side by side.
    NOTCH_INLINE void operator()(const std::uint8_t* codes, std::size_t count, std::byte* to) const noexcept {
        if (widens_)
            expand::widen_row(codes, count, is_signed_, zero_point_, reinterpret_cast<std::int16_t*>(to));
        else if (flips_)
            expand::flip_row(codes, count, reinterpret_cast<std::uint8_t*>(to));
        else
            std::memcpy(to, codes, count);
    }

    /// Pixels of so many codes are written by pixels().
    [[nodiscard]] NOTCH_INLINE bool writes_pixels(std::size_t count) const noexcept {
        return !widens_ && (count % 16 == 0 || count == 8);
    }
    /// Pixels of some codes: short ones would take longer to call for than to copy.
    NOTCH_INLINE void pixels(const std::uint8_t* codes, std::ptrdiff_t stride, std::size_t pixels, std::size_t count,
                             std::byte* to) const noexcept {
        if (count == 8)
            pixels_of<1>(codes, stride, pixels, count, to);
        else
            pixels_of<2>(codes, stride, pixels, count, to);
    }

private:
    /// Pixels of whole runs of 8 * Words codes.
    template <std::size_t Words>
    NOTCH_INLINE void pixels_of(const std::uint8_t* codes, std::ptrdiff_t stride, std::size_t pixels, std::size_t count,
                                std::byte* to) const noexcept {
        const std::uint64_t flip = flips_ ? 0x8080'8080'8080'8080U : 0;
        for (std::size_t x = 0; x < pixels; ++x, codes += stride)
            for (std::size_t i = 0; i < count; i += 8 * Words, to += 8 * Words) {
                std::uint64_t words[Words];
                std::memcpy(words, codes + i, 8 * Words);
                for (std::uint64_t& word : words)
                    word ^= flip;
                std::memcpy(to, words, 8 * Words);
            }
    }

    bool widens_;
    bool flips_;
    bool is_signed_;
    std::int32_t zero_point_;
};

/// Writes one row, in an order where there is one, each depth block h followed by zeros up to padded(h) codes.
template <class Arch, class Padded>
NOTCH_INLINE void copy_row(const packed_header& head, const activation_rows& from, std::size_t row,
                           const std::uint32_t* order, const code_writer<Arch>& write, const Padded& padded,
                           std::byte* to) noexcept {
    const std::uint8_t* source = from.data + static_cast<std::ptrdiff_t>(row) * from.row_stride;
    const bool gathers = order != nullptr || from.column_stride != 1;
    constexpr std::size_t piece = 256;
    std::uint8_t gathered[piece];
    for (std::size_t h = 0, first = 0; h < head.blocks; ++h) {
        const std::size_t length = head.length(h);
        for (std::size_t i = 0; i < length;) {
            const std::uint8_t* codes = source + first + i;
            const std::size_t count = gathers ? std::min(length - i, piece) : length - i;
            if (gathers) {
                for (std::size_t k = 0; k < count; ++k) {
                    const std::size_t input = order != nullptr ? order[first + i + k] : first + i + k;
                    gathered[k] = source[static_cast<std::ptrdiff_t>(input) * from.column_stride];
                }
                codes = gathered;
            }
            write(codes, count, to);
            to += count * write.size();
            i += count;
        }
        first += length;
        const std::size_t padding = (padded(h) - length) * write.size();
        std::memset(to, 0, padding);
        to += padding;
    }
}

/// Writes the operand of one row: depth blocks of whole steps.
template <class Arch>
void expand_row(const packed_header& head, const kernel_choice& choice, const activation_rows& from, std::size_t row,
                const std::uint32_t* order, std::byte* to) noexcept {
    copy_row<Arch>(
        head, from, row, order, code_writer<Arch>(choice, from.is_signed, from.zero_point),
        [&head](std::size_t h) { return head.steps(h) * step_inputs; }, to);
}

} // namespace notch::detail

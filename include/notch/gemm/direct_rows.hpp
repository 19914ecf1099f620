/// @file
/// Row operands of direct kernels: the codes of one row, and sums of them where the weights have a bias.
///
///     four codes for each step, depth blocks padded with zeros to whole units          bits < 8, or quad8
///     four upper halves of codes, four lower halves for each step                      8 bits with pairs
///     behind them, for each run: minus the sum of its codes, times a bias that all codes have       bits < 8
///
/// Where sums of depth blocks are floats and the products four bytes, the zero point is subtracted from the codes in those
/// sums; the kernels do so in the products.
/// A sum is an int32, or two int16 of the first two and the other two inputs of the steps where the products are pairs.
/// The padding of codes is read by the kernels, and multiplied by zeros.
#pragma once

#include <notch/core/config.hpp>
#include <notch/gemm/direct_plan.hpp>
#include <notch/gemm/row_operand.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>

namespace notch::detail {

/// Sums of the inputs 0, 1 and 2, 3 of some steps.
struct step_sums {
    std::int32_t front = 0;
    std::int32_t back = 0;
};

/// Sums int8 codes of an even number of steps, eight bytes at a time. The result does not depend on the byte order but
/// for the names of its two numbers, which pairs tell apart; their processors are little-endian.
[[nodiscard]] NOTCH_INLINE step_sums sum_steps(const std::byte* codes, std::size_t steps) noexcept {
    constexpr std::uint64_t every_other = 0x00ff'00ff'00ff'00ffULL;
    constexpr std::size_t most = 128; // steps: 64 * 2 * 255 < 2^16
    step_sums sums;
    for (std::size_t s = 0; s < steps;) {
        const std::size_t end = std::min(steps, s + most);
        const auto count = static_cast<std::int32_t>(end - s);
        std::uint64_t words = 0;
        for (; s < end; s += 2) {
            std::uint64_t eight = 0;
            std::memcpy(&eight, codes + s * step_inputs, 8);
            eight ^= 0x8080'8080'8080'8080ULL; // code + 128
            words += (eight & every_other) + (eight >> 8 & every_other);
        }
        sums.front += static_cast<std::int32_t>((words & 0xffff) + (words >> 32 & 0xffff)) - 256 * count;
        sums.back += static_cast<std::int32_t>((words >> 16 & 0xffff) + (words >> 48)) - 256 * count;
    }
    return sums;
}

/// Writes the operands of rows.
template <class Arch> class direct_row_maker {
    using ops = simd::int_ops<Arch>;

public:
    /// `zero`: what is subtracted from each code in the sums.
    NOTCH_INLINE direct_row_maker(const packed_header& head, const kernel_choice& choice, const activation_rows& from,
                                  const std::uint32_t* order, std::int32_t zero) noexcept
        : head_(head), from_(from), order_(order), zero_(zero), layout_(lay_out_direct(ops::has_quad8, head)),
          write_(choice, from.is_signed, from.zero_point) {}

    /// Writes the operand of one row.
    void operator()(std::size_t row, std::byte* to) const noexcept {
        const bool halves = direct_halves(ops::has_quad8, head_.bits);
        std::byte* const sums = to + layout_.sums_at;
        copy_row<Arch>(
            head_, from_, row, order_, write_,
            [this](std::size_t h) { return head_.code_bytes(h) / step_bytes * head_.unit_steps() * step_inputs; },
            halves ? to + layout_.sums_at / 2 : to);
        if (halves)
            split(to, layout_.sums_at / 2);
        if (head_.bits < 8)
            write_sums(to, sums);
    }

private:
    /// Cuts `count` codes that stand at to + count into halves.
    static NOTCH_INLINE void split(std::byte* to, std::size_t count) noexcept {
        constexpr std::uint32_t low = 0x0f0f'0f0fU;
        for (std::size_t i = 0; i < count; i += 4) {
            std::uint32_t four = 0;
            std::memcpy(&four, to + count + i, 4);
            const std::uint32_t parts[] = {four >> 4 & low, four & low};
            std::memcpy(to + 2 * i, parts, 8);
        }
    }

    NOTCH_INLINE void write_sums(const std::byte* codes, std::byte* to) const noexcept {
        const std::uint32_t factor = 0U - (head_.biases != 0 ? 1U : head_.bias);
        for (std::size_t h = 0; h < layout_.blocks; ++h) {
            const std::size_t end = layout_.units_of(h);
            for (std::size_t unit = 0; unit < end; unit += layout_.run_units) {
                const std::size_t steps = std::min(layout_.run_units, end - unit) * head_.unit_steps();
                const step_sums sums = sum_steps(codes, steps);
                if constexpr (ops::has_quad8) {
                    const std::uint32_t zeros =
                        static_cast<std::uint32_t>(zero_) * static_cast<std::uint32_t>(steps * step_inputs);
                    const std::uint32_t sum = factor * (static_cast<std::uint32_t>(sums.front + sums.back) - zeros);
                    std::memcpy(to, &sum, 4);
                } else {
                    const std::uint16_t both[] = {
                        static_cast<std::uint16_t>(factor * static_cast<std::uint32_t>(sums.front)),
                        static_cast<std::uint16_t>(factor * static_cast<std::uint32_t>(sums.back))};
                    std::memcpy(to, both, 4);
                }
                codes += steps * step_inputs;
                to += 4;
            }
        }
    }

    const packed_header& head_;
    const activation_rows& from_;
    const std::uint32_t* order_;
    std::int32_t zero_;
    direct_layout layout_;
    code_writer<Arch> write_;
};

} // namespace notch::detail

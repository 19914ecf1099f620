/// @file
/// Panel operands of the microkernels: sixteen outputs as a stream of steps, with the headers of runs in front of them.
///
/// A panel is expanded once for all rows of a task: codes become int8 or int16, biases are subtracted, and exponents are
/// multiplied in where a family absorbs them. Panels that already have the form are used where they lie.
#pragma once

#include <notch/core/config.hpp>
#include <notch/gemm/packed_pointer.hpp>
#include <notch/gemm/plan.hpp>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <utility>

namespace notch::detail {

/// True where the packed bytes of a panel are its operand.
[[nodiscard]] NOTCH_INLINE bool panels_in_place(const packed_header& head, const kernel_choice& choice) noexcept {
    return head.bits == 8 && choice.family == dot_family::quad && choice.finish == dot_finish::once && !choice.absorbs;
}

/// What becomes of the values of a step.
enum class operand_form { bytes, shifted_bytes, words, shifted_words };

/// The form that a kernel takes.
[[nodiscard]] NOTCH_INLINE constexpr operand_form form_of(const kernel_choice& choice) noexcept {
    if (choice.family == dot_family::pair)
        return choice.absorbs ? operand_form::shifted_words : operand_form::words;
    return choice.family == dot_family::quad && choice.absorbs ? operand_form::shifted_bytes : operand_form::bytes;
}

/// Expands steps of panels.
template <class Arch, int Bits, operand_form Form> class step_expander {
    using expand = simd::expand_ops<Arch>;
    static constexpr std::size_t per_unit = 8 / Bits;
    static constexpr std::size_t size =
        Form == operand_form::words || Form == operand_form::shifted_words ? 2 * step_bytes : step_bytes;

public:
    NOTCH_INLINE step_expander(const std::uint8_t* biases, const std::int16_t* factors) noexcept
        : biases_(biases), factors_(factors) {}

    /// Expands steps from the beginning of a unit on; moves `unit` behind the last unit that it touched.
    NOTCH_INLINE void operator()(const std::uint8_t*& unit, std::size_t steps, std::byte*& to) const noexcept {
        for (; steps >= per_unit; steps -= per_unit, unit += step_bytes)
            parts(unit, per_unit, to, std::make_index_sequence<per_unit>());
        if (steps != 0) {
            parts(unit, steps, to, std::make_index_sequence<per_unit>());
            unit += step_bytes;
        }
    }

private:
    template <std::size_t... Parts>
    NOTCH_INLINE void parts(const std::uint8_t* unit, std::size_t count, std::byte*& to,
                            std::index_sequence<Parts...>) const noexcept {
        (part<Parts>(unit, count, to), ...);
    }
    template <std::size_t Part>
    NOTCH_INLINE void part(const std::uint8_t* unit, std::size_t count, std::byte*& to) const noexcept {
        if (Part >= count)
            return;
        const auto step = expand::template codes<Bits, static_cast<int>(Part)>(unit, biases_);
        if constexpr (Form == operand_form::bytes)
            expand::store(reinterpret_cast<std::int8_t*>(to), step);
        else if constexpr (Form == operand_form::shifted_bytes)
            expand::shift(step, factors_, reinterpret_cast<std::int8_t*>(to));
        else if constexpr (Form == operand_form::words)
            expand::widen(step, reinterpret_cast<std::int16_t*>(to));
        else
            expand::widen(step, factors_, reinterpret_cast<std::int16_t*>(to));
        to += size;
    }

    typename expand::biases biases_;
    typename expand::factors factors_;
};

/// Expands panels of one product.
template <class Arch, int Bits, operand_form Form> class panel_expander {
public:
    panel_expander(packed_pointer weights, const kernel_choice& choice, std::int32_t zero_point) noexcept
        : weights_(weights), head_(weights.header()), choice_(choice), zero_point_(zero_point) {}

    /// Writes the operand of one panel.
    void operator()(std::size_t panel, std::byte* to) noexcept {
        const auto* unit = weights_.section<std::uint8_t>(head_.codes) + panel * head_.panel_bytes();
        const std::size_t header = run_header_bytes(choice_.family, choice_.finish);
        for (std::size_t h = 0; h < head_.depth_blocks(); ++h) {
            const std::size_t steps = head_.steps(h % head_.blocks);
            if (h == 0 || varies())
                enter(panel, h);
            const step_expander<Arch, Bits, Form> expand_steps(bias_, factor_);
            const std::size_t run = choice_.longest_run == 0 ? steps : choice_.longest_run;
            for (std::size_t left = steps; left > 0;) {
                const std::size_t count = std::min(left, run);
                if (header != 0)
                    write_header(panel, h, unit, count, to);
                expand_steps(unit, count, to);
                left -= count;
            }
        }
    }

private:
    [[nodiscard]] bool varies() const noexcept { return head_.biases != 0 || head_.block_shifts != 0; }

    /// Reads the biases and shifts of a depth block.
    void enter(std::size_t panel, std::size_t h) noexcept {
        const std::size_t index = (panel * head_.depth_blocks() + h) * panel_columns;
        const auto* biases = weights_.section<std::uint8_t>(head_.biases);
        const auto* shifts = weights_.section<std::uint8_t>(head_.block_shifts);
        if (biases != nullptr)
            std::memcpy(bias_, biases + index, panel_columns);
        else
            std::memset(bias_, static_cast<int>(head_.bias), panel_columns);
        if (shifts != nullptr)
            std::memcpy(shift_, shifts + index, panel_columns);
        for (std::size_t c = 0; c < panel_columns; ++c)
            factor_[c] = static_cast<std::int16_t>(choice_.absorbs ? 1 << shift_[c] : 1);
    }

    NOTCH_INLINE void write_header(std::size_t panel, std::size_t h, const std::uint8_t* unit, std::size_t steps,
                                   std::byte*& to) noexcept {
        std::int32_t numbers[panel_columns];
        if (choice_.finish == dot_finish::real)
            std::memcpy(numbers,
                        weights_.section<float>(head_.block_scales) +
                            (panel * head_.depth_blocks() + h) * panel_columns,
                        step_bytes);
        else
            for (std::size_t c = 0; c < panel_columns; ++c)
                numbers[c] = choice_.family == dot_family::chain ? factor_[c] * 0x10001 : shift_[c];
        std::memcpy(to, numbers, step_bytes);
        to += step_bytes;
        if (choice_.finish == dot_finish::real && choice_.family == dot_family::quad)
            write_corrections(unit, steps, to);
    }

    /// Minus the zero point times the sums of a run.
    void write_corrections(const std::uint8_t* unit, std::size_t steps, std::byte*& to) noexcept {
        std::int32_t sums[panel_columns] = {};
        std::byte values[step_bytes * (8 / Bits)];
        const step_expander<Arch, Bits, operand_form::bytes> expand_steps(bias_, factor_);
        for (std::size_t s = 0; s < steps; s += 8 / Bits) {
            const std::size_t count = std::min<std::size_t>(8 / Bits, steps - s);
            std::byte* end = values;
            expand_steps(unit, count, end);
            for (std::size_t i = 0; i < count * step_bytes; ++i)
                sums[i % step_bytes / step_inputs] += static_cast<std::int8_t>(values[i]);
        }
        for (std::int32_t& sum : sums)
            sum *= -zero_point_;
        std::memcpy(to, sums, step_bytes);
        to += step_bytes;
    }

    packed_pointer weights_;
    const packed_header& head_;
    const kernel_choice& choice_;
    std::int32_t zero_point_;
    std::uint8_t bias_[panel_columns] = {};
    std::uint8_t shift_[panel_columns] = {};
    std::int16_t factor_[panel_columns] = {};
};

template <class Arch, int Bits>
void expand_panel_of(packed_pointer weights, const kernel_choice& choice, std::int32_t zero_point, std::size_t panel,
                     std::byte* to) noexcept {
    switch (form_of(choice)) {
    case operand_form::bytes:
        panel_expander<Arch, Bits, operand_form::bytes>(weights, choice, zero_point)(panel, to);
        break;
    case operand_form::shifted_bytes:
        panel_expander<Arch, Bits, operand_form::shifted_bytes>(weights, choice, zero_point)(panel, to);
        break;
    case operand_form::words:
        panel_expander<Arch, Bits, operand_form::words>(weights, choice, zero_point)(panel, to);
        break;
    default:
        panel_expander<Arch, Bits, operand_form::shifted_words>(weights, choice, zero_point)(panel, to);
    }
}

/// Writes the operand of one panel.
template <class Arch>
void expand_panel(packed_pointer weights, const kernel_choice& choice, std::int32_t zero_point, std::size_t panel,
                  std::byte* to) noexcept {
    switch (weights.header().bits) {
    case 2:
        expand_panel_of<Arch, 2>(weights, choice, zero_point, panel, to);
        break;
    case 4:
        expand_panel_of<Arch, 4>(weights, choice, zero_point, panel, to);
        break;
    default:
        expand_panel_of<Arch, 8>(weights, choice, zero_point, panel, to);
    }
}

} // namespace notch::detail

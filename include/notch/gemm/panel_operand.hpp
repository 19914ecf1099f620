/// @file
/// Panel operands of the microkernels: sixteen outputs as a stream of steps, with the headers of runs in front of them.
///
/// A part of a panel is expanded once for a block of rows: codes become int8 or int16, biases are subtracted, and exponents are
/// multiplied in where a family absorbs them. Panels that already have the form are used where they lie.
#pragma once

#include <notch/core/config.hpp>
#include <notch/gemm/packed_pointer.hpp>
#include <notch/gemm/plan.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <type_traits>
#include <utility>

namespace notch::detail {

/// What becomes of the values of a step.
enum class operand_form { bytes, shifted_bytes, words, shifted_words };

/// The form that a kernel takes.
[[nodiscard]] NOTCH_INLINE constexpr operand_form form_of(const kernel_choice& choice) noexcept {
    if (choice.family == dot_family::pair)
        return choice.absorbs ? operand_form::shifted_words : operand_form::words;
    return choice.family == dot_family::quad && choice.absorbs ? operand_form::shifted_bytes : operand_form::bytes;
}

/// How far a panel has been expanded.
struct panel_position {
    std::size_t block = 0;               ///< depth block of all terms
    std::size_t step = 0;                ///< of the block
    const std::uint8_t* codes = nullptr; ///< of the block
};

/// Expands steps of panels, for one depth block.
template <class Arch, int Bits, operand_form Form> class step_expander {
    using expand = simd::expand_ops<Arch>;
    static constexpr std::size_t per_unit = 8 / Bits;
    static constexpr bool shifts_words = Form == operand_form::shifted_words;

public:
    /// Bytes of an operand step.
    static constexpr std::size_t size =
        Form == operand_form::words || Form == operand_form::shifted_words ? 2 * step_bytes : step_bytes;

    /// Sixteen biases, sixteen shifts.
    NOTCH_INLINE step_expander(const std::uint8_t* biases, const std::uint8_t* shifts) noexcept
        : numbers_(make(biases, shifts)), factors_(shifts) {}

    /// Expands steps from step `at` of a panel of codes on.
    NOTCH_INLINE void operator()(const std::uint8_t* panel, std::size_t at, std::size_t steps,
                                 std::byte* to) const noexcept {
        const std::uint8_t* unit = panel + at / per_unit * step_bytes;
        std::size_t part = at % per_unit;
        for (; steps != 0 && part != 0; --steps, to += size) {
            some(unit, part, part + 1, to, std::make_index_sequence<per_unit>());
            part = (part + 1) % per_unit;
            unit += part == 0 ? step_bytes : 0;
        }
        for (; steps >= per_unit; steps -= per_unit, unit += step_bytes, to += per_unit * size) {
            prefetch_codes(reinterpret_cast<const std::byte*>(unit));
            all(unit, to, std::make_index_sequence<per_unit>());
        }
        if (steps != 0)
            some(unit, 0, steps, to, std::make_index_sequence<per_unit>());
    }

private:
    static NOTCH_INLINE auto make(const std::uint8_t* biases, const std::uint8_t* shifts) noexcept {
        if constexpr (Form == operand_form::shifted_bytes)
            return typename expand::template scaling<Bits>(biases, shifts);
        else
            return typename expand::biases(biases);
    }
    /// Factors of sixteen outputs, or nothing.
    struct word_factors {
        typename expand::factors value;
        NOTCH_INLINE explicit word_factors(const std::uint8_t* shifts) noexcept : value(powers(shifts).value) {}
        struct powers {
            alignas(32) std::int16_t value[panel_columns];
            NOTCH_INLINE explicit powers(const std::uint8_t* shifts) noexcept {
                for (std::size_t c = 0; c < panel_columns; ++c)
                    value[c] = static_cast<std::int16_t>(1 << shifts[c]);
            }
        };
    };
    struct no_factors {
        NOTCH_INLINE explicit no_factors(const std::uint8_t* /*shifts*/) noexcept {}
    };

    /// All steps of a unit.
    template <std::size_t... Parts>
    NOTCH_INLINE void all(const std::uint8_t* unit, std::byte* to, std::index_sequence<Parts...>) const noexcept {
        (one<Parts>(unit, to + Parts * size), ...);
    }
    /// Steps begin <= step < end of a unit.
    template <std::size_t... Parts>
    NOTCH_INLINE void some(const std::uint8_t* unit, std::size_t begin, std::size_t end, std::byte* to,
                           std::index_sequence<Parts...>) const noexcept {
        ((Parts >= begin && Parts < end ? one<Parts>(unit, to + (Parts - begin) * size) : void()), ...);
    }
    template <std::size_t Part> NOTCH_INLINE void one(const std::uint8_t* unit, std::byte* to) const noexcept {
        const auto step = expand::template codes<Bits, static_cast<int>(Part)>(unit, numbers_);
        if constexpr (Form == operand_form::bytes || Form == operand_form::shifted_bytes)
            expand::store(reinterpret_cast<std::int8_t*>(to), step);
        else if constexpr (Form == operand_form::words)
            expand::widen(step, reinterpret_cast<std::int16_t*>(to));
        else
            expand::widen(step, factors_.value, reinterpret_cast<std::int16_t*>(to));
    }

    decltype(make(nullptr, nullptr)) numbers_;
    [[no_unique_address]] std::conditional_t<shifts_words, word_factors, no_factors> factors_;
};

/// Expands panels of one product.
template <class Arch, int Bits, operand_form Form> class panel_expander {
public:
    panel_expander(packed_pointer weights, const kernel_choice& choice, std::int32_t zero_point) noexcept
        : weights_(weights), head_(weights.header()), choice_(choice), zero_point_(zero_point) {
        if (head_.biases == 0)
            std::memset(bias_, static_cast<int>(head_.bias), panel_columns);
    }

    /// Where a panel begins.
    [[nodiscard]] panel_position begin(std::size_t panel) const noexcept {
        return {0, 0, weights_.section<std::uint8_t>(head_.codes) + panel * head_.panel_bytes()};
    }

    /// Writes the operand of some segments of one panel and moves the position on.
    void operator()(std::size_t panel, panel_position& position, const row_segment* segments, std::size_t count,
                    std::byte* to) noexcept {
        panel_position at = position; // in registers, whatever `to` may point to
        const std::size_t header = run_header_bytes(choice_.family, choice_.finish);
        const row_segment* const end = segments + count;
        std::size_t left = segments->steps; // of the segment
        while (segments != end) {
            enter(panel, at.block);
            const step_expander<Arch, Bits, Form> expand_steps(biases_, shifts_);
            const std::size_t block_steps = head_.steps(at.block);
            while (segments != end && at.step < block_steps) {
                std::byte* corrections = nullptr;
                if (header != 0 && segments->begins && left == segments->steps)
                    corrections = write_header(panel, at, segments, to);
                const std::size_t steps = std::min(left, block_steps - at.step);
                expand_steps(at.codes, at.step, steps, to);
                if constexpr (simd::int_ops<Arch>::has_quad8 && Form == operand_form::bytes)
                    if (corrections != nullptr)
                        write_corrections(to, steps, corrections);
                to += steps * step_expander<Arch, Bits, Form>::size;
                at.step += steps;
                left -= steps;
                if (left == 0 && ++segments != end)
                    left = segments->steps;
            }
            if (at.step == block_steps) {
                at.codes += ceil_div(block_steps, std::size_t{8 / Bits}) * step_bytes;
                at.step = 0;
                ++at.block;
            }
        }
        position = at;
    }

private:
    /// Finds the biases and shifts of a depth block.
    NOTCH_INLINE void enter(std::size_t panel, std::size_t h) noexcept {
        static constexpr std::uint8_t zeros[panel_columns] = {};
        const std::size_t index = (panel * head_.depth_blocks() + h) * panel_columns;
        biases_ = head_.biases != 0 ? weights_.section<std::uint8_t>(head_.biases) + index : bias_;
        shifts_ = head_.block_shifts != 0 ? weights_.section<std::uint8_t>(head_.block_shifts) + index : zeros;
    }

    /// Writes the header of a run that begins at a position. Returns where corrections are missing: those of a run of one
    /// segment, which are summed when it has been expanded.
    NOTCH_INLINE std::byte* write_header(std::size_t panel, const panel_position& at, const row_segment* run,
                                         std::byte*& to) noexcept {
        if (choice_.finish == dot_finish::real) {
            std::memcpy(to,
                        weights_.section<float>(head_.block_scales) +
                            (panel * head_.depth_blocks() + at.block) * panel_columns,
                        step_bytes);
        } else {
            std::int32_t numbers[panel_columns];
            const bool multiplies = choice_.family == dot_family::chain;
            for (std::size_t c = 0; c < panel_columns; ++c)
                numbers[c] = !multiplies ? shifts_[c] : choice_.absorbs ? 0x10001 << shifts_[c] : 0x10001;
            std::memcpy(to, numbers, step_bytes);
        }
        to += step_bytes;
        if (choice_.finish != dot_finish::real || choice_.family != dot_family::quad)
            return nullptr;
        std::byte* const corrections = to;
        to += step_bytes;
        if (run->ends)
            return corrections;
        if constexpr (simd::int_ops<Arch>::has_quad8) {
            std::size_t steps = run->steps;
            while (!run->ends)
                steps += (++run)->steps;
            const step_expander<Arch, Bits, operand_form::bytes> expand_steps(biases_, shifts_);
            value_totals totals;
            for (std::size_t s = 0; s < steps; ++s) {
                alignas(64) std::byte values[step_bytes];
                expand_steps(at.codes, at.step + s, 1, values);
                totals.add(values);
            }
            totals.store(corrections, -zero_point_);
        }
        return nullptr;
    }

    /// Sums of the values of steps.
    struct value_totals {
        using ops = simd::int_ops<Arch>;
        typename ops::reg sums[ops::count];
        NOTCH_INLINE value_totals() noexcept {
            for (auto& sum : sums)
                sum = ops::zero();
        }
        NOTCH_INLINE void add(const std::byte* values) noexcept {
            constexpr std::uint32_t ones = 0x0101'0101U;
            for (std::size_t v = 0; v < ops::count; ++v)
                sums[v] = ops::quad8(sums[v], ops::repeat4(&ones), ops::load(values + v * ops::bytes));
        }
        NOTCH_INLINE void store(std::byte* to, std::int32_t factor) const noexcept {
            for (std::size_t v = 0; v < ops::count; ++v)
                ops::store(to + v * ops::bytes, ops::multiply32(sums[v], ops::repeat4(&factor)));
        }
    };

    /// Minus the zero point times the sums of some steps, which have been expanded.
    NOTCH_INLINE void write_corrections(const std::byte* values, std::size_t steps, std::byte* to) const noexcept {
        value_totals totals;
        for (std::size_t s = 0; s < steps && zero_point_ != 0; ++s)
            totals.add(values + s * step_bytes);
        totals.store(to, -zero_point_);
    }

    packed_pointer weights_;
    const packed_header& head_;
    const kernel_choice& choice_;
    std::int32_t zero_point_;
    const std::uint8_t* biases_ = nullptr; ///< of the depth block
    const std::uint8_t* shifts_ = nullptr; ///< of the depth block
    std::uint8_t bias_[panel_columns] = {};
};

template <class Arch, int Bits>
void expand_panel_of(packed_pointer weights, const kernel_choice& choice, std::int32_t zero_point, std::size_t panel,
                     panel_position& position, const row_segment* segments, std::size_t count, std::byte* to) noexcept {
    const auto expand = [&]<operand_form Form>(std::integral_constant<operand_form, Form>) {
        panel_expander<Arch, Bits, Form> expander(weights, choice, zero_point);
        if (position.codes == nullptr)
            position = expander.begin(panel);
        expander(panel, position, segments, count, to);
    };
    switch (form_of(choice)) {
    case operand_form::bytes:
        return expand(std::integral_constant<operand_form, operand_form::bytes>());
    case operand_form::shifted_bytes:
        if constexpr (simd::int_ops<Arch>::has_quad8)
            expand(std::integral_constant<operand_form, operand_form::shifted_bytes>());
        return;
    case operand_form::words:
        return expand(std::integral_constant<operand_form, operand_form::words>());
    default:
        return expand(std::integral_constant<operand_form, operand_form::shifted_words>());
    }
}

/// Writes the operand of some segments of one panel. The position is where the last call left it; one without codes is
/// the beginning.
template <class Arch>
void expand_panel(packed_pointer weights, const kernel_choice& choice, std::int32_t zero_point, std::size_t panel,
                  panel_position& position, const row_segment* segments, std::size_t count, std::byte* to) noexcept {
    switch (weights.header().bits) {
    case 2:
        return expand_panel_of<Arch, 2>(weights, choice, zero_point, panel, position, segments, count, to);
    case 4:
        return expand_panel_of<Arch, 4>(weights, choice, zero_point, panel, position, segments, count, to);
    default:
        return expand_panel_of<Arch, 8>(weights, choice, zero_point, panel, position, segments, count, to);
    }
}

} // namespace notch::detail

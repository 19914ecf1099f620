/// @file
/// Reals of a run to codes.
///
///     dst[i] = clamp(round(float(x[i] * inverse)) + zero, lowest, highest)
///
/// `inverse` is the double 1 / scale. For a scale that is a float, a float times that double, rounded to
/// float, equals the correctly rounded float quotient x / scale wherever that quotient is a normal
/// number (proof in docs/numerics.md), which is what ONNX QuantizeLinear computes; unlike a division it
/// survives -ffast-math. For a scale of more bits (q31) the product is the definition. Where the scale is a power of two the product is exact in float and the kernels
/// multiply floats. The clamp comes first, at the codes minus the zero point: these are integers, on
/// which every rounding rule is the identity, so the order makes no difference, and what is rounded is small.
///
/// The text is written once over a lane of floats (elementwise_contract.hpp). Non-finite values are
/// noticed from their bits and reported by the return value; the codes of such a run mean nothing.
///
/// Memory is read 2 KiB ahead of its use: the hardware prefetcher alone stops at every page, and the
/// kernels spend so few cycles on a cache line that the stop shows.
#pragma once

#include <notch/core/bits.hpp>
#include <notch/core/config.hpp>
#include <notch/core/int_math.hpp>
#include <notch/core/random.hpp>
#include <notch/core/rounding.hpp>
#include <notch/simd/arch.hpp>
#include <notch/simd/elementwise_isa.hpp>

#include <array>
#include <bit>
#include <concepts>
#include <cstddef>
#include <cstdint>

namespace notch::simd {

/// The numbers that turn a real into a code, prepared once per block.
struct quantize_step {
    double inverse = 1;          ///< 1 / scale
    float single_inverse = 1;    ///< the same as a float, where is_single
    bool is_single = true;       ///< 1 / scale is a power of two: float products are exact
    float lowest = 0;            ///< lowest code minus zero point
    float highest = 0;           ///< highest code minus zero point
    std::int32_t zero_point = 0; ///< code of 0

    /// Prepares a step. Precondition: 2^-100 <= scale <= 2^119.
    [[nodiscard]] NOTCH_INLINE static constexpr quantize_step of(double scale, std::int32_t zero_point,
                                                                 code_range codes) noexcept {
        const double inverse = detail::as_computed(1.0 / detail::as_computed(scale));
        return {inverse,
                static_cast<float>(inverse),
                is_power_of_two(scale),
                static_cast<float>(codes.lowest - zero_point),
                static_cast<float>(codes.highest - zero_point),
                zero_point};
    }
};

/// The steps of consecutive elements, each number in an array of its own: what quantize_run_varying reads fastest.
struct step_arrays {
    const double* inverse = nullptr;          ///< 1 / scale
    const float* lowest = nullptr;            ///< lowest code minus zero point
    const float* highest = nullptr;           ///< highest code minus zero point
    const std::int32_t* zero_point = nullptr; ///< code of 0
};

namespace detail {

/// One element up to the rounding: the scaled value, clamped to the codes.
NOTCH_INLINE float scaled_and_clamped(float x, double inverse, float lowest, float highest) noexcept {
    const auto scaled = static_cast<float>(static_cast<double>(x) * inverse);
    const float above = scaled > lowest ? scaled : lowest;
    return above < highest ? above : highest;
}

/// The step of element i, where all elements share one.
NOTCH_INLINE const quantize_step& step_of(const quantize_step& step, std::size_t) noexcept { return step; }

/// The step of element i, where each has its own.
NOTCH_INLINE quantize_step step_of(const step_arrays& steps, std::size_t i) noexcept {
    return {.inverse = steps.inverse[i],
            .lowest = steps.lowest[i],
            .highest = steps.highest[i],
            .zero_point = steps.zero_point[i]};
}

/// The scalar definition of every run: element i becomes a code by round(scaled value, i). Returns false where an
/// element is not finite.
template <class Code, class Steps, class Round>
NOTCH_INLINE bool quantize_elements(const float* x, std::size_t count, const Steps& steps, Code* dst,
                                    const Round& round) noexcept {
    std::uint32_t largest = 0;
    for (std::size_t i = 0; i < count; ++i) {
        const std::uint32_t magnitude = std::bit_cast<std::uint32_t>(x[i]) & 0x7fff'ffffU;
        largest = magnitude > largest ? magnitude : largest;
        const auto& step = step_of(steps, i);
        const float rounded = round(scaled_and_clamped(x[i], step.inverse, step.lowest, step.highest), i);
        dst[i] = static_cast<Code>(static_cast<std::int32_t>(rounded) + step.zero_point);
    }
    return largest < 0x7f80'0000U;
}

/// The same under a rule that takes the scaled value alone.
template <class Rounding, class Code, class Steps>
NOTCH_INLINE bool quantize_elements(const float* x, std::size_t count, const Steps& steps, Code* dst) noexcept {
    return quantize_elements(x, count, steps, dst,
                             [](float scaled, std::size_t) NOTCH_LAMBDA_INLINE { return Rounding::round(scaled); });
}

/// A rounding rule whose text also takes the lanes of an instruction set.
template <class Rounding, class Arch>
concept rounds_lanes = requires(typename elementwise<Arch>::lane x) {
    { Rounding::round(x) } -> std::same_as<typename elementwise<Arch>::lane>;
};

/// quantize_run by lanes. Precondition: count >= width.
template <class Arch, class Rounding, bool Single, class Code>
NOTCH_INLINE bool quantize_lanes(const float* x, std::size_t count, const quantize_step& step, Code* dst,
                                 write_path path) noexcept {
    using ops = elementwise<Arch>;
    using lane = typename ops::lane;
    constexpr std::size_t width = ops::width;
    constexpr std::size_t ahead = 512;
    const lane lowest(step.lowest);
    const lane highest(step.highest);
    const typename ops::factor inverse(step.inverse, step.single_inverse);
    const std::int32_t zero = step.zero_point;
    auto watch = ops::watch();
    const auto code = [&](const float* from) NOTCH_LAMBDA_INLINE {
        const lane value = ops::load(from);
        watch.see(value);
        const lane scaled = Single ? inverse.times_single(value) : inverse.times_double(from);
        return Rounding::round(ops::clamp(scaled, lowest, highest));
    };
    const auto prefetch = [&](std::size_t i) NOTCH_LAMBDA_INLINE {
        for (std::size_t line = 0; line < 4 * width; line += 16)
            ops::prefetch(x, (i + ahead + line) * sizeof(float));
    };
    std::size_t i = 0;
    bool finite = true;
    if constexpr (requires { ops::alignment; })
        if (path == write_path::past_caches) {
            while (i < count && reinterpret_cast<std::uintptr_t>(dst + i) % ops::alignment != 0)
                ++i;
            finite = quantize_elements<Rounding>(x, i, step, dst);
            for (; i + 4 * width <= count; i += 4 * width) {
                prefetch(i);
                ops::stream(dst + i, zero, code(x + i), code(x + i + width), code(x + i + 2 * width),
                            code(x + i + 3 * width));
            }
            ops::fence();
        }
    for (; i + 4 * width <= count; i += 4 * width) {
        prefetch(i);
        ops::store(dst + i, zero, code(x + i), code(x + i + width), code(x + i + 2 * width), code(x + i + 3 * width));
    }
    for (; i + width <= count; i += width)
        ops::store(dst + i, zero, code(x + i));
    if (i < count) // the last lane overlaps the one before
        ops::store(dst + count - width, zero, code(x + count - width));
    return watch.all_finite() && finite;
}

/// quantize_run_varying by lanes. Precondition: count >= width.
template <class Arch, class Rounding, class Code>
NOTCH_INLINE bool quantize_lanes_varying(const float* x, std::size_t count, const step_arrays& steps,
                                         Code* dst) noexcept {
    using ops = elementwise<Arch>;
    using lane = typename ops::lane;
    constexpr std::size_t width = ops::width;
    auto watch = ops::watch();
    const auto quantize_at = [&](std::size_t i) NOTCH_LAMBDA_INLINE {
        const lane value = ops::load(x + i);
        watch.see(value);
        const lane scaled = ops::times_each(x + i, steps.inverse + i);
        const lane clamped = ops::clamp(scaled, ops::load(steps.lowest + i), ops::load(steps.highest + i));
        ops::store_each(dst + i, steps.zero_point + i, Rounding::round(clamped));
    };
    std::size_t i = 0;
    for (; i + width <= count; i += width)
        quantize_at(i);
    if (i < count)
        quantize_at(count - width); // overlaps the one before
    return watch.all_finite();
}

} // namespace detail

/// Codes of `count` elements that share a scale. Returns false where one of them is NaN or infinite;
/// `dst` then holds no meaningful codes. Preconditions: the code type holds every code of the step.
template <class Arch, class Rounding, class Code>
[[nodiscard]] bool quantize_run(const float* x, std::size_t count, const quantize_step& step, Code* dst,
                                write_path path = write_path::through_caches) noexcept {
    using ops = elementwise<Arch>;
    if constexpr (ops::width > 1) {
        if constexpr (detail::rounds_lanes<Rounding, Arch>)
            if (count >= ops::width)
                return step.is_single ? detail::quantize_lanes<Arch, Rounding, true>(x, count, step, dst, path)
                                      : detail::quantize_lanes<Arch, Rounding, false>(x, count, step, dst, path);
        if constexpr (requires { typename ops::shorter; }) {
            // Inlined: a quantize_run of the shorter tag would be a symbol that units without the wider flags have too.
            using shorter = typename ops::shorter;
            if constexpr (detail::rounds_lanes<Rounding, shorter>)
                if (count >= elementwise<shorter>::width)
                    return step.is_single ? detail::quantize_lanes<shorter, Rounding, true>(x, count, step, dst, path)
                                          : detail::quantize_lanes<shorter, Rounding, false>(x, count, step, dst, path);
        }
    }
    return detail::quantize_elements<Rounding>(x, count, step, dst);
}

/// Codes of `count` elements under a rule that takes random bits: element i uses counter_random(seed, first + i).
template <class Arch, class Rounding, class Code>
[[nodiscard]] bool quantize_run_random(const float* x, std::size_t count, const quantize_step& step, std::uint64_t seed,
                                       std::uint64_t first, Code* dst) noexcept {
    return detail::quantize_elements(x, count, step, dst,
                                     [seed, first](float scaled, std::size_t i) NOTCH_LAMBDA_INLINE {
                                         return Rounding::round(scaled, counter_random(seed, first + i));
                                     });
}

/// Codes of `count` elements that each have a step of their own (a scale per index of the last axis).
template <class Arch, class Rounding, class Code>
[[nodiscard]] bool quantize_run_varying(const float* x, std::size_t count, const step_arrays& steps,
                                        Code* dst) noexcept {
    using ops = elementwise<Arch>;
    if constexpr (ops::width > 1)
        if constexpr (detail::rounds_lanes<Rounding, Arch>)
            if (count >= ops::width)
                return detail::quantize_lanes_varying<Arch, Rounding>(x, count, steps, dst);
    return detail::quantize_elements<Rounding>(x, count, steps, dst);
}

/// The same where the steps lie one after another; they are taken apart on the way, 64 at a time.
template <class Arch, class Rounding, class Code>
[[nodiscard]] bool quantize_run_varying(const float* x, std::size_t count, const quantize_step* steps,
                                        Code* dst) noexcept {
    constexpr std::size_t most = 64;
    std::array<double, most> inverse;
    std::array<float, most> lowest;
    std::array<float, most> highest;
    std::array<std::int32_t, most> zero_point;
    bool finite = true;
    for (std::size_t from = 0; from < count; from += most) {
        const std::size_t length = count - from < most ? count - from : most;
        for (std::size_t i = 0; i < length; ++i) {
            const quantize_step& step = steps[from + i];
            // One number at a time: gcc 12 would make shuffles of this loop, which take three times as long.
            inverse[i] = detail::as_computed(step.inverse);
            lowest[i] = step.lowest;
            highest[i] = step.highest;
            zero_point[i] = step.zero_point;
        }
        const step_arrays apart{inverse.data(), lowest.data(), highest.data(), zero_point.data()};
        finite = quantize_run_varying<Arch, Rounding>(x + from, length, apart, dst + from) && finite;
    }
    return finite;
}

} // namespace notch::simd

/// @file
/// Quantizing and dequantizing a run of elements that share one scale: the elementwise kernels.
///
///     quantize_run     dst[i] = clamp(round(float(x[i] * inverse)) + zero, lowest, highest)
///     dequantize_run   dst[i] = float(scale * (code[i] - zero))
///
/// `inverse` is the double 1 / scale. A float times that double, rounded to float, equals the
/// correctly rounded float quotient x / scale (proof in docs/numerics.md), which is what ONNX
/// QuantizeLinear computes; unlike a division it survives -ffast-math. Where the scale is a power of
/// two the product is exact in float and the kernels multiply floats.
///
/// The text is written once over a lane of floats. A file per instruction set says what a lane is
/// and how lanes become bytes: elementwise_<isa>.hpp. Non-finite values are noticed from their bits
/// and reported by the return value; the codes of such a run mean nothing.
#pragma once

#include <notch/core/bits.hpp>
#include <notch/core/config.hpp>
#include <notch/core/int_math.hpp>
#include <notch/core/rounding.hpp>
#include <notch/simd/arch.hpp>

#include <bit>
#include <cstddef>
#include <cstdint>

namespace notch::simd
{

/// The numbers that turn a real into a code, prepared once per block.
struct quantize_step
{
    double inverse = 1;           ///< 1 / scale
    float single_inverse = 1;     ///< the same as a float, where is_single
    bool is_single = true;        ///< 1 / scale is a power of two: float products are exact
    float lowest = 0;             ///< lowest code minus zero point
    float highest = 0;            ///< highest code minus zero point
    std::int32_t zero_point = 0;  ///< code of 0

    /// Prepares a step. Precondition: 2^-100 <= scale <= 2^126.
    [[nodiscard]] static constexpr quantize_step of(double scale, std::int32_t zero_point, code_range codes) noexcept
    {
        const double inverse = 1.0 / scale;
        return {inverse,
                static_cast<float>(inverse),
                is_power_of_two(scale),
                static_cast<float>(codes.lowest - zero_point),
                static_cast<float>(codes.highest - zero_point),
                zero_point};
    }
};

namespace detail
{

/// One element of quantize_run up to the rounding: the scaled value, clamped to the codes.
NOTCH_INLINE float scaled_and_clamped(float x, const quantize_step& step) noexcept
{
    const auto scaled = static_cast<float>(static_cast<double>(x) * step.inverse);
    const float above = scaled > step.lowest ? scaled : step.lowest;
    return above < step.highest ? above : step.highest;
}

/// The scalar definition of quantize_run; returns false where an element is not finite.
template <class Rounding, class Code>
NOTCH_INLINE bool quantize_elements(const float* x, std::size_t count, const quantize_step& step, Code* dst) noexcept
{
    std::uint32_t largest = 0;
    for (std::size_t i = 0; i < count; ++i)
    {
        const std::uint32_t magnitude = std::bit_cast<std::uint32_t>(x[i]) & 0x7fff'ffffU;
        largest = magnitude > largest ? magnitude : largest;
        const float rounded = Rounding::round(scaled_and_clamped(x[i], step));
        dst[i] = static_cast<Code>(static_cast<std::int32_t>(rounded) + step.zero_point);
    }
    return largest < 0x7f80'0000U;
}

} // namespace detail

/// What an instruction set offers to the elementwise kernels; specialised in elementwise_<isa>.hpp.
/// Without a specialisation there is one lane, a float, and the scalar definition is used.
template <class Arch> struct elementwise
{
    static constexpr std::size_t width = 1; ///< floats per lane
};

} // namespace notch::simd

#if defined(__SSE4_1__)
#include <notch/simd/elementwise_sse41.hpp>
#endif
#if defined(__AVX2__)
#include <notch/simd/elementwise_avx2.hpp>
#endif
#if defined(__AVX512F__) && defined(__AVX512BW__)
#include <notch/simd/elementwise_avx512.hpp>
#endif
#if defined(__aarch64__) && defined(__ARM_NEON)
#include <notch/simd/elementwise_neon64.hpp>
#endif

namespace notch::simd
{

namespace detail
{

/// A rounding rule whose text also takes the lanes of an instruction set.
template <class Rounding, class Arch>
concept rounds_lanes = requires(typename elementwise<Arch>::lane x) {
    { Rounding::round(x) } -> std::same_as<typename elementwise<Arch>::lane>;
};

template <class Arch, class Rounding, bool Single, class Code>
NOTCH_INLINE bool quantize_lanes(const float* x, std::size_t count, const quantize_step& step, Code* dst) noexcept
{
    using isa = elementwise<Arch>;
    using lane = typename isa::lane;
    constexpr std::size_t width = isa::width;
    const lane lowest(step.lowest);
    const lane highest(step.highest);
    const typename isa::factor inverse(step.inverse, step.single_inverse);
    auto watch = isa::watch();
    const auto code = [&](const float* from) NOTCH_LAMBDA_INLINE {
        const lane value = isa::load(from);
        watch.see(value);
        const lane scaled = Single ? inverse.times_single(value) : inverse.times_double(value);
        return Rounding::round(isa::clamp(scaled, lowest, highest));
    };
    std::size_t i = 0;
    for (; i + 4 * width <= count; i += 4 * width)
        isa::store(dst + i, step.zero_point, code(x + i), code(x + i + width), code(x + i + 2 * width), code(x + i + 3 * width));
    for (; i + width <= count; i += width)
        isa::store(dst + i, step.zero_point, code(x + i));
    const bool finite = watch.all_finite();
    return quantize_elements<Rounding>(x + i, count - i, step, dst + i) && finite;
}

} // namespace detail

/// Codes of `count` elements that share a scale. Returns false where one of them is NaN or infinite;
/// `dst` then holds no meaningful codes. Preconditions: the code type holds every code of the step.
template <class Arch, class Rounding, class Code>
[[nodiscard]] bool quantize_run(const float* x, std::size_t count, const quantize_step& step, Code* dst) noexcept
{
    if constexpr (elementwise<Arch>::width == 1)
        return detail::quantize_elements<Rounding>(x, count, step, dst);
    else if constexpr (!detail::rounds_lanes<Rounding, Arch>)
        return detail::quantize_elements<Rounding>(x, count, step, dst);
    else
        return step.is_single ? detail::quantize_lanes<Arch, Rounding, true>(x, count, step, dst)
                              : detail::quantize_lanes<Arch, Rounding, false>(x, count, step, dst);
}

/// Codes of `count` elements under a rule that takes random bits: element i uses counter_random(seed, first + i).
template <class Arch, class Rounding, class Code>
[[nodiscard]] bool quantize_run_random(const float* x, std::size_t count, const quantize_step& step, std::uint64_t seed,
                                       std::uint64_t first, Code* dst) noexcept
{
    bool finite = true;
    for (std::size_t i = 0; i < count; ++i)
    {
        finite = finite && !is_non_finite(x[i]);
        const float rounded = Rounding::round(detail::scaled_and_clamped(x[i], step), counter_random(seed, first + i));
        dst[i] = static_cast<Code>(static_cast<std::int32_t>(rounded) + step.zero_point);
    }
    return finite;
}

/// Codes of `count` elements that each have a step of their own (a scale per index of the last axis).
template <class Arch, class Rounding, class Code>
[[nodiscard]] bool quantize_run_varying(const float* x, std::size_t count, const quantize_step* steps, Code* dst) noexcept
{
    bool finite = true;
    for (std::size_t i = 0; i < count; ++i)
        finite = detail::quantize_elements<Rounding>(x + i, 1, steps[i], dst + i) && finite;
    return finite;
}

/// Reals of `count` codes that share a scale: float(scale * (code - zero)). The product of a scale
/// and a code difference is exact in double, so there is one rounding.
template <class Arch, class Code>
void dequantize_run(const Code* codes, std::size_t count, double scale, std::int32_t zero_point, float* dst) noexcept
{
    for (std::size_t i = 0; i < count; ++i)
        dst[i] = static_cast<float>(scale * static_cast<double>(static_cast<std::int32_t>(codes[i]) - zero_point));
}

} // namespace notch::simd

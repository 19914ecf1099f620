/// @file
/// Stages that use floats: requantization by a real factor, and real results.
///
///     real_requantize    code = round(float(sum) * factor[c])       factor = scale of the sum / scale of the output
///     to_real            real = float(sum) * scale of the sum
///
/// The product is rounded once to float, and no compiler may contract it: codes are the same on every instruction set.
/// This is the only requantization in which a float decides a code.
#pragma once

#include <notch/core/int_math.hpp>
#include <notch/core/rounding.hpp>
#include <notch/epilogue/stage.hpp>
#include <notch/simd/as_computed.hpp>

#include <algorithm>
#include <concepts>
#include <cstddef>
#include <cstdint>

namespace notch {

namespace detail {

/// True where no sum times a factor comes near the ends of int32.
[[nodiscard]] inline bool stays_small(const epilogue_problem& problem, float factor) noexcept {
    const auto magnitude = static_cast<double>(std::max(-problem.lowest, problem.highest));
    return magnitude * static_cast<double>(factor) < static_cast<double>(1 << 29);
}

/// Describes a product with factors that stays small.
template <class Rounding, simd::lane Lane>
[[nodiscard]] NOTCH_INLINE bool describe_factors(plain_codes& codes, std::size_t at,
                                                 const simd::float_lane<Lane>& factors) noexcept {
    simd::store_floats(codes.factors + at, factors);
    return std::same_as<Rounding, nearest_even> && codes.then_scale(plain_codes::scaling::product);
}

/// Sums as floats, whatever they are.
template <class X> [[nodiscard]] NOTCH_INLINE auto sums_as_floats(X x) noexcept {
    using simd::to_floats;
    if constexpr (simd::lane<X>)
        return to_floats(x);
    else
        return x;
}

} // namespace detail

/// Requantizes to codes of a real scale.
template <deterministic_rounding Rounding = nearest_even> struct real_requantize {
    /// Whether float sums may enter.
    static constexpr bool takes_floats = true;
    float scale = 1; ///< of the output: real = scale * code

    /// Raises range_error unless the scale is positive and finite, and all factors are.
    void prepare(epilogue_problem& problem) {
        if (is_non_finite(scale) || !(scale > 0))
            detail::raise<range_error>(detail::quoted(problem.name), ": output scale ", scale,
                                       " is not positive and finite");
        // As quantize does it: the rounded quotient, also where a compiler may replace divisions by products.
        const double inverse = simd::detail::as_computed(1.0 / simd::detail::as_computed(static_cast<double>(scale)));
        const auto factor = static_cast<float>(static_cast<double>(problem.scale) * inverse);
        const std::size_t lists = problem.scales == nullptr ? 1 : problem.columns;
        float largest = 0;
        for (std::size_t c = 0; c < lists; ++c) {
            const float f = factor * (problem.scales == nullptr ? 1.0F : problem.scales[c]);
            if (is_non_finite(f))
                detail::raise<range_error>(detail::quoted(problem.name), ": output ", c, ": factor ", f,
                                           " of the requantization is not finite");
            largest = std::max(largest, f);
        }
        is_plain_ = !problem.is_float && detail::stays_small(problem, largest);
        factor_ = factor;
        scales_ = problem.scales;
        problem.scales = nullptr;
        problem.scale = scale;
        problem.is_float = false;
        problem.powers_of_two = false;
        problem.lowest = -(std::int64_t{1} << 30);
        problem.highest = std::int64_t{1} << 30;
    }
    /// The product of some columns.
    template <simd::lane Lane> [[nodiscard]] NOTCH_INLINE auto at(const column_site<Lane>& site) const noexcept {
        using floats = simd::float_lane<Lane>;
        const floats factor = simd_rounded(floats(factor_) * site.each(scales_));
        return [factor](auto x, std::size_t) NOTCH_LAMBDA_INLINE {
            using simd::clamp_floats;
            using simd::to_ints;
            const floats product = simd_rounded(detail::sums_as_floats(x) * factor);
            return Lane(to_ints(Rounding::round(clamp_floats(product, floats(-1073741824.0F), floats(1073741824.0F)))));
        };
    }

    /// Factors of some columns.
    template <simd::lane Lane>
    [[nodiscard]] NOTCH_INLINE bool describe(plain_codes& codes, std::size_t at,
                                             const column_site<Lane>& site) const noexcept {
        using floats = simd::float_lane<Lane>;
        return is_plain_ &&
               detail::describe_factors<Rounding, Lane>(codes, at, simd_rounded(floats(factor_) * site.each(scales_)));
    }

    float factor_ = 1;              ///< set by prepare
    const float* scales_ = nullptr; ///< set by prepare
    bool is_plain_ = false;         ///< set by prepare: no product comes near the ends of int32

private:
    template <class F> static NOTCH_INLINE F simd_rounded(F x) noexcept {
        using simd::as_rounded;
        return as_rounded(x);
    }
};

/// real_requantize{scale} rounds to nearest even.
real_requantize(float)->real_requantize<>;

/// Real numbers: for a float destination.
struct to_real {
    /// Whether float sums may enter.
    static constexpr bool takes_floats = true;
    /// Raises range_error where a result of integer sums could leave the floats, or a factor is not finite.
    void prepare(epilogue_problem& problem) {
        const double magnitude =
            problem.is_float ? 1.0 : static_cast<double>(std::max({-problem.lowest, problem.highest, std::int64_t{1}}));
        const std::size_t lists = problem.scales == nullptr ? 1 : problem.columns;
        for (std::size_t c = 0; c < lists; ++c) {
            const double factor = static_cast<double>(problem.scale) *
                                  static_cast<double>(problem.scales == nullptr ? 1.0F : problem.scales[c]);
            const double largest = magnitude * factor;
            if (is_non_finite(largest) || largest >= exp2_exact(128))
                detail::raise<range_error>(detail::quoted(problem.name), ": output ", c, ": reals may reach ", largest,
                                           ", beyond 2^128, where floats end");
        }
        scale_ = problem.scale;
        scales_ = problem.scales;
        problem.is_float = true;
        problem.scale = 1;
        problem.scales = nullptr;
    }
    /// The product of some columns.
    template <simd::lane Lane> [[nodiscard]] NOTCH_INLINE auto at(const column_site<Lane>& site) const noexcept {
        using floats = simd::float_lane<Lane>;
        using simd::as_rounded;
        const floats factor = as_rounded(floats(scale_) * site.each(scales_));
        return [factor](auto x, std::size_t) NOTCH_LAMBDA_INLINE {
            using simd::as_rounded;
            return as_rounded(detail::sums_as_floats(x) * factor);
        };
    }

    float scale_ = 1;               ///< set by prepare
    const float* scales_ = nullptr; ///< set by prepare
};

} // namespace notch

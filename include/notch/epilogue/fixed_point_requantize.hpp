/// @file
/// Stage: requantization by a 32-bit multiplier and a shift (core/fixed_point.hpp), integers only.
///
///     code = multiply_single(sum, factor[c])     one rounding, ties up
///     code = multiply_double(sum, factor[c])     two roundings, as gemmlowp and TensorFlow Lite up to 2.19
///
/// factor[c] = scale of the sum / scale of the output, as q31: made once by `requantize_factors`, when a model is loaded.
#pragma once

#include <notch/core/fixed_point.hpp>
#include <notch/epilogue/stage.hpp>

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace notch {

/// Factors of a requantization, one per output, multipliers and exponents apart.
struct fixed_point_factors {
    std::vector<std::int32_t> multipliers; ///< in [2^30, 2^31)
    std::vector<std::int32_t> exponents;   ///< factor = multiplier * 2^(exponent - 31)

    /// Appends a factor. Raises range_error where it is no q31.
    void push_back(double factor) {
        const q31 f = to_q31(factor);
        multipliers.push_back(f.multiplier);
        exponents.push_back(f.exponent);
    }
};

/// Requantizes by q31 factors. The factors are not copied.
template <class Style = single_rounding> struct fixed_point_requantize {
    std::span<const std::int32_t> multipliers; ///< one per output
    std::span<const std::int32_t> exponents;   ///< one per output, in [-30, 30]

    /// Takes spans.
    fixed_point_requantize(std::span<const std::int32_t> m, std::span<const std::int32_t> e) noexcept
        : multipliers(m), exponents(e) {}
    /// Looks at factors, which must outlive the stage.
    explicit fixed_point_requantize(const fixed_point_factors& factors) noexcept
        : multipliers(factors.multipliers), exponents(factors.exponents) {}

    /// Raises shape_error unless there is one factor per output, range_error where one is no q31 or its exponent
    /// lies outside [-30, 30].
    void prepare(epilogue_problem& problem) const {
        if (problem.is_float)
            detail::raise<unsupported_error>(detail::quoted(problem.name),
                                             ": fixed_point_requantize of float sums; use real_requantize");
        if (multipliers.size() != problem.columns || exponents.size() != problem.columns)
            detail::raise<shape_error>(detail::quoted(problem.name), ": ", multipliers.size(), " multipliers and ",
                                       exponents.size(), " exponents for ", problem.columns, " outputs");
        for (std::size_t c = 0; c < problem.columns; ++c)
            if (multipliers[c] < (1 << 30) || exponents[c] < -30 || exponents[c] > 30)
                detail::raise<range_error>(detail::quoted(problem.name), ": output ", c, ": factor ", multipliers[c],
                                           " * 2^(", exponents[c],
                                           " - 31): the multiplier is in [2^30, 2^31), the exponent in [-30, 30]");
        problem.scale = 1; // that of the output is not known here: behind this stage to_real gives the codes themselves
        problem.powers_of_two = false;
        problem.exponents = nullptr;
        problem.scales = nullptr;
        problem.lowest = -(std::int64_t{1} << 30); // leaves room for a zero point; codes saturate long before
        problem.highest = std::int64_t{1} << 30;
    }
    /// The product of some columns.
    template <simd::lane Lane> [[nodiscard]] NOTCH_INLINE auto at(const column_site<Lane>& site) const noexcept {
        const Lane m = site.each(multipliers.data());
        const Lane e = site.each(exponents.data());
        return [m, e](Lane x, std::size_t) NOTCH_LAMBDA_INLINE {
            using simd::multiply_q31_double;
            using simd::multiply_q31_single;
            const Lane half(1 << 30);
            Lane code = x;
            if constexpr (std::same_as<Style, double_rounding>)
                code = multiply_q31_double(x, m, e);
            else
                code = multiply_q31_single(x, m, e);
            return simd::lane_min(simd::lane_max(code, Lane(0) - half), half);
        };
    }
};

} // namespace notch

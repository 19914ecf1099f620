/// @file
/// Stage: adds another tensor of codes, a residual connection, whose scale is any multiple of that of the sums.
///
///     x + multiply_single(code - zero_point, factor[c])            one rounding, ties up (core/fixed_point.hpp)
///
/// factor[c] = scale of the residual / scale of the sums, as q31, made once by the caller. In integers, also where scales
/// are real: the rounding is to half a step of the sums, which are much finer than codes. add_residual is for powers of two.
#pragma once

#include <notch/core/fixed_point.hpp>
#include <notch/core/tensor_view.hpp>
#include <notch/epilogue/add_residual.hpp>
#include <notch/epilogue/stage.hpp>
#include <notch/simd/lane_codes.hpp>

#include <algorithm>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <span>

namespace notch {

/// Adds codes of a residual [rows, columns]; columns lie side by side. Factors are not copied.
template <class Code>
    requires(std::same_as<Code, std::uint8_t> || std::same_as<Code, std::int8_t>)
struct add_rescaled_residual {
    strided_view<const Code, 2> codes{};         ///< [M, N]
    std::int32_t zero_point = 0;                 ///< code of 0
    std::span<const std::int32_t> multipliers{}; ///< one per output, in [2^30, 2^31)
    std::span<const std::int32_t> exponents{};   ///< one per output, in [-30, 21]

    /// Raises shape_error unless the extents are those of the product, columns lie side by side and there is one factor per
    /// output; range_error for a factor outside its range and where a sum could leave int32; unsupported_error for floats.
    void prepare(epilogue_problem& problem) const {
        if (problem.is_float)
            detail::raise<unsupported_error>(detail::quoted(problem.name), ": add_rescaled_residual of float sums");
        detail::check_residual(problem, codes, zero_point);
        if (multipliers.size() != problem.columns || exponents.size() != problem.columns)
            detail::raise<shape_error>(detail::quoted(problem.name), ": ", multipliers.size(), " multipliers and ",
                                       exponents.size(), " exponents for ", problem.columns, " outputs");
        std::int32_t largest = 0;
        for (std::size_t c = 0; c < problem.columns; ++c) {
            if (multipliers[c] < (1 << 30) || exponents[c] < -30 || exponents[c] > 21)
                detail::raise<range_error>(detail::quoted(problem.name), ": output ", c, ": factor ", multipliers[c],
                                           " * 2^(", exponents[c],
                                           " - 31) of a residual: the multiplier is in [2^30, 2^31), the exponent in "
                                           "[-30, 21]");
            largest = std::max(largest, exponents[c]);
        }
        problem.lowest -= std::int64_t{384} << largest; // codes less their zero point lie in [-383, 383]
        problem.highest += std::int64_t{384} << largest;
        problem.check_range("the sum with the residual");
    }
    /// Adds the codes of some columns.
    template <simd::lane Lane> [[nodiscard]] NOTCH_INLINE auto at(const column_site<Lane>& site) const noexcept {
        const Lane m = site.each(multipliers.data());
        const Lane e = site.each(exponents.data());
        const Lane zero(zero_point);
        const Code* from = codes.data() + site.column;
        const std::ptrdiff_t stride = codes.stride(0);
        return [=](Lane x, std::size_t row) NOTCH_LAMBDA_INLINE {
            using simd::multiply_q31_single;
            const Lane code = simd::load_codes<Lane>(from + static_cast<std::ptrdiff_t>(row) * stride) - zero;
            return x + multiply_q31_single(code, m, e);
        };
    }
};

} // namespace notch

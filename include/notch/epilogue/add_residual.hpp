/// @file
/// Stage: adds another tensor of codes, a residual connection.
///
///     x + (code - zero_point) * 2^(e - e_x[c])
///
/// e is the exponent of the residual, e_x[c] that of the numbers where the stage stands: before a requantization that of
/// the sums (the shift is to the left and exact for fine sums), behind it that of the output codes. A shift to the right
/// rounds to nearest even.
#pragma once

#include <notch/core/rounding.hpp>
#include <notch/core/tensor_view.hpp>
#include <notch/epilogue/stage.hpp>
#include <notch/simd/lane_codes.hpp>

#include <algorithm>
#include <concepts>
#include <cstddef>
#include <cstdint>

namespace notch {
namespace detail {

/// Raises shape_error unless a residual has the extents of the product and its columns lie side by side, range_error for a
/// zero point that no code can be.
template <class Code>
void check_residual(const epilogue_problem& problem, const strided_view<const Code, 2>& codes,
                    std::int32_t zero_point) {
    if (codes.extent(0) != problem.rows || codes.extent(1) != problem.columns)
        raise<shape_error>(quoted(problem.name), ": a residual of extents ", codes.shape(),
                           " for a product of extents [", problem.rows, ", ", problem.columns, "]");
    if (codes.stride(1) != 1 && codes.extent(1) > 1)
        raise<shape_error>(quoted(problem.name), ": the columns of a residual lie side by side, not ", codes.stride(1),
                           " apart");
    if (zero_point < -128 || zero_point > 255)
        raise<range_error>(quoted(problem.name), ": zero point ", zero_point,
                           " of a residual lies outside [-128, 255]");
}

} // namespace detail

/// Adds codes of a residual [rows, columns]; columns lie side by side.
template <class Code>
    requires(std::same_as<Code, std::uint8_t> || std::same_as<Code, std::int8_t>)
struct add_residual {
    strided_view<const Code, 2> codes{}; ///< [M, N]
    std::int32_t exponent = 0;           ///< scale of the residual: 2^exponent
    std::int32_t zero_point = 0;         ///< its code of 0

    /// Raises shape_error unless the extents are those of the product and columns lie side by side; range_error where
    /// a shift or a sum could leave int32; unsupported_error for scales that are no powers of two.
    void prepare(epilogue_problem& problem) {
        if (!problem.powers_of_two || problem.is_float)
            detail::raise<unsupported_error>(detail::quoted(problem.name), ": add_residual needs power-of-two scales");
        detail::check_residual(problem, codes, zero_point);
        offset_ = problem.exponent - exponent;
        exponents_ = problem.exponents;
        std::int32_t least = problem.exponent_of(0) - exponent;
        for (std::size_t c = 1; exponents_ != nullptr && c < problem.columns; ++c)
            least = std::min(least, problem.exponent_of(c) - exponent);
        const std::int32_t left = std::max(-least, 0);
        if (left > 22) // codes less their zero point have nine bits
            detail::raise<range_error>(detail::quoted(problem.name), ": a residual of scale 2^", exponent,
                                       " is shifted to the left by ", left, "; the limit is 22");
        problem.lowest -= std::int64_t{383} << left;
        problem.highest += std::int64_t{383} << left;
        problem.check_range("the sum with the residual");
    }
    /// Adds the codes of some columns.
    template <simd::lane Lane> [[nodiscard]] NOTCH_INLINE auto at(const column_site<Lane>& site) const noexcept {
        const Lane count = Lane(offset_) + site.each(exponents_);
        const Lane left = simd::lane_max(Lane(0) - count, Lane(0));
        const Lane right = simd::lane_min(simd::lane_max(count, Lane(0)), Lane(30));
        const Lane zero(zero_point);
        const Code* from = codes.data() + site.column;
        const std::ptrdiff_t stride = codes.stride(0);
        return [=](Lane x, std::size_t row) NOTCH_LAMBDA_INLINE {
            const Lane code = simd::load_codes<Lane>(from + static_cast<std::ptrdiff_t>(row) * stride) - zero;
            return x + nearest_even::shift_right_bounded(Lane(code << left), right); // nine bits, or no shift
        };
    }

    std::int32_t offset_ = 0;                 ///< set by prepare
    const std::int32_t* exponents_ = nullptr; ///< set by prepare
};

} // namespace notch

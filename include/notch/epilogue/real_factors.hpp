/// @file
/// Stages with a float per output that the caller made, whatever the scales of activations and weights are.
///
///     real_requantize_by    code = round(float(sum) * factor[c])
///     to_real_by            real = float(sum) * factor[c]
///
/// real_requantize and to_real (real_requantize.hpp) make the factors of the scales that operands carry; these are for
/// programs whose scales stand elsewhere. The product is rounded once to float, and no compiler may contract it. Factors
/// are not copied. Sums are integers.
#pragma once

#include <notch/core/int_math.hpp>
#include <notch/core/rounding.hpp>
#include <notch/epilogue/real_requantize.hpp>
#include <notch/epilogue/stage.hpp>
#include <notch/simd/as_computed.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace notch {
namespace detail {

/// Raises errors unless there is one positive, finite factor per output, and sums are integers.
inline void check_factors(const epilogue_problem& problem, std::span<const float> factors, std::string_view stage) {
    if (problem.is_float)
        raise<unsupported_error>(quoted(problem.name), ": ", stage, " of float sums");
    if (factors.size() != problem.columns)
        raise<shape_error>(quoted(problem.name), ": ", factors.size(), " factors for ", problem.columns, " outputs");
    for (std::size_t c = 0; c < factors.size(); ++c)
        if (is_non_finite(factors[c]) || !(factors[c] > 0))
            raise<range_error>(quoted(problem.name), ": output ", c, ": factor ", factors[c],
                               " is not positive and finite");
}

/// float(sum) * factor, rounded once.
template <simd::lane Lane>
[[nodiscard]] NOTCH_INLINE simd::float_lane<Lane> product_of(Lane x, const simd::float_lane<Lane>& factor) noexcept {
    using simd::as_rounded;
    using simd::to_floats;
    return as_rounded(to_floats(x) * factor);
}

} // namespace detail

/// Requantizes by float factors.
template <deterministic_rounding Rounding = nearest_even> struct real_requantize_by {
    std::span<const float> factors; ///< one per output: scale of the sums / scale of the output

    /// Raises shape_error unless there is one factor per output, range_error unless all are positive and finite.
    void prepare(epilogue_problem& problem) {
        detail::check_factors(problem, factors, "real_requantize_by");
        is_plain_ = factors.empty() || detail::stays_small(problem, *std::max_element(factors.begin(), factors.end()));
        problem.powers_of_two = false;
        problem.exponents = nullptr;
        problem.scales = nullptr;
        problem.scale = 1; // that of the output is not known here
        problem.lowest = -(std::int64_t{1} << 30);
        problem.highest = std::int64_t{1} << 30;
    }
    /// The product of some columns.
    template <simd::lane Lane> [[nodiscard]] NOTCH_INLINE auto at(const column_site<Lane>& site) const noexcept {
        using floats = simd::float_lane<Lane>;
        const floats factor = site.each(factors.data());
        return [factor](Lane x, std::size_t) NOTCH_LAMBDA_INLINE {
            using simd::clamp_floats;
            using simd::to_ints;
            const floats product = detail::product_of<Lane>(x, factor);
            return Lane(to_ints(Rounding::round(clamp_floats(product, floats(-1073741824.0F), floats(1073741824.0F)))));
        };
    }
    /// Factors of some columns.
    template <simd::lane Lane>
    [[nodiscard]] NOTCH_INLINE bool describe(plain_codes& codes, std::size_t at,
                                             const column_site<Lane>& site) const noexcept {
        return is_plain_ && detail::describe_factors<Rounding, Lane>(codes, at, site.each(factors.data()));
    }

    bool is_plain_ = false; ///< set by prepare: no product comes near the ends of int32
};

/// Real numbers: for a float destination.
struct to_real_by {
    std::span<const float> factors; ///< one per output: scale of the sums

    /// Raises shape_error unless there is one factor per output, range_error unless all are positive and finite.
    void prepare(epilogue_problem& problem) const {
        detail::check_factors(problem, factors, "to_real_by");
        problem.is_float = true;
        problem.scale = 1;
        problem.scales = nullptr;
    }
    /// The product of some columns.
    template <simd::lane Lane> [[nodiscard]] NOTCH_INLINE auto at(const column_site<Lane>& site) const noexcept {
        const simd::float_lane<Lane> factor = site.each(factors.data());
        return [factor](Lane x, std::size_t) NOTCH_LAMBDA_INLINE { return detail::product_of<Lane>(x, factor); };
    }
};

} // namespace notch

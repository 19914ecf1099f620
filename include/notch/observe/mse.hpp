/// @file
/// The observer of least error: the range for which the quantizer itself errs least.
///
///     candidates   f_i [min, max], f_i = 1 - 0.01 i, i = 0 .. 79, after [min, max] is widened to hold 0
///     score        sum over bins of n |x - s (clamp(round(x / s) + z, lowest, highest) - z)|^p
///
/// where x is the centre of the bin (cut to [min, max]), and scale s and zero point z are those that
/// params_from_range<Q> makes of the candidate. So the score is that of the numbers that will be
/// used, after snapping: with a power_of_two scale every exponent (with an affine zero point every
/// pair) is scored once. Of equal scores the larger range is kept. p = 2 is the mean
/// square error; 2.4 is the exponent of LAPQ and BRECQ, which weighs clipped values more.
///
/// Bound: where rounding is to nearest, the error of x and that of y differ by at most |x - y|. So on the raw data the
/// mean error (mean |error|^p)^(1/p) of the result exceeds that of the best candidate by at most one bin width.
///
/// Zeros are left out: every candidate represents them exactly. Random rounding is scored as
/// nearest_even. A histogram of zeros gives [0, 0].
///
/// Cost: 80 passes over the occupied bins; for 10^6 Gaussian values 0.5 ms (p = 2) or 2 ms (another p), and for
/// 4,096 occupied bins about 2 ms or 30 ms.
/// Source: Nahshan et al., "Loss aware post-training quantization", 2021; the grid is that of BRECQ.
/// Unlike theirs, the range always holds 0.
#pragma once

#include <notch/core/error.hpp>
#include <notch/core/int_math.hpp>
#include <notch/core/rounding.hpp>
#include <notch/observe/histogram.hpp>
#include <notch/observe/histogram_observer.hpp>
#include <notch/observe/scan.hpp>
#include <notch/quant/params.hpp>
#include <notch/quant/quantizer.hpp>
#include <notch/quant/zero_point.hpp>

#include <algorithm>
#include <cmath>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <type_traits>
#include <vector>

namespace notch {

namespace detail {

/// A value and how often it was seen.
struct weighted_value {
    double value = 0;
    double weight = 0;
};

/// The centres of the occupied bins, cut to [min, max], with their counts.
[[nodiscard]] inline std::vector<weighted_value> bin_centres(const histogram& seen) {
    std::vector<weighted_value> result;
    const double min = exact_double(seen.min());
    const double max = exact_double(seen.max());
    const auto bins = seen.bins();
    for (std::size_t bin = 0; bin < bins.size(); ++bin)
        if (bins[bin] != 0)
            result.push_back(
                {std::clamp(seen.lower(bin) + seen.width() / 2, min, max), static_cast<double>(bins[bin])});
    return result;
}

/// |x|^p, without a call of pow where p is 1 or 2.
[[nodiscard]] inline double magnitude_power(double x, double p) {
    const double magnitude = x < 0 ? -x : x;
    return p == 2.0 ? magnitude * magnitude : p == 1.0 ? magnitude : std::pow(magnitude, p);
}

/// The weighted sum of |error / unit|^p of quantizing values with one scale and zero point.
template <quantizer_type Q>
[[nodiscard]] double quantization_score(const std::vector<weighted_value>& values, double scale,
                                        std::int32_t zero_point, double p, double unit) {
    using rule =
        std::conditional_t<deterministic_rounding<typename Q::rounding_rule>, typename Q::rounding_rule, nearest_even>;
    const double inverse = 1.0 / scale;
    const auto lowest = static_cast<double>(Q::codes.lowest - zero_point);
    const auto highest = static_cast<double>(Q::codes.highest - zero_point);
    double sum = 0;
    for (const weighted_value& x : values) {
        const double scaled = std::clamp(x.value * inverse, lowest, highest);
        const double error = x.value - scale * static_cast<double>(rule::round(static_cast<float>(scaled)));
        sum += x.weight * magnitude_power(error / unit, p);
    }
    return sum;
}

} // namespace detail

/// The range of least L_p error, see above.
class lp_rule {
public:
    static constexpr std::string_view label = "mse"; ///< name in messages
    static constexpr std::uint32_t tag = 5;          ///< number in serialized bytes
    static constexpr int candidates = 80;            ///< number of ranges tried

    /// The exponent of the error, in [1, 16]. Raises range_error for another number.
    lp_rule(double p = 2.0)
        : p_(p) // NOLINT(google-explicit-constructor)
    {
        if (!accepts(p))
            detail::raise<range_error>("mse: the exponent of the error is ", p, ", outside [1, 16]");
    }

    /// True for numbers in [1, 16].
    [[nodiscard]] static bool accepts(double p) noexcept { return !is_non_finite(p) && p >= 1 && p <= 16; }
    /// The exponent of the error.
    [[nodiscard]] double parameter() const noexcept { return p_; }

    /// The range for a quantizer. Raises state_error where the histogram has seen no value, and range_error
    /// for negative values under unsigned symmetric codes.
    template <quantizer_type Q>
        requires std::same_as<typename Q::granularity_type, per_tensor>
    [[nodiscard]] value_range range(const histogram& seen) const {
        seen.require_data("mse::range()");
        const value_range whole{detail::ordered_key(seen.min()) < 0 ? seen.min() : 0.0F,
                                detail::ordered_key(seen.max()) > 0 ? seen.max() : 0.0F};
        const std::vector<detail::weighted_value> values = detail::bin_centres(seen);
        const double unit = exact_double(seen.max_magnitude());
        value_range best = whole;
        double best_score = -1;
        double last_scale = 0;
        std::int32_t last_zero_point = 0;
        for (int i = 0; i < candidates && !values.empty(); ++i) {
            const double factor = static_cast<double>(100 - i) / 100;
            const value_range candidate{
                detail::nearest_float_within(factor * exact_double(whole.min), whole.min, 0.0F),
                detail::nearest_float_within(factor * exact_double(whole.max), 0.0F, whole.max)};
            const auto params = params_from_range<Q>(candidate, seen.name());
            const double scale = params.scale(0);
            if (i != 0 && scale == last_scale && params.zero_point(0) == last_zero_point)
                continue; // snapped to the same numbers as a larger range
            last_scale = scale;
            last_zero_point = params.zero_point(0);
            const double score = detail::quantization_score<Q>(values, scale, last_zero_point, p_, unit);
            if (best_score >= 0 && !(score < best_score))
                continue;
            best = candidate;
            best_score = score;
        }
        return best;
    }

private:
    double p_;
};

/// Observes the range of least error of the quantizer: `mse weights(2.0, "fc")`, `mse activations(2.4, "conv1")`.
using mse = histogram_observer<lp_rule>;

} // namespace notch

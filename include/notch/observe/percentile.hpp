/// @file
/// The observer that leaves out a share of the values: percentile.
///
/// `percent` of the values lie in the range; the others are clipped.
///
///     symmetric quantizer     [-t, t], t the percentile of |x|, cut to [min, max]
///     affine quantizer        [q((100 - percent) / 2), q((100 + percent) / 2)]: half of the rest on either side
///
/// The quantile q(p) is read from the histogram. With N values and rank r = N p / 100, it lies in the
/// bin where the running count, c before the bin and c + n behind it, reaches r (a whole number where r is one
/// but for rounding: 99.9 % of 1,000 values is rank 999), at
///
///     lower + width (r - c) / n
///
/// that is, as if the n values were spread evenly over the bin. Zeros are one point with all
/// their count. The result is never outside [min, max], is min or max itself for r = 0 and r = N, and
/// differs from the value of rank ceil(r) by at most the width of one bin, max|x| / 1024.
#pragma once

#include <notch/core/error.hpp>
#include <notch/core/int_math.hpp>
#include <notch/observe/histogram.hpp>
#include <notch/observe/histogram_observer.hpp>
#include <notch/observe/scan.hpp>
#include <notch/quant/quantizer.hpp>
#include <notch/quant/zero_point.hpp>

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

namespace notch {

namespace detail {

/// One step along a cumulative count; true where the rank lies in these n values, with the share of them below it.
struct rank_walk {
    double rank = 0;  ///< wanted number of values below
    double below = 0; ///< values passed so far
    double share = 0; ///< where in the last step the rank lies, in [0, 1]

    [[nodiscard]] bool reaches(std::uint64_t n) noexcept {
        const auto values = static_cast<double>(n);
        if (n == 0 || rank > below + values) {
            below += values;
            return false;
        }
        share = (rank - below) / values;
        return true;
    }
};

/// The rank of a share of the values; a whole number where it is one but for 10^-12 of the count.
[[nodiscard]] inline double rank_of(double share, std::uint64_t count) noexcept {
    const double rank = share * static_cast<double>(count);
    const double whole = std::round(rank);
    return std::fabs(rank - whole) <= 1e-12 * static_cast<double>(count) ? whole : rank;
}

/// The quantile of the values, for a share in [0, 1]; see above. Precondition: there are values.
[[nodiscard]] inline double quantile(const histogram& seen, double share) {
    rank_walk walk{rank_of(share, seen.count())};
    const auto bins = seen.bins();
    for (std::size_t bin = 0; bin <= histogram::bin_count; ++bin) {
        if (bin == seen.origin() && walk.reaches(seen.zeros()))
            return 0.0;
        if (bin < histogram::bin_count && walk.reaches(bins[bin]))
            return seen.lower(bin) + seen.width() * walk.share;
    }
    return exact_double(seen.max());
}

/// The quantile of the magnitudes, for a share in [0, 1]; see above. Precondition: there are values.
[[nodiscard]] inline double magnitude_quantile(const histogram& seen, double share) {
    rank_walk walk{rank_of(share, seen.count())};
    if (walk.reaches(seen.zeros()))
        return 0.0;
    const std::vector<std::uint64_t> magnitudes = seen.magnitudes();
    for (std::size_t bin = 0; bin < magnitudes.size(); ++bin)
        if (walk.reaches(magnitudes[bin]))
            return (static_cast<double>(bin) + walk.share) * seen.width();
    return exact_double(seen.max_magnitude());
}

} // namespace detail

/// The range that holds a share of the values, see above.
class percentile_rule {
public:
    static constexpr std::string_view label = "percentile"; ///< name in messages
    static constexpr std::uint32_t tag = 4;                 ///< number in serialized bytes

    /// Per cent of the values that the range holds, in (0, 100]. Raises range_error for another number.
    percentile_rule(double percent = 99.99)
        : percent_(percent) // NOLINT(google-explicit-constructor)
    {
        if (!accepts(percent))
            detail::raise<range_error>("percentile: ", percent,
                                       " per cent of the values; the limits are above 0 and up to 100");
    }

    /// True for numbers in (0, 100].
    [[nodiscard]] static bool accepts(double percent) noexcept {
        return !is_non_finite(percent) && percent > 0 && percent <= 100;
    }
    /// Per cent of the values that the range holds.
    [[nodiscard]] double parameter() const noexcept { return percent_; }

    /// The range for a quantizer. Raises state_error where the histogram has seen no value.
    template <quantizer_type Q> [[nodiscard]] value_range range(const histogram& seen) const {
        seen.require_data("percentile::range()");
        if constexpr (!Q::has_zero_point)
            return detail::clipped_range(seen.min(), seen.max(), detail::magnitude_quantile(seen, percent_ / 100));
        else
            return {
                detail::nearest_float_within(detail::quantile(seen, (100 - percent_) / 200), seen.min(), seen.max()),
                detail::nearest_float_within(detail::quantile(seen, (100 + percent_) / 200), seen.min(), seen.max())};
    }

private:
    double percent_;
};

/// Observes the range that holds a share of the values: `percentile activations(99.9, "conv1")`.
using percentile = histogram_observer<percentile_rule>;

} // namespace notch

/// @file
/// The observer of least information lost: entropy calibration with the Kullback-Leibler divergence.
///
/// The magnitudes |x|, zeros left out, are B counts h_k of bins of width w, the last of which holds
/// max|x| (B > 1,024). A threshold keeps the first m bins; it is tried for every m from L to B, L being
/// the number of levels.
///
///     P    h_0 .. h_(m-1), and everything beyond bin m - 1 added to the last of them
///     Q    h_0 .. h_(m-1) alone, cut into L levels, level j being the bins [floor(j m / L), floor((j + 1) m / L));
///          the sum of a level is spread evenly over those of its bins that are not empty
///     N    sum of P, the same for every m;      S    sum of Q
///
/// | metric           | divergence                                                                        |
/// |------------------|-----------------------------------------------------------------------------------|
/// | standard         | D = sum of (p / N) ln((p / N) / (q / S)) over p > 0; infinite where q = 0 < p        |
/// | masked           | the same sum over p > 0 and q > 0 only; no true divergence, since it can be negative |
/// | masked_penalised | masked + 2 (M / N) ln(N / S), M the sum of p in the mask; grows with what is clipped |
///
/// The smallest D wins, of equal ones (within 10^-9, far above the rounding of the sums) the largest m. The
/// threshold is t = m w, the upper end of the last bin that is kept, or max|x| where m = B; the range is
/// [-t, t] cut to [min, max].
///
/// Choices. Levels: 2^(b-1) for signed codes, 2^b for unsigned ones; an affine quantizer spends
/// 2^b levels on one side of zero if all data lies there, else half of them, whatever its codes are called.
/// Zeros are left out because every scale represents them exactly and after a ReLU they would dominate.
/// Only the last bin can have q = 0 < p, when it is empty itself; such a threshold keeps the same values as
/// the one before the empty bins, which stays in the race, and m = B is always finite. A histogram of zeros
/// gives [0, 0].
///
/// Cost: with running sums of h, of non-empty bins and of h ln h a threshold costs L logarithms: for 10^6 Gaussian
/// values and 128 levels about 1 ms, for 4,096 occupied bins and 256 levels about 35 ms.
/// Source: Migacz, "8-bit inference with TensorRT", 2017; masked_penalised as in the published code of
/// CFWS (divergence of unnormalised counts), where the extra term comes from P and Q not having one sum.
#pragma once

#include <notch/core/error.hpp>
#include <notch/observe/histogram.hpp>
#include <notch/observe/histogram_observer.hpp>
#include <notch/observe/scan.hpp>
#include <notch/quant/quantizer.hpp>
#include <notch/quant/zero_point.hpp>

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <string_view>
#include <vector>

namespace notch {

/// Which divergence kl_divergence minimises, see above.
enum class kl_metric {
    standard,        ///< textbook: infinite where a value cannot be represented
    masked,          ///< sums over bins that both distributions hold
    masked_penalised ///< masked, plus a term that grows with the clipped share
};

namespace detail {

/// The divergences of all thresholds of one histogram of magnitudes.
class divergence_scan {
public:
    /// Prepares the running sums. Precondition: there are at least as many counts as levels, and levels > 0.
    divergence_scan(std::span<const std::uint64_t> counts, std::size_t levels)
        : counts_(counts), levels_(levels), mass_(counts.size() + 1, 0), filled_(counts.size() + 1, 0),
          entropy_(counts.size() + 1, 0) {
        for (std::size_t k = 0; k < counts.size(); ++k) {
            mass_[k + 1] = mass_[k] + counts[k];
            filled_[k + 1] = filled_[k] + (counts[k] != 0 ? 1 : 0);
            entropy_[k + 1] = entropy_[k] + times_log(static_cast<double>(counts[k]));
        }
    }

    /// The divergence when the first m bins are kept; infinity (the largest double) where it has none.
    /// Precondition: levels <= m <= number of counts.
    [[nodiscard]] double at(std::size_t m, kl_metric metric) const {
        const auto total = static_cast<double>(mass_.back());
        const auto kept = static_cast<double>(mass_[m]);
        const auto clipped = static_cast<double>(mass_.back() - mass_[m]);
        const bool last_is_lost = counts_[m - 1] == 0 && clipped > 0;
        if (kept == 0 || (metric == kl_metric::standard && last_is_lost))
            return std::numeric_limits<double>::max();

        // sum of p ln p - sum of p ln q over the mask, then both normalised
        const double moved = last_is_lost ? 0.0 : clipped;
        const auto last = static_cast<double>(counts_[m - 1]);
        double sum = entropy_[m - 1] + times_log(last + moved);
        for (std::size_t level = 0; level < levels_; ++level) {
            const std::size_t first = level * m / levels_;
            const std::size_t end = (level + 1) * m / levels_;
            const auto mass = static_cast<double>(mass_[end] - mass_[first]);
            if (mass > 0)
                sum -= (mass + (level + 1 == levels_ ? moved : 0.0)) *
                       std::log(mass / static_cast<double>(filled_[end] - filled_[first]));
        }
        const double in_mask = kept + moved;
        const double sums_differ = in_mask / total * std::log(total / kept);
        const double masked = sum / total - sums_differ;
        return metric == kl_metric::masked_penalised ? masked + 2 * sums_differ : masked;
    }

    /// The number of kept bins with the smallest divergence; of those within 10^-9 of it the largest.
    [[nodiscard]] std::size_t best(kl_metric metric) const {
        std::size_t result = counts_.size();
        double smallest = at(result, metric);
        for (std::size_t m = counts_.size(); m-- > levels_;) {
            const double divergence = at(m, metric);
            if (divergence < smallest - 1e-9) {
                smallest = divergence;
                result = m;
            }
        }
        return result;
    }

private:
    [[nodiscard]] static double times_log(double x) { return x > 0 ? x * std::log(x) : 0.0; }

    std::span<const std::uint64_t> counts_;
    std::size_t levels_;
    std::vector<std::uint64_t> mass_;
    std::vector<std::uint64_t> filled_;
    std::vector<double> entropy_;
};

} // namespace detail

/// The range of least divergence, see above.
class kl_rule {
public:
    static constexpr std::string_view label = "kl_divergence"; ///< name in messages
    static constexpr std::uint32_t tag = 6;                    ///< number in serialized bytes

    /// The divergence to minimise.
    kl_rule(kl_metric metric = kl_metric::standard) : metric_(metric) {} // NOLINT(google-explicit-constructor)
    /// The same by number. Raises range_error where no metric has it.
    explicit kl_rule(double number) : metric_(kl_metric::standard) {
        if (!accepts(number))
            detail::raise<range_error>("kl_divergence: there is no metric ", number,
                                       "; they have the numbers 0, 1 and 2");
        metric_ = static_cast<kl_metric>(static_cast<int>(number));
    }

    /// True for the number of a metric.
    [[nodiscard]] static bool accepts(double number) noexcept {
        return !is_non_finite(number) && (number == 0 || number == 1 || number == 2);
    }
    /// The number of the metric.
    [[nodiscard]] double parameter() const noexcept { return static_cast<double>(metric_); }

    /// The number of levels a quantizer spends on magnitudes, see above.
    template <quantizer_type Q> [[nodiscard]] static constexpr std::size_t levels(bool one_sided) noexcept {
        const bool all_on_one_side = Q::has_zero_point ? one_sided : !Q::bits_type::is_signed;
        return std::size_t{1} << (Q::bits_type::width - (all_on_one_side ? 0 : 1));
    }

    /// The range for a quantizer. Raises state_error where the histogram has seen no value.
    template <quantizer_type Q> [[nodiscard]] value_range range(const histogram& seen) const {
        seen.require_data("kl_divergence::range()");
        const std::vector<std::uint64_t> magnitudes = seen.magnitudes();
        if (magnitudes.empty())
            return {0.0F, 0.0F};
        const std::size_t count = levels<Q>(seen.origin() != histogram::bin_count / 2);
        const std::size_t kept = detail::divergence_scan(magnitudes, count).best(metric_);
        const double threshold =
            kept == magnitudes.size() ? exact_double(seen.max_magnitude()) : static_cast<double>(kept) * seen.width();
        return detail::clipped_range(seen.min(), seen.max(), threshold);
    }

private:
    kl_metric metric_;
};

/// Observes the range of least divergence: `kl_divergence activations(kl_metric::standard, "conv1")`.
using kl_divergence = histogram_observer<kl_rule>;

} // namespace notch

/// @file
/// Measures of a report: errors of tensors, bars of histograms, shares of values that are clipped.
///
/// Widths of bars are powers of two and their ends multiples of them, so that bars of a calibration histogram are
/// unions of its bins, and lose nothing.
#pragma once

#include <notch/core/int_math.hpp>
#include <notch/deploy/report_types.hpp>
#include <notch/observe/histogram.hpp>
#include <notch/ptq/plan.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>

namespace notch::detail {

/// Bars that a report draws, at most.
inline constexpr std::size_t report_bars = 128;

/// Sums of squares of a tensor x, of an approximation y, and of their difference.
class error_sum {
public:
    /// One more element.
    void add(double x, double y) noexcept {
        signal_ += x * x;
        other_ += y * y;
        both_ += x * y;
        noise_ += (x - y) * (x - y);
    }
    /// 10 log10(sum x^2 / sum (x - y)^2), and the cosine. Two zero tensors have cosine 1, a zero one and another have
    /// 0.
    [[nodiscard]] report_error error() const noexcept {
        constexpr double infinity = std::numeric_limits<double>::infinity();
        report_error to;
        to.sqnr_db = noise_ == 0 ? infinity : signal_ == 0 ? -infinity : 10 * std::log10(signal_ / noise_);
        if (signal_ == 0 || other_ == 0)
            to.cosine = signal_ == other_ ? 1 : 0;
        else
            to.cosine = std::clamp(both_ / std::sqrt(signal_) / std::sqrt(other_), -1.0, 1.0);
        return to;
    }

private:
    double signal_ = 0;
    double other_ = 0;
    double both_ = 0;
    double noise_ = 0;
};

/// Bars from the one that holds min to the one that holds max, at most `most` of them, in the narrowest width of at
/// least 2^least. Precondition: min or max is not 0.
inline void place_bars(report_histogram& to, int least, std::size_t most = report_bars) {
    double width = exp2_exact(std::max(least, -1000));
    while (std::floor(to.max / width) - std::floor(to.min / width) + 1 > static_cast<double>(most))
        width *= 2;
    to.width = width;
    to.first = std::floor(to.min / width) * width;
    to.counts.assign(static_cast<std::size_t>(std::floor(to.max / width) - std::floor(to.min / width)) + 1, 0);
}

/// The bar of a value; values at the end belong to the last one.
[[nodiscard]] inline std::size_t bar_of(const report_histogram& bars, double x) noexcept {
    const double at = std::floor((x - bars.first) / bars.width);
    return static_cast<std::size_t>(std::clamp(at, 0.0, static_cast<double>(bars.counts.size() - 1)));
}

/// Bars of values: about 2 sqrt(n) of them, 16 to 128.
[[nodiscard]] inline report_histogram bars_of(std::span<const double> values) {
    report_histogram to;
    to.count = values.size();
    if (values.empty())
        return to;
    to.min = *std::ranges::min_element(values);
    to.max = *std::ranges::max_element(values);
    to.zeros = static_cast<std::uint64_t>(std::ranges::count(values, 0.0));
    if (to.zeros == to.count)
        return to;
    const auto most = static_cast<std::size_t>(2 * std::sqrt(static_cast<double>(to.count)));
    place_bars(to, floor_log2(std::max(-to.min, to.max)) - 7, std::clamp<std::size_t>(most, 16, report_bars));
    for (const double x : values)
        if (x != 0)
            ++to.counts[bar_of(to, x)];
    return to;
}

/// The middle of a bin of a histogram, within what was seen.
[[nodiscard]] inline double middle_of(const histogram& seen, std::size_t bin) {
    return std::clamp(seen.lower(bin) + seen.width() / 2, static_cast<double>(seen.min()),
                      static_cast<double>(seen.max()));
}

/// Bars of what calibration has seen.
[[nodiscard]] inline report_histogram bars_of(const histogram& seen) {
    report_histogram to;
    to.count = seen.count();
    if (to.count == 0)
        return to;
    to.min = static_cast<double>(seen.min());
    to.max = static_cast<double>(seen.max());
    to.zeros = seen.zeros();
    if (to.zeros == to.count)
        return to;
    place_bars(to, seen.width_exponent());
    for (std::size_t bin = 0; bin < histogram::bin_count; ++bin)
        if (seen.bins()[bin] != 0)
            to.counts[bar_of(to, middle_of(seen, bin))] += seen.bins()[bin];
    return to;
}

/// A tensor of codes, and how much of what was seen of it lies beyond them. `exponents`: scales are powers of two.
[[nodiscard]] inline tensor_report report_of(const tensor_codes& codes, const histogram* seen, bool exponents) {
    tensor_report to;
    to.bits = codes.bits;
    to.scale = codes.scale;
    if (exponents)
        to.exponent = codes.exponent;
    to.zero_point = codes.zero_point;
    to.lowest_code = codes.lowest();
    to.highest_code = codes.highest();
    to.lowest = codes.scale * (codes.lowest() - codes.zero_point);
    to.highest = codes.scale * (codes.highest() - codes.zero_point);
    if (seen == nullptr || seen->count() == 0)
        return to;
    std::uint64_t below = 0;
    std::uint64_t above = 0;
    for (std::size_t bin = 0; bin < histogram::bin_count; ++bin) {
        if (seen->bins()[bin] == 0)
            continue;
        const double code = std::nearbyint(middle_of(*seen, bin) / codes.scale) + codes.zero_point;
        below += code < codes.lowest() ? seen->bins()[bin] : 0;
        above += code > codes.highest() ? seen->bins()[bin] : 0;
    }
    to.clipped_below = static_cast<double>(below) / static_cast<double>(seen->count());
    to.clipped_above = static_cast<double>(above) / static_cast<double>(seen->count());
    return to;
}

/// Weights of a group beside the floats they stand for, [O, I, KH, KW].
[[nodiscard]] inline weight_report report_of(const planned_weights& from, std::span<const float> floats,
                                             scale_form scales) {
    weight_report to;
    to.bits = from.bits;
    to.grain = to_string(from.cut);
    to.shape = from.shape;
    to.bytes = stored_bytes(from, scales);
    to.rows = ceil_div(from.shape[0], from.block_outputs);
    to.columns = from.blocks();
    to.block_outputs = from.block_outputs;
    to.floored = from.floored;
    for (std::size_t row = 0; row < to.rows; ++row)
        for (std::size_t column = 0; column < to.columns; ++column)
            to.scales.push_back(from.scale(row * from.block_outputs, column * from.block_inputs));
    if (scales == scale_form::power_of_two)
        to.exponents = from.exponents;
    const auto [least, largest] = std::ranges::minmax(to.scales);
    to.least_scale = least;
    to.largest_scale = largest;

    error_sum error;
    std::vector<double> values(floats.begin(), floats.end());
    const report_histogram bars = bars_of(values);
    std::uint64_t clipped = 0;
    for (std::size_t k = 0; k < values.size(); ++k) {
        const std::size_t o = k / from.taps() / from.shape[1];
        const std::size_t i = k / from.taps() % from.shape[1];
        error.add(values[k], from.value(o, i, k % from.taps()));
        values[k] =
            (values[k] - from.coarse_value(o, i, k % from.taps())) / from.scale(o, i); // what the fine part codes
        const double code = std::nearbyint(values[k]);
        clipped += code < -exp2_exact(from.bits - 1) || code > exp2_exact(from.bits - 1) - 1 ? 1U : 0U;
    }
    to.error = error.error();
    to.values = bars;
    to.steps = bars_of(values);
    to.clipped = static_cast<double>(clipped) / static_cast<double>(values.size());
    return to;
}

} // namespace notch::detail

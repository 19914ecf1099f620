/// @file
/// A row of blocks of weights while its scales are searched. Part of sub_layer_scales.hpp.
#pragma once

#include <notch/core/int_math.hpp>
#include <notch/ptq/fit_weights.hpp>
#include <notch/ptq/layer_moments.hpp>
#include <notch/ptq/refine_options.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <span>
#include <vector>

namespace notch::detail {

/// to[j] += factor * from[j].
inline void add_scaled(std::size_t count, double factor, const double* from, double* to) noexcept {
    for (std::size_t j = 0; j < count; ++j)
        to[j] += factor * from[j];
}

/// Sum of a[i] b[i], in 16 sums, which hide the latency of an addition.
[[nodiscard]] inline double dot_product(std::size_t count, const double* a, const double* b) noexcept {
    constexpr std::size_t lanes = 16;
    double sums[lanes] = {};
    std::size_t i = 0;
    for (; i + lanes <= count; i += lanes)
        for (std::size_t lane = 0; lane < lanes; ++lane)
            sums[lane] += a[i + lane] * b[i + lane];
    for (; i < count; ++i)
        sums[0] += a[i] * b[i];
    for (std::size_t half = lanes / 2; half != 0; half /= 2)
        for (std::size_t lane = 0; lane < half; ++lane)
            sums[lane] += sums[lane + half];
    return sums[0];
}

/// What a change of weights does to the sums of a metric.
struct metric_change {
    double products = 0; ///< of n
    double squares = 0;  ///< of d
};

/// The outputs [first, last) of a layer, all of which have their blocks in common.
class block_row {
public:
    /// `values`: [O, K] of the layer, of which this keeps the outputs' own; what is rounded. `fixed`: the same, is added to
    /// it and stays; or empty. `importance`: of outputs in the metric, or empty.
    block_row(const layer_moments& moments, std::span<const double> values, std::span<const double> fixed,
              std::size_t first, std::size_t last, const weight_range& range, std::span<const double> importance)
        : moments_(moments), first_(first), depth_(moments.depth), range_(range),
          values_(values.begin() + static_cast<std::ptrdiff_t>(first * depth_),
                  values.begin() + static_cast<std::ptrdiff_t>(last * depth_)),
          weights_(values_.size(), 0.0), left_(values_.size()), importance_(last - first, 1.0) {
        if (!importance.empty())
            std::copy_n(importance.begin() + static_cast<std::ptrdiff_t>(first), importance_.size(),
                        importance_.begin());
        for (std::size_t r = 0; r < rows(); ++r)
            energy_ += importance_[r] * moments.energy[first + r];
        if (!fixed.empty())
            fixed_.assign(fixed.begin() + static_cast<std::ptrdiff_t>(first * depth_),
                          fixed.begin() + static_cast<std::ptrdiff_t>(last * depth_));
        clear();
    }

    [[nodiscard]] std::size_t rows() const noexcept { return importance_.size(); }
    /// Largest magnitude of inputs [begin, end).
    [[nodiscard]] double largest(std::size_t begin, std::size_t end) const noexcept {
        double result = 0;
        for (std::size_t r = 0; r < rows(); ++r)
            for (std::size_t k = begin; k < end; ++k)
                result = std::max(result, std::abs(values_[r * depth_ + k]));
        return result;
    }
    /// The metric as it stands.
    [[nodiscard]] double score(output_metric metric, const metric_change& change = {}) const noexcept {
        const double n = products_ + change.products;
        const double d = squares_ + change.squares;
        if (metric == output_metric::squares)
            return energy_ - 2 * n + d;
        return d > 0 && energy_ > 0 ? 1 - n / std::sqrt(energy_ * d) : 1;
    }

    /// What rounding inputs [begin, end) to a scale would do.
    [[nodiscard]] metric_change change(std::size_t begin, std::size_t end, double scale) {
        metric_change total;
        const std::size_t count = end - begin;
        delta_.resize(count);
        for (std::size_t r = 0; r < rows(); ++r) {
            const double* old = weights_.data() + r * depth_ + begin;
            const double* values = values_.data() + r * depth_ + begin;
            const double inverse = 1 / scale;
            for (std::size_t k = 0; k < count; ++k)
                delta_[k] = scale * code_of(values[k], inverse, range_) - old[k];
            const double* b = moments_.products.data() + (first_ + r) * depth_ + begin;
            const double* left = left_.data() + r * depth_ + begin;
            double products = 0;
            double squares = 0;
            for (std::size_t k = 0; k < count; ++k) {
                products += delta_[k] * b[k];
                squares += 2 * delta_[k] * (b[k] - left[k]);
            }
            total.products += importance_[r] * products;
            total.squares += importance_[r] * (squares + quadratic_form(r, begin, count));
        }
        return total;
    }
    /// Rounds inputs [begin, end) to a scale.
    void apply(std::size_t begin, std::size_t end, double scale) {
        const metric_change total = change(begin, end, scale);
        const double inverse = 1 / scale;
        for (std::size_t r = 0; r < rows(); ++r) {
            const double* gram = moments_.gram(first_ + r);
            for (std::size_t k = begin; k < end; ++k) {
                double& w = weights_[r * depth_ + k];
                const double next = scale * code_of(values_[r * depth_ + k], inverse, range_);
                if (next != w)
                    add_scaled(depth_, w - next, gram + k * depth_, left_.data() + r * depth_);
                w = next;
            }
        }
        products_ += total.products;
        squares_ += total.squares;
    }
    /// Takes all that is rounded back to 0.
    void clear() {
        std::ranges::fill(weights_, 0.0);
        products_ = squares_ = 0;
        std::copy_n(moments_.products.begin() + static_cast<std::ptrdiff_t>(first_ * depth_), left_.size(),
                    left_.begin());
        for (std::size_t r = 0; r < rows() && !fixed_.empty(); ++r) {
            const double* w = fixed_.data() + r * depth_;
            const double* b = moments_.products.data() + (first_ + r) * depth_;
            double* left = left_.data() + r * depth_;
            for (std::size_t k = 0; k < depth_; ++k)
                add_scaled(depth_, -w[k], moments_.gram(first_ + r) + k * depth_, left);
            for (std::size_t k = 0; k < depth_; ++k) {
                products_ += importance_[r] * w[k] * b[k];
                squares_ += importance_[r] * w[k] * (b[k] - left[k]);
            }
        }
    }

private:
    /// delta^T G delta over inputs from `begin` of a row.
    [[nodiscard]] double quadratic_form(std::size_t r, std::size_t begin, std::size_t count) const noexcept {
        const double* gram = moments_.gram(first_ + r) + begin * depth_ + begin;
        double diagonal = 0;
        double above = 0; // G is symmetric
        for (std::size_t i = 0; i < count; ++i) {
            if (delta_[i] == 0)
                continue;
            const double* row = gram + i * depth_;
            diagonal += delta_[i] * row[i] * delta_[i];
            above += delta_[i] * dot_product(count - i - 1, row + i + 1, delta_.data() + i + 1);
        }
        return diagonal + 2 * above;
    }

    const layer_moments& moments_;
    std::size_t first_;
    std::size_t depth_;
    weight_range range_;
    std::vector<double> values_;  // [rows, K]
    std::vector<double> fixed_{}; // [rows, K], or empty
    std::vector<double> weights_; // what codes stand for
    std::vector<double> left_;    // b - G w
    std::vector<double> importance_;
    double energy_ = 0;
    double products_ = 0;
    double squares_ = 0;
    std::vector<double> delta_{};
};

} // namespace notch::detail

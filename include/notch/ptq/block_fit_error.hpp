/// @file
/// What codes of some bits lose of a layer, for an order of its channels: the best scale of every block, by weighted
/// squares.
///
///     E = c sum over blocks of  min over s of  sum over its weights of  m_i (w - s clamp(round(w / s)))^2
///
/// m_i is the mean square of input channel i (or 1), 1 / c = sum of m_i w^2, and s runs over the scales of
/// weight_fit::least_squares (fit_weights.hpp). So 1 / E is the signal-to-noise ratio of the weights.
#pragma once

#include <notch/core/int_math.hpp>
#include <notch/ptq/block_cost.hpp>
#include <notch/ptq/fit_weights.hpp>
#include <notch/ptq/policy.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <vector>

namespace notch::detail {

/// The least weighted square error of one block over the scales of a form.
class weighted_scale_search {
public:
    weighted_scale_search(int bits, scale_form form) : range_(range_of(bits)), form_(form) {}

    [[nodiscard]] double operator()(const std::vector<double>& w, const std::vector<double>& m) const {
        double largest = 0;
        for (const double x : w)
            largest = std::max(largest, std::abs(x));
        if (largest == 0)
            return 0;
        const double whole = std::max(largest / range_.highest, exp2_exact(-100));
        if (form_ == scale_form::power_of_two) {
            const int e = floor_log2(whole);
            double scale = exp2_exact(exp2_exact(e) < whole ? e + 1 : e);
            double best = error(w, m, scale);
            for (int below = 1; below <= 4; ++below)
                best = std::min(best, error(w, m, scale *= 0.5));
            return best;
        }
        double best = error(w, m, largest / -range_.lowest);
        for (int percent = 100; percent > 15; --percent)
            best = std::min(best, error(w, m, whole * percent / 100));
        return best;
    }

private:
    [[nodiscard]] double error(const std::vector<double>& w, const std::vector<double>& m,
                               double scale) const noexcept {
        const double inverse = 1 / scale;
        double sum = 0;
        for (std::size_t i = 0; i < w.size(); ++i) {
            const double e = w[i] - scale * code_of(w[i], inverse, range_);
            sum += m[i] * e * e;
        }
        return sum;
    }

    weight_range range_;
    scale_form form_;
};

/// E of a layer, for slots (new -> old) of input and output.
[[nodiscard]] inline double fit_error(const blocked_layer& of, const weighted_scale_search& search,
                                      const std::vector<std::size_t>& from, const std::vector<std::size_t>& to) {
    const auto [outputs, inputs, taps] = of.weights().shape;
    const auto [high, wide] = of.block();
    std::vector<double> w;
    std::vector<double> m;
    double error = 0;
    for (std::size_t row = 0; row < outputs; row += high)
        for (std::size_t column = 0; column < inputs; column += wide) {
            w.clear();
            m.clear();
            for (std::size_t o = row; o < std::min(row + high, outputs); ++o)
                for (std::size_t i = column; i < std::min(column + wide, inputs); ++i) {
                    const std::size_t old = of.old_column(o, i, from);
                    const float* values = of.weights().values + (to[o] * inputs + old) * taps;
                    w.insert(w.end(), values, values + taps);
                    m.insert(m.end(), taps, of.power(to[o], old) / static_cast<double>(taps));
                }
            error += search(w, m);
        }
    return of.factor() * error;
}

} // namespace notch::detail

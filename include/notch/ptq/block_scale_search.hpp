/// @file
/// The scale of one block of weights, by the error of its weights. Part of fit_weights.hpp, which says what is tried.
#pragma once

#include <notch/core/int_math.hpp>
#include <notch/ptq/policy.hpp>
#include <notch/ptq/weight_codes.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <span>

namespace notch::detail {

/// Square error of weights in codes of one scale. `importance`: of each weight, or empty: 1.
[[nodiscard]] inline double square_error(std::span<const double> w, double scale, const weight_range& range,
                                         std::span<const double> importance = {}) noexcept {
    const double inverse = 1 / scale;
    const auto sum = [&](const auto& importance_of) {
        double error = 0;
        for (std::size_t i = 0; i < w.size(); ++i) {
            const double e = w[i] - scale * code_of(w[i], inverse, range);
            error += importance_of(i) * e * e;
        }
        return error;
    };
    return importance.empty() ? sum([](std::size_t) { return 1.0; })
                              : sum([&](std::size_t i) { return importance[i]; });
}

/// The scale of one block.
class block_scale_search {
public:
    block_scale_search(int bits, weight_fit fit, scale_form form) : range_(range_of(bits)), fit_(fit), form_(form) {}

    /// The best scale that is at least `floor` (0: none). `importance`: of each weight in the error, or empty: 1.
    [[nodiscard]] double operator()(std::span<const double> w, double floor, std::span<const double> importance = {}) {
        importance_ = importance;
        best_error_ = 0;
        double largest = 0;
        for (const double x : w)
            largest = std::max(largest, std::abs(x));
        const double least = snapped_up(std::max(floor, exp2_exact(-100)));
        if (largest == 0)
            return floor > 0 ? least : 1;
        const double whole = snapped_up(std::max(largest / range_.highest, exp2_exact(-100)));
        if (fit_ == weight_fit::min_max || whole <= least)
            return std::max(whole, least);
        best_ = whole;
        best_error_ = square_error(w, whole, range_, importance);
        if (form_ == scale_form::power_of_two)
            for (int below = 1; below <= 4; ++below)
                try_scale(w, whole * exp2_exact(-below), least);
        else {
            for (int percent = 99; percent > 15; --percent)
                try_scale(w, as_float(largest / range_.highest * percent / 100), least);
            try_scale(w, as_float(largest / -range_.lowest), least);
        }
        return best_;
    }
    /// The error of the scale that was found, where scales were compared; 0 for weights that are 0.
    [[nodiscard]] double error() const noexcept { return best_error_; }

private:
    void try_scale(std::span<const double> w, double scale, double least) {
        if (scale < least)
            return;
        const double error = square_error(w, scale, range_, importance_);
        if (error < best_error_ || (error == best_error_ && scale > best_)) {
            best_ = scale;
            best_error_ = error;
        }
    }
    /// The smallest scale of the form that is not below a number, but for the rounding to a float.
    [[nodiscard]] double snapped_up(double x) const {
        return form_ == scale_form::power_of_two ? power_above(x) : as_float(x);
    }

    weight_range range_;
    weight_fit fit_;
    scale_form form_;
    std::span<const double> importance_{};
    double best_ = 0;
    double best_error_ = 0;
};

} // namespace notch::detail

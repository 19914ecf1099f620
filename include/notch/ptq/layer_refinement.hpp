/// @file
/// What searches by the result of a layer begin and end with. Part of sub_layer_scales.hpp and round_to_results.hpp.
#pragma once

#include <notch/core/int_math.hpp>
#include <notch/ptq/layer_moments.hpp>
#include <notch/ptq/layer_numbers.hpp>
#include <notch/ptq/plan.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace notch {

/// What became of one layer.
struct scale_search_result {
    double energy = 0; ///< sum of squares of the results
    double before = 0; ///< square error with the weights that the plan had
    double after = 0;  ///< with those that were found
};

namespace detail {

/// Square error of a layer with the weights of a plan. `importance`: a factor for each output, or empty.
[[nodiscard]] inline double error_of(const planned_weights& weights, const layer_moments& moments,
                                     std::span<const double> importance = {}) {
    std::vector<double> w(moments.depth);
    double total = 0;
    for (std::size_t o = 0; o < moments.outputs; ++o) {
        for (std::size_t k = 0; k < w.size(); ++k)
            w[k] = weights.value(o, k / weights.taps(), k % weights.taps());
        total += moments.error(o, w) * (importance.empty() ? 1.0 : importance[o]);
    }
    return total;
}

/// One layer while its weights are refined.
class layer_refinement {
public:
    /// `centred`: errors are about their means, which the bias takes. `importance`: as for error_of. The plan, the moments and
    /// the importances outlive this.
    layer_refinement(const plan& of, std::size_t g, const layer_moments& moments, bool centred,
                     std::span<const double> importance = {})
        : numbers(numbers_of(of, g)), plan_(of), group_(g), moments_(moments), is_centred_(centred),
          importance_(importance) {
        if (centred)
            about_means_ = moments.centred();
        for (const double e : errors().energy)
            result.energy += e;
        result.before = error(*of.groups[g].weights);
    }

    /// Moments of what counts as an error.
    [[nodiscard]] const layer_moments& errors() const noexcept { return is_centred_ ? about_means_ : moments_; }
    /// What weights lose.
    [[nodiscard]] double error(const planned_weights& weights) const {
        return error_of(weights, errors(), importance_);
    }
    /// Gives weights their bias.
    void set_bias(planned_weights& weights) const {
        weights.bias = is_centred_ ? bias_keeping_means(weights) : bias_codes(plan_, group_, numbers, weights);
    }

    layer_numbers numbers;        ///< of the float layer
    scale_search_result result{}; ///< energy and before

private:
    /// With it results keep their means.
    [[nodiscard]] std::vector<std::int32_t> bias_keeping_means(const planned_weights& weights) const {
        std::vector<std::int32_t> codes(moments_.outputs, 0);
        for (std::size_t o = 0; o < moments_.outputs; ++o) {
            const double* inputs = moments_.inputs.data() + moments_.group_of(o) * moments_.depth;
            double mean = moments_.results[o];
            for (std::size_t k = 0; k < moments_.depth; ++k)
                mean -= weights.value(o, k / weights.taps(), k % weights.taps()) * inputs[k];
            mean = mean / moments_.positions + (numbers.bias.empty() ? 0.0 : static_cast<double>(numbers.bias[o]));
            const double unit = sum_scale(weights, *plan_.tensors[plan_.groups[group_].where.inputs[0]], o);
            codes[o] = static_cast<std::int32_t>(
                std::clamp(std::nearbyint(mean / unit), -exp2_exact(bias_bits), exp2_exact(bias_bits)));
        }
        return codes;
    }

    const plan& plan_;
    std::size_t group_;
    const layer_moments& moments_;
    bool is_centred_;
    std::span<const double> importance_;
    layer_moments about_means_{};
};

} // namespace detail
} // namespace notch

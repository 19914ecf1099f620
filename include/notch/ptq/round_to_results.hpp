/// @file
/// round_to_results: codes of weights are rounded up or down so that the error of the layer's result is small, not each to the
/// nearest. No gradients: the error is a quadratic form (layer_moments.hpp), whose coordinates are descended.
///
///     w -> w + d for one weight, d = +-s to its other neighbour:   E changes by -2 d (b - G w)_k + d^2 (G_kk + a)
///
/// Passes over all weights of an output, in order, until none changes or `passes` are made; a weight always stays at one of
/// the two codes around its real. a = `damping` times the mean of the diagonal of G: it keeps weights that the images say
/// nothing about at their nearest code. From nearest codes the error never rises. Cost of an output: K^2 per code that changes.
///
/// Source: the objective of Nagel et al., "Up or down? Adaptive rounding for post-training quantization", ICML 2020, equation
/// 12, which that paper relaxes and descends by gradients.
#pragma once

#include <notch/core/executor.hpp>
#include <notch/core/int_math.hpp>
#include <notch/ptq/refine_options.hpp>
#include <notch/ptq/sub_layer_scales.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace notch {

namespace detail {

/// The codes of one output.
class output_rounding {
public:
    output_rounding(planned_weights& weights, const layer_numbers& from, const layer_moments& moments, std::size_t o,
                    double damping)
        : weights_(weights), o_(o), range_(range_of(weights.bits)), depth_(moments.depth), taps_(weights.taps()),
          gram_(moments.gram(o)), values_(depth_),
          left_(moments.products.begin() + static_cast<std::ptrdiff_t>(o * depth_),
                moments.products.begin() + static_cast<std::ptrdiff_t>((o + 1) * depth_)) {
        for (std::size_t k = 0; k < depth_; ++k) {
            values_[k] =
                static_cast<double>(from.values[o * depth_ + k]) - weights.coarse_value(o, k / taps_, k % taps_);
            add_scaled(depth_, -weights.value(o, k / taps_, k % taps_), gram_ + k * depth_, left_.data());
            damping_ += gram_[k * depth_ + k];
        }
        damping_ *= damping / static_cast<double>(depth_);
    }

    /// One pass; true where a code changed.
    bool pass() {
        bool changed = false;
        for (std::size_t k = 0; k < depth_; ++k) {
            const double scale = weights_.scale(o_, k / taps_);
            const double real = values_[k] / scale;
            const double step = code(k) < real ? 1 : -1;
            const double next = code(k) + step;
            if (std::abs(next - real) >= 1 || next < range_.lowest || next > range_.highest)
                continue;
            const double d = step * scale;
            const double own = values_[k] - scale * code(k); // what damping holds on to
            const double change = d * (d * gram_[k * depth_ + k] - 2 * left_[k]) + damping_ * d * (d - 2 * own);
            if (change >= 0)
                continue;
            weights_.codes[o_ * depth_ + k] = static_cast<std::int8_t>(next);
            add_scaled(depth_, -d, gram_ + k * depth_, left_.data());
            changed = true;
        }
        return changed;
    }

private:
    [[nodiscard]] double code(std::size_t k) const noexcept { return weights_.codes[o_ * depth_ + k]; }

    planned_weights& weights_;
    std::size_t o_;
    weight_range range_;
    std::size_t depth_;
    std::size_t taps_;
    const double* gram_;
    std::vector<double> values_; // what the codes shall say
    std::vector<double> left_;   // b - G w
    double damping_ = 0;
};

} // namespace detail

/// Rounds the weights of group g of a plan anew, see above; with centred errors the bias takes the means. Outputs are tasks of
/// the executor. Precondition: the group has weights and moments of their extents.
template <executor Executor = serial>
scale_search_result round_to_results(plan& of, std::size_t g, const layer_moments& moments,
                                     const rounding_options& options = {}, Executor&& run = {}) {
    planned_weights& weights = *of.groups[g].weights;
    detail::layer_refinement layer(of, g, moments, options.centred);
    const std::vector<std::int8_t> nearest = weights.codes;
    detail::run_tasks(detail::executor_ref(run), moments.outputs, [&](std::size_t o) {
        detail::output_rounding rounding(weights, layer.numbers, layer.errors(), o, options.damping);
        for (std::size_t pass = 0; pass < options.passes && rounding.pass(); ++pass) {
        }
    });
    detail::find_least(weights);
    if (!detail::sums_fit(weights, 0, weights.shape[0])) { // hardly ever: sums stood just below their bound
        weights.codes = nearest;
        detail::find_least(weights);
    }
    layer.result.after = layer.error(weights);
    layer.set_bias(weights);
    return layer.result;
}

} // namespace notch

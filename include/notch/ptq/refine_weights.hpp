/// @file
/// refine_weights: the weights of a plan, fitted and rounded to what layers should give on images, as a policy wants it.
///
///     plan p = make_plan(seen, policy);               policy.weights.fit = weight_fit::by_results, or .rounding, or both
///     refine_weights(p, policy, images);              some 128 images
///
/// Each layer is refined on the inputs that the float network gives it; refine_in_order (deploy/refine_in_order.hpp) takes
/// those of the quantized network instead. Biases take the means of what is left. Costs nothing at run time.
#pragma once

#include <notch/core/executor.hpp>
#include <notch/ptq/measure_moments.hpp>
#include <notch/ptq/plan.hpp>
#include <notch/ptq/policy.hpp>
#include <notch/ptq/refine_options.hpp>
#include <notch/ptq/round_to_results.hpp>
#include <notch/ptq/sub_layer_scales.hpp>

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace notch {

/// What became of the layers of a network.
struct refined_layer {
    std::string name{};   ///< of the layer
    double energy = 0;    ///< sum of squares of its results
    double before = 0;    ///< square error, about the means, with the weights that the plan had
    double after_fit = 0; ///< with the scales that were found
    double after = 0;     ///< with the codes that were found
};

namespace detail {

/// Refines one layer.
template <class Executor>
refined_layer refine_layer(plan& of, std::size_t g, const layer_moments& moments, const quantization_policy& policy,
                           const refine_options& options, Executor&& run) {
    refined_layer to;
    to.name = of.net.layers[of.groups[g].where.layer].name;
    weight_fit fit = policy.weights.fit;
    for (const layer_override& o : policy.overrides)
        if (o.layer == to.name)
            fit = o.fit.value_or(fit);
    std::optional<scale_search_result> found;
    if (fit == weight_fit::by_results)
        found = search_scales(of, g, moments, options.scales, nullptr, {}, run);
    if (policy.weights.rounding == weight_rounding::by_results) {
        const scale_search_result rounded = round_to_results(of, g, moments, options.rounding, run);
        to.after = rounded.after;
        if (!found)
            found = {rounded.energy, rounded.before, rounded.before};
    } else {
        to.after = found ? found->after : 0;
    }
    if (found) {
        to.energy = found->energy;
        to.before = found->before;
        to.after_fit = found->after;
    }
    return to;
}

/// Whether a policy wants images for weights.
[[nodiscard]] inline bool wants_refinement(const quantization_policy& policy) {
    bool wants = policy.weights.fit == weight_fit::by_results || policy.weights.rounding == weight_rounding::by_results;
    for (const layer_override& o : policy.overrides)
        wants = wants || o.fit == weight_fit::by_results;
    return wants;
}

} // namespace detail

/// Refines the weights of all layers as a policy wants it, see above; nothing where it wants none. `images`: [count, C, H, W] of
/// the network's input. One entry per layer with weights. The result does not depend on the executor. Raises shape_error
/// unless the floats are whole images, at least one.
template <class Arch = simd::default_arch, executor Executor = serial>
std::vector<refined_layer> refine_weights(plan& of, const quantization_policy& policy, std::span<const float> images,
                                          const refine_options& options = {}, Executor&& run = {}) {
    std::vector<refined_layer> layers;
    if (!detail::wants_refinement(policy))
        return layers;
    const std::vector<std::optional<layer_moments>> moments = measure_moments<Arch>(of, images, run);
    for (std::size_t g = 0; g < of.groups.size(); ++g)
        if (moments[g])
            layers.push_back(detail::refine_layer(of, g, *moments[g], policy, options, run));
    return layers;
}

} // namespace notch

/// @file
/// The methods in their order: a float network becomes a plan.
///
///     quantization_recipe recipe;
///     recipe.policy.weights = {.bits = 4, .fit = weight_fit::by_results, .rounding = weight_rounding::by_results};
///     recipe.rescale = recipe.reorder = true;
///     const plan p = quantize(net, images, recipe);
///
/// | step | needs | rewrites |
/// |---|---|---|
/// | prepare: batch norms folded, branches fused | | network |
/// | rescale (mutual_rescale.hpp; by results: rescale_by_results.hpp) | images | network |
/// | absorb (absorb_bias.hpp) | images | network |
/// | reorder (sub_layer_reorder.hpp), where weights have blocks of several outputs or inputs | images | network |
/// | calibrate | images | |
/// | ranges by results (choose_ranges.hpp) | images | plan |
/// | split (coarse_fine_split.hpp), fit and rounding to nearest: make_plan | | plan |
/// | fit and rounding by results, in order (refine_in_order.hpp); fit alone, or not in order: refine_weights.hpp | images | plan |
/// | bias correction (correct_biases.hpp) | images | plan |
///
/// The order is that in which a step stands on what the ones before it have settled: magnitudes of channels, then their order,
/// then parts, scales, codes, and biases last. Every step may be left out. Afterwards everything runs in integers; nothing
/// of a step costs anything at run time but the coarse part of split weights.
///
/// rewrite, then calibrate, then plan_of are the same in three parts, for those who stream images.
#pragma once

#include <notch/core/executor.hpp>
#include <notch/deploy/correct_biases.hpp>
#include <notch/deploy/recipe.hpp>
#include <notch/deploy/refine_in_order.hpp>
#include <notch/deploy/rescale_by_results.hpp>
#include <notch/model/network.hpp>
#include <notch/ptq/absorb_bias.hpp>
#include <notch/ptq/calibrate.hpp>
#include <notch/ptq/channel_statistics.hpp>
#include <notch/ptq/choose_ranges.hpp>
#include <notch/ptq/make_plan.hpp>
#include <notch/ptq/mutual_rescale.hpp>
#include <notch/ptq/prepare.hpp>
#include <notch/ptq/refine_weights.hpp>
#include <notch/ptq/sub_layer_reorder.hpp>

#include <algorithm>
#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace notch {

namespace detail {

/// Images of a span, at most some.
[[nodiscard]] inline std::span<const float> first_images(const network& net, std::span<const float> images,
                                                         std::size_t most) {
    const std::size_t size = element_count(net.tensors[net.input].shape);
    return images.first(std::min(most * size, images.size()));
}

/// Names of the first and the last layer with weights.
[[nodiscard]] inline std::vector<std::string> ends_of(const network& net) {
    std::vector<std::string> names;
    for (const layer& l : net.layers)
        if (has_weights(l.op)) {
            if (names.size() == 2)
                names.pop_back();
            names.push_back(l.name);
        }
    return names;
}

/// Whether a grain has blocks that an order of channels matters to.
[[nodiscard]] inline bool has_blocks(const quantization_policy& policy) {
    const auto matters = [](const grain& g) {
        return g.kind == grain_kind::per_group || g.kind == grain_kind::sub_layer;
    };
    return matters(policy.weights.cut) ||
           std::ranges::any_of(policy.overrides, [&](const layer_override& o) { return o.cut && matters(*o.cut); });
}

} // namespace detail

/// The steps that rewrite the network, for images [n, C, H, W] of which at most recipe.channel_images are looked at. The result computes
/// what `net` computes, but for channels that a clip meets on other images only. Raises the errors of the steps.
template <class Arch = simd::default_arch, executor Executor = serial>
[[nodiscard]] network rewrite(const network& net, std::span<const float> images, const quantization_recipe& recipe,
                              Executor&& run = {}) {
    network to = prepare(net).net;
    const bool reorders = recipe.reorder && detail::has_blocks(recipe.policy);
    if (!recipe.rescale && !recipe.absorb && !reorders)
        return to;
    std::vector<measured_channels> seen =
        measure_channels(to, detail::first_images(net, images, recipe.channel_images), run);
    if (recipe.rescale) {
        const rescale_options options = detail::with_bits_of(recipe.policy, recipe.rescaling);
        const auto few = detail::first_images(net, images, std::min(recipe.rescale_images, recipe.images));
        const std::size_t count = few.size() / element_count(net.tensors[net.input].shape);
        rescaled_network rescaled =
            options.rule == rescale_rule::by_results
                ? rescale_by_results<Arch>(std::move(to), seen, recipe.policy, few, count, options, run)
                : rescale_channels(std::move(to), seen, options);
        to = std::move(rescaled.net);
        seen = std::move(rescaled.seen);
    }
    if (recipe.absorb) {
        absorbed_network absorbed = absorb_biases(std::move(to), seen);
        to = std::move(absorbed.net);
        seen = std::move(absorbed.seen);
    }
    if (reorders) {
        reorder_options options = recipe.ordering;
        options.bits = recipe.policy.weights.bits;
        options.scales = recipe.policy.scales;
        options.overrides = recipe.policy.overrides;
        if (recipe.policy.first_last_bits != 0) // other bits, and not many weights
            for (const std::string& name : detail::ends_of(to))
                options.left_out.push_back(name);
        to = reorder_for(to, recipe.policy.weights.cut, seen, options, run).net;
    }
    return to;
}

/// The steps behind a calibration of a rewritten network. `images`: as for rewrite. Raises the errors of the steps.
template <class Arch = simd::default_arch, executor Executor = serial>
[[nodiscard]] plan plan_of(const calibration& seen, std::span<const float> images, const quantization_recipe& recipe,
                           Executor&& run = {}) {
    const network& net = seen.prepared.net;
    const std::size_t size = element_count(net.tensors[net.input].shape);
    const auto some = [&](std::size_t most) { return detail::first_images(net, images, most); };
    std::vector<std::optional<tensor_codes>> ranges;
    if (recipe.policy.activations.rule == range_rule::by_results) {
        const auto few = some(recipe.range_images);
        ranges = choose_ranges<Arch>(seen, recipe.policy, few, few.size() / size, nullptr, run);
    }
    plan to = make_plan(seen, recipe.policy, ranges);
    const auto looked_at = some(recipe.images);
    // Scales alone take back nothing of what was lost before them; on a lost network they would follow noise.
    if (recipe.in_order && recipe.policy.weights.rounding == weight_rounding::by_results)
        refine_in_order<Arch>(to, recipe.policy, looked_at, looked_at.size() / size, recipe.refining, run);
    else
        refine_weights<Arch>(to, recipe.policy, looked_at, recipe.refining, run);
    if (recipe.bias_images != 0) {
        const auto taken = some(recipe.bias_images);
        correct_biases<Arch>(to, taken, taken.size() / size);
    }
    return to;
}

/// All steps, on images [n, C, H, W]. Raises the errors of the steps.
template <class Arch = simd::default_arch, executor Executor = serial>
[[nodiscard]] plan quantize(const network& net, std::span<const float> images, const quantization_recipe& recipe,
                            Executor&& run = {}) {
    const network rewritten = rewrite<Arch>(net, images, recipe, run);
    return plan_of<Arch>(calibrate(rewritten, images, {}, run), images, recipe, run);
}

} // namespace notch

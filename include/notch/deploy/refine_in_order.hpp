/// @file
/// refine_in_order: as refine_weights, layer after layer, each on the codes that the layers before it, refined already, give. So a
/// layer takes back what they lost, as far as its weights and its bias can.
///
/// The results that are aimed at are those of the float network. Costs one float run, one simulation, and the moments of each
/// layer; all tensors of the images are held in memory: 130 KB of ResNet-20's per image, twice.
/// With nearest codes (weight_rounding::nearest) a layer can take back little, and where a network is lost its scales follow noise:
/// refine_weights is the better choice there.
/// Source: asymmetric reconstruction, as in Nagel et al., "Up or down?", ICML 2020, section 4.2.
#pragma once

#include <notch/core/executor.hpp>
#include <notch/deploy/simulate.hpp>
#include <notch/model/forward.hpp>
#include <notch/ptq/measure_moments.hpp>
#include <notch/ptq/plan.hpp>
#include <notch/ptq/refine_weights.hpp>

#include <cstddef>
#include <span>
#include <vector>

namespace notch {

/// Refines the weights of all layers in order, see above. `images`: [count, C, H, W] of the network's input. One entry per
/// layer with weights. The result does not depend on the executor. Raises shape_error for another number of floats.
template <class Arch = simd::default_arch, executor Executor = serial>
std::vector<refined_layer> refine_in_order(plan& of, const quantization_policy& policy, std::span<const float> images,
                                           std::size_t count, const refine_options& options = {}, Executor&& run = {}) {
    std::vector<refined_layer> layers;
    if (!detail::wants_refinement(policy))
        return layers;
    const network& net = of.net;
    std::vector<bool> is_wanted(net.tensors.size(), false);
    for (const planned_group& group : of.groups)
        if (group.weights)
            is_wanted[net.layers[group.where.layer].output] = true;
    std::vector<std::vector<float>> wanted(net.tensors.size());
    std::vector<float> entered; // the tensor that codes enter
    std::vector<float> results(count * element_count(net.tensors[net.output].shape));
    const float_program floats(net);
    floats.run<Arch>(
        images, count, results,
        [&](std::size_t tensor, std::span<const float> values) {
            if (tensor == of.input)
                entered.assign(values.begin(), values.end());
            if (is_wanted[tensor])
                wanted[tensor].assign(values.begin(), values.end());
        },
        run);
    simulator<Arch> simulate(of);
    simulate.run(
        entered, count, results, [](std::size_t, std::span<const float>) {},
        [](std::size_t, std::span<const double>) {},
        [&](std::size_t g, std::span<const float> codes) {
            const layer_group& where = of.groups[g].where;
            std::vector<float>& target = wanted[net.layers[where.layer].output];
            detail::moment_collector collector = detail::collector_of(of, g);
            for (std::size_t i = 0; i < count; ++i)
                collector.add<Arch>(codes.data() + i * (codes.size() / count),
                                    target.data() + i * (target.size() / count));
            target = {};
            layers.push_back(detail::refine_layer(of, g, collector.moments(of.tensors[where.inputs[0]]->scale), policy,
                                                  options, run));
        });
    return layers;
}

} // namespace notch

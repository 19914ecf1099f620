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
#include <notch/deploy/float_results.hpp>
#include <notch/deploy/simulate.hpp>
#include <notch/model/network.hpp>
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
    std::vector<std::vector<float>> wanted(of.groups.size());
    const std::vector<float> entered = detail::run_floats<Arch>(
        of, images, count,
        [&](std::size_t g, std::span<const float> values) { wanted[g].assign(values.begin(), values.end()); }, run);
    std::vector<float> results(count * element_count(of.net.tensors[of.net.output].shape));
    simulator<Arch> simulate(of);
    simulate.run(
        entered, count, results, [](std::size_t, std::span<const float>) {},
        [](std::size_t, std::span<const double>) {},
        [&](std::size_t g, std::span<const float> codes) {
            const layer_group& where = of.groups[g].where;
            std::vector<float>& target = wanted[g];
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

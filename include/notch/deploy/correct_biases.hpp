/// @file
/// correct_biases: empirical bias correction. Rounding weights and activations shifts the mean of every channel; the bias takes
/// the shift back.
///
///     bias[o] += round((mean of the float result of the layer - mean of the simulated one) / sum_scale[o])
///
/// Means are over all images and pixels, before a sum and a clip. Layers are corrected in order, each on the codes that the
/// corrected ones before it give. Costs one float run and one simulation of the images; nothing at run time.
/// Source: Nagel et al., "Data-free quantization through weight equalization and bias correction", ICCV 2019, section 4.2.2.
#pragma once

#include <notch/core/executor.hpp>
#include <notch/deploy/float_results.hpp>
#include <notch/deploy/simulate.hpp>
#include <notch/model/network.hpp>
#include <notch/ptq/plan.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace notch {
namespace detail {

/// Means over images and pixels of numbers [count, channels, ...].
template <class T>
[[nodiscard]] std::vector<double> channel_means(std::span<const T> x, std::size_t count, std::size_t channels) {
    std::vector<double> means(channels, 0.0);
    const std::size_t pixels = x.size() / count / channels;
    for (std::size_t i = 0; i < x.size(); ++i)
        means[i / pixels % channels] += static_cast<double>(x[i]);
    for (double& mean : means)
        mean /= static_cast<double>(count * pixels);
    return means;
}

} // namespace detail

/// Corrects the biases of a plan on images [count, C, H, W] of the network's input, all of which are held in memory with their
/// tensors: some hundred are plenty. Raises shape_error for another number of floats. A bias stays within 22 bits.
template <class Arch = simd::default_arch>
void correct_biases(plan& of, std::span<const float> images, std::size_t count) {
    std::vector<std::vector<double>> wanted(of.groups.size()); // means of what the layers with weights give
    const std::vector<float> entered = detail::run_floats<Arch>(
        of, images, count,
        [&](std::size_t g, std::span<const float> values) {
            wanted[g] = detail::channel_means(values, count, of.groups[g].weights->shape[0]);
        },
        serial{});
    std::vector<float> results(count * element_count(of.net.tensors[of.net.output].shape));
    simulator<Arch> simulate(of);
    simulate.run(
        entered, count, results, [](std::size_t, std::span<const float>) {},
        [&](std::size_t g, std::span<const double> sums) {
            const layer_group& where = of.groups[g].where;
            planned_weights& weights = *of.groups[g].weights;
            const std::vector<double>& means = wanted[g];
            const std::vector<double> got = detail::channel_means(sums, count, weights.shape[0]);
            for (std::size_t o = 0; o < means.size(); ++o) {
                const double unit = sum_scale(weights, *of.tensors[where.inputs[0]], o);
                const double bias = std::nearbyint(means[o] / unit - got[o]);
                weights.bias[o] = static_cast<std::int32_t>(std::clamp(bias, -4194304.0, 4194304.0));
            }
        });
}

} // namespace notch

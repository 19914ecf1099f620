/// @file
/// measure_moments: images pass a float network, and every layer with weights keeps the moments of its inputs, as the codes of a
/// plan hold them, and of its results.
///
/// Inputs are those of the float network, each rounded to codes; layers do not see what the layers before them lose. Where
/// that matters, deploy/refine_in_order.hpp takes the codes of the quantized network instead.
///
/// Cost: K^2 products per position of a layer of K inputs per output: 0.4 G per image for ResNet-20. Memory: moments of
/// all layers, and tensors of a batch that layers with weights read.
#pragma once

#include <notch/core/executor.hpp>
#include <notch/model/forward.hpp>
#include <notch/ptq/image_batches.hpp>
#include <notch/ptq/layer_moments.hpp>
#include <notch/ptq/layer_numbers.hpp>
#include <notch/ptq/plan.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <optional>
#include <span>
#include <vector>

namespace notch {
namespace detail {

/// Reals as codes less their zero point.
inline void to_code_steps(std::span<const float> from, const tensor_codes& codes, std::vector<float>& to) {
    const double lowest = codes.lowest() - codes.zero_point;
    const double highest = codes.highest() - codes.zero_point;
    to.resize(from.size());
    for (std::size_t i = 0; i < from.size(); ++i)
        to[i] =
            static_cast<float>(std::clamp(std::nearbyint(static_cast<double>(from[i]) / codes.scale), lowest, highest));
}

/// A collector for the first layer of a group.
[[nodiscard]] inline moment_collector collector_of(const plan& of, std::size_t g) {
    const layer_group& where = of.groups[g].where;
    const layer_numbers numbers = numbers_of(of, g);
    std::vector<std::size_t> image = of.net.tensors[where.inputs[0]].shape;
    std::vector<std::size_t> result = of.net.tensors[of.net.layers[where.layer].output].shape;
    if (image.size() == 1) { // a product: over an image, where the weights say so
        image.assign(numbers.shape.begin() + 1, numbers.shape.end());
        result = {result[0], 1, 1};
    }
    return {numbers, image, result};
}

} // namespace detail

/// Moments of the groups of a plan, nothing for groups without weights. `images`: [count, C, H, W] of the network's input,
/// shown 32 at a time. The result does not depend on the executor. Raises shape_error unless the floats are whole
/// images, at least one.
template <class Arch = simd::default_arch, executor Executor = serial>
[[nodiscard]] std::vector<std::optional<layer_moments>> measure_moments(const plan& of, std::span<const float> images,
                                                                        Executor&& run = {}) {
    const float_program program(of.net);
    std::vector<std::optional<detail::moment_collector>> collectors(of.groups.size());
    std::vector<std::optional<std::size_t>> group_of_tensor(of.net.tensors.size()); // of the float result of a layer
    std::vector<std::size_t> readers(of.net.tensors.size(), 0);
    for (std::size_t g = 0; g < of.groups.size(); ++g)
        if (of.groups[g].weights) {
            collectors[g].emplace(detail::collector_of(of, g));
            group_of_tensor[of.net.layers[of.groups[g].where.layer].output] = g;
            ++readers[of.groups[g].where.inputs[0]];
        }
    std::vector<std::vector<float>> codes(of.net.tensors.size());
    constexpr std::size_t batch = 32;
    std::vector<float> output(batch * program.output_size());
    const auto show = [&](std::span<const float> some, std::size_t n, std::size_t) {
        std::vector<std::size_t> left = readers;
        program.run<Arch>(
            some, n, std::span(output).first(n * program.output_size()),
            [&](std::size_t tensor, std::span<const float> values) {
                if (const auto g = group_of_tensor[tensor]) {
                    const std::size_t from = of.groups[*g].where.inputs[0];
                    for (std::size_t i = 0; i < n; ++i)
                        collectors[*g]->add<Arch>(codes[from].data() + i * (codes[from].size() / n),
                                                  values.data() + i * (values.size() / n));
                    if (--left[from] == 0)
                        codes[from] = {};
                }
                if (readers[tensor] != 0)
                    detail::to_code_steps(values, *of.tensors[tensor], codes[tensor]);
            },
            run);
    };
    detail::for_each_batch("measure_moments", of.net.tensors[of.net.input].shape, images, batch, show);
    std::vector<std::optional<layer_moments>> result(of.groups.size());
    for (std::size_t g = 0; g < of.groups.size(); ++g)
        if (collectors[g])
            result[g] = collectors[g]->moments(of.tensors[of.groups[g].where.inputs[0]]->scale);
    return result;
}

} // namespace notch

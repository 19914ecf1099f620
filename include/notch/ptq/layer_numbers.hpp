/// @file
/// The floats of a layer with weights as a plan needs them. Part of make_plan.hpp and of the methods that rewrite plans.
#pragma once

#include <notch/core/int_math.hpp>
#include <notch/model/network.hpp>
#include <notch/model/simplify.hpp>
#include <notch/ptq/plan.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>
#include <variant>
#include <vector>

namespace notch::detail {

/// In the scale of the sums a bias has at most this many bits, so that floats hold it too; a residual is shifted by at most
/// this much; and a result by as much to the right.
inline constexpr int bias_bits = 22;
inline constexpr int residual_shift = 20;
inline constexpr int result_shift = 29;

/// Weights, as [O, I, KH, KW], and bias of a layer, as long as its network lives.
struct layer_numbers {
    std::span<const float> values{};
    std::vector<std::size_t> shape{};
    std::span<const float> bias{}; ///< [O], or empty
    notch::window window{};
    std::size_t groups = 1;

    /// Inputs of an output.
    [[nodiscard]] std::size_t depth() const noexcept { return shape[1] * shape[2] * shape[3]; }
};

/// The tensor in front of reshapes.
[[nodiscard]] inline std::size_t tensor_before_reshapes(const network& net, std::size_t tensor) {
    const std::vector<std::size_t> writers = find_writers(net);
    while (writers[tensor] != no_number && std::holds_alternative<reshape>(net.layers[writers[tensor]].op))
        tensor = net.layers[writers[tensor]].inputs[0];
    return tensor;
}

/// The numbers of the first layer of a group. Precondition: it has weights.
[[nodiscard]] inline layer_numbers numbers_of(const plan& of, std::size_t g) {
    const layer& l = of.net.layers[of.groups[g].where.layer];
    if (const auto* conv = std::get_if<convolution>(&l.op))
        return {conv->weights.values, conv->weights.shape, conv->bias, conv->window, conv->groups};
    const auto& product = std::get<linear>(l.op);
    layer_numbers to{product.weights.values, product.weights.shape, product.bias};
    // A product over a reshaped image is a convolution with a filter of the size of the image.
    const std::vector<std::size_t>& image = of.net.tensors[tensor_before_reshapes(of.net, l.inputs[0])].shape;
    if (image.size() == 3)
        to.shape = {to.shape[0], image[0], image[1], image[2]};
    else
        to.shape.insert(to.shape.end(), {1, 1});
    return to;
}

/// The smallest scales of weights with which bias and residual fit, one per output. The tensors of the group have codes.
[[nodiscard]] inline std::vector<double> scale_floors(const plan& of, std::size_t g, const layer_numbers& from) {
    const layer_group& where = of.groups[g].where;
    const double input = of.tensors[where.inputs[0]]->scale;
    double least = 0;
    if (where.residual)
        least = of.tensors[*where.residual]->scale / (input * exp2_exact(residual_shift));
    if (of.tensors[where.output]) // a factor or a shift below 2^-30 has no kernel
        least = std::max(least, of.tensors[where.output]->scale / (input * exp2_exact(result_shift)));
    std::vector<double> result(from.shape[0], least);
    for (std::size_t o = 0; o < from.bias.size(); ++o)
        result[o] = std::max(least, std::abs(static_cast<double>(from.bias[o])) / (input * exp2_exact(bias_bits)));
    return result;
}

/// The bias in the scale of the sums.
[[nodiscard]] inline std::vector<std::int32_t> bias_codes(const plan& of, std::size_t g, const layer_numbers& from,
                                                          const planned_weights& weights) {
    const tensor_codes& input = *of.tensors[of.groups[g].where.inputs[0]];
    std::vector<std::int32_t> codes(from.shape[0], 0);
    for (std::size_t o = 0; o < from.bias.size(); ++o)
        codes[o] =
            static_cast<std::int32_t>(std::nearbyint(static_cast<double>(from.bias[o]) / sum_scale(weights, input, o)));
    return codes;
}

} // namespace notch::detail

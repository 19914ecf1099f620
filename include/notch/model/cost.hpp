/// @file
/// cost_of: what each layer of a network, and all of it, needs per image.
///
///     macs             convolution: O OH OW (C / groups) KH KW, linear: O I, others: 0
///     parameters       numbers of weights and bias; gain and shift of a batch_norm; factors and offsets of an affine_map
///     weight_bytes     ceil(weights * bits / 8) + ceil(other parameters * bits / 8)
///     activation_bytes ceil(elements of the output * bits / 8)
#pragma once

#include <notch/core/int_math.hpp>
#include <notch/model/arena_plan.hpp>
#include <notch/model/network.hpp>
#include <notch/model/shapes.hpp>

#include <cstddef>
#include <string>
#include <variant>
#include <vector>

namespace notch {

/// What a layer, or a network, needs per image.
struct layer_cost {
    std::string name{};               ///< of the layer
    std::size_t macs = 0;             ///< multiplications that are summed up
    std::size_t parameters = 0;       ///< constants
    std::size_t weight_bytes = 0;     ///< of the constants
    std::size_t activation_bytes = 0; ///< of the output
};

/// Bits of the numbers of a network.
struct cost_bits {
    std::size_t weights = 32;     ///< of convolutions and linear layers
    std::size_t others = 32;      ///< bias, factors, offsets
    std::size_t activations = 32; ///< tensors
};

/// What a network needs per image.
struct network_cost {
    std::vector<layer_cost> layers{}; ///< in their order
    layer_cost total{};               ///< sums; activation_bytes holds the input too
    std::size_t peak_bytes = 0;       ///< of memory that tensors between input and output share
};

namespace detail {

[[nodiscard]] inline std::size_t bytes_of(std::size_t count, std::size_t bits) {
    return ceil_div(checked_product(count, bits, "bits of a tensor"), 8);
}

inline void count_weights(layer_cost& cost, const float_array& weights, std::size_t bias, std::size_t uses,
                          const cost_bits& bits) {
    cost.macs = checked_product(weights.values.size(), uses, "products of a layer");
    cost.parameters = weights.values.size() + bias;
    cost.weight_bytes = bytes_of(weights.values.size(), bits.weights) + bytes_of(bias, bits.others);
}

inline void count_constants(layer_cost& cost, std::size_t count, const cost_bits& bits) {
    cost.parameters = count;
    cost.weight_bytes = bytes_of(count, bits.others);
}

/// The cost of one layer.
[[nodiscard]] inline layer_cost cost_of_layer(const network& net, const layer& it, const cost_bits& bits) {
    const shape_of_image& shape = net.tensors[it.output].shape;
    layer_cost cost{.name = it.name};
    cost.activation_bytes = bytes_of(element_count(shape), bits.activations);
    if (const auto* conv = std::get_if<convolution>(&it.op))
        count_weights(cost, conv->weights, conv->bias.size(), shape[1] * shape[2], bits);
    else if (const auto* product = std::get_if<linear>(&it.op))
        count_weights(cost, product->weights, product->bias.size(), 1, bits);
    else if (const auto* norm = std::get_if<batch_norm>(&it.op))
        count_constants(cost, norm->gain.size() + norm->shift.size(), bits);
    else if (const auto* map = std::get_if<affine_map>(&it.op))
        count_constants(cost, map->factor.size() + map->offset.size(), bits);
    return cost;
}

} // namespace detail

/// Counts a network. Shapes are inferred anew; raises what infer_shapes raises, and range_error for a number that does not
/// fit std::size_t.
[[nodiscard]] inline network_cost cost_of(network net, const cost_bits& bits = {}) {
    infer_shapes(net);
    network_cost result;
    result.total.name = net.name;
    result.total.activation_bytes = detail::bytes_of(element_count(net.tensors[net.input].shape), bits.activations);
    for (const layer& it : net.layers) {
        const layer_cost cost = detail::cost_of_layer(net, it, bits);
        result.total.macs += cost.macs;
        result.total.parameters += cost.parameters;
        result.total.weight_bytes += cost.weight_bytes;
        result.total.activation_bytes += cost.activation_bytes;
        result.layers.push_back(cost);
    }
    result.peak_bytes = detail::bytes_of(detail::plan_arena(net).size, bits.activations);
    return result;
}

} // namespace notch

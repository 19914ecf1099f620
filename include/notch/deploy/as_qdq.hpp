/// @file
/// as_qdq: a plan as a model of QuantizeLinear and DequantizeLinear, for io/onnx_write.hpp.
///
/// Every tensor that the plan holds in codes gets a pair behind it; weights and biases become codes with their scales. Where
/// scales are powers of two, a runtime that computes in floats as ONNX defines it arrives at the codes of the program: sums
/// and residuals are exact in floats as long as they stay below 2^24 steps, and QuantizeLinear rounds to nearest even. For
/// other scales codes differ now and then, where a float sum is rounded to another side.
#pragma once

#include <notch/io/qdq_model.hpp>
#include <notch/ptq/plan.hpp>

#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

namespace notch {
namespace detail {

/// Codes of a tensor.
[[nodiscard]] inline qdq_params qdq_of(const tensor_codes& from) {
    qdq_params to;
    to.bits = from.bits;
    to.is_signed = from.is_signed;
    to.lowest = from.lowest();
    to.highest = from.highest();
    to.scales = {static_cast<float>(from.scale)};
    to.zero_points = {from.zero_point};
    return to;
}

/// Codes of weights, whose extents in the network are `shape`, [O, I, KH, KW] or [O, I KH KW].
[[nodiscard]] inline qdq_weights qdq_of(const planned_weights& from, const std::vector<std::size_t>& shape) {
    qdq_weights to;
    to.codes = from.codes;
    to.params.bits = from.bits;
    to.params.lowest = -(1 << (from.bits - 1));
    to.params.highest = -to.params.lowest - 1;
    const auto scale = [&](std::size_t o, std::size_t i) { return static_cast<float>(from.scale(o, i)); };
    if (from.cut.kind == grain_kind::per_tensor) {
        to.params.scales = {scale(0, 0)};
        return to;
    }
    const bool is_matrix = shape.size() == 2;
    to.params.axis = from.blocks() == 1 ? 0 : 1;
    const std::size_t repeats = from.blocks() == 1 || is_matrix ? 1 : from.taps();
    if (from.blocks() > 1)
        to.params.block = from.block_inputs * (is_matrix ? from.taps() : 1);
    for (std::size_t o = 0; o < from.shape[0]; ++o)
        for (std::size_t h = 0; h < from.blocks(); ++h)
            to.params.scales.insert(to.params.scales.end(), repeats, scale(o, h * from.block_inputs));
    return to;
}

} // namespace detail

/// A plan as a QDQ model, see above.
[[nodiscard]] inline qdq_model as_qdq(const plan& from) {
    qdq_model to{from.net, {}, {}};
    to.tensors.resize(from.net.tensors.size());
    to.layers.resize(from.net.layers.size());
    for (std::size_t t = 0; t < from.tensors.size(); ++t)
        if (from.tensors[t])
            to.tensors[t] = detail::qdq_of(*from.tensors[t]);
    for (const planned_group& group : from.groups) {
        if (!group.weights)
            continue;
        const planned_weights& weights = *group.weights;
        const operation& op = from.net.layers[group.where.layer].op;
        const auto* conv = std::get_if<convolution>(&op);
        qdq_layer& layer = to.layers[group.where.layer];
        layer.weights =
            detail::qdq_of(weights, conv != nullptr ? conv->weights.shape : std::get<linear>(op).weights.shape);
        qdq_bias bias{weights.bias, {}};
        for (std::size_t o = 0; o < weights.bias.size(); ++o)
            bias.scales.push_back(static_cast<float>(sum_scale(weights, *from.tensors[group.where.inputs[0]], o)));
        layer.bias = std::move(bias);
    }
    return to;
}

} // namespace notch

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

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <variant>
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

/// The coarse part of split weights as a convolution of its own, without bias: of its taps alone where padding leaves it so, among
/// all taps otherwise.
struct coarse_convolution {
    convolution conv{};
    qdq_weights weights{};
};
[[nodiscard]] inline coarse_convolution coarse_of(const planned_weights& from, const convolution& whole) {
    const coarse_weights& coarse = *from.coarse;
    coarse_convolution to{whole, {}};
    to.conv.bias.clear();
    std::array<std::size_t, 2> first = coarse.first;
    std::array<std::size_t, 2> extent = coarse.extent;
    std::array<std::size_t, 4>& padding = to.conv.window.padding;
    const auto behind = [&](std::size_t axis) { return from.shape[axis + 2] - first[axis] - extent[axis]; };
    bool fits = true;
    for (std::size_t axis = 0; axis < 2; ++axis)
        fits = fits && padding[axis] >= first[axis] * whole.window.dilation[axis] &&
               padding[axis + 2] >= behind(axis) * whole.window.dilation[axis];
    for (std::size_t axis = 0; axis < 2; ++axis) {
        if (!fits) {
            first[axis] = 0;
            extent[axis] = from.shape[axis + 2];
            continue;
        }
        padding[axis] -= first[axis] * whole.window.dilation[axis];
        padding[axis + 2] -= behind(axis) * whole.window.dilation[axis];
    }
    std::vector<std::int8_t> codes;
    for (std::size_t o = 0; o < from.shape[0]; ++o)
        for (std::size_t i = 0; i < from.shape[1]; ++i)
            for (std::size_t h = first[0]; h < first[0] + extent[0]; ++h)
                for (std::size_t w = first[1]; w < first[1] + extent[1]; ++w)
                    codes.push_back(from.coarse_code(o, i, h * from.shape[3] + w));
    to.conv.weights.shape = {from.shape[0], from.shape[1], extent[0], extent[1]};
    to.conv.weights.values.assign(codes.size(), 0.0F); // stand for the codes
    to.weights.codes = std::move(codes);
    to.weights.params.bits = coarse.bits;
    to.weights.params.lowest = -(1 << (coarse.bits - 1));
    to.weights.params.highest = -to.weights.params.lowest - 1;
    to.weights.params.axis = 0;
    for (std::size_t o = 0; o < from.shape[0]; ++o)
        to.weights.params.scales.push_back(static_cast<float>(from.base[o] * exp2_exact(coarse.exponents[o])));
    return to;
}

/// Puts a sum of two convolutions in place of each layer that is split.
class split_writer {
public:
    explicit split_writer(qdq_model& to) : to_(to) {}

    /// Layers of the model up to now, in their old order; `split[i]`: the coarse part of layer i, if any.
    void write(std::vector<std::optional<coarse_convolution>>& split) {
        std::vector<layer> layers = std::move(to_.net.layers);
        std::vector<qdq_layer> codes = std::move(to_.layers);
        to_.net.layers.clear();
        to_.layers.clear();
        for (std::size_t i = 0; i < layers.size(); ++i) {
            if (!split[i]) {
                add(std::move(layers[i]), std::move(codes[i]));
                continue;
            }
            const std::size_t output = layers[i].output;
            const std::string name = layers[i].name;
            const std::size_t coarse = add_tensor(output, "/coarse");
            const std::size_t fine = add_tensor(output, "/fine");
            add({name + "/coarse", std::move(split[i]->conv), layers[i].inputs, coarse},
                {std::move(split[i]->weights), {}});
            layers[i].output = fine;
            add(std::move(layers[i]), std::move(codes[i]));
            add({name + "/sum", sum{}, {coarse, fine}, output}, {});
        }
    }

private:
    void add(layer one, qdq_layer codes) {
        to_.net.layers.push_back(std::move(one));
        to_.layers.push_back(std::move(codes));
    }
    [[nodiscard]] std::size_t add_tensor(std::size_t like, const char* suffix) {
        to_.tensors.emplace_back();
        const tensor_info info = to_.net.tensors[like];
        return to_.net.add_tensor(info.name + suffix, info.shape);
    }

    qdq_model& to_;
};

} // namespace detail

/// A plan as a QDQ model, see above. Layers whose weights are split become two convolutions and a sum.
[[nodiscard]] inline qdq_model as_qdq(const plan& from) {
    qdq_model to{from.net, {}, {}};
    to.tensors.resize(from.net.tensors.size());
    to.layers.resize(from.net.layers.size());
    std::vector<std::optional<detail::coarse_convolution>> split(from.net.layers.size());
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
        if (weights.coarse)
            split[group.where.layer] = detail::coarse_of(weights, *conv);
    }
    detail::split_writer(to).write(split);
    return to;
}

} // namespace notch

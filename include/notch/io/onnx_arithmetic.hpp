/// @file
/// Operators of ONNX on numbers: BatchNormalization, Relu, Clip, Add, Sub, Mul, Div, Gemm, MatMul, Softmax.
///
/// A constant beside a tensor becomes an affine_map. x / c is read as x * (1 / c), which may differ in the last bit.
#pragma once

#include <notch/io/onnx_graph.hpp>

#if NOTCH_HAS_ONNX

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <utility>
#include <vector>

namespace notch::detail {

/// BatchNormalization as it is used, not as it is trained.
inline void read_batch_norm(onnx_graph& graph, onnx_node& node) {
    node.expect_inputs(5, 5);
    const auto x = graph.tensor(node, 0);
    if (!x)
        return;
    batch_norm result;
    std::vector<float>* const parts[] = {&result.gain, &result.shift, &result.mean, &result.variance};
    for (std::size_t i = 0; i < 4; ++i) {
        auto part = graph.reals(node, i + 1);
        if (!part)
            return;
        if (part->shape != std::vector{graph.shape(*x)[0]})
            node.fail("has an input ", i + 1, " of extents ", part->shape, " for images of extents ", graph.shape(*x));
        *parts[i] = std::move(part->values);
    }
    result.epsilon = node.real("epsilon").value_or(1e-5F);
    node.ignore("momentum");
    if (node.opset() >= 14 && node.flag("training_mode", false))
        graph.reject(node, "training_mode is on");
    else if (!graph.reject_more_results(node))
        graph.add(node, std::move(result), {*x}, graph.shape(*x));
}

/// Relu.
inline void read_relu(onnx_graph& graph, onnx_node& node) {
    node.expect_inputs(1, 1);
    if (const auto x = graph.tensor(node, 0))
        graph.add(node, clip{}, {*x}, graph.shape(*x));
}

/// Clip, with bounds as attributes or as inputs.
inline void read_clip(onnx_graph& graph, onnx_node& node) {
    node.expect_inputs(1, node.opset() < 11 ? 1 : 3);
    const auto x = graph.tensor(node, 0);
    if (!x)
        return;
    std::optional<float> bounds[2];
    if (node.opset() < 11) {
        bounds[0] = node.real("min");
        bounds[1] = node.real("max");
    }
    for (std::size_t i = 1; i < node.inputs(); ++i) {
        if (node.input(i).empty())
            continue;
        const auto bound = graph.reals(node, i);
        if (!bound)
            return;
        if (bound->values.size() != 1)
            node.fail("has a bound of extents ", bound->shape, ", not one number");
        bounds[i - 1] = bound->values[0];
    }
    constexpr float infinity = std::numeric_limits<float>::infinity();
    const clip result{bounds[0].value_or(-infinity), bounds[1].value_or(infinity)};
    const auto is_nan = [](float bound) { return (std::bit_cast<std::uint32_t>(bound) & 0x7fffffffU) > 0x7f800000U; };
    if (is_nan(result.lowest) || is_nan(result.highest)) // by its bits: -ffast-math cannot remove that
        node.fail("has a bound that is NaN");
    graph.add(node, result, {*x}, graph.shape(*x));
}

/// The numbers of a constant that is one for each channel, or one for all; nothing where it is neither.
[[nodiscard]] inline std::optional<std::vector<float>> numbers_of_channels(const float_array& constant,
                                                                           const std::vector<std::size_t>& image) {
    const std::size_t rank = image.size() + 1;
    if (constant.values.size() == 1 && constant.shape.size() <= rank)
        return constant.values;
    if (constant.values.size() != image[0])
        return std::nullopt;
    std::vector<std::size_t> expected(image.size(), 1);
    expected[0] = image[0];
    std::vector<std::size_t> shape = constant.shape;
    if (shape.size() == rank && shape[0] == 1)
        shape.erase(shape.begin());
    return shape == expected ? std::optional(constant.values) : std::nullopt;
}

/// Add, Sub, Mul and Div: of two tensors (Add alone), or of one and a constant.
inline void read_binary(onnx_graph& graph, onnx_node& node) {
    node.expect_inputs(2, 2);
    const bool constants[] = {graph.value(node, 0).is_constant(), graph.value(node, 1).is_constant()};
    const bool adds = node.op() == "Add" || node.op() == "Sub";
    if (constants[0] == constants[1]) {
        const auto a = graph.tensor(node, 0);
        const auto b = a ? graph.tensor(node, 1) : std::nullopt;
        if (!b)
            return;
        if (node.op() != "Add")
            graph.reject(node, "both inputs are computed by layers");
        else if (graph.shape(*a) != graph.shape(*b))
            graph.reject(node, "extents ", graph.shape(*a), " and ", graph.shape(*b), " differ");
        else
            graph.add(node, sum{}, {*a, *b}, graph.shape(*a));
        return;
    }
    const std::size_t which = constants[0] ? 0 : 1;
    const auto x = graph.tensor(node, 1 - which);
    const auto constant = graph.reals(node, which);
    if (!x || !constant)
        return;
    auto numbers = numbers_of_channels(*constant, graph.shape(*x));
    if (!numbers) {
        graph.reject(node, "the constant of extents ", constant->shape, " is not one number per channel of images of ",
                     graph.shape(*x));
        return;
    }
    if (node.op() == "Div" && which == 0) {
        graph.reject(node, "a constant is divided by a tensor");
        return;
    }
    affine_map result;
    if (adds) {
        result.factor = {node.op() == "Sub" && which == 0 ? -1.0F : 1.0F};
        if (node.op() == "Sub" && which == 1)
            for (float& number : *numbers)
                number = -number;
        result.offset = std::move(*numbers);
    } else {
        if (node.op() == "Div")
            for (float& number : *numbers)
                number = 1.0F / number;
        result.factor = std::move(*numbers);
        result.offset = {0.0F};
    }
    graph.add(node, std::move(result), {*x}, graph.shape(*x));
}

/// Weights [I, O] as [O, I].
[[nodiscard]] inline float_array transposed(const float_array& weights) {
    const std::size_t inputs = weights.shape[0];
    const std::size_t outputs = weights.shape[1];
    float_array result{{outputs, inputs}, std::vector<float>(weights.values.size())};
    for (std::size_t i = 0; i < inputs; ++i)
        for (std::size_t o = 0; o < outputs; ++o)
            result.values[o * inputs + i] = weights.values[i * outputs + o];
    return result;
}

/// The vector that a product reads, and its constant weights [O, I]; nothing where the node has been noted.
[[nodiscard]] inline std::optional<float_array> product_weights(onnx_graph& graph, const onnx_node& node, std::size_t x,
                                                                bool as_stored) {
    const std::vector<std::size_t>& shape = graph.shape(x);
    if (shape.size() != 1) {
        graph.reject(node, "its input of extents ", shape, " is not one vector per image");
        return std::nullopt;
    }
    auto weights = graph.reals(node, 1);
    if (!weights)
        return std::nullopt;
    if (weights->shape.size() != 2 || weights->shape[as_stored ? 1 : 0] != shape[0])
        node.fail("has weights of extents ", weights->shape, " for vectors of ", shape[0]);
    return as_stored ? std::move(weights) : std::optional(transposed(*weights));
}

/// Gemm with a vector per image and constant weights.
inline void read_gemm(onnx_graph& graph, onnx_node& node) {
    node.expect_inputs(2, 3);
    const auto x = graph.tensor(node, 0);
    if (!x)
        return;
    if (node.flag("transA", false)) {
        graph.reject(node, "transA is 1");
        return;
    }
    auto weights = product_weights(graph, node, *x, node.flag("transB", false));
    if (!weights)
        return;
    const float alpha = node.real("alpha").value_or(1.0F);
    const float beta = node.real("beta").value_or(1.0F);
    if (alpha != 1.0F)
        for (float& weight : weights->values)
            weight *= alpha;
    linear result;
    const std::size_t outputs = weights->shape[0];
    if (node.inputs() == 3) {
        auto bias = graph.reals(node, 2);
        if (!bias)
            return;
        const bool fits = bias->shape == std::vector{outputs} || bias->shape == std::vector{std::size_t{1}, outputs};
        if (!fits && bias->values.size() == 1 && bias->shape.size() <= 2)
            result.bias.assign(outputs, bias->values[0]);
        else if (fits)
            result.bias = std::move(bias->values);
        else {
            graph.reject(node, "its C of extents ", bias->shape, " is not one number for each of ", outputs,
                         " outputs");
            return;
        }
        for (float& number : result.bias)
            number *= beta;
    }
    result.weights = std::move(*weights);
    graph.add(node, std::move(result), {*x}, {outputs});
}

/// MatMul with a vector per image and constant weights.
inline void read_matmul(onnx_graph& graph, onnx_node& node) {
    node.expect_inputs(2, 2);
    const auto x = graph.tensor(node, 0);
    if (!x)
        return;
    auto weights = product_weights(graph, node, *x, false);
    if (!weights)
        return;
    const std::size_t outputs = weights->shape[0];
    graph.add(node, linear{std::move(*weights), {}}, {*x}, {outputs});
}

/// Softmax over channels.
inline void read_softmax(onnx_graph& graph, onnx_node& node) {
    node.expect_inputs(1, 1);
    const auto x = graph.tensor(node, 0);
    if (!x)
        return;
    const std::vector<std::size_t>& shape = graph.shape(*x);
    const auto rank = static_cast<std::int64_t>(shape.size()) + 1;
    const std::int64_t axis = node.integer("axis", node.opset() < 13 ? 1 : -1);
    if (axis < -rank || axis >= rank)
        node.fail("has the axis ", axis, " of a tensor of rank ", rank);
    // Before version 13 all axes from this one on are one.
    const bool over_channels =
        (axis == 1 || axis == 1 - rank) && (node.opset() >= 13 || element_count(shape) == shape[0]);
    if (!over_channels)
        graph.reject(node, "its axis ", axis, " is not the channels alone");
    else
        graph.add(node, softmax{}, {*x}, shape);
}

} // namespace notch::detail

#endif

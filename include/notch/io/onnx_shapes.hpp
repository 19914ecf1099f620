/// @file
/// Operators of ONNX that move numbers: Flatten, Reshape, Squeeze, Unsqueeze, Concat, Slice, Pad, Identity, Dropout, Cast.
///
/// A layer sees one image, so that none of them may touch axis 0, the batch. Where a number of images stands in a shape it is
/// the batch, -1, 0, or what Shape gave.
#pragma once

#include <notch/io/onnx_constants.hpp>
#include <notch/io/onnx_graph.hpp>
#include <notch/io/onnx_windows.hpp>

#if NOTCH_HAS_ONNX

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

namespace notch::detail {

/// Flatten: one vector per image.
inline void read_flatten(onnx_graph& graph, onnx_node& node) {
    node.expect_inputs(1, 1);
    const auto x = graph.tensor(node, 0);
    if (!x)
        return;
    const auto rank = static_cast<std::int64_t>(graph.shape(*x).size()) + 1;
    const std::int64_t axis = node.integer("axis", 1);
    if (axis != 1 && axis != 1 - rank)
        graph.reject(node, "its axis is ", axis, ", not 1");
    else
        graph.add(node, reshape{}, {*x}, {element_count(graph.shape(*x))});
}

/// The extents of one image that a target of Reshape asks for; nothing where it mixes images.
[[nodiscard]] inline std::optional<std::vector<std::size_t>> reshaped(const onnx_graph& graph, const onnx_node& node,
                                                                      const onnx_constant& target,
                                                                      const std::vector<std::size_t>& image,
                                                                      bool allow_zero) {
    const std::size_t elements = element_count(image);
    std::vector<std::size_t> result;
    std::size_t known = 1;
    std::optional<std::size_t> open; // the axis of -1
    for (std::size_t axis = 0; axis < target.integers.size(); ++axis) {
        std::int64_t extent = target.integers[axis];
        const bool is_batch = (target.holds_batch && extent == batch_extent) ||
                              (graph.batch && extent == static_cast<std::int64_t>(*graph.batch)) ||
                              (extent == 0 && !allow_zero);
        if (axis == 0) {
            if (!is_batch && extent != -1)
                return std::nullopt;
            if (!is_batch)
                open = 0;
            continue;
        }
        if (extent == 0 && !allow_zero) {
            if (axis > image.size())
                node.fail("copies extent ", axis, " of a tensor of rank ", image.size() + 1);
            extent = static_cast<std::int64_t>(image[axis - 1]);
        }
        if (extent == -1 && open)
            return std::nullopt; // two of them, or one beside an open number of images
        if (extent == -1)
            open = axis;
        else if (extent < 1 || static_cast<std::uint64_t>(extent) > elements)
            return std::nullopt;
        else if (known > elements / static_cast<std::size_t>(extent))
            return std::nullopt;
        else
            known *= static_cast<std::size_t>(extent);
        result.push_back(extent == -1 ? 0 : static_cast<std::size_t>(extent));
    }
    if (open && *open > 0) {
        if (elements % known != 0)
            return std::nullopt;
        result[*open - 1] = elements / known;
        known = elements;
    }
    return known == elements && !target.integers.empty() ? std::optional(result) : std::nullopt;
}

/// Reshape with a constant target, or one that follows from shapes.
inline void read_reshape(onnx_graph& graph, onnx_node& node) {
    node.expect_inputs(2, 2);
    if (graph.value(node, 0).is_constant()) {
        graph.reject(node, "input 0 is a constant");
        return;
    }
    const auto x = graph.tensor(node, 0);
    const auto target = x ? graph.constant(node, 1) : nullptr;
    if (!target)
        return;
    if (!target->is_integer || target->shape.size() != 1)
        node.fail("has no list of integers as input 1");
    const auto shape = reshaped(graph, node, *target, graph.shape(*x), node.flag("allowzero", false));
    if (shape)
        graph.add(node, reshape{*shape}, {*x}, *shape);
    else
        graph.reject(node, "extents ", axis_text(*target), " do not keep the images of extents ", graph.shape(*x),
                     " apart");
}

/// Squeeze and Unsqueeze of tensors of layers.
inline void read_squeeze(onnx_graph& graph, onnx_node& node) {
    const auto axes = squeezed_axes(graph, node);
    if (!axes)
        return;
    if (graph.value(node, 0).is_constant()) {
        squeeze_constant(graph, node, *axes);
        return;
    }
    const auto x = graph.tensor(node, 0);
    std::vector<std::size_t> shape = graph.shape(*x);
    if (node.op() == "Squeeze") {
        std::vector<std::size_t> sorted = onnx_axes(node, *axes, shape.size() + 1);
        if (sorted.empty() || sorted[0] == 0 || sorted.size() == shape.size()) {
            graph.reject(node, "axes ", *axes, " of images of extents ", shape, " are not some of its axes");
            return;
        }
        for (std::size_t i = sorted.size(); i-- > 0;) {
            if (shape[sorted[i] - 1] != 1)
                node.fail("drops axis ", sorted[i], " of images of extents ", shape);
            shape.erase(shape.begin() + static_cast<std::ptrdiff_t>(sorted[i]) - 1);
        }
    } else {
        for (const std::size_t axis : onnx_axes(node, *axes, shape.size() + 1 + axes->size())) {
            if (axis == 0) {
                graph.reject(node, "it adds an axis before the batch");
                return;
            }
            shape.insert(shape.begin() + static_cast<std::ptrdiff_t>(axis) - 1, 1);
        }
    }
    graph.add(node, reshape{shape}, {*x}, shape);
}

/// Concat of tensors of layers, or of lists of integers.
inline void read_concat(onnx_graph& graph, onnx_node& node) {
    node.expect_inputs(1, INT_MAX);
    std::size_t constants = 0;
    for (std::size_t i = 0; i < node.inputs(); ++i)
        constants += static_cast<std::size_t>(graph.value(node, i).is_constant());
    const std::int64_t axis = node.integer("axis", INT_MAX);
    if (constants == node.inputs()) {
        concat_constants(graph, node);
        return;
    }
    std::vector<std::size_t> inputs;
    std::vector<std::size_t> shape;
    std::size_t along = 0;
    for (std::size_t i = 0; i < node.inputs(); ++i) {
        const auto x = graph.tensor(node, i);
        if (!x)
            return;
        inputs.push_back(*x);
        std::vector<std::size_t> other = graph.shape(*x);
        if (i == 0) {
            along = onnx_axes(node, {axis}, other.size() + 1)[0];
            if (along == 0) {
                graph.reject(node, "it joins images of the batch");
                return;
            }
            shape = std::move(other);
            continue;
        }
        const std::size_t more = along <= other.size() ? other[along - 1] : 0;
        if (more != 0)
            other[along - 1] = shape[along - 1];
        if (other != shape)
            node.fail("joins extents ", graph.shape(inputs[0]), " and ", graph.shape(*x), " along axis ", along);
        shape[along - 1] += more;
    }
    if (inputs.size() == 1)
        graph.alias(node, {inputs[0]});
    else
        graph.add(node, concat{along - 1}, std::move(inputs), std::move(shape));
}

/// Slice of tensors of layers, or of lists of integers.
inline void read_slice(onnx_graph& graph, onnx_node& node) {
    const auto parts = slice_parts(graph, node);
    if (!parts)
        return;
    if (graph.value(node, 0).is_constant()) {
        slice_constant(graph, node, *parts);
        return;
    }
    const auto x = graph.tensor(node, 0);
    std::vector<std::size_t> shape = graph.shape(*x);
    static_cast<void>(onnx_axes(node, parts->axes, shape.size() + 1));
    slice result{std::vector<std::size_t>(shape.size(), 0), shape, std::vector<std::size_t>(shape.size(), 1)};
    for (std::size_t i = 0; i < parts->axes.size(); ++i) {
        const std::size_t axis = onnx_axes(node, {parts->axes[i]}, shape.size() + 1)[0];
        if (parts->steps[i] < 1) {
            graph.reject(node, "its step is ", parts->steps[i]);
            return;
        }
        if (axis == 0) {
            const auto images = static_cast<std::int64_t>(graph.batch.value_or(INT_MAX));
            if (parts->starts[i] == 0 && parts->ends[i] >= images && parts->steps[i] == 1)
                continue;
            graph.reject(node, "it takes some images of the batch");
            return;
        }
        const std::size_t extent = shape[axis - 1];
        result.begin[axis - 1] = clamped_index(parts->starts[i], extent);
        result.end[axis - 1] = clamped_index(parts->ends[i], extent);
        result.step[axis - 1] = static_cast<std::size_t>(parts->steps[i]);
    }
    for (std::size_t axis = 0; axis < shape.size(); ++axis) {
        const std::size_t length = result.end[axis] > result.begin[axis] ? result.end[axis] - result.begin[axis] : 0;
        shape[axis] = length == 0 ? 0 : (length - 1) / result.step[axis] + 1;
    }
    graph.add(node, std::move(result), {*x}, std::move(shape));
}

/// Pad with a constant.
inline void read_pad(onnx_graph& graph, onnx_node& node) {
    node.expect_inputs(1, node.opset() < 11 ? 1 : node.opset() < 18 ? 3 : 4);
    const auto x = graph.tensor(node, 0);
    if (!x)
        return;
    if (const std::string mode = node.word("mode", "constant"); mode != "constant") {
        graph.reject(node, "its mode is ", mode);
        return;
    }
    std::vector<std::size_t> shape = graph.shape(*x);
    const std::size_t rank = shape.size() + 1;
    pad result{std::vector<std::size_t>(rank - 1, 0), std::vector<std::size_t>(rank - 1, 0), 0};
    const auto pads = node.opset() < 11 ? node.integers("pads") : graph.integers(node, 1);
    if (!pads && node.opset() < 11)
        node.fail("lacks the attribute 'pads'");
    if (!pads)
        return;
    if (node.opset() < 11)
        result.value = node.real("value").value_or(0);
    if (!node.input(2).empty()) {
        const auto value = graph.reals(node, 2);
        if (!value)
            return;
        if (value->values.size() != 1)
            node.fail("has a value of extents ", value->shape, ", not one number");
        result.value = value->values[0];
    }
    std::vector<std::int64_t> axes;
    if (node.inputs() == 4) {
        const auto some = graph.integers(node, 3);
        if (!some)
            return;
        axes = *some;
    } else {
        for (std::size_t axis = 0; axis < rank; ++axis)
            axes.push_back(static_cast<std::int64_t>(axis));
    }
    static_cast<void>(onnx_axes(node, axes, rank));
    if (pads->size() != 2 * axes.size())
        node.fail("has ", pads->size(), " pads for ", axes.size(), " axes");
    for (std::size_t i = 0; i < axes.size(); ++i) {
        const std::size_t axis = onnx_axes(node, {axes[i]}, rank)[0];
        const std::int64_t before = (*pads)[i];
        const std::int64_t after = (*pads)[i + axes.size()];
        if (before < 0 || after < 0 || (axis == 0 && (before != 0 || after != 0))) {
            graph.reject(node, "its pads ", *pads, " crop, or pad the batch");
            return;
        }
        if (before > INT_MAX || after > INT_MAX)
            node.fail("has the pads ", *pads);
        if (axis == 0)
            continue;
        result.before[axis - 1] = static_cast<std::size_t>(before);
        result.after[axis - 1] = static_cast<std::size_t>(after);
        shape[axis - 1] += result.before[axis - 1] + result.after[axis - 1];
    }
    graph.add(node, std::move(result), {*x}, std::move(shape));
}

/// Identity, Dropout as it is used, and Cast of floats to floats.
inline void read_identity(onnx_graph& graph, onnx_node& node) {
    node.expect_inputs(1, node.op() == "Dropout" && node.opset() >= 12 ? 3 : 1);
    if (node.op() == "Dropout") {
        node.ignore("ratio");
        node.ignore("seed");
        if (!node.input(2).empty()) {
            const auto training = graph.constant(node, 2);
            if (!training)
                return;
            if (!training->is_integer || training->integers != std::vector<std::int64_t>{0}) {
                graph.reject(node, "training_mode is on");
                return;
            }
        }
        if (graph.reject_more_results(node))
            return;
    } else if (node.op() == "Cast") {
        node.ignore("saturate");
        const std::int64_t to = node.integer("to", 0);
        if (graph.value(node, 0).is_constant()) {
            cast_constant(graph, node, to);
            return;
        }
        if (to != static_cast<std::int64_t>(onnx_type::float32)) {
            graph.reject(node, "it casts to type ", to);
            return;
        }
    }
    graph.alias(node, graph.value(node, 0));
}

} // namespace notch::detail

#endif

/// @file
/// Operators of ONNX whose results are known before any image is: Constant, Shape, Gather, and of lists of integers Concat,
/// Slice, Squeeze, Unsqueeze, Cast.
///
/// Exporters write x.view(x.size(0), -1) as Shape, Gather, Unsqueeze, Concat, Reshape. The number of images, which is not
/// known, is carried along as batch_extent. Lists that are computed have at most 1024 integers: shapes are short.
#pragma once

#include <notch/io/onnx_graph.hpp>
#include <notch/io/onnx_windows.hpp>

#if NOTCH_HAS_ONNX

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace notch::detail {

/// Extents as text, where the number of images is N.
[[nodiscard]] inline std::string axis_text(const onnx_constant& extents) {
    std::string result = "[";
    for (std::size_t i = 0; i < extents.integers.size(); ++i) {
        result += i == 0 ? "" : ", ";
        const bool is_batch = extents.holds_batch && extents.integers[i] == batch_extent;
        result += is_batch ? "N" : std::to_string(extents.integers[i]);
    }
    return result + "]";
}

/// Gives the result of a node its integers.
inline void define_integers(onnx_graph& graph, const onnx_node& node, std::vector<std::int64_t> integers,
                            std::vector<std::size_t> shape, bool may_hold_batch) {
    onnx_constant result;
    result.is_integer = true;
    result.holds_batch = may_hold_batch && std::find(integers.begin(), integers.end(), batch_extent) != integers.end();
    result.integers = std::move(integers);
    result.shape = std::move(shape);
    graph.alias(node, {std::make_shared<const onnx_constant>(std::move(result))});
}

/// The integers of a constant input that is short, and no tensor of rank 2 or more; noted where it is anything else.
[[nodiscard]] inline onnx_value::computed short_list(onnx_graph& graph, const onnx_node& node, std::size_t i) {
    const onnx_value& found = graph.value(node, i);
    if (const auto* stored = std::get_if<const proto::TensorProto*>(&found.is)) {
        const onnx_tensor_reader reader(**stored, graph.source, node.input(i));
        const std::vector<std::size_t> shape = reader.shape();
        if (!reader.is_integer() || shape.size() > 1 || element_count(shape) > most_integers) {
            graph.reject(node, "a constant of extents ", shape, " that is no short list of integers");
            return nullptr;
        }
    }
    onnx_value::computed result = graph.constant(node, i);
    if (result && (!result->is_integer || result->shape.size() > 1 || result->size() > most_integers)) {
        graph.reject(node, "a constant of extents ", result->shape, " that is no short list of integers");
        return nullptr;
    }
    return result;
}

/// Constant.
inline void read_constant(onnx_graph& graph, onnx_node& node) {
    node.expect_inputs(0, 0);
    onnx_constant result;
    if (const proto::TensorProto* tensor = node.tensor("value")) {
        graph.alias(node, {tensor});
        return;
    }
    if (const auto real = node.real("value_float")) {
        result.reals = {*real};
    } else if (auto reals = node.reals("value_floats")) {
        result.shape = {reals->size()};
        result.reals = std::move(*reals);
    } else if (auto integers = node.integers("value_ints")) {
        define_integers(graph, node, *integers, {integers->size()}, false);
        return;
    } else if (node.has("value_int")) {
        define_integers(graph, node, {node.integer("value_int", 0)}, {}, false);
        return;
    } else {
        graph.reject(node, "its value is no tensor, number or list of numbers");
        return;
    }
    graph.alias(node, {std::make_shared<const onnx_constant>(std::move(result))});
}

/// Shape of a tensor of a layer.
inline void read_shape(onnx_graph& graph, onnx_node& node) {
    node.expect_inputs(1, 1);
    const auto x = graph.tensor(node, 0);
    if (!x)
        return;
    std::vector<std::int64_t> extents{batch_extent};
    for (const std::size_t extent : graph.shape(*x))
        extents.push_back(static_cast<std::int64_t>(extent));
    const auto rank = static_cast<std::int64_t>(extents.size());
    const auto clamped = [rank](std::int64_t axis) {
        return std::clamp<std::int64_t>(axis < 0 ? std::max(axis, -rank) + rank : axis, 0, rank);
    };
    const std::int64_t begin = clamped(node.integer("start", 0));
    const std::int64_t end = std::max(begin, clamped(node.integer("end", rank)));
    extents = std::vector<std::int64_t>(extents.begin() + begin, extents.begin() + end);
    const std::size_t count = extents.size();
    define_integers(graph, node, std::move(extents), {count}, true);
}

/// Gather from a list of integers.
inline void read_gather(onnx_graph& graph, onnx_node& node) {
    node.expect_inputs(2, 2);
    if (!graph.value(node, 0).is_constant() || !graph.value(node, 1).is_constant()) {
        graph.reject(node, "it gathers from a tensor that layers compute");
        return;
    }
    const auto data = short_list(graph, node, 0);
    const auto indices = data ? short_list(graph, node, 1) : nullptr;
    if (!indices)
        return;
    if (data->shape.size() != 1 || (node.integer("axis", 0) != 0 && node.integer("axis", 0) != -1))
        node.fail("gathers along axis ", node.integer("axis", 0), " of extents ", data->shape);
    const auto count = static_cast<std::int64_t>(data->size());
    std::vector<std::int64_t> result;
    for (const std::int64_t index : indices->integers) {
        if (index < -count || index >= count)
            node.fail("gathers element ", index, " of ", count);
        result.push_back(data->integers[static_cast<std::size_t>(index < 0 ? index + count : index)]);
    }
    define_integers(graph, node, std::move(result), indices->shape, data->holds_batch);
}

/// Concat of lists of integers.
inline void concat_constants(onnx_graph& graph, const onnx_node& node) {
    std::vector<std::int64_t> result;
    bool holds_batch = false;
    for (std::size_t i = 0; i < node.inputs(); ++i) {
        const auto part = short_list(graph, node, i);
        if (!part)
            return;
        if (part->shape.size() != 1)
            node.fail("joins the number of input ", i, ", which is no list");
        result.insert(result.end(), part->integers.begin(), part->integers.end());
        holds_batch = holds_batch || part->holds_batch;
        if (result.size() > most_integers) {
            graph.reject(node, "it joins more than ", most_integers, " integers");
            return;
        }
    }
    const std::size_t count = result.size();
    define_integers(graph, node, std::move(result), {count}, holds_batch);
}

/// The axes of Squeeze and Unsqueeze, as attribute or as input; nothing where the node has been noted.
[[nodiscard]] inline std::optional<std::vector<std::int64_t>> squeezed_axes(onnx_graph& graph, onnx_node& node) {
    node.expect_inputs(1, node.opset() < 13 ? 1 : 2);
    if (node.opset() >= 13 && node.inputs() == 2)
        return graph.integers(node, 1);
    auto axes = node.opset() < 13 ? node.integers("axes") : std::nullopt;
    if (!axes)
        graph.reject(node, "it names no axes");
    else if (axes->size() > most_integers)
        node.fail("has ", axes->size(), " axes; the limit is ", most_integers);
    return axes;
}

/// Squeeze and Unsqueeze between a number and a list of one.
inline void squeeze_constant(onnx_graph& graph, const onnx_node& node, const std::vector<std::int64_t>& axes) {
    const auto list = short_list(graph, node, 0);
    if (!list)
        return;
    const bool adds = node.op() == "Unsqueeze";
    const std::size_t rank = list->shape.size();
    if (list->size() != 1 || rank != (adds ? 0U : 1U) || onnx_axes(node, axes, 1) != std::vector<std::size_t>{0})
        graph.reject(node, "axes ", axes, " of a constant of extents ", list->shape);
    else
        define_integers(graph, node, list->integers, adds ? std::vector<std::size_t>{1} : std::vector<std::size_t>{},
                        list->holds_batch);
}

/// What Slice takes along its axes.
struct onnx_slice_parts {
    std::vector<std::int64_t> axes{};
    std::vector<std::int64_t> starts{};
    std::vector<std::int64_t> ends{};
    std::vector<std::int64_t> steps{};
};

/// The parts of Slice, as attributes or as inputs; nothing where the node has been noted.
[[nodiscard]] inline std::optional<onnx_slice_parts> slice_parts(onnx_graph& graph, onnx_node& node) {
    const bool by_inputs = node.opset() >= 10;
    node.expect_inputs(by_inputs ? 3 : 1, by_inputs ? 5 : 1);
    onnx_slice_parts result;
    const auto list = [&](std::vector<std::int64_t>& to, std::size_t input, const char* attribute) {
        const auto found = by_inputs ? graph.integers(node, input) : node.integers(attribute);
        if (!found && !by_inputs)
            node.fail("lacks the attribute '", attribute, "'");
        if (found)
            to = *found;
        return found.has_value();
    };
    if (!list(result.starts, 1, "starts") || !list(result.ends, 2, "ends"))
        return std::nullopt;
    if (by_inputs ? !node.input(3).empty() : node.has("axes")) {
        if (!list(result.axes, 3, "axes"))
            return std::nullopt;
    } else {
        for (std::size_t axis = 0; axis < result.starts.size(); ++axis)
            result.axes.push_back(static_cast<std::int64_t>(axis));
    }
    result.steps.assign(result.starts.size(), 1);
    if (by_inputs && !node.input(4).empty() && !list(result.steps, 4, "steps"))
        return std::nullopt;
    const std::size_t count = result.axes.size();
    if (result.starts.size() != count || result.ends.size() != count || result.steps.size() != count)
        node.fail("has ", count, " axes, ", result.starts.size(), " starts, ", result.ends.size(), " ends and ",
                  result.steps.size(), " steps");
    return result;
}

/// An index of Slice, counted from the end where it is negative, cut to [0, extent].
[[nodiscard]] inline std::size_t clamped_index(std::int64_t index, std::size_t extent) noexcept {
    const auto most = static_cast<std::int64_t>(extent);
    return static_cast<std::size_t>(
        std::clamp<std::int64_t>(index < 0 ? std::max(index, -most) + most : index, 0, most));
}

/// Slice of a list of integers.
inline void slice_constant(onnx_graph& graph, const onnx_node& node, const onnx_slice_parts& parts) {
    const auto list = short_list(graph, node, 0);
    if (!list)
        return;
    if (parts.axes.size() != 1 || list->shape.size() != 1 || parts.steps[0] < 1) {
        graph.reject(node, "it is not one part, forwards, of a list of integers");
        return;
    }
    static_cast<void>(onnx_axes(node, parts.axes, 1));
    const std::size_t end = clamped_index(parts.ends[0], list->size());
    const auto step = static_cast<std::uint64_t>(parts.steps[0]);
    std::vector<std::int64_t> result;
    for (std::uint64_t i = clamped_index(parts.starts[0], list->size()); i < end;
         i += std::min<std::uint64_t>(step, end))
        result.push_back(list->integers[static_cast<std::size_t>(i)]);
    const std::size_t count = result.size();
    define_integers(graph, node, std::move(result), {count}, list->holds_batch);
}

/// Cast between types of integers.
inline void cast_constant(onnx_graph& graph, const onnx_node& node, std::int64_t to) {
    const auto list = short_list(graph, node, 0);
    if (!list)
        return;
    const auto type = static_cast<onnx_type>(to);
    if (type != onnx_type::int32 && type != onnx_type::int64)
        graph.reject(node, "it casts integers to type ", to);
    else
        define_integers(graph, node, list->integers, list->shape, list->holds_batch);
}

} // namespace notch::detail

#endif

/// @file
/// Operators of ONNX that move a window over an image: Conv, MaxPool, AveragePool, GlobalAveragePool, ReduceMean.
///
/// auto_pad becomes padding: SAME gives ceil(extent / stride) pixels, and where the padding is odd one pixel more behind
/// (SAME_UPPER) or before (SAME_LOWER).
#pragma once

#include <notch/io/onnx_graph.hpp>

#if NOTCH_HAS_ONNX

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace notch::detail {

/// A tensor of images.
struct onnx_image {
    std::size_t tensor;
    std::array<std::size_t, 3> shape; ///< channels, height and width
};

/// The first input of a node as images. None where it is not known, or of another rank, which is noted.
[[nodiscard]] inline std::optional<onnx_image> onnx_images(onnx_graph& graph, onnx_node& node) {
    const auto tensor = graph.tensor(node, 0);
    if (!tensor)
        return std::nullopt;
    const std::vector<std::size_t>& shape = graph.shape(*tensor);
    if (shape.size() == 3)
        return onnx_image{*tensor, {shape[0], shape[1], shape[2]}};
    graph.reject(node, "images of extents ", shape, " have not height and width");
    return std::nullopt;
}

/// Pixels from the first tap of a window to the last.
[[nodiscard]] inline std::size_t window_reach(std::size_t kernel, std::size_t dilation) noexcept {
    return (kernel - 1) * dilation + 1;
}

/// stride, dilation and padding of a node with kernels of some extents over an image.
[[nodiscard]] inline window onnx_window(onnx_node& node, const std::array<std::size_t, 3>& image,
                                        const std::array<std::size_t, 2>& kernel) {
    window result;
    result.stride = node.sizes<2>("strides", 1, 1);
    result.dilation = node.sizes<2>("dilations", 1, 1);
    result.padding = node.sizes<4>("pads", 0, 0);
    const std::string mode = node.word("auto_pad", "NOTSET");
    if (mode == "NOTSET")
        return result;
    if (mode != "VALID" && mode != "SAME_UPPER" && mode != "SAME_LOWER")
        node.fail("has the auto_pad '", mode, "', which ONNX does not define");
    if (result.padding != std::array<std::size_t, 4>{})
        node.fail("has both pads and auto_pad");
    for (std::size_t axis = 0; axis < 2 && mode != "VALID"; ++axis) {
        const std::size_t extent = image[axis + 1];
        const std::size_t pixels = (extent - 1) / result.stride[axis] + 1;
        const std::size_t needed =
            (pixels - 1) * result.stride[axis] + window_reach(kernel[axis], result.dilation[axis]);
        const std::size_t padding = needed > extent ? needed - extent : 0;
        const std::size_t less = padding / 2;
        result.padding[axis] = mode == "SAME_UPPER" ? less : padding - less;
        result.padding[axis + 2] = padding - result.padding[axis];
    }
    return result;
}

/// Pixels [height, width] of the result of a window.
[[nodiscard]] inline std::array<std::size_t, 2> onnx_pixels(const onnx_node& node,
                                                            const std::array<std::size_t, 3>& image,
                                                            const std::array<std::size_t, 2>& kernel,
                                                            const window& moves, bool ceil_mode) {
    std::array<std::size_t, 2> result{};
    for (std::size_t axis = 0; axis < 2; ++axis) {
        const std::size_t begins = image[axis + 1] + moves.padding[axis]; // windows begin before this pixel
        const std::size_t extent = begins + moves.padding[axis + 2];
        const std::size_t reach = window_reach(kernel[axis], moves.dilation[axis]);
        if (reach > extent)
            node.fail("has windows of ", reach, " pixels over a padded image of ", extent);
        const std::size_t steps = extent - reach;
        result[axis] = steps / moves.stride[axis] + 1;
        if (ceil_mode && steps % moves.stride[axis] != 0 && result[axis] * moves.stride[axis] < begins)
            ++result[axis];
    }
    return result;
}

/// Conv.
inline void read_conv(onnx_graph& graph, onnx_node& node) {
    node.expect_inputs(2, 3);
    const auto image = onnx_images(graph, node);
    if (!image)
        return;
    auto weights = graph.reals(node, 1);
    if (!weights)
        return;
    if (weights->shape.size() != 4 || element_count(weights->shape) == 0)
        node.fail("has weights of extents ", weights->shape, ", not [O, I, KH, KW]");
    convolution result;
    const std::size_t outputs = weights->shape[0];
    const std::array<std::size_t, 2> kernel{weights->shape[2], weights->shape[3]};
    if (node.sizes<2>("kernel_shape", 0, 1) != kernel && node.integers("kernel_shape"))
        node.fail("has the kernel_shape ", *node.integers("kernel_shape"), " and weights of extents ", weights->shape);
    const std::int64_t groups = node.integer("group", 1);
    if (groups < 1 || groups > INT_MAX)
        node.fail("has ", groups, " groups");
    result.groups = static_cast<std::size_t>(groups);
    if (image->shape[0] != weights->shape[1] * result.groups || outputs % result.groups != 0)
        node.fail("has weights of extents ", weights->shape, " in ", groups, " groups over images of extents ",
                  graph.shape(image->tensor));
    if (node.inputs() == 3) {
        auto bias = graph.reals(node, 2);
        if (!bias)
            return;
        if (bias->shape != std::vector{outputs})
            node.fail("has a bias of extents ", bias->shape, ", not [", outputs, "]");
        result.bias = std::move(bias->values);
    }
    result.window = onnx_window(node, image->shape, kernel);
    const auto pixels = onnx_pixels(node, image->shape, kernel, result.window, false);
    result.weights = std::move(*weights);
    graph.add(node, std::move(result), {image->tensor}, {outputs, pixels[0], pixels[1]});
}

/// MaxPool and AveragePool.
template <class Pool> void read_pool(onnx_graph& graph, onnx_node& node) {
    node.expect_inputs(1, 1);
    const auto image = onnx_images(graph, node);
    if (!image)
        return;
    Pool result;
    if (!node.integers("kernel_shape"))
        node.fail("lacks the attribute 'kernel_shape'");
    result.kernel = node.template sizes<2>("kernel_shape", 1, 1);
    result.window = onnx_window(node, image->shape, result.kernel);
    result.ceil_mode = node.flag("ceil_mode", false);
    if constexpr (requires { result.count_include_pad; })
        result.count_include_pad = node.flag("count_include_pad", false);
    else
        node.ignore("storage_order"); // of the indices, which are refused
    for (std::size_t side = 0; side < 4; ++side)
        if (const std::size_t reach = window_reach(result.kernel[side % 2], result.window.dilation[side % 2]);
            result.window.padding[side] >= reach)
            node.fail("has the pads ", result.window.padding, ", which hold whole windows of ", result.kernel,
                      " pixels");
    const auto pixels = onnx_pixels(node, image->shape, result.kernel, result.window, result.ceil_mode);
    if (!graph.reject_more_results(node))
        graph.add(node, std::move(result), {image->tensor}, {image->shape[0], pixels[0], pixels[1]});
}

/// GlobalAveragePool.
inline void read_global_average_pool(onnx_graph& graph, onnx_node& node) {
    node.expect_inputs(1, 1);
    if (const auto image = onnx_images(graph, node))
        graph.add(node, global_average_pool_layer{}, {image->tensor}, {image->shape[0], 1, 1});
}

/// Axes that a node names, of a tensor with the batch, each once and in order; nothing where they are out of range.
[[nodiscard]] inline std::vector<std::size_t> onnx_axes(const onnx_node& node, const std::vector<std::int64_t>& axes,
                                                        std::size_t rank) {
    std::vector<std::size_t> result;
    for (const std::int64_t axis : axes) {
        const auto most = static_cast<std::int64_t>(rank);
        if (axis < -most || axis >= most)
            node.fail("has the axis ", axis, " of a tensor of rank ", rank);
        result.push_back(static_cast<std::size_t>(axis < 0 ? axis + most : axis));
    }
    std::sort(result.begin(), result.end());
    if (std::adjacent_find(result.begin(), result.end()) != result.end())
        node.fail("has the axes ", axes, " of a tensor of rank ", rank, ", of which one occurs twice");
    return result;
}

/// ReduceMean over height and width.
inline void read_reduce_mean(onnx_graph& graph, onnx_node& node) {
    node.expect_inputs(1, node.opset() >= 18 ? 2 : 1);
    const auto image = onnx_images(graph, node);
    if (!image)
        return;
    std::optional<std::vector<std::int64_t>> axes;
    if (node.opset() < 18)
        axes = node.integers("axes");
    else if (node.inputs() == 2 && !(axes = graph.integers(node, 1)))
        return;
    if (node.opset() >= 18)
        node.ignore("noop_with_empty_axes"); // without axes it is refused either way
    if (!axes || onnx_axes(node, *axes, 4) != std::vector<std::size_t>{2, 3}) {
        graph.reject(node, "its axes are not height and width");
        return;
    }
    std::size_t means = image->tensor;
    if (node.flag("keepdims", true)) {
        graph.add(node, global_average_pool_layer{}, {means}, {image->shape[0], 1, 1});
    } else {
        means = graph.add_before(node, global_average_pool_layer{}, {means}, {image->shape[0], 1, 1});
        graph.add(node, reshape{{image->shape[0]}}, {means}, {image->shape[0]});
    }
}

} // namespace notch::detail

#endif

/// @file
/// A network: layers over named tensors, static, feed-forward, in floats.
///
/// Values only: a network is read from a file (io/onnx_read.hpp) or written down, rewritten by functions that return a new
/// one (fold_batch_norm.hpp, fuse_branches.hpp), computed by forward.hpp, and never trained.
///
/// Shapes are those of one image, without the batch: [C, H, W] for images, [F] for vectors. Floats lie in that order, image
/// after image. Axes of a layer count from the channels: 0 is C, 1 is H, 2 is W.
///
///     network net;
///     const std::size_t x = net.add_tensor("input", {3, 32, 32});
///     const std::size_t y = net.add_tensor("stem");                       shapes of results are inferred
///     net.input = x;
///     net.output = y;
///     net.layers.push_back({"stem", convolution{weights, bias, {.padding = {1, 1, 1, 1}}}, {x}, y});
///     infer_shapes(net);                                                  model/shapes.hpp
#pragma once

#include <array>
#include <cstddef>
#include <iterator>
#include <limits>
#include <string>
#include <utility>
#include <variant>
#include <vector>

namespace notch {

/// Floats in row-major order with their extents.
struct float_array {
    std::vector<std::size_t> shape{}; ///< all extents; empty for one number
    std::vector<float> values{};      ///< product of the extents
};

/// How a window moves over an image: [height, width], padding [top, left, bottom, right].
struct window {
    std::array<std::size_t, 2> stride{1, 1};   ///< pixels between two results
    std::array<std::size_t, 2> dilation{1, 1}; ///< pixels between two taps
    std::array<std::size_t, 4> padding{};      ///< pixels around the image
    /// Equal in everything.
    friend bool operator==(const window&, const window&) = default;
};

/// y[o] = bias[o] + sum over i, kh, kw of weights[o][i][kh][kw] * x[...], as in ONNX Conv (no flip).
struct convolution {
    float_array weights{};     ///< [O, C / groups, KH, KW]
    std::vector<float> bias{}; ///< [O], or empty
    notch::window window{};    ///< how it moves
    std::size_t groups = 1;    ///< cuts of the channels
};

/// y = x W^T + bias: ONNX Gemm, or MatMul with constant weights.
struct linear {
    float_array weights{};     ///< [O, I]
    std::vector<float> bias{}; ///< [O], or empty
};

/// y = (x - mean) / sqrt(variance + epsilon) * gain + shift, per channel.
struct batch_norm {
    std::vector<float> gain{};     ///< one per channel
    std::vector<float> shift{};    ///< one per channel
    std::vector<float> mean{};     ///< one per channel
    std::vector<float> variance{}; ///< one per channel
    float epsilon = 1e-5F;         ///< is added to the variance
};

/// y = x * factor[c] + offset[c]: constant Mul, Div, Add and Sub. One number per channel, one for all, or none: 1 and 0.
struct affine_map {
    std::vector<float> factor{}; ///< empty: 1
    std::vector<float> offset{}; ///< empty: 0
};

/// y = min(max(x, lowest), highest): ReLU is {0}, ReLU6 is {0, 6}.
struct clip {
    float lowest = 0;                                       ///< nothing below it
    float highest = std::numeric_limits<float>::infinity(); ///< nothing above it
};

/// y = a + b, of two tensors of one shape.
struct sum {};

/// The largest number of a window; padding never wins.
struct max_pool {
    std::array<std::size_t, 2> kernel{1, 1}; ///< [height, width]
    notch::window window{};                  ///< how it moves
    bool ceil_mode = false;                  ///< windows may begin inside and end outside of the padded image
};

/// The mean of a window, over its pixels inside the image, or over all of the padded one.
struct average_pool {
    std::array<std::size_t, 2> kernel{1, 1}; ///< [height, width]
    notch::window window{};                  ///< how it moves
    bool ceil_mode = false;                  ///< as for max_pool
    bool count_include_pad = false;          ///< padding counts, as zeros
};

/// [C, H, W] -> [C, 1, 1]: the mean of each channel.
struct global_average_pool_layer {};

/// The same numbers, in order, with other extents.
struct reshape {
    std::vector<std::size_t> shape{}; ///< of one image; empty: one axis, as Flatten
};

/// Tensors side by side along one axis.
struct concat {
    std::size_t axis = 0; ///< along which they lie
};

/// x[begin : end : step] along every axis, all forwards.
struct slice {
    std::vector<std::size_t> begin{}; ///< first index per axis
    std::vector<std::size_t> end{};   ///< one behind the last
    std::vector<std::size_t> step{};  ///< per axis
};

/// A constant around the tensor.
struct pad {
    std::vector<std::size_t> before{}; ///< per axis
    std::vector<std::size_t> after{};  ///< elements behind, per axis
    float value = 0;                   ///< of what is added
};

/// exp(x - max) / sum of the same, along axis 0. Only at the end of a network.
struct softmax {};

/// What a layer computes.
using operation = std::variant<convolution, linear, batch_norm, affine_map, clip, sum, max_pool, average_pool,
                               global_average_pool_layer, reshape, concat, slice, pad, softmax>;

/// One operation between tensors.
struct layer {
    std::string name{};                ///< for messages, reports and recipes
    operation op{};                    ///< what it computes
    std::vector<std::size_t> inputs{}; ///< tensors
    std::size_t output = 0;            ///< tensor
};

/// A tensor between layers.
struct tensor_info {
    std::string name{};               ///< for messages and files
    std::vector<std::size_t> shape{}; ///< of one image
};

/// Layers in an order in which they can be computed: each reads what earlier ones wrote.
struct network {
    std::string name{};                 ///< for messages and reports
    std::vector<tensor_info> tensors{}; ///< all of them
    std::vector<layer> layers{};        ///< in order
    std::size_t input = 0;              ///< tensor that is given
    std::size_t output = 0;             ///< tensor that is wanted

    /// Adds a tensor; returns its number.
    std::size_t add_tensor(std::string tensor_name, std::vector<std::size_t> shape = {}) {
        tensors.push_back({std::move(tensor_name), std::move(shape)});
        return tensors.size() - 1;
    }
};

/// Elements of a tensor of some extents.
[[nodiscard]] inline std::size_t element_count(const std::vector<std::size_t>& shape) noexcept {
    std::size_t count = 1;
    for (const std::size_t extent : shape)
        count *= extent;
    return count;
}

/// ONNX's name of an operation, for messages and reports.
[[nodiscard]] inline const char* operator_name(const operation& op) noexcept {
    static constexpr const char* names[] = {
        "Conv",    "Gemm",        "BatchNormalization", "Mul+Add", "Clip",   "Add",
        "MaxPool", "AveragePool", "GlobalAveragePool",  "Reshape", "Concat", "Slice",
        "Pad",     "Softmax"};
    static_assert(std::size(names) == std::variant_size_v<operation>);
    return names[op.index()];
}

} // namespace notch

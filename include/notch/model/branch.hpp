/// @file
/// A branch of a network: one convolution, or one map per channel, over a tensor, in double, and sums of them.
///
///     sum of convolutions:   W = W_a + W_b where taps meet; the smaller kernel lies inside of the larger one
///     map as convolution:    W[o][o mod (C / groups)][0][0] = factor[o],  b[o] = offset[o]
///
/// Windows meet when strides and groups are equal, dilations too unless a kernel has one tap, and the taps of one kernel,
/// seen from the pixel of the result, are among those of the other along each axis. Padding is zero for all, so that a sum is
/// exact. Kernels such as 1 x 7 and 7 x 1, whose sum has more than twice as many taps, stay apart.
#pragma once

#include <notch/core/int_math.hpp>
#include <notch/model/exact_affine.hpp>
#include <notch/model/layer_shape.hpp>
#include <notch/model/network.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace notch::detail {

/// A convolution in double.
struct exact_conv {
    std::array<std::size_t, 4> shape{}; ///< [O, C / groups, KH, KW]
    std::vector<double> weights{};
    std::vector<double> bias{}; ///< [O]
    notch::window window{};
    std::size_t groups = 1;

    exact_conv(const std::array<std::size_t, 4>& extents, const notch::window& over, std::size_t group_count)
        : shape(extents), weights(extents[0] * extents[1] * extents[2] * extents[3]), bias(extents[0]), window(over),
          groups(group_count) {}
    explicit exact_conv(const convolution& op)
        : exact_conv({op.weights.shape[0], op.weights.shape[1], op.weights.shape[2], op.weights.shape[3]}, op.window,
                     op.groups) {
        weights.assign(op.weights.values.begin(), op.weights.values.end());
        std::copy(op.bias.begin(), op.bias.end(), bias.begin());
    }

    /// Taps of an output.
    [[nodiscard]] std::size_t row() const noexcept { return shape[1] * shape[2] * shape[3]; }
    /// This convolution, then a map.
    void then(const exact_affine& map) {
        for (std::size_t i = 0; i < weights.size(); ++i)
            weights[i] *= map.factor[i / row()];
        for (std::size_t o = 0; o < bias.size(); ++o)
            bias[o] = bias[o] * map.factor[o] + map.offset[o];
    }
    /// Adds the taps of another one, whose first tap lies at a tap of this.
    void add(const exact_conv& other, const std::array<std::size_t, 2>& first) {
        std::size_t from = 0;
        for (std::size_t line = 0; line < shape[0] * shape[1]; ++line)
            for (std::size_t kh = 0; kh < other.shape[2]; ++kh)
                for (std::size_t kw = 0; kw < other.shape[3]; ++kw)
                    weights[(line * shape[2] + first[0] + kh) * shape[3] + first[1] + kw] += other.weights[from++];
        for (std::size_t o = 0; o < bias.size(); ++o)
            bias[o] += other.bias[o];
    }
    /// The same, rounded to floats.
    [[nodiscard]] convolution rounded() const {
        convolution op;
        op.weights.shape.assign(shape.begin(), shape.end());
        for (const double x : weights)
            op.weights.values.push_back(static_cast<float>(x));
        for (const double x : bias)
            op.bias.push_back(static_cast<float>(x));
        op.window = window;
        op.groups = groups;
        return op;
    }
};

/// Kernels of two convolutions along one axis in one.
struct met_axis {
    std::size_t kernel;
    std::size_t dilation;
    std::size_t before;
    std::size_t after;
    std::array<std::size_t, 2> first; ///< taps at which the two begin
};

/// Where two kernels meet along axis 0 or 1, or nothing.
[[nodiscard]] inline std::optional<met_axis> meet(const exact_conv& a, const exact_conv& b, std::size_t axis) {
    const bool a_is_larger = a.shape[2 + axis] >= b.shape[2 + axis];
    const exact_conv& large = a_is_larger ? a : b;
    const exact_conv& small = a_is_larger ? b : a;
    const std::size_t kernel = large.shape[2 + axis];
    const std::size_t dilation = large.window.dilation[axis];
    const std::size_t before = large.window.padding[axis];
    const std::size_t other = small.window.padding[axis];
    if (small.shape[2 + axis] > 1 && small.window.dilation[axis] != dilation)
        return {};
    if (other > before || (before - other) % dilation != 0)
        return {};
    const std::size_t shift = (before - other) / dilation;
    if (shift + small.shape[2 + axis] > kernel)
        return {};
    return met_axis{
        kernel, dilation, before, large.window.padding[2 + axis], {a_is_larger ? 0 : shift, a_is_larger ? shift : 0}};
}

/// The sum of two convolutions over one tensor that give one shape, or nothing.
[[nodiscard]] inline std::optional<exact_conv> sum_of(const exact_conv& a, const exact_conv& b) {
    if (a.groups != b.groups || a.shape[0] != b.shape[0] || a.shape[1] != b.shape[1] ||
        a.window.stride != b.window.stride)
        return {};
    const std::optional<met_axis> down = meet(a, b, 0);
    const std::optional<met_axis> across = meet(a, b, 1);
    if (!down || !across || down->kernel * across->kernel > 2 * (a.shape[2] * a.shape[3] + b.shape[2] * b.shape[3]))
        return {};
    exact_conv result({a.shape[0], a.shape[1], down->kernel, across->kernel},
                      {a.window.stride,
                       {down->dilation, across->dilation},
                       {down->before, across->before, down->after, across->after}},
                      a.groups);
    result.add(a, {down->first[0], across->first[0]});
    result.add(b, {down->first[1], across->first[1]});
    return result;
}

/// A map as a convolution like another one, whose output has the channels of its input; nothing for other strides than 1.
[[nodiscard]] inline std::optional<exact_conv> conv_of(const exact_affine& map, const exact_conv& like) {
    const std::size_t inputs = like.shape[1];
    if (like.window.stride != std::array<std::size_t, 2>{1, 1} || like.shape[0] != map.factor.size() ||
        like.shape[0] != inputs * like.groups)
        return {};
    exact_conv result({like.shape[0], inputs, 1, 1}, {}, like.groups);
    for (std::size_t o = 0; o < map.factor.size(); ++o)
        result.weights[o * inputs + o % inputs] = map.factor[o];
    result.bias = map.offset;
    return result;
}

/// One branch and the layers it is made of.
struct branch {
    std::size_t input = 0;             ///< tensor
    std::optional<exact_conv> conv{};  ///< or
    std::optional<exact_affine> map{}; ///< this
    std::string name{};                ///< of the convolution with the largest kernel
    std::vector<std::size_t> layers{};

    /// Numbers of the kernel; 0 for a map.
    [[nodiscard]] std::size_t kernel() const noexcept { return conv ? conv->shape[2] * conv->shape[3] : 0; }
};

/// The sum of two branches as one, or nothing.
[[nodiscard]] inline std::optional<branch> sum_of(const branch& a, const branch& b) {
    if (a.input != b.input)
        return {};
    branch result{.input = a.input, .name = a.kernel() >= b.kernel() ? a.name : b.name, .layers = a.layers};
    result.layers.insert(result.layers.end(), b.layers.begin(), b.layers.end());
    if (a.map && b.map) {
        result.map = a.map;
        for (std::size_t c = 0; c < b.map->factor.size(); ++c) {
            result.map->factor[c] += b.map->factor[c];
            result.map->offset[c] += b.map->offset[c];
        }
        return result;
    }
    const std::optional<exact_conv> left = a.conv ? a.conv : conv_of(*a.map, *b.conv);
    const std::optional<exact_conv> right = b.conv ? b.conv : conv_of(*b.map, *a.conv);
    if (left && right)
        result.conv = sum_of(*left, *right);
    return result.conv ? std::optional<branch>(std::move(result)) : std::nullopt;
}

} // namespace notch::detail

/// @file
/// simplify: the same network without layers that change nothing, and without layers and tensors that nobody needs.
///
/// | layer without effect | when |
/// |---|---|
/// | reshape, slice, pad | the shape stays |
/// | concat | one input |
/// | clip | all numbers allowed |
/// | affine_map | factors 1, offsets 0 |
/// | max_pool, average_pool | kernel 1 x 1, no padding, the shape stays |
/// | global_average_pool_layer | one pixel |
///
/// Tensors are numbered anew, in their old order. The output keeps its name; a layer without effect between the input and
/// the output stays.
#pragma once

#include <notch/core/config.hpp>
#include <notch/model/network.hpp>
#include <notch/model/shapes.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <limits>
#include <utility>
#include <variant>
#include <vector>

namespace notch {

namespace detail {

/// Stands for a layer or tensor that there is not.
inline constexpr std::size_t no_number = std::numeric_limits<std::size_t>::max();

/// Whether a layer has weights.
[[nodiscard]] inline bool has_weights(const operation& op) noexcept {
    return std::holds_alternative<convolution>(op) || std::holds_alternative<linear>(op);
}

/// How often each tensor is read; the network's output is read once more.
[[nodiscard]] inline std::vector<std::size_t> count_readers(const network& net) {
    std::vector<std::size_t> readers(net.tensors.size());
    ++readers[net.output];
    for (const layer& it : net.layers)
        for (const std::size_t input : it.inputs)
            ++readers[input];
    return readers;
}

/// The layer that writes each tensor, or no_number.
[[nodiscard]] inline std::vector<std::size_t> find_writers(const network& net) {
    std::vector<std::size_t> writers(net.tensors.size(), no_number);
    for (std::size_t i = 0; i < net.layers.size(); ++i)
        writers[net.layers[i].output] = i;
    return writers;
}

/// Removes layers.
inline void drop_layers(network& net, const std::vector<bool>& dropped) {
    std::vector<layer> kept;
    for (std::size_t i = 0; i < net.layers.size(); ++i)
        if (!dropped[i])
            kept.push_back(std::move(net.layers[i]));
    net.layers = std::move(kept);
}

/// Removes tensors that no layer reads or writes; returns the new number of each old one, or no_number.
inline std::vector<std::size_t> drop_tensors(network& net) {
    std::vector<bool> used(net.tensors.size());
    used[net.input] = used[net.output] = true;
    for (const layer& it : net.layers) {
        used[it.output] = true;
        for (const std::size_t input : it.inputs)
            used[input] = true;
    }
    std::vector<std::size_t> numbers(net.tensors.size(), no_number);
    std::vector<tensor_info> kept;
    for (std::size_t i = 0; i < net.tensors.size(); ++i)
        if (used[i]) {
            numbers[i] = kept.size();
            kept.push_back(std::move(net.tensors[i]));
        }
    net.tensors = std::move(kept);
    net.input = numbers[net.input];
    net.output = numbers[net.output];
    for (layer& it : net.layers) {
        it.output = numbers[it.output];
        for (std::size_t& input : it.inputs)
            input = numbers[input];
    }
    return numbers;
}

[[nodiscard]] inline bool has_no_effect(const clip& op) noexcept {
    constexpr float infinity = std::numeric_limits<float>::infinity();
    return op.lowest == -infinity && op.highest == infinity;
}
[[nodiscard]] inline bool has_no_effect(const affine_map& op) noexcept {
    return std::all_of(op.factor.begin(), op.factor.end(), [](float x) { return x == 1.0F; }) &&
           std::all_of(op.offset.begin(), op.offset.end(), [](float x) { return x == 0.0F; });
}
/// A pooling of single pixels.
template <class Pool> [[nodiscard]] bool pools_nothing(const Pool& op) noexcept {
    return op.kernel == std::array<std::size_t, 2>{1, 1} && op.window.padding == std::array<std::size_t, 4>{};
}
[[nodiscard]] inline bool has_no_effect(const max_pool& op) noexcept { return pools_nothing(op); }
[[nodiscard]] inline bool has_no_effect(const average_pool& op) noexcept { return pools_nothing(op); }
[[nodiscard]] inline bool has_no_effect(const global_average_pool_layer&) noexcept { return true; }
[[nodiscard]] inline bool has_no_effect(const reshape&) noexcept { return true; }
[[nodiscard]] inline bool has_no_effect(const slice&) noexcept { return true; }
[[nodiscard]] inline bool has_no_effect(const pad&) noexcept { return true; }
[[nodiscard]] inline bool has_no_effect(const concat&) noexcept { return true; }
template <class Other> [[nodiscard]] bool has_no_effect(const Other&) noexcept { return false; }

/// True where a layer with one input, whose shape is that of the output, gives what it got.
[[nodiscard]] inline bool is_idle(const network& net, const layer& it) {
    return it.inputs.size() == 1 && net.tensors[it.inputs[0]].shape == net.tensors[it.output].shape &&
           std::visit([](const auto& op) { return has_no_effect(op); }, it.op);
}

/// Removes layers without effect; their readers read what they read.
inline void drop_idle_layers(network& net) {
    std::vector<std::size_t> same(net.tensors.size());
    for (std::size_t i = 0; i < same.size(); ++i)
        same[i] = i;
    std::vector<bool> dropped(net.layers.size());
    for (std::size_t i = 0; i < net.layers.size(); ++i) {
        layer& it = net.layers[i];
        for (std::size_t& input : it.inputs)
            input = same[input];
        if (!is_idle(net, it) || (it.output == net.output && it.inputs[0] == net.input))
            continue;
        dropped[i] = true;
        same[it.output] = it.inputs[0];
        if (it.output == net.output) {
            net.output = it.inputs[0];
            net.tensors[net.output].name = net.tensors[it.output].name;
        }
    }
    drop_layers(net, dropped);
}

/// Removes layers from which no path leads to the output.
inline void drop_unneeded_layers(network& net) {
    std::vector<bool> needed(net.tensors.size());
    needed[net.output] = true;
    std::vector<bool> dropped(net.layers.size());
    for (std::size_t i = net.layers.size(); i-- > 0;) {
        dropped[i] = !needed[net.layers[i].output];
        for (const std::size_t input : net.layers[i].inputs)
            needed[input] = needed[input] || !dropped[i];
    }
    drop_layers(net, dropped);
}

/// simplify, in place; returns the new number of each old tensor, or no_number.
inline std::vector<std::size_t> simplify_in_place(network& net) {
    drop_idle_layers(net);
    drop_unneeded_layers(net);
    return drop_tensors(net);
}

} // namespace detail

/// Removes what has no effect. Shapes are inferred anew; raises what infer_shapes raises.
[[nodiscard]] inline network simplify(network net) {
    infer_shapes(net);
    detail::simplify_in_place(net);
    return net;
}

} // namespace notch

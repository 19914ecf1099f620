/// @file
/// A float network in the form that is quantized: batch norms folded, branches fused, maps per channel turned into depthwise
/// convolutions.
///
/// Constant maps behind the input (preprocessing inside of the network) stay: codes enter behind them, and the table from
/// pixels to codes takes them in.
#pragma once

#include <notch/core/error.hpp>
#include <notch/model/fold_batch_norm.hpp>
#include <notch/model/fuse_branches.hpp>
#include <notch/model/network.hpp>
#include <notch/model/shapes.hpp>
#include <notch/model/simplify.hpp>

#include <algorithm>
#include <cstddef>
#include <string>
#include <utility>
#include <variant>
#include <vector>

namespace notch {

/// A network that can be quantized.
struct prepared_network {
    network net{};                    ///< folded and fused
    std::size_t input = 0;            ///< the tensor that codes enter
    std::vector<std::size_t> front{}; ///< layers before it: constant maps
};

namespace detail {

/// A map per channel as a convolution of 1 x 1 with a group per channel.
[[nodiscard]] inline convolution as_depthwise(const affine_map& map, std::size_t channels) {
    const auto each = [channels](const std::vector<float>& from, float missing) {
        std::vector<float> to = from;
        if (to.empty())
            to.assign(channels, missing);
        if (to.size() == 1)
            to.assign(channels, from[0]);
        return to;
    };
    convolution to;
    to.weights.shape = {channels, 1, 1, 1};
    to.weights.values = each(map.factor, 1);
    to.bias = each(map.offset, 0);
    to.groups = channels;
    return to;
}

/// Follows constant maps from the input as long as they are all that reads it.
[[nodiscard]] inline prepared_network find_front(network net) {
    prepared_network prepared;
    prepared.input = net.input;
    const std::vector<std::size_t> readers = count_readers(net);
    for (std::size_t i = 0; i < net.layers.size(); ++i) {
        const layer& l = net.layers[i];
        if (std::holds_alternative<affine_map>(l.op) && l.inputs[0] == prepared.input && readers[prepared.input] == 1) {
            prepared.front.push_back(i);
            prepared.input = l.output;
        }
    }
    prepared.net = std::move(net);
    return prepared;
}

} // namespace detail

/// The network in the form that is quantized. Raises the errors of validate, and unsupported_error for what has no integer
/// form, all of it at once, by name.
[[nodiscard]] inline prepared_network prepare(const network& net) {
    prepared_network prepared = detail::find_front(fuse_branches(fold_batch_norm(net)).net);
    std::string refused;
    for (std::size_t i = 0; i < prepared.net.layers.size(); ++i) {
        layer& l = prepared.net.layers[i];
        if (std::ranges::find(prepared.front, i) != prepared.front.end())
            continue;
        const std::vector<std::size_t>& shape = prepared.net.tensors[l.inputs[0]].shape;
        if (const auto* map = std::get_if<affine_map>(&l.op); map != nullptr && shape.size() == 3) {
            l.op = detail::as_depthwise(*map, shape[0]);
        } else if (std::holds_alternative<affine_map>(l.op) ||
                   (std::holds_alternative<softmax>(l.op) && l.output != prepared.net.output)) {
            refused += refused.empty() ? "" : ", ";
            refused += "'" + l.name + "' (" + operator_name(l.op) + ")";
        }
    }
    if (!refused.empty())
        detail::raise<unsupported_error>("no integer form of the layers ", refused);
    infer_shapes(prepared.net);
    return prepared;
}

} // namespace notch

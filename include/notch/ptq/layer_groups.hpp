/// @file
/// Groups: layers that an integer program runs as one.
///
///     Conv | Add | Clip        sums stay in registers: bias, residual, one rounding, clamp
///     Conv | Clip, Gemm | Clip, Add | Clip
///     anything else            alone
///
/// A sum is given to the dense or grouped convolution among its operands that nobody else reads, the one with more taps
/// where both are; the other operand becomes its residual, in codes. A group runs where its last layer stands, so its inputs and
/// its residual exist by then. Tensors inside a group never exist.
#pragma once

#include <notch/core/error.hpp>
#include <notch/model/network.hpp>
#include <notch/model/simplify.hpp>

#include <algorithm>
#include <cstddef>
#include <limits>
#include <optional>
#include <variant>
#include <vector>

namespace notch {

/// Layers that run as one.
struct layer_group {
    std::size_t layer = 0;                                  ///< the first of them: it gives the group its name and kind
    std::vector<std::size_t> inputs{};                      ///< tensors that the first layer reads
    std::optional<std::size_t> residual{};                  ///< tensor that is added
    std::size_t output = 0;                                 ///< tensor that the last layer writes
    std::size_t last = 0;                                   ///< number of the last layer
    float lowest = -std::numeric_limits<float>::infinity(); ///< results are clamped
    float highest = std::numeric_limits<float>::infinity(); ///< the other bound
};

namespace detail {

/// Layers that read each tensor; the network's output counts as one more reader, of number layers.size().
[[nodiscard]] inline std::vector<std::vector<std::size_t>> readers_of(const network& net) {
    std::vector<std::vector<std::size_t>> readers(net.tensors.size());
    for (std::size_t i = 0; i < net.layers.size(); ++i)
        for (const std::size_t tensor : net.layers[i].inputs)
            readers[tensor].push_back(i);
    readers[net.output].push_back(net.layers.size());
    return readers;
}

/// Taps of a filter of a convolution that can take a residual over; 0 for anything else.
[[nodiscard]] inline std::size_t taps_of(const layer& l) noexcept {
    const auto* conv = std::get_if<convolution>(&l.op);
    if (conv == nullptr || (conv->groups > 1 && conv->weights.shape[1] == 1))
        return 0;
    return conv->weights.shape[2] * conv->weights.shape[3];
}

/// Groups while they are made.
class group_builder {
public:
    explicit group_builder(const network& net)
        : net_(net), readers_(readers_of(net)), writer_(find_writers(net)), taken_(net.layers.size(), false) {}

    [[nodiscard]] std::vector<layer_group> build() {
        std::vector<layer_group> groups;
        for (std::size_t i = 0; i < net_.layers.size(); ++i)
            if (std::holds_alternative<sum>(net_.layers[i].op))
                if (const auto host = host_of(i))
                    groups.push_back(with_sum(*host, i));
        for (std::size_t i = 0; i < net_.layers.size(); ++i)
            if (!taken_[i])
                groups.push_back(alone(i));
        std::ranges::sort(groups, {}, &layer_group::last);
        return groups;
    }

private:
    /// The layer with weights that can take over a sum.
    [[nodiscard]] std::optional<std::size_t> host_of(std::size_t sum_layer) const {
        std::optional<std::size_t> best;
        for (const std::size_t tensor : net_.layers[sum_layer].inputs) {
            const std::size_t host = writer_[tensor];
            if (host == no_number || taps_of(net_.layers[host]) == 0 || readers_[tensor].size() != 1 || taken_[host])
                continue;
            if (!best || taps_of(net_.layers[host]) > taps_of(net_.layers[*best]))
                best = host;
        }
        return best;
    }
    [[nodiscard]] layer_group with_sum(std::size_t host, std::size_t sum_layer) {
        layer_group group{host, net_.layers[host].inputs, {}, net_.layers[sum_layer].output, sum_layer};
        const std::vector<std::size_t>& operands = net_.layers[sum_layer].inputs;
        group.residual = operands[operands[0] == net_.layers[host].output ? 1 : 0];
        taken_[host] = taken_[sum_layer] = true;
        take_clip(group);
        return group;
    }
    [[nodiscard]] layer_group alone(std::size_t i) {
        layer_group group{i, net_.layers[i].inputs, {}, net_.layers[i].output, i};
        taken_[i] = true;
        if (const auto* own = std::get_if<clip>(&net_.layers[i].op)) {
            group.lowest = own->lowest;
            group.highest = own->highest;
        } else if (has_weights(net_.layers[i].op) || std::holds_alternative<sum>(net_.layers[i].op))
            take_clip(group);
        return group;
    }
    /// Takes the clips that follow, where nobody else reads what enters them.
    void take_clip(layer_group& group) {
        while (readers_[group.output].size() == 1 && readers_[group.output][0] < net_.layers.size()) {
            const std::size_t next = readers_[group.output][0];
            const auto* limits = std::get_if<clip>(&net_.layers[next].op);
            if (limits == nullptr)
                return;
            group.lowest = std::clamp(group.lowest, limits->lowest, limits->highest);
            group.highest = std::clamp(group.highest, limits->lowest, limits->highest);
            group.output = net_.layers[next].output;
            group.last = next;
            taken_[next] = true;
        }
    }

    const network& net_;
    std::vector<std::vector<std::size_t>> readers_;
    std::vector<std::size_t> writer_;
    std::vector<bool> taken_;
};

} // namespace detail

/// The groups of a network, in an order in which they can run. Precondition: validate(net).
[[nodiscard]] inline std::vector<layer_group> group_layers(const network& net) {
    return detail::group_builder(net).build();
}

} // namespace notch

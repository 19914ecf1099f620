/// @file
/// fuse_branches: sums of convolutions over one tensor become one convolution (RepVGG and its kin).
///
///     conv 3x3 (x) + conv 1x1 (x) + x * t + s        ->        conv 3x3 (x)
///
/// A branch is a convolution, a convolution and the batch normalizations and affine maps behind it, such maps alone, or the
/// tensor itself; nobody else reads what lies inside of it. Sums may be nested. It is the same before and after
/// fold_batch_norm: all of it is computed in double, and weights are rounded to float once. Which kernels meet: branch.hpp.
/// Residual sums, whose branches read different tensors, stay; a network without such branches stays as it is, but for
/// layers without effect (simplify.hpp).
///
/// Source: Ding et al., RepVGG: Making VGG-style ConvNets Great Again, 2021, section 3.3.
#pragma once

#include <notch/core/config.hpp>
#include <notch/model/branch.hpp>
#include <notch/model/exact_affine.hpp>
#include <notch/model/fold_batch_norm.hpp>
#include <notch/model/network.hpp>
#include <notch/model/shapes.hpp>
#include <notch/model/simplify.hpp>

#include <cstddef>
#include <optional>
#include <utility>
#include <variant>
#include <vector>

namespace notch {

namespace detail {

/// Fuses the branches of one network.
class branch_fuser {
public:
    explicit branch_fuser(folded_network from)
        : net_(std::move(from.net)), statistics_(std::move(from.statistics)), readers_(count_readers(net_)),
          writers_(find_writers(net_)), sums_(net_.layers.size()) {
        statistics_.resize(net_.tensors.size());
    }

    [[nodiscard]] folded_network fuse() {
        for (std::size_t i = 0; i < net_.layers.size(); ++i)
            if (std::holds_alternative<sum>(net_.layers[i].op))
                join(i);
        std::vector<bool> dropped(net_.layers.size());
        for (std::size_t i = 0; i < net_.layers.size(); ++i)
            if (sums_[i] && sums_[i]->conv)
                replace(i, dropped);
        drop_layers(net_, dropped);
        const std::vector<std::size_t> numbers = simplify_in_place(net_);
        return with_new_numbers(std::move(net_), std::move(statistics_), numbers);
    }

private:
    /// The layer that writes a tensor which is read once; no_number for other tensors.
    [[nodiscard]] std::size_t only_writer(std::size_t tensor) const {
        return readers_[tensor] == 1 ? writers_[tensor] : no_number;
    }

    /// The branch that ends in a tensor: at least the tensor itself.
    [[nodiscard]] branch branch_to(std::size_t tensor) const {
        const std::size_t channels = net_.tensors[tensor].shape[0];
        const std::size_t writer = only_writer(tensor);
        if (writer != no_number && sums_[writer]) {
            branch inner = *sums_[writer];
            inner.layers.push_back(writer);
            return inner;
        }
        branch result{.input = tensor, .map = exact_affine(channels)};
        for (std::size_t i = writer; i != no_number; i = only_writer(result.input)) {
            const layer& it = net_.layers[i];
            const auto* conv = std::get_if<convolution>(&it.op);
            std::optional<exact_affine> map = exact_affine_of(it.op, channels);
            if (conv == nullptr && !map)
                break;
            result.layers.push_back(i);
            result.input = it.inputs[0];
            if (conv != nullptr) {
                result.name = it.name;
                result.conv.emplace(*conv).then(*result.map);
                result.map.reset();
                break;
            }
            map->then(*result.map);
            result.map = std::move(map);
        }
        return result;
    }

    /// Makes one branch of a sum, where that is possible.
    void join(std::size_t index) {
        const layer& it = net_.layers[index];
        sums_[index] = sum_of(branch_to(it.inputs[0]), branch_to(it.inputs[1]));
        if (!sums_[index])
            return;
        for (const std::size_t input : it.inputs)
            if (only_writer(input) != no_number)
                sums_[only_writer(input)].reset();
        add_statistics(it);
    }

    /// Channels of branches as if they were independent: means and variances are summed up.
    void add_statistics(const layer& it) {
        const std::optional<channel_statistics>& a = statistics_[it.inputs[0]];
        const std::optional<channel_statistics>& b = statistics_[it.inputs[1]];
        if (!a || !b || it.inputs[0] == it.inputs[1])
            return;
        channel_statistics both;
        for (std::size_t c = 0; c < a->mean.size(); ++c) {
            const double x = double{a->deviation[c]};
            const double y = double{b->deviation[c]};
            both.mean.push_back(static_cast<float>(double{a->mean[c]} + double{b->mean[c]}));
            both.deviation.push_back(static_cast<float>(NOTCH_SQRT(x * x + y * y)));
        }
        statistics_[it.output] = std::move(both);
    }

    /// Puts the convolution of a sum in its place.
    void replace(std::size_t index, std::vector<bool>& dropped) {
        layer& it = net_.layers[index];
        it.op = sums_[index]->conv->rounded();
        it.inputs = {sums_[index]->input};
        it.name = std::move(sums_[index]->name);
        for (const std::size_t inner : sums_[index]->layers)
            dropped[inner] = true;
    }

    network net_;
    std::vector<std::optional<channel_statistics>> statistics_;
    std::vector<std::size_t> readers_;
    std::vector<std::size_t> writers_;
    std::vector<std::optional<branch>> sums_;
};

} // namespace detail

/// Fuses parallel branches. Tensors inside of branches are gone, the others are numbered in their old order.
/// Raises what `validate` raises (shapes are inferred anew), and range_error where a fused number is not finite.
[[nodiscard]] inline network fuse_branches(network net) {
    infer_shapes(net);
    detail::check_all_numbers(net);
    return detail::branch_fuser({std::move(net), {}}).fuse().net;
}

/// The same, with the statistics of the tensors that are left. A fused sum has the statistics of independent branches where
/// those of both are known.
[[nodiscard]] inline folded_network fuse_branches(folded_network from) {
    infer_shapes(from.net);
    detail::check_all_numbers(from.net);
    return detail::branch_fuser(std::move(from)).fuse();
}

} // namespace notch

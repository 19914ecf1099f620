/// @file
/// fold_batch_norm: batch normalizations, and constant factors and offsets, become part of the weights beside them.
///
///     behind a convolution, linear layer or map that nobody else reads:     W'[o] = W[o] t,  b'[o] = (b[o] - mean[o]) t + shift[o]
///                                                                      t = gain[o] / sqrt(variance[o] + epsilon)
///     an affine_map there:                                             W'[o] = W[o] f[o],  b'[o] = b[o] f[o] + g[o]
///     an affine_map in front, read by this layer only:                 W'[o][i] = W[o][i] f[i],  b'[o] = b[o] + sum W[o][i] g[i]
///
/// In front of a convolution with padding the last is done for offsets of zero only: padding is zero behind the map, not
/// before it. A batch normalization elsewhere becomes an affine_map. All of it is computed in double, and every number is
/// rounded to float once.
///
/// Normalized channels have a known mean and deviation, `shift` and |gain|, which methods without data need and which the
/// folded weights do not show: they are kept beside the network, by tensor.
#pragma once

#include <notch/model/exact_affine.hpp>
#include <notch/model/network.hpp>
#include <notch/model/shapes.hpp>
#include <notch/model/simplify.hpp>

#include <array>
#include <cstddef>
#include <optional>
#include <utility>
#include <variant>
#include <vector>

namespace notch {

/// What a batch normalization says about the tensor it writes, per channel.
struct channel_statistics {
    std::vector<float> mean{};      ///< shift
    std::vector<float> deviation{}; ///< |gain|
};

/// A network without batch normalizations.
struct folded_network {
    network net{};                                               ///< the network itself
    std::vector<std::optional<channel_statistics>> statistics{}; ///< by tensor; none where nothing is known
};

namespace detail {

/// A rewritten network with what was known of its tensors under their old numbers. Raises range_error where a number of the
/// network is not finite.
[[nodiscard]] inline folded_network with_new_numbers(network net,
                                                     std::vector<std::optional<channel_statistics>> statistics,
                                                     const std::vector<std::size_t>& numbers) {
    check_all_numbers(net);
    folded_network result;
    result.statistics.resize(net.tensors.size());
    for (std::size_t i = 0; i < numbers.size(); ++i)
        if (numbers[i] != no_number)
            result.statistics[numbers[i]] = std::move(statistics[i]);
    result.net = std::move(net);
    return result;
}

/// True for what can have a map behind it in itself.
[[nodiscard]] inline bool absorbs(const operation& op) noexcept {
    return has_weights(op) || std::holds_alternative<batch_norm>(op) || std::holds_alternative<affine_map>(op);
}

/// Maps around one layer that absorbs them.
struct surrounding_maps {
    std::optional<exact_affine> before{};
    std::optional<exact_affine> behind{};
};

/// Puts the maps into weights [O, C / groups, taps].
template <class Op> void absorb(Op& op, std::size_t groups, const surrounding_maps& maps) {
    const std::size_t outputs = op.weights.shape[0];
    const std::size_t inputs = op.weights.shape[1];
    const std::size_t taps = op.weights.values.size() / (outputs * inputs);
    std::vector<float> bias(outputs);
    float* weight = op.weights.values.data();
    for (std::size_t o = 0; o < outputs; ++o) {
        double sum = op.bias.empty() ? 0.0 : double{op.bias[o]};
        for (std::size_t i = 0; i < inputs; ++i)
            for (std::size_t tap = 0; tap < taps; ++tap, ++weight) {
                const std::size_t channel = o / (outputs / groups) * inputs + i;
                double value = double{*weight};
                if (maps.before) {
                    sum += value * maps.before->offset[channel];
                    value *= maps.before->factor[channel];
                }
                *weight = static_cast<float>(maps.behind ? value * maps.behind->factor[o] : value);
            }
        bias[o] = static_cast<float>(maps.behind ? sum * maps.behind->factor[o] + maps.behind->offset[o] : sum);
    }
    op.bias = std::move(bias);
}

/// Folds one network. Layers are moved aside as they are absorbed.
class batch_norm_folder {
public:
    explicit batch_norm_folder(network net)
        : net_(std::move(net)), readers_(count_readers(net_)), writers_(find_writers(net_)), maps_(net_.layers.size()),
          dropped_(net_.layers.size()), statistics_(net_.tensors.size()) {}

    [[nodiscard]] folded_network fold() {
        for (std::size_t i = 0; i < net_.layers.size(); ++i)
            fold_backwards(i);
        for (std::size_t i = 0; i < net_.layers.size(); ++i)
            if (has_weights(net_.layers[i].op))
                fold_forwards(i);
        for (std::size_t i = 0; i < net_.layers.size(); ++i)
            finish(i);
        drop_layers(net_, dropped_);
        const std::vector<std::size_t> numbers = drop_tensors(net_);
        return with_new_numbers(std::move(net_), std::move(statistics_), numbers);
    }

private:
    [[nodiscard]] std::size_t channels_of(std::size_t tensor) const { return net_.tensors[tensor].shape[0]; }

    /// A map that is left, with what it absorbed; none for other layers.
    [[nodiscard]] std::optional<exact_affine> map_of(std::size_t index) const {
        const layer& it = net_.layers[index];
        std::optional<exact_affine> map = exact_affine_of(it.op, channels_of(it.output));
        if (map && maps_[index].behind)
            map->then(*maps_[index].behind);
        return map;
    }

    /// Notes what is known about the output of a map.
    void note_statistics(const layer& it, const exact_affine& map) {
        if (const auto* norm = std::get_if<batch_norm>(&it.op)) {
            channel_statistics known{norm->shift, norm->gain};
            for (float& x : known.deviation)
                x = x < 0 ? -x : x;
            statistics_[it.output] = std::move(known);
        } else if (statistics_[it.inputs[0]]) {
            channel_statistics known = *statistics_[it.inputs[0]];
            for (std::size_t c = 0; c < known.mean.size(); ++c) {
                known.mean[c] = static_cast<float>(double{known.mean[c]} * map.factor[c] + map.offset[c]);
                const double deviation = double{known.deviation[c]} * map.factor[c];
                known.deviation[c] = static_cast<float>(deviation < 0 ? -deviation : deviation);
            }
            statistics_[it.output] = std::move(known);
        }
    }

    /// Lets the layer before a map absorb it, where it can.
    void fold_backwards(std::size_t index) {
        const layer& it = net_.layers[index];
        const std::optional<exact_affine> map = exact_affine_of(it.op, channels_of(it.output));
        if (!map)
            return;
        note_statistics(it, *map);
        const std::size_t writer = writers_[it.inputs[0]];
        if (writer == no_number || readers_[it.inputs[0]] != 1 || !absorbs(net_.layers[writer].op))
            return;
        std::optional<exact_affine>& behind = maps_[writer].behind;
        if (!behind)
            behind.emplace(map->factor.size());
        behind->then(*map);
        net_.layers[writer].output = it.output;
        writers_[it.output] = writer;
        dropped_[index] = true;
    }

    /// Lets a layer with weights absorb the map before it, where it can.
    void fold_forwards(std::size_t index) {
        layer& it = net_.layers[index];
        const std::size_t writer = writers_[it.inputs[0]];
        if (writer == no_number || readers_[it.inputs[0]] != 1 || dropped_[writer])
            return;
        std::optional<exact_affine> map = map_of(writer);
        const auto* conv = std::get_if<convolution>(&it.op);
        if (!map || (conv != nullptr && conv->window.padding != std::array<std::size_t, 4>{} && !map->only_scales()))
            return;
        maps_[index].before = std::move(map);
        it.inputs[0] = net_.layers[writer].inputs[0];
        dropped_[writer] = true;
    }

    /// Writes the numbers of what is left.
    void finish(std::size_t index) {
        layer& it = net_.layers[index];
        if (dropped_[index])
            return;
        const surrounding_maps& maps = maps_[index];
        if (const std::optional<exact_affine> map = map_of(index)) {
            if (maps.behind || std::holds_alternative<batch_norm>(it.op))
                it.op = map->rounded();
        } else if (maps.before || maps.behind) {
            if (auto* conv = std::get_if<convolution>(&it.op))
                absorb(*conv, conv->groups, maps);
            else
                absorb(std::get<linear>(it.op), 1, maps);
        }
    }

    network net_;
    std::vector<std::size_t> readers_;
    std::vector<std::size_t> writers_;
    std::vector<surrounding_maps> maps_;
    std::vector<bool> dropped_;
    std::vector<std::optional<channel_statistics>> statistics_;
};

} // namespace detail

/// Folds batch normalizations and affine maps. Tensors that only a folded layer wrote or read are gone, the others are
/// numbered in their old order; a layer that absorbed another one writes that one's tensor under its own name.
/// Raises what `validate` raises (shapes are inferred anew), and range_error where a folded number is not finite.
[[nodiscard]] inline folded_network fold_batch_norm(network net) {
    infer_shapes(net);
    detail::check_all_numbers(net);
    return detail::batch_norm_folder(std::move(net)).fold();
}

} // namespace notch

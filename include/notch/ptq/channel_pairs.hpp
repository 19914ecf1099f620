/// @file
/// Pairs: two layers with weights that share channels which nobody else reads, so that factors may move between them.
///
///     producer -> clip, pools, reshape to a vector (each or none) -> consumer
///
/// The producer is a convolution of any kind or a product; its row k and its bias k make channel k. The consumer's column k
/// reads it: within a group for a grouped convolution, filter k for a depthwise one, a weight per pixel for a product over
/// a reshaped image. Maxima and means commute with factors s > 0. A tensor that is read twice or is the network's output
/// belongs to no pair; sums, slices, padding and concatenation end one.
#pragma once

#include <notch/core/error.hpp>
#include <notch/model/network.hpp>
#include <notch/model/simplify.hpp>
#include <notch/ptq/channel_statistics.hpp>
#include <notch/ptq/layer_groups.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <optional>
#include <span>
#include <utility>
#include <variant>
#include <vector>

namespace notch {

/// Two layers that share channels.
struct channel_pair {
    std::size_t producer = 0;           ///< number of the layer that writes the channels
    std::size_t consumer = 0;           ///< number of the layer that reads them
    std::optional<std::size_t> clip{};  ///< number of the clip between them
    std::vector<std::size_t> between{}; ///< numbers of all layers between them, in order
    std::vector<std::size_t> tensors{}; ///< what the producer writes, ..., what the consumer reads
    std::size_t channels = 0;           ///< outputs of the producer
};

namespace detail {

/// Sum of squares.
[[nodiscard]] inline double square_sum(std::span<const float> w) noexcept {
    double sum = 0;
    for (const float x : w)
        sum += static_cast<double>(x) * static_cast<double>(x);
    return sum;
}

/// Weights of a layer as [outputs, inputs of a group, taps], in place.
class channel_weights {
public:
    /// `channels`: how many the layer reads; a product has the pixels of a channel as taps.
    channel_weights(operation& op, std::size_t channels) {
        const auto* conv = std::get_if<convolution>(&op);
        float_array& weights = conv != nullptr ? std::get<convolution>(op).weights : std::get<linear>(op).weights;
        bias_ = conv != nullptr ? &std::get<convolution>(op).bias : &std::get<linear>(op).bias;
        outputs_ = weights.shape[0];
        inputs_ = conv != nullptr ? weights.shape[1] : channels;
        groups_ = conv != nullptr ? conv->groups : 1;
        taps_ = outputs_ * inputs_ == 0 ? 0 : weights.values.size() / (outputs_ * inputs_);
        values_ = weights.values;
    }

    [[nodiscard]] std::size_t outputs() const noexcept { return outputs_; }
    /// Inputs of a group.
    [[nodiscard]] std::size_t inputs() const noexcept { return inputs_; }
    /// The first input that channel k is made of.
    [[nodiscard]] std::size_t first_input(std::size_t k) const noexcept { return k / (outputs_ / groups_) * inputs_; }
    /// A filter for each channel, one result each.
    [[nodiscard]] bool is_depthwise() const noexcept { return groups_ > 1 && inputs_ == 1 && outputs_ == groups_; }
    [[nodiscard]] std::vector<float>& bias() const noexcept { return *bias_; }
    /// The weights that make channel k.
    [[nodiscard]] std::span<float> row(std::size_t k) const noexcept {
        return values_.subspan(k * inputs_ * taps_, inputs_ * taps_);
    }
    /// Those on input i of its group.
    [[nodiscard]] std::span<float> row_taps(std::size_t k, std::size_t i) const noexcept {
        return values_.subspan((k * inputs_ + i) * taps_, taps_);
    }
    /// The outputs [first, last) that read channel k.
    [[nodiscard]] std::pair<std::size_t, std::size_t> readers(std::size_t k) const noexcept {
        const std::size_t each = outputs_ / groups_;
        const std::size_t first = k / inputs_ * each;
        return {first, first + each};
    }
    /// The weights between channel k and output o, which reads it.
    [[nodiscard]] std::span<float> taps(std::size_t o, std::size_t k) const noexcept {
        return values_.subspan((o * inputs_ + k % inputs_) * taps_, taps_);
    }

    /// Largest magnitude of the weights that make channel k.
    [[nodiscard]] double row_range(std::size_t k) const noexcept { return largest(row(k)); }
    /// Largest magnitude of the weights that read channel k.
    [[nodiscard]] double column_range(std::size_t k) const noexcept {
        double range = 0;
        for (auto [o, last] = readers(k); o < last; ++o)
            range = std::max(range, largest(taps(o, k)));
        return range;
    }
    /// Multiplies channel k as it is made.
    void scale_row(std::size_t k, double factor) const noexcept {
        scale(row(k), factor);
        if (!bias_->empty())
            scale(std::span(*bias_).subspan(k, 1), factor);
    }
    /// Multiplies the weights that read channel k.
    void scale_column(std::size_t k, double factor) const noexcept {
        for (auto [o, last] = readers(k); o < last; ++o)
            scale(taps(o, k), factor);
    }

private:
    [[nodiscard]] static double largest(std::span<const float> w) noexcept {
        float range = 0;
        for (const float x : w)
            range = std::max(range, std::abs(x));
        return static_cast<double>(range);
    }
    static void scale(std::span<float> w, double factor) noexcept {
        for (float& x : w)
            x = static_cast<float>(static_cast<double>(x) * factor);
    }

    std::span<float> values_{};
    std::vector<float>* bias_ = nullptr;
    std::size_t outputs_ = 0;
    std::size_t inputs_ = 0;
    std::size_t taps_ = 0;
    std::size_t groups_ = 1;
};

/// The two sides of a pair, in place.
[[nodiscard]] inline channel_weights producer_of(network& net, const channel_pair& pair) {
    operation& op = net.layers[pair.producer].op;
    return {op, net.tensors[net.layers[pair.producer].inputs[0]].shape[0]};
}
[[nodiscard]] inline channel_weights consumer_of(network& net, const channel_pair& pair) {
    return {net.layers[pair.consumer].op, pair.channels};
}

/// Multiplies channel k of a pair, and divides what reads it.
inline void scale_channel(network& net, const channel_pair& pair, std::size_t k, double factor) {
    producer_of(net, pair).scale_row(k, factor);
    consumer_of(net, pair).scale_column(k, 1 / factor);
}

/// What one channel showed, also in a tensor of several numbers per channel.
struct channel_bounds {
    double lowest = 0;
    double highest = 0;
};
[[nodiscard]] inline channel_bounds bounds_of(const measured_channels& seen, std::size_t channels, std::size_t k) {
    const std::size_t each = seen.lowest.size() / channels;
    const auto first = static_cast<std::ptrdiff_t>(k * each);
    const auto last = first + static_cast<std::ptrdiff_t>(each);
    return {static_cast<double>(*std::min_element(seen.lowest.begin() + first, seen.lowest.begin() + last)),
            static_cast<double>(*std::max_element(seen.highest.begin() + first, seen.highest.begin() + last))};
}

/// Largest magnitude of a channel.
[[nodiscard]] inline double range_of_channel(const measured_channels& seen, std::size_t channels, std::size_t k) {
    const channel_bounds x = bounds_of(seen, channels, k);
    return std::max(std::abs(x.lowest), std::abs(x.highest));
}

/// The statistics of channel k of a pair after its multiplication.
inline void scale_statistics(std::span<measured_channels> seen, const channel_pair& pair, std::size_t k,
                             double factor) {
    const auto scaled = [factor](float x) { return static_cast<float>(static_cast<double>(x) * factor); };
    for (const std::size_t t : pair.tensors) {
        measured_channels& it = seen[t];
        const std::size_t each = it.mean.size() / pair.channels;
        for (std::size_t i = k * each; i < (k + 1) * each; ++i) {
            it.lowest[i] = scaled(it.lowest[i]);
            it.highest[i] = scaled(it.highest[i]);
            it.mean[i] *= factor;
            it.squares[i] *= factor * factor;
        }
    }
}

/// Multiplies a channel by a factor, and what was measured of it.
inline void rescale_channel(network& net, std::span<measured_channels> seen, const channel_pair& pair, std::size_t k,
                            double factor) {
    scale_channel(net, pair, k, factor);
    scale_statistics(seen, pair, k, factor);
}

/// Raises shape_error unless statistics are those of a network: an entry per tensor, a number per channel of those that are
/// read or written.
inline void check_statistics(const network& net, std::span<const measured_channels> seen, const char* caller) {
    if (seen.size() != net.tensors.size())
        raise<shape_error>(caller, ": statistics of ", seen.size(), " tensors; the network '", net.name, "' has ",
                           net.tensors.size());
    const auto check = [&](std::size_t t) {
        const std::vector<std::size_t>& shape = net.tensors[t].shape;
        const std::size_t channels = shape.empty() ? 1 : shape[0];
        for (const std::size_t size :
             {seen[t].lowest.size(), seen[t].highest.size(), seen[t].mean.size(), seen[t].squares.size()})
            if (size != channels)
                raise<shape_error>(caller, ": statistics of ", size, " channels for ", quoted(net.tensors[t].name),
                                   " of extents ", shape);
    };
    check(net.input);
    for (const layer& it : net.layers)
        check(it.output);
}

/// Whether factors per channel pass through a layer that is no clip.
[[nodiscard]] inline bool passes_factors(const network& net, const layer& it) {
    if (std::holds_alternative<max_pool>(it.op) || std::holds_alternative<average_pool>(it.op) ||
        std::holds_alternative<global_average_pool_layer>(it.op))
        return true;
    return std::holds_alternative<reshape>(it.op) && net.tensors[it.output].shape.size() == 1;
}

/// The pair that begins with a layer.
[[nodiscard]] inline std::optional<channel_pair>
pair_behind(const network& net, const std::vector<std::vector<std::size_t>>& readers, std::size_t producer) {
    channel_pair pair;
    pair.producer = producer;
    std::size_t tensor = net.layers[producer].output;
    pair.channels = net.tensors[tensor].shape[0];
    for (;;) {
        pair.tensors.push_back(tensor);
        if (readers[tensor].size() != 1 || readers[tensor][0] >= net.layers.size())
            return std::nullopt;
        const std::size_t next = readers[tensor][0];
        const layer& it = net.layers[next];
        if (has_weights(it.op)) {
            pair.consumer = next;
            return pair;
        }
        if (std::holds_alternative<clip>(it.op) && !pair.clip)
            pair.clip = next;
        else if (!passes_factors(net, it))
            return std::nullopt;
        pair.between.push_back(next);
        tensor = it.output;
    }
}

} // namespace detail

/// All pairs, in the order of their producers. Precondition: shapes are inferred.
[[nodiscard]] inline std::vector<channel_pair> find_channel_pairs(const network& net) {
    const std::vector<std::vector<std::size_t>> readers = detail::readers_of(net);
    std::vector<channel_pair> pairs;
    for (std::size_t i = 0; i < net.layers.size(); ++i)
        if (detail::has_weights(net.layers[i].op))
            if (auto pair = detail::pair_behind(net, readers, i))
                pairs.push_back(std::move(*pair));
    return pairs;
}

} // namespace notch

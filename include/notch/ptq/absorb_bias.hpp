/// @file
/// absorb_biases: what a channel never falls below moves from its bias into the biases behind it.
///
///     relu(z) = relu(z - c) + c    for z >= c >= 0
///     b1[k] -> b1[k] - c[k]        b2[o] -> b2[o] + sum over k, taps of W2[o][k] c[k]
///
/// The range of the channel shrinks by c, and with it the step of its codes. c[k] = max(0, lowest z seen), or
/// max(0, mean - n deviations), which is exact for all but the few numbers below it. Only pairs (channel_pairs.hpp) with a ReLU
/// and a consumer without padding: padding is zeros behind the ReLU, which would have to become -c. An average that counts
/// padding is padding too. Maxima and other means pass c on.
/// Source: Nagel et al., "Data-free quantization through weight equalization and bias correction", ICCV 2019, section 4.1.3.
#pragma once

#include <notch/core/error.hpp>
#include <notch/model/network.hpp>
#include <notch/model/shapes.hpp>
#include <notch/ptq/channel_pairs.hpp>
#include <notch/ptq/channel_statistics.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <limits>
#include <span>
#include <utility>
#include <variant>
#include <vector>

namespace notch {

/// How much is absorbed.
struct absorb_options {
    double deviations = 0; ///< 0: down to the lowest number seen; otherwise n of mean - n deviations; 3 in the paper
};

/// What was moved within a pair.
struct absorbed_pair {
    channel_pair where{};          ///< layers and tensors
    std::vector<double> amounts{}; ///< c, one per channel
    std::size_t moved = 0;         ///< channels with c > 0
};

/// A network with absorbed biases.
struct absorbed_network {
    network net{};                         ///< layers and tensors as before, other biases
    std::vector<measured_channels> seen{}; ///< what would be measured on it, where c is at most what was seen
    std::vector<absorbed_pair> pairs{};    ///< all pairs with a ReLU and without padding
    std::size_t padded = 0;                ///< pairs with a ReLU that padding excludes
};

namespace detail {

/// Whether a layer counts zeros around an image.
[[nodiscard]] inline bool counts_padding(const operation& op) noexcept {
    constexpr std::array<std::size_t, 4> none{};
    if (const auto* conv = std::get_if<convolution>(&op))
        return conv->window.padding != none;
    const auto* mean = std::get_if<average_pool>(&op);
    return mean != nullptr && mean->count_include_pad && mean->window.padding != none;
}

/// Subtracts c from what was seen of channel k of a pair.
inline void shift_statistics(std::span<measured_channels> seen, const channel_pair& pair, std::size_t k, float c) {
    for (const std::size_t t : pair.tensors) {
        measured_channels& it = seen[t];
        const std::size_t each = it.mean.size() / pair.channels;
        const auto by = static_cast<double>(c);
        for (std::size_t i = k * each; i < (k + 1) * each; ++i) {
            it.lowest[i] -= c;
            it.highest[i] -= c;
            it.squares[i] += by * (by - 2 * it.mean[i]);
            it.mean[i] -= by;
        }
    }
}

/// What a channel gives away.
[[nodiscard]] inline float absorbed_amount(const measured_channels& seen, std::size_t channels, std::size_t k,
                                           const absorb_options& options) {
    double amount = bounds_of(seen, channels, k).lowest;
    if (options.deviations > 0) {
        const std::size_t each = seen.mean.size() / channels;
        amount = std::numeric_limits<double>::infinity();
        for (std::size_t i = k * each; i < (k + 1) * each; ++i)
            amount = std::min(amount, seen.mean[i] -
                                          options.deviations *
                                              std::sqrt(std::max(seen.squares[i] - seen.mean[i] * seen.mean[i], 0.0)));
    }
    return std::max(static_cast<float>(amount), 0.0F);
}

/// Moves the amounts of one pair.
inline void move_biases(network& net, std::span<measured_channels> seen, absorbed_pair& pair) {
    const channel_weights producer = producer_of(net, pair.where);
    const channel_weights consumer = consumer_of(net, pair.where);
    producer.bias().resize(producer.outputs(), 0.0F);
    consumer.bias().resize(consumer.outputs(), 0.0F);
    std::vector<double> more(consumer.outputs(), 0.0);
    for (std::size_t k = 0; k < pair.amounts.size(); ++k) {
        const double c = pair.amounts[k];
        if (c == 0)
            continue;
        ++pair.moved;
        producer.bias()[k] = static_cast<float>(static_cast<double>(producer.bias()[k]) - c);
        for (auto [o, last] = consumer.readers(k); o < last; ++o)
            for (const float w : consumer.taps(o, k))
                more[o] += static_cast<double>(w) * c;
        shift_statistics(seen, pair.where, k, static_cast<float>(c));
    }
    for (std::size_t o = 0; o < more.size(); ++o)
        consumer.bias()[o] = static_cast<float>(static_cast<double>(consumer.bias()[o]) + more[o]);
}

} // namespace detail

/// Absorbs biases of a folded network, see above. `seen`: of measure_channels on this network. Raises shape_error for
/// statistics of other tensors or channels, range_error for a negative number of deviations.
[[nodiscard]] inline absorbed_network absorb_biases(network net, std::span<const measured_channels> seen,
                                                    const absorb_options& options = {}) {
    infer_shapes(net);
    detail::check_statistics(net, seen, "absorb_biases");
    if (!(options.deviations >= 0))
        detail::raise<range_error>("absorb_biases: ", options.deviations, " deviations; they cannot be negative");
    absorbed_network to{std::move(net), {seen.begin(), seen.end()}, {}, 0};
    for (channel_pair& where : find_channel_pairs(to.net)) {
        const auto* limits = where.clip ? std::get_if<clip>(&to.net.layers[*where.clip].op) : nullptr;
        if (limits == nullptr || limits->lowest != 0 || !std::isinf(limits->highest))
            continue;
        bool padded = detail::counts_padding(to.net.layers[where.consumer].op);
        for (const std::size_t l : where.between)
            padded = padded || detail::counts_padding(to.net.layers[l].op);
        if (padded) {
            ++to.padded;
            continue;
        }
        absorbed_pair pair;
        const measured_channels& active = to.seen[to.net.layers[*where.clip].inputs[0]];
        for (std::size_t k = 0; k < where.channels; ++k)
            pair.amounts.push_back(static_cast<double>(detail::absorbed_amount(active, where.channels, k, options)));
        pair.where = std::move(where);
        if (std::ranges::any_of(pair.amounts, [](double c) { return c > 0; }))
            detail::move_biases(to.net, to.seen, pair);
        to.pairs.push_back(std::move(pair));
    }
    return to;
}

} // namespace notch

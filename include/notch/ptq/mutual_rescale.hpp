/// @file
/// rescale_channels: factors of channels move between the layers that share them, so that one scale per tensor fits better.
///
///     const network net = prepare(model).net;
///     const rescaled_network better = rescale_channels(net, measure_channels(net, images));
///     const plan p = make_plan(calibrate(better.net, images), policy);
///
/// For a pair of layers (channel_pairs.hpp) and s > 0
///
///     W1[k], b1[k] -> s[k] W1[k], s[k] b1[k]         W2[:, k] -> W2[:, k] / s[k]
///
/// leaves the function alone where nothing or a ReLU stands between them: bit for bit with powers of two, as long as no number
/// leaves the normal floats. A clip with another finite bound is left alone on the images seen: channels that come near it
/// are locked, others stay below it.
///
///     mutual        s = T0 / m of the depthwise side; m[k] = max |w| of filter k, T0 the mean m of the locked channels, or
///                   the largest m; pairs with one depthwise side; powers of two are rounded towards 1, so no m leaves T0
///     equalize      s = sqrt(t / r), r = max |W1[k]|, t = max |W2[:, k]|, over all pairs until nothing changes
///     least_noise   s of least predicted error at the output, over all pairs until nothing changes (rescale_noise.hpp)
///
/// by_results tries these on quantized networks, which is not done here: deploy/rescale_by_results.hpp.
///
/// Nothing is measured again: statistics are multiplied along. Source: Goncharenko et al., arXiv 1812.07872 (mutual); Nagel et
/// al., "Data-free quantization through weight equalization and bias correction", ICCV 2019, section 4.1 (equalize).
#pragma once

#include <notch/core/int_math.hpp>
#include <notch/model/network.hpp>
#include <notch/model/shapes.hpp>
#include <notch/ptq/channel_pairs.hpp>
#include <notch/ptq/channel_statistics.hpp>
#include <notch/ptq/rescale_noise.hpp>
#include <notch/ptq/rescale_options.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <optional>
#include <span>
#include <utility>
#include <variant>
#include <vector>

namespace notch {
namespace detail {

/// Rescales one network. Factors are found on a copy, and each weight of the network is multiplied once at the end.
class channel_rescaler {
public:
    /// `only`: the producer of a pair, which leaves the others out.
    channel_rescaler(network net, std::span<const measured_channels> seen, const rescale_options& options,
                     std::optional<std::size_t> only = {})
        : options_(options), from_(std::move(net)), seen_(seen.begin(), seen.end()), work_(from_), work_seen_(seen_) {
        for (channel_pair& pair : find_channel_pairs(from_)) {
            const bool alike = producer_of(from_, pair).is_depthwise() == consumer_of(from_, pair).is_depthwise();
            if ((!only || pair.producer == *only) && (options.rule != rescale_rule::mutual || !alike))
                add(std::move(pair));
        }
    }

    [[nodiscard]] rescaled_network rescale() {
        const int most = options_.rule == rescale_rule::mutual ? 1 : options_.sweeps;
        int sweeps = 0;
        for (bool moved = !pairs_.empty(); moved && sweeps < most; ++sweeps) {
            change_ = 0;
            for (std::size_t p = 0; p < pairs_.size(); ++p)
                improve(p);
            moved = change_ > options_.tolerance;
        }
        for (std::size_t p = 0; p < pairs_.size(); ++p)
            apply(p);
        return {std::move(from_), std::move(seen_), std::move(pairs_), sweeps};
    }

private:
    void add(channel_pair pair) {
        rescaled_pair to;
        std::vector<factor_bounds> bounds(pair.channels);
        const channel_weights producer = producer_of(from_, pair);
        const channel_weights consumer = consumer_of(from_, pair);
        std::vector<double> ranges(pair.channels);
        for (std::size_t k = 0; k < pair.channels; ++k)
            ranges[k] = range_of_channel(seen_[pair.tensors.back()], pair.channels, k);
        const double widest = ranges.empty() ? 0 : *std::ranges::max_element(ranges);
        for (std::size_t k = 0; k < pair.channels; ++k) {
            factor_bounds& it = bounds[k];
            if (pair.clip) {
                const layer& l = from_.layers[*pair.clip];
                it = clip_bounds(std::get<clip>(l.op), bounds_of(seen_[l.inputs[0]], pair.channels, k),
                                 options_.lock_share, options_.grow_share);
            }
            it.smallest = std::max(it.smallest, options_.smallest);
            it.largest = std::min(it.largest, options_.largest);
            if (options_.keep_activations && ranges[k] > 0)
                it.largest = std::min(it.largest, widest / ranges[k]);
            if (producer.row_range(k) < options_.dead || consumer.column_range(k) < options_.dead)
                it.smallest = it.largest = 1;
            to.locked.push_back(it.locked);
        }
        to.factors.assign(pair.channels, 1.0);
        to.where = std::move(pair);
        pairs_.push_back(std::move(to));
        bounds_.push_back(std::move(bounds));
    }

    void improve(std::size_t p) {
        if (options_.rule == rescale_rule::mutual)
            match(p);
        else if (options_.rule == rescale_rule::equalize)
            equalize(p);
        else
            lessen_noise(p);
    }
    /// Sets a factor of the copy, within its bounds.
    void set(std::size_t p, std::size_t k, double wanted) {
        double& factor = pairs_[p].factors[k];
        const factor_bounds& bounds = bounds_[p][k];
        wanted = std::clamp(wanted, bounds.smallest, bounds.largest);
        if (options_.rule == rescale_rule::mutual && options_.powers_of_two)
            wanted = wanted >= 1 ? exp2_exact(floor_log2(wanted)) : exp2_exact(-floor_log2(1 / wanted));
        const double change = wanted / factor;
        if (change == 1)
            return;
        rescale_channel(work_, work_seen_, pairs_[p].where, k, change);
        factor = wanted;
        change_ = std::max(change_, std::abs(change - 1));
    }

    void match(std::size_t p) {
        rescaled_pair& pair = pairs_[p];
        const channel_weights producer = producer_of(work_, pair.where);
        const channel_weights consumer = consumer_of(work_, pair.where);
        const bool first = producer.is_depthwise();
        std::vector<double> filters; // m
        std::vector<double> others;
        std::vector<double> locked;
        for (std::size_t k = 0; k < pair.factors.size(); ++k) {
            filters.push_back(first ? producer.row_range(k) : consumer.column_range(k));
            others.push_back(first ? consumer.column_range(k) : producer.row_range(k));
            if (pair.locked[k])
                locked.push_back(filters[k]);
        }
        double sum = 0;
        for (const double m : locked)
            sum += m;
        pair.target = locked.empty() ? *std::ranges::max_element(filters) : sum / static_cast<double>(locked.size());
        const double widest = *std::ranges::max_element(others);
        for (std::size_t k = 0; k < filters.size(); ++k) {
            if (filters[k] < options_.dead)
                continue;
            double s = pair.target / filters[k];
            if (options_.keep_weights && widest > 0)
                s = std::max(s, others[k] / widest);
            if (s > 0)
                set(p, k, first ? s : 1 / s);
        }
    }
    void equalize(std::size_t p) {
        const channel_weights producer = producer_of(work_, pairs_[p].where);
        const channel_weights consumer = consumer_of(work_, pairs_[p].where);
        for (std::size_t k = 0; k < pairs_[p].factors.size(); ++k) {
            const double ratio = consumer.column_range(k) / producer.row_range(k);
            if (ratio > 0 && !std::isinf(ratio))
                set(p, k, pairs_[p].factors[k] * std::sqrt(ratio));
        }
    }
    void lessen_noise(std::size_t p) {
        std::vector<channel_noise> channels = noise_of_channels(work_, work_seen_, pairs_[p].where);
        for (std::size_t k = 0; k < channels.size(); ++k) {
            channels[k].smallest = bounds_[p][k].smallest / pairs_[p].factors[k];
            channels[k].largest = bounds_[p][k].largest / pairs_[p].factors[k];
        }
        const std::vector<double> found = noise_search(std::move(channels), weight_levels(pairs_[p].where.producer),
                                                       exp2_exact(options_.activation_bits) - 1,
                                                       weight_levels(pairs_[p].where.consumer), options_.powers_of_two)
                                              .find();
        for (std::size_t k = 0; k < found.size(); ++k)
            set(p, k, pairs_[p].factors[k] * found[k]);
    }
    /// The largest code of the weights of a layer.
    [[nodiscard]] double weight_levels(std::size_t l) const {
        const auto weighted = [](const layer& it) { return has_weights(it.op); };
        const std::vector<layer>& layers = from_.layers;
        const auto begin = layers.begin();
        const auto at = begin + static_cast<std::ptrdiff_t>(l);
        const bool end = std::none_of(begin, at, weighted) || std::none_of(at + 1, layers.end(), weighted);
        return exp2_exact((end && options_.first_last_bits != 0 ? options_.first_last_bits : options_.weight_bits) -
                          1) -
               1;
    }

    /// A factor as it is applied.
    [[nodiscard]] double rounded(double factor, const factor_bounds& bounds) const {
        if (!options_.powers_of_two)
            return factor;
        double power = exp2_exact(static_cast<int>(std::nearbyint(std::log2(factor))));
        if (power > std::max(bounds.largest, 1.0))
            power /= 2;
        if (power < std::min(bounds.smallest, 1.0))
            power *= 2;
        return power;
    }
    void apply(std::size_t p) {
        rescaled_pair& pair = pairs_[p];
        for (std::size_t k = 0; k < pair.factors.size(); ++k) {
            pair.factors[k] = rounded(pair.factors[k], bounds_[p][k]);
            if (pair.factors[k] != 1)
                rescale_channel(from_, seen_, pair.where, k, pair.factors[k]);
        }
    }

    const rescale_options& options_;
    network from_;
    std::vector<measured_channels> seen_;
    network work_;
    std::vector<measured_channels> work_seen_;
    std::vector<rescaled_pair> pairs_{};
    std::vector<std::vector<factor_bounds>> bounds_{};
    double change_ = 0;
};

} // namespace detail

/// Rescales the channels of a folded network, see above. `seen`: of measure_channels on this network. Raises shape_error for
/// statistics of other tensors or channels, range_error for options outside of their limits and for the rule by_results, and
/// what infer_shapes raises.
[[nodiscard]] inline rescaled_network rescale_channels(network net, std::span<const measured_channels> seen,
                                                       const rescale_options& options = {}) {
    infer_shapes(net);
    detail::check_options(options);
    if (options.rule == rescale_rule::by_results)
        detail::raise<range_error>("rescale_channels: rule by_results needs images; rescale_by_results does it");
    detail::check_statistics(net, seen, "rescale_channels");
    return detail::channel_rescaler(std::move(net), seen, options).rescale();
}

} // namespace notch

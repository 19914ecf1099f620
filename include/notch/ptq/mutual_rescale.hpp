/// @file
#pragma once

#include <notch/core/error.hpp>
#include <notch/core/int_math.hpp>
#include <notch/model/network.hpp>
#include <notch/ptq/channel_pairs.hpp>
#include <notch/ptq/channel_statistics.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <span>
#include <string>
#include <utility>
#include <variant>
#include <vector>

namespace notch {

/// What factors aim at.
enum class rescale_rule {
    mutual,  ///< filters of depthwise layers get magnitudes alike (FAT)
    equalize ///< both sides of every pair get the same range per channel (DFQ)
};

/// How channels are rescaled.
struct rescale_options {
    rescale_rule rule = rescale_rule::equalize; ///< what factors aim at
    bool powers_of_two = true;                  ///< factors are 2^n: weights change their exponents only
    double lock_share = 5.9 / 6;                ///< a channel that reaches this much of a bound of a clip is locked
    double grow_share = 5.9 / 6;                ///< others reach at most this much of it afterwards
    bool keep_activations = true;               ///< no channel outgrows the largest of its tensor
    bool keep_consumer = true;                  ///< mutual: nor the weights that take the factors
    double smallest = 1.0 / 64;                 ///< factor
    double largest = 64;                        ///< factor
    double dead = 1e-8;                         ///< weights of a channel that all stay below: factor 1
    int sweeps = 10;                            ///< equalize: at most so many over all pairs
    double tolerance = 1e-3;                    ///< equalize: ends when no factor changes by more than this share
};

/// What was done with a pair.
struct rescaled_pair {
    channel_pair where{};
    std::vector<double> factors{}; ///< of the producer, one per channel
    std::vector<bool> locked{};    ///< channels that a clip locks
    double target = 0;             ///< mutual: T0
};

/// A rescaled network.
struct rescaled_network {
    network net{};                          ///< computes the same
    std::vector<measured_channels> seen{}; ///< what would be measured on it
    std::vector<rescaled_pair> pairs{};     ///< what was done
    int sweeps = 0;                         ///< over all pairs
};

namespace detail {

/// What a factor of a channel may be.
struct factor_bounds {
    double smallest = 0;
    double largest = std::numeric_limits<double>::infinity();
    bool locked = false;
};

/// Factors with which numbers in [lowest, highest] stay within a share of the bounds of a clip where they do so now.
[[nodiscard]] inline factor_bounds clip_bounds(const clip& op, const channel_bounds& x, double lock, double grow) {
    constexpr double infinity = std::numeric_limits<double>::infinity();
    factor_bounds to;
    // A bound b of numbers x: x <= share b, or x <= b / share where b < 0. Bounds at 0 and infinity pass factors.
    const auto bound = [&](double b, double most) {
        if (b == 0 || std::abs(b) == infinity)
            return;
        const auto limit = [&](double share) { return b > 0 ? b * share : b / share; };
        to.locked = to.locked || most >= limit(lock);
        if (most > 0 && b > 0)
            to.largest = std::min(to.largest, std::max(limit(grow) / most, 1.0));
        else if (most < 0 && b < 0)
            to.smallest = std::max(to.smallest, std::min(limit(grow) / most, 1.0));
    };
    bound(static_cast<double>(op.highest), x.highest);
    bound(-static_cast<double>(op.lowest), -x.lowest);
    const double top = static_cast<double>(op.highest);
    if (x.highest <= 0 && top > 0 && top < infinity) // never active: nothing says how far it may grow
        to.largest = 1;
    return to;
}

/// Rescales one network.
class channel_rescaler {
public:
    channel_rescaler(network net, std::span<const measured_channels> seen, const rescale_options& options)
        : options_(options), from_(std::move(net)), work_(from_), seen_(seen.begin(), seen.end()) {
        for (channel_pair& pair : find_channel_pairs(from_)) {
            const bool both = producer_of(from_, pair).is_depthwise() == consumer_of(from_, pair).is_depthwise();
            if (options.rule == rescale_rule::mutual && both)
                continue;
            add(std::move(pair));
        }
    }
    [[nodiscard]] rescaled_network rescale() {
        rescaled_network to;
        const int most = options_.rule == rescale_rule::mutual ? 1 : options_.sweeps;
        for (double moved = 1; to.sweeps < most && moved > options_.tolerance; ++to.sweeps) {
            moved = 0;
            for (std::size_t p = 0; p < pairs_.size(); ++p)
                moved = std::max(moved, options_.rule == rescale_rule::mutual ? match(p) : equalize(p));
        }
        for (std::size_t p = 0; p < pairs_.size(); ++p)
            apply(p);
        to.net = std::move(from_);
        to.seen = std::move(seen_);
        to.pairs = std::move(pairs_);
        return to;
    }

private:
    void add(channel_pair pair) {
        std::vector<factor_bounds> bounds(pair.channels);
        const channel_weights producer = producer_of(from_, pair);
        const channel_weights consumer = consumer_of(from_, pair);
        const measured_channels& read = seen_[pair.tensors.back()];
        const auto size_of = [&](std::size_t k) {
            const channel_bounds x = bounds_of(read, pair.channels, k);
            return std::max(std::abs(x.lowest), std::abs(x.highest));
        };
        double widest = 0;
        for (std::size_t k = 0; k < pair.channels; ++k)
            widest = std::max(widest, size_of(k));
        rescaled_pair to;
        for (std::size_t k = 0; k < pair.channels; ++k) {
            factor_bounds& it = bounds[k];
            if (pair.clip) {
                const layer& l = from_.layers[*pair.clip];
                it = clip_bounds(std::get<clip>(l.op), bounds_of(seen_[l.inputs[0]], pair.channels, k),
                                 options_.lock_share, options_.grow_share);
            }
            to.locked.push_back(it.locked);
            it.smallest = std::max(it.smallest, options_.smallest);
            it.largest = std::min(it.largest, options_.largest);
            if (options_.keep_activations && size_of(k) > 0)
                it.largest = std::min(it.largest, widest / size_of(k));
            const bool dead = producer.row_range(k) < options_.dead || consumer.column_range(k) < options_.dead;
            if (it.locked || dead)
                it = {1, 1, it.locked};
        }
        to.where = std::move(pair);
        to.factors.assign(bounds.size(), 1);
        pairs_.push_back(std::move(to));
        bounds_.push_back(std::move(bounds));
    }
    /// Sets a factor within its bounds; returns by how much it changed.
    double set(std::size_t p, std::size_t k, double wanted) {
        double& factor = pairs_[p].factors[k];
        wanted = std::clamp(wanted, bounds_[p][k].smallest, std::max(bounds_[p][k].smallest, bounds_[p][k].largest));
        const double change = wanted / factor;
        if (change == 1)
            return 0;
        scale_channel(work_, pairs_[p].where, k, change);
        factor = wanted;
        return std::abs(change - 1);
    }
    double equalize(std::size_t p) {
        const channel_weights producer = producer_of(work_, pairs_[p].where);
        const channel_weights consumer = consumer_of(work_, pairs_[p].where);
        double moved = 0;
        for (std::size_t k = 0; k < pairs_[p].factors.size(); ++k)
            if (producer.row_range(k) > 0)
                moved = std::max(moved, set(p, k,
                                            pairs_[p].factors[k] *
                                                std::sqrt(consumer.column_range(k) / producer.row_range(k))));
        return moved;
    }
    double match(std::size_t p) {
        rescaled_pair& pair = pairs_[p];
        const channel_weights producer = producer_of(work_, pair.where);
        const channel_weights consumer = consumer_of(work_, pair.where);
        const bool first = producer.is_depthwise();
        const std::size_t channels = pair.factors.size();
        std::vector<double> m(channels);
        std::vector<double> other(channels);
        double locked = 0;
        std::size_t count = 0;
        for (std::size_t k = 0; k < channels; ++k) {
            m[k] = first ? producer.row_range(k) : consumer.column_range(k);
            other[k] = first ? consumer.column_range(k) : producer.row_range(k);
            if (pair.locked[k]) {
                locked += m[k];
                ++count;
            }
        }
        const double widest = *std::ranges::max_element(other);
        pair.target = count > 0 ? locked / static_cast<double>(count) : *std::ranges::max_element(m);
        for (std::size_t k = 0; k < channels; ++k) {
            if (m[k] < options_.dead || pair.locked[k])
                continue;
            double s = pair.target / m[k]; // of the depthwise side
            if (options_.keep_consumer && widest > 0)
                s = std::max(s, std::min(other[k] / widest, 1.0));
            set(p, k, first ? s : 1 / s);
        }
        return 0;
    }
    [[nodiscard]] double rounded(double factor, const factor_bounds& bounds) const {
        if (!options_.powers_of_two || factor == 1)
            return factor;
        int e = 0;
        if (options_.rule == rescale_rule::mutual)
            e = factor > 1 ? floor_log2(factor) : -floor_log2(1 / factor);
        else
            e = static_cast<int>(std::nearbyint(std::log2(factor)));
        while (e > 0 && exp2_exact(e) > bounds.largest)
            --e;
        while (e < 0 && exp2_exact(e) < bounds.smallest)
            ++e;
        return exp2_exact(e);
    }
    void apply(std::size_t p) {
        rescaled_pair& pair = pairs_[p];
        for (std::size_t k = 0; k < pair.factors.size(); ++k) {
            double& factor = pair.factors[k];
            factor = rounded(factor, bounds_[p][k]);
            if (factor == 1)
                continue;
            scale_channel(from_, pair.where, k, factor);
            for (const std::size_t t : pair.where.tensors) {
                measured_channels& seen = seen_[t];
                const std::size_t each = seen.mean.size() / pair.factors.size();
                for (std::size_t i = k * each; i < (k + 1) * each; ++i) {
                    seen.lowest[i] = static_cast<float>(static_cast<double>(seen.lowest[i]) * factor);
                    seen.highest[i] = static_cast<float>(static_cast<double>(seen.highest[i]) * factor);
                    seen.mean[i] *= factor;
                    seen.squares[i] *= factor * factor;
                }
            }
        }
    }

    const rescale_options& options_;
    network from_;
    network work_;
    std::vector<measured_channels> seen_;
    std::vector<rescaled_pair> pairs_;
    std::vector<std::vector<factor_bounds>> bounds_;
};

} // namespace detail

[[nodiscard]] inline rescaled_network rescale_channels(network net, std::span<const measured_channels> seen,
                                                       const rescale_options& options = {}) {
    infer_shapes(net);
    detail::check_statistics(net, seen, "rescale_channels");
    return detail::channel_rescaler(std::move(net), seen, options).rescale();
}

} // namespace notch

/// @file
/// Options, bounds and results of mutual_rescale.hpp.
#pragma once

#include <notch/core/error.hpp>
#include <notch/model/network.hpp>
#include <notch/ptq/channel_pairs.hpp>
#include <notch/ptq/channel_statistics.hpp>
#include <notch/ptq/policy.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <vector>

namespace notch {

/// What factors aim at.
enum class rescale_rule {
    mutual,      ///< filters of a depthwise layer get magnitudes alike (FAT)
    equalize,    ///< the weights on both sides of a channel get the same range (DFQ)
    least_noise, ///< least error at the output as rescale_noise.hpp predicts it
    by_results   ///< of these, pair by pair, what measures best at the output (deploy/rescale_by_results.hpp)
};

/// How channels are rescaled.
struct rescale_options {
    rescale_rule rule = rescale_rule::least_noise; ///< what factors aim at
    bool powers_of_two = false;                    ///< factors are 2^n, and weights change in their exponents only
    double lock_share = 5.9 / 6;                   ///< a channel that reaches this share of a bound of a clip is locked
    double grow_share = 5.9 / 6;                   ///< others reach at most this share of it afterwards
    bool keep_activations = true;                  ///< no channel outgrows the largest of the tensor that is read
    bool keep_weights = true;   ///< mutual: the weights that take the factors over do not outgrow their largest
    double smallest = 1.0 / 64; ///< factor
    double largest = 64;        ///< factor
    double dead = 1e-8;         ///< a channel all of whose weights on one side are below it keeps factor 1
    int sweeps = 10;            ///< over all pairs, at most; mutual: one
    double tolerance = 1e-3;    ///< sweeps end when no factor changed by more than this share
    int weight_bits = 8;        ///< least_noise: of the weights, with one scale per tensor
    int activation_bits = 8;    ///< least_noise: of the activations
    int first_last_bits = 8;    ///< least_noise: of the first and the last weights; 0: as the others
};

/// What was done with a pair.
struct rescaled_pair {
    channel_pair where{};          ///< layers and tensors
    std::vector<double> factors{}; ///< one per channel: of the producer; its inverse is that of the consumer
    std::vector<bool> locked{};    ///< channels that a clip locks
    double target = 0;             ///< mutual: T0
};

/// A rescaled network.
struct rescaled_network {
    network net{};                         ///< layers and tensors as before, other weights
    std::vector<measured_channels> seen{}; ///< what would be measured on it
    std::vector<rescaled_pair> pairs{};    ///< what was done, in the order of the producers
    int sweeps = 0;                        ///< over all pairs
};

namespace detail {

/// What a factor of a channel may be.
struct factor_bounds {
    double smallest = 0;
    double largest = std::numeric_limits<double>::infinity();
    bool locked = false;
};

/// Factors of numbers in [lowest, highest] with which a clip keeps doing what it does. Bounds at 0 and at infinity allow any;
/// the others must be out of reach before and after.
[[nodiscard]] inline factor_bounds clip_bounds(const clip& op, const channel_bounds& x, double lock_share,
                                               double grow_share) {
    factor_bounds to;
    const auto upper = [&](double bound, double most) { // numbers <= most meet min(x, bound)
        if (bound == 0 || std::isinf(bound))
            return;
        const auto limit = [bound](double share) { return bound > 0 ? bound * share : bound / share; };
        if (most >= limit(lock_share))
            to.locked = true;
        else if (bound < 0) // and so is most
            to.smallest = std::max(to.smallest, std::min(limit(grow_share) / most, 1.0));
        else if (most > 0)
            to.largest = std::min(to.largest, std::max(limit(grow_share) / most, 1.0));
    };
    upper(static_cast<double>(op.highest), x.highest);
    upper(-static_cast<double>(op.lowest), -x.lowest);
    // Never active below a finite bound: the images do not say how far it may grow.
    const bool is_idle = op.lowest == 0 && op.highest > 0 && !std::isinf(op.highest) && x.highest <= 0;
    if (to.locked || is_idle)
        return {1, 1, to.locked};
    return to;
}

/// Options with the bits of a policy.
[[nodiscard]] inline rescale_options with_bits_of(const quantization_policy& policy, rescale_options options) {
    options.weight_bits = policy.weights.bits;
    options.activation_bits = policy.activations.bits;
    options.first_last_bits = policy.first_last_bits;
    return options;
}

/// Raises range_error for options outside of their limits.
inline void check_options(const rescale_options& options) {
    const auto share = [](double x) { return x > 0 && x <= 1; };
    if (!share(options.lock_share) || !share(options.grow_share))
        raise<range_error>("rescale_channels: shares ", options.lock_share, " and ", options.grow_share,
                           " of the bounds of clips; they lie in (0, 1]");
    if (!(options.smallest > 0) || !(options.smallest <= 1) || !(options.largest >= 1) || std::isinf(options.largest))
        raise<range_error>("rescale_channels: factors from ", options.smallest, " to ", options.largest,
                           "; they must be positive, finite and hold 1");
    check_bits(options.weight_bits, "weights");
    check_bits(options.activation_bits, "activations");
    if (options.first_last_bits != 0)
        check_bits(options.first_last_bits, "first and last layer");
}

} // namespace detail
} // namespace notch

/// @file
/// rescale_rule::least_noise: factors of the channels of one pair with which rounding does least harm. Part of
/// mutual_rescale.hpp.
///
/// Rounding with a step d adds an error of mean square d^2 / 12. With one scale per tensor the steps are those of its largest
/// number, so with factors s[k] of the producer's channels
///
///     J(s) = sum over k  min(A[k] R^2 / s[k]^2, A'[k]) + min(B[k] V^2 / s[k]^2, B'[k]) + min(C[k] T^2 s[k]^2, C'[k])
///     R = max s[k] r[k]     T = max t[k] / s[k]     V = max s[k] v[k]
///
/// r, t: largest magnitude of the weights that make channel k, and of those that read it; v: of the channel itself. A, B, C: what
/// an error of mean square 1 / 12 in units of 1 / levels does at the output of the network: for weights times the mean square of
/// what they are multiplied with, and times the gain of where they end. A', B', C': what is lost if all of it is
/// rounded to zero, which is the most that can be. Given R, V and T the best factor is
///
///     s[k]^4 = (A[k] R^2 + B[k] V^2) / (C[k] T^2)   in   [t[k] / T, min(R / r[k], V / v[k])]
///
/// R, V and T are tried in half octaves. The gain of a tensor's channel is the sum over its readers of their squared weights
/// times their gains, of a clip the share of numbers between its bounds, were they normal; errors count as independent.
#pragma once

#include <notch/core/int_math.hpp>
#include <notch/model/network.hpp>
#include <notch/ptq/channel_pairs.hpp>
#include <notch/ptq/channel_statistics.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <span>
#include <utility>
#include <variant>
#include <vector>

namespace notch::detail {

/// Share of the numbers of channel k that lie between the bounds of a clip, were they normal.
[[nodiscard]] inline double share_inside(const clip& op, const measured_channels& seen, std::size_t k) {
    if (seen.highest[k] <= op.lowest || seen.lowest[k] >= op.highest)
        return 0;
    const double deviation = std::sqrt(std::max(seen.squares[k] - seen.mean[k] * seen.mean[k], 1e-30));
    const auto below = [&](float bound) {
        if (std::isinf(bound))
            return bound < 0 ? 0.0 : 1.0;
        return 0.5 * std::erfc((seen.mean[k] - static_cast<double>(bound)) / (deviation * std::sqrt(2.0)));
    };
    return below(op.highest) - below(op.lowest);
}

/// Mean square at the network's output of an independent error of mean square 1, per tensor and channel.
[[nodiscard]] inline std::vector<std::vector<double>> noise_gains(network& net,
                                                                  std::span<const measured_channels> seen) {
    std::vector<std::vector<double>> gains(net.tensors.size());
    for (std::size_t t = 0; t < gains.size(); ++t)
        gains[t].assign(net.tensors[t].shape.empty() ? 1 : net.tensors[t].shape[0], 0.0);
    gains[net.output].assign(gains[net.output].size(), 1.0);
    for (std::size_t i = net.layers.size(); i-- > 0;) {
        layer& it = net.layers[i];
        const std::vector<double>& from = gains[it.output];
        for (const std::size_t input : it.inputs) {
            std::vector<double>& to = gains[input];
            if (has_weights(it.op)) {
                const channel_weights weights(it.op, to.size());
                for (std::size_t k = 0; k < to.size(); ++k)
                    for (auto [o, last] = weights.readers(k); o < last; ++o)
                        to[k] += from[o] * square_sum(weights.taps(o, k));
            } else if (from.size() % to.size() == 0) { // a reshape has several numbers per channel
                const std::size_t each = from.size() / to.size();
                const auto* limits = std::get_if<clip>(&it.op);
                for (std::size_t k = 0; k < from.size(); ++k)
                    to[k / each] += from[k] / static_cast<double>(each) *
                                    (limits != nullptr ? share_inside(*limits, seen[input], k) : 1.0);
            } else {
                for (double& gain : to)
                    gain += 1; // other channels: nothing is known
            }
        }
    }
    return gains;
}

/// Of one channel of a pair: ranges, what an error does, and the most that it can do.
struct channel_noise {
    double row_range = 0;    ///< r
    double row_noise = 0;    ///< A without the levels
    double row_most = 0;     ///< A'
    double range = 0;        ///< v
    double noise = 0;        ///< B
    double most = 0;         ///< B'
    double column_range = 0; ///< t
    double column_noise = 0; ///< C
    double column_most = 0;  ///< C'
    double smallest = 0;     ///< factor
    double largest = 0;      ///< factor
};

/// What is known of the channels of a pair, but for the bounds of factors.
[[nodiscard]] inline std::vector<channel_noise> noise_of_channels(network& net, std::span<const measured_channels> seen,
                                                                  const channel_pair& pair) {
    const std::vector<std::vector<double>> gains = noise_gains(net, seen);
    const channel_weights producer = producer_of(net, pair);
    const channel_weights consumer = consumer_of(net, pair);
    const measured_channels& entering = seen[net.layers[pair.producer].inputs[0]];
    const measured_channels& read = seen[pair.tensors.back()];
    const std::vector<double>& read_gains = gains[pair.tensors.back()];
    const std::vector<double>& gains_behind = gains[net.layers[pair.consumer].output];
    const std::size_t each = read_gains.size() / pair.channels;
    std::vector<channel_noise> channels(pair.channels);
    for (std::size_t k = 0; k < pair.channels; ++k) {
        channel_noise& it = channels[k];
        it.row_range = producer.row_range(k);
        const double made = gains[pair.tensors.front()][k];
        for (std::size_t i = 0; i < producer.inputs(); ++i) {
            const std::span<const float> taps = producer.row_taps(k, i);
            const double square = made * entering.squares[producer.first_input(k) + i];
            it.row_noise += square * static_cast<double>(taps.size());
            it.row_most += square * square_sum(taps);
        }
        it.range = range_of_channel(read, pair.channels, k);
        double square = 0;
        for (std::size_t i = k * each; i < (k + 1) * each; ++i) {
            it.noise += read_gains[i];
            square += read.squares[i] / static_cast<double>(each);
        }
        it.most = it.noise * square;
        it.column_range = consumer.column_range(k);
        for (auto [o, last] = consumer.readers(k); o < last; ++o) {
            const std::span<const float> taps = consumer.taps(o, k);
            it.column_noise += square * gains_behind[o] * static_cast<double>(taps.size());
            it.column_most += square * gains_behind[o] * square_sum(taps);
        }
    }
    return channels;
}

/// Looks for the factors of one pair.
class noise_search {
public:
    /// Levels: the largest code, of weights of the producer, of values, and of weights of the consumer.
    noise_search(std::vector<channel_noise> channels, double row_levels, double levels, double column_levels,
                 bool powers_of_two)
        : channels_(std::move(channels)), row_unit_(unit(row_levels)), unit_(unit(levels)),
          column_unit_(unit(column_levels)), powers_of_two_(powers_of_two) {}

    /// Factors that are better than 1 by a thousandth at least, or 1.
    [[nodiscard]] std::vector<double> find() {
        best_.assign(channels_.size(), 1.0);
        factors_ = best_;
        least_ = noise();
        const ranges now = ranges_now();
        constexpr int up = 4;
        constexpr int down = -12;
        for (int r = up; r >= down; --r)
            for (int t = up; t >= down; --t)
                for (int v = up; v >= down; --v)
                    try_ranges({now.rows * std::exp2(0.5 * r), now.values * std::exp2(0.5 * v),
                                now.columns * std::exp2(0.5 * t)});
        return best_;
    }

private:
    /// R, V and T.
    struct ranges {
        double rows = 0;
        double values = 0;
        double columns = 0;
    };
    [[nodiscard]] static double unit(double levels) noexcept { return 1 / (12 * levels * levels); }

    [[nodiscard]] ranges ranges_now() const {
        ranges to;
        for (std::size_t k = 0; k < channels_.size(); ++k) {
            to.rows = std::max(to.rows, channels_[k].row_range * factors_[k]);
            to.values = std::max(to.values, channels_[k].range * factors_[k]);
            to.columns = std::max(to.columns, channels_[k].column_range / factors_[k]);
        }
        return to;
    }
    /// J of the present factors.
    [[nodiscard]] double noise() const {
        const ranges now = ranges_now();
        const double rows = row_unit_ * now.rows * now.rows;
        const double values = unit_ * now.values * now.values;
        const double columns = column_unit_ * now.columns * now.columns;
        double total = 0;
        for (std::size_t k = 0; k < channels_.size(); ++k) {
            const channel_noise& it = channels_[k];
            const double square = factors_[k] * factors_[k];
            total += std::min(rows * it.row_noise / square, it.row_most) +
                     std::min(values * it.noise / square, it.most) +
                     std::min(columns * it.column_noise * square, it.column_most);
        }
        return total;
    }
    void try_ranges(const ranges& to) {
        for (std::size_t k = 0; k < channels_.size(); ++k) {
            const channel_noise& it = channels_[k];
            double largest = it.largest;
            if (it.row_range > 0)
                largest = std::min(largest, to.rows / it.row_range);
            if (it.range > 0)
                largest = std::min(largest, to.values / it.range);
            const double smallest = std::max(it.smallest, it.column_range > 0 ? it.column_range / to.columns : 0.0);
            if (smallest > largest * (1 + 1e-9))
                return;
            const double down = column_unit_ * to.columns * to.columns * it.column_noise;
            const double up = row_unit_ * to.rows * to.rows * it.row_noise + unit_ * to.values * to.values * it.noise;
            const double wanted = down > 0 ? std::sqrt(std::sqrt(up / down)) : largest;
            if (!choose(k, wanted, smallest, std::max(smallest, largest)))
                return;
        }
        const double found = noise();
        if (found < least_ * 0.999) {
            least_ = found;
            best_ = factors_;
        }
    }
    /// Sets a factor; false where no power of two is allowed.
    bool choose(std::size_t k, double wanted, double smallest, double largest) {
        factors_[k] = std::clamp(wanted, smallest, largest);
        if (!powers_of_two_)
            return true;
        double power = exp2_exact(static_cast<int>(std::nearbyint(std::log2(factors_[k]))));
        if (power > largest * (1 + 1e-9))
            power /= 2;
        if (power < smallest * (1 - 1e-9))
            power *= 2;
        factors_[k] = power;
        return power <= largest * (1 + 1e-9);
    }

    std::vector<channel_noise> channels_;
    double row_unit_;
    double unit_;
    double column_unit_;
    bool powers_of_two_;
    std::vector<double> factors_{};
    std::vector<double> best_{};
    double least_ = 0;
};

} // namespace notch::detail

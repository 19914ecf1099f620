/// @file
/// rescale_by_results: factors of channels that measure best at the output of the quantized network.
///
///     e(factors) = sum over images and results of (integer run of the network with these factors - float run)^2
///     begin with the best of: no factors; those of mutual, of least_noise, of equalize (mutual_rescale.hpp)
///     twice, for each pair in the order of the producers:
///         take the s of least e of: 1; the inverse of the pair's factors so far; f and sqrt(f) for f of each of the rules
///         on this pair alone
///
/// The rules look at one pair, or at noise as they predict it. In a network with ReLU6 a factor may cost more behind a clip than it
/// saves in weights; here this is seen, as every factor was paid for by a measured error. Nothing gets worse on the images
/// given. A trial costs a calibration on them and an integer run; there are up to seven per pair and sweep. Scales and codes are
/// those of make_plan: steps by results come later.
/// Source: the factors are those of mutual_rescale.hpp; the search is ours.
#pragma once

#include <notch/core/error.hpp>
#include <notch/core/executor.hpp>
#include <notch/deploy/lower.hpp>
#include <notch/deploy/run.hpp>
#include <notch/model/forward.hpp>
#include <notch/model/network.hpp>
#include <notch/model/shapes.hpp>
#include <notch/ptq/calibrate.hpp>
#include <notch/ptq/channel_pairs.hpp>
#include <notch/ptq/channel_statistics.hpp>
#include <notch/ptq/make_plan.hpp>
#include <notch/ptq/mutual_rescale.hpp>
#include <notch/ptq/policy.hpp>
#include <notch/ptq/rescale_options.hpp>
#include <notch/simd/arch.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>
#include <type_traits>
#include <utility>
#include <vector>

namespace notch {
namespace detail {

/// Errors of quantized networks on images, against the results of one float network.
template <class Arch, class Executor> class result_error {
public:
    result_error(const network& net, std::span<const float> images, std::size_t count,
                 const quantization_policy& policy, Executor& run)
        : images_(images), count_(count), policy_(policy), run_(run) {
        if (policy_.activations.rule == range_rule::by_results)
            policy_.activations.rule = range_rule::by_mse;
        const float_program floats(net);
        wanted_.resize(count * floats.output_size());
        floats.template run<Arch>(images, count, wanted_, run_);
    }

    /// The sum of squares over all results.
    [[nodiscard]] double operator()(const network& net) const {
        const program integers = lower(make_plan(calibrate(net, images_, {}, run_), policy_));
        const std::size_t size = images_.size() / count_;
        runner<Arch> infer(integers, std::min(batch, count_));
        std::vector<std::uint8_t> codes(integers.input().size() * batch);
        std::vector<float> results(integers.result_size() * batch);
        double error = 0;
        for (std::size_t first = 0; first < count_; first += batch) {
            const std::size_t n = std::min(batch, count_ - first);
            const auto entered = std::span(codes).first(n * integers.input().size());
            const auto got = std::span(results).first(n * integers.result_size());
            integers.encode(images_.subspan(first * size, n * size), n, entered);
            infer(entered, n, got);
            for (std::size_t i = 0; i < got.size(); ++i) {
                const double e =
                    static_cast<double>(got[i]) - static_cast<double>(wanted_[first * integers.result_size() + i]);
                error += e * e;
            }
        }
        return error;
    }

private:
    static constexpr std::size_t batch = 16;

    std::span<const float> images_;
    std::size_t count_;
    quantization_policy policy_;
    Executor& run_;
    std::vector<float> wanted_;
};

/// A network with the factors that it has.
struct rescale_state {
    network net;
    std::vector<measured_channels> seen;
    std::vector<rescaled_pair> pairs;

    /// Multiplies the channels of a pair, within [smallest, largest] over all.
    void scale(std::size_t p, std::span<const double> factors, const rescale_options& options) {
        for (std::size_t k = 0; k < factors.size(); ++k) {
            double& all = pairs[p].factors[k];
            double wanted = std::clamp(all * factors[k], options.smallest, options.largest);
            if (options.powers_of_two && wanted != all * factors[k]) // a limit need not be one
                wanted = all;
            if (wanted != all)
                rescale_channel(net, seen, pairs[p].where, k, wanted / all);
            all = wanted;
        }
    }
};

/// Finds factors by trial, one pair after the other.
template <class Error> class result_rescaler {
public:
    result_rescaler(network net, std::span<const measured_channels> seen, const Error& error,
                    const rescale_options& options)
        : error_(error), options_(options), least_(error(net)) {
        rescaled_network start = channel_rescaler(std::move(net), seen, with(rescale_rule::equalize, 0)).rescale();
        best_ = {std::move(start.net), std::move(start.seen), std::move(start.pairs)};
    }

    [[nodiscard]] rescaled_network rescale() {
        const rescale_state start = best_;
        for (const rescale_rule rule : rules) {
            if (options_.sweeps <= 0)
                break;
            rescale_state all = start;
            for (const rescaled_pair& found :
                 channel_rescaler(start.net, start.seen, with(rule, options_.sweeps)).rescale().pairs)
                all.scale(number_of(found), found.factors, options_);
            consider(std::move(all));
        }
        int sweeps = 0;
        for (bool moved = !best_.pairs.empty(); moved && sweeps < std::min(options_.sweeps, most_sweeps); ++sweeps) {
            moved = false;
            for (std::size_t p = 0; p < best_.pairs.size(); ++p)
                moved = improve(p) || moved;
        }
        return {std::move(best_.net), std::move(best_.seen), std::move(best_.pairs), sweeps};
    }

private:
    static constexpr rescale_rule rules[] = {rescale_rule::mutual, rescale_rule::least_noise, rescale_rule::equalize};
    static constexpr int most_sweeps = 2;

    [[nodiscard]] rescale_options with(rescale_rule rule, int sweeps) const {
        rescale_options options = options_;
        options.rule = rule;
        options.sweeps = sweeps;
        return options;
    }
    [[nodiscard]] std::size_t number_of(const rescaled_pair& it) const {
        const auto is_it = [&](const rescaled_pair& other) { return other.where.producer == it.where.producer; };
        return static_cast<std::size_t>(std::ranges::find_if(best_.pairs, is_it) - best_.pairs.begin());
    }

    /// Keeps a state that is better than the best.
    bool consider(rescale_state state) {
        const double e = error_(state.net);
        if (!(e < least_))
            return false;
        least_ = e;
        best_ = std::move(state);
        return true;
    }
    bool consider(const rescale_state& start, std::size_t p, std::span<const double> factors) {
        if (std::ranges::all_of(factors, [](double f) { return f == 1; }))
            return false;
        rescale_state state = start;
        state.scale(p, factors, options_);
        return consider(std::move(state));
    }

    /// Tries what the rules say of one pair, and to leave it as it was in the beginning.
    bool improve(std::size_t p) {
        const rescale_state start = best_;
        std::vector<double> factors = start.pairs[p].factors;
        for (double& factor : factors)
            factor = 1 / factor;
        bool moved = consider(start, p, factors);
        for (const rescale_rule rule : rules)
            for (const rescaled_pair& found :
                 channel_rescaler(start.net, start.seen, with(rule, 1), start.pairs[p].where.producer)
                     .rescale()
                     .pairs) {
                moved = consider(start, p, found.factors) || moved;
                factors = found.factors;
                for (double& factor : factors)
                    factor = std::sqrt(factor);
                if (!options_.powers_of_two)
                    moved = consider(start, p, factors) || moved;
            }
        return moved;
    }

    const Error& error_;
    rescale_options options_;
    double least_;
    rescale_state best_{};
};

} // namespace detail

/// Rescales the channels of a folded network for a policy, see above. `seen`: of measure_channels on this network. `images`:
/// [count, C, H, W] of its input; some dozens are enough. options.rule is not used, bits are those of the policy; two sweeps at
/// most, and no factors where options.sweeps is 0.
/// The result does not depend on the executor. Raises shape_error for statistics of other tensors or channels and for another
/// number of floats, range_error for no image and for options outside of their limits, and what calibrate, make_plan and lower raise.
template <class Arch = simd::default_arch, executor Executor = serial>
[[nodiscard]] rescaled_network rescale_by_results(network net, std::span<const measured_channels> seen,
                                                  const quantization_policy& policy, std::span<const float> images,
                                                  std::size_t count, const rescale_options& options = {},
                                                  Executor&& run = {}) {
    infer_shapes(net);
    const rescale_options bounded = detail::with_bits_of(policy, options);
    detail::check_options(bounded);
    detail::check_statistics(net, seen, "rescale_by_results");
    if (count == 0)
        detail::raise<range_error>("rescale_by_results: 0 images; at least one is needed");
    const std::vector<std::size_t>& shape = net.tensors[net.input].shape;
    const std::size_t size = std::max<std::size_t>(element_count(shape), 1);
    if (images.size() / size != count || images.size() % size != 0)
        detail::raise<shape_error>("rescale_by_results: the images have ", images.size(), " numbers; ", count, " x ",
                                   shape, " are needed");
    const detail::result_error<Arch, std::remove_reference_t<Executor>> error(net, images, count, policy, run);
    return detail::result_rescaler(std::move(net), seen, error, bounded).rescale();
}

} // namespace notch

/// @file
/// choose_ranges: the rule for the range of an activation that the layers behind it notice least, tensor by tensor.
///
///     error of a rule = sum over layers that read the tensor of |f(x) - f(x')|^2 / |f(x)|^2,   x' = x in codes of the rule
///
/// f: the float layer without its bias, for layers with weights; the tensor itself, for all others. Rules are compared on a few
/// images that pass the float network, one tensor at a time; of equal errors the first rule wins, in the order of the enumeration:
/// minmax, percentile, mse of the policy's power and of power 2, and the three divergences of kl_divergence.hpp.
///
/// Cost: a float run, and a layer's work for each rule that gives other codes. Memory: the tensors of the images.
/// Source: CFWS compares its metric to others by their effect; deciding by the error of the layer's output is the rule of PTQ-SL's
/// family.
#pragma once

#include <notch/core/error.hpp>
#include <notch/core/executor.hpp>
#include <notch/model/forward.hpp>
#include <notch/ptq/calibrate.hpp>
#include <notch/ptq/fit_activations.hpp>
#include <notch/ptq/make_plan.hpp>
#include <notch/ptq/measure_moments.hpp>
#include <notch/ptq/plan.hpp>

#include <algorithm>
#include <cstddef>
#include <limits>
#include <optional>
#include <span>
#include <utility>
#include <variant>
#include <vector>

namespace notch {

/// What was chosen for a tensor.
struct chosen_range {
    std::size_t tensor = 0;                   ///< of the network
    range_rule rule = range_rule::by_min_max; ///< that won
    double power = 2.4;                       ///< of by_mse
    double error = 0;                         ///< see above
};

namespace detail {

/// Errors of candidates for one tensor.
template <class Arch> class range_judge {
public:
    range_judge(const network& net, std::size_t tensor, std::span<const float> values, std::size_t count)
        : net_(net), tensor_(tensor), values_(values), count_(count) {
        for (const layer& l : net.layers)
            if (std::ranges::find(l.inputs, tensor) != l.inputs.end())
                readers_.push_back(&l);
        for (const layer* l : readers_)
            wanted_.push_back(squares(output_of(*l, values)));
    }

    [[nodiscard]] double error(const tensor_codes& codes) const {
        std::vector<float> lost;
        to_code_steps(values_, codes, lost);
        for (std::size_t i = 0; i < lost.size(); ++i)
            lost[i] = static_cast<float>(static_cast<double>(lost[i]) * codes.scale) - values_[i];
        double total = 0;
        for (std::size_t i = 0; i < readers_.size(); ++i)
            if (wanted_[i] > 0) // what is linear of a layer maps errors to errors
                total += squares(output_of(*readers_[i], lost)) / wanted_[i];
        return total;
    }

private:
    [[nodiscard]] static double squares(std::span<const float> x) noexcept {
        double sum = 0;
        for (const float v : x)
            sum += static_cast<double>(v) * static_cast<double>(v);
        return sum;
    }
    [[nodiscard]] std::vector<float> output_of(const layer& l, std::span<const float> x) const {
        if (!has_weights(l.op))
            return {x.begin(), x.end()};
        float_job job;
        job.inputs.push_back({x.data(), &net_.tensors[tensor_].shape, x.size() / count_});
        job.shape = &net_.tensors[l.output].shape;
        job.count = element_count(*job.shape);
        job.images = count_;
        std::vector<float> to(count_ * job.count);
        job.output = to.data();
        if (const auto* conv = std::get_if<convolution>(&l.op)) {
            convolution linear_part = *conv;
            linear_part.bias.clear();
            compute<Arch>(linear_part, job);
        } else {
            linear linear_part = std::get<linear>(l.op);
            linear_part.bias.clear();
            compute<Arch>(linear_part, job);
        }
        return to;
    }

    const network& net_;
    std::size_t tensor_;
    std::span<const float> values_;
    std::size_t count_;
    std::vector<const layer*> readers_{};
    std::vector<double> wanted_{};
};

/// The rules that are compared.
[[nodiscard]] inline std::vector<activation_policy> range_candidates(const activation_policy& from) {
    std::vector<activation_policy> list;
    const auto add = [&](range_rule rule, double power) {
        list.push_back(from);
        list.back().rule = rule;
        list.back().power = power;
    };
    add(range_rule::by_min_max, from.power);
    add(range_rule::by_percentile, from.power);
    add(range_rule::by_mse, from.power);
    add(range_rule::by_mse, 2);
    add(range_rule::by_kl, from.power);
    add(range_rule::by_kl_masked, from.power);
    add(range_rule::by_kl_penalised, from.power);
    return list;
}

} // namespace detail

/// Codes for the tensors of a plan, chosen anew, see above; for make_plan. Tensors that keep the codes of their input have none.
/// `images`: [count, C, H, W] of the network's input; 16 are plenty. `chosen`: what won, if wanted. Raises shape_error for
/// another number of floats, state_error where nothing was seen.
template <class Arch = simd::default_arch, executor Executor = serial>
[[nodiscard]] std::vector<std::optional<tensor_codes>>
choose_ranges(const calibration& seen, const quantization_policy& policy, std::span<const float> images,
              std::size_t count, std::vector<chosen_range>* chosen = nullptr, Executor&& run = {}) {
    if (seen.images == 0)
        detail::raise<state_error>("choose_ranges: the calibration has seen no image");
    const plan first = detail::planner(seen, policy, {}).make_tensors();
    std::vector<bool> own(first.tensors.size(), false); // codes of its own
    own[first.input] = true;
    for (const planned_group& group : first.groups)
        own[group.where.output] = first.tensors[group.where.output].has_value() &&
                                  !detail::keeps_codes(first.net.layers[group.where.layer].op);
    const std::vector<activation_policy> rules = detail::range_candidates(policy.activations);
    std::vector<std::optional<tensor_codes>> to(first.tensors.size());
    const float_program program(first.net);
    std::vector<float> results(count * program.output_size());
    program.run<Arch>(
        images, count, results,
        [&](std::size_t tensor, std::span<const float> values) {
            if (!own[tensor])
                return;
            const detail::range_judge<Arch> judge(first.net, tensor, values, count);
            chosen_range best{tensor, range_rule::by_min_max, 0, std::numeric_limits<double>::infinity()};
            for (const activation_policy& rule : rules) {
                const tensor_codes codes =
                    fit_activations(*seen.tensors[tensor], first.tensors[tensor]->bits, rule, policy.scales);
                if (to[tensor] == codes)
                    continue;
                const double error = judge.error(codes);
                if (error < best.error) {
                    best = {tensor, rule.rule, rule.power, error};
                    to[tensor] = codes;
                }
            }
            if (chosen != nullptr)
                chosen->push_back(best);
        },
        run);
    return to;
}

} // namespace notch

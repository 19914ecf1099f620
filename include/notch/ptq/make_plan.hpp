/// @file
/// make_plan: what calibration has seen and what a user wants become a plan. Rounding is to nearest; methods that do better
/// rewrite the network before it, or the plan after it.
///
///  * Every tensor that exists gets a scale and a zero point; max pooling, slices, padding, clips and reshapes keep those of
///    their input, so that codes pass through them.
///  * The result of the last layer with weights stays real where nothing but a reshape or a softmax follows.
///  * No scale of weights is so small that the bias, or a residual, would not fit the scale of the sums: the scale of such
///    a channel is raised (its weights are next to nothing), and planned_weights::floored names it.
#pragma once

#include <notch/core/error.hpp>
#include <notch/core/int_math.hpp>
#include <notch/model/network.hpp>
#include <notch/ptq/calibrate.hpp>
#include <notch/ptq/coarse_fine_split.hpp>
#include <notch/ptq/fit_activations.hpp>
#include <notch/ptq/fit_weights.hpp>
#include <notch/ptq/layer_groups.hpp>
#include <notch/ptq/layer_numbers.hpp>
#include <notch/ptq/plan.hpp>
#include <notch/ptq/policy.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <utility>
#include <variant>
#include <vector>

namespace notch {
namespace detail {

/// Whether a layer gives codes of the scale of its input.
[[nodiscard]] inline bool keeps_codes(const operation& op) noexcept {
    return std::holds_alternative<max_pool>(op) || std::holds_alternative<reshape>(op) ||
           std::holds_alternative<slice>(op) || std::holds_alternative<pad>(op) || std::holds_alternative<clip>(op);
}

/// Makes one plan.
class planner {
public:
    planner(const calibration& seen, const quantization_policy& policy,
            const std::vector<std::optional<tensor_codes>>& given)
        : seen_(seen), policy_(policy), given_(given) {
        check_policy(policy);
        to_.net = seen.prepared.net;
        to_.scales = policy.scales;
        to_.input = seen.prepared.input;
        to_.tensors.resize(to_.net.tensors.size());
        for (const layer_group& group : seen.groups)
            if (std::ranges::find(seen.prepared.front, group.layer) == seen.prepared.front.end())
                to_.groups.push_back({group, {}});
        check_overrides();
    }

    [[nodiscard]] plan make() {
        plan_tensors();
        for (std::size_t g = 0; g < to_.groups.size(); ++g)
            if (has_weights(layer_of(g).op))
                to_.groups[g].weights = plan_weights(g);
        return std::move(to_);
    }
    /// The plan without weights.
    [[nodiscard]] plan make_tensors() {
        plan_tensors();
        return std::move(to_);
    }

private:
    void plan_tensors() {
        find_output();
        find_ends();
        to_.tensors[to_.input] =
            fit(to_.input, policy_.first_last_bits != 0 ? policy_.first_last_bits : policy_.activations.bits);
        for (std::size_t g = 0; g < to_.groups.size(); ++g)
            plan_result(g);
    }
    [[nodiscard]] const layer& layer_of(std::size_t g) const { return to_.net.layers[to_.groups[g].where.layer]; }
    [[nodiscard]] const layer_override* override_of(std::size_t g) const {
        const auto found = std::ranges::find(policy_.overrides, layer_of(g).name, &layer_override::layer);
        return found == policy_.overrides.end() ? nullptr : &*found;
    }
    void check_overrides() const {
        for (const layer_override& o : policy_.overrides) {
            const auto found = std::ranges::find_if(to_.groups, [&](const planned_group& group) {
                return to_.net.layers[group.where.layer].name == o.layer;
            });
            if (found == to_.groups.end())
                raise<range_error>("the recipe names the layer '", o.layer, "', which '", to_.net.name,
                                   "' does not have");
            if ((o.weight_bits || o.cut || o.fit) && !has_weights(to_.net.layers[found->where.layer].op))
                raise<range_error>("the recipe has bits, a grain or a fit of weights for the layer '", o.layer,
                                   "', which has no weights");
        }
    }
    /// Raises range_error where a recipe gives bits to the result of a group that are not chosen for it.
    void check_no_bits(std::size_t g, const char* why) const {
        if (const layer_override* o = override_of(g); o != nullptr && o->activation_bits)
            raise<range_error>("the recipe gives the result of the layer '", o->layer, "' ", *o->activation_bits,
                               " bits; ", why);
    }
    /// The group that writes a tensor.
    [[nodiscard]] std::optional<std::size_t> writer_of(std::size_t tensor) const {
        for (std::size_t g = 0; g < to_.groups.size(); ++g)
            if (to_.groups[g].where.output == tensor)
                return g;
        return std::nullopt;
    }
    /// The tensor whose codes a tensor has.
    [[nodiscard]] std::size_t origin_of(std::size_t tensor) const {
        for (auto g = writer_of(tensor); g && keeps_codes(layer_of(*g).op); g = writer_of(tensor))
            tensor = to_.groups[*g].where.inputs[0];
        return tensor;
    }
    /// Decides which tensor stays real: the network's output, before a softmax and reshapes.
    void find_output() {
        real_tensor_ = to_.net.output;
        for (auto g = writer_of(real_tensor_); g; g = writer_of(real_tensor_)) {
            const operation& op = layer_of(*g).op;
            if (std::holds_alternative<softmax>(op) || std::holds_alternative<reshape>(op)) {
                real_tensor_ = to_.groups[*g].where.inputs[0];
                continue;
            }
            const layer_group& where = to_.groups[*g].where;
            to_.real_output = has_weights(layer_of(*g).op) && !where.residual && where.last == where.layer &&
                              readers_of(to_.net)[real_tensor_].size() == 1;
            return;
        }
    }
    void find_ends() {
        for (std::size_t g = 0; g < to_.groups.size(); ++g)
            if (has_weights(layer_of(g).op)) {
                first_ = first_ ? first_ : g;
                last_ = g;
            }
        if (last_)
            last_input_ = origin_of(to_.groups[*last_].where.inputs[0]);
    }
    [[nodiscard]] bool is_only_residual(std::size_t tensor) const {
        bool residual = false;
        for (const planned_group& group : to_.groups) {
            if (std::ranges::find(group.where.inputs, tensor) != group.where.inputs.end())
                return false;
            residual = residual || group.where.residual == tensor;
        }
        return residual && tensor != to_.net.output;
    }
    [[nodiscard]] int result_bits(std::size_t g) const {
        const std::size_t tensor = to_.groups[g].where.output;
        if (const layer_override* o = override_of(g); o != nullptr && o->activation_bits)
            return *o->activation_bits;
        if (policy_.first_last_bits != 0 && (first_ == g || last_input_ == tensor))
            return policy_.first_last_bits;
        return is_only_residual(tensor) ? policy_.residual_bits : policy_.activations.bits;
    }
    [[nodiscard]] tensor_codes fit(std::size_t tensor, int bits) const {
        if (tensor < given_.size() && given_[tensor])
            return *given_[tensor];
        return fit_activations(*seen_.tensors[tensor], bits, policy_.activations, policy_.scales);
    }
    void plan_result(std::size_t g) {
        const layer_group& where = to_.groups[g].where;
        const operation& op = layer_of(g).op;
        if (std::holds_alternative<softmax>(op) || (to_.real_output && is_behind_output(where.output))) {
            check_no_bits(g, "it stays real");
            return;
        }
        if (keeps_codes(op)) {
            check_no_bits(g, "it has the codes of what it is made of");
            to_.tensors[where.output] = to_.tensors[where.inputs[0]];
        } else {
            to_.tensors[where.output] = fit(where.output, result_bits(g));
        }
    }
    /// Whether a tensor is the real one, or a reshape of it.
    [[nodiscard]] bool is_behind_output(std::size_t tensor) const {
        for (auto g = writer_of(tensor);
             tensor != real_tensor_ && g && std::holds_alternative<reshape>(layer_of(*g).op); g = writer_of(tensor))
            tensor = to_.groups[*g].where.inputs[0];
        return tensor == real_tensor_;
    }

    [[nodiscard]] planned_weights plan_weights(std::size_t g) const {
        const layer_numbers from = numbers_of(to_, g);
        const layer_override* o = override_of(g);
        weight_policy wanted = policy_.weights;
        if (policy_.first_last_bits != 0 && (first_ == g || last_ == g))
            wanted.bits = policy_.first_last_bits;
        if (o != nullptr) {
            wanted.bits = o->weight_bits.value_or(wanted.bits);
            wanted.cut = o->cut.value_or(wanted.cut);
            wanted.fit = o->fit.value_or(wanted.fit);
        }
        planned_weights weights = fit_weights({from.values, from.shape, scale_floors(to_, g, from), layer_of(g).name},
                                              wanted, policy_.scales);
        const bool can_split = std::holds_alternative<convolution>(layer_of(g).op) && weights.taps() > 1 &&
                               weights.shape[1] > 1 && first_ != g && last_ != g;
        if (wanted.split.bits != 0 && can_split) {
            planned_weights split = split_weights(
                {from.values, from.shape, scale_floors(to_, g, from), layer_of(g).name}, wanted, policy_.scales);
            const double gain = weight_error(weights, from.values) / weight_error(split, from.values);
            if (gain >= std::pow(10, wanted.split.least_gain / 10))
                weights = std::move(split);
        }
        weights.bias = bias_codes(to_, g, from, weights);
        return weights;
    }

    const calibration& seen_;
    const quantization_policy& policy_;
    const std::vector<std::optional<tensor_codes>>& given_;
    plan to_{};
    std::size_t real_tensor_ = 0;
    std::optional<std::size_t> first_{};
    std::optional<std::size_t> last_{};
    std::size_t last_input_ = static_cast<std::size_t>(-1);
};

} // namespace detail

/// Makes a plan. `given`: codes of tensors instead of those that the policy finds, or none: of each tensor that has some, in
/// the form of the policy's scales (choose_ranges.hpp). Raises range_error for a policy with numbers outside of their limits
/// and for an override of a layer that does not exist or has nothing of the kind; state_error where nothing was seen.
[[nodiscard]] inline plan make_plan(const calibration& seen, const quantization_policy& policy = {},
                                    const std::vector<std::optional<tensor_codes>>& given = {}) {
    if (seen.images == 0)
        detail::raise<state_error>("make_plan: the calibration has seen no image");
    return detail::planner(seen, policy, given).make();
}

} // namespace notch

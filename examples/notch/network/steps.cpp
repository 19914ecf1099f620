/// @file
/// Recipes that hold one step more than the one before.
#include "steps.hpp"

#include "../options.hpp"
#include "evaluation.hpp"
#include "session.hpp"

#include <functional>
#include <nlohmann/json.hpp>

namespace tool {

namespace {

using notch::quantization_recipe;

/// A step: whether a recipe has it, and what takes it over into another one.
struct method_step {
    const char* name;
    bool is_wanted;
    std::function<void(quantization_recipe&)> add;
};

[[nodiscard]] std::vector<method_step> steps_of(const quantization_recipe& all) {
    const notch::weight_policy& weights = all.policy.weights;
    return {
        {"rescale", all.rescale, [&](auto& to) { to.rescale = true; }},
        {"absorb biases", all.absorb, [&](auto& to) { to.absorb = true; }},
        {"reorder", all.reorder, [&](auto& to) { to.reorder = true; }},
        {"ranges by results", all.policy.activations.rule == notch::range_rule::by_results,
         [&](auto& to) { to.policy.activations.rule = notch::range_rule::by_results; }},
        {"split", weights.split.bits != 0, [&](auto& to) { to.policy.weights.split = weights.split; }},
        {"scales by results", weights.fit == notch::weight_fit::by_results,
         [&](auto& to) {
             to.policy.weights.fit = notch::weight_fit::by_results;
             to.policy.overrides = all.policy.overrides;
         }},
        {"rounding by results", weights.rounding == notch::weight_rounding::by_results,
         [&](auto& to) { to.policy.weights.rounding = notch::weight_rounding::by_results; }},
        {"bias correction", all.bias_images != 0, [&](auto& to) { to.bias_images = all.bias_images; }},
    };
}

/// The same recipe without its steps.
[[nodiscard]] quantization_recipe without_steps(quantization_recipe recipe) {
    recipe.rescale = recipe.absorb = recipe.reorder = false;
    if (recipe.policy.activations.rule == notch::range_rule::by_results)
        recipe.policy.activations.rule = notch::range_rule::by_mse;
    recipe.policy.weights.split.bits = 0;
    if (recipe.policy.weights.fit == notch::weight_fit::by_results)
        recipe.policy.weights.fit = notch::weight_fit::least_squares;
    recipe.policy.weights.rounding = notch::weight_rounding::nearest;
    for (notch::layer_override& layer : recipe.policy.overrides)
        if (layer.fit == notch::weight_fit::by_results)
            layer.fit = notch::weight_fit::least_squares;
    recipe.bias_images = 0;
    return recipe;
}

} // namespace

scores_of_recipe measure_recipe(network_settings& settings, const notch::network& net, const measured_on& on,
                                thread_pool& pool) {
    const calibrated_network calibrated = calibrate(settings, net, pool);
    const quantized_network quantized = quantize(calibrated, settings, pool);
    const timed_results run = run_integer(quantized, on.images, pool);
    scores_of_recipe to;
    to.top1 = top1_percent(run.results, on.classes, on.labels);
    difference results;
    results.add(on.floats, run.results);
    to.sqnr_db = results.sqnr_db();
    const bool one_coarse = settings.methods.policy.weights.split.per_tensor;
    for (const notch::planned_group& group : quantized.plan.groups) {
        if (!group.weights)
            continue;
        to.scales += group.weights->exponents.size();
        if (group.weights->coarse)
            to.scales += one_coarse ? 1 : group.weights->coarse->exponents.size();
    }
    return to;
}

std::vector<step_result> evaluate_steps(const network_settings& settings, const notch::network& net,
                                        const measured_on& on, thread_pool& pool) {
    network_settings now = settings;
    now.methods = without_steps(settings.methods);
    std::vector<step_result> steps{{"none", measure_recipe(now, net, on, pool)}};
    for (const method_step& step : steps_of(settings.methods)) {
        if (!step.is_wanted)
            continue;
        step.add(now.methods);
        steps.push_back({step.name, measure_recipe(now, net, on, pool)});
    }
    return steps;
}

std::string text_of(const std::vector<step_result>& steps) {
    std::vector<std::vector<std::string>> rows{{"after", "top-1 %", "SQNR dB", "scales"}};
    for (const step_result& step : steps)
        rows.push_back(
            {step.name, or_dash(step.scores.top1), fixed(step.scores.sqnr_db, 2), std::to_string(step.scores.scales)});
    return "\n" + table_of(rows, 1);
}

nlohmann::ordered_json json_of(const std::vector<step_result>& steps) {
    nlohmann::ordered_json list = nlohmann::ordered_json::array();
    for (const step_result& step : steps)
        list.push_back(
            {{"after", step.name},
             {"top1", step.scores.top1 ? nlohmann::ordered_json(*step.scores.top1) : nlohmann::ordered_json()},
             {"sqnr_db", finite_or_null(step.scores.sqnr_db)},
             {"scales", step.scores.scales}});
    return list;
}

} // namespace tool

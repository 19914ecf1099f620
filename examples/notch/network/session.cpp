/// @file
/// The beginning of a subcommand, and its JSON.
#include "session.hpp"

#include "../report.hpp"
#include "recipe.hpp"
#include "scores.hpp"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <notch/deploy/pipeline.hpp>
#include <notch/deploy/plan_file.hpp>
#include <notch/ptq/prepare.hpp>
#include <stdexcept>
#include <utility>
#include <variant>
#include <vector>

namespace tool {

namespace {

/// Calibration images for methods.
[[nodiscard]] std::vector<float> method_floats(const network_settings& settings, const image_file& images) {
    const notch::quantization_recipe& methods = settings.methods;
    std::size_t wanted = std::max(methods.images, methods.bias_images);
    if (methods.rescale || methods.absorb || methods.reorder)
        wanted = std::max(wanted, methods.channel_images);
    const std::size_t count = std::min(wanted, images.count());
    std::vector<float> floats(count * images.size());
    images.floats(0, count, floats);
    return floats;
}

/// Layers with weights, by name and extents.
[[nodiscard]] std::vector<std::string> layers_with_weights(const notch::network& net) {
    std::vector<std::string> list;
    const auto add = [&](const std::string& name, const std::vector<std::size_t>& shape) {
        list.push_back("layer '" + name + "' [" + extents_text(shape) + "]");
    };
    for (const notch::layer& layer : net.layers) {
        if (const auto* conv = std::get_if<notch::convolution>(&layer.op))
            add(layer.name, conv->weights.shape);
        if (const auto* linear = std::get_if<notch::linear>(&layer.op))
            add(layer.name, linear->weights.shape);
    }
    return list;
}

} // namespace

calibrated_network calibrate(network_settings& settings, const notch::network& net, thread_pool& pool) {
    return calibrate(settings, net, {"--calibration", settings.calibration, settings, net.tensors[net.input].shape},
                     pool);
}

calibrated_network calibrate(network_settings& settings, const notch::network& net, image_file images,
                             thread_pool& pool) {
    images.draw(settings.calibration_images, settings.seed);
    if (images.is_constant())
        throw std::runtime_error("--calibration '" + settings.calibration + "': all numbers of the " +
                                 std::to_string(images.count()) +
                                 " images that are taken are the same; no ranges can be found with them");
    settings.calibration_images = images.count();
    settings.methods.images = std::min(settings.methods.images, images.count());
    settings.methods.bias_images = std::min(settings.methods.bias_images, images.count());
    const std::vector<float> floats = method_floats(settings, images);
    notch::calibration seen = calibrate(notch::rewrite(net, floats, settings.methods, pool), images, pool);
    return {std::move(images), std::move(seen)};
}

quantized_network open_plan(const network_settings& settings, const notch::network& net) {
    quantized_network to = lowered(notch::load_plan(settings.plan));
    const notch::network& own = to.plan.net;
    const auto check = [&](const char* what, std::size_t here, std::size_t there) {
        if (own.tensors[here].shape != net.tensors[there].shape)
            throw std::runtime_error("plan '" + settings.plan + "': its network " + what + " " +
                                     extents_text(own.tensors[here].shape) + ", that of '" + settings.model + "' " +
                                     extents_text(net.tensors[there].shape));
    };
    check("takes", own.input, net.input);
    check("gives", own.output, net.output);
    const std::vector<std::string> here = layers_with_weights(own);
    const std::vector<std::string> there = layers_with_weights(notch::prepare(net).net);
    const auto differ = std::mismatch(here.begin(), here.end(), there.begin(), there.end());
    const auto text = [](const auto& at, const auto& list) { return at == list.end() ? "nothing more" : *at; };
    if (differ.first != here.end() || differ.second != there.end())
        throw std::runtime_error("plan '" + settings.plan + "': its network has " + text(differ.first, here) +
                                 " where '" + settings.model + "' has " + text(differ.second, there) +
                                 "; it is another network");
    return to;
}

quantized_network quantize(const calibrated_network& net, const network_settings& settings, thread_pool& pool) {
    return quantize(net.seen, settings.methods, method_floats(settings, net.images), pool);
}

image_file evaluation_images(const network_settings& settings, const notch::network& net) {
    return {"--images", settings.images, settings, net.tensors[net.input].shape};
}

evaluation_set open_evaluation(const network_settings& settings) {
    notch::network net = read_network(settings.model);
    image_file images = evaluation_images(settings, net);
    const std::size_t classes = float_network(net).result_size();
    evaluation_set to{std::move(net), std::move(images), classes};
    if (!settings.labels.empty())
        to.labels = read_labels(settings.labels, to.images.count(), classes);
    return to;
}

std::string summary(const network_settings& settings, bool with_grain) {
    if (!settings.plan.empty())
        return "plan '" + settings.plan + "'";
    const notch::quantization_policy& policy = settings.methods.policy;
    std::string text = "W" + std::to_string(policy.weights.bits) + "A" + std::to_string(policy.activations.bits) +
                       (with_grain ? ", grain " + to_string(policy.weights.cut) : "") + ", scale " +
                       to_string(policy.scales) + ", observer " + to_string(policy.activations.rule) + ", fit " +
                       name_of(policy.weights.fit);
    const bool rounds = policy.weights.rounding == notch::weight_rounding::by_results;
    if (rounds)
        text += settings.methods.in_order ? ", rounding results" : ", rounding results behind float layers";
    if (policy.weights.split.bits != 0)
        text += ", split " + name_of(policy.weights.split) +
                (policy.weights.split.per_tensor ? " with one scale per layer" : "");
    if (settings.methods.rescale)
        text += ", rescale " + rescaling_name(settings.methods);
    if (settings.methods.absorb)
        text += ", biases absorbed";
    if (settings.methods.reorder)
        text += ", reorder " + reordering_name(settings.methods);
    if (policy.first_last_bits != 0)
        text += ", first and last " + std::to_string(policy.first_last_bits) + " bits";
    if (rounds || policy.weights.fit == notch::weight_fit::by_results)
        text += ", results of " + std::to_string(settings.methods.images) + " images";
    if (settings.methods.bias_images != 0)
        text += ", biases corrected on " + std::to_string(settings.methods.bias_images) + " images";
    if (!policy.overrides.empty())
        text += ", settings of their own for " + std::to_string(policy.overrides.size()) +
                (policy.overrides.size() == 1 ? " layer" : " layers");
    return text;
}

std::string calibrated_with(const network_settings& settings) {
    if (!settings.plan.empty())
        return "scales of the plan";
    return "calibrated with " + std::to_string(settings.calibration_images) + " (seed " +
           std::to_string(settings.seed) + ")";
}

nlohmann::ordered_json settings_json(const network_settings& settings) {
    if (!settings.plan.empty())
        return {{"plan", settings.plan}, {"threads", settings.threads}};
    nlohmann::ordered_json to = recipe_of(settings);
    to["calibration"] = settings.calibration;
    to["threads"] = settings.threads;
    return to;
}

nlohmann::ordered_json finite_or_null(double value) {
    return std::isfinite(value) ? nlohmann::ordered_json(value) : nlohmann::ordered_json();
}

std::string text_of(const nlohmann::ordered_json& json) {
    return json.dump(1, ' ', false, nlohmann::ordered_json::error_handler_t::replace) + "\n"; // names may be any bytes
}

void write_json(const std::string& path, const nlohmann::ordered_json& json) {
    if (!path.empty())
        write_file(path, text_of(json));
}

} // namespace tool

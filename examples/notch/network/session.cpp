/// @file
/// The beginning of a subcommand, and its JSON.
#include "session.hpp"

#include "../report.hpp"
#include "recipe.hpp"

#include <cmath>
#include <nlohmann/json.hpp>
#include <utility>

namespace tool {

calibrated_network calibrate(network_settings& settings, const notch::network& net, thread_pool& pool) {
    image_file images("--calibration", settings.calibration, settings, net.tensors[net.input].shape);
    images.draw(settings.calibration_images, settings.seed);
    settings.calibration_images = images.count();
    notch::calibration seen = calibrate(net, images, pool);
    return {std::move(images), std::move(seen)};
}

quantized_network quantize(const calibrated_network& net, const network_settings& settings) {
    return quantize(net.seen, settings.policy, net.images, settings.bias_correction);
}

image_file evaluation_images(const network_settings& settings, const notch::network& net) {
    return {"--images", settings.images, settings, net.tensors[net.input].shape};
}

std::string summary(const network_settings& settings) {
    const notch::quantization_policy& policy = settings.policy;
    std::string text = "W" + std::to_string(policy.weights.bits) + "A" + std::to_string(policy.activations.bits) +
                       ", grain " + to_string(policy.weights.cut) + ", scale " + to_string(policy.scales) +
                       ", observer " + to_string(policy.activations.rule) + ", fit " + name_of(policy.weights.fit);
    if (policy.first_last_bits != 0)
        text += ", first and last " + std::to_string(policy.first_last_bits) + " bits";
    if (settings.bias_correction != 0)
        text += ", biases corrected on " + std::to_string(settings.bias_correction) + " images";
    if (!policy.overrides.empty())
        text += ", " + std::to_string(policy.overrides.size()) + " layers of their own";
    return text;
}

nlohmann::ordered_json settings_json(const network_settings& settings) {
    nlohmann::ordered_json to = recipe_of(settings);
    to["calibration"] = settings.calibration;
    to["threads"] = settings.threads;
    return to;
}

nlohmann::ordered_json finite_or_null(double value) {
    return std::isfinite(value) ? nlohmann::ordered_json(value) : nlohmann::ordered_json();
}

void write_json(const std::string& path, const nlohmann::ordered_json& json) {
    if (!path.empty())
        write_file(path, json.dump(1) + "\n");
}

} // namespace tool

/// @file
/// Recipes: JSON in, JSON out.
#include "recipe.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <notch/io/npy.hpp>
#include <set>
#include <stdexcept>

namespace tool {

namespace {

using nlohmann::ordered_json;

/// A value as a flag would have it: 4, channel, 0.5,0.25.
[[nodiscard]] std::string text_of(const std::string& what, const ordered_json& value) {
    if (value.is_string())
        return value.get<std::string>();
    if (value.is_number())
        return value.dump();
    if (value.is_boolean())
        return value.get<bool>() ? "yes" : "no";
    std::string list;
    bool is_list = value.is_array() && !value.empty();
    if (is_list)
        for (const ordered_json& each : value) {
            is_list = is_list && each.is_number();
            list += (list.empty() ? "" : ",") + each.dump();
        }
    if (!is_list)
        throw std::runtime_error(what + " is " + value.dump().substr(0, 80) +
                                 "; it takes a number, a word, true or false, or a list of numbers");
    return list;
}

/// Reads JSON, and refuses what says a thing twice: only one of both could be obeyed.
[[nodiscard]] ordered_json parse_once(const std::vector<std::uint8_t>& bytes, const std::string& where) {
    std::vector<std::set<std::string>> names;
    const auto watch = [&](int depth, ordered_json::parse_event_t event, ordered_json& parsed) {
        constexpr int deepest = 4; // {"layers": {"name": {"key": [...]}}}
        if (depth > deepest)
            throw std::runtime_error(where + " has values inside of values, " + std::to_string(deepest) +
                                     " deep and more; a recipe has none");
        if (event == ordered_json::parse_event_t::object_start)
            names.emplace_back();
        else if (event == ordered_json::parse_event_t::object_end)
            names.pop_back();
        else if (event == ordered_json::parse_event_t::key && !names.back().insert(parsed.get<std::string>()).second)
            throw std::runtime_error(where + ": '" + parsed.get<std::string>() + "' stands there twice");
        return true;
    };
    try {
        return ordered_json::parse(bytes.begin(), bytes.end(), watch);
    } catch (const nlohmann::json::exception& problem) {
        throw std::runtime_error(where + " is no JSON: " + problem.what());
    }
}

void read_layers(network_settings& settings, const std::string& where, const ordered_json& layers) {
    if (!layers.is_object())
        throw std::runtime_error(where + ": 'layers' is not an object {\"name of a layer\": {...}}");
    for (const auto& [name, changes] : layers.items()) {
        if (!changes.is_object())
            throw std::runtime_error(where + ": 'layers', '" + name + "' is not an object {\"weights\": 8, ...}");
        notch::layer_override layer{name, {}, {}, {}, {}};
        for (const auto& [key, value] : changes.items()) {
            const std::string what = where + ": layer '" + name + "': '" + key + "'";
            apply(layer, what, {key, text_of(what, value)});
        }
        settings.methods.policy.overrides.push_back(layer);
    }
}

} // namespace

void read_recipe(network_settings& settings, const std::string& path) {
    const std::vector<std::uint8_t> bytes = notch::read_raw(path);
    const std::string where = "recipe '" + path + "'";
    if (std::find(bytes.begin(), bytes.end(), 0) != bytes.end()) // where the parser would end
        throw std::runtime_error(where + " holds a zero byte");
    const ordered_json from = parse_once(bytes, where);
    if (!from.is_object())
        throw std::runtime_error(where + " is no object {\"weights\": 4, ...}");
    settings.methods.policy.overrides.clear();
    for (const auto& [key, value] : from.items()) {
        const std::string what = where + ": '" + key + "'";
        if (key == "layers")
            read_layers(settings, where, value);
        else
            apply(settings, what, {key, text_of(what, value)});
    }
}

ordered_json recipe_of(const network_settings& settings) {
    const notch::quantization_policy& policy = settings.methods.policy;
    ordered_json to = {
        {"weights", policy.weights.bits},
        {"activations", policy.activations.bits},
        {"grain", to_string(policy.weights.cut)},
        {"scale", to_string(policy.scales)},
        {"observer", to_string(policy.activations.rule)},
        {"fit", name_of(policy.weights.fit)},
        {"rounding", policy.weights.rounding == notch::weight_rounding::nearest ? "nearest" : "results"},
        {"split", name_of(policy.weights.split)},
        {"split_scale", policy.weights.split.per_tensor ? "tensor" : "channel"},
        {"split_gain", policy.weights.split.least_gain},
        {"rescale", rescaling_name(settings.methods)},
        {"absorb", settings.methods.absorb},
        {"reorder", reordering_name(settings.methods)},
        {"in_order", settings.methods.in_order},
        {"method_images", settings.methods.images},
        {"first_last", policy.first_last_bits},
        {"residual", policy.residual_bits},
        {"calibration_images", settings.calibration_images},
        {"seed", settings.seed},
        {"bias_correction", settings.methods.bias_images},
        {"scale_input", settings.pixels.scale},
    };
    if (!settings.pixels.mean.empty())
        to["mean"] = settings.pixels.mean;
    if (!settings.pixels.deviation.empty())
        to["std"] = settings.pixels.deviation;
    for (const notch::layer_override& layer : policy.overrides) {
        ordered_json changes = ordered_json::object();
        if (layer.weight_bits)
            changes["weights"] = *layer.weight_bits;
        if (layer.activation_bits)
            changes["activations"] = *layer.activation_bits;
        if (layer.cut)
            changes["grain"] = to_string(*layer.cut);
        if (layer.fit)
            changes["fit"] = name_of(*layer.fit);
        to["layers"][layer.layer] = changes;
    }
    return to;
}

} // namespace tool

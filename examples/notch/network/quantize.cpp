/// @file
/// notch quantize and notch export: the plan of each layer, as a table, as a recipe, as an ONNX model.
#include "../report.hpp"
#include "commands.hpp"
#include "network.hpp"
#include "recipe.hpp"
#include "scores.hpp"
#include "session.hpp"
#include "write_report.hpp"

#include <algorithm>
#include <array>
#include <cstdio>
#include <limits>
#include <nlohmann/json.hpp>
#include <notch/core/int_math.hpp>
#include <notch/deploy/plan_file.hpp>

namespace tool {

namespace {

using nlohmann::ordered_json;

[[nodiscard]] std::string short_number(double value) {
    std::array<char, 32> text{};
    std::snprintf(text.data(), text.size(), "%.3g", value);
    return text.data();
}

/// Scales of a layer's weights, from the smallest to the largest: exponents where they are powers of two.
struct scale_range {
    double lowest = 0;
    double highest = 0;
};

[[nodiscard]] scale_range scales_of(const notch::planned_weights& weights) {
    scale_range range{weights.scale(0, 0), weights.scale(0, 0)};
    for (std::size_t o = 0; o < weights.shape[0]; ++o)
        for (std::size_t i = 0; i < weights.shape[1]; i += weights.block_inputs) {
            range.lowest = std::min(range.lowest, weights.scale(o, i));
            range.highest = std::max(range.highest, weights.scale(o, i));
        }
    return range;
}

[[nodiscard]] std::string text_of_scale(double scale, notch::scale_form form) {
    return form == notch::scale_form::power_of_two ? "2^" + std::to_string(notch::floor_log2(scale))
                                                   : short_number(scale);
}

[[nodiscard]] std::string text_of(const notch::planned_weights& weights, notch::scale_form form) {
    const auto [lowest, highest] = scales_of(weights);
    std::string text = text_of_scale(lowest, form);
    if (highest > lowest)
        text += " .. " + text_of_scale(highest, form);
    return text;
}

/// Layers that run as one, by name: conv1 + add1 + relu1.
[[nodiscard]] std::string operators_of(const notch::plan& plan, const notch::layer_group& where) {
    std::string text = operator_name(plan.net.layers[where.layer].op);
    if (where.residual)
        text += "+Add";
    if (where.lowest > -std::numeric_limits<float>::max() || where.highest < std::numeric_limits<float>::max())
        text += text == "Clip" ? "" : "+Clip";
    return text;
}

[[nodiscard]] std::vector<std::string> row_of(const notch::plan& plan, const notch::planned_group& group) {
    std::vector<std::string> row{plan.net.layers[group.where.layer].name, operators_of(plan, group.where)};
    if (group.weights) {
        const notch::planned_weights& weights = *group.weights;
        const std::string coarse = weights.coarse ? "+" + std::to_string(weights.coarse->bits) : "";
        row.insert(row.end(), {std::to_string(weights.bits) + coarse, to_string(weights.cut),
                               text_of(weights, plan.scales), grouped(notch::stored_bytes(weights, plan.scales)),
                               weights.floored.empty() ? "" : std::to_string(weights.floored.size())});
    } else {
        row.insert(row.end(), {"", "", "", "", ""});
    }
    if (const auto& codes = plan.tensors[group.where.output])
        row.insert(row.end(), {std::to_string(codes->bits), text_of_scale(codes->scale, plan.scales),
                               std::to_string(codes->zero_point)});
    else
        row.insert(row.end(), {"real", "", ""});
    return row;
}

[[nodiscard]] std::string floored_text(const notch::plan& plan) {
    std::string text;
    for (const notch::planned_group& group : plan.groups) {
        if (!group.weights || group.weights->floored.empty())
            continue;
        constexpr std::size_t shown = 16;
        const std::vector<std::uint32_t>& channels = group.weights->floored;
        text += "  " + plan.net.layers[group.where.layer].name + ":";
        for (std::size_t i = 0; i < std::min(shown, channels.size()); ++i)
            text += " " + std::to_string(channels[i]);
        if (channels.size() > shown)
            text += " and " + std::to_string(channels.size() - shown) + " more, which --json names";
        text += "\n";
    }
    return text.empty() ? "" : "\nchannels whose scale was raised, so that bias and residual fit the sums:\n" + text;
}

[[nodiscard]] ordered_json json_of(const notch::plan& plan, const notch::planned_group& group) {
    ordered_json to = {{"name", plan.net.layers[group.where.layer].name},
                       {"operator", operators_of(plan, group.where)}};
    if (group.weights) {
        const notch::planned_weights& weights = *group.weights;
        const auto [lowest, highest] = scales_of(weights);
        to["weights"] = {{"bits", weights.bits},
                         {"grain", to_string(weights.cut)},
                         {"smallest_scale", lowest},
                         {"largest_scale", highest},
                         {"bytes", notch::stored_bytes(weights, plan.scales)},
                         {"floored_channels", weights.floored}};
        if (weights.coarse)
            to["weights"]["coarse_bits"] = weights.coarse->bits;
    }
    if (const auto& codes = plan.tensors[group.where.output])
        to["result"] = {{"bits", codes->bits}, {"scale", codes->scale}, {"zero_point", codes->zero_point}};
    else
        to["result"] = nullptr;
    return to;
}

[[nodiscard]] ordered_json json_of(const network_settings& settings, const quantized_network& net) {
    ordered_json layers = ordered_json::array();
    for (const notch::planned_group& group : net.plan.groups)
        layers.push_back(json_of(net.plan, group));
    return {{"model", settings.model},
            {"settings", settings_json(settings)},
            {"arena_bytes", net.program.arena_bytes()},
            {"layers", layers}};
}

void print_plan(const network_settings& settings, const quantized_network& net) {
    std::vector<std::vector<std::string>> rows{
        {"layer", "operators", "W", "grain", "scales", "bytes", "raised", "A", "scale", "zero"}};
    std::size_t bytes = 0;
    for (const notch::planned_group& group : net.plan.groups) {
        rows.push_back(row_of(net.plan, group));
        bytes += group.weights ? notch::stored_bytes(*group.weights, net.plan.scales) : 0;
    }
    const notch::tensor_codes& input = *net.plan.tensors[net.plan.input];
    std::printf("%s: %s\n%s\n\n", settings.model.c_str(), summary(settings).c_str(), calibrated_with(settings).c_str());
    std::fputs(table_of(rows, 2).c_str(), stdout);
    std::printf("\ninput: %d bits, scale %s, zero point %d\n", input.bits,
                text_of_scale(input.scale, net.plan.scales).c_str(), input.zero_point);
    std::printf("weights, scales and biases: %s bytes; tensors at run time: %s bytes per image\n",
                grouped(bytes).c_str(), grouped(net.program.arena_bytes()).c_str());
    std::fputs(floored_text(net.plan).c_str(), stdout);
}

} // namespace

void quantize(const network_settings& given) {
    network_settings settings = given;
    thread_pool pool(settings.threads);
    const notch::network net = read_network(settings.model);
    const calibrated_network calibrated = calibrate(settings, net, pool);
    const quantized_network quantized = quantize(calibrated, settings, pool);
    print_plan(settings, quantized);
    if (!settings.save_recipe.empty())
        write_file(settings.save_recipe, text_of(recipe_of(settings)));
    write_json(settings.json, json_of(settings, quantized));
    if (!settings.save_plan.empty())
        notch::save_plan(quantized.plan, settings.save_plan);
    if (!settings.onnx.empty())
        write_export(quantized.plan, settings.onnx);
    if (!settings.html.empty())
        write_report(settings, quantized, calibrated.seen, calibrated.images, {});
}

void export_model(const network_settings& given) {
    network_settings settings = given;
    thread_pool pool(settings.threads);
    const notch::network net = read_network(settings.model);
    const quantized_network quantized =
        settings.plan.empty() ? quantize(calibrate(settings, net, pool), settings, pool) : open_plan(settings, net);
    write_export(quantized.plan, settings.onnx);
    std::printf("%s: %s\nwritten to %s\n", settings.model.c_str(), summary(settings).c_str(), settings.onnx.c_str());
}

} // namespace tool

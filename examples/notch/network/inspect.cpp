/// @file
/// notch inspect: layers, shapes and what they need per image.
#include "commands.hpp"
#include "network.hpp"
#include "scores.hpp"
#include "session.hpp"

#include <cstdio>
#include <nlohmann/json.hpp>
#include <notch/core/error.hpp>
#include <notch/model/cost.hpp>
#include <notch/ptq/layer_groups.hpp>
#include <notch/ptq/prepare.hpp>

namespace tool {

namespace {

[[nodiscard]] std::string number_or_nothing(std::size_t value) { return value == 0 ? "" : grouped(value); }

/// Whether the network can be quantized, in words.
[[nodiscard]] std::string verdict(const notch::network& net) {
    try {
        const notch::prepared_network prepared = notch::prepare(net);
        std::string text = "can be quantized: " + std::to_string(notch::group_layers(prepared.net).size()) +
                           " steps of " + std::to_string(prepared.net.layers.size()) +
                           " layers once norms are folded and branches fused";
        if (!prepared.front.empty())
            text += ", " + std::to_string(prepared.front.size()) + " maps taken into the table of pixels";
        return text;
    } catch (const notch::error& problem) {
        return std::string("cannot be quantized: ") + problem.what();
    }
}

[[nodiscard]] nlohmann::ordered_json json_of(const network_settings& settings, const notch::network& net,
                                             const notch::network_cost& cost) {
    nlohmann::ordered_json layers = nlohmann::ordered_json::array();
    for (std::size_t i = 0; i < net.layers.size(); ++i)
        layers.push_back({{"name", net.layers[i].name},
                          {"operator", operator_name(net.layers[i].op)},
                          {"shape", net.tensors[net.layers[i].output].shape},
                          {"macs", cost.layers[i].macs},
                          {"parameters", cost.layers[i].parameters},
                          {"weight_bytes", cost.layers[i].weight_bytes},
                          {"activation_bytes", cost.layers[i].activation_bytes}});
    return {
        {"model", settings.model},
        {"input", {{"name", net.tensors[net.input].name}, {"shape", net.tensors[net.input].shape}}},
        {"output", {{"name", net.tensors[net.output].name}, {"shape", net.tensors[net.output].shape}}},
        {"macs", cost.total.macs},
        {"parameters", cost.total.parameters},
        {"weight_bytes", cost.total.weight_bytes},
        {"activation_bytes", cost.total.activation_bytes},
        {"peak_bytes", cost.peak_bytes},
        {"quantizable", verdict(net)},
        {"layers", layers},
    };
}

} // namespace

void inspect(const network_settings& settings) {
    const notch::network net = read_network(settings.model);
    const notch::network_cost cost = notch::cost_of(net);
    std::vector<std::vector<std::string>> rows{
        {"layer", "operator", "result", "MACs", "parameters", "weight bytes", "result bytes"}};
    for (std::size_t i = 0; i < net.layers.size(); ++i) {
        const notch::layer_cost& of = cost.layers[i];
        rows.push_back({net.layers[i].name, operator_name(net.layers[i].op),
                        extents_text(net.tensors[net.layers[i].output].shape), number_or_nothing(of.macs),
                        number_or_nothing(of.parameters), number_or_nothing(of.weight_bytes),
                        grouped(of.activation_bytes)});
    }
    rows.push_back({"total", "", "", grouped(cost.total.macs), grouped(cost.total.parameters),
                    grouped(cost.total.weight_bytes), grouped(cost.total.activation_bytes)});
    std::printf("%s: '%s' [%s] -> '%s' [%s], in floats, per image\n\n", settings.model.c_str(),
                net.tensors[net.input].name.c_str(), extents_text(net.tensors[net.input].shape).c_str(),
                net.tensors[net.output].name.c_str(), extents_text(net.tensors[net.output].shape).c_str());
    std::fputs(table_of(rows, 3).c_str(), stdout);
    std::printf("\ntensors that live at the same time: %s bytes at most\n%s\n", grouped(cost.peak_bytes).c_str(),
                verdict(net).c_str());
    write_json(settings.json, json_of(settings, net, cost));
}

} // namespace tool

/// @file
/// notch compare: how far each layer is from what it should be.
#include "commands.hpp"
#include "layer_values.hpp"
#include "progress.hpp"
#include "recipe.hpp"
#include "scores.hpp"
#include "session.hpp"

#include <algorithm>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <optional>

namespace tool {

namespace {

using nlohmann::ordered_json;

/// Two sources that are compared, tensor by tensor.
struct compared_pair {
    std::string name; ///< "integer / float": what, and the reference
    std::size_t reference;
    std::size_t other;
    std::vector<std::optional<difference>> tensors{};
};

void add_images(std::vector<compared_pair>& pairs, const std::vector<tensor_values>& values) {
    for (compared_pair& pair : pairs)
        for (std::size_t t = 0; t < pair.tensors.size(); ++t) {
            const std::vector<float>& reference = values[pair.reference][t];
            const std::vector<float>& other = values[pair.other][t];
            if (reference.empty() || reference.size() != other.size())
                continue;
            if (!pair.tensors[t])
                pair.tensors[t].emplace();
            pair.tensors[t]->add(reference, other);
        }
}

void run_all(std::vector<compared_pair>& pairs, const std::vector<value_source>& sources, std::size_t images,
             std::size_t batch) {
    progress bar("comparing", images);
    for (std::size_t first = 0; first < images; first += batch) {
        const std::size_t count = std::min(batch, images - first);
        std::vector<tensor_values> values;
        for (const value_source& source : sources)
            values.push_back(source(first, count));
        add_images(pairs, values);
        bar.show(first + count);
    }
}

/// Tensors in the order of the run: the input, then the result of each group.
struct compared_layer {
    std::string name;
    std::string operators;
    std::size_t tensor;
};
[[nodiscard]] std::vector<compared_layer> layers_of(const notch::plan& plan) {
    std::vector<compared_layer> layers{{"input", "", plan.input}};
    for (const notch::planned_group& group : plan.groups) {
        const notch::layer& layer = plan.net.layers[group.where.layer];
        layers.push_back({layer.name, operator_name(layer.op), group.where.output});
    }
    return layers;
}

void print_differences(const std::vector<compared_pair>& pairs, const std::vector<compared_layer>& layers) {
    std::vector<std::vector<std::string>> rows(1, {"layer", "operator"});
    for (const compared_pair& pair : pairs)
        rows[0].insert(rows[0].end(), {pair.name + ": SQNR dB", "cosine", "largest"});
    for (const compared_layer& layer : layers) {
        std::vector<std::string> row{layer.name, layer.operators};
        bool any = false;
        for (const compared_pair& pair : pairs) {
            const std::optional<difference>& found = pair.tensors[layer.tensor];
            any = any || found.has_value();
            if (found)
                row.insert(row.end(),
                           {fixed(found->sqnr_db(), 2), fixed(found->cosine(), 6), fixed(found->largest(), 4)});
            else
                row.insert(row.end(), {"", "", ""});
        }
        if (any)
            rows.push_back(row);
    }
    std::fputs(table_of(rows, 2).c_str(), stdout);
}

[[nodiscard]] ordered_json json_of(const std::vector<compared_pair>& pairs, const compared_layer& layer,
                                   const notch::plan& plan) {
    ordered_json to = {
        {"name", layer.name}, {"operator", layer.operators}, {"tensor", plan.net.tensors[layer.tensor].name}};
    for (const compared_pair& pair : pairs)
        if (const std::optional<difference>& found = pair.tensors[layer.tensor])
            to[pair.name] = {{"sqnr_db", finite_or_null(found->sqnr_db())},
                             {"cosine", found->cosine()},
                             {"largest", found->largest()}};
    return to;
}

/// Images at a time, so that all tensors take 256 MiB at most, or one image.
[[nodiscard]] std::size_t batch_of(const notch::plan& plan) {
    std::size_t numbers = 1;
    for (const notch::tensor_info& tensor : plan.net.tensors)
        numbers += notch::element_count(tensor.shape);
    return std::clamp<std::size_t>((std::size_t{1} << 26) / numbers, 1, 32);
}

/// The settings of another recipe, for the same calibration.
[[nodiscard]] network_settings other_settings(const network_settings& settings) {
    network_settings other = settings;
    other.methods = {};
    read_recipe(other, settings.other_recipe);
    return other;
}

/// Tensors of networks that were rewritten in different ways have nothing in common.
void check_rewriting(const network_settings& settings) {
    const auto rewriting = [](const network_settings& s) {
        return "rescale " + rescaling_name(s.methods) + ", absorb " + (s.methods.absorb ? "yes" : "no") + ", reorder " +
               reordering_name(s.methods);
    };
    const std::string own = rewriting(settings);
    const std::string other = rewriting(settings.other_recipe.empty() ? network_settings{} : other_settings(settings));
    if ((!settings.golden.empty() || !settings.other_recipe.empty()) && own != other)
        throw std::runtime_error("compare: channels are rewritten (" + own + "), those compared with are not so (" +
                                 other + "); there is no common tensor between the layers");
}

} // namespace

void compare(const network_settings& given) {
    network_settings settings = given;
    thread_pool pool(settings.threads);
    const notch::network net = read_network(settings.model);
    const image_file images = evaluation_images(settings, net);
    const calibrated_network calibrated = calibrate(settings, net, pool);
    check_rewriting(settings);
    const quantized_network own = quantize(calibrated, settings, pool);
    const std::size_t batch = batch_of(own.plan);

    std::vector<value_source> sources{float_values(own.plan, images, pool), integer_values(own, images, batch, pool)};
    std::vector<compared_pair> pairs{{"integer / float", 0, 1}};
    std::optional<quantized_network> other;
    if (!settings.golden.empty()) {
        sources.push_back(golden_values(settings.golden, own.plan, images.count()));
        pairs = {{"integer / golden", 2, 1}, {"float / golden", 2, 0}};
    } else if (!settings.other_recipe.empty()) {
        other.emplace(quantize(calibrated, other_settings(settings), pool));
        sources.push_back(integer_values(*other, images, batch, pool));
        pairs = {{"own / float", 0, 1}, {"other / float", 0, 2}, {"own / other", 2, 1}};
    }
    for (compared_pair& pair : pairs)
        pair.tensors.resize(own.plan.net.tensors.size());
    run_all(pairs, sources, images.count(), batch);

    std::printf("%s: %s\n", settings.model.c_str(), summary(settings).c_str());
    if (other)
        std::printf("other: %s\n", summary(other_settings(settings)).c_str());
    std::printf("%zu images, %s\n\n", images.count(), calibrated_with(settings).c_str());
    const std::vector<compared_layer> layers = layers_of(own.plan);
    print_differences(pairs, layers);
    ordered_json list = ordered_json::array();
    for (const compared_layer& layer : layers)
        list.push_back(json_of(pairs, layer, own.plan));
    write_json(settings.json, {{"model", settings.model},
                               {"images", images.count()},
                               {"settings", settings_json(settings)},
                               {"layers", list}});
}

} // namespace tool

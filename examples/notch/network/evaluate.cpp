/// @file
/// notch evaluate: top-1, agreement and speed of a network in floats, simulated and in integers.
#include "../options.hpp"
#include "commands.hpp"
#include "evaluation.hpp"
#include "session.hpp"
#include "steps.hpp"
#include "write_report.hpp"

#include <cstdio>
#include <nlohmann/json.hpp>
#include <optional>
#include <stdexcept>

namespace tool {

namespace {

/// Everything that is reported.
struct evaluation {
    std::optional<double> top1_float{};
    std::optional<double> top1_simulated{};
    std::optional<double> top1{};
    tool::agreement agreement{};
    difference results{};
    timed_results floats{};
    timed_results integers{};
    simulation simulated{};
    std::size_t images = 0;
    std::size_t simulated_images = 0;
};

[[nodiscard]] std::string text_of(const evaluation& found) {
    const std::string simulated = found.simulated_images == found.images
                                      ? "simulated"
                                      : "first " + std::to_string(found.simulated_images) + " simulated";
    std::string text =
        table_of({{"", "float", simulated, "integer"},
                  {"top-1 %", or_dash(found.top1_float), or_dash(found.top1_simulated), or_dash(found.top1)},
                  {"ms per image", fixed(found.floats.ms_per_image, 3), "", fixed(found.integers.ms_per_image, 3)}},
                 1);
    text += "agreement with float  " + fixed(found.agreement.percent, 2) + " % of images, " +
            fixed(found.agreement.balanced, 2) + " % as the mean over classes\n";
    text += "SQNR of results       " + fixed(found.results.sqnr_db(), 2) + " dB\n";
    text += "simulated             " + std::to_string(found.simulated_images) + " of " + std::to_string(found.images) +
            " images: " + grouped(found.simulated.mismatched_codes) + " of " + grouped(found.simulated.compared_codes) +
            " codes and " + grouped(found.simulated.mismatched_results) + " of " +
            grouped(found.simulated.results.size()) + " results differ from the integer run\n";
    return text;
}

[[nodiscard]] nlohmann::ordered_json json_of(const network_settings& settings, const quantized_network& net,
                                             const evaluation& found) {
    const auto or_null = [](const std::optional<double>& value) {
        return value ? nlohmann::ordered_json(*value) : nlohmann::ordered_json();
    };
    std::size_t weight_bytes = 0;
    std::size_t float_bytes = 0;
    for (const notch::planned_group& group : net.plan.groups)
        if (group.weights) {
            weight_bytes += notch::stored_bytes(*group.weights, net.plan.scales);
            float_bytes += 4 * (group.weights->codes.size() + group.weights->bias.size());
        }
    return {
        {"model", settings.model},
        {"images", found.images},
        {"simulated_images", found.simulated_images},
        {"top1_float", or_null(found.top1_float)},
        {"top1_simulated", or_null(found.top1_simulated)},
        {"top1", or_null(found.top1)},
        {"agreement", found.agreement.percent},
        {"agreement_balanced", found.agreement.balanced},
        {"sqnr_db", finite_or_null(found.results.sqnr_db())},
        {"compared_codes", found.simulated.compared_codes},
        {"mismatched_codes", found.simulated.mismatched_codes},
        {"mismatched_results", found.simulated.mismatched_results},
        {"ms_per_image_float", found.floats.ms_per_image},
        {"ms_per_image", found.integers.ms_per_image},
        {"weight_bytes_float", float_bytes},
        {"weight_bytes", weight_bytes},
        {"arena_bytes", net.program.arena_bytes()},
        {"settings", settings_json(settings)},
    };
}

/// The same for the report: shares instead of percent.
[[nodiscard]] notch::report_accuracy accuracy_of(const evaluation& found) {
    const auto share = [](const std::optional<double>& percent) {
        return percent ? std::optional<double>(*percent / 100) : std::nullopt;
    };
    notch::report_accuracy to;
    to.top1_float = share(found.top1_float);
    to.top1_simulated = share(found.top1_simulated);
    to.top1_integer = share(found.top1);
    to.agreement = found.agreement.percent / 100;
    to.logits_sqnr_db = found.results.sqnr_db();
    to.images = found.images;
    to.compared_codes = found.simulated.compared_codes;
    to.mismatched_codes = found.simulated.mismatched_codes;
    return to;
}

/// Names the tensors whose codes differ.
void report_mismatches(const quantized_network& net, const simulation& found) {
    for (std::size_t t = 0; t < found.tensors.size(); ++t)
        if (found.tensors[t].mismatched != 0)
            std::fprintf(stderr, "tensor %zu '%s': %zu of %zu codes differ\n", t, net.plan.net.tensors[t].name.c_str(),
                         found.tensors[t].mismatched, found.tensors[t].codes);
}

} // namespace

void evaluate(const network_settings& given) {
    network_settings settings = given;
    thread_pool pool(settings.threads);
    std::optional<quantized_network> planned; // a plan of another network is refused before images are
    if (!settings.plan.empty())
        planned.emplace(open_plan(settings, read_network(settings.model)));
    const auto [net, images, classes, labels] = open_evaluation(settings);
    if (planned && images.has_pixels() && !settings.says_pixels)
        throw usage_error(
            "notch evaluate: a plan does not say how pixels enter; give --scale-input, --mean or --std, or the "
            "--recipe that was saved beside it, of which the same three are taken");
    std::optional<calibrated_network> calibrated;
    if (!planned) {
        calibrated.emplace(calibrate(settings, net, pool));
        planned.emplace(quantize(*calibrated, settings, pool));
    }
    const quantized_network& quantized = *planned;

    evaluation found;
    found.images = images.count();
    found.simulated_images = std::min(settings.simulate.value_or(images.count()), images.count());
    found.floats = run_float(net, images, pool);
    found.integers = run_integer(quantized, images, pool);
    found.simulated = simulate(quantized, images, found.simulated_images, pool);
    found.top1_float = top1_percent(found.floats.results, classes, labels);
    found.top1_simulated = top1_percent(found.simulated.results, classes, labels);
    found.top1 = top1_percent(found.integers.results, classes, labels);
    found.agreement = agreement_of(found.floats.results, found.integers.results, classes);
    found.results.add(found.floats.results, found.integers.results);

    std::printf("%s: %s\n%zu images, %s, threads: %zu\n\n", settings.model.c_str(), summary(settings).c_str(),
                found.images, calibrated_with(settings).c_str(), settings.threads);
    std::fputs(text_of(found).c_str(), stdout);
    nlohmann::ordered_json json = json_of(settings, quantized, found);
    if (settings.steps) {
        const std::vector<step_result> steps =
            evaluate_steps(settings, net, {images, labels, found.floats.results, classes}, pool);
        std::fputs(text_of(steps).c_str(), stdout);
        json["steps"] = json_of(steps);
    }
    write_json(settings.json, json);
    if (!settings.html.empty())
        write_report(settings, quantized, calibrated->seen, images, accuracy_of(found));
    if (found.simulated.mismatched_codes != 0 || found.simulated.mismatched_results != 0) {
        report_mismatches(quantized, found.simulated);
        throw std::runtime_error("the integer run differs from the simulation; this is an error of notch");
    }
}

} // namespace tool

/// @file
/// notch sweep: accuracy against the number of scales, the experiment of PTQ-SL.
#include "../report.hpp"
#include "commands.hpp"
#include "evaluation.hpp"
#include "session.hpp"
#include "steps.hpp"
#include "sweep_plot.hpp"

#include <cstdio>
#include <nlohmann/json.hpp>
#include <utility>

namespace tool {

namespace {

[[nodiscard]] std::vector<notch::grain> usual_grains() {
    std::vector<notch::grain> list{notch::grain::tensor()};
    for (const std::size_t size : {64U, 32U, 16U, 8U, 4U})
        list.push_back(notch::grain::block(size, size));
    list.push_back(notch::grain::channel());
    list.push_back(notch::grain::block(1, 1));
    return list;
}

[[nodiscard]] bool has_blocks(const notch::grain& cut) {
    return cut.kind == notch::grain_kind::sub_layer || cut.kind == notch::grain_kind::per_group;
}

[[nodiscard]] nlohmann::ordered_json json_of(const std::vector<sweep_point>& points) {
    nlohmann::ordered_json list = nlohmann::ordered_json::array();
    for (const sweep_point& p : points)
        list.push_back({{"grain", p.grain},
                        {"order", p.order},
                        {"scales", p.scores.scales},
                        {"top1", p.scores.top1 ? nlohmann::ordered_json(*p.scores.top1) : nlohmann::ordered_json()},
                        {"sqnr_db", finite_or_null(p.scores.sqnr_db)}});
    return list;
}

} // namespace

void sweep(const network_settings& given) {
    network_settings settings = given;
    thread_pool pool(settings.threads);
    const auto [net, images, classes, labels] = open_evaluation(settings);
    const timed_results floats = run_float(net, images, pool);
    const std::optional<double> top1_float = top1_percent(floats.results, classes, labels);
    const measured_on on{images, labels, floats.results, classes};
    std::vector<sweep_point> points;
    for (const notch::grain& cut : settings.grains.empty() ? usual_grains() : settings.grains) {
        settings.methods.policy.weights.cut = cut;
        for (const bool reorders : {false, true}) {
            if (reorders && !(given.methods.reorder && has_blocks(cut)))
                continue;
            settings.methods.reorder = reorders;
            points.push_back({to_string(cut), reorders ? reordering_name(settings.methods) : "own",
                              measure_recipe(settings, net, on, pool)});
        }
    }
    settings.methods.reorder = given.methods.reorder;
    settings.methods.policy.weights.cut = given.methods.policy.weights.cut;
    std::printf("%s: %s; grains below\n%zu images, float top-1 %s\n\n", settings.model.c_str(),
                summary(settings, false).c_str(), images.count(),
                top1_float ? (fixed(*top1_float, 2) + " %").c_str() : "-");
    std::vector<std::vector<std::string>> rows{{"grain", "order", "scales", "top-1 %", "SQNR dB"}};
    for (const sweep_point& p : points)
        rows.push_back({p.grain, p.order, std::to_string(p.scores.scales),
                        p.scores.top1 ? fixed(*p.scores.top1, 2) : "-", fixed(p.scores.sqnr_db, 2)});
    std::fputs(table_of(rows, 2).c_str(), stdout);
    write_json(settings.json,
               {{"model", settings.model},
                {"images", images.count()},
                {"top1_float", top1_float ? nlohmann::ordered_json(*top1_float) : nlohmann::ordered_json()},
                {"settings", settings_json(settings)},
                {"points", json_of(points)}});
    if (!settings.svg.empty())
        write_file(settings.svg, sweep_svg(settings.model, summary(settings, false), points));
}

} // namespace tool

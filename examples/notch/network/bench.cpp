/// @file
/// notch bench: medians of latencies, float and quantized, measured in turns so that a busy machine disturbs all alike.
#include "commands.hpp"
#include "integer_network.hpp"
#include "network.hpp"
#include "progress.hpp"
#include "scores.hpp"
#include "session.hpp"
#include "step_times.hpp"

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>
#include <functional>
#include <memory>
#include <nlohmann/json.hpp>

namespace tool {

namespace {

using nlohmann::ordered_json;
using clock_type = std::chrono::steady_clock;

[[nodiscard]] double ms_since(clock_type::time_point begin) {
    return std::chrono::duration<double, std::milli>(clock_type::now() - begin).count();
}

/// A network in some setting; plan of none: in floats.
struct setting {
    std::string name;
    std::shared_ptr<const quantized_network> net;
};

/// One number of the table.
struct bench_case {
    std::size_t setting;
    std::size_t batch;
    std::size_t threads;
    std::function<void()> run;
    std::vector<double> ms{}; ///< per image
};

[[nodiscard]] std::vector<setting> settings_of(const network_settings& settings, const calibrated_network& net,
                                               thread_pool& pool) {
    std::vector<setting> list{{"float", nullptr}};
    for (const int bits : {8, 4, 2}) {
        network_settings own = settings;
        own.methods.policy.weights.bits = bits;
        own.methods.policy.activations.bits = 8;
        own.methods.policy.overrides.clear();
        list.push_back(
            {"W" + std::to_string(bits) + "A8", std::make_shared<const quantized_network>(quantize(net, own, pool))});
    }
    return list;
}

/// From codes to results, or from floats to results.
[[nodiscard]] std::function<void()> work_of(const setting& of, const notch::network& net, const image_file& images,
                                            std::size_t batch, thread_pool& pool) {
    if (of.net == nullptr) {
        const auto floats = std::make_shared<std::vector<float>>(batch * images.size());
        images.floats(0, batch, *floats);
        const auto program = std::make_shared<const float_network>(net);
        const auto results = std::make_shared<std::vector<float>>(batch * program->result_size());
        return [=, &pool] { program->run(*floats, batch, *results, pool); };
    }
    const auto codes = std::make_shared<std::vector<std::uint8_t>>(batch * images.size());
    code_source(*of.net, images).codes(0, batch, *codes);
    const auto results = std::make_shared<std::vector<float>>(batch * of.net->program.result_size());
    const auto integers = std::make_shared<integer_network>(of.net->program, batch, pool.size());
    return [=, &pool] { integers->run(*codes, batch, *results, pool); };
}

/// Rounds over all cases, 5 at least, as many as the time holds, 101 at most. The first round is not counted.
void measure(std::vector<bench_case>& cases, std::size_t seconds) {
    const double most_ms = 1000.0 * static_cast<double>(seconds);
    constexpr std::size_t most_rounds = 101;
    const clock_type::time_point begin = clock_type::now();
    progress bar("measuring, rounds", most_rounds);
    for (std::size_t round = 0; round <= most_rounds && (round <= 5 || ms_since(begin) < most_ms); ++round) {
        for (bench_case& each : cases) {
            const clock_type::time_point start = clock_type::now();
            each.run();
            if (round > 0)
                each.ms.push_back(ms_since(start) / static_cast<double>(each.batch));
        }
        bar.show(round);
    }
}

void print_times(const std::vector<setting>& settings, const std::vector<bench_case>& cases) {
    std::vector<std::vector<std::string>> rows{{"ms per image"}};
    for (const setting& each : settings)
        rows.push_back({each.name});
    for (const bench_case& each : cases) {
        if (each.setting == 0)
            rows[0].push_back("batch " + std::to_string(each.batch) + ", " + std::to_string(each.threads) +
                              (each.threads == 1 ? " thread" : " threads"));
        rows[each.setting + 1].push_back(fixed(median(each.ms), 3));
    }
    std::fputs(table_of(rows, 1).c_str(), stdout);
}

void print_steps(const notch::program& program, const step_times& times) {
    std::vector<std::vector<std::string>> rows{{"step", "ms", "%"}};
    double sum = 0;
    for (const double ms : times.ms)
        sum += ms;
    for (std::size_t s = 0; s < times.ms.size(); ++s)
        rows.push_back({program.steps()[s].name, fixed(times.ms[s], 4), fixed(100 * times.ms[s] / sum, 1)});
    std::printf("\nW8A8, one image, one thread: steps are %s %% of the time of a run\n\n%s",
                fixed(times.percent, 2).c_str(), table_of(rows, 1).c_str());
}

[[nodiscard]] ordered_json json_of(const network_settings& settings, const std::vector<setting>& list,
                                   const std::vector<bench_case>& cases, const step_times& times) {
    ordered_json rows = ordered_json::array();
    for (const bench_case& each : cases)
        rows.push_back({{"setting", list[each.setting].name},
                        {"batch", each.batch},
                        {"threads", each.threads},
                        {"ms_per_image", median(each.ms)},
                        {"runs", each.ms.size()}});
    ordered_json used = settings_json(settings);
    used.erase("weights"); // those of each setting
    used.erase("activations");
    ordered_json steps = ordered_json::array();
    for (std::size_t s = 0; s < times.ms.size(); ++s)
        steps.push_back({{"name", list[1].net->program.steps()[s].name}, {"ms", times.ms[s]}});
    return {{"model", settings.model}, {"instruction_set", notch::simd::default_arch::name},
            {"times", rows},           {"step_coverage_percent", times.percent},
            {"steps", steps},          {"settings", used}};
}

} // namespace

void bench(const network_settings& given) {
    constexpr std::size_t largest_batch = 32;
    network_settings settings = given;
    const notch::network net = read_network(settings.model);
    image_file images(largest_batch, settings, net.tensors[net.input].shape);
    thread_pool alone(1);
    thread_pool all(settings.threads);
    const bool is_random = settings.calibration.empty();
    const calibrated_network seen = is_random ? calibrate(settings, net, images, all) : calibrate(settings, net, all);
    const std::vector<setting> list = settings_of(settings, seen, all);
    std::vector<bench_case> cases;
    for (thread_pool* pool : {&alone, &all})
        for (const std::size_t batch : {std::size_t{1}, largest_batch})
            for (std::size_t s = 0; s < list.size() && (pool == &alone || settings.threads > 1); ++s)
                cases.push_back({s, batch, pool->size(), work_of(list[s], net, images, batch, *pool)});
    measure(cases, settings.seconds);
    const step_times times = measure_steps(*list[1].net, images);

    std::printf("%s: grain %s, scale %s, %s; %s; medians of %zu runs\n\n", settings.model.c_str(),
                to_string(settings.methods.policy.weights.cut).c_str(), to_string(settings.methods.policy.scales),
                is_random ? "calibrated with random pixels" : "calibrated", notch::simd::default_arch::name,
                cases[0].ms.size());
    print_times(list, cases);
    print_steps(list[1].net->program, times);
    write_json(settings.json, json_of(settings, list, cases, times));
}

} // namespace tool

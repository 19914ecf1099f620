/// @file
/// Rows of benchmark results: what every bench_<room> prints, and writes as JSON with --json FILE.
///
/// A row holds medians. A peer is another library that does the same work; its calls alternate with ours inside the same
/// loop, so that a noisy machine disturbs both alike. The same holds for the peak of the machine.
#pragma once

#include <benchmark/benchmark.h>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <functional>
#include <iostream>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace bench {

/// Results of one row; absent numbers become null.
struct row {
    std::string name;                      ///< what is computed
    std::string bits;                      ///< code type
    std::string grain;                     ///< granularity
    std::string requant;                   ///< scale type
    std::string rounding;                  ///< rounding rule
    int threads = 1;                       ///< threads that compute
    double ns = 0;                         ///< median time of one call
    double gops = 0;                       ///< 10^9 operations per second
    std::optional<double> percent_of_peak; ///< of what the machine can do, measured between the calls
    std::string peer;                      ///< the other library; empty where there is none
    std::optional<double> peer_ns;         ///< median time of its call
};

/// Work measured by one row.
struct work {
    std::function<void()> ours;   ///< one call
    std::function<void()> theirs; ///< one call of the peer; may be empty
    std::function<void()> peak;   ///< work that runs at the peak of the machine; may be empty
    double operations = 0;        ///< operations of one call
    double units = 0;             ///< what the peak is counted in (bytes, operations), in one call
    double peak_units = 0;        ///< the same in one call of `peak`
};

/// All rows of the program.
inline std::vector<row>& rows() {
    static std::vector<row> all;
    return all;
}

/// Nanoseconds of one call.
inline double time_of(const std::function<void()>& call) {
    const auto start = std::chrono::steady_clock::now();
    call();
    benchmark::ClobberMemory();
    return std::chrono::duration<double, std::nano>(std::chrono::steady_clock::now() - start).count();
}

/// The middle of a list.
inline double median(std::vector<double> list) {
    const auto middle = list.begin() + static_cast<std::ptrdiff_t>(list.size() / 2);
    std::nth_element(list.begin(), middle, list.end());
    return *middle;
}

/// Measures a row: peak, ours and peer in turn, in every iteration.
inline void measure(benchmark::State& state, row result, const work& task) {
    std::vector<double> ours;
    std::vector<double> theirs;
    std::vector<double> peak;
    task.ours();
    if (task.theirs)
        task.theirs();
    for (auto _ : state) {
        if (task.peak)
            peak.push_back(time_of(task.peak));
        ours.push_back(time_of(task.ours));
        if (task.theirs)
            theirs.push_back(time_of(task.theirs));
        state.SetIterationTime(ours.back() * 1e-9);
    }
    result.ns = median(ours);
    result.gops = task.operations / result.ns;
    if (!peak.empty())
        result.percent_of_peak = 100.0 * (task.units / result.ns) / (task.peak_units / median(peak));
    if (!theirs.empty())
        result.peer_ns = median(theirs);
    std::erase_if(rows(), [&](const row& r) {
        return r.name == result.name && r.bits == result.bits && r.grain == result.grain &&
               r.requant == result.requant && r.rounding == result.rounding && r.threads == result.threads;
    });
    rows().push_back(std::move(result));
}

/// Registers a row under the name row/bits/grain/requant/rounding/threads. `prepare` makes the work when its turn comes.
inline void add(row what, std::function<work()> prepare) {
    const std::string name = what.name + "/" + what.bits + "/" + what.grain + "/" + what.requant + "/" + what.rounding +
                             "/" + std::to_string(what.threads);
    benchmark::RegisterBenchmark(name.c_str(), [what = std::move(what), prepare = std::move(prepare)](
                                                   benchmark::State& state) { measure(state, what, prepare()); })
        ->UseManualTime()
        ->Unit(benchmark::kMillisecond);
}

inline void write_json(const std::string& path) {
    std::ofstream file(path);
    const auto number = [](const std::optional<double>& value) {
        char text[32] = "null";
        if (value)
            std::snprintf(text, sizeof text, "%.6g", *value);
        return std::string(text);
    };
    file << "[";
    const char* separator = "\n";
    for (const row& r : rows()) {
        const std::string ratio = r.peer_ns ? number(*r.peer_ns / r.ns) : "null";
        file << separator << "  {\"row\": \"" << r.name << "\", \"bits\": \"" << r.bits << "\", \"grain\": \""
             << r.grain << "\", \"requant\": \"" << r.requant << "\", \"rounding\": \"" << r.rounding
             << "\", \"threads\": " << r.threads << ", \"ns\": " << number(r.ns) << ", \"gops\": " << number(r.gops)
             << ", \"percent_of_peak\": " << number(r.percent_of_peak)
             << ", \"peer\": " << (r.peer.empty() ? "null" : "\"" + r.peer + "\"")
             << ", \"peer_ns\": " << number(r.peer_ns) << ", \"ratio\": " << ratio << "}";
        separator = ",\n";
    }
    file << "\n]\n";
    file.flush();
    if (!file) {
        std::fprintf(stderr, "cannot write %s\n", path.c_str());
        std::exit(1);
    }
}

inline void print_table() {
    std::printf("%-14s %-6s %-18s %-13s %-13s %3s %12s %8s %7s  %s\n", "row", "bits", "grain", "requant", "rounding",
                "thr", "ns", "gops", "% peak", "peer (peer_ns, ratio)");
    for (const row& r : rows()) {
        std::printf("%-14s %-6s %-18s %-13s %-13s %3d %12.0f %8.2f ", r.name.c_str(), r.bits.c_str(), r.grain.c_str(),
                    r.requant.c_str(), r.rounding.c_str(), r.threads, r.ns, r.gops);
        if (r.percent_of_peak)
            std::printf("%7.1f", *r.percent_of_peak);
        else
            std::printf("%7s", "-");
        if (r.peer_ns)
            std::printf("  %s (%.0f, %.2f)", r.peer.c_str(), *r.peer_ns, *r.peer_ns / r.ns);
        std::printf("\n");
    }
}

/// Runs what was registered: the main function of a bench_<room>, after --json FILE was taken out.
inline int run(int argc, char** argv) {
    std::string json;
    std::vector<char*> rest;
    for (int i = 0; i < argc; ++i) {
        if (std::strcmp(argv[i], "--json") == 0 && i + 1 < argc)
            json = argv[++i];
        else
            rest.push_back(argv[i]);
    }
    int count = static_cast<int>(rest.size());
    rest.push_back(nullptr);
    benchmark::Initialize(&count, rest.data());
    if (benchmark::ReportUnrecognizedArguments(count, rest.data()))
        return 2;
    benchmark::ConsoleReporter progress(benchmark::ConsoleReporter::OO_None);
    progress.SetOutputStream(&std::cerr);
    if (benchmark::RunSpecifiedBenchmarks(&progress) == 0 || rows().empty()) {
        std::fprintf(stderr, "no row matches the filter\n");
        return 1;
    }
    print_table();
    if (!json.empty())
        write_json(json);
    return 0;
}

} // namespace bench

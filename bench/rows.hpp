/// @file
/// Rows of benchmark results: what every bench_<room> prints, and writes as JSON with --json FILE.
///
/// A row holds medians. A peer is another library that does the same work; its calls alternate with ours inside the same
/// loop, so that a noisy machine disturbs them alike. The same holds for the peak of the machine. Work with several peers
/// becomes several rows, one for each. Calls shorter than 20 microseconds are timed in batches.
#pragma once

#include <benchmark/benchmark.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <functional>
#include <iostream>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace bench {

/// Results of one row; absent numbers become null.
struct row {
    std::string name;                      ///< what is computed
    std::string mnk;                       ///< shape of a matrix product, "128x3072x768"; empty elsewhere
    std::string conv;                      ///< shape of a convolution, "56x56x64-64_3x3"; empty elsewhere
    std::string batch;                     ///< images at a time, "b32"; empty where no network runs
    std::string bits;                      ///< code type
    std::string grain;                     ///< granularity
    std::string requant;                   ///< scale type
    std::string rounding;                  ///< rounding rule
    int threads = 1;                       ///< threads that compute
    double ns = 0;                         ///< median time of one call
    double gops = 0;                       ///< 10^9 operations per second
    std::optional<double> gbps;            ///< 10^9 bytes per second, where they are counted
    std::optional<double> percent_of_peak; ///< of what the machine can do, measured between the calls
    std::string peak_name;                 ///< what the peak is
    std::string peer;                      ///< the other library; empty where there is none
    std::optional<double> peer_ns;         ///< median time of its call
    std::optional<double> steps_percent;   ///< sum of the times of a network's steps, of the time of all of it
    std::optional<double> peak_mb;         ///< most memory that the process had, in 10^6 bytes
};

/// Another library that does the same work.
struct peer {
    std::string name;
    std::function<void()> call;
    /// Instead of `call`: a turn that is measured elsewhere; returns the nanoseconds of each call.
    std::function<std::vector<double>()> turn{};
};

/// Work measured by one row.
struct work {
    std::function<void()> ours; ///< one call
    std::vector<peer> peers;    ///< others that do the same
    std::function<void()> peak; ///< work that runs at the peak of the machine; may be empty
    std::string peak_name;      ///< what `peak` does
    double operations = 0;      ///< operations of one call
    double bytes = 0;           ///< bytes read and written by one call; 0 where they are not counted
    double units = 0;           ///< what the peak is counted in (bytes, operations), in one call
    double peak_units = 0;      ///< the same in one call of `peak`
    bool warm = false;          ///< every timed call follows an untimed one: data in the caches, threads awake
    double turn_ns = 0; ///< a turn has so many nanoseconds of untimed calls, at least one, and as many of timed ones
    double items = 1;   ///< a call does this many of what times are counted for
    std::function<double()> steps_percent{}; ///< of row::steps_percent; may be empty
};

/// The shape that names a row, if it has one.
inline const std::string& shape_of(const row& r) {
    return !r.batch.empty() ? r.batch : r.conv.empty() ? r.mnk : r.conv;
}

/// Name of a row without its results; rows of the same work differ in their peer only.
inline std::string key_of(const row& r) {
    const std::string& shape = shape_of(r);
    return r.name + "/" + (shape.empty() ? "" : shape + "/") + r.bits + "/" + r.grain + "/" + r.requant + "/" +
           r.rounding + "/" + std::to_string(r.threads);
}

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

/// A call and its times.
class lane {
public:
    lane(const std::function<void()>& call, const work& task)
        : call_(&call), warm_(task.warm), turn_ns_(task.turn_ns) {}
    lane(const peer& other, const work& task) : lane(other.call, task) { turn_ = other.turn ? &other.turn : nullptr; }

    /// Makes a first call, and decides how many make a batch of 20 microseconds.
    void choose_batch() {
        if (turn_ != nullptr) {
            static_cast<void>((*turn_)());
            return;
        }
        (*call_)();
        constexpr double long_enough = 20'000.0;
        const double once = median({time_of(*call_), time_of(*call_), time_of(*call_)});
        batch_ = once < long_enough ? static_cast<std::size_t>(std::ceil(long_enough / std::max(once, 1.0))) : 1;
    }

    /// A turn. Its times are kept; returns the nanoseconds that were timed.
    double run() {
        if (turn_ != nullptr) {
            const std::vector<double> list = (*turn_)();
            times_.insert(times_.end(), list.begin(), list.end());
            return 0;
        }
        for (double untimed = 0; untimed < turn_ns_;)
            untimed += time_of(*call_);
        double total = 0;
        do {
            if (warm_)
                (*call_)();
            const double batch = time_of([this] {
                for (std::size_t i = 0; i < batch_; ++i)
                    (*call_)();
            });
            times_.push_back(batch / static_cast<double>(batch_));
            total += batch;
        } while (total < turn_ns_);
        return total;
    }

    [[nodiscard]] double ns() const { return median(times_); }

private:
    const std::function<void()>* call_;
    const std::function<std::vector<double>()>* turn_ = nullptr;
    std::vector<double> times_;
    std::size_t batch_ = 1;
    bool warm_;
    double turn_ns_;
};

/// Measures a row: peak, ours and the peers in turn, in every iteration.
inline void measure(benchmark::State& state, row result, const work& task) {
    lane peak(task.peak, task);
    lane ours(task.ours, task);
    std::vector<lane> theirs;
    ours.choose_batch();
    for (const peer& other : task.peers)
        theirs.emplace_back(other, task).choose_batch();
    for (auto _ : state) {
        if (task.peak)
            peak.run();
        const double spent = ours.run();
        for (lane& other : theirs)
            other.run();
        // Short work would otherwise repeat many thousand times, with its longer peers.
        state.SetIterationTime(std::max(spent, 250'000.0) * 1e-9);
    }
    const double call_ns = ours.ns();
    result.ns = call_ns / task.items;
    result.gops = task.operations / call_ns;
    if (task.bytes > 0)
        result.gbps = task.bytes / call_ns;
    if (task.peak) {
        result.percent_of_peak = 100.0 * (task.units / call_ns) / (task.peak_units / peak.ns());
        result.peak_name = task.peak_name;
    }
    if (task.steps_percent)
        result.steps_percent = task.steps_percent();
    std::erase_if(rows(), [&](const row& r) { return key_of(r) == key_of(result); });
    if (theirs.empty())
        rows().push_back(result);
    for (std::size_t i = 0; i < theirs.size(); ++i) {
        result.peer = task.peers[i].name;
        result.peer_ns = theirs[i].ns() / task.items;
        rows().push_back(result);
    }
}

/// The row whose turn it is, and its work.
inline std::pair<std::string, std::unique_ptr<work>>& current_work() {
    static std::pair<std::string, std::unique_ptr<work>> current;
    return current;
}

/// Registers a row under the name row/[shape/]bits/grain/requant/rounding/threads. `prepare` makes the work when its turn
/// comes; the work of the row before is destroyed first.
inline void add(row what, std::function<work()> prepare) {
    const std::string name = key_of(what);
    benchmark::RegisterBenchmark(name.c_str(),
                                 [what = std::move(what), prepare = std::move(prepare), name](benchmark::State& state) {
                                     // A row is run several times, until it has lasted long enough.
                                     auto& [current, task] = current_work();
                                     if (current != name) {
                                         task.reset();
                                         task = std::make_unique<work>(prepare());
                                         current = name;
                                     }
                                     measure(state, what, *task);
                                 })
        ->UseManualTime()
        ->Unit(benchmark::kMillisecond);
}

/// Registers a row that is measured once, by a call that fills in its numbers.
inline void add_once(row what, std::function<void(row&)> fill) {
    const std::string name = key_of(what);
    benchmark::RegisterBenchmark(name.c_str(),
                                 [what = std::move(what), fill = std::move(fill)](benchmark::State& state) {
                                     row result = what;
                                     for (auto _ : state) {
                                         fill(result);
                                         state.SetIterationTime(result.ns * 1e-9);
                                     }
                                     rows().push_back(result);
                                 })
        ->Iterations(1)
        ->UseManualTime()
        ->Unit(benchmark::kMillisecond);
}

/// Takes `option VALUE` out of the arguments; the last one counts. Ends the program where the value is missing.
inline std::string take_option(int& argc, char** argv, const char* option) {
    std::string value;
    int kept = 0;
    for (int i = 0; i < argc; ++i) {
        if (std::strcmp(argv[i], option) != 0) {
            argv[kept++] = argv[i];
            continue;
        }
        if (i + 1 == argc) {
            std::fprintf(stderr, "%s needs a value\n", option);
            std::exit(2);
        }
        value = argv[++i];
    }
    argc = kept;
    argv[argc] = nullptr;
    return value;
}

inline void write_json(const std::string& path) {
    std::ofstream file(path);
    const auto number = [](const std::optional<double>& value) {
        char text[32] = "null";
        if (value)
            std::snprintf(text, sizeof text, "%.6g", *value);
        return std::string(text);
    };
    const auto text = [](const std::string& value) { return value.empty() ? "null" : "\"" + value + "\""; };
    file << "[";
    const char* separator = "\n";
    for (const row& r : rows()) {
        const std::string ratio = r.peer_ns ? number(*r.peer_ns / r.ns) : "null";
        file << separator << "  {\"row\": \"" << r.name << "\", \"mnk\": " << text(r.mnk)
             << ", \"conv\": " << text(r.conv) << ", \"batch\": " << text(r.batch) << ", \"bits\": \"" << r.bits
             << "\", \"grain\": \"" << r.grain << "\", \"requant\": \"" << r.requant << "\", \"rounding\": \""
             << r.rounding << "\", \"threads\": " << r.threads << ", \"ns\": " << number(r.ns)
             << ", \"gops\": " << number(r.gops) << ", \"gbps\": " << number(r.gbps)
             << ", \"percent_of_peak\": " << number(r.percent_of_peak) << ", \"peak_name\": " << text(r.peak_name)
             << ", \"peer\": " << text(r.peer) << ", \"peer_ns\": " << number(r.peer_ns) << ", \"ratio\": " << ratio
             << ", \"steps_percent\": " << number(r.steps_percent) << ", \"peak_mb\": " << number(r.peak_mb) << "}";
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
    std::size_t name = 14;
    std::size_t shape = 0;
    std::size_t bits = 6;
    for (const row& r : rows()) {
        name = std::max(name, r.name.size());
        shape = std::max(shape, shape_of(r).size());
        bits = std::max(bits, r.bits.size());
    }
    if (shape > 0)
        shape = std::max<std::size_t>(shape + 1, 16);
    const auto cell = [](const std::string& text, std::size_t width) {
        std::printf("%-*s", static_cast<int>(width), text.c_str());
    };
    const auto optional = [](const std::optional<double>& value) {
        if (value)
            std::printf("%7.1f ", *value);
        else
            std::printf("%7s ", "-");
    };
    cell("row", name + 1);
    cell(shape == 0 ? "" : "shape", shape);
    cell("bits", bits + 1);
    std::printf("%-22s %-13s %-13s %3s %12s %8s %7s %7s  %s\n", "grain", "requant", "rounding", "thr", "ns", "gops",
                "GB/s", "% peak", "peer (peer_ns, ratio)");
    std::string before;
    for (const row& r : rows()) {
        if (key_of(r) != before) {
            std::printf("%s", before.empty() ? "" : "\n");
            cell(r.name, name + 1);
            cell(shape_of(r), shape);
            cell(r.bits, bits + 1);
            std::printf("%-22s %-13s %-13s %3d %12.0f %8.2f ", r.grain.c_str(), r.requant.c_str(), r.rounding.c_str(),
                        r.threads, r.ns, r.gops);
            optional(r.gbps);
            optional(r.percent_of_peak);
            if (r.steps_percent)
                std::printf(" steps %.1f %%", *r.steps_percent);
            if (r.peak_mb)
                std::printf(" memory %.1f MB", *r.peak_mb);
        }
        before = key_of(r);
        if (r.peer_ns)
            std::printf(" %s (%.0f, %.2f)", r.peer.c_str(), *r.peer_ns, *r.peer_ns / r.ns);
    }
    std::printf("\n");
}

/// Runs what was registered: the main function of a bench_<room>.
inline int run(int argc, char** argv) {
    const std::string json = take_option(argc, argv, "--json");
    benchmark::Initialize(&argc, argv);
    if (benchmark::ReportUnrecognizedArguments(argc, argv))
        return 2;
    benchmark::ConsoleReporter progress(benchmark::ConsoleReporter::OO_None);
    progress.SetOutputStream(&std::cerr);
    const std::size_t count = benchmark::RunSpecifiedBenchmarks(&progress);
    current_work().second.reset();
    if (count == 0 || rows().empty()) {
        std::fprintf(stderr, "no row matches the filter\n");
        return 1;
    }
    print_table();
    if (!json.empty())
        write_json(json);
    return 0;
}

} // namespace bench

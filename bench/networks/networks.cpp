/// @file
/// Whole networks: ours in floats and in integers, and ONNX Runtime beside them.
///
///     <net>/b1/float, <net>/b32/float                       float_program
///     <net>/b1/w8a8/per_channel/shift, w4a8, w2a8           programs with power-of-two scales
///     <net>/b1/w8a8/per_channel/fixed_point                 one with fixed-point scales
///     <net>/b1/encode                                       floats of an image become codes; not part of the rows above
///     <net>/read_lower, calibrate, quantize                 what comes before; quantize_report where there is a report
///     one_relu/b1/float                                     ReLU of one number: what a call costs that does nothing
///
/// Times are per image. Ours start from codes and give floats; ONNX Runtime starts from floats and quantizes them itself.
/// Networks are --model FILE, or the .onnx files of the folder NOTCH_DATA, by default ../shared/data beside the project,
/// and the one of examples/shapes. ONNX Runtime gets the file itself in floats, and what we write of the quantized network:
/// once as it is, and once with `session.x64quantprecision`. Without that its sums saturate on processors without VNNI;
/// stderr says by how much the results of each differ from ours.
#include "../peak_work.hpp"
#include "engine.hpp"
#include "ort.hpp"

#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <exception>
#include <filesystem>
#include <fstream>
#include <functional>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace {

namespace fs = std::filesystem;
using bench::ort_model;

/// A process that has slept while another one ran is slow for a while, so turns are long.
constexpr double turn_ns = 3e6;

/// A folder for files of this process, removed with it.
class temporary_folder {
public:
    temporary_folder() : path_(fs::temp_directory_path() / ("notch_bench_" + std::to_string(getpid()))) {
        fs::create_directories(path_);
    }
    ~temporary_folder() {
        std::error_code ignored;
        fs::remove_all(path_, ignored);
    }
    temporary_folder(const temporary_folder&) = delete;
    temporary_folder& operator=(const temporary_folder&) = delete;
    [[nodiscard]] std::string operator/(const std::string& name) const { return (path_ / name).string(); }

private:
    fs::path path_;
};

const temporary_folder& temporary() {
    static const temporary_folder folder;
    return folder;
}

std::string write_floats(const std::string& name, std::span<const float> floats) {
    const std::string path = temporary() / name;
    std::ofstream file(path, std::ios::binary);
    file.write(reinterpret_cast<const char*>(floats.data()), static_cast<std::streamsize>(floats.size_bytes()));
    return path;
}

/// The model of a file; the last one is kept.
std::shared_ptr<const bench::model> model_of(const std::string& path) {
    static std::string last;
    static std::shared_ptr<const bench::model> kept;
    if (last != path) {
        kept.reset();
        kept = bench::read_model(path);
        last = path;
    }
    return kept;
}

/// How far the results of the peer are from ours, on stderr.
void compare(const std::string& who, std::span<const float> ours, const std::vector<double>& theirs) {
    double largest = 0;
    double apart = 0;
    for (std::size_t i = 0; i < std::min(ours.size(), theirs.size()); ++i) {
        largest = std::max(largest, std::abs(static_cast<double>(ours[i])));
        apart = std::max(apart, std::abs(static_cast<double>(ours[i]) - theirs[i]));
    }
    std::fprintf(stderr, "%s: results differ by at most %.3g; the largest of ours is %.3g\n", who.c_str(), apart,
                 largest);
}

/// Adds a peer, unless it cannot run. `ours`: results that it should have, or none.
void add_peer(std::vector<bench::peer>& peers, const char* name, const ort_model::description& what, std::size_t batch,
              const std::string& row, std::span<const float> ours) {
    bench::ort_server* const server = bench::ort_server::get();
    if (server == nullptr)
        return;
    const auto opened = std::make_shared<ort_model>(*server, what);
    if (!opened->is_open())
        return;
    if (!ours.empty())
        compare(row + ", " + name, ours, opened->results(batch));
    peers.push_back({name, {}, [opened, batch] { return opened->turn(batch, turn_ns); }});
}

bench::work work_of(const std::string& path, const bench::setting& how, std::size_t batch, int threads,
                    const std::string& row) {
    const auto net = model_of(path);
    const std::shared_ptr<bench::running> ours = net->make(how, batch, threads);
    (*ours)();
    bench::work task;
    task.ours = [ours] { (*ours)(); };
    task.turn_ns = turn_ns;
    task.items = static_cast<double>(batch);
    task.operations = net->operations() * task.items;
    using enum bench::arithmetic;
    bench::use_peak(task, how.bits == 0 ? f32 : how.bits <= 4 ? int4 : int8, threads);
    ort_model::description peer{path, net->shape(), write_floats("images", net->images()), threads, false};
    add_peer(task.peers, "onnxruntime f32", peer, batch, row,
             how.bits == 0 ? ours->results() : std::span<const float>());
    if (how.bits == 0)
        return task;
    task.steps_percent = [ours, percent = 0.0]() mutable {
        return percent = percent > 0 ? percent : ours->steps_percent();
    };
    peer.path = temporary() / "qdq.onnx";
    net->write_qdq(how, peer.path);
    add_peer(task.peers, "onnxruntime int8", peer, batch, row, ours->results());
    peer.exact = true;
    add_peer(task.peers, "onnxruntime int8 exact", peer, batch, row, ours->results());
    return task;
}

/// A row of a network.
bench::row row_of(const std::string& net, const char* batch, const std::string& bits) {
    bench::row what;
    what.name = net;
    what.batch = batch;
    what.bits = bits;
    what.grain = what.requant = what.rounding = "-";
    return what;
}

void add_runs(const std::string& path, const std::string& net) {
    const std::vector<bench::setting> settings = {{0, false}, {8, false}, {4, false}, {2, false}, {8, true}};
    for (const std::size_t batch : {std::size_t{1}, bench::model::most})
        for (const int threads : {1, 2})
            for (const bench::setting& how : settings) {
                bench::row what = row_of(net, batch == 1 ? "b1" : "b32",
                                         how.bits == 0 ? "float" : "w" + std::to_string(how.bits) + "a8");
                if (how.bits != 0) {
                    what.grain = "per_channel";
                    what.requant = how.fixed ? "fixed_point" : "shift";
                    what.rounding = how.fixed ? "nearest_up" : "nearest_even";
                }
                what.threads = threads;
                bench::add(what, [=] { return work_of(path, how, batch, threads, bench::key_of(what)); });
            }
}

/// Preparation is measured in a process of its own, whose memory is that of nothing else.
void measure_apart(const std::string& path, const char* what, bench::row& result) {
    bench::child other({fs::read_symlink("/proc/self/exe").string(), "--prepare", what, path});
    const std::optional<std::string> answer = other.read();
    double megabytes = 0;
    if (!answer || std::sscanf(answer->c_str(), "%lf %lf", &result.ns, &megabytes) != 2) {
        std::fprintf(stderr, "%s: %s has failed\n", path.c_str(), what);
        std::exit(1);
    }
    if (megabytes > 0)
        result.peak_mb = megabytes;
}

void add_preparation(const std::string& path, const std::string& net) {
    bench::add(row_of(net, "b1", "encode"), [path] {
        bench::work task;
        task.ours = [encoder = std::shared_ptr<bench::running>(model_of(path)->make_encoder())] { (*encoder)(); };
        task.warm = true;
        return task;
    });
    bench::add_once(row_of(net, "", "read_lower"), [path](bench::row& r) { r.ns = bench::time_of_loading(path); });
    bench::add_once(row_of(net, "", "calibrate"), [path](bench::row& r) { measure_apart(path, "calibrate", r); });
    bench::add_once(row_of(net, "", bench::has_report() ? "quantize_report" : "quantize"),
                    [path](bench::row& r) { measure_apart(path, "quantize", r); });
}

/// What a call of ONNX Runtime costs beside the work.
void add_nothing() {
    const bench::row what = row_of("one_relu", "b1", "float");
    bench::add(what, [what] {
        const std::string path = temporary() / "relu.onnx";
        bench::write_nothing(path);
        return work_of(path, {}, 1, 1, bench::key_of(what));
    });
}

/// The networks to run: names and files, sorted.
std::map<std::string, std::string> networks(const std::string& chosen) {
    std::map<std::string, std::string> found;
    const auto add = [&found](const fs::path& file) { found[file.stem().string()] = file.string(); };
    if (!chosen.empty()) {
        add(chosen);
        return found;
    }
    const fs::path project = NOTCH_BENCH_PROJECT;
    const char* const data = std::getenv("NOTCH_DATA");
    std::error_code missing;
    for (const fs::directory_entry& each :
         fs::directory_iterator(data != nullptr ? fs::path(data) : project / ".." / "shared" / "data", missing))
        if (each.path().extension() == ".onnx")
            add(each.path());
    add(project / "examples" / "shapes" / "shapes.onnx");
    return found;
}

/// What a process of measure_apart does.
int prepare(const std::string& what, const std::string& path) {
    const bench::preparation measured = bench::measure_preparation(path, what == "quantize");
    std::printf("%.0f %.3f\n", measured.ns, measured.peak_mb);
    return 0;
}

int run(int argc, char** argv) {
    if (argc == 4 && std::string(argv[1]) == "--prepare")
        return prepare(argv[2], argv[3]);
    for (const auto& [net, path] : networks(bench::take_option(argc, argv, "--model"))) {
        add_runs(path, net);
        add_preparation(path, net);
    }
    add_nothing();
    return bench::run(argc, argv);
}

} // namespace

int main(int argc, char** argv) {
    try {
        return run(argc, argv);
    } catch (const std::exception& e) {
        std::fprintf(stderr, "%s\n", e.what());
        return 1;
    }
}

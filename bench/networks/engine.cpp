/// @file
/// The one file of this room that compiles networks of notch.
#include "engine.hpp"

#include "../rows.hpp"
#include "../thread_pool.hpp"

#include <notch/core/random.hpp>
#include <notch/deploy/as_qdq.hpp>
#include <notch/deploy/lower.hpp>
#include <notch/deploy/run.hpp>
#include <notch/io/onnx_read.hpp>
#include <notch/io/onnx_write.hpp>
#include <notch/model/cost.hpp>
#include <notch/model/forward.hpp>
#include <notch/ptq/calibrate.hpp>
#include <notch/ptq/make_plan.hpp>

#if __has_include(<notch/deploy/report.hpp>)
#include <notch/deploy/report.hpp>
#define NOTCH_BENCH_REPORT 1
#else
#define NOTCH_BENCH_REPORT 0
#endif

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <fstream>
#include <utility>

namespace bench {

namespace {

using steady = std::chrono::steady_clock;

double ns_since(steady::time_point start) {
    return std::chrono::duration<double, std::nano>(steady::now() - start).count();
}

/// Floats that are spread about like those of normalised pixels: a sum of four uniform ones.
std::vector<float> random_images(std::size_t size) {
    std::vector<float> images(size);
    for (std::size_t i = 0; i < size; ++i) {
        const std::uint64_t bits = notch::counter_bits(1, i);
        float sum = 0;
        for (int part = 0; part < 4; ++part)
            sum += static_cast<float>(bits >> (16 * part) & 0xffff) / 32768.0F - 1.0F;
        images[i] = sum;
    }
    return images;
}

/// More tasks than threads, in turn.
struct spread {
    thread_pool* pool;
    std::size_t threads;
    template <class Body> void operator()(std::size_t n_tasks, Body&& body) const {
        const std::size_t used = std::min(threads, n_tasks);
        if (used == 0)
            return;
        (*pool)(used, [&](std::size_t thread) {
            for (std::size_t task = thread; task < n_tasks; task += used)
                body(task);
        });
    }
};

class running_floats : public running {
public:
    running_floats(const notch::network& net, std::span<const float> images, std::size_t batch, int threads)
        : program_(net), images_(images), batch_(batch), results_(batch * program_.output_size()),
          pool_(threads), threads_{&pool_, static_cast<std::size_t>(threads)} {}

    void operator()() override { program_.run(images_, batch_, results_, threads_); }
    [[nodiscard]] std::span<const float> results() const override { return results_; }
    [[nodiscard]] double steps_percent() override { return 0; }

private:
    notch::float_program program_;
    std::span<const float> images_;
    std::size_t batch_;
    std::vector<float> results_;
    thread_pool pool_;
    spread threads_;
};

class running_integers : public running {
public:
    running_integers(const notch::plan& plan, std::span<const float> images, std::size_t batch, int threads)
        : program_(notch::lower(plan)), codes_(images.size()), batch_(batch), results_(batch * program_.result_size()),
          pool_(threads), threads_{&pool_, static_cast<std::size_t>(threads)},
          run_(program_, batch, static_cast<std::size_t>(threads)) {
        program_.encode(images, batch, codes_);
    }

    void operator()() override { run_(codes_, batch_, results_, threads_); }
    [[nodiscard]] std::span<const float> results() const override { return results_; }

    [[nodiscard]] double steps_percent() override {
        std::vector<std::vector<double>> times(program_.steps().size());
        std::vector<double> whole;
        const auto begin = steady::now();
        while (whole.size() < 5 || (whole.size() < 101 && ns_since(begin) < 3e8)) {
            (*this)();
            const auto start = steady::now();
            (*this)();
            whole.push_back(ns_since(start));
            auto before = steady::now();
            run_(
                codes_, batch_, results_,
                [&](std::size_t step) {
                    const auto now = steady::now();
                    times[step].push_back(std::chrono::duration<double, std::nano>(now - before).count());
                    before = now;
                },
                threads_);
        }
        double sum = 0;
        for (const std::vector<double>& step : times)
            sum += median(step);
        return 100.0 * sum / median(whole);
    }

private:
    notch::program program_;
    std::vector<std::uint8_t> codes_;
    std::size_t batch_;
    std::vector<float> results_;
    thread_pool pool_;
    spread threads_;
    notch::runner<> run_;
};

class running_encoder : public running {
public:
    running_encoder(const notch::plan& plan, std::span<const float> images)
        : program_(notch::lower(plan)), images_(images), codes_(images.size()) {}

    void operator()() override { program_.encode(images_, 1, codes_); }
    [[nodiscard]] std::span<const float> results() const override { return {}; }
    [[nodiscard]] double steps_percent() override { return 0; }

private:
    notch::program program_;
    std::span<const float> images_;
    std::vector<std::uint8_t> codes_;
};

notch::quantization_policy policy_of(const setting& how) {
    notch::quantization_policy policy;
    policy.weights.bits = how.bits;
    policy.scales = how.fixed ? notch::scale_form::fixed_point : notch::scale_form::power_of_two;
    return policy;
}

std::size_t size_of(const notch::network& net) { return notch::element_count(net.tensors[net.input].shape); }

class model_of_file : public model {
public:
    explicit model_of_file(const std::string& path)
        : net_(notch::onnx::read(path)), images_(random_images(most * size_of(net_))),
          seen_(notch::calibrate(net_, images_)),
          operations_(2.0 * static_cast<double>(notch::cost_of(seen_.prepared.net).total.macs)) {}

    [[nodiscard]] std::span<const float> images() const override { return images_; }
    [[nodiscard]] const std::vector<std::size_t>& shape() const override { return net_.tensors[net_.input].shape; }
    [[nodiscard]] double operations() const override { return operations_; }
    [[nodiscard]] std::unique_ptr<running> make(const setting& how, std::size_t batch, int threads) const override {
        const std::span<const float> images = std::span(images_).first(batch * size_of(net_));
        if (how.bits == 0)
            return std::make_unique<running_floats>(seen_.prepared.net, images, batch, threads);
        return std::make_unique<running_integers>(plan_of(how), images, batch, threads);
    }
    void write_qdq(const setting& how, const std::string& path) const override {
        notch::onnx::write(notch::as_qdq(plan_of(how)), path, {.packs = false});
    }
    [[nodiscard]] std::unique_ptr<running> make_encoder() const override {
        return std::make_unique<running_encoder>(plan_of({8, false}), std::span(images_).first(size_of(net_)));
    }

private:
    [[nodiscard]] notch::plan plan_of(const setting& how) const { return notch::make_plan(seen_, policy_of(how)); }

    notch::network net_;
    std::vector<float> images_;
    notch::calibration seen_;
    double operations_;
};

/// The most memory that this process has had, in 10^6 bytes, as Linux tells it; 0 elsewhere.
double peak_megabytes() {
    std::ifstream status("/proc/self/status");
    for (std::string word; status >> word;)
        if (double kilobytes = 0; word == "VmHWM:" && status >> kilobytes)
            return kilobytes * 1024e-6;
    return 0;
}

} // namespace

std::unique_ptr<model> read_model(const std::string& path) { return std::make_unique<model_of_file>(path); }

void write_nothing(const std::string& path) {
    notch::network net;
    net.input = net.add_tensor("input", {1});
    net.output = net.add_tensor("output", {1});
    net.layers.push_back({"relu", notch::clip{}, {net.input}, net.output});
    notch::onnx::write({net, {}, {}}, path);
}

double time_of_loading(const std::string& path) {
    const notch::network net = notch::onnx::read(path);
    const notch::calibration seen = notch::calibrate(net, random_images(size_of(net)));
    const notch::plan plan = notch::make_plan(seen, policy_of({8, false}));
    std::vector<double> times;
    for (int i = 0; i < 5; ++i) {
        const auto start = steady::now();
        const notch::network again = notch::onnx::read(path);
        const notch::program program = notch::lower(plan);
        times.push_back(ns_since(start));
        if (again.layers.empty() || program.steps().empty())
            return 0;
    }
    return median(times);
}

bool has_report() noexcept { return NOTCH_BENCH_REPORT != 0; }

preparation measure_preparation(const std::string& path, bool whole) {
    auto start = steady::now();
    const notch::network net = notch::onnx::read(path);
    const std::vector<float> images = random_images(calibration_images * size_of(net));
    if (!whole)
        start = steady::now();
    const notch::calibration seen = notch::calibrate(net, images);
    if (whole) {
        const notch::quantization_policy policy = policy_of({8, false});
        const notch::plan plan = notch::make_plan(seen, policy);
        const notch::program program = notch::lower(plan);
        benchmark::DoNotOptimize(program.steps().data());
#if NOTCH_BENCH_REPORT
        notch::report_inputs inputs{.policy = policy, .images = images};
        inputs.images = inputs.images.first(256 * size_of(net));
        inputs.sensitivity = true;
        inputs.sensitivity_images = 32;
        benchmark::DoNotOptimize(notch::make_report(seen, plan, inputs).layers.size());
#endif
    }
    return {ns_since(start), peak_megabytes()};
}

} // namespace bench

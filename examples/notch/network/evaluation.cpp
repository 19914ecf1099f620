/// @file
/// Runs over all images, in batches.
#include "evaluation.hpp"

#include "progress.hpp"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <mutex>
#include <notch/deploy/simulate.hpp>

namespace tool {

namespace {

constexpr std::size_t batch = 32;

using clock_type = std::chrono::steady_clock;

[[nodiscard]] double milliseconds_since(clock_type::time_point begin) {
    return std::chrono::duration<double, std::milli>(clock_type::now() - begin).count();
}

/// Simulates batches of images, one after the other.
class simulating {
public:
    simulating(const quantized_network& net, const image_file& images, std::size_t most)
        : net_(net), source_(net, images), integers_(net.program, most, 1), simulator_(net.plan),
          codes_(net.plan.tensors.size()), tensors_(net.plan.tensors.size()) {}

    /// Simulates images [first, first + count) into their results.
    void run(std::size_t first, std::size_t count, std::span<float> results) {
        const notch::program& program = net_.program;
        std::vector<float> own(count * program.result_size());
        run_integers(first, count, own);
        std::vector<float> floats(count * source_.size());
        source_.floats(first, count, floats);
        simulator_.run(floats, count, results,
                       [&](std::size_t tensor, std::span<const float> values) { compare(tensor, count, values); });
        for (std::size_t i = 0; i < own.size() && !program.data().softmax; ++i)
            mismatched_results_ += own[i] == results[i] ? 0U : 1U;
    }
    /// Adds what was found.
    void add_to(simulation& found) const {
        found.tensors.resize(tensors_.size());
        for (std::size_t t = 0; t < tensors_.size(); ++t) {
            found.tensors[t].codes += tensors_[t].codes;
            found.tensors[t].mismatched += tensors_[t].mismatched;
            found.compared_codes += tensors_[t].codes;
            found.mismatched_codes += tensors_[t].mismatched;
        }
        found.mismatched_results += mismatched_results_;
    }

private:
    /// Keeps the codes of every tensor that a step writes.
    void run_integers(std::size_t first, std::size_t count, std::span<float> results) {
        const notch::program_data& data = net_.program.data();
        std::vector<std::uint8_t>& entering = codes_[data.input];
        entering.resize(count * source_.size());
        source_.codes(first, count, entering);
        integers_.run(entering, count, results, alone_, [&](std::size_t s) {
            if (data.steps[s].to_reals)
                return;
            const std::span<const std::uint8_t> written = integers_.codes(data.steps[s].output, count);
            codes_[data.steps[s].output].assign(written.begin(), written.end());
        });
    }
    void compare(std::size_t tensor, std::size_t count, std::span<const float> values) {
        const std::vector<std::uint8_t>& codes = codes_[tensor];
        if (codes.size() != values.size()) // a reshape has the codes of its input
            return;
        const notch::run_tensor& shape = net_.program.tensors()[tensor];
        const std::size_t places = shape.shape[0] * shape.shape[1];
        const std::size_t channels = shape.shape[2];
        compared_tensor& to = tensors_[tensor];
        to.codes += codes.size();
        for (std::size_t n = 0; n < count; ++n)
            for (std::size_t c = 0; c < channels; ++c)
                for (std::size_t p = 0; p < places; ++p) {
                    const int code = codes[(n * places + p) * channels + c] + shape.lowest_code;
                    to.mismatched += static_cast<float>(code) == values[(n * channels + c) * places + p] ? 0U : 1U;
                }
    }

    const quantized_network& net_;
    code_source source_;
    integer_network integers_;
    notch::simulator<> simulator_;
    thread_pool alone_{1};
    std::vector<std::vector<std::uint8_t>> codes_; ///< per tensor
    std::vector<compared_tensor> tensors_;
    std::size_t mismatched_results_ = 0;
};

/// Images at a time, so that all tensors of a simulation take 256 MiB at most, or one image.
[[nodiscard]] std::size_t simulated_batch(const notch::plan& plan) {
    std::size_t numbers = 1;
    for (const notch::tensor_info& tensor : plan.net.tensors)
        numbers += notch::element_count(tensor.shape);
    return std::clamp<std::size_t>((std::size_t{1} << 26) / numbers, 1, batch);
}

} // namespace

timed_results run_float(const notch::network& net, const image_file& images, thread_pool& pool) {
    const float_network program(net);
    timed_results to;
    to.results.resize(images.count() * program.result_size());
    progress bar("in floats", images.count());
    std::vector<float> floats;
    double ms = 0;
    for (std::size_t first = 0; first < images.count(); first += batch) {
        const std::size_t count = std::min(batch, images.count() - first);
        floats.resize(count * images.size());
        images.floats(first, count, floats);
        const auto results =
            std::span(to.results).subspan(first * program.result_size(), count * program.result_size());
        const clock_type::time_point begin = clock_type::now();
        program.run(floats, count, results, pool);
        ms += milliseconds_since(begin);
        bar.show(first + count);
    }
    to.ms_per_image = ms / static_cast<double>(images.count());
    return to;
}

timed_results run_integer(const quantized_network& net, const image_file& images, thread_pool& pool) {
    const code_source source(net, images);
    const std::size_t size = net.program.result_size();
    integer_network integers(net.program, std::min(batch, images.count()), pool.size());
    timed_results to;
    to.results.resize(images.count() * size);
    std::vector<std::uint8_t> codes;
    double ms = 0;
    for (std::size_t first = 0; first < images.count(); first += batch) {
        const std::size_t count = std::min(batch, images.count() - first);
        codes.resize(count * images.size());
        const clock_type::time_point begin = clock_type::now();
        source.codes(first, count, codes);
        integers.run(codes, count, std::span(to.results).subspan(first * size, count * size), pool);
        ms += milliseconds_since(begin);
    }
    to.ms_per_image = ms / static_cast<double>(images.count());
    return to;
}

simulation simulate(const quantized_network& net, const image_file& images, std::size_t count, thread_pool& pool) {
    const std::size_t size = net.program.result_size();
    const std::size_t most = simulated_batch(net.plan);
    simulation found;
    found.results.resize(count * size);
    progress bar("simulating", count);
    std::atomic<std::size_t> next{0};
    std::size_t done = 0;
    std::mutex mutex;
    pool(pool.size(), [&](std::size_t) {
        simulating own(net, images, most);
        for (std::size_t first = most * next++; first < count; first = most * next++) {
            const std::size_t images_now = std::min(most, count - first);
            own.run(first, images_now, std::span(found.results).subspan(first * size, images_now * size));
            const std::lock_guard lock(mutex);
            bar.show(done += images_now);
        }
        const std::lock_guard lock(mutex);
        own.add_to(found);
    });
    return found;
}

} // namespace tool

/// @file
/// Threads belong to the caller: any callable f(n_tasks, body) is an executor. Here, a few std::thread per call, and a
/// pool with an interface of its own behind a lambda. The codes never depend on it.
#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstdio>
#include <notch/quant/fit.hpp>
#include <thread>
#include <vector>

namespace {

using w4 = notch::quantizer<notch::bits<4>, notch::sub_layer<16, 16>, notch::power_of_two<>>;

/// Stands for the thread pool that an application already has.
class pool {
public:
    explicit pool(unsigned threads) : threads_(threads) {}

    /// Calls work(i) for i in [0, count), from several threads.
    template <class Work> void parallel_for(std::size_t count, const Work& work) {
        std::atomic<std::size_t> next{0};
        const auto loop = [&] {
            for (std::size_t i = next++; i < count; i = next++)
                work(i);
        };
        std::vector<std::thread> helpers;
        for (unsigned i = 1; i < threads_; ++i)
            helpers.emplace_back(loop);
        loop();
        for (std::thread& helper : helpers)
            helper.join();
    }

private:
    unsigned threads_;
};

} // namespace

int main() {
    notch::dense_tensor<float, 2> weights({512, 1024});
    for (std::size_t i = 0; i < weights.size(); ++i)
        weights.data()[i] = std::sin(0.37F * static_cast<float>(i % 10007));

    pool threads(4);
    const auto run = [&threads](std::size_t n_tasks, const auto& body) { threads.parallel_for(n_tasks, body); };
    const auto parallel = notch::quantize<w4>(weights, {.name = "weights"}, run);
    const auto serial = notch::quantize<w4>(weights, {.name = "weights"});

    const bool equal = std::ranges::equal(parallel.codes.elements(), serial.codes.elements()) &&
                       parallel.params.scales == serial.params.scales;
    std::printf("%zu codes and %zu scales, %s\n", serial.codes.size(), serial.params.count(),
                equal ? "equal for 1 and 4 threads" : "different");

    // An error in a task reaches the caller, whatever the pool does with exceptions.
    weights(3, 5) = std::nanf("");
    try {
        static_cast<void>(notch::quantize<w4>(weights, {.name = "weights"}, run));
    } catch (const notch::range_error& problem) {
        std::printf("%s\n", problem.what());
        return equal ? 0 : 1;
    }
    return 1;
}

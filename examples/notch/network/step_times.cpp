/// @file
/// Times between the ends of steps.
#include "step_times.hpp"

#include "integer_network.hpp"
#include "scores.hpp"

#include <chrono>

namespace tool {

namespace {

using clock_type = std::chrono::steady_clock;

[[nodiscard]] double ms_between(clock_type::time_point begin, clock_type::time_point end) {
    return std::chrono::duration<double, std::milli>(end - begin).count();
}

} // namespace

step_times measure_steps(const quantized_network& net, const image_file& images) {
    constexpr std::size_t rounds = 51;
    thread_pool alone(1);
    std::vector<std::uint8_t> codes(images.size());
    code_source(net, images).codes(0, 1, codes);
    std::vector<float> results(net.program.result_size());
    integer_network integers(net.program, 1, 1);
    std::vector<std::vector<double>> steps(net.program.steps().size());
    std::vector<double> shares;
    for (std::size_t round = 0; round < rounds; ++round) {
        const clock_type::time_point begin = clock_type::now();
        clock_type::time_point last = begin;
        double sum = 0;
        integers.run(codes, 1, results, alone, [&](std::size_t s) {
            const clock_type::time_point now = clock_type::now();
            const double ms = ms_between(last, now);
            last = now;
            steps[s].push_back(ms);
            sum += ms;
        });
        shares.push_back(100 * sum / ms_between(begin, clock_type::now()));
    }
    step_times to;
    for (const std::vector<double>& step : steps)
        to.ms.push_back(median(step));
    to.percent = median(shares);
    return to;
}

} // namespace tool

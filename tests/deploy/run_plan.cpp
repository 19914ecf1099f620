#include "deploy/run_plan.hpp"

#include "threads_backwards.hpp"

#include <notch/deploy/lower.hpp>
#include <notch/deploy/run.hpp>

#include <algorithm>

namespace notch_test {

run_result run_plan(const notch::plan& plan, std::span<const float> images, std::size_t count, std::size_t batch,
                    std::size_t tasks) {
    const notch::program program = notch::lower(plan);
    notch::runner run(program, batch, tasks, 1); // small layers are cut too
    run_result to;
    to.codes.resize(program.tensors().size());
    to.results.resize(count * program.result_size());
    const std::size_t size = program.input().size();
    for (std::size_t first = 0; first < count; first += batch) {
        const std::size_t n = std::min(batch, count - first);
        std::vector<std::uint8_t> codes(n * size);
        program.encode(images.subspan(first * size, n * size), n, codes);
        const auto keep = [&](std::size_t tensor) {
            const auto seen = run.codes(tensor, n);
            to.codes[tensor].insert(to.codes[tensor].end(), seen.begin(), seen.end());
        };
        auto& input = to.codes[program.data().input];
        input.insert(input.end(), codes.begin(), codes.end());
        run(
            codes, n, std::span(to.results).subspan(first * program.result_size(), n * program.result_size()),
            [&](std::size_t step) {
                if (!program.steps()[step].to_reals)
                    keep(program.steps()[step].output);
            },
            threads_backwards{});
    }
    to.program = program.data();
    to.program.steps.clear();
    return to;
}

std::vector<float> planned_codes(const run_result& from, std::size_t tensor, std::size_t count) {
    const notch::run_tensor& t = from.program.tensors[tensor];
    const std::size_t pixels = t.shape[0] * t.shape[1];
    const std::size_t channels = t.shape[2];
    std::vector<float> to(count * t.size());
    for (std::size_t i = 0; i < to.size(); ++i) {
        const std::size_t n = i / t.size();
        const std::size_t c = i / pixels % channels;
        const std::size_t pixel = i % pixels;
        to[i] = static_cast<float>(from.codes[tensor][(n * pixels + pixel) * channels + c] + t.lowest_code);
    }
    return to;
}

} // namespace notch_test

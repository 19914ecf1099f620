/// @file
/// Tasks of a step: as many as its work is worth.
#include "catch.hpp"

#include <notch/deploy/step_tasks.hpp>
#include <notch/gemm/pack.hpp>

#include <cstddef>
#include <cstdint>

using namespace notch;

namespace {

using level = simd::default_arch;

program_step product_of(std::size_t outputs, std::size_t inputs) {
    quantized_tensor<quantizer<bits<8>, per_tensor, power_of_two<>>, 2> weights;
    weights.codes = dense_tensor<std::int8_t, 2>({outputs, inputs});
    weights.params.scales = {0};
    program_step step;
    step.work = linear_step{pack(weights), {}};
    return step;
}

} // namespace

TEST_CASE("a step has one task at least, and no more than there are", "[deploy]") {
    program_step sum;
    sum.work = sum_step{};
    for (const std::size_t least : {std::size_t{1}, std::size_t{1000}, detail::least_task_work<level>()})
        for (const std::size_t tasks : {1U, 2U, 7U}) {
            CHECK(detail::tasks_of_step(sum, 0, tasks, least) == 1);
            CHECK(detail::tasks_of_step(sum, 1, tasks, least) == 1);
            CHECK(detail::tasks_of_step(sum, 100 * least, tasks, least) == tasks);
        }
}

TEST_CASE("tasks grow with the sums of a step", "[deploy]") {
    constexpr std::size_t least = 1'000'000;
    const program_step narrow = product_of(16, 1);
    const program_step wide = product_of(16, 4000);
    constexpr std::size_t outputs = 625; // two and a half tasks where each takes 4000 products
    CHECK(detail::tasks_of_step(wide, outputs, 7, least) == 2);
    CHECK(detail::tasks_of_step(narrow, outputs, 7, least) == 1);
    CHECK(detail::tasks_of_step(narrow, outputs, 7, 1) == 7);
}

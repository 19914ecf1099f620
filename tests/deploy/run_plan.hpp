// Runs plans as programs. What is dear to compile stands in run_plan.cpp, once for all tests.
#pragma once

#include <notch/deploy/program.hpp>
#include <notch/ptq/plan.hpp>

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace notch_test {

// What a run gave.
struct run_result {
    std::vector<std::vector<std::uint8_t>> codes; // per tensor [n, H, W, C]; empty where there are none
    std::vector<float> results;
    notch::program_data program; // steps left out
};

// Runs images [count, C, H, W] of floats in batches of `batch`, in `tasks` tasks, which run backwards.
[[nodiscard]] run_result run_plan(const notch::plan& plan, std::span<const float> images, std::size_t count,
                                  std::size_t batch, std::size_t tasks);

// The same in the order of the network and as the plan counts codes.
[[nodiscard]] std::vector<float> planned_codes(const run_result& from, std::size_t tensor, std::size_t count);

} // namespace notch_test

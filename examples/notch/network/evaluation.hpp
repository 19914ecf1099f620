/// @file
/// A network in floats, in a simulation and in integers, on all images.
#pragma once

#include "integer_network.hpp"
#include "network.hpp"
#include "scores.hpp"

#include <cstddef>
#include <string>
#include <vector>

namespace tool {

/// Results [n, ...] of images, and how long they took.
struct timed_results {
    std::vector<float> results{};
    double ms_per_image = 0;
};

/// Runs a network in floats.
[[nodiscard]] timed_results run_float(const notch::network& net, const image_file& images, thread_pool& pool);

/// Runs a network in integers, from pixels to results.
[[nodiscard]] timed_results run_integer(const quantized_network& net, const image_file& images, thread_pool& pool);

/// Codes of a tensor, in the simulation and in the integer run.
struct compared_tensor {
    std::size_t codes = 0;
    std::size_t mismatched = 0;
};

/// A simulation beside the integer run.
struct simulation {
    std::vector<float> results{};            ///< of the images that were simulated
    std::vector<compared_tensor> tensors{};  ///< per tensor of the plan
    std::size_t compared_codes = 0;          ///< of all tensors and images
    std::size_t mismatched_codes = 0;        ///< that differ
    std::size_t mismatched_results = 0;      ///< floats of results that differ; not counted behind a softmax
};

/// Simulates the first `count` images, runs them in integers too, and compares every code of every tensor.
[[nodiscard]] simulation simulate(const quantized_network& net, const image_file& images, std::size_t count,
                                  thread_pool& pool);

} // namespace tool

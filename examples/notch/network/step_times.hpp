/// @file
/// How long each step of an integer run takes.
#pragma once

#include "network.hpp"

#include <vector>

namespace tool {

/// Medians of the times of steps, one image on one thread, and the share of the run that they cover.
struct step_times {
    std::vector<double> ms{};
    double percent = 0;
};

/// Measures them.
[[nodiscard]] step_times measure_steps(const quantized_network& net, const image_file& images);

} // namespace tool

/// @file
/// What each step of the methods gains.
#pragma once

#include "images.hpp"
#include "settings.hpp"
#include "thread_pool.hpp"

#include <cstddef>
#include <nlohmann/json_fwd.hpp>
#include <notch/model/network.hpp>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace tool {

/// What a network is measured on.
struct measured_on {
    const image_file& images;
    const std::vector<std::size_t>& labels; ///< or empty
    std::span<const float> floats;          ///< results of the float network
    std::size_t classes;
};

/// A recipe, measured.
struct scores_of_recipe {
    std::optional<double> top1{}; ///< percent, of the integer run
    double sqnr_db = 0;           ///< of its results
    std::size_t scales = 0;       ///< of weights
};

/// Quantizes a network and runs it in integers. Numbers of images in the settings become those that there are.
[[nodiscard]] scores_of_recipe measure_recipe(network_settings& settings, const notch::network& net,
                                              const measured_on& on, thread_pool& pool);

/// A network after a step.
struct step_result {
    std::string name;
    scores_of_recipe scores;
};

/// Measures a network after each step of its methods: first with none of them, then with one more each time.
[[nodiscard]] std::vector<step_result> evaluate_steps(const network_settings& settings, const notch::network& net,
                                                      const measured_on& on, thread_pool& pool);

/// Lines for a terminal.
[[nodiscard]] std::string text_of(const std::vector<step_result>& steps);

/// The same for reports.
[[nodiscard]] nlohmann::ordered_json json_of(const std::vector<step_result>& steps);

} // namespace tool

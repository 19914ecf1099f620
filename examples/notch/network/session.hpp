/// @file
/// What most network subcommands begin with: a network, its calibration, a plan.
#pragma once

#include "network.hpp"
#include "settings.hpp"

#include <cstddef>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

namespace tool {

/// A network that has seen images.
struct calibrated_network {
    image_file images;
    notch::calibration seen;
};

/// Reads the calibration images, rewrites the network as the methods say, and shows the images to it. Updates
/// settings.calibration_images to how many were taken.
[[nodiscard]] calibrated_network calibrate(network_settings& settings, const notch::network& net, thread_pool& pool);

/// Quantizes it as the settings say.
[[nodiscard]] quantized_network quantize(const calibrated_network& net, const network_settings& settings,
                                         thread_pool& pool);

/// The file of --images for a network.
[[nodiscard]] image_file evaluation_images(const network_settings& settings, const notch::network& net);

/// A network and what it is evaluated on.
struct evaluation_set {
    notch::network net;
    image_file images;
    std::size_t classes;               ///< results of an image
    std::vector<std::size_t> labels{}; ///< empty where there is no file of --labels
};

/// Reads MODEL, --images and --labels.
[[nodiscard]] evaluation_set open_evaluation(const network_settings& settings);

/// Settings in one line: W4A8, grain channel, ...
[[nodiscard]] std::string summary(const network_settings& settings);

/// Settings for reports.
[[nodiscard]] nlohmann::ordered_json settings_json(const network_settings& settings);

/// A number that JSON can hold, or null.
[[nodiscard]] nlohmann::ordered_json finite_or_null(double value);

/// Writes JSON where a file is wanted, as a whole or not at all.
void write_json(const std::string& path, const nlohmann::ordered_json& json);

} // namespace tool

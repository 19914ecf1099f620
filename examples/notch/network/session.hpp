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
/// the settings to how many there were to take.
[[nodiscard]] calibrated_network calibrate(network_settings& settings, const notch::network& net, thread_pool& pool);

/// The same with images that have been read.
[[nodiscard]] calibrated_network calibrate(network_settings& settings, const notch::network& net, image_file images,
                                           thread_pool& pool);

/// The plan of the file of --plan, ready to run. Raises std::runtime_error where it does not take or give what the network
/// does.
[[nodiscard]] quantized_network open_plan(const network_settings& settings, const notch::network& net);

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
[[nodiscard]] std::string summary(const network_settings& settings, bool with_grain = true);

/// How many images the scales come from, and which.
[[nodiscard]] std::string calibrated_with(const network_settings& settings);

/// Settings for reports.
[[nodiscard]] nlohmann::ordered_json settings_json(const network_settings& settings);

/// A number that JSON can hold, or null.
[[nodiscard]] nlohmann::ordered_json finite_or_null(double value);

/// JSON as a file holds it.
[[nodiscard]] std::string text_of(const nlohmann::ordered_json& json);

/// Writes JSON where a file is wanted, as a whole or not at all.
void write_json(const std::string& path, const nlohmann::ordered_json& json);

} // namespace tool

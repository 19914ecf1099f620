/// @file
/// The report of a quantized network as one HTML file.
#pragma once

#include "network.hpp"
#include "settings.hpp"

#include <notch/deploy/report_types.hpp>

namespace tool {

/// Writes settings.html. Layers are measured on the first 64 of the images, and how much each of them matters on 32.
void write_report(const network_settings& settings, const quantized_network& net, const notch::calibration& seen,
                  const image_file& images, const notch::report_accuracy& accuracy);

} // namespace tool

/// @file
/// The report of a plan as one HTML file.
#pragma once

#include "network.hpp"
#include "settings.hpp"

namespace tool {

/// Writes settings.html.
void write_report(const network_settings& settings, const quantized_network& net, const notch::calibration& seen);

} // namespace tool

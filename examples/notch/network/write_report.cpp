/// @file
/// The report of a plan as one HTML file.
#include "write_report.hpp"

#include <stdexcept>

namespace tool {

void write_report(const network_settings& settings, const quantized_network&, const notch::calibration&) {
    throw std::runtime_error("--report '" + settings.html + "': reports are not built in this version");
}

} // namespace tool

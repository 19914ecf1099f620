/// @file
/// The network subcommands, one function each.
#pragma once

#include "settings.hpp"

namespace tool {

/// What each layer needs.
void inspect(const network_settings& settings);
/// The plan of each layer.
void quantize(const network_settings& settings);
/// Accuracy, agreement and speed.
void evaluate(const network_settings& settings);
/// Accuracy against the number of scales.
void sweep(const network_settings& settings);
/// Differences layer by layer.
void compare(const network_settings& settings);
/// A QDQ model.
void export_model(const network_settings& settings);
/// Latencies.
void bench(const network_settings& settings);

} // namespace tool

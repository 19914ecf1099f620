/// @file
/// The network subcommands, as main sees them. They need libonnx and CLI11; without_network.cpp stands for them elsewhere.
#pragma once

#include <span>
#include <string_view>

namespace tool {

/// Whether a word is inspect, quantize, evaluate, sweep, compare, export or bench.
[[nodiscard]] bool is_network_command(std::string_view word);

/// Runs one of these; arguments[0] is its word. Raises usage_error for a command line that cannot be obeyed, and other
/// exceptions for input that is wrong.
void run_network_command(std::span<const char* const> arguments);

} // namespace tool

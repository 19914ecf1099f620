/// @file
/// Stands for the network subcommands where they are not built.
#include "network_commands.hpp"

#include <algorithm>
#include <array>
#include <stdexcept>
#include <string>

namespace tool {

bool is_network_command(std::string_view word) {
    constexpr std::array<std::string_view, 7> words = {"inspect", "quantize", "evaluate", "sweep",
                                                       "compare", "export",   "bench"};
    return std::find(words.begin(), words.end(), word) != words.end();
}

void run_network_command(std::span<const char* const> arguments) {
    throw std::runtime_error(std::string(arguments[0]) + " is not built; install libonnx-dev, libprotobuf-dev, "
                                                         "protobuf-compiler, libcli11-dev and nlohmann-json3-dev, and "
                                                         "configure and build notch again");
}

} // namespace tool

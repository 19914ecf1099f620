/// @file
/// The options of `notch grains`, parsed and checked.
#pragma once

#include "../option_list.hpp"

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace tool {

enum class scale_kind { real, power_of_two, fixed_point };

/// What `notch grains` is asked for. The weights have extents [rows, cols, kernel, kernel].
struct grains_options {
    std::size_t rows = 256;
    std::size_t cols = 256;
    std::size_t kernel = 3;
    int bits = 4;
    scale_kind scale = scale_kind::power_of_two;
    std::uint64_t seed = 1;
    std::string svg;  ///< file to write, or empty
    std::string json; ///< file to write, or empty
};

inline constexpr std::size_t most_channels = 65536;
inline constexpr std::size_t most_taps = 31; // taps of a kernel along one axis
inline constexpr std::size_t most_weights = std::size_t{1} << 26;

/// The name of a scale kind on the command line.
[[nodiscard]] std::string_view name_of(scale_kind kind);

/// Reads `--name value` and `--name=value`; raises usage_error with the name, the value and the limit.
[[nodiscard]] grains_options parse_grains(std::span<const char* const> arguments);

} // namespace tool

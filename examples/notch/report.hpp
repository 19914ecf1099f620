/// @file
/// The measurements as a table, as JSON and as a plot.
#pragma once

#include "grains.hpp"
#include "options.hpp"

#include <span>
#include <string>

namespace tool {

/// A number in the shortest form with a few significant digits, at most `digits`.
[[nodiscard]] std::string number_text(double value, int digits);

/// Lines for a terminal.
[[nodiscard]] std::string table_text(const grains_options& options, std::span<const measurement> table);

/// One JSON object; what is infinite is null.
[[nodiscard]] std::string json_text(const grains_options& options, std::span<const measurement> table);

/// One SVG picture without references: SQNR against the number of scales, in light and in dark colours.
[[nodiscard]] std::string svg_text(const grains_options& options, std::span<const measurement> table);

/// Writes a file under a temporary name and renames it, so that no reader sees half of it.
/// Raises std::runtime_error with the name of the file and the reason.
void write_file(const std::string& path, const std::string& text);

} // namespace tool

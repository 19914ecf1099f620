/// @file
/// The measurements as a table, as JSON and as a plot.
#pragma once

#include "grains.hpp"
#include "options.hpp"

#include <cstddef>
#include <span>
#include <string>

namespace tool {

/// A number in the shortest form with a few significant digits, at most `digits`.
[[nodiscard]] std::string number_text(double value, int digits);

/// Lines for a terminal.
[[nodiscard]] std::string table_text(const grains_options& options, std::span<const measurement> table);

/// One JSON object; what is infinite is null.
[[nodiscard]] std::string json_text(const grains_options& options, std::span<const measurement> table);

/// A point of a plot of SQNR against the number of scales.
struct plot_point {
    grain::family kind; ///< its colour, and the line through points
    std::string name;
    std::size_t scales = 0;
    double sqnr_db = 0;
    std::string remark; ///< more for the tooltip
};

/// What a colour stands for.
struct plot_legend {
    grain::family kind;
    const char* name;
    bool is_path; ///< points are joined
};

/// One SVG picture without references, in light and in dark colours. `what`: its title; `heading`: the line above it; both as
/// XML has them.
[[nodiscard]] std::string plot_svg(const std::string& what, const std::string& heading,
                                   std::span<const plot_legend> legend, std::span<const plot_point> table);

/// One SVG picture without references: SQNR against the number of scales, in light and in dark colours.
[[nodiscard]] std::string svg_text(const grains_options& options, std::span<const measurement> table);

/// Writes a file under a temporary name and renames it, so that no reader sees half of it.
/// Raises std::runtime_error with the name of the file and the reason.
void write_file(const std::string& path, const std::string& text);

} // namespace tool

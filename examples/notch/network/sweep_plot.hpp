/// @file
/// The picture of a sweep over grains.
#pragma once

#include "steps.hpp"

#include <string>
#include <vector>

namespace tool {

/// A grain, measured.
struct sweep_point {
    std::string grain;
    std::string order; ///< of channels: "own", or the rule that found another one
    scores_of_recipe scores;
};

/// One SVG picture without references, in light and in dark colours: SQNR of the results against the number of scales, and
/// top-1 in words at each point.
[[nodiscard]] std::string sweep_svg(const std::string& title, const std::string& subtitle,
                                    const std::vector<sweep_point>& points);

} // namespace tool

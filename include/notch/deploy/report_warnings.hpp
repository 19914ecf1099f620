/// @file
/// What a reader of a report should look at first.
///
/// | kind      | when                                                                        |
/// |-----------|-----------------------------------------------------------------------------|
/// | mismatch  | codes of the integer program differ from those of its simulation            |
/// | noise     | result or weights of a layer have an SQNR below 10 dB                       |
/// | floored   | scales of channels were raised so that the bias fits                        |
/// | clipped   | more than 1 % of a result, or more than 5 % of weights, lie beyond the codes |
#pragma once

#include <notch/deploy/report_format.hpp>
#include <notch/deploy/report_types.hpp>

#include <cmath>
#include <cstddef>
#include <string>
#include <utility>
#include <vector>

namespace notch::detail {

/// Below this a layer is worth a warning, in dB.
inline constexpr double poor_sqnr_db = 10;
/// Above this a result is clipped too much.
inline constexpr double much_clipped = 0.01;
/// Above this weights are.
inline constexpr double much_clipped_weights = 0.05;

/// A layer with something to say about it.
struct report_finding {
    std::size_t layer = 0;
    std::string words{}; ///< HTML
};

/// Findings of all kinds.
struct report_warnings {
    std::vector<report_finding> noise{};
    std::vector<report_finding> floored{};
    std::vector<report_finding> clipped{};
    std::size_t floored_channels = 0;
};

/// Whether an error is too large.
[[nodiscard]] inline bool is_poor(const report_error& error) noexcept { return !(error.sqnr_db >= poor_sqnr_db); }

/// Share of a result that is clipped.
[[nodiscard]] inline double clipped_share(const layer_report& layer) noexcept {
    return layer.codes && !layer.keeps_codes ? layer.codes->clipped_below + layer.codes->clipped_above : 0;
}

/// Looks through a report.
[[nodiscard]] inline report_warnings warnings_of(const network_report& report) {
    report_warnings to;
    for (std::size_t k = 0; k < report.layers.size(); ++k) {
        const layer_report& l = report.layers[k];
        if (l.error && is_poor(*l.error) && !l.keeps_codes)
            to.noise.push_back({k, decibel_text(l.error->sqnr_db)});
        if (l.weights && is_poor(l.weights->error))
            to.noise.push_back({k, "weights " + decibel_text(l.weights->error.sqnr_db)});
        if (l.weights && !l.weights->floored.empty()) {
            to.floored.push_back({k, std::to_string(l.weights->floored.size()) + " of " +
                                         std::to_string(l.weights->shape.empty() ? 0 : l.weights->shape[0])});
            to.floored_channels += l.weights->floored.size();
        }
        if (clipped_share(l) > much_clipped)
            to.clipped.push_back({k, percent_text(clipped_share(l), 1)});
        if (l.weights && l.weights->clipped > much_clipped_weights)
            to.clipped.push_back({k, "weights " + percent_text(l.weights->clipped, 1)});
    }
    return to;
}

} // namespace notch::detail

/// @file
/// The picture of a sweep: blocks in their own order and reordered, beside per tensor and per channel.
#include "sweep_plot.hpp"

#include "../report.hpp"
#include "scores.hpp"

#include <array>

namespace tool {

namespace {

/// As XML has it.
[[nodiscard]] std::string escaped(const std::string& text) {
    std::string to;
    for (const char c : text)
        to += c == '&' ? "&amp;" : c == '<' ? "&lt;" : c == '>' ? "&gt;" : std::string(1, c);
    return to;
}

[[nodiscard]] grain::family family_of(const sweep_point& p) {
    if (p.grain == "tensor")
        return grain::family::whole;
    if (p.grain == "channel")
        return grain::family::rows;
    return p.order == "own" ? grain::family::blocks : grain::family::columns;
}

} // namespace

std::string sweep_svg(const std::string& title, const std::string& subtitle, const std::vector<sweep_point>& points) {
    constexpr std::array legend{plot_legend{grain::family::whole, "per tensor", false},
                                plot_legend{grain::family::rows, "per channel", false},
                                plot_legend{grain::family::blocks, "blocks", true},
                                plot_legend{grain::family::columns, "blocks of reordered channels", true}};
    std::vector<plot_point> table;
    for (const sweep_point& p : points)
        table.push_back({family_of(p), p.grain, p.scores.scales, p.scores.sqnr_db,
                         p.scores.top1 ? ", top-1 " + fixed(*p.scores.top1, 2) + " %" : std::string()});
    const std::size_t slash = title.rfind('/');
    return plot_svg("Results against number of scales",
                    escaped(title.substr(slash == std::string::npos ? 0 : slash + 1) + ": " +
                            subtitle.substr(0, subtitle.find(','))),
                    legend, table);
}

} // namespace tool

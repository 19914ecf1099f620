/// @file
/// The SVG picture: SQNR against the number of scales.
#include "report.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <vector>

namespace tool {

namespace {

constexpr double width = 860;
constexpr double height = 540;
constexpr double left = 74;
constexpr double right = width - 40;
constexpr double top = 84;
constexpr double bottom = height - 62;
constexpr double letter = 6.9; // width of one letter of a label, at 12 px
constexpr double line_height = 15;

struct point {
    double x = 0;
    double y = 0;
};

struct box {
    double x0 = 0, y0 = 0, x1 = 0, y1 = 0;

    [[nodiscard]] bool meets(const box& other) const {
        return x0 < other.x1 && other.x0 < x1 && y0 < other.y1 && other.y0 < y1;
    }
};

[[nodiscard]] std::string number(double value) { return number_text(std::round(value * 10) / 10, 6); }

[[nodiscard]] std::string text_at(point at, const char* anchor, const std::string& style, const std::string& text) {
    return "<text x=\"" + number(at.x) + "\" y=\"" + number(at.y) + "\" text-anchor=\"" + anchor + "\" class=\"" +
           style + "\">" + text + "</text>\n";
}

[[nodiscard]] std::string line(point a, point b, const std::string& style) {
    return "<line x1=\"" + number(a.x) + "\" y1=\"" + number(a.y) + "\" x2=\"" + number(b.x) + "\" y2=\"" +
           number(b.y) + "\" class=\"" + style + "\"/>\n";
}

/// The class of a point of a family: a colour, see the style sheet.
[[nodiscard]] const char* style_of(grain::family kind) {
    switch (kind) {
    case grain::family::rows:
        return "rows";
    case grain::family::columns:
        return "columns";
    case grain::family::blocks:
        return "blocks";
    case grain::family::whole:
        break;
    }
    return "whole";
}

/// Maps numbers of scales (logarithmic) and decibels to the picture.
struct axes {
    static constexpr double margin = 0.25; ///< decades to the left of 1, so that the first point stands inside

    double decades = 1; ///< of the horizontal axis, right of 1
    double low = 0;     ///< decibels at the bottom
    double high = 1;    ///< decibels at the top
    double step = 1;    ///< decibels between grid lines

    [[nodiscard]] point at(double scales, double decibels) const {
        return {left + (right - left) * (std::log10(scales) + margin) / (decades + margin),
                bottom - (bottom - top) * (decibels - low) / (high - low)};
    }
};

[[nodiscard]] axes axes_for(std::span<const plot_point> table) {
    axes result;
    double lowest = std::numeric_limits<double>::max();
    double highest = std::numeric_limits<double>::lowest();
    for (const plot_point& m : table) {
        result.decades = std::max(result.decades, std::ceil(std::log10(static_cast<double>(m.scales)) + 0.1));
        if (!std::isfinite(m.sqnr_db))
            continue;
        lowest = std::min(lowest, m.sqnr_db);
        highest = std::max(highest, m.sqnr_db);
    }
    if (lowest > highest)
        lowest = highest = 0;
    for (const double step : {0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 50.0}) {
        result.step = step;
        if ((highest - lowest) / step <= 8)
            break;
    }
    result.low = std::floor((lowest - 0.3 * result.step) / result.step) * result.step;
    result.high = std::ceil((highest + 0.3 * result.step) / result.step) * result.step;
    return result;
}

[[nodiscard]] std::string draw_grid(const axes& scale) {
    std::string text;
    for (double db = scale.low; db < scale.high + scale.step / 2; db += scale.step) {
        const point p{left, scale.at(1, db).y};
        text += line(p, {right, p.y}, "grid") + text_at({p.x - 8, p.y + 4}, "end", "tick", number(db));
    }
    for (double decade = 0; decade < scale.decades + 0.5; ++decade) {
        const double scales = std::pow(10.0, decade);
        const point p = scale.at(scales, scale.low);
        text += line(p, {p.x, top}, "grid") + text_at({p.x, p.y + 18}, "middle", "tick", number_text(scales, 9));
    }
    text += text_at({(left + right) / 2, height - 16}, "middle", "name", "number of scales");
    text += "<text transform=\"translate(20 " + number((top + bottom) / 2) +
            ") rotate(-90)\" text-anchor=\"middle\" class=\"name\">SQNR in dB</text>\n";
    return text;
}

[[nodiscard]] std::string draw_path(std::span<const plot_point> table, const axes& scale, grain::family kind) {
    std::string points;
    for (const plot_point& m : table)
        if (m.kind == kind && std::isfinite(m.sqnr_db)) {
            const point p = scale.at(static_cast<double>(m.scales), m.sqnr_db);
            points += number(p.x) + "," + number(p.y) + " ";
        }
    return "<polyline points=\"" + points + "\" class=\"path " + style_of(kind) + "\"/>\n";
}

/// Finds places for labels where nothing else is.
class label_placer {
public:
    explicit label_placer(std::vector<box> taken) : taken_(std::move(taken)) {}

    /// The text beside a point, at the first free one of 24 places; with a thin line where it is far away.
    [[nodiscard]] std::string place(point at, const std::string& text) {
        const double half = letter * static_cast<double>(text.size()) / 2;
        for (const double distance : {0.0, 16.0, 32.0, 48.0})
            for (const point direction :
                 {point{1, 0}, point{-1, 0}, point{0, -1}, point{0, 1}, point{1, -1}, point{-1, -1}}) {
                const bool sideways = direction.x != 0;
                const double lift = direction.y == 0 ? distance : direction.y * distance; // of a sideways label
                const point middle{at.x + direction.x * (half + 9),
                                   at.y + (sideways ? lift : direction.y * (line_height + distance))};
                const box area{middle.x - half, middle.y - line_height / 2, middle.x + half,
                               middle.y + line_height / 2};
                const point end{middle.x - direction.x * half,
                                middle.y - (sideways ? 0 : direction.y * line_height / 2)};
                const bool is_far = distance > 0;
                if (is_free(area) && (!is_far || is_clear(at, end))) {
                    taken_.push_back(area);
                    return (is_far ? line(at, end, "leader") : std::string()) +
                           text_at({middle.x, middle.y + 4}, "middle", "label", text);
                }
            }
        return {}; // no room: the point keeps its tooltip
    }

private:
    [[nodiscard]] bool is_free(const box& area) const {
        return area.x0 > left && area.x1 < right && area.y0 > top && area.y1 < bottom &&
               std::none_of(taken_.begin(), taken_.end(), [&](const box& other) { return area.meets(other); });
    }

    /// True where a thin line, once it has left its own point, meets nothing.
    [[nodiscard]] bool is_clear(point from, point to) const {
        const double length = std::hypot(to.x - from.x, to.y - from.y);
        for (double along = 10; along < length; along += 1) {
            const double x = from.x + (to.x - from.x) * along / length;
            const double y = from.y + (to.y - from.y) * along / length;
            const box spot{x - 1, y - 1, x + 1, y + 1};
            if (std::any_of(taken_.begin(), taken_.end(), [&](const box& other) { return spot.meets(other); }))
                return false;
        }
        return true;
    }

    std::vector<box> taken_;
};

/// Small boxes along the lines of a family, where no label may stand.
void avoid_path(std::span<const plot_point> table, const axes& scale, grain::family kind, std::vector<box>& taken) {
    const plot_point* before = nullptr;
    for (const plot_point& m : table) {
        if (m.kind != kind || !std::isfinite(m.sqnr_db))
            continue;
        const point to = scale.at(static_cast<double>(m.scales), m.sqnr_db);
        const point from = before ? scale.at(static_cast<double>(before->scales), before->sqnr_db) : to;
        for (int i = 0; i <= 40; ++i) {
            const double x = from.x + (to.x - from.x) * i / 40;
            const double y = from.y + (to.y - from.y) * i / 40;
            const double r = i == 40 ? 6 : 1;
            taken.push_back({x - r, y - r, x + r, y + r});
        }
        before = &m;
    }
}

[[nodiscard]] std::string draw_points(std::span<const plot_point> table, const axes& scale) {
    std::vector<box> taken;
    for (const auto kind : {grain::family::whole, grain::family::rows, grain::family::columns, grain::family::blocks})
        avoid_path(table, scale, kind, taken);
    label_placer labels(std::move(taken));
    std::string text;
    for (const plot_point& m : table) {
        if (!std::isfinite(m.sqnr_db))
            continue;
        const point p = scale.at(static_cast<double>(m.scales), m.sqnr_db);
        text += "<circle cx=\"" + number(p.x) + "\" cy=\"" + number(p.y) + "\" r=\"4.5\" class=\"dot " +
                style_of(m.kind) + "\"><title>" + m.name + ": " + std::to_string(m.scales) + " scales, " +
                number_text(m.sqnr_db, 4) + " dB" + m.remark + "</title></circle>\n";
        text += labels.place(p, m.name);
    }
    return text;
}

[[nodiscard]] std::string draw_legend(std::span<const plot_legend> entries) {
    std::string text;
    double x = left;
    for (const auto& [kind, name, is_path] : entries) {
        text += "<circle cx=\"" + number(x + 5) + "\" cy=\"62\" r=\"4.5\" class=\"dot " + style_of(kind) + "\"/>\n";
        text += text_at({x + 16, 66}, "start", "label", name);
        x += 46 + letter * static_cast<double>(std::string_view(name).size());
    }
    return text;
}

// Plain colours and one override: viewers that do not know media queries show the light picture.
constexpr const char* style_sheet = R"(<style>
text { font-family: system-ui, "DejaVu Sans", sans-serif; fill: #1c1e21; }
.title { font-size: 17px; font-weight: 600; }
.name { font-size: 13px; }
.label { font-size: 12px; }
.tick { font-size: 12px; fill: #5c6370; }
.ground { fill: #ffffff; }
.grid { stroke: #dfe2e6; stroke-width: 1; }
.leader { stroke: #5c6370; stroke-width: 0.8; }
.path { fill: none; stroke-width: 1.8; }
.path.rows { stroke: #0b63c4; }
.path.blocks { stroke: #0f7a3d; }
.path.columns { stroke: #9a4f00; }
.dot.whole { fill: #5c6370; }
.dot.rows { fill: #0b63c4; }
.dot.columns { fill: #9a4f00; }
.dot.blocks { fill: #0f7a3d; }
@media (prefers-color-scheme: dark) {
  text { fill: #eceef1; }
  .tick { fill: #a6adb8; }
  .ground { fill: #16181c; }
  .grid { stroke: #33373e; }
  .leader { stroke: #a6adb8; }
  .path.rows { stroke: #6cb2ff; }
  .path.blocks { stroke: #5fd38d; }
  .path.columns { stroke: #ffb066; }
  .dot.whole { fill: #a6adb8; }
  .dot.rows { fill: #6cb2ff; }
  .dot.columns { fill: #ffb066; }
  .dot.blocks { fill: #5fd38d; }
}
</style>
)";

} // namespace

std::string plot_svg(const std::string& what, const std::string& heading, std::span<const plot_legend> legend,
                     std::span<const plot_point> table) {
    const axes scale = axes_for(table);
    std::string text = "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 " + number(width) + " " +
                       number(height) + "\" role=\"img\">\n<title>" + what + "</title>\n";
    text += style_sheet;
    text += "<rect width=\"" + number(width) + "\" height=\"" + number(height) + "\" class=\"ground\"/>\n";
    text += text_at({left, 34}, "start", "title", heading);
    text += draw_legend(legend) + draw_grid(scale);
    for (const plot_legend& entry : legend)
        if (entry.is_path)
            text += draw_path(table, scale, entry.kind);
    return text + draw_points(table, scale) + "</svg>\n";
}

std::string svg_text(const grains_options& options, std::span<const measurement> table) {
    const char* kind = options.scale == scale_kind::real           ? "real"
                       : options.scale == scale_kind::power_of_two ? "power-of-two"
                                                                   : "fixed-point";
    constexpr std::array legend{plot_legend{grain::family::whole, "one scale", false},
                                plot_legend{grain::family::rows, "output channels and their parts", true},
                                plot_legend{grain::family::columns, "input channels", false},
                                plot_legend{grain::family::blocks, "square blocks of channels", true}};
    std::vector<plot_point> points;
    for (const measurement& m : table)
        points.push_back({m.of.kind, m.of.name, m.scales, m.error.sqnr_db, {}});
    return plot_svg("Granularity of scales: noise against number of scales",
                    "int" + std::to_string(options.bits) + " weights [" + std::to_string(options.rows) + ", " +
                        std::to_string(options.cols) + ", " + std::to_string(options.kernel) + ", " +
                        std::to_string(options.kernel) + "] with " + kind + " scales",
                    legend, points);
}

} // namespace tool

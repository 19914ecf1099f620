/// @file
/// The chart of an HTML report that shows all layers side by side: signal to noise, time, products, sensitivity.
#pragma once

#include <notch/deploy/report_charts.hpp>
#include <notch/deploy/report_format.hpp>
#include <notch/deploy/report_types.hpp>
#include <notch/deploy/report_warnings.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace notch::detail {

/// See above.
class overview_chart {
public:
    explicit overview_chart(const network_report& report) : report_(report) {
        step_ = (right - left) / static_cast<double>(std::max<std::size_t>(report.layers.size(), 1));
    }

    [[nodiscard]] std::string draw() {
        sqnr();
        columns(
            "time", [](const layer_report& l) { return l.seconds; }, [](double x) { return joined(duration(x)); },
            "bar");
        columns(
            "MACs",
            [](const layer_report& l) { return l.macs ? std::optional(static_cast<double>(l.macs)) : std::nullopt; },
            [](double x) { return joined(thousands(x)); }, "bar");
        columns(
            "sensitivity (KL)",
            [](const layer_report& l) {
                return l.sensitivity ? std::optional(l.sensitivity->divergence) : std::nullopt;
            },
            [](double x) { return short_text(x); }, "second");
        numbers();
        return svg(right + 6, y_ + 22, "All layers: signal to noise, time, products and sensitivity", to_ + hits());
    }

private:
    static constexpr double left = 62;
    static constexpr double right = 1112;

    [[nodiscard]] double middle(std::size_t k) const noexcept { return left + step_ * (static_cast<double>(k) + 0.5); }
    [[nodiscard]] static std::optional<double> finite(std::optional<double> x) noexcept {
        return x && std::isfinite(*x) ? x : std::nullopt;
    }
    [[nodiscard]] static std::optional<double> result_db(const layer_report& l) {
        return finite(l.error ? std::optional(l.error->sqnr_db) : std::nullopt);
    }
    [[nodiscard]] static std::optional<double> weight_db(const layer_report& l) {
        return finite(l.weights ? std::optional(l.weights->error.sqnr_db) : std::nullopt);
    }
    /// Results as a line, weights as rings.
    void sqnr() {
        double low = 0;
        double high = 20;
        for (const layer_report& l : report_.layers)
            for (const std::optional<double> db : {result_db(l), weight_db(l)})
                if (db) {
                    low = std::min(low, *db);
                    high = std::max(high, *db);
                }
        low = std::floor(low / 10) * 10;
        high = std::ceil(high / 10) * 10;
        const double bottom = top + 176;
        const auto y = [&](double db) { return bottom - (db - low) / (high - low) * (bottom - top); };
        for (double db = low; db <= high; db += 10)
            to_ += svg_line(db == poor_sqnr_db ? "limit" : "grid", left, y(db), right, y(db)) +
                   svg_text(left - 8, y(db) + 4, "end",
                            (db < 0 ? "&minus;" : "") + fixed_text(std::abs(db), 0) + (db == high ? "&nbsp;dB" : ""));
        std::string path;
        std::string dots;
        for (std::size_t k = 0; k < report_.layers.size(); ++k) {
            if (const auto db = weight_db(report_.layers[k]))
                to_ += circle("ring", middle(k), y(*db), 3.5);
            if (const auto db = result_db(report_.layers[k])) {
                path += (path.empty() ? "M" : "L") + at(middle(k)) + ' ' + at(y(*db));
                dots += circle("dot", middle(k), y(*db), 4);
            }
        }
        if (!path.empty())
            to_ += "<path class=\"line\" d=\"" + path + "\"/>" + dots;
        y_ = bottom;
    }
    [[nodiscard]] static std::string circle(const char* style, double x, double y, double radius) {
        return "<circle class=\"" + std::string(style) + "\" cx=\"" + at(x) + "\" cy=\"" + at(y) + "\" r=\"" +
               at(radius) + "\"/>";
    }
    /// A row of columns, where any layer has the number.
    void columns(const char* name, const std::function<std::optional<double>(const layer_report&)>& number,
                 const std::function<std::string(double)>& text, const char* style) {
        double most = 0;
        for (const layer_report& l : report_.layers)
            most = std::max(most, finite(number(l)).value_or(0));
        if (most <= 0)
            return;
        const double bottom = y_ + 74;
        to_ += svg_text(left, y_ + 22, "start", std::string(name) + ", at most " + text(most), "strong");
        for (std::size_t k = 0; k < report_.layers.size(); ++k)
            if (const auto x = finite(number(report_.layers[k]))) {
                const double height = std::max(*x / most * 44, 0.7);
                const double width = std::min(step_ * 0.62, 26.0);
                to_ += svg_rect(style, middle(k) - width / 2, bottom - height, width, height);
            }
        to_ += svg_line("axis", left, bottom, right, bottom);
        y_ = bottom;
    }
    void numbers() {
        const std::size_t every = step_ >= 22   ? 1
                                  : step_ >= 11 ? 2
                                                : static_cast<std::size_t>(std::ceil(110 / step_ / 5)) * 5;
        for (std::size_t k = 0; k < report_.layers.size(); ++k)
            if (every == 1 || (k + 1) % every == 0)
                to_ += svg_text(middle(k), y_ + 16, "middle", std::to_string(k + 1));
    }
    /// What the pointer finds over each layer: a link to it, and its numbers.
    [[nodiscard]] std::string hits() const {
        std::string to;
        for (std::size_t k = 0; k < report_.layers.size(); ++k) {
            const layer_report& l = report_.layers[k];
            std::string title = std::to_string(k + 1) + " " + html_text(l.name);
            title += l.error ? ", result " + decibel_text(l.error->sqnr_db) : "";
            title += l.weights ? ", weights " + decibel_text(l.weights->error.sqnr_db) : "";
            title += l.seconds ? ", " + joined(duration(*l.seconds)) : "";
            to += "<a href=\"#layer-" + std::to_string(k + 1) + "\">" +
                  svg_rect("hit", left + step_ * static_cast<double>(k), top, step_, y_ - top + 20, title) + "</a>";
        }
        return to;
    }

    static constexpr double top = 12;
    const network_report& report_;
    double step_ = 1;
    double y_ = 0;
    std::string to_{};
};

} // namespace notch::detail

/// @file
/// Layers of an HTML report: the row of the table and the panel with charts.
#pragma once

#include <notch/deploy/report_charts.hpp>
#include <notch/deploy/report_format.hpp>
#include <notch/deploy/report_types.hpp>
#include <notch/deploy/report_warnings.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <optional>
#include <string>

namespace notch::detail {

/// Largest numbers of all layers, which bars are drawn against.
struct report_scale {
    double macs = 0;
    double seconds = 0;
    double divergence = 0;
    bool has_seconds = false;
    bool has_errors = false;
    bool has_sensitivity = false;
};
[[nodiscard]] inline report_scale scale_of(const network_report& report) noexcept {
    report_scale to;
    for (const layer_report& l : report.layers) {
        to.macs = std::max(to.macs, static_cast<double>(l.macs));
        to.seconds = std::max(to.seconds, l.seconds.value_or(0));
        to.divergence = std::max(to.divergence, l.sensitivity ? l.sensitivity->divergence : 0);
        to.has_seconds = to.has_seconds || l.seconds;
        to.has_errors = to.has_errors || l.error;
        to.has_sensitivity = to.has_sensitivity || l.sensitivity;
    }
    return to;
}

/// "Conv 3x3 / 2 + Relu".
[[nodiscard]] inline std::string operator_text(const layer_report& l) {
    std::string to = html_text(l.op + (l.window.empty() ? "" : " " + l.window));
    for (const std::string& name : l.fused)
        to += " + " + html_text(name);
    return to;
}

/// A cell with a number and a bar of some share under it.
[[nodiscard]] inline std::string bar_cell(double number, const std::string& text, double share,
                                          const char* style = "") {
    const std::string width = fixed_text(100 * std::clamp(std::isfinite(share) ? share : 1.0, 0.0, 1.0), 1);
    return "<td data-v=\"" +
           (std::isfinite(number) ? exact_text(number) : std::string(number > 0 ? "1e308" : "-1e308")) + "\">" + text +
           "<span class=\"rail\"><i class=\"" + style + "\" style=\"width:" + width + "%\"></i></span></td>";
}
/// A cell with nothing in it.
[[nodiscard]] inline std::string no_cell() { return "<td class=\"none\" data-v=\"\">&ndash;</td>"; }
/// A cell with an SQNR; bars end at 50 dB.
[[nodiscard]] inline std::string error_cell(const std::optional<report_error>& error) {
    if (!error)
        return no_cell();
    return bar_cell(error->sqnr_db, decibel_text(error->sqnr_db), error->sqnr_db / 50, is_poor(*error) ? "b" : "");
}

/// The row of a layer.
[[nodiscard]] inline std::string layer_row(const layer_report& l, std::size_t number, const report_scale& scale) {
    const std::string n = std::to_string(number);
    std::string to = "<tr><td class=\"n\" data-v=\"" + n + "\">" + n + "</td><td class=\"name\"><a href=\"#layer-" + n +
                     "\" title=\"" + html_text(l.name) + "\">" + html_name(l.name) + "</a><span>" + operator_text(l) +
                     "</span></td>";
    to += "<td data-v=\"" + std::to_string(l.output.empty() ? 0 : l.output[0]) + "\">" + shape_text(l.output) + "</td>";
    to += l.weights
              ? "<td data-v=\"" + std::to_string(l.weights->bits) + "\">" + std::to_string(l.weights->bits) + "</td>"
              : no_cell();
    to += l.codes ? "<td data-v=\"" + std::to_string(l.codes->bits) + "\">" + std::to_string(l.codes->bits) + "</td>"
          : l.weights ? std::string("<td data-v=\"32\">real</td>")
                      : no_cell();
    to += l.weights ? "<td data-v=\"" + std::to_string(l.weights->bytes) + "\">" +
                          joined(byte_size(static_cast<double>(l.weights->bytes))) + "</td>"
                    : no_cell();
    const auto macs = static_cast<double>(l.macs);
    to += l.macs != 0 ? bar_cell(macs, joined(thousands(macs)), macs / scale.macs) : no_cell();
    if (scale.has_seconds)
        to += l.seconds ? bar_cell(*l.seconds, joined(duration(*l.seconds)), *l.seconds / scale.seconds) : no_cell();
    to += error_cell(l.weights ? std::optional(l.weights->error) : std::nullopt);
    if (scale.has_errors)
        to += error_cell(l.error);
    if (scale.has_sensitivity)
        to += l.sensitivity ? bar_cell(l.sensitivity->divergence, power_of_ten_text(l.sensitivity->divergence),
                                       scale.divergence > 0 ? l.sensitivity->divergence / scale.divergence : 0, "o")
                            : no_cell();
    return to + "</tr>\n";
}

/// The panel of a layer.
class layer_panel {
public:
    layer_panel(const layer_report& l, std::size_t number) : l_(l), n_(std::to_string(number)) {}

    [[nodiscard]] std::string draw(bool open) const {
        std::string to = "<details class=\"layer card\"" + std::string(open ? " open" : "") + "><summary><b>" + n_ +
                         "&ensp;" + html_name(l_.name) + "</b><span class=\"op\">" + operator_text(l_) + "</span>" +
                         badges() + "<span class=\"end\">" + (l_.error ? decibel_text(l_.error->sqnr_db) : "") +
                         "</span></summary>\n<div class=\"body\" id=\"layer-" + n_ + "\">";
        const std::string charts = result_chart() + weight_chart() + scales();
        if (!charts.empty())
            to += "<div class=\"charts\">" + charts + "</div>";
        to += facts();
        if (!l_.kernel.empty())
            to += "<pre>" + html_text(l_.kernel) + "</pre>";
        return to + "</div></details>\n";
    }

private:
    [[nodiscard]] std::string badges() const {
        std::string to;
        if (l_.error && is_poor(*l_.error))
            to += "<span class=\"badge b\">noisy</span>";
        if (l_.weights && !l_.weights->floored.empty())
            to += "<span class=\"badge\">" + std::to_string(l_.weights->floored.size()) + " floored</span>";
        if (clipped_share(l_) > much_clipped || (l_.weights && l_.weights->clipped > much_clipped_weights))
            to += "<span class=\"badge\">clipped</span>";
        return to;
    }
    [[nodiscard]] static std::string figure(const std::string& head, const std::string& caption,
                                            const std::string& chart) {
        return "<figure><h3>" + head + "</h3><figcaption>" + caption + "</figcaption>" + chart + "</figure>";
    }
    [[nodiscard]] static std::string zeros(const report_histogram& bars) {
        return bars.zeros == 0
                   ? std::string()
                   : ", " + percent_text(static_cast<double>(bars.zeros) / static_cast<double>(bars.count), 1) +
                         " zeros not drawn";
    }
    [[nodiscard]] std::string result_chart() const {
        if (!l_.activations || l_.activations->width <= 0)
            return {};
        if (!l_.codes)
            return figure("Result", "stays real" + zeros(*l_.activations),
                          histogram_chart(*l_.activations, nullptr).draw("Histogram of the result"));
        const shaded_codes range{l_.codes->lowest, l_.codes->highest, l_.codes->scale};
        const double clipped = l_.codes->clipped_below + l_.codes->clipped_above;
        return figure(
            "Result in " + std::to_string(l_.codes->bits) + " bits",
            (clipped > 0 ? percent_text(clipped) + " clipped" : std::string("nothing clipped")) +
                zeros(*l_.activations),
            histogram_chart(*l_.activations, &range).draw("Histogram of the result and the range of its codes"));
    }
    [[nodiscard]] std::string weight_chart() const {
        if (!l_.weights || l_.weights->steps.width <= 0)
            return {};
        const double half = std::exp2(l_.weights->bits - 1);
        const shaded_codes range{-half, half - 1, 1};
        return figure(
            "Weights in " + std::to_string(l_.weights->bits) + " bits",
            "divided by their scales; " +
                (l_.weights->clipped > 0 ? percent_text(l_.weights->clipped) + " clipped"
                                         : std::string("nothing clipped")) +
                zeros(l_.weights->steps),
            histogram_chart(l_.weights->steps, &range).draw("Histogram of weights and the range of their codes"));
    }
    [[nodiscard]] std::string scales() const {
        if (!l_.weights)
            return {};
        const weight_report& w = *l_.weights;
        const scale_chart chart(w);
        if (!chart.is_chart())
            return {};
        std::string caption = std::to_string(w.scales.size()) + ", grain " + html_text(w.grain) + ", " +
                              scale_text(w.least_scale) + " to " + scale_text(w.largest_scale);
        if (!l_.weights->floored.empty())
            caption +=
                "; <span class=\"warn\">" + std::to_string(l_.weights->floored.size()) + " raised for the bias</span>";
        return figure("Scales of weights", caption, chart.draw("Scales of weights"));
    }
    [[nodiscard]] std::string scale_text(double scale) const {
        return l_.weights && l_.weights->exponents.empty()
                   ? power_of_ten_text(scale)
                   : power_text(static_cast<int>(std::lround(std::log2(scale))));
    }
    [[nodiscard]] static std::string fact(const char* name, const std::string& value) {
        return "<div><dt>" + std::string(name) + "</dt><dd>" + value + "</dd></div>";
    }
    [[nodiscard]] static std::string error_text(const report_error& error) {
        return decibel_text(error.sqnr_db) + ", cosine " + fixed_text(error.cosine, error.cosine > 0.999 ? 6 : 4);
    }
    [[nodiscard]] std::string facts() const {
        std::string to = "<dl>" + fact("Shape", shape_text(l_.input) + " &rarr; " + shape_text(l_.output));
        if (l_.macs != 0)
            to += fact("Products", joined(thousands(static_cast<double>(l_.macs))));
        if (l_.weights) {
            const weight_report& w = *l_.weights;
            to += fact("Parameters", joined(thousands(static_cast<double>(l_.parameters))) + " in " +
                                         joined(byte_size(static_cast<double>(w.bytes))));
            to += fact("Weights", std::to_string(w.bits) + " bits, " + html_text(w.grain) + ", " +
                                      (w.scales.size() == 1 ? "scale " + scale_text(w.least_scale)
                                                            : std::to_string(w.scales.size()) + " scales" +
                                                                  (w.least_scale == w.largest_scale
                                                                       ? ", all " + scale_text(w.least_scale)
                                                                       : std::string())));
            to += fact("SQNR of weights", error_text(w.error));
        }
        if (l_.codes) {
            const tensor_report& c = *l_.codes;
            to += fact("Codes of the result", std::to_string(c.lowest_code) + " to " + std::to_string(c.highest_code) +
                                                  ", zero at " + std::to_string(c.zero_point) +
                                                  (l_.keeps_codes ? ", those of the input" : ""));
            to += fact("Scale of the result", c.exponent
                                                  ? power_text(*c.exponent) + ", " + power_of_ten_text(c.lowest) +
                                                        " to " + power_of_ten_text(c.highest)
                                                  : power_of_ten_text(c.scale) + ", " + power_of_ten_text(c.lowest) +
                                                        " to " + power_of_ten_text(c.highest));
        }
        if (l_.error)
            to += fact("SQNR of the result", error_text(*l_.error));
        if (l_.sensitivity)
            to += fact("Quantized alone", "KL " + power_of_ten_text(l_.sensitivity->divergence) + ", same top-1 " +
                                              percent_text(l_.sensitivity->agreement, 1));
        if (l_.seconds)
            to += fact("Time",
                       joined(duration(*l_.seconds)) + (l_.share ? ", " + percent_text(*l_.share, 1) : "") +
                           (l_.macs != 0 && *l_.seconds > 0
                                ? ", " + short_text(static_cast<double>(l_.macs) / *l_.seconds * 1e-9) + "&nbsp;GMAC/s"
                                : ""));
        return to + "</dl>";
    }

    const layer_report& l_;
    std::string n_;
};

} // namespace notch::detail

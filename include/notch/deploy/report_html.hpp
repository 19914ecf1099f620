/// @file
/// to_html: a report as one HTML file that loads nothing: charts are inline SVG, colours follow the reader's scheme,
/// the only script sorts the table. It is readable without it, on paper and on a telephone.
///
/// Names of networks and layers, and all texts of the caller, are escaped: a hostile model cannot put markup into it.
/// A network of 100 layers takes about 1.5 MB, most of it histograms.
#pragma once

#include <notch/deploy/report_format.hpp>
#include <notch/deploy/report_html_layers.hpp>
#include <notch/deploy/report_overview.hpp>
#include <notch/deploy/report_style.hpp>
#include <notch/deploy/report_types.hpp>
#include <notch/deploy/report_warnings.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace notch {
namespace detail {

/// Writes one report.
class report_page {
public:
    explicit report_page(const network_report& report)
        : report_(report), warnings_(warnings_of(report)), scale_(scale_of(report)) {}

    [[nodiscard]] std::string write() {
        const std::string name = report_.name.empty() ? "network" : html_text(report_.name);
        to_ = "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" "
              "content=\"width=device-width,initial-scale=1\"><title>" +
              name + "</title><style>";
        for (const std::string_view part : {report_colours, report_layout, report_table_style, report_chart_style})
            to_ += part;
        to_ += "</style></head>\n<body><main>\n";
        head();
        tiles();
        warnings();
        overview();
        table();
        panels();
        to_ +=
            "<footer>Written by notch. SQNR is 10 log<sub>10</sub>(sum x&sup2; / sum (x &minus; y)&sup2;). Histograms "
            "are those of the calibration; heights are logarithms of counts.</footer>\n</main><script>";
        to_ += report_script;
        return to_ + "</script></body></html>\n";
    }

private:
    void chip(const std::string& name, const std::string& value) {
        to_ += "<li class=\"chip\">" + name + " <b>" + value + "</b></li>";
    }
    void head() {
        const report_settings& s = report_.settings;
        to_ += "<header><p class=\"eyebrow\">Quantization report" +
               (report_.machine.empty() ? std::string() : " &middot; " + html_text(report_.machine)) + "</p><h1>" +
               html_name(report_.name) + "</h1><ul class=\"chips\">";
        chip("weights", std::to_string(s.weight_bits) + " bits");
        chip("activations", std::to_string(s.activation_bits) + " bits");
        if (s.first_last_bits != 0 && (s.first_last_bits != s.weight_bits || s.first_last_bits != s.activation_bits))
            chip("first and last", std::to_string(s.first_last_bits) + " bits");
        chip("grain", html_text(s.grain));
        chip("scales", s.scales == "pot" ? std::string("powers of two") : html_text(s.scales));
        chip("observer", html_text(s.observer));
        chip("weight scales", s.fit == "leastsquares" ? std::string("least squares") : html_text(s.fit));
        if (!s.method.empty())
            chip("method", html_text(s.method));
        chip("calibration", std::to_string(s.calibration_images) + " images");
        if (s.seed)
            chip("seed", std::to_string(*s.seed));
        to_ += "</ul></header>\n";
    }

    void tile(const std::string& name, const scaled_text& value, const std::string& lines, const char* style = "") {
        to_ += "<div class=\"tile\"><div class=\"k\">" + name + "</div><div class=\"v " + style + "\">" + value.number +
               (value.unit.empty() ? std::string() : "<small>" + value.unit + "</small>") + "</div>" + lines + "</div>";
    }
    [[nodiscard]] static std::string line(const std::string& text) { return "<div class=\"s\">" + text + "</div>"; }
    /// Two bars: the reference, and what became of it.
    [[nodiscard]] static std::string pair(double reference, double now) {
        const double most = std::max(reference, now);
        const auto bar = [&](const char* style, double x) {
            return "<i class=\"" + std::string(style) + "\" style=\"width:" + fixed_text(100 * x / most, 1) +
                   "%\"></i>";
        };
        return most > 0 ? "<div class=\"pair\">" + bar("ref", reference) + bar("", now) + "</div>" : std::string();
    }
    [[nodiscard]] static std::string times(double ratio) { return short_text(ratio) + "&times;"; }

    void tiles() {
        const report_totals& t = report_.totals;
        to_ += "<section class=\"tiles\">";
        accuracy_tiles();
        const auto packed = static_cast<double>(t.packed_bytes);
        const auto floats = static_cast<double>(t.float_bytes);
        tile("Weights", byte_size(packed),
             pair(floats, packed) + line(joined(byte_size(floats)) + " as floats" +
                                         (packed > 0 ? ", " + times(floats / packed) + " smaller" : "")));
        if (t.seconds) {
            std::string lines;
            if (t.float_seconds && *t.seconds > 0)
                lines =
                    pair(*t.float_seconds, *t.seconds) +
                    line(joined(duration(*t.float_seconds)) + " in floats, " + times(*t.float_seconds / *t.seconds) +
                         (*t.float_seconds >= *t.seconds ? " faster" : " as fast"));
            tile("Time per image", duration(*t.seconds), lines);
        }
        std::string lines = line(joined(thousands(static_cast<double>(t.parameters))) + " parameters, " +
                                 std::to_string(t.layers) + " layers");
        if (t.arena_bytes)
            lines += line(joined(byte_size(static_cast<double>(*t.arena_bytes))) + " of tensors at a time");
        tile("Products per image", thousands(static_cast<double>(t.macs)), lines);
        mismatch_tile();
        to_ += "</section>\n";
    }
    void accuracy_tiles() {
        const report_accuracy& a = report_.accuracy;
        const std::optional<double> top1 = a.top1_integer ? a.top1_integer : a.top1_simulated;
        const std::string images = a.images ? line("on " + std::to_string(*a.images) + " images") : std::string();
        if (top1) {
            std::string lines;
            if (a.top1_float) {
                const double lost = 100 * (*top1 - *a.top1_float);
                lines = line(percent_text(*a.top1_float) + " in floats, " + (lost < 0 ? "&minus;" : "+") +
                             fixed_text(std::abs(lost), 2) + "&nbsp;points");
            }
            if (a.agreement)
                lines += line(percent_text(*a.agreement, 1) + " same top-1 as floats");
            tile(a.top1_integer ? "Top-1, in integers" : "Top-1, simulated", {fixed_text(100 * *top1, 2), "%"},
                 lines + images);
        } else if (a.agreement)
            tile("Same top-1 as floats", {fixed_text(100 * *a.agreement, 2), "%"}, images);
        if (a.logits_sqnr_db) {
            const bool poor = !(*a.logits_sqnr_db >= poor_sqnr_db);
            tile("SQNR of the result",
                 {std::isinf(*a.logits_sqnr_db) ? short_text(*a.logits_sqnr_db) : fixed_text(*a.logits_sqnr_db, 1),
                  "dB"},
                 line("noise of " + percent_text(std::pow(10, -*a.logits_sqnr_db / 20), 1) + " of its amplitude"),
                 poor ? "bad" : "");
        }
    }
    void mismatch_tile() {
        const report_accuracy& a = report_.accuracy;
        if (!a.mismatched_codes)
            return;
        const std::string of = a.compared_codes
                                   ? " of " + joined(thousands(static_cast<double>(*a.compared_codes))) + " codes"
                                   : std::string();
        tile("Mismatched codes", {std::to_string(*a.mismatched_codes), ""},
             line(*a.mismatched_codes == 0
                      ? "integers equal the simulation" + (of.empty() ? std::string() : ": none" + of)
                      : "integers differ from the simulation" + of),
             *a.mismatched_codes == 0 ? "good" : "bad");
    }

    void findings(const char* style, const std::string& head, const std::string& text,
                  const std::vector<report_finding>& all) {
        to_ += "<div class=\"alert " + std::string(style) + "\"><h3>" + head + "</h3><p>" + text +
               "</p><div class=\"chips\">";
        for (const report_finding& f : all)
            to_ += "<a class=\"chip\" href=\"#layer-" + std::to_string(f.layer + 1) + "\">" +
                   html_name(report_.layers[f.layer].name) + " <b>" + f.words + "</b></a>";
        to_ += "</div></div>\n";
    }
    void warnings() {
        const report_warnings& w = warnings_;
        const bool differs = report_.accuracy.mismatched_codes.value_or(0) != 0;
        to_ += "<section><h2>Warnings</h2>\n";
        if (differs)
            findings("bad", "The integer program is not what was simulated",
                     std::to_string(*report_.accuracy.mismatched_codes) + " codes differ. None should, on any machine.",
                     {});
        if (!w.noise.empty())
            findings("bad", "Below 10 dB",
                     "Results, or weights, in which noise has more than a tenth of the power of the signal.", w.noise);
        if (!w.clipped.empty())
            findings("", "Clipped",
                     "More than 1&nbsp;% of the values of a result, or 5&nbsp;% of weights, lie beyond the largest or "
                     "smallest code.",
                     w.clipped);
        if (!w.floored.empty())
            findings("",
                     std::to_string(w.floored_channels) + (w.floored_channels == 1 ? " channel" : " channels") +
                         " with a raised scale",
                     "Their weights are so small that the bias would not fit the scale of the sums; the scale was "
                     "raised until "
                     "it did. Harmless where the channel is dead, as after weight decay.",
                     w.floored);
        if (!differs && w.noise.empty() && w.clipped.empty() && w.floored.empty())
            to_ += "<div class=\"alert good\"><h3>None</h3><p>No layer below 10 dB, no range that clips more than "
                   "1&nbsp;%, no "
                   "channel whose scale had to be raised.</p></div>\n";
        to_ += "</section>\n";
    }

    void overview() {
        if (report_.layers.empty())
            return;
        to_ += "<section><h2>Through the network</h2><p class=\"note\">Every layer from the input on the left to the "
               "result on "
               "the right. The line falls where noise of all layers so far adds up.</p><div class=\"card overview\">"
               "<div class=\"legend\"><span><i></i>SQNR of results</span><span><i class=\"ring2\"></i>SQNR of weights"
               "</span><span><i class=\"dash\"></i>10 dB</span></div><div class=\"scroll\">";
        to_ += overview_chart(report_).draw() + "</div></div></section>\n";
    }
    void table() {
        to_ +=
            "<section><h2>Layers</h2><p class=\"note\">A layer is what runs as one step, with what was fused into it. ";
        if (scale_.has_sensitivity)
            to_ += "Sensitivity is the divergence of the softmax when this layer alone is quantized. ";
        to_ +=
            "A click on a head sorts.</p><div class=\"card scroll\"><table class=\"layers\"><thead><tr><th>#</th>"
            "<th "
            "class=\"name\">Layer</th><th>Result</th><th>W<br><small>bits</small></th><th>A<br><small>bits</small></th>"
            "<th>Bytes</th><th>MACs</th>";
        to_ += scale_.has_seconds ? "<th>Time</th>" : "";
        to_ += "<th>Weights<br><small>SQNR</small></th>";
        to_ += scale_.has_errors ? "<th>Result<br><small>SQNR</small></th>" : "";
        to_ += scale_.has_sensitivity ? "<th>Sensitivity<br><small>KL, alone</small></th>" : "";
        to_ += "</tr></thead><tbody>\n";
        for (std::size_t k = 0; k < report_.layers.size(); ++k)
            to_ += layer_row(report_.layers[k], k + 1, scale_);
        to_ += "</tbody></table></div></section>\n";
    }
    void panels() {
        to_ += "<section><h2>In detail</h2><p class=\"note\">Shaded: what the codes reach. Red: what lies beyond and "
               "is clipped. "
               "Small marks: the codes, where there are few.</p>\n";
        bool open = true;
        for (std::size_t k = 0; k < report_.layers.size(); ++k) {
            const bool shown = open && report_.layers[k].weights && (k != 0 || report_.layers.size() == 1);
            to_ += layer_panel(report_.layers[k], k + 1).draw(shown);
            open = open && !shown;
        }
        to_ += "</section>\n";
    }

    const network_report& report_;
    report_warnings warnings_;
    report_scale scale_;
    std::string to_{};
};

} // namespace detail

/// A report as one HTML file, see above.
[[nodiscard]] inline std::string to_html(const network_report& report) { return detail::report_page(report).write(); }

} // namespace notch

/// @file
/// to_json: a report as JSON, in UTF-8, everything that deploy/report_types.hpp has under the same names.
///
/// What is missing, NaN and infinity are null: an SQNR of null beside a cosine of 1 says that nothing was lost. Doubles
/// are written with as many digits as it takes to read the same number back. Bytes of names that are no UTF-8 become
/// U+FFFD.
#pragma once

#include <notch/deploy/report_text.hpp>
#include <notch/deploy/report_types.hpp>

#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace notch {
namespace detail {

/// Writes one report.
class report_json {
public:
    [[nodiscard]] std::string write(const network_report& report) {
        json_.object("", [&] {
            json_.member("format", "notch report");
            json_.member("version", 1);
            json_.member("name", report.name);
            json_.member("machine", report.machine);
            write(report.settings);
            write(report.totals);
            write(report.accuracy);
            json_.array("layers", [&] {
                for (const layer_report& layer : report.layers)
                    json_.object("", [&] { write(layer); });
            });
        });
        return std::move(json_).take();
    }

private:
    void write(const report_settings& from) {
        json_.object("settings", [&] {
            json_.member("weight_bits", from.weight_bits);
            json_.member("activation_bits", from.activation_bits);
            json_.member("first_last_bits", from.first_last_bits);
            json_.member("grain", from.grain);
            json_.member("scales", from.scales);
            json_.member("observer", from.observer);
            json_.member("fit", from.fit);
            json_.member("method", from.method);
            json_.member("calibration_images", from.calibration_images);
            json_.member("seed", from.seed);
        });
    }
    void write(const report_totals& from) {
        json_.object("totals", [&] {
            json_.member("layers", from.layers);
            json_.member("macs", from.macs);
            json_.member("parameters", from.parameters);
            json_.member("float_bytes", from.float_bytes);
            json_.member("packed_bytes", from.packed_bytes);
            json_.member("arena_bytes", from.arena_bytes);
            json_.member("seconds", from.seconds);
            json_.member("float_seconds", from.float_seconds);
        });
    }
    void write(const report_accuracy& from) {
        json_.object("accuracy", [&] {
            json_.member("top1_float", from.top1_float);
            json_.member("top1_simulated", from.top1_simulated);
            json_.member("top1_integer", from.top1_integer);
            json_.member("agreement", from.agreement);
            json_.member("logits_sqnr_db", from.logits_sqnr_db);
            json_.member("images", from.images);
            json_.member("compared_codes", from.compared_codes);
            json_.member("mismatched_codes", from.mismatched_codes);
        });
    }
    void write(const layer_report& from) {
        json_.member("name", from.name);
        json_.member("op", from.op);
        json_.member("fused", from.fused);
        json_.member("window", from.window);
        json_.member("input", from.input);
        json_.member("output", from.output);
        json_.member("macs", from.macs);
        json_.member("parameters", from.parameters);
        json_.member("seconds", from.seconds);
        json_.member("share", from.share);
        json_.member("kernel", from.kernel);
        json_.member("keeps_codes", from.keeps_codes);
        optional("weights", from.weights);
        optional("codes", from.codes);
        optional("activations", from.activations);
        optional("error", from.error);
        optional("sensitivity", from.sensitivity);
    }
    template <class T> void optional(std::string_view name, const std::optional<T>& from) {
        if (from)
            json_.object(name, [&] { write(*from); });
        else
            json_.member(name, std::optional<int>());
    }
    void write(const weight_report& from) {
        json_.member("bits", from.bits);
        json_.member("grain", from.grain);
        json_.member("shape", from.shape);
        json_.member("bytes", from.bytes);
        json_.member("rows", from.rows);
        json_.member("columns", from.columns);
        json_.member("block_outputs", from.block_outputs);
        json_.member("scales", from.scales);
        json_.member("exponents", from.exponents);
        json_.member("least_scale", from.least_scale);
        json_.member("largest_scale", from.largest_scale);
        json_.member("floored", from.floored);
        json_.member("clipped", from.clipped);
        json_.object("error", [&] { write(from.error); });
        json_.object("values", [&] { write(from.values); });
        json_.object("steps", [&] { write(from.steps); });
    }
    void write(const tensor_report& from) {
        json_.member("bits", from.bits);
        json_.member("scale", from.scale);
        json_.member("exponent", from.exponent);
        json_.member("zero_point", from.zero_point);
        json_.member("lowest_code", from.lowest_code);
        json_.member("highest_code", from.highest_code);
        json_.member("lowest", from.lowest);
        json_.member("highest", from.highest);
        json_.member("clipped_below", from.clipped_below);
        json_.member("clipped_above", from.clipped_above);
    }
    void write(const report_histogram& from) {
        json_.member("first", from.first);
        json_.member("width", from.width);
        json_.member("counts", from.counts);
        json_.member("zeros", from.zeros);
        json_.member("count", from.count);
        json_.member("min", from.min);
        json_.member("max", from.max);
    }
    void write(const report_error& from) {
        json_.member("sqnr_db", from.sqnr_db);
        json_.member("cosine", from.cosine);
    }
    void write(const sensitivity_report& from) {
        json_.member("divergence", from.divergence);
        json_.member("agreement", from.agreement);
    }

    json_writer json_;
};

} // namespace detail

/// A report as JSON, see above.
[[nodiscard]] inline std::string to_json(const network_report& report) { return detail::report_json().write(report); }

} // namespace notch

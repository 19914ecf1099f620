#include "report.hpp"

#include <cmath>
#include <cstdio>
#include <notch/io/file_bytes.hpp>
#include <span>
#include <stdexcept>
#include <string>

namespace tool {

namespace {

template <class... Values> [[nodiscard]] std::string format(const char* pattern, Values... values) {
    char line[256];
    std::snprintf(line, sizeof line, pattern, values...);
    return line;
}

[[nodiscard]] std::string json_number(double value) {
    return std::isfinite(value) ? number_text(value, 9) : std::string("null");
}

} // namespace

std::string number_text(double value, int digits) { return format("%.*g", digits, value); }

std::string table_text(const grains_options& options, std::span<const measurement> table) {
    std::string text =
        format("weights [%zu, %zu, %zu, %zu], %d bits, %s scales, seed %llu\n", options.rows, options.cols,
               options.kernel, options.kernel, options.bits, std::string(name_of(options.scale)).c_str(),
               static_cast<unsigned long long>(options.seed));
    text += "scale of least square error among: " + search_of(options.scale) + "\n\n";
    text += format("%-18s %9s %13s %11s %8s %9s %11s\n", "grain", "scales", "scale bits/w", "MSE", "SQNR dB", "cosine",
                   "largest");
    for (const measurement& m : table)
        text += format("%-18s %9zu %13.5f %11.4g %8.2f %9.6f %11.4g\n", m.of.name.c_str(), m.scales, m.bits_per_weight,
                       m.error.mean_square, m.error.sqnr_db, m.error.cosine, m.error.largest);
    return text;
}

std::string json_text(const grains_options& options, std::span<const measurement> table) {
    std::string text =
        format("{\"rows\": %zu, \"cols\": %zu, \"kernel\": %zu, \"bits\": %d, \"scale\": \"%s\", "
               "\"seed\": %llu, \"search\": \"%s\", \"grains\": [",
               options.rows, options.cols, options.kernel, options.bits, std::string(name_of(options.scale)).c_str(),
               static_cast<unsigned long long>(options.seed), search_of(options.scale).c_str());
    for (std::size_t i = 0; i < table.size(); ++i) {
        const measurement& m = table[i];
        text += i == 0 ? "\n" : ",\n";
        text += "  {\"grain\": \"" + m.of.name + "\", \"out\": " + std::to_string(m.of.out) +
                ", \"in\": " + std::to_string(m.of.in) + ", \"scales\": " + std::to_string(m.scales) +
                ", \"scale_bits_per_weight\": " + json_number(m.bits_per_weight) +
                ", \"mse\": " + json_number(m.error.mean_square) + ", \"sqnr_db\": " + json_number(m.error.sqnr_db) +
                ", \"cosine\": " + json_number(m.error.cosine) + ", \"largest\": " + json_number(m.error.largest) + "}";
    }
    return text + "\n]}\n";
}

void write_file(const std::string& path, const std::string& text) {
    const std::string reason = notch::detail::try_write_file(path, std::as_bytes(std::span(text)));
    if (!reason.empty())
        throw std::runtime_error("cannot write '" + path + "': " + reason);
}

} // namespace tool

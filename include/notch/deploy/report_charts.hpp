/// @file
/// Charts of an HTML report as inline SVG: histograms with the range of codes, scales of weights.
///
/// Colours are classes of report_style.hpp. Counts are drawn by their logarithm, because clipping happens in thin
/// tails.
#pragma once

#include <notch/core/int_math.hpp>
#include <notch/deploy/report_format.hpp>
#include <notch/deploy/report_types.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace notch::detail {

/// Extents of charts of layers.
inline constexpr double chart_width = 400;
inline constexpr double chart_height = 176;

/// A coordinate.
[[nodiscard]] inline std::string at(double x) { return fixed_text(x, 1); }

/// <rect>, without a size below 0.
[[nodiscard]] inline std::string svg_rect(const char* style, double x, double y, double width, double height,
                                          const std::string& title = {}) {
    return "<rect class=\"" + std::string(style) + "\" x=\"" + at(x) + "\" y=\"" + at(y) + "\" width=\"" +
           at(std::max(width, 0.0)) + "\" height=\"" + at(std::max(height, 0.0)) +
           (title.empty() ? std::string("\"/>") : "\"><title>" + title + "</title></rect>");
}
/// <line>.
[[nodiscard]] inline std::string svg_line(const char* style, double x1, double y1, double x2, double y2) {
    return "<line class=\"" + std::string(style) + "\" x1=\"" + at(x1) + "\" y1=\"" + at(y1) + "\" x2=\"" + at(x2) +
           "\" y2=\"" + at(y2) + "\"/>";
}
/// <text>; anchor: start, middle, end.
[[nodiscard]] inline std::string svg_text(double x, double y, const char* anchor, const std::string& text,
                                          const char* style = "") {
    return "<text x=\"" + at(x) + "\" y=\"" + at(y) + "\" text-anchor=\"" + anchor + "\" class=\"" + style + "\">" +
           text + "</text>";
}
/// <svg> of some extents, which stands for `label`.
[[nodiscard]] inline std::string svg(double width, double height, const std::string& label, const std::string& inside) {
    return "<svg viewBox=\"0 0 " + at(width) + ' ' + at(height) + "\" role=\"img\" aria-label=\"" + label + "\">" +
           inside + "</svg>";
}

/// A number without zeros behind the point.
[[nodiscard]] inline std::string trimmed(std::string number) {
    if (number.find('.') == std::string::npos || number.find('e') != std::string::npos)
        return number;
    number.erase(number.find_last_not_of('0') + 1);
    if (number.back() == '.')
        number.pop_back();
    return number;
}

/// 2^exponent within SVG.
[[nodiscard]] inline std::string svg_power(double exponent) {
    return "2<tspan dy=\"-4\" font-size=\"9\">" + std::string(exponent < 0 ? "&minus;" : "") +
           fixed_text(std::abs(exponent), 0) + "</tspan>";
}

/// What codes reach on the axis of a histogram.
struct shaded_codes {
    double lowest = 0;  ///< number of the lowest code
    double highest = 0; ///< number of the highest code
    double step = 1;    ///< from code to code
};

/// A histogram and the range of codes over it. Values beyond the range, by more than half a step, are drawn as lost.
class histogram_chart {
public:
    histogram_chart(const report_histogram& bars, const shaded_codes* range) : bars_(bars), range_(range) {
        low_ = bars.width > 0 ? bars.first : 0;
        high_ = bars.width > 0 ? bars.first + bars.width * static_cast<double>(bars.counts.size()) : 0;
        if (range != nullptr) {
            low_ = std::min(low_, range->lowest - range->step / 2);
            high_ = std::max(high_, range->highest + range->step / 2);
        }
        if (!(high_ > low_))
            high_ = low_ + 1;
        for (const std::uint64_t count : bars.counts)
            most_ = std::max(most_, count);
    }

    [[nodiscard]] std::string draw(const std::string& label) const {
        std::string to;
        if (range_ != nullptr)
            to += svg_rect("range", x(range_->lowest - range_->step / 2), top,
                           width_of(range_->highest - range_->lowest + range_->step), bottom - top);
        for (std::size_t k = 0; k < bars_.counts.size(); ++k)
            if (bars_.counts[k] != 0)
                to += bar(k);
        to += svg_line("axis", left, bottom, right, bottom);
        if (range_ != nullptr)
            to += codes() + end(range_->lowest, true) + end(range_->highest, false);
        return svg(chart_width, chart_height, label, to + ticks());
    }

private:
    static constexpr double left = 6;
    static constexpr double right = chart_width - 6;
    static constexpr double top = 20;
    static constexpr double bottom = chart_height - 24;

    [[nodiscard]] double width_of(double span) const noexcept { return span / (high_ - low_) * (right - left); }
    [[nodiscard]] double x(double value) const noexcept { return left + width_of(value - low_); }
    [[nodiscard]] double height_of(std::uint64_t count) const noexcept {
        return (bottom - top - 4) * std::log2(1 + static_cast<double>(count)) /
               std::log2(1 + static_cast<double>(most_));
    }
    [[nodiscard]] std::string bar(std::size_t k) const {
        const double first = bars_.first + static_cast<double>(k) * bars_.width;
        const double middle = first + bars_.width / 2;
        const bool lost = range_ != nullptr &&
                          (middle < range_->lowest - range_->step / 2 || middle > range_->highest + range_->step / 2);
        const double height = height_of(bars_.counts[k]);
        const double width = width_of(bars_.width);
        return svg_rect(lost ? "out" : "bar", x(first) + std::min(0.4, width / 8), bottom - height,
                        std::max(width - std::min(0.8, width / 4), 0.3), height,
                        short_text(first) + " to " + short_text(first + bars_.width) + ": " +
                            std::to_string(bars_.counts[k]));
    }
    /// A mark per code, where there are few.
    [[nodiscard]] std::string codes() const {
        const double count = (range_->highest - range_->lowest) / range_->step + 1;
        std::string to;
        for (double code = 0; count <= 64 && code < count; ++code) {
            const double place = x(range_->lowest + code * range_->step);
            to += svg_line("code", place, bottom, place, bottom + 4);
        }
        return to;
    }
    /// The dashed line at an end of the range, with its number.
    [[nodiscard]] std::string end(double value, bool is_lowest) const {
        const double place = x(value + (is_lowest ? -0.5 : 0.5) * range_->step);
        const bool inward = is_lowest ? place < 50 : place > chart_width - 50;
        const char* anchor = is_lowest == inward ? "start" : "end";
        return svg_line("edge", place, top - 6, place, bottom) +
               svg_text(place + (anchor[0] == 's' ? 4 : -4), top - 7, anchor, trimmed(short_text(value)), "strong");
    }
    [[nodiscard]] std::string ticks() const {
        std::string to;
        const double step = nice_step((high_ - low_) / 5);
        for (double value = std::ceil(low_ / step) * step; value <= high_; value += step) {
            const double clean = std::abs(value) < step / 2 ? 0 : value;
            const double place = std::clamp(x(clean), left + 8, right - 14);
            to += svg_text(place, bottom + 17, "middle", trimmed(short_text(clean)));
        }
        return to;
    }
    /// 1, 2 or 5 times a power of ten, at least as large.
    [[nodiscard]] static double nice_step(double least) {
        const double power = std::pow(10.0, std::floor(std::log10(least)));
        for (const double factor : {1.0, 2.0, 5.0})
            if (factor * power >= least)
                return factor * power;
        return 10 * power;
    }

    const report_histogram& bars_;
    const shaded_codes* range_;
    double low_ = 0;
    double high_ = 1;
    std::uint64_t most_ = 1;
};

/// Scales of weights by their log2: a bar per row of blocks, or a cell per block.
class scale_chart {
public:
    explicit scale_chart(const weight_report& from) : from_(from), raised_(from.rows) {
        for (const std::uint32_t output : from.floored)
            raised_[std::min(output / from.block_outputs, from.rows - 1)] = true;
        for (const double scale : from.scales)
            logs_.push_back(std::log2(scale));
        const auto [least, most] = std::ranges::minmax(logs_);
        least_ = std::floor(least);
        most_ = std::ceil(most);
    }
    /// Whether there are scales that differ.
    [[nodiscard]] bool is_chart() const noexcept { return from_.largest_scale > from_.least_scale; }
    [[nodiscard]] std::string draw(const std::string& label) const {
        return from_.columns == 1 ? bars(label) : cells(label);
    }

private:
    [[nodiscard]] std::string exponent(double log) const {
        return from_.exponents.empty() ? short_text(std::exp2(log))
                                       : "2^" + std::to_string(static_cast<int>(std::lround(log)));
    }
    [[nodiscard]] std::string bars(const std::string& label) const {
        constexpr double left = 40;
        constexpr double right = chart_width - 6;
        constexpr double top = 12;
        constexpr double bottom = chart_height - 24;
        const double low = least_ - 1;
        const double high = std::max(most_, low + 2);
        const auto y = [&](double log) { return bottom - (log - low) / (high - low) * (bottom - top); };
        const double width = (right - left) / static_cast<double>(from_.rows);
        std::string to;
        const double step = std::ceil((high - low) / 5);
        for (double log = std::ceil(low); log <= high; log += step)
            to += svg_line("grid", left, y(log), right, y(log)) + svg_text(left - 6, y(log) + 4, "end", svg_power(log));
        for (std::size_t row = 0; row < from_.rows; ++row)
            to += svg_rect(raised_[row] ? "raised" : "bar", left + width * static_cast<double>(row), y(logs_[row]),
                           width - std::min(1.0, width / 4), bottom - y(logs_[row]),
                           (from_.block_outputs == 1 ? "output " : "block ") + std::to_string(row) + ": " +
                               exponent(logs_[row]) + (raised_[row] ? ", raised for the bias" : ""));
        to += svg_line("axis", left, bottom, right, bottom);
        to += svg_text(left, bottom + 17, "start", "0") +
              svg_text(right, bottom + 17, "end", std::to_string(from_.rows - 1)) +
              svg_text((left + right) / 2, bottom + 17, "middle",
                       from_.block_outputs == 1 ? std::string("output channel")
                                                : std::string("block of output channels"));
        return svg(chart_width, chart_height, label, to);
    }
    /// The mean of the blocks that fall into a cell.
    [[nodiscard]] double cell(std::size_t row, std::size_t rows, std::size_t column, std::size_t columns) const {
        double sum = 0;
        std::size_t count = 0;
        for (std::size_t r = part_begin(from_.rows, rows, row); r < part_begin(from_.rows, rows, row + 1); ++r)
            for (std::size_t c = part_begin(from_.columns, columns, column);
                 c < part_begin(from_.columns, columns, column + 1); ++c, ++count)
                sum += logs_[r * from_.columns + c];
        return sum / static_cast<double>(count);
    }
    [[nodiscard]] std::string cells(const std::string& label) const {
        constexpr double left = 40;
        constexpr std::size_t levels = 8;
        const std::size_t rows = std::min<std::size_t>(from_.rows, 40);
        const std::size_t columns = std::min<std::size_t>(from_.columns, 64);
        const double width = std::min((chart_width - left - 6) / static_cast<double>(columns), 90.0);
        const double height = std::min(116.0 / static_cast<double>(rows), std::min(width, 30.0));
        const double span = std::max(most_ - least_, 1.0);
        std::array<std::string, levels + 1> paths;
        for (std::size_t r = 0; r < rows; ++r)
            for (std::size_t c = 0; c < columns; ++c) {
                const double level = (cell(r, rows, c, columns) - least_) / span * static_cast<double>(levels);
                paths[static_cast<std::size_t>(std::clamp(std::round(level), 0.0, static_cast<double>(levels)))] +=
                    "M" + at(left + width * static_cast<double>(c)) + ' ' + at(22 + height * static_cast<double>(r)) +
                    'h' + at(width - std::min(1.0, width / 5)) + 'v' + at(height - std::min(1.0, height / 5)) + 'h' +
                    at(std::min(1.0, width / 5) - width) + 'z';
            }
        std::string to;
        for (std::size_t k = 0; k < paths.size(); ++k)
            if (!paths[k].empty())
                to += "<path class=\"bar\" fill-opacity=\"" + opacity(k, levels) + "\" d=\"" + paths[k] + "\"/>";
        const double bottom = 22 + height * static_cast<double>(rows);
        to += svg_text(left, 14, "start", "input channels: " + std::to_string(from_.columns) + " blocks");
        to += "<text transform=\"translate(28 " + at((22 + bottom) / 2) + ") rotate(-90)\" text-anchor=\"middle\">" +
              (bottom > 90 ? "outputs" : "") + "</text>";
        return svg(chart_width, bottom + 28, label, to + key(left, bottom + 10, levels));
    }
    [[nodiscard]] static std::string opacity(std::size_t level, std::size_t levels) {
        return fixed_text(0.14 + 0.86 * static_cast<double>(level) / static_cast<double>(levels), 2);
    }
    /// What the shades stand for.
    [[nodiscard]] std::string key(double x, double y, std::size_t levels) const {
        std::string to = svg_text(x, y + 10, "start", svg_power(least_));
        x += 40;
        for (std::size_t k = 0; k <= levels; ++k)
            to += "<rect class=\"bar\" fill-opacity=\"" + opacity(k, levels) + "\" x=\"" +
                  at(x + 12 * static_cast<double>(k)) + "\" y=\"" + at(y + 1) + "\" width=\"11\" height=\"10\"/>";
        return to + svg_text(x + 12 * static_cast<double>(levels) + 18, y + 10, "start",
                             svg_power(std::max(most_, least_ + 1)));
    }

    const weight_report& from_;
    std::vector<bool> raised_;
    std::vector<double> logs_{};
    double least_ = 0;
    double most_ = 0;
};

} // namespace notch::detail

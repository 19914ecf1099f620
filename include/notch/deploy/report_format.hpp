/// @file
/// How an HTML report writes names and numbers: escaped, with units, with few digits.
#pragma once

#include <notch/deploy/report_text.hpp>

#include <array>
#include <cmath>
#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace notch::detail {

/// Text for HTML, between tags and in quoted attributes: & < > " ' are entities, controls and what is no UTF-8 U+FFFD.
[[nodiscard]] inline std::string html_text(std::string_view from) {
    std::string to;
    append_utf8(to, from, [&](char c) {
        switch (c) {
        case '&':
            to += "&amp;";
            break;
        case '<':
            to += "&lt;";
            break;
        case '>':
            to += "&gt;";
            break;
        case '"':
            to += "&quot;";
            break;
        case '\'':
            to += "&#39;";
            break;
        case '\n':
            to += c;
            break;
        default:
            if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f)
                to += "\xef\xbf\xbd";
            else
                to += c;
        }
    });
    return to;
}

/// A name, kept apart from what writes from right to left around it.
[[nodiscard]] inline std::string html_name(std::string_view name) {
    return name.empty() ? std::string("(no name)") : "<bdi>" + html_text(name) + "</bdi>";
}

/// A number with three digits that count, such as 40.8, 0.00123, 1.2e-07; "inf" and "NaN" in words.
[[nodiscard]] inline std::string short_text(double x) {
    if (std::isnan(x))
        return "not a number";
    if (std::isinf(x))
        return x > 0 ? "&infin;" : "&minus;&infin;";
    const double magnitude = std::abs(x);
    std::string to;
    if (magnitude != 0 && (magnitude < 1e-3 || magnitude >= 1e6)) {
        std::array<char, 64> buffer{};
        const auto end =
            std::to_chars(buffer.data(), buffer.data() + buffer.size(), magnitude, std::chars_format::scientific, 1);
        to.assign(buffer.data(), end.ptr);
        if (const std::size_t zero = to.find_first_of("+-") + 1; zero < to.size() && to[zero] == '0')
            to.erase(zero, 1);
    } else {
        const int digits = magnitude >= 100    ? 0
                           : magnitude >= 10   ? 1
                           : magnitude >= 1    ? 2
                           : magnitude >= 0.1  ? 3
                           : magnitude >= 0.01 ? 4
                                               : 5;
        to = fixed_text(magnitude, magnitude == 0 ? 0 : digits);
    }
    return x < 0 ? "&minus;" + to : to;
}

/// The same, with smaller numbers as 7.2 x 10^-5 in HTML.
[[nodiscard]] inline std::string power_of_ten_text(double x) {
    std::string to = short_text(x);
    const std::size_t e = to.find('e');
    if (e == std::string::npos)
        return to;
    const std::string exponent = to.substr(to[e + 1] == '+' ? e + 2 : e + 1);
    return to.substr(0, e) + "&times;10<sup>" + (exponent[0] == '-' ? "&minus;" + exponent.substr(1) : exponent) +
           "</sup>";
}

/// A number and the letter of its thousands.
struct scaled_text {
    std::string number;
    std::string unit;
};

/// A count as 40.8 and "M".
[[nodiscard]] inline scaled_text thousands(double x) {
    constexpr std::array<const char*, 5> units{"", "k", "M", "G", "T"};
    std::size_t k = 0;
    while (x >= 999.5 && k + 1 < units.size()) {
        x /= 1000;
        ++k;
    }
    return {k == 0 ? fixed_text(x, 0) : short_text(x), units[k]};
}
/// Bytes as 1.03 and "MiB".
[[nodiscard]] inline scaled_text byte_size(double x) {
    constexpr std::array<const char*, 5> units{"B", "KiB", "MiB", "GiB", "TiB"};
    std::size_t k = 0;
    while (x >= 999.5 && k + 1 < units.size()) {
        x /= 1024;
        ++k;
    }
    return {k == 0 ? fixed_text(x, 0) : short_text(x), units[k]};
}
/// Seconds as 1.23 and "ms".
[[nodiscard]] inline scaled_text duration(double seconds) {
    if (seconds >= 0.9995)
        return {short_text(seconds), "s"};
    return seconds >= 0.9995e-3 ? scaled_text{short_text(seconds * 1e3), "ms"}
                                : scaled_text{short_text(seconds * 1e6), "&micro;s"};
}
/// In one line.
[[nodiscard]] inline std::string joined(const scaled_text& from) {
    return from.unit.empty() ? from.number : from.number + "&nbsp;" + from.unit;
}

/// A share as per cent.
[[nodiscard]] inline std::string percent_text(double share, int digits = 2) {
    if (share != 0 && std::abs(share) < 0.5 * std::pow(0.1, digits + 2))
        return "&lt;&nbsp;" + fixed_text(std::pow(0.1, digits), digits) + "&nbsp;%";
    return fixed_text(100 * share, digits) + "&nbsp;%";
}
/// Decibels.
[[nodiscard]] inline std::string decibel_text(double db) {
    return std::isinf(db) && db > 0
               ? std::string("exact")
               : (std::isfinite(db) ? (db < 0 ? "&minus;" : "") + fixed_text(std::abs(db), 1) : short_text(db)) +
                     "&nbsp;dB";
}
/// Extents as 16 x 32 x 32.
[[nodiscard]] inline std::string shape_text(const std::vector<std::size_t>& shape) {
    std::string to;
    for (const std::size_t extent : shape)
        to += (to.empty() ? "" : "&times;") + std::to_string(extent);
    return to;
}
/// A scale: 2^-5, or a number.
[[nodiscard]] inline std::string power_text(int exponent) {
    return "2<sup>" + std::string(exponent < 0 ? "&minus;" : "") + std::to_string(std::abs(exponent)) + "</sup>";
}

} // namespace notch::detail

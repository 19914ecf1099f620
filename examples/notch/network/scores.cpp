/// @file
/// Scores and tables.
#include "scores.hpp"

#include <array>
#include <cstdio>

namespace tool {

std::size_t top1(std::span<const float> results, std::size_t size, std::size_t n) {
    const auto of_image = results.subspan(n * size, size);
    return static_cast<std::size_t>(std::max_element(of_image.begin(), of_image.end()) - of_image.begin());
}

std::optional<double> top1_percent(std::span<const float> results, std::size_t size,
                                   const std::vector<std::size_t>& labels) {
    const std::size_t count = results.size() / size;
    if (labels.empty() || count == 0)
        return std::nullopt;
    std::size_t right = 0;
    for (std::size_t n = 0; n < count; ++n)
        right += top1(results, size, n) == labels[n] ? 1U : 0U;
    return 100.0 * static_cast<double>(right) / static_cast<double>(count);
}

agreement agreement_of(std::span<const float> reference, std::span<const float> other, std::size_t size) {
    const std::size_t count = reference.size() / size;
    std::vector<std::size_t> seen(size, 0);
    std::vector<std::size_t> equal(size, 0);
    for (std::size_t n = 0; n < count; ++n) {
        const std::size_t top = top1(reference, size, n);
        ++seen[top];
        equal[top] += top == top1(other, size, n) ? 1U : 0U;
    }
    double all = 0;
    double shares = 0;
    double classes = 0;
    for (std::size_t k = 0; k < size; ++k) {
        all += static_cast<double>(equal[k]);
        if (seen[k] == 0)
            continue;
        shares += static_cast<double>(equal[k]) / static_cast<double>(seen[k]);
        classes += 1;
    }
    return {100 * all / static_cast<double>(count), 100 * shares / classes};
}

double median(std::vector<double> numbers) {
    std::sort(numbers.begin(), numbers.end());
    const std::size_t half = numbers.size() / 2;
    return numbers.size() % 2 != 0 ? numbers[half] : (numbers[half - 1] + numbers[half]) / 2;
}

std::string fixed(double value, int digits) {
    std::array<char, 64> text{};
    std::snprintf(text.data(), text.size(), "%.*f", digits, value);
    return text.data();
}

std::string or_dash(const std::optional<double>& value) { return value ? fixed(*value, 2) : "-"; }

std::string grouped(std::size_t value) {
    const std::string digits = std::to_string(value);
    std::string text;
    for (std::size_t i = 0; i < digits.size(); ++i) {
        if (i != 0 && (digits.size() - i) % 3 == 0)
            text += ' ';
        text += digits[i];
    }
    return text;
}

std::string extents_text(const std::vector<std::size_t>& shape) {
    std::string text;
    for (const std::size_t extent : shape)
        text += (text.empty() ? "" : " x ") + std::to_string(extent);
    return text;
}

std::string table_of(const std::vector<std::vector<std::string>>& rows, std::size_t left) {
    std::vector<std::size_t> widths;
    for (const std::vector<std::string>& row : rows)
        for (std::size_t c = 0; c < row.size(); ++c) {
            widths.resize(std::max(widths.size(), c + 1), 0);
            widths[c] = std::max(widths[c], row[c].size());
        }
    std::string text;
    for (const std::vector<std::string>& row : rows) {
        std::string line;
        for (std::size_t c = 0; c < row.size(); ++c) {
            const std::string gap(widths[c] - row[c].size(), ' ');
            line += c == 0 ? "" : "  ";
            line += c < left ? row[c] + gap : gap + row[c];
        }
        text += line.substr(0, line.find_last_not_of(' ') + 1) + "\n";
    }
    return text;
}

} // namespace tool

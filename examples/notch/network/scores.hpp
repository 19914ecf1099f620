/// @file
/// How far results are apart, and lines of tables.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace tool {

/// Differences of pairs of numbers, added up.
class difference {
public:
    /// One more pair.
    void add(double reference, double other) noexcept {
        const double error = reference - other;
        error_ += error * error;
        reference_ += reference * reference;
        other_ += other * other;
        product_ += reference * other;
        largest_ = std::max(largest_, std::abs(error));
    }
    void add(std::span<const float> reference, std::span<const float> other) noexcept {
        for (std::size_t i = 0; i < reference.size(); ++i)
            add(static_cast<double>(reference[i]), static_cast<double>(other[i]));
    }
    /// 10 log10 of sum r^2 / sum (r - x)^2; infinite where nothing differs.
    [[nodiscard]] double sqnr_db() const noexcept {
        return error_ > 0 ? 10 * std::log10(reference_ / error_) : std::numeric_limits<double>::infinity();
    }
    /// Cosine of the angle between both; 1 where both are 0.
    [[nodiscard]] double cosine() const noexcept {
        const double lengths = std::sqrt(reference_) * std::sqrt(other_);
        return lengths > 0 ? product_ / lengths : error_ > 0 ? 0 : 1;
    }
    /// The largest difference.
    [[nodiscard]] double largest() const noexcept { return largest_; }

private:
    double error_ = 0;
    double reference_ = 0;
    double other_ = 0;
    double product_ = 0;
    double largest_ = 0;
};

/// The number of the largest result of image n, of `size` results each; the first of equal ones.
[[nodiscard]] std::size_t top1(std::span<const float> results, std::size_t size, std::size_t n);

/// How many percent of images have their label on top; none without labels.
[[nodiscard]] std::optional<double> top1_percent(std::span<const float> results, std::size_t size,
                                                 const std::vector<std::size_t>& labels);

/// How often two networks have the same result on top.
struct agreement {
    double percent = 0;  ///< of all images
    double balanced = 0; ///< mean over what the first network says
};
[[nodiscard]] agreement agreement_of(std::span<const float> reference, std::span<const float> other, std::size_t size);

/// The middle of some numbers.
[[nodiscard]] double median(std::vector<double> numbers);

/// A number with some digits behind the point; "inf" where it is infinite.
[[nodiscard]] std::string fixed(double value, int digits);
/// With two digits, or a dash.
[[nodiscard]] std::string or_dash(const std::optional<double>& value);

/// A whole number in groups of three digits.
[[nodiscard]] std::string grouped(std::size_t value);

/// Extents, as 3 x 32 x 32.
[[nodiscard]] std::string extents_text(const std::vector<std::size_t>& shape);

/// Lines of a table, columns two spaces apart, all but the first `left` to the right. The first row is the head.
[[nodiscard]] std::string table_of(const std::vector<std::vector<std::string>>& rows, std::size_t left);

} // namespace tool

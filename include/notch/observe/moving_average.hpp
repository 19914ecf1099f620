/// @file
/// The observer of drifting ranges: an exponential moving average of the ends of batches.
///
///     a_1 = r_1                                    the first batch
///     a_n = m a_(n-1) + (1 - m) r_n                every later one, for min and for max
///
/// A batch is one call of observe() with at least one element. The result depends on the order and
/// on the split of the data, by definition.
///
/// `merge(b)` means "my batches, then those of b". With k batches in b, first r, average B,
///
///     a_(n+k) = B + m^k (a_n - r)
///
/// which follows from writing both averages as sums. It equals observing the batches one by one up
/// to the rounding of doubles: a few units in 2^-52 of the largest end.
///
/// Cost: one pass of integer comparisons, 0.1 to 0.6 ns a value. Memory: a few bytes.
#pragma once

#include <notch/core/error.hpp>
#include <notch/core/int_math.hpp>
#include <notch/core/tensor_view.hpp>
#include <notch/observe/byte_frame.hpp>
#include <notch/observe/observer.hpp>
#include <notch/observe/scan.hpp>
#include <notch/observe/value_count.hpp>
#include <notch/quant/zero_point.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace notch {

/// Observes the exponential moving average of the ends of batches, see above.
class moving_average {
public:
    /// An observer that keeps the share `momentum` of its average with every batch, 0 <= momentum < 1.
    /// Raises range_error for another momentum.
    explicit moving_average(double momentum = 0.9, std::string name = {})
        : name_(std::move(name)), momentum_(momentum) {
        if (!accepts(momentum))
            detail::raise<range_error>(detail::quoted(name_), ": the momentum of a moving average is ", momentum,
                                       ", outside [0, 1)");
    }

    /// Takes a tensor of floats as one batch; one without elements is none. `name` stands in messages instead of
    /// the observer's own. Raises range_error for NaN or infinity, with the index of the first one; the observer
    /// is then unchanged.
    template <viewable_as<float> Tensor> void observe(const Tensor& tensor, std::string_view name = {}) {
        const auto seen = detail::batch_of(tensor, name, name_);
        if (seen.is_empty())
            return;
        count_ = detail::checked_count(count_, seen.view.size(), seen.name);
        const ends next{exact_double(detail::float_of_key(seen.ends.lowest)),
                        exact_double(detail::float_of_key(seen.ends.highest))};
        if (batches_ == 0)
            first_ = average_ = next;
        else
            average_ = {momentum_ * average_.min + (1 - momentum_) * next.min,
                        momentum_ * average_.max + (1 - momentum_) * next.max};
        ++batches_;
    }

    /// Appends the batches of another observer, see above. Raises range_error where the momenta differ.
    void merge(const moving_average& other) {
        if (momentum_ != other.momentum_)
            detail::raise<range_error>(detail::quoted(name_), ": a moving average with momentum ", momentum_,
                                       " cannot take over batches averaged with ", other.momentum_);
        if (other.count_ == 0)
            return;
        const std::uint64_t count = detail::checked_count(count_, other.count_, name_);
        if (batches_ == 0) {
            first_ = other.first_;
            average_ = other.average_;
        } else {
            const double kept = std::pow(momentum_, static_cast<double>(other.batches_));
            average_ = ends{other.average_.min + kept * (average_.min - other.first_.min),
                            other.average_.max + kept * (average_.max - other.first_.max)}
                           .repaired();
        }
        batches_ += other.batches_; // at most count_, which has been checked
        count_ = count;
    }

    /// The name that stands in error messages.
    [[nodiscard]] const std::string& name() const noexcept { return name_; }
    /// The share of the average that a batch leaves.
    [[nodiscard]] double momentum() const noexcept { return momentum_; }
    /// Number of values seen.
    [[nodiscard]] std::uint64_t count() const noexcept { return count_; }
    /// Number of batches seen.
    [[nodiscard]] std::uint64_t batches() const noexcept { return batches_; }
    /// The averages of the ends, rounded to floats. Raises state_error before the first value.
    [[nodiscard]] value_range range() const {
        detail::require_values(count_, name_, "moving_average::range()");
        constexpr float limit = std::numeric_limits<float>::max();
        return {detail::nearest_float_within(average_.min, -limit, limit),
                detail::nearest_float_within(average_.max, -limit, limit)};
    }

    /// True where momentum, counts and averages are the same numbers. Names do not matter.
    friend bool operator==(const moving_average& a, const moving_average& b) noexcept {
        return a.momentum_ == b.momentum_ && a.count_ == b.count_ && a.batches_ == b.batches_ && a.first_ == b.first_ &&
               a.average_ == b.average_;
    }

    /// The state as 88 bytes (observe/byte_frame.hpp). The name is left out.
    [[nodiscard]] std::vector<std::byte> serialize() const {
        detail::frame_writer writer(kind);
        writer.put_double(momentum_);
        writer.put_u64(count_);
        writer.put_u64(batches_);
        for (const double number : {first_.min, first_.max, average_.min, average_.max})
            writer.put_double(number);
        return std::move(writer).finish();
    }

    /// The observer that was serialized, with a name. Raises format_error that says what is wrong with the bytes.
    [[nodiscard]] static moving_average deserialize(std::span<const std::byte> bytes, const std::string& name = {}) {
        detail::frame_reader reader(bytes, kind, "moving_average observer", name);
        const double momentum = reader.get_double("the momentum");
        if (!accepts(momentum))
            reader.fail("the momentum is ", momentum, ", outside [0, 1)");
        moving_average result(momentum, name);
        result.count_ = reader.get_u64("the count");
        result.batches_ = reader.get_u64("the number of batches");
        result.first_.min = reader.get_double("the first min");
        result.first_.max = reader.get_double("the first max");
        result.average_.min = reader.get_double("the average min");
        result.average_.max = reader.get_double("the average max");
        reader.finish();
        if (result.batches_ > result.count_ || (result.batches_ == 0) != (result.count_ == 0))
            reader.fail(result.batches_, " batches of ", result.count_, " values");
        if (result.batches_ == 1 && !(result.first_ == result.average_))
            reader.fail("the average of one batch is not that batch");
        if (!result.first_.is_possible() || !result.average_.is_possible())
            reader.fail("[", result.average_.min, ", ", result.average_.max, "] after [", result.first_.min, ", ",
                        result.first_.max, "] are not ranges of floats");
        return result;
    }

private:
    static constexpr std::uint32_t kind = 3;

    struct ends {
        double min = 0;
        double max = 0;

        /// Within the floats and in order, up to the rounding of the averages.
        [[nodiscard]] bool is_possible() const noexcept {
            const double largest = 0x1p128;
            const bool finite = !is_non_finite(min) && !is_non_finite(max);
            return finite && min <= largest && -largest <= min && max <= largest && -largest <= max && min <= max;
        }
        /// The nearest possible ends: what rounding put out of order meets in the middle, what it put beyond the
        /// floats comes back.
        [[nodiscard]] ends repaired() const noexcept {
            const double middle = min + (max - min) / 2;
            const auto within = [](double x) { return std::clamp(x, -0x1p128, 0x1p128); };
            return min <= max ? ends{within(min), within(max)} : ends{within(middle), within(middle)};
        }
        friend bool operator==(const ends&, const ends&) = default;
    };

    [[nodiscard]] static bool accepts(double momentum) noexcept {
        return !is_non_finite(momentum) && momentum >= 0 && momentum < 1;
    }

    std::string name_;
    double momentum_;
    std::uint64_t count_ = 0;
    std::uint64_t batches_ = 0;
    ends first_;
    ends average_;
};

} // namespace notch

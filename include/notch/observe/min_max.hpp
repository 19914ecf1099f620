/// @file
/// The observer of the ends: smallest and largest value.
///
///     range = [min x, max x]
///
/// Exact, and a function of the set of values seen: neither order nor split nor merge matters. One
/// outlier decides the range; see percentile, mse and kl_divergence for observers that clip.
///
/// Cost: one pass of integer comparisons, 0.1 to 0.6 ns a value. Memory: a few bytes.
#pragma once

#include <notch/core/tensor_view.hpp>
#include <notch/observe/byte_frame.hpp>
#include <notch/observe/observer.hpp>
#include <notch/observe/scan.hpp>
#include <notch/observe/value_count.hpp>
#include <notch/quant/zero_point.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace notch {

/// Observes the smallest and the largest value, see above.
class min_max {
public:
    /// An observer that has seen nothing; the name stands in error messages.
    explicit min_max(std::string name = {}) : name_(std::move(name)) {}

    /// Takes every element of a tensor of floats. `name` stands in messages instead of the observer's own.
    /// Raises range_error for NaN or infinity, with the index of the first one; the observer is then unchanged.
    template <viewable_as<float> Tensor> void observe(const Tensor& tensor, std::string_view name = {}) {
        const auto seen = detail::batch_of(tensor, name, name_);
        if (seen.is_empty())
            return;
        add(detail::float_of_key(seen.ends.lowest), detail::float_of_key(seen.ends.highest), seen.view.size(),
            seen.name);
    }

    /// Adds what another observer has seen: the result equals one that has seen both.
    void merge(const min_max& other) {
        if (other.count_ != 0)
            add(other.range_.min, other.range_.max, other.count_, name_);
    }

    /// The name that stands in error messages.
    [[nodiscard]] const std::string& name() const noexcept { return name_; }
    /// Number of values seen.
    [[nodiscard]] std::uint64_t count() const noexcept { return count_; }
    /// [smallest, largest] value seen. Raises state_error before the first value.
    [[nodiscard]] value_range range() const {
        detail::require_values(count_, name_, "min_max::range()");
        return range_;
    }

    /// True where both have seen as many values and the same ends. Names do not matter.
    friend bool operator==(const min_max& a, const min_max& b) noexcept {
        return a.count_ == b.count_ && detail::ordered_key(a.range_.min) == detail::ordered_key(b.range_.min) &&
               detail::ordered_key(a.range_.max) == detail::ordered_key(b.range_.max);
    }

    /// The state as 48 bytes (observe/byte_frame.hpp). The name is left out.
    [[nodiscard]] std::vector<std::byte> serialize() const {
        detail::frame_writer writer(kind);
        writer.put_u64(count_);
        writer.put_float(range_.min);
        writer.put_float(range_.max);
        return std::move(writer).finish();
    }

    /// The observer that was serialized, with a name. Raises format_error that says what is wrong with the bytes.
    [[nodiscard]] static min_max deserialize(std::span<const std::byte> bytes, const std::string& name = {}) {
        detail::frame_reader reader(bytes, kind, "min_max observer", name);
        min_max result(name);
        result.count_ = reader.get_u64("the count");
        result.range_.min = reader.get_float("min");
        result.range_.max = reader.get_float("max");
        reader.finish();
        const bool is_empty = result.count_ == 0;
        const bool ends_are_zero =
            detail::ordered_key(result.range_.min) == 0 && detail::ordered_key(result.range_.max) == 0;
        const bool ends_are_equal = detail::ordered_key(result.range_.min) == detail::ordered_key(result.range_.max);
        if (!detail::is_value_range(result.range_.min, result.range_.max) || (is_empty && !ends_are_zero) ||
            (result.count_ == 1 && !ends_are_equal))
            reader.fail("[", result.range_.min, ", ", result.range_.max, "] is not the range of ", result.count_,
                        " values");
        return result;
    }

private:
    static constexpr std::uint32_t kind = 2;

    void add(float min, float max, std::uint64_t count, std::string_view name) {
        const std::uint64_t sum = detail::checked_count(count_, count, name);
        const auto lowest = detail::ordered_key(min);
        const auto highest = detail::ordered_key(max);
        range_.min = count_ == 0 ? min : detail::float_of_key(std::min(lowest, detail::ordered_key(range_.min)));
        range_.max = count_ == 0 ? max : detail::float_of_key(std::max(highest, detail::ordered_key(range_.max)));
        count_ = sum;
    }

    std::string name_;
    std::uint64_t count_ = 0;
    value_range range_;
};

} // namespace notch

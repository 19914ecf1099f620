/// @file
/// The histogram that observers share: what a stream of tensors looked like, in 32 KiB.
///
/// There are 4,096 bins of width w = 2^s. They lie where the values are, by sign and magnitude:
///
///     values seen          bins cover         s           bins in the order of the values
///     none below 0         [0, 2^e)           e - 12      0 | [0, w) [w, 2w) ...
///     none above 0         (-2^e, 0]          e - 12      ... (-2w, -w] (-w, 0] | 0
///     both                 (-2^e, 2^e)        e - 11      ... (-2w, -w] (-w, 0] | 0 | [0, w) [w, 2w) ...
///
/// 2^e is the smallest power of two above max|x|, so the largest magnitude always falls in the upper half
/// of the bins. When a value does not fit, neighbouring bins are merged in pairs, which is
/// exact: a bin of width 2w is the union of two bins of width w. Zeros are counted apart.
///
/// Therefore the state is a function of the multiset of values seen. It does not depend on the order
/// of the values, on how they were split into batches, nor on how histograms were merged:
///
///     h(a then b) == h(b then a) == merge(h(a), h(b)),   bit for bit
///
/// Exact: count, count of zeros, min, max. -0 is 0. Every finite float has a bin, denormals included:
/// s lies in [-160, 117]. NaN and infinity are rejected before anything is counted.
///
/// Cost: two passes, the ends first (which fix the bins), then the counts; about 1 to 2 ns a value.
/// Memory: 4,097 counts of 8 bytes, allocated with the first value; 1,024 histograms take 32 MiB.
#pragma once

#include <notch/core/int_math.hpp>
#include <notch/core/tensor_view.hpp>
#include <notch/observe/bin_layout.hpp>
#include <notch/observe/byte_frame.hpp>
#include <notch/observe/scan.hpp>
#include <notch/observe/value_count.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace notch {

/// Counts of values in dyadic bins, see above. Copyable; a moved-from histogram is empty.
class histogram {
public:
    /// Number of bins.
    static constexpr std::size_t bin_count = detail::histogram_bins;

    /// An empty histogram; the name stands in error messages.
    explicit histogram(std::string name = {}) : name_(std::move(name)) {}

    histogram(const histogram&) = default;            ///< copies the counts
    histogram& operator=(const histogram&) = default; ///< copies the counts
    /// Takes the counts over and leaves `other` empty.
    histogram(histogram&& other) noexcept { swap(other); }
    /// Takes the counts over and leaves `other` empty.
    histogram& operator=(histogram&& other) noexcept {
        histogram taken(std::move(other));
        swap(taken);
        return *this;
    }
    ~histogram() = default;

    /// Counts every element of a tensor of floats. `name` stands in messages instead of the histogram's own.
    /// Raises range_error for NaN or infinity, with the index of the first one, and when the count would
    /// leave 64 bits; the histogram is then unchanged. Allocates 32 KiB with the first value.
    template <viewable_as<float> Tensor> void observe(const Tensor& tensor, std::string_view name = {}) {
        const auto seen = detail::batch_of(tensor, name, name_);
        if (seen.is_empty())
            return;
        widen(seen.ends.lowest, seen.ends.highest, seen.view.size(), seen.name);
        const detail::bin_layout layout = layout_;
        std::uint64_t* counts = counts_.data();
        detail::for_each_block(detail::in_memory_order(seen.view), [layout, counts](const float* x, std::size_t count) {
            if (count == detail::observed_block)
                detail::count_block<detail::observed_block>(x, count, layout, counts);
            else
                detail::count_block<0>(x, count, layout, counts);
        });
    }

    /// Adds what another histogram has seen: the result equals one that has seen both. The name stays.
    /// Raises range_error when the count would leave 64 bits; the histogram is then unchanged.
    void merge(const histogram& other) {
        if (other.count_ == 0)
            return;
        const detail::bin_layout from = other.layout_;
        widen(detail::ordered_key(other.min_), detail::ordered_key(other.max_), other.count_, name_);
        for (std::uint32_t bin = 0; bin < detail::histogram_bins; ++bin)
            if (const std::uint64_t n = other.counts_[bin]; n != 0)
                counts_[layout_.bin_for(from, bin)] += n;
        counts_[detail::zero_slot] += other.counts_[detail::zero_slot];
    }

    /// The name that stands in error messages.
    [[nodiscard]] const std::string& name() const noexcept { return name_; }
    /// Number of values seen.
    [[nodiscard]] std::uint64_t count() const noexcept { return count_; }
    /// Number of zeros seen.
    [[nodiscard]] std::uint64_t zeros() const noexcept { return counts_.empty() ? 0 : counts_[detail::zero_slot]; }
    /// Smallest value seen. Raises state_error before the first value.
    [[nodiscard]] float min() const { return require_data("min()"), min_; }
    /// Largest value seen. Raises state_error before the first value.
    [[nodiscard]] float max() const { return require_data("max()"), max_; }
    /// Largest magnitude seen. Raises state_error before the first value.
    [[nodiscard]] float max_magnitude() const {
        require_data("max_magnitude()");
        return detail::float_of_key(static_cast<std::int32_t>(largest_magnitude()));
    }

    /// Log2 of the width of a bin; -161 before the first value that is not 0.
    [[nodiscard]] int width_exponent() const noexcept { return layout_.width_exponent; }
    /// The width of a bin.
    [[nodiscard]] double width() const noexcept { return exp2_exact(layout_.width_exponent); }
    /// The number of bins below zero: 0, 2048 or 4096.
    [[nodiscard]] std::size_t origin() const noexcept { return layout_.origin; }
    /// The 4,096 counts, lowest values first; empty before the first value.
    [[nodiscard]] std::span<const std::uint64_t> bins() const noexcept {
        return std::span(counts_).first(counts_.empty() ? 0 : bin_count);
    }
    /// The lower end of a bin: (bin - origin) width. Precondition: bin <= 4096.
    [[nodiscard]] double lower(std::size_t bin) const noexcept {
        return (static_cast<double>(bin) - static_cast<double>(layout_.origin)) * width();
    }
    /// The counts of |x|, zeros left out: entry k holds [k width, (k + 1) width), the last one max|x|.
    /// Empty where only zeros were seen, otherwise more than 1,024 entries.
    [[nodiscard]] std::vector<std::uint64_t> magnitudes() const {
        if (largest_magnitude() == 0)
            return {};
        std::vector<std::uint64_t> result(layout_.steps(largest_magnitude()) + std::size_t{1}, 0);
        for (std::size_t bin = 0; bin < bin_count; ++bin)
            if (counts_[bin] != 0)
                result[bin < origin() ? origin() - 1 - bin : bin - origin()] += counts_[bin];
        return result;
    }

    /// Raises the state_error of `call`, which needs data, before the first value.
    void require_data(std::string_view call) const { detail::require_values(count_, name_, call); }

    /// True where both have seen the same multiset of values, as far as bins can tell. Names do not matter.
    friend bool operator==(const histogram& a, const histogram& b) noexcept {
        return a.count_ == b.count_ && detail::ordered_key(a.min_) == detail::ordered_key(b.min_) &&
               detail::ordered_key(a.max_) == detail::ordered_key(b.max_) && a.counts_ == b.counts_;
    }

    /// The state as bytes (observe/byte_frame.hpp); at most 32,824 of them. The name is left out.
    [[nodiscard]] std::vector<std::byte> serialize() const {
        detail::frame_writer writer(kind);
        write(writer);
        return std::move(writer).finish();
    }

    /// The histogram that was serialized, with a name. Raises format_error that says what is wrong with the bytes.
    [[nodiscard]] static histogram deserialize(std::span<const std::byte> bytes, const std::string& name = {}) {
        detail::frame_reader reader(bytes, kind, "histogram", name);
        histogram result = read(reader);
        reader.finish();
        return result;
    }

    /// Appends the state to a frame: count, zeros, min, max, then the bins from that of min to that of max.
    void write(detail::frame_writer& writer) const {
        writer.put_u64(count_);
        writer.put_u64(zeros());
        writer.put_float(min_);
        writer.put_float(max_);
        const auto [first, last] = occupied(layout_, min_, max_);
        for (std::uint32_t bin = first; bin < last; ++bin)
            writer.put_u64(counts_[bin]);
    }

    /// Reads what write() has written; raises format_error for numbers that no histogram has.
    [[nodiscard]] static histogram read(detail::frame_reader& reader);

private:
    static constexpr std::uint32_t kind = 1;

    [[nodiscard]] std::uint32_t largest_magnitude() const noexcept {
        return std::max(detail::magnitude_of_key(detail::ordered_key(min_)),
                        detail::magnitude_of_key(detail::ordered_key(max_)));
    }

    /// The bins that can be occupied, [first, last).
    [[nodiscard]] static std::pair<std::uint32_t, std::uint32_t> occupied(const detail::bin_layout& layout, float min,
                                                                          float max) noexcept {
        const std::int32_t lowest = detail::ordered_key(min);
        const std::int32_t highest = detail::ordered_key(max);
        if (lowest == 0 && highest == 0)
            return {0, 0};
        return {lowest == 0 ? 0 : layout.slot(lowest),
                highest == 0 ? detail::histogram_bins : layout.slot(highest) + 1};
    }

    /// Makes room for `count` more values with these ends. Raises before anything changes.
    void widen(std::int32_t lowest, std::int32_t highest, std::uint64_t count, std::string_view name) {
        const std::uint64_t sum = detail::checked_count(count_, count, name);
        if (count_ != 0) {
            lowest = std::min(lowest, detail::ordered_key(min_));
            highest = std::max(highest, detail::ordered_key(max_));
        }
        const detail::bin_layout layout = detail::bin_layout::of(lowest, highest);
        if (counts_.empty())
            counts_.resize(bin_count + 1);
        else if (!(layout == layout_)) {
            std::vector<std::uint64_t> counts(bin_count + 1);
            for (std::uint32_t bin = 0; bin < detail::histogram_bins; ++bin)
                if (counts_[bin] != 0)
                    counts[layout.bin_for(layout_, bin)] += counts_[bin];
            counts[detail::zero_slot] = counts_[detail::zero_slot];
            counts_ = std::move(counts);
        }
        layout_ = layout;
        min_ = detail::float_of_key(lowest);
        max_ = detail::float_of_key(highest);
        count_ = sum;
    }

    void swap(histogram& other) noexcept {
        std::swap(name_, other.name_);
        std::swap(counts_, other.counts_);
        std::swap(layout_, other.layout_);
        std::swap(count_, other.count_);
        std::swap(min_, other.min_);
        std::swap(max_, other.max_);
    }

    std::string name_;
    std::vector<std::uint64_t> counts_; // 4,096 bins, then the zeros; empty before the first value
    detail::bin_layout layout_;
    std::uint64_t count_ = 0;
    float min_ = 0;
    float max_ = 0;
};

inline histogram histogram::read(detail::frame_reader& reader) {
    histogram result{std::string(reader.name())};
    const std::uint64_t count = reader.get_u64("the count");
    const std::uint64_t zeros = reader.get_u64("the count of zeros");
    const float min = reader.get_float("min");
    const float max = reader.get_float("max");
    const std::int32_t lowest = detail::ordered_key(min);
    const std::int32_t highest = detail::ordered_key(max);
    if (!detail::is_value_range(min, max))
        reader.fail("[", min, ", ", max, "] is not a range of values");
    if (count == 0 && (zeros != 0 || lowest != 0 || highest != 0))
        reader.fail("no values, but ", zeros, " zeros in [", min, ", ", max, "]");
    if (zeros > count || (zeros != 0 && (lowest > 0 || highest < 0)))
        reader.fail(zeros, " zeros among ", count, " values in [", min, ", ", max, "]");
    if (count != 0 && zeros == 0 && (lowest == 0 || highest == 0))
        reader.fail("no zero among ", count, " values, but one end of [", min, ", ", max, "] is 0");
    if (count == 0)
        return result;
    const detail::bin_layout layout = detail::bin_layout::of(lowest, highest);
    const auto [first, last] = occupied(layout, min, max);
    if (reader.remaining() / 8 < last - first)
        reader.fail("the payload has ", reader.remaining() / 8, " counts for ", last - first, " bins");
    result.counts_.resize(bin_count + 1);
    result.counts_[detail::zero_slot] = zeros;
    std::uint64_t rest = count - zeros;
    for (std::uint32_t bin = first; bin < last; ++bin) {
        const std::uint64_t n = reader.get_u64("the counts");
        if (n > rest)
            reader.fail("the counts of the bins exceed ", count - zeros, ", the number of values that are not 0");
        rest -= n;
        result.counts_[bin] = n;
    }
    if (rest != 0)
        reader.fail("the counts of the bins are ", rest, " below ", count - zeros,
                    ", the number of values that are not 0");
    if ((lowest != 0 && result.counts_[first] == 0) || (highest != 0 && result.counts_[last - 1] == 0))
        reader.fail("the bin of an end of [", min, ", ", max, "] is empty");
    if (count == 1 && lowest != highest)
        reader.fail("one value, but the two ends ", min, " and ", max);
    result.layout_ = layout;
    result.count_ = count;
    result.min_ = min;
    result.max_ = max;
    return result;
}

} // namespace notch

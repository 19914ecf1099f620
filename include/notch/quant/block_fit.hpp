/// @file
/// What fitting asks of the data of a block: its range, and the square error of a candidate scale.
///
/// As with the walks of quantize.hpp, nothing here depends on the quantizer but its rounding rule and
/// code type. Ranges are exact whatever the order of the work; square errors are sums of doubles in
/// the order of the codes, by one task.
#pragma once

#include <notch/core/executor.hpp>
#include <notch/quant/block_map.hpp>
#include <notch/quant/quantize.hpp>
#include <notch/quant/row_plan.hpp>
#include <notch/quant/zero_point.hpp>
#include <notch/simd/elementwise.hpp>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <string_view>
#include <vector>

namespace notch::detail {

/// The smallest range that holds two. Compared as doubles: flush-to-zero would lose denormal ends.
[[nodiscard]] constexpr value_range hull(value_range a, value_range b) noexcept {
    return {exact_double(b.min) < exact_double(a.min) ? b.min : a.min,
            exact_double(b.max) > exact_double(a.max) ? b.max : a.max};
}

/// Gathers the ranges of consecutive blocks that one task meets and hands them over when it moves on.
class range_collector {
public:
    range_collector(std::vector<value_range>& ranges, std::atomic_flag& taken) : ranges_(ranges), taken_(taken) {}
    range_collector(const range_collector&) = delete;
    range_collector& operator=(const range_collector&) = delete;
    ~range_collector() { flush(); }

    /// Widens the range of a block. A block that neither follows the last one met nor was met since the last
    /// hand-over starts a new hand-over.
    void widen(std::size_t block, value_range seen) {
        if (block < first_ || block > first_ + local_.size() || (block == first_ + local_.size() && is_full()))
            flush();
        if (local_.empty())
            first_ = block;
        if (block == first_ + local_.size())
            local_.push_back(nothing);
        value_range& range = local_[block - first_];
        range = hull(range, seen);
    }

    /// The range of no value at all.
    static constexpr value_range nothing{std::numeric_limits<float>::max(), std::numeric_limits<float>::lowest()};

private:
    [[nodiscard]] bool is_full() const noexcept { return local_.size() >= 4096; }

    void flush() {
        const spin_guard guard(taken_);
        for (std::size_t i = 0; i < local_.size(); ++i)
            ranges_[first_ + i] = hull(ranges_[first_ + i], local_[i]);
        local_.clear();
    }

    std::vector<value_range>& ranges_;
    std::atomic_flag& taken_;
    std::size_t first_ = 0;
    std::vector<value_range> local_;
};

/// The range of the values of every block; raises range_error for the first NaN or infinity.
template <class Arch, std::size_t Rank>
[[nodiscard]] std::vector<value_range> block_ranges(const row_access<const float, Rank>& access,
                                                    const row_plan<Rank>& plan, std::string_view name,
                                                    executor_ref run) {
    std::vector<value_range> ranges(plan.grid.count, range_collector::nothing);
    std::atomic_flag taken{};
    plan.for_each_piece(run, [&] {
        return [&, collector = range_collector(ranges, taken)](std::size_t row, std::size_t begin,
                                                               std::size_t end) mutable {
            for_each_contiguous(access, row, begin, end, [&](const float* x, std::size_t from, std::size_t to) {
                plan.for_each_segment(row, from, to, [&](std::size_t block, std::size_t j, std::size_t stop) {
                    value_range seen = range_collector::nothing;
                    if (!simd::min_max_run<Arch>(x + (j - from), stop - j, seen.min, seen.max))
                        raise_non_finite(access, plan, row, j, stop, name);
                    collector.widen(block, seen);
                });
            });
        };
    });
    return ranges;
}

/// Sum of squares of x - scale * (code - zero) over a run of at most gather_length elements, in a fixed order.
template <class Arch, rounding Rule, class Code>
[[nodiscard]] double square_error(const float* x, std::size_t count, const block_map& map, code_range codes,
                                  std::uint64_t seed, std::size_t first) noexcept {
    const simd::quantize_step step = simd::quantize_step::of(map.scale, map.zero_point, codes);
    std::array<Code, gather_length> quantized;
    std::array<double, 8> sums{};
    static_cast<void>(
        quantize_one_step<Arch, Rule>(x, count, step, seed, first, quantized.data(), simd::write_path::through_caches));
    const auto add = [&](std::size_t i, std::size_t sum) {
        const double back = map.scale * static_cast<double>(static_cast<std::int32_t>(quantized[i]) - map.zero_point);
        const double difference = static_cast<double>(x[i]) - back;
        sums[sum] += difference * difference;
    };
    std::size_t i = 0;
    for (; i + 8 <= count; i += 8)
        for (std::size_t sum = 0; sum < 8; ++sum)
            add(i + sum, sum);
    for (; i < count; ++i)
        add(i, i % 8);
    return ((sums[0] + sums[1]) + (sums[2] + sums[3])) + ((sums[4] + sums[5]) + (sums[6] + sums[7]));
}

/// Adds the square error of every candidate over a block to `errors`.
template <class Arch, rounding Rule, class Code, std::size_t Rank>
void add_square_errors(const row_access<const float, Rank>& access, const row_plan<Rank>& plan, std::size_t block,
                       std::span<const block_map> candidates, code_range codes, std::uint64_t seed,
                       std::span<double> errors) {
    plan.for_each_row_of_block(block, [&](std::size_t row, std::size_t begin, std::size_t end) {
        for_each_contiguous(access, row, begin, end, [&](const float* x, std::size_t from, std::size_t to) {
            for (std::size_t j = from; j < to; j += gather_length)
                for (std::size_t i = 0; i < candidates.size(); ++i)
                    errors[i] += square_error<Arch, Rule, Code>(x + (j - from), std::min(gather_length, to - j),
                                                                candidates[i], codes, seed, row * plan.length + j);
        });
    });
}

} // namespace notch::detail

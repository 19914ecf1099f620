/// @file
/// How an observer reads a tensor: blocks of floats, looked at as integers.
///
/// The bits of a finite float, negative ones with their lower 31 bits inverted, are an int32 that
/// sorts like the float: its key.
///
///     x          -inf        -FLT_MAX    -0   +0   2^-149   FLT_MAX     +inf
///     key(x)     -2139095041 -2139095040 -1    0      1     2139095039  2139095040
///
/// So one pass of integer minima and maxima finds the ends of a tensor and tells whether every value
/// is finite. Neither -ffast-math nor flush-to-zero can change it, and denormals keep their order.
///
/// Cost: a tensor without gaps is read in place whatever the order of its axes, at the speed of memory;
/// any other is gathered into blocks of 1,024 values on the stack. Nothing is allocated.
#pragma once

#include <notch/core/config.hpp>
#include <notch/core/error.hpp>
#include <notch/core/int_math.hpp>
#include <notch/core/tensor_view.hpp>
#include <notch/quant/zero_point.hpp>

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <numeric>
#include <string_view>
#include <utility>

namespace notch::detail {

/// Values that are looked at together; a full block has a constant length, which lets -O2 vectorize.
inline constexpr std::size_t observed_block = 1024;

/// The int32 that sorts like the float, see above.
[[nodiscard]] NOTCH_INLINE std::int32_t ordered_key(float x) noexcept {
    const auto bits = std::bit_cast<std::int32_t>(x);
    return bits ^ ((bits >> 31) & 0x7fff'ffff);
}

/// The float of a key.
[[nodiscard]] constexpr float float_of_key(std::int32_t key) noexcept {
    return std::bit_cast<float>(key ^ ((key >> 31) & 0x7fff'ffff));
}

/// The bits of |x|, from the key of x.
[[nodiscard]] constexpr std::uint32_t magnitude_of_key(std::int32_t key) noexcept {
    return static_cast<std::uint32_t>(key < 0 ? ~key : key);
}

/// Key of the smallest finite float.
inline constexpr std::int32_t lowest_finite_key = -0x7f80'0000;
/// Key of the largest finite float.
inline constexpr std::int32_t highest_finite_key = 0x7f7f'ffff;

/// The float nearest to a double, also a denormal one where flush-to-zero is on. Precondition: no overflow.
[[nodiscard]] constexpr float exact_float(double x) noexcept {
    const double magnitude = x < 0 ? -x : x;
    if (!(magnitude < 0x1p-126))
        return static_cast<float>(x);
    const auto bits = static_cast<std::uint32_t>(magnitude * 0x1p149 + 0.5);
    return std::bit_cast<float>(bits | (x < 0 ? 0x8000'0000U : 0U));
}

/// The float nearest to a double, but never outside [lowest, highest], also where flush-to-zero is on.
/// Precondition: lowest <= highest, both finite.
[[nodiscard]] inline float nearest_float_within(double x, float lowest, float highest) noexcept {
    const double clamped = std::clamp(x, exact_double(lowest), exact_double(highest));
    const std::int32_t key = ordered_key(exact_float(clamped));
    const float result = float_of_key(std::clamp(key, ordered_key(lowest), ordered_key(highest)));
    return std::bit_cast<std::uint32_t>(result) == 0x8000'0000U ? 0.0F : result;
}

/// The part of the range [min, max] that lies within [-threshold, threshold]. Precondition: min <= max, threshold >= 0.
[[nodiscard]] inline value_range clipped_range(float min, float max, double threshold) noexcept {
    return {nearest_float_within(-threshold, min, max), nearest_float_within(threshold, min, max)};
}

/// The smallest and the largest key seen.
struct key_range {
    std::int32_t lowest = std::numeric_limits<std::int32_t>::max();
    std::int32_t highest = std::numeric_limits<std::int32_t>::min();

    /// True where every value seen was finite.
    [[nodiscard]] constexpr bool is_finite() const noexcept {
        return lowest >= lowest_finite_key && highest <= highest_finite_key;
    }
};

/// Widens a range of keys by `count` values. The copies in registers are what the loop vectorizes over.
NOTCH_INLINE void widen(key_range& range, const float* x, std::size_t count) noexcept {
    std::int32_t lowest = range.lowest;
    std::int32_t highest = range.highest;
    for (std::size_t i = 0; i < count; ++i) {
        const std::int32_t key = ordered_key(x[i]);
        lowest = key < lowest ? key : lowest;
        highest = key > highest ? key : highest;
    }
    range = {lowest, highest};
}

/// Steps a multi-index in row-major order over all axes but the last `fixed`; false at the end.
template <std::size_t Rank>
[[nodiscard]] constexpr bool next_index(extents<Rank>& index, const extents<Rank>& shape, std::size_t fixed) noexcept {
    for (std::size_t axis = Rank - fixed; axis-- > 0;) {
        if (++index[axis] < shape[axis])
            return true;
        index[axis] = 0;
    }
    return false;
}

/// The first element of the row (or the element) at an index.
template <std::size_t Rank>
[[nodiscard]] constexpr const float* element_at(const strided_view<const float, Rank>& view,
                                                const extents<Rank>& index) {
    std::ptrdiff_t offset = 0;
    for (std::size_t axis = 0; axis < Rank; ++axis)
        offset += static_cast<std::ptrdiff_t>(index[axis]) * view.stride(axis);
    return view.data() + offset;
}

/// The same elements with the axes in the order of falling strides: a transposed tensor is read as it lies in memory.
template <std::size_t Rank>
[[nodiscard]] strided_view<const float, Rank> in_memory_order(const strided_view<const float, Rank>& view) {
    const auto step = [&view](std::size_t axis) { // unsigned: an axis of extent 1 may have any stride
        const auto bits = static_cast<std::size_t>(view.stride(axis));
        return view.stride(axis) < 0 ? std::size_t{0} - bits : bits;
    };
    std::array<std::size_t, Rank> axes{};
    std::iota(axes.begin(), axes.end(), std::size_t{0});
    for (std::size_t end = Rank; end > 1; --end) // at most a handful of axes
        for (std::size_t i = 0; i + 1 < end; ++i)
            if (step(axes[i]) < step(axes[i + 1]))
                std::swap(axes[i], axes[i + 1]);
    extents<Rank> shape{};
    strides<Rank> steps{};
    for (std::size_t i = 0; i < Rank; ++i) {
        shape[i] = view.extent(axes[i]);
        steps[i] = view.stride(axes[i]);
    }
    return {view.data(), shape, steps};
}

/// Calls body(first, count) for blocks of at most 1,024 contiguous floats that together hold every element
/// once, in row-major order. Only the last block is shorter than the others.
template <std::size_t Rank, class Body>
void for_each_block(const strided_view<const float, Rank>& view, const Body& body) noexcept {
    const std::size_t size = view.size();
    if (view.is_contiguous()) {
        for (std::size_t done = 0; done < size; done += observed_block)
            body(view.data() + done, std::min(observed_block, size - done));
        return;
    }
    if (size == 0)
        return;
    std::array<float, observed_block> block;
    std::size_t filled = 0;
    extents<Rank> index{};
    do {
        const float* row = element_at<Rank>(view, index);
        for (std::size_t i = 0; i < view.extent(Rank - 1); ++i) {
            block[filled++] = row[static_cast<std::ptrdiff_t>(i) * view.stride(Rank - 1)];
            if (filled == observed_block) {
                body(block.data(), observed_block);
                filled = 0;
            }
        }
    } while (next_index<Rank>(index, view.shape(), 1));
    if (filled != 0)
        body(block.data(), filled);
}

/// Raises the range_error for the first value, in row-major order, that is not finite.
/// Precondition: there is one.
template <std::size_t Rank>
[[noreturn]] NOTCH_COLD void raise_non_finite(const strided_view<const float, Rank>& view, std::string_view name) {
    extents<Rank> index{};
    while (!is_non_finite(*element_at<Rank>(view, index)) && next_index<Rank>(index, view.shape(), 0)) {
    }
    const auto bits = std::bit_cast<std::uint32_t>(*element_at<Rank>(view, index));
    const char* word = (bits & 0x7f'ffffU) != 0 ? "NaN" : (bits >> 31) != 0 ? "-infinity" : "infinity";
    raise<range_error>(quoted(name), ": the value at ", index, " is ", word, "; observers take finite values only");
}

/// The smallest and the largest key of a tensor with at least one element; -0 counts as 0.
/// Raises range_error with the name and the index of the first value that is not finite.
template <std::size_t Rank>
[[nodiscard]] key_range scan(const strided_view<const float, Rank>& view, std::string_view name) {
    key_range range;
    for_each_block(in_memory_order(view), [&range](const float* x, std::size_t count) {
        if (count == observed_block)
            widen(range, x, observed_block);
        else
            widen(range, x, count);
    });
    if (!range.is_finite())
        raise_non_finite(view, name);
    range.lowest = range.lowest == -1 ? 0 : range.lowest;
    range.highest = range.highest == -1 ? 0 : range.highest;
    return range;
}

} // namespace notch::detail

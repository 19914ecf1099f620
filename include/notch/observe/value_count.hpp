/// @file
/// What all observers do with a tensor before they count it, and with the number of values they have seen.
#pragma once

#include <notch/core/error.hpp>
#include <notch/core/tensor_view.hpp>
#include <notch/observe/scan.hpp>

#include <cstddef>
#include <cstdint>
#include <limits>
#include <string_view>

namespace notch::detail {

/// Raises the state_error of `call`, which needs data, where there is none.
inline void require_values(std::uint64_t count, std::string_view name, std::string_view call) {
    if (count == 0)
        raise<state_error>(quoted(name), ": ", call,
                           " was called before any value was seen; call observe() with a tensor first");
}

/// The sum of two counts of values; raises range_error where it leaves 64 bits.
[[nodiscard]] inline std::uint64_t checked_count(std::uint64_t seen, std::uint64_t more, std::string_view name) {
    constexpr std::uint64_t limit = std::numeric_limits<std::uint64_t>::max();
    if (more > limit - seen)
        raise<range_error>(quoted(name), ": ", seen, " values seen and ", more, " more; the limit is ", limit);
    return seen + more;
}

/// True where both are finite floats, min <= max and neither is -0.
[[nodiscard]] inline bool is_value_range(float min, float max) noexcept {
    const std::int32_t lowest = ordered_key(min);
    const std::int32_t highest = ordered_key(max);
    return key_range{lowest, highest}.is_finite() && lowest <= highest && lowest != -1 && highest != -1;
}

/// A tensor that an observer is shown.
template <std::size_t Rank> struct batch {
    strided_view<const float, Rank> view; ///< its elements
    std::string_view name;                ///< what stands in messages
    key_range ends;                       ///< the keys of its ends, where it has elements

    /// True for a tensor without elements, which leaves an observer as it is.
    [[nodiscard]] bool is_empty() const noexcept { return view.size() == 0; }
};

/// Looks at a tensor. Its name is `given`, or where that is empty the observer's own. Raises range_error for NaN or
/// infinity, with the index of the first one.
template <viewable_as<float> Tensor>
[[nodiscard]] batch<view_of<const Tensor>::rank> batch_of(const Tensor& tensor, std::string_view given,
                                                          std::string_view own) {
    batch<view_of<const Tensor>::rank> result{as_view(tensor), given.empty() ? own : given, {}};
    if (!result.is_empty())
        result.ends = scan(result.view, result.name);
    return result;
}

} // namespace notch::detail

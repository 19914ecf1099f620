/// @file
/// Stages of a namespace of its own, in both forms, and what they give in plain numbers.
#pragma once

#include <notch/core/error.hpp>
#include <notch/core/rounding.hpp>
#include <notch/epilogue/stage.hpp>

#include <cstddef>
#include <cstdint>
#include <vector>

namespace engine {

/// The same for every output, no prepare: a leaky ReLU with a slope of 2^-3.
struct leaky {
    template <notch::simd::lane Lane> Lane operator()(Lane x) const {
        return notch::simd::lane_max(x, Lane(std::int32_t{0})) +
               notch::nearest_even::shift_right(notch::simd::lane_min(x, Lane(std::int32_t{0})), 3);
    }
};

/// Per output and row, with a prepare that follows the range: adds 1000 * row + offset[column].
struct add_place {
    std::vector<std::int32_t> offset{};

    void prepare(notch::epilogue_problem& problem) {
        if (offset.size() != problem.columns)
            throw notch::shape_error("engine: wrong number of offsets");
        problem.highest += 1000 * static_cast<std::int64_t>(problem.rows) + 100;
        problem.lowest -= 100;
    }
    template <notch::simd::lane Lane> auto at(const notch::column_site<Lane>& site) const {
        const Lane c = site.each(offset.data());
        return [c](Lane x, std::size_t row) { return x + c + Lane(static_cast<std::int32_t>(1000 * row)); };
    }
};

/// An offset per column for add_place.
inline std::vector<std::int32_t> offsets(std::size_t columns) {
    std::vector<std::int32_t> list;
    for (std::size_t c = 0; c < columns; ++c)
        list.push_back(static_cast<std::int32_t>(c * 7 % 200) - 100);
    return list;
}

} // namespace engine

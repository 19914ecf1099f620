// min_max: exact ends.
#include "catch.hpp"
#include "observe/support.hpp"

#include <notch/observe/min_max.hpp>

#include <algorithm>
#include <cfloat>
#include <cstddef>
#include <limits>

using namespace observe_test;
using notch::min_max;
using notch::value_range;

namespace {

min_max seen_in(const std::vector<float>& values) {
    min_max seen;
    seen.observe(values);
    return seen;
}

} // namespace

TEST_CASE("min_max finds the ends wherever they stand") {
    for (const std::size_t count : {1U, 2U, 1023U, 1024U, 1025U, 4000U}) {
        const std::vector<float> noise = normal_values(count, count);
        for (const std::size_t place : {std::size_t{0}, count / 2, count - 1}) {
            std::vector<float> values = noise;
            values[place] = 50.0F;
            CHECK(seen_in(values).range() == value_range{*std::min_element(values.begin(), values.end()), 50.0F});
            values[place] = -50.0F;
            CHECK(seen_in(values).range() == value_range{-50.0F, *std::max_element(values.begin(), values.end())});
        }
    }
}

TEST_CASE("min_max keeps the extremes of the floats apart") {
    CHECK(seen_in({-FLT_MAX, FLT_MAX}).range() == value_range{-FLT_MAX, FLT_MAX});
    const value_range tiny = seen_in({from_bits(3), from_bits(1), from_bits(2)}).range();
    CHECK(std::bit_cast<std::uint32_t>(tiny.min) == 1U);
    CHECK(std::bit_cast<std::uint32_t>(tiny.max) == 3U);
    const value_range zero = seen_in({-0.0F}).range();
    CHECK(std::bit_cast<std::uint32_t>(zero.min) == 0U);
    CHECK(std::bit_cast<std::uint32_t>(zero.max) == 0U);
    const value_range below = seen_in({from_bits(0x8000'0001U), from_bits(0x8000'0002U)}).range();
    CHECK(std::bit_cast<std::uint32_t>(below.min) == 0x8000'0002U);
    CHECK(std::bit_cast<std::uint32_t>(below.max) == 0x8000'0001U);
}

TEST_CASE("min_max does not widen a one-sided range") {
    CHECK(seen_in({2.0F, 3.0F}).range() == value_range{2.0F, 3.0F});
    CHECK(seen_in({-2.0F, -3.0F}).range() == value_range{-3.0F, -2.0F});
}

TEST_CASE("min_max takes any stride along an axis of extent 1") {
    std::vector<float> values = normal_values(3, 12);
    constexpr std::ptrdiff_t lowest = std::numeric_limits<std::ptrdiff_t>::min();
    constexpr std::ptrdiff_t highest = std::numeric_limits<std::ptrdiff_t>::max();
    min_max seen;
    seen.observe(notch::strided_view<float, 4>(values.data() + 11, {1, 3, 1, 4}, {lowest, -4, highest, -1}));
    CHECK(seen == seen_in(values));
}

TEST_CASE("min_max counts and merges") {
    min_max seen = seen_in({1.0F, 2.0F});
    seen.observe(std::vector<float>{-4.0F});
    CHECK(seen.count() == 3);
    min_max other = seen_in({9.0F});
    other.merge(seen);
    CHECK(other == seen_in({9.0F, 1.0F, 2.0F, -4.0F}));
    CHECK(other.range() == value_range{-4.0F, 9.0F});
    CHECK_FALSE(other == seen);
}

// moving_average: the recursion, its order, merging as "my batches, then yours".
#include "catch.hpp"
#include "observe/support.hpp"

#include <notch/observe/moving_average.hpp>

#include <algorithm>

using namespace observe_test;
using notch::moving_average;
using notch::value_range;

namespace {

using batches = std::vector<std::vector<float>>;

moving_average average_of(double momentum, const batches& list) {
    moving_average seen(momentum);
    for (const std::vector<float>& batch : list)
        seen.observe(batch);
    return seen;
}

batches random_batches(std::uint64_t seed, std::size_t count) {
    numbers source(seed);
    batches list(count);
    for (std::vector<float>& batch : list) {
        batch.resize(1 + source.below(20));
        for (float& x : batch)
            x = static_cast<float>(10 * source.normal());
    }
    return list;
}

} // namespace

TEST_CASE("the first batch initialises, later ones are averaged in") {
    // m = 1/2: (0, 8); then ((0 - 4) / 2, (8 + 4) / 2) = (-2, 6); then ((-2 + 2) / 2, (6 + 2) / 2) = (0, 4)
    moving_average seen(0.5);
    seen.observe(std::vector<float>{0.0F, 8.0F, 3.0F});
    CHECK(seen.range() == value_range{0.0F, 8.0F});
    seen.observe(std::vector<float>{4.0F, -4.0F});
    CHECK(seen.range() == value_range{-2.0F, 6.0F});
    seen.observe(std::vector<float>{2.0F});
    CHECK(seen.range() == value_range{0.0F, 4.0F});
    CHECK(seen.batches() == 3);
    CHECK(seen.count() == 6);
    // m = 3/4 weighs the past: 3/4 x 8 + 1/4 x 4 = 7
    CHECK(average_of(0.75, {{8.0F}, {4.0F}}).range() == value_range{7.0F, 7.0F});
    // m = 0 forgets it
    CHECK(average_of(0.0, {{8.0F}, {4.0F}}).range() == value_range{4.0F, 4.0F});
}

TEST_CASE("a batch without elements is no batch") {
    moving_average seen = average_of(0.5, {{8.0F}, {}, {4.0F}, {}});
    CHECK(seen.batches() == 2);
    CHECK(seen.range() == value_range{6.0F, 6.0F});
}

TEST_CASE("order and split matter, as documented") {
    CHECK_FALSE(average_of(0.5, {{8.0F}, {4.0F}, {0.0F}}).range() == average_of(0.5, {{0.0F}, {4.0F}, {8.0F}}).range());
    CHECK_FALSE(average_of(0.5, {{8.0F}, {4.0F}}).range() == average_of(0.5, {{8.0F, 4.0F}}).range());
}

TEST_CASE("merging equals observing the batches of the other afterwards, up to rounding") {
    for (const double momentum : {0.0, 0.5, 0.9, 0.99})
        for (std::uint64_t seed = 0; seed < 20; ++seed) {
            const batches first = random_batches(seed, seed % 4 == 0 ? 0 : seed);
            const batches second = random_batches(1000 + seed, seed % 5 == 0 ? 0 : 2 * seed);
            batches both = first;
            both.insert(both.end(), second.begin(), second.end());
            if (both.empty())
                continue;
            moving_average merged = average_of(momentum, first);
            merged.merge(average_of(momentum, second));
            const moving_average expected = average_of(momentum, both);
            CHECK(merged.batches() == expected.batches());
            CHECK(merged.count() == expected.count());
            // All ends are below 60: a float near 60 has a unit in the last place of 2^-18.
            CHECK(std::abs(merged.range().min - expected.range().min) <= power(-18));
            CHECK(std::abs(merged.range().max - expected.range().max) <= power(-18));
        }
}

TEST_CASE("merging is associative up to rounding and not commutative") {
    const moving_average a = average_of(0.9, random_batches(1, 4));
    const moving_average b = average_of(0.9, random_batches(2, 7));
    const moving_average c = average_of(0.9, random_batches(3, 3));
    moving_average left = a;
    left.merge(b);
    const moving_average ab = left;
    left.merge(c);
    moving_average bc = b;
    bc.merge(c);
    moving_average right = a;
    right.merge(bc);
    CHECK(std::abs(left.range().max - right.range().max) <= power(-18));
    moving_average ba = b;
    ba.merge(a);
    CHECK_FALSE(ab.range() == ba.range());

    moving_average twice = average_of(0.5, {{8.0F}, {4.0F}}); // 8 4 8 4: 6, 7, 5.5
    twice.merge(twice);
    CHECK(twice.range() == value_range{5.5F, 5.5F});
}

TEST_CASE("the average never leaves the floats") {
    const float largest = from_bits(0x7f7f'ffffU);
    const moving_average seen = average_of(0.9, batches(50, {largest, -largest}));
    CHECK(seen.range() == value_range{-largest, largest});
}

TEST_CASE("rounding of a merge cannot turn the range around") {
    const double momentum = 1 - 0x1p-53;
    const auto merged = [&](const std::vector<float>& start, float constant, int batches,
                            const std::vector<float>& mine) {
        moving_average other(momentum);
        other.observe(start);
        for (int i = 0; i < batches; ++i)
            other.observe(std::vector<float>{constant});
        moving_average result(momentum, "conv1");
        result.observe(mine);
        result.merge(other);
        return result;
    };
    for (const moving_average& average : {merged({-6419.78F, -18686.7F}, 128.17F, 6, {128.17F}),
                                          merged({2.9e15F, 1.587F}, -579738.4F, 5, {-579738.4F})}) {
        CHECK(average.range().min <= average.range().max);
        CHECK(moving_average::deserialize(average.serialize()) == average);
    }
}

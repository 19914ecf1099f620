// percentile: quantiles by hand, bounds against sorted data.
#include "catch.hpp"
#include "observe/support.hpp"

#include <notch/observe/percentile.hpp>

#include <algorithm>

using namespace observe_test;
using namespace notch;

using s8 = quantizer<bits<8>>;
using a8 = quantizer<bits<8, unsigned_codes>, per_tensor, real_scale, nearest_even, affine>;

namespace {

template <class Q> value_range range_of(double percent, const std::vector<float>& values) {
    percentile seen(percent);
    seen.observe(values);
    return calibrated_range<Q>(seen);
}

std::vector<float> integers(int first, int last) {
    std::vector<float> values;
    for (int i = first; i <= last; ++i)
        values.push_back(static_cast<float>(i));
    return values;
}

} // namespace

TEST_CASE("percentile interpolates inside a bin") {
    // 1 .. 100 in bins of 2^7 / 4096 = 1/32, each alone at the lower end of its bin.
    const std::vector<float> values = integers(1, 100);
    const float bin = 1.0F / 32;
    // Rank 90 is reached at the end of the bin of 90, rank 89.5 in its middle.
    CHECK(range_of<s8>(90, values) == value_range{1.0F, 90.0F + bin});
    CHECK(range_of<s8>(89.5, values) == value_range{1.0F, 89.0F + 1.0F + bin / 2});
    // Affine: ranks 5 and 95.
    CHECK(range_of<a8>(90, values) == value_range{5.0F + bin, 95.0F + bin});
    // Two values in one bin: rank 1 of 2 in [1, 1 + 2^-11).
    CHECK(range_of<s8>(50, {1.0F, 1.0F + power(-12)}).max == 1.0F + power(-12));
}

TEST_CASE("percentile counts zeros as values") {
    std::vector<float> values = integers(1, 100);
    values.insert(values.end(), 900, 0.0F);
    CHECK(range_of<s8>(90, values) == value_range{0.0F, 0.0F});
    CHECK(range_of<s8>(95, values) == value_range{0.0F, 50.0F + 1.0F / 32});
    CHECK(range_of<a8>(90, values) == value_range{0.0F, 50.0F + 1.0F / 32}); // ranks 50 and 950
    CHECK(range_of<a8>(70, values) == value_range{0.0F, 0.0F});              // ranks 150 and 850
}

TEST_CASE("percentile cuts both tails of signed data") {
    // -100 .. 100 in bins of 2^7 / 2048 = 1/16; a negative integer stands at the upper end of its bin.
    const std::vector<float> values = integers(-100, 100); // 201 values
    const double percent = 100.0 * 181 / 201;              // ranks 10 and 191
    const value_range affine_range = range_of<a8>(percent, values);
    CHECK(affine_range.min == Approx(-91.0));           // the tenth value, -91, is reached at the end of its bin
    CHECK(affine_range.max == Approx(90.0 + 1.0 / 16)); // the 191st value is 90
    // |x|: one zero and every magnitude twice, so rank 181 is reached at the end of the bin of 90.
    const value_range symmetric_range = range_of<s8>(percent, values);
    CHECK(symmetric_range.max == Approx(90.0 + 1.0 / 16));
    CHECK(symmetric_range.min == -symmetric_range.max);
    // Negative data only.
    CHECK(range_of<a8>(90, integers(-100, -1)) == value_range{-96.0F, -6.0F}); // ranks 5 and 95
    CHECK(range_of<s8>(90, integers(-100, -1)) == value_range{-90.0F - 1.0F / 32, -1.0F});
}

TEST_CASE("100 per cent is min and max exactly") {
    for (const std::vector<float>& values :
         {normal_values(1, 5000), relu(normal_values(2, 5000)), normal_values(3, 777, 1e-3, -5.0), integers(3, 9)}) {
        const value_range ends{*std::min_element(values.begin(), values.end()),
                               *std::max_element(values.begin(), values.end())};
        CHECK(range_of<a8>(100, values) == ends);
        CHECK(range_of<s8>(100, values) == ends);
    }
}

TEST_CASE("percentile is within one bin of the value of that rank and within the ends") {
    for (std::uint64_t seed = 0; seed < 6; ++seed) {
        std::vector<float> values = normal_values(seed, 4000 + 13 * seed, 1.0, seed % 2 == 0 ? 0.0 : 3.0);
        if (seed % 3 == 2)
            values = relu(values);
        std::vector<float> sorted = values;
        std::sort(sorted.begin(), sorted.end());
        std::vector<float> magnitudes = values;
        for (float& x : magnitudes)
            x = std::fabs(x);
        std::sort(magnitudes.begin(), magnitudes.end());
        const double width = static_cast<double>(magnitudes.back()) / 1024;
        const auto count = static_cast<double>(values.size());
        const auto of_rank = [](const std::vector<float>& list, double rank) {
            const auto index = static_cast<std::size_t>(std::max(0.0, std::ceil(rank - 1e-9) - 1));
            return static_cast<double>(list.at(index));
        };
        for (const double percent : {0.01, 10.0, 50.0, 90.0, 99.0, 99.9, 99.99}) {
            INFO("seed " << seed << ", " << percent << " %");
            const value_range tails = range_of<a8>(percent, values);
            CHECK(std::fabs(static_cast<double>(tails.min) - of_rank(sorted, count * (100 - percent) / 200)) <= width);
            CHECK(std::fabs(static_cast<double>(tails.max) - of_rank(sorted, count * (100 + percent) / 200)) <= width);
            CHECK(tails.min >= sorted.front());
            CHECK(tails.max <= sorted.back());
            CHECK(tails.min <= tails.max);
            const double threshold = of_rank(magnitudes, count * percent / 100);
            const value_range around = range_of<s8>(percent, values);
            const auto expected_max =
                std::clamp(threshold, static_cast<double>(sorted.front()), static_cast<double>(sorted.back()));
            const auto expected_min =
                std::clamp(-threshold, static_cast<double>(sorted.front()), static_cast<double>(sorted.back()));
            CHECK(std::fabs(static_cast<double>(around.max) - expected_max) <= width);
            CHECK(std::fabs(static_cast<double>(around.min) - expected_min) <= width);
        }
    }
}

TEST_CASE("percentile drops an outlier") {
    std::vector<float> values = normal_values(4, 100000);
    values[17] = 1e30F;
    // All other values share the lowest bin, 1e30 / 2^12 wide: the result says no more than that.
    CHECK(range_of<s8>(99.99, values).max <= 1e27F);
    values[17] = 100.0F;
    CHECK(range_of<s8>(99.99, values).max < 4.5F);
    CHECK(range_of<s8>(100, values).max == 100.0F);
}

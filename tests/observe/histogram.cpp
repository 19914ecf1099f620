// The histogram: bins, exactness, independence of order, degenerate tensors, errors.
#include "catch.hpp"
#include "observe/support.hpp"

#include <notch/observe/histogram.hpp>

#include <array>
#include <cfloat>
#include <map>
#include <numeric>

using namespace observe_test;
using notch::histogram;

namespace {

/// A histogram by its definition: bins in a map, found by division in doubles. For values without denormals.
struct reference_histogram {
    int width_exponent = 0;
    std::size_t origin = 0;
    std::map<std::size_t, std::uint64_t> bins;
    std::uint64_t zeros = 0;

    explicit reference_histogram(const std::vector<float>& values) {
        double largest = 0;
        bool below = false;
        bool above = false;
        for (const float x : values) {
            largest = std::max(largest, std::fabs(static_cast<double>(x)));
            below = below || x < 0;
            above = above || x > 0;
        }
        int exponent = -140;
        while (std::ldexp(1.0, exponent) <= largest)
            ++exponent;
        width_exponent = exponent - (below && above ? 11 : 12);
        origin = below ? (above ? 2048U : 4096U) : 0U;
        const double width = std::ldexp(1.0, width_exponent);
        for (const float x : values) {
            const auto distance = static_cast<std::size_t>(std::floor(std::fabs(static_cast<double>(x)) / width));
            if (x < 0)
                ++bins[origin - 1 - distance];
            else if (x > 0)
                ++bins[origin + distance];
            else
                ++zeros;
        }
    }
};

void check_equal(const histogram& seen, const reference_histogram& expected) {
    CHECK(seen.width_exponent() == expected.width_exponent);
    CHECK(seen.origin() == expected.origin);
    CHECK(seen.zeros() == expected.zeros);
    REQUIRE(seen.bins().size() == 4096);
    std::size_t different = 0;
    for (std::size_t bin = 0; bin < 4096; ++bin) {
        const auto found = expected.bins.find(bin);
        different += static_cast<std::size_t>(seen.bins()[bin] != (found == expected.bins.end() ? 0 : found->second));
    }
    CHECK(different == 0);
}

histogram histogram_of(const std::vector<float>& values) {
    histogram seen;
    seen.observe(values);
    return seen;
}

/// Values over many magnitudes, with zeros of both signs; one side only where `sides` is not 0.
std::vector<float> wild_values(std::uint64_t seed, std::size_t count, int sides) {
    numbers source(seed);
    std::vector<float> values(count);
    for (float& x : values) {
        const double magnitude = std::ldexp(1.0 + source.uniform(), static_cast<int>(source.below(60)) - 30);
        const bool negative = sides < 0 || (sides == 0 && source.below(2) == 0);
        x = static_cast<float>(negative ? -magnitude : magnitude);
        if (source.below(20) == 0)
            x = source.below(2) == 0 ? 0.0F : -0.0F;
    }
    return values;
}

} // namespace

TEST_CASE("every count of a histogram equals its definition") {
    for (const std::size_t count : {1U, 5U, 1023U, 1024U, 1025U, 5000U})
        for (const int sides : {-1, 0, 1}) {
            const std::vector<float> values = wild_values(count + static_cast<std::size_t>(sides + 1), count, sides);
            INFO(count << " values, sides " << sides);
            check_equal(histogram_of(values), reference_histogram(values));
        }
    const std::vector<float> dense = normal_values(3, 20000);
    check_equal(histogram_of(dense), reference_histogram(dense));
    check_equal(histogram_of(relu(dense)), reference_histogram(relu(dense)));
}

TEST_CASE("count, zeros, min and max are exact") {
    const std::vector<float> values{0.5F, -0.0F, 3.0F, 0.0F, -7.25F, 2.0F};
    const histogram seen = histogram_of(values);
    CHECK(seen.count() == 6);
    CHECK(seen.zeros() == 2);
    CHECK(seen.min() == -7.25F);
    CHECK(seen.max() == 3.0F);
    CHECK(seen.max_magnitude() == 7.25F);
    CHECK(std::accumulate(seen.bins().begin(), seen.bins().end(), std::uint64_t{0}) == 4);
}

TEST_CASE("bins lie where the header says, from the smallest denormal to the largest float") {
    struct expectation {
        std::uint32_t bits;
        int width_exponent;
        std::size_t origin;
        std::size_t bin;
    };
    // One value alone: 2^e > |x| >= 2^(e-1), s = e - 12, bin = floor(|x| / 2^s), counted downwards below zero.
    const std::array<expectation, 14> table{{
        {0x3f80'0000U, -11, 0, 2048},     // 1 = 2^0: e = 1
        {0xbf80'0000U, -11, 4096, 2047},  // -1
        {0x3fc0'0000U, -11, 0, 3072},     // 1.5
        {0x3f7f'ffffU, -12, 0, 4095},     // the float below 1: e = 0
        {0x7f7f'ffffU, 116, 0, 4095},     // the largest float: e = 128
        {0xff7f'ffffU, 116, 4096, 0},     // its negative
        {0x7f00'0000U, 116, 0, 2048},     // 2^127
        {0x0000'0001U, -160, 0, 2048},    // 2^-149: e = -148
        {0x8000'0001U, -160, 4096, 2047}, // -2^-149
        {0x0000'0003U, -159, 0, 3072},    // 3 x 2^-149: e = -147, 3 x 2^-149 / 2^-159 = 3072
        {0x007f'ffffU, -138, 0, 4095},    // the largest denormal: e = -126
        {0x0080'0000U, -137, 0, 2048},    // 2^-126, the smallest normal: e = -125
        {0x0600'0000U, -126, 0, 2048},    // 2^-115: e = -114
        {0x0580'0000U, -127, 0, 2048},    // 2^-116: e = -115
    }};
    for (const expectation& row : table) {
        INFO("bits " << row.bits);
        for (const std::size_t count : {std::size_t{1}, std::size_t{1024}}) {
            const histogram seen = histogram_of(std::vector<float>(count, from_bits(row.bits)));
            CHECK(seen.width_exponent() == row.width_exponent);
            CHECK(seen.origin() == row.origin);
            CHECK(seen.bins()[row.bin] == count);
            CHECK(std::bit_cast<std::uint32_t>(seen.min()) == row.bits);
            CHECK(std::bit_cast<std::uint32_t>(seen.max()) == row.bits);
        }
    }
}

TEST_CASE("both signs share the bins") {
    const histogram seen = histogram_of({-FLT_MAX, FLT_MAX});
    CHECK(seen.width_exponent() == 117);
    CHECK(seen.origin() == 2048);
    CHECK(seen.bins()[0] == 1);
    CHECK(seen.bins()[4095] == 1);

    const histogram small = histogram_of({from_bits(0x8000'0001U), from_bits(0x0000'0001U)});
    CHECK(small.width_exponent() == -159);
    CHECK(small.bins()[2048 - 1 - 1024] == 1); // 2^-149 / 2^-159 = 1024
    CHECK(small.bins()[2048 + 1024] == 1);
    CHECK(small.lower(2048 + 1024) == std::ldexp(1.0, -149));
    CHECK(small.lower(2048 - 1 - 1024) == -1025 * std::ldexp(1.0, -159));
}

TEST_CASE("a huge value and a denormal share a histogram") {
    const histogram seen = histogram_of({1e30F, from_bits(0x0000'0001U), 0.0F});
    CHECK(seen.width_exponent() == 88); // 2^99 < 1e30 < 2^100
    CHECK(seen.bins()[0] == 1);
    CHECK(seen.bins()[3231] == 1); // 1e30 / 2^88 = 3231.17...
    CHECK(seen.zeros() == 1);
    CHECK(std::bit_cast<std::uint32_t>(seen.min()) == 0U);

    // The other way round the bins grow over 250 powers of two.
    histogram grown = histogram_of({from_bits(0x0000'0001U)});
    grown.observe(std::vector<float>{0.0F, 1e30F});
    CHECK(grown == seen);
}

TEST_CASE("denormals keep their counts when bins are merged") {
    // k x 2^-149 for k = 1 .. 64, then the smallest normal: s becomes -137, and 2^-137 / 2^-149 = 4096 > 64.
    std::vector<float> values;
    for (std::uint32_t k = 1; k <= 64; ++k)
        values.push_back(from_bits(k));
    histogram seen = histogram_of(values); // e = -142, s = -154, bin of k is 32 k
    CHECK(seen.width_exponent() == -154);
    for (std::uint32_t k = 1; k <= 64; ++k)
        CHECK(seen.bins()[32 * k] == 1);
    seen.observe(std::vector<float>{from_bits(0x0080'0000U)});
    CHECK(seen.bins()[0] == 64);
    CHECK(seen.bins()[2048] == 1);
}

TEST_CASE("the state is a function of the multiset of values") {
    for (std::uint64_t seed = 0; seed < 40; ++seed) {
        numbers source(100 + seed);
        std::vector<float> values = wild_values(seed, 1 + source.below(3000), static_cast<int>(source.below(3)) - 1);
        if (source.below(3) == 0)
            values.push_back(from_bits(0x0000'0007U));
        if (source.below(3) == 0)
            values.push_back(FLT_MAX);
        if (source.below(3) == 0)
            values.push_back(-1e-20F);
        const histogram expected = histogram_of(values);
        const std::vector<std::byte> expected_bytes = expected.serialize();

        for (int trial = 0; trial < 5; ++trial) {
            source.shuffle(values);
            std::vector<histogram> parts;
            for (std::size_t done = 0; done < values.size();) {
                const std::size_t length = std::min(values.size() - done, 1 + source.below(700));
                const std::vector<float> batch(values.begin() + static_cast<std::ptrdiff_t>(done),
                                               values.begin() + static_cast<std::ptrdiff_t>(done + length));
                if (parts.empty() || source.below(2) == 0)
                    parts.emplace_back();
                parts.back().observe(batch);
                done += length;
            }
            while (parts.size() > 1) // merge any two, in any direction
            {
                source.shuffle(parts);
                parts[parts.size() - 2].merge(parts.back());
                parts.pop_back();
            }
            REQUIRE(parts.front() == expected);
            REQUIRE(parts.front().serialize() == expected_bytes);
        }
    }
}

TEST_CASE("histograms of different values differ") {
    const histogram one = histogram_of({1.0F, 2.0F});
    CHECK_FALSE(one == histogram_of({1.0F, 2.0F, 2.0F}));
    CHECK_FALSE(one == histogram_of({1.0F, 1.5F, 2.0F}));
    CHECK_FALSE(one == histogram_of({1.0F, from_bits(0x4000'0001U)})); // the same bins, another max
    CHECK_FALSE(one == histogram_of({-1.0F, 2.0F}));
    CHECK_FALSE(histogram_of({0.0F}) == histogram());
    CHECK(histogram_of({-0.0F}) == histogram_of({0.0F}));
    CHECK(histogram("a") == histogram("b"));
}

TEST_CASE("merging with an empty histogram, with zeros and with itself") {
    const std::vector<float> values{1.0F, -3.0F, 0.0F};
    histogram seen = histogram_of(values);
    seen.merge(histogram());
    CHECK(seen == histogram_of(values));
    histogram empty;
    empty.merge(seen);
    CHECK(empty == seen);
    empty.merge(histogram_of({0.0F}));
    CHECK(empty == histogram_of({1.0F, -3.0F, 0.0F, 0.0F}));
    histogram zeros = histogram_of({0.0F});
    zeros.merge(seen);
    CHECK(zeros == empty);
    seen.merge(seen);
    CHECK(seen == histogram_of({1.0F, -3.0F, 0.0F, 1.0F, -3.0F, 0.0F}));
}

TEST_CASE("strided, transposed, reversed and broadcast tensors count every element once") {
    const std::vector<float> values = wild_values(5, 60 * 70, 0);
    const notch::strided_view<const float, 2> plain(values.data(), {60, 70});
    const notch::strided_view<const float, 2> transposed(values.data(), {70, 60}, {1, 70});
    const notch::strided_view<const float, 2> reversed(values.data() + 59 * 70, {60, 70}, {-70, 1});
    histogram a;
    histogram b;
    histogram c;
    a.observe(plain);
    b.observe(transposed);
    c.observe(reversed);
    CHECK(a == histogram_of(values));
    CHECK(b == a);
    CHECK(c == a);

    std::vector<float> slice; // every second row, every third column
    for (std::size_t row = 0; row < 60; row += 2)
        for (std::size_t column = 0; column < 70; column += 3)
            slice.push_back(values[row * 70 + column]);
    histogram d;
    d.observe(notch::strided_view<const float, 2>(values.data(), {30, 24}, {140, 3}));
    CHECK(d == histogram_of(slice));

    histogram e; // one row, forty times
    e.observe(notch::strided_view<const float, 2>(values.data(), {40, 70}, {0, 1}));
    std::vector<float> repeated;
    for (int i = 0; i < 40; ++i)
        repeated.insert(repeated.end(), values.begin(), values.begin() + 70);
    CHECK(e == histogram_of(repeated));
}

TEST_CASE("degenerate tensors") {
    SECTION("no elements") {
        histogram seen;
        seen.observe(std::vector<float>{});
        seen.observe(notch::strided_view<const float, 3>(nullptr, {4, 0, 2}));
        CHECK(seen.count() == 0);
        CHECK(seen == histogram());
        CHECK(seen.bins().empty());
        CHECK(seen.zeros() == 0);
        CHECK(seen.magnitudes().empty());
    }
    SECTION("zeros only") {
        const histogram seen = histogram_of({0.0F, -0.0F, 0.0F});
        CHECK(seen.count() == 3);
        CHECK(seen.zeros() == 3);
        CHECK(std::bit_cast<std::uint32_t>(seen.min()) == 0U);
        CHECK(std::bit_cast<std::uint32_t>(seen.max()) == 0U);
        CHECK(seen.magnitudes().empty());
        CHECK(std::accumulate(seen.bins().begin(), seen.bins().end(), std::uint64_t{0}) == 0);
    }
    SECTION("-0 at an end is 0") {
        const histogram seen = histogram_of({-0.0F, 4.0F});
        CHECK(seen.origin() == 0);
        CHECK(std::bit_cast<std::uint32_t>(seen.min()) == 0U);
        CHECK(std::bit_cast<std::uint32_t>(histogram_of({-0.0F, -4.0F}).max()) == 0U);
    }
}

TEST_CASE("magnitudes join both signs") {
    const std::vector<std::uint64_t> magnitudes = histogram_of({-2.0F, 2.0F, 2.0F, 1.0F, 0.0F}).magnitudes();
    REQUIRE(magnitudes.size() == 1025); // e = 2, s = -9, 2 / 2^-9 = 1024
    CHECK(magnitudes[1024] == 3);
    CHECK(magnitudes[512] == 1);
    CHECK(std::accumulate(magnitudes.begin(), magnitudes.end(), std::uint64_t{0}) == 4);
}

TEST_CASE("NaN and infinity are named and leave the histogram as it was") {
    struct bad_value {
        float value;
        const char* word;
    };
    for (const bad_value bad : {bad_value{not_a_number(), "is NaN"}, bad_value{infinity(), "is infinity"},
                                bad_value{-infinity(), "is -infinity"}, bad_value{from_bits(0xffff'ffffU), "is NaN"}}) {
        std::vector<float> values = normal_values(9, 40 * 100);
        histogram seen("conv1");
        seen.observe(values);
        const std::vector<std::byte> before = seen.serialize();
        values[23 * 100 + 45] = bad.value;
        values[31 * 100 + 2] = not_a_number();
        values[0] = 1e30F; // would change the bins
        const notch::strided_view<const float, 2> view(values.data(), {40, 100});
        const std::string message = message_of<notch::range_error>([&] { seen.observe(view); });
        CHECK_THAT(message, containing("tensor 'conv1'"));
        CHECK_THAT(message, containing("[23, 45]"));
        CHECK_THAT(message, containing(bad.word));
        CHECK(seen.serialize() == before);

        // The index is the caller's: in the transposed view the other one comes first.
        const notch::strided_view<const float, 2> transposed(values.data(), {100, 40}, {1, 100});
        const std::string other = message_of<notch::range_error>([&] { seen.observe(transposed, "fc"); });
        CHECK_THAT(other, containing("tensor 'fc'"));
        CHECK_THAT(other, containing("[2, 31]"));
        CHECK(seen.serialize() == before);
    }
}

TEST_CASE("a single value that is not finite is noticed wherever it stands, the largest finite ones are not") {
    for (const std::size_t count : {std::size_t{1}, std::size_t{1000}, std::size_t{2048}})
        for (const std::size_t place : {std::size_t{0}, count / 2, count - 1}) {
            for (const std::uint32_t bits : {0x7f80'0000U, 0xff80'0000U, 0x7f80'0001U, 0xff80'0001U, 0x7fff'ffffU}) {
                std::vector<float> values(count, 1.0F);
                values[place] = from_bits(bits);
                histogram seen;
                CHECK_THAT(message_of<notch::range_error>([&] { seen.observe(values); }),
                           containing(notch::detail::text("[", place, "]")));
                CHECK(seen == histogram());
            }
            for (const float largest : {FLT_MAX, -FLT_MAX}) {
                std::vector<float> values(count, 1.0F);
                values[place] = largest;
                CHECK(histogram_of(values).count() == count);
            }
        }
}

TEST_CASE("the count cannot wrap") {
    histogram seen("wide");
    seen.observe(std::vector<float>{1.0F});
    for (int i = 0; i < 63; ++i)
        seen.merge(seen);
    CHECK(seen.count() == std::uint64_t{1} << 63);
    const std::vector<std::byte> before = seen.serialize();
    CHECK_THAT(message_of<notch::range_error>([&] { seen.merge(seen); }), containing("9223372036854775808"));
    CHECK(seen.serialize() == before);
    histogram rest = seen;
    histogram half;
    half.observe(std::vector<float>{1.0F});
    for (int i = 0; i < 63; ++i) // 2^63 + 2^62 + ... + 1
    {
        histogram part = half;
        for (int doubling = 0; doubling < i; ++doubling)
            part.merge(part);
        rest.merge(part);
    }
    CHECK(rest.count() == ~std::uint64_t{0});
    CHECK_THAT(message_of<notch::range_error>([&] { rest.observe(std::vector<float>{2.0F}); }),
               containing("tensor 'wide'"));
    CHECK(rest.max() == 1.0F);
}

TEST_CASE("the ends of an empty histogram are a state_error") {
    const histogram empty("pool5");
    for (const std::string& message :
         {message_of<notch::state_error>([&] { static_cast<void>(empty.min()); }),
          message_of<notch::state_error>([&] { static_cast<void>(empty.max()); }),
          message_of<notch::state_error>([&] { static_cast<void>(empty.max_magnitude()); })}) {
        CHECK_THAT(message, containing("tensor 'pool5'"));
        CHECK_THAT(message, containing("observe()"));
    }
}

TEST_CASE("copies are independent and a moved-from histogram is empty") {
    histogram first = histogram_of({1.0F, 2.0F});
    histogram copy = first;
    copy.observe(std::vector<float>{-5.0F});
    CHECK(first == histogram_of({1.0F, 2.0F}));
    histogram second = std::move(first);
    CHECK(second == histogram_of({1.0F, 2.0F}));
    CHECK(first == histogram()); // NOLINT(bugprone-use-after-move)
    first.observe(std::vector<float>{3.0F});
    CHECK(first == histogram_of({3.0F}));
    first = std::move(second);
    CHECK(first == histogram_of({1.0F, 2.0F}));
    CHECK(second.count() == 0); // NOLINT(bugprone-use-after-move)
}

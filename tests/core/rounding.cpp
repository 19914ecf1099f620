// Every rounding rule, as a float rounding and as a shift, against exact rationals.
#include "catch.hpp"

#include <notch/core/rounding.hpp>

#include <cstdint>
#include <limits>
#include <random>
#include <vector>

namespace {

using wide = std::int64_t;

// floor(a / 2^n) and the remainder, by division, so that no shift of the library's kind is used.
struct division {
    wide floor;
    wide rest;
};

division divide(wide a, int n) {
    const wide d = wide{1} << n;
    wide q = a / d;
    if (a % d < 0)
        --q;
    return {q, a - q * d};
}

wide exact_nearest_even(wide a, int n) {
    const auto [q, r] = divide(a, n);
    const wide d = wide{1} << n;
    return 2 * r < d || (2 * r == d && q % 2 == 0) ? q : q + 1;
}

wide exact_nearest_up(wide a, int n) {
    const auto [q, r] = divide(a, n);
    return 2 * r < (wide{1} << n) ? q : q + 1;
}

wide exact_nearest_away(wide a, int n) {
    const auto [q, r] = divide(a, n);
    const wide d = wide{1} << n;
    return 2 * r < d || (2 * r == d && a < 0) ? q : q + 1;
}

wide exact_toward_zero(wide a, int n) { return a / (wide{1} << n); }

// Values where int32 arithmetic goes wrong if it can: both ends, around powers of two, and random ones.
std::vector<std::int32_t> hard_values() {
    std::vector<std::int32_t> values;
    const auto add_around = [&](wide center) {
        for (wide d = -3; d <= 3; ++d)
            if (center + d >= std::numeric_limits<std::int32_t>::min() &&
                center + d <= std::numeric_limits<std::int32_t>::max())
                values.push_back(static_cast<std::int32_t>(center + d));
    };
    add_around(std::numeric_limits<std::int32_t>::min());
    add_around(std::numeric_limits<std::int32_t>::max());
    for (int n = 0; n <= 31; ++n)
        for (const wide factor : {1, 3, 5}) {
            add_around(factor * (wide{1} << n));
            add_around(-factor * (wide{1} << n));
        }
    std::mt19937 generator(20);
    std::uniform_int_distribution<std::int32_t> any(std::numeric_limits<std::int32_t>::min(),
                                                    std::numeric_limits<std::int32_t>::max());
    for (int i = 0; i < 20000; ++i)
        values.push_back(any(generator));
    return values;
}

template <class Rule, class Exact> void check_rule(Exact exact) {
    std::size_t wrong = 0;
    for (int n = 0; n <= 30; ++n) {
        for (std::int32_t a = std::numeric_limits<std::int16_t>::min(); a <= std::numeric_limits<std::int16_t>::max();
             ++a) {
            const wide expected = exact(a, n);
            // a has 16 bits, so a / 2^n is exact in float.
            const float real = static_cast<float>(a) / static_cast<float>(1U << n);
            wrong += Rule::shift_right(a, n) != expected;
            wrong += static_cast<wide>(Rule::round(real)) != expected;
        }
        for (const std::int32_t a : hard_values())
            wrong += Rule::shift_right(a, n) != exact(a, n);
    }
    CHECK(wrong == 0);
}

} // namespace

TEST_CASE("nearest_even agrees with exact rationals", "[rounding]") {
    check_rule<notch::nearest_even>(exact_nearest_even);
}

TEST_CASE("nearest_up agrees with exact rationals", "[rounding]") { check_rule<notch::nearest_up>(exact_nearest_up); }

TEST_CASE("nearest_away agrees with exact rationals", "[rounding]") {
    check_rule<notch::nearest_away>(exact_nearest_away);
}

TEST_CASE("toward_zero agrees with exact rationals", "[rounding]") {
    check_rule<notch::toward_zero>(exact_toward_zero);
}

TEST_CASE("stochastic adds the random number to the exact quotient and floors", "[rounding]") {
    // floor(a / 2^n + u / 2^31), brought over 2^31: n <= 30 and |a| < 2^31 keep the numerator inside int64.
    const auto exact = [](wide a, int n, wide u) { return divide(a * (wide{1} << (31 - n)) + u, 31).floor; };
    std::mt19937 generator(21);
    std::uniform_int_distribution<std::int32_t> random(0, std::numeric_limits<std::int32_t>::max());
    std::size_t wrong = 0;
    for (int n = 0; n <= 30; ++n) {
        for (std::int32_t a = std::numeric_limits<std::int16_t>::min(); a <= std::numeric_limits<std::int16_t>::max();
             a += 7) {
            const float real = static_cast<float>(a) / static_cast<float>(1U << n);
            for (const std::int32_t u : {0, std::numeric_limits<std::int32_t>::max(), 1 << 30, random(generator)}) {
                wrong += notch::stochastic::shift_right(a, n, u) != exact(a, n, u);
                wrong += static_cast<wide>(notch::stochastic::round(real, u)) != exact(a, n, u);
            }
        }
        for (const std::int32_t a : hard_values()) {
            const std::int32_t u = random(generator);
            wrong += notch::stochastic::shift_right(a, n, u) != exact(a, n, u);
            wrong += notch::stochastic::shift_right(a, n, 0) != exact(a, n, 0);
        }
    }
    CHECK(wrong == 0);
}

TEST_CASE("the table of the documentation holds", "[rounding]") {
    const std::vector<float> x{-2.5F, -1.5F, -0.5F, 0.5F, 1.5F, 2.5F};
    const auto rounded = [&](auto rule) {
        std::vector<int> result;
        for (const float value : x)
            result.push_back(static_cast<int>(decltype(rule)::round(value)));
        return result;
    };
    CHECK(rounded(notch::nearest_even{}) == std::vector<int>{-2, -2, 0, 0, 2, 2});
    CHECK(rounded(notch::nearest_up{}) == std::vector<int>{-2, -1, 0, 1, 2, 3});
    CHECK(rounded(notch::nearest_away{}) == std::vector<int>{-3, -2, -1, 1, 2, 3});
    CHECK(rounded(notch::toward_zero{}) == std::vector<int>{-2, -1, 0, 0, 1, 2});
}

TEST_CASE("floats next to a tie fall on their own side", "[rounding]") {
    // 0.49999997 + 0.5 is 1 in float arithmetic: the trap of floor(x + 0.5).
    const float below = 0.49999997F;
    const float above = 0.50000006F;
    CHECK(notch::nearest_even::round(below) == 0.0F);
    CHECK(notch::nearest_up::round(below) == 0.0F);
    CHECK(notch::nearest_away::round(below) == 0.0F);
    CHECK(notch::nearest_up::round(-above) == -1.0F);
    CHECK(notch::nearest_even::round(above) == 1.0F);
    CHECK(notch::nearest_away::round(-above) == -1.0F);
    CHECK(notch::nearest_even::round(8388609.0F) == 8388609.0F);
    CHECK(notch::nearest_up::round(-8388609.0F) == -8388609.0F);
    CHECK(notch::nearest_up::round(4194303.5F) == 4194304.0F);
    CHECK(notch::nearest_away::round(-4194302.5F) == -4194303.0F);
    CHECK(notch::nearest_even::round(4194302.5F) == 4194302.0F);
}

TEST_CASE("golden vector G6: half-up shifts", "[rounding]") {
    const std::vector<std::pair<int, int>> cases{{-21, -3}, {-20, -2}, {-13, -2}, {-12, -1}, {-4, 0}, {-3, 0},
                                                 {3, 0},    {4, 1},    {11, 1},   {12, 2},   {20, 3}};
    for (const auto& [a, expected] : cases)
        CHECK(notch::nearest_up::shift_right(a, 3) == expected);
}

TEST_CASE("counts may differ from lane to lane", "[rounding]") {
    // The count is a lane of its own where every channel has its shift; int32 is the lane of width one.
    CHECK(notch::nearest_even::shift_right(std::int32_t{10}, std::int32_t{2}) == 2);
    CHECK(notch::nearest_even::shift_right(std::int32_t{14}, std::int32_t{2}) == 4);
    STATIC_REQUIRE(notch::nearest_even::shift_right(-10, 2) == -2);
}

TEST_CASE("stochastic rounding is unbiased and reproducible", "[rounding][random]") {
    // 0.3 rounds up with probability 0.3: over n draws the mean has a standard error of sqrt(0.21 / n).
    constexpr int draws = 200000;
    double sum = 0;
    for (int i = 0; i < draws; ++i)
        sum += static_cast<double>(
            notch::stochastic::round(0.3F, notch::counter_random(7, static_cast<std::uint64_t>(i))));
    CHECK(sum / draws == Approx(0.3).margin(4 * 0.00103));
    CHECK(notch::counter_random(7, 5) == notch::counter_random(7, 5));
    CHECK(notch::counter_random(7, 5) != notch::counter_random(8, 5));
}

TEST_CASE("counter_bits is SplitMix64", "[random]") {
    // The published sequence for seed 1234567: the counter form must give the same outputs.
    CHECK(notch::counter_bits(1234567, 0) == 6457827717110365317ULL);
    CHECK(notch::counter_bits(1234567, 1) == 3203168211198807973ULL);
    CHECK(notch::counter_bits(1234567, 2) == 9817491932198370423ULL);
    for (std::uint64_t i = 0; i < 1000; ++i) {
        const double u = notch::counter_uniform(3, i);
        CHECK((u >= 0.0 && u < 1.0));
    }
}

namespace elsewhere {
struct always_down // a foreign rule with the deterministic form
{
    static float round(float x) {
        const auto whole = static_cast<float>(static_cast<std::int32_t>(x));
        return whole > x ? whole - 1.0F : whole;
    }
    static std::int32_t shift_right(std::int32_t a, int n) { return a >> n; }
};
struct not_a_rule {
    static float round(float x) { return x; }
};
} // namespace elsewhere

TEST_CASE("rules satisfy their concepts", "[rounding]") {
    STATIC_REQUIRE(notch::deterministic_rounding<notch::nearest_even>);
    STATIC_REQUIRE(notch::deterministic_rounding<elsewhere::always_down>);
    STATIC_REQUIRE(notch::random_rounding<notch::stochastic>);
    STATIC_REQUIRE_FALSE(notch::deterministic_rounding<notch::stochastic>);
    STATIC_REQUIRE_FALSE(notch::rounding<elsewhere::not_a_rule>);
}

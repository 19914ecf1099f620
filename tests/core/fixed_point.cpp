// Q31 factors: nearest representation, and products with one and with two roundings.
#include "catch.hpp"

#include <notch/core/fixed_point.hpp>

#include <cmath>
#include <cstdint>
#include <limits>
#include <random>

namespace {

__extension__ typedef __int128 wide; // NOLINT(modernize-use-using)

wide floor_shift(wide a, int n) {
    const wide d = wide{1} << n;
    wide q = a / d;
    if (a % d < 0)
        --q;
    return q;
}

std::int32_t saturated(wide value) {
    constexpr wide low = std::numeric_limits<std::int32_t>::min();
    constexpr wide high = std::numeric_limits<std::int32_t>::max();
    return static_cast<std::int32_t>(value < low ? low : value > high ? high : value);
}

// floor(value * m * 2^(e - 31) + 1/2) in exact arithmetic.
std::int32_t exact_single(std::int32_t value, notch::q31 factor) {
    const int shift = 31 - factor.exponent;
    return saturated(floor_shift(wide{value} * factor.multiplier * 2 + (wide{1} << shift), shift + 1));
}

// The two roundings, each written as a rational rounding: first nearest with ties away from zero for
// positive products and towards plus infinity for negative ones, then nearest with ties away from zero.
std::int32_t exact_double(std::int32_t value, notch::q31 factor) {
    const int left = factor.exponent > 0 ? factor.exponent : 0;
    const int right = factor.exponent > 0 ? 0 : -factor.exponent;
    const wide product = wide{saturated(wide{value} << left)} * factor.multiplier;
    const wide high = floor_shift(product + (wide{1} << 30), 31);
    const wide magnitude = high < 0 ? -high : high;
    const wide rounded = floor_shift(2 * magnitude + (wide{1} << right), right + 1);
    return static_cast<std::int32_t>(high < 0 ? -rounded : rounded);
}

} // namespace

TEST_CASE("to_q31 finds the nearest multiplier", "[fixed_point]") {
    CHECK(notch::to_q31(1.0) == notch::q31{1 << 30, 1});
    CHECK(notch::to_q31(0.5) == notch::q31{1 << 30, 0});
    CHECK(notch::to_q31(0.75) == notch::q31{3 << 29, 0});
    CHECK(notch::to_q31(1.0 / 3.0) == notch::q31{1431655765, -1}); // 2/3 * 2^31 = 1431655765.33
    // Just below 1 the multiplier rounds up to 2^31 and becomes 2^30 of the next exponent.
    CHECK(notch::to_q31(std::nextafter(1.0, 0.0)) == notch::q31{1 << 30, 1});
    std::mt19937_64 generator(4);
    std::uniform_real_distribution<double> logarithm(-100, 100);
    for (int i = 0; i < 20000; ++i) {
        const double real = std::exp2(logarithm(generator));
        const notch::q31 factor = notch::to_q31(real);
        REQUIRE(factor.multiplier >= (1 << 30));
        REQUIRE(std::fabs(factor.real() - real) <= real * 0x1p-31);
    }
}

TEST_CASE("to_q31 refuses what it cannot hold", "[fixed_point]") {
    CHECK_THROWS_AS(notch::to_q31(0.0), notch::range_error);
    CHECK_THROWS_AS(notch::to_q31(-1.0), notch::range_error);
    CHECK_THROWS_AS(notch::to_q31(std::numeric_limits<double>::quiet_NaN()), notch::range_error);
    CHECK_THROWS_AS(notch::to_q31(std::numeric_limits<double>::infinity()), notch::range_error);
    CHECK_THROWS_AS(notch::to_q31(1e-40), notch::range_error);
    CHECK_THROWS_WITH(notch::to_q31(-0.25), containing("-0.25"));
}

TEST_CASE("single rounding equals exact arithmetic", "[fixed_point]") {
    // 3 * 0.5 = 1.5 -> 2, -3 * 0.5 = -1.5 -> -1: ties go up.
    CHECK(notch::multiply_single(3, notch::to_q31(0.5)) == 2);
    CHECK(notch::multiply_single(-3, notch::to_q31(0.5)) == -1);
    CHECK(notch::multiply_single(std::numeric_limits<std::int32_t>::max(), notch::to_q31(2.0)) ==
          std::numeric_limits<std::int32_t>::max());
    CHECK(notch::multiply_single(std::numeric_limits<std::int32_t>::min(), notch::to_q31(2.0)) ==
          std::numeric_limits<std::int32_t>::min());
    std::mt19937 generator(5);
    std::uniform_int_distribution<std::int32_t> any(std::numeric_limits<std::int32_t>::min(),
                                                    std::numeric_limits<std::int32_t>::max());
    std::uniform_int_distribution<std::int32_t> mantissa(1 << 30, std::numeric_limits<std::int32_t>::max());
    for (int exponent = -31; exponent <= 30; ++exponent)
        for (int i = 0; i < 2000; ++i) {
            const notch::q31 factor{i % 10 == 0 ? 1 << 30 : mantissa(generator), exponent};
            const std::int32_t value = any(generator) >> (i % 31);
            REQUIRE(notch::multiply_single(value, factor) == exact_single(value, factor));
        }
}

TEST_CASE("double rounding equals its two exact roundings", "[fixed_point]") {
    // 3 * 2^-1: the high half is exact for the multiplier 2^30 with exponent 0: 3 -> 1.5 -> 2; -3 -> -1.5 -> -1 in the first
    // rounding (half up there), and nothing is left for the second.
    CHECK(notch::multiply_double(3, notch::q31{1 << 30, 0}) == 2);
    CHECK(notch::multiply_double(-3, notch::q31{1 << 30, 0}) == -1);
    // The second rounding goes away from zero: -6 -> high half -3, then -3 / 2 = -1.5 -> -2; single rounding gives -1.
    CHECK(notch::multiply_double(-6, notch::q31{1 << 30, -1}) == -2);
    CHECK(notch::multiply_single(-6, notch::q31{1 << 30, -1}) == -1);
    std::mt19937 generator(6);
    std::uniform_int_distribution<std::int32_t> any(std::numeric_limits<std::int32_t>::min(),
                                                    std::numeric_limits<std::int32_t>::max());
    std::uniform_int_distribution<std::int32_t> mantissa(1 << 30, std::numeric_limits<std::int32_t>::max());
    for (int exponent = -30; exponent <= 30; ++exponent)
        for (int i = 0; i < 2000; ++i) {
            const notch::q31 factor{mantissa(generator), exponent};
            const std::int32_t value = any(generator) >> (i % 31);
            REQUIRE(notch::multiply_double(value, factor) == exact_double(value, factor));
        }
}

/// @file
/// real_requantize and to_real on every lane, for sums that are integers and sums that are floats.
#include "epilogue/lanes.hpp"

#include <notch/epilogue/activation.hpp>
#include <notch/epilogue/real_requantize.hpp>

#include <cmath>
#include <cstring>
#include <limits>

using namespace lanes;

namespace {

/// The product as IEEE 754 rounds it to float, by way of a double, in which it is exact.
float product_of(float a, float b) {
    volatile float rounded =
        static_cast<float>(static_cast<double>(a) * static_cast<double>(b)); // -ffast-math keeps it
    return rounded;
}

/// The quotient, rounded once. -ffast-math may make a division of floats an estimate; that of a volatile double it cannot.
float quotient_of(float a, float b) {
    volatile double divisor = static_cast<double>(b);
    volatile double quotient = static_cast<double>(a) / divisor;
    return static_cast<float>(quotient);
}

/// The rules by the standard library, in double.
double rounded(nearest_even, double x) { return std::nearbyint(x); }
double rounded(nearest_up, double x) { return std::floor(x + 0.5); }
double rounded(nearest_away, double x) { return std::round(x); }
double rounded(toward_zero, double x) { return std::trunc(x); }

template <class Rule> void check_rule(float scale, const std::vector<float>& scales) {
    matrix m = numbers_up_to(1 << 30, 31, 21);
    m.scales = scales;
    m.problem.powers_of_two = false;
    m.problem.scale = 0.75F;
    const auto wanted = [&](float number, std::size_t c) {
        const float factor = product_of(quotient_of(m.problem.scale, scale), scales.empty() ? 1.0F : scales[c]);
        const double product = static_cast<double>(product_of(number, factor));
        const double limit = 1073741824.0;
        return static_cast<std::int64_t>(rounded(Rule{}, std::fmin(std::fmax(product, -limit), limit)));
    };
    for (std::size_t i = 0; i < m.numbers.size(); i += 3)
        m.numbers[i] = static_cast<std::int32_t>(i) - 300; // near ties
    check_stage(real_requantize<Rule>{scale}, m,
                [&](std::size_t, std::size_t c, std::int64_t x) { return wanted(static_cast<float>(x), c); });
    // The same numbers as float sums.
    std::vector<float> floats;
    for (const std::int32_t x : m.numbers)
        floats.push_back(static_cast<float>(x) * 0.125F);
    m.problem.is_float = true;
    real_requantize<Rule> stage{scale};
    const epilogue_problem after = prepared(stage, m);
    for_each_lane([&](auto lane, const char* name) {
        INFO(name);
        const auto results = run_prepared<decltype(lane)>(stage, after, floats);
        std::size_t wrong = 0;
        for (std::size_t i = 0; i < results.size(); ++i)
            wrong += results[i] != wanted(floats[i], i % after.columns);
        CHECK(wrong == 0);
    });
    CHECK_FALSE(after.is_float);
    CHECK_FALSE(after.powers_of_two);
    CHECK(after.scales == nullptr);
}

template <class Rule> void check_rule() {
    check_rule<Rule>(1.5F, {}); // every odd number is a tie
    check_rule<Rule>(0x1p-20F, {});
    check_rule<Rule>(37.123F, {});
    std::vector<float> scales;
    for (int c = 0; c < 21; ++c)
        scales.push_back(std::ldexp(1.0F + static_cast<float>(c) * 0.04F, c % 5 - 12));
    check_rule<Rule>(0.013F, scales);
}

} // namespace

TEST_CASE("codes of a real scale", "[epilogue][real]") {
    check_rule<nearest_even>();
    check_rule<nearest_up>();
    check_rule<nearest_away>();
    check_rule<toward_zero>();
}

TEST_CASE("reals", "[epilogue][real]") {
    matrix m = numbers_up_to(2147483647, 7, 21);
    m.problem.scale = 0.3F;
    for (int c = 0; c < 21; ++c)
        m.scales.push_back(0.001F * static_cast<float>(c + 1));
    std::vector<float> floats;
    for (const std::int32_t x : m.numbers)
        floats.push_back(static_cast<float>(x) * 0.37F);
    to_real stage;
    const epilogue_problem after = prepared(stage, m);
    CHECK(after.is_float);
    for_each_lane([&](auto lane, const char* name) {
        INFO(name);
        const auto of_integers = run_prepared<decltype(lane), float>(stage, after, m.numbers);
        const auto of_floats = run_prepared<decltype(lane), float>(stage, after, floats);
        std::size_t wrong = 0;
        for (std::size_t i = 0; i < of_integers.size(); ++i) {
            const float factor = product_of(0.3F, m.scales[i % 21]);
            const float one = product_of(static_cast<float>(m.numbers[i]), factor);
            const float other = product_of(floats[i], factor);
            wrong += std::memcmp(&one, &of_integers[i], sizeof one) != 0;
            wrong += std::memcmp(&other, &of_floats[i], sizeof other) != 0;
        }
        CHECK(wrong == 0);
    });
}

TEST_CASE("reals beyond the floats are refused", "[epilogue][real]") {
    matrix m = numbers_up_to(1000, 2, 3);
    m.problem.name = "fc";
    m.problem.scale = 0x1p100F;
    m.scales = {1.0F, 0x1p27F, 1.0F};
    to_real stage;
    CHECK_THROWS_WITH(prepared(stage, m), containing("fc") && containing("output 1") && containing("2^128"));
    m.scales[1] = 0x1p10F;
    CHECK_NOTHROW(prepared(stage, m));
}

TEST_CASE("float sums that are huge become the largest codes", "[epilogue][real]") {
    matrix m = numbers_up_to(1000, 1, 20);
    m.problem.is_float = true;
    std::vector<float> floats;
    for (int i = 0; i < 20; ++i)
        floats.push_back((i % 2 == 0 ? 1.0F : -1.0F) * std::ldexp(1.0F, 20 + 5 * i));
    auto stage = real_requantize<>{1.0F} | clamp{-128, 127};
    const epilogue_problem after = prepared(stage, m);
    for_each_lane([&](auto lane, const char* name) {
        INFO(name);
        const auto results = run_prepared<decltype(lane)>(stage, after, floats);
        for (std::size_t i = 0; i < results.size(); ++i)
            CHECK(results[i] == (i % 2 == 0 ? 127 : -128));
    });
}

TEST_CASE("a real scale that means nothing is refused", "[epilogue][real][error]") {
    matrix m = numbers_up_to(1000, 2, 3);
    for (const float scale :
         {0.0F, -1.0F, std::numeric_limits<float>::infinity(), std::numeric_limits<float>::quiet_NaN()})
        check_refused<range_error>(real_requantize<>{scale}, m, {"'w': output scale ", "is not positive and finite"});
    m.scales = {1, 0x1p100F, 1};
    check_refused<range_error>(real_requantize<>{0x1p-100F}, m,
                               {"'w': output 1: factor inf of the requantization is not finite"});
}

/// @file
/// fixed_point_requantize on every lane, single and double rounding, against 64-bit and 128-bit arithmetic.
#include "epilogue/lanes.hpp"

#include <notch/epilogue/fixed_point_requantize.hpp>

#include <cmath>

using namespace lanes;

namespace {

constexpr std::int64_t lowest_int = -2147483648LL;
constexpr std::int64_t highest_int = 2147483647;

std::int64_t saturated(std::int64_t x) { return x < lowest_int ? lowest_int : x > highest_int ? highest_int : x; }

/// x / 2^n rounded down; n <= 62.
std::int64_t floor_of(std::int64_t x, int n) {
    const std::int64_t whole = std::int64_t{1} << n;
    return x / whole - (x % whole < 0 ? 1 : 0);
}

/// One rounding, ties up: floor(x m 2^(e - 31) + 1/2).
std::int64_t once(std::int64_t x, std::int64_t m, int e) {
    const std::int64_t down = floor_of(x * m, 31 - e - 1); // in halves
    return saturated(floor_of(down + 1, 1));
}

/// gemmlowp: saturating shift to the left, high half of the doubled product with ties away from zero (its rule), shift
/// to the right with ties away from zero.
std::int64_t twice(std::int64_t x, std::int64_t m, int e) {
    const std::int64_t moved = e > 0 ? saturated(x * (std::int64_t{1} << e)) : x;
    const std::int64_t product = moved * m;
    const std::int64_t magnitude = ((product < 0 ? -product : product) + (std::int64_t{1} << 30)) >> 31;
    // The rule of the high half: half away from zero, but for negative ties, which go up.
    const bool negative_tie = product < 0 && (-product & ((std::int64_t{1} << 31) - 1)) == std::int64_t{1} << 30;
    const std::int64_t high = product < 0 ? -(magnitude - (negative_tie ? 1 : 0)) : magnitude;
    const int n = e > 0 ? 0 : -e;
    const std::int64_t half = n == 0 ? 0 : std::int64_t{1} << (n - 1);
    return high < 0 ? -((-high + half) >> n) : (high + half) >> n;
}

/// Multipliers at both ends and between, every exponent.
fixed_point_factors factors_of(std::size_t columns) {
    fixed_point_factors f;
    for (std::size_t c = 0; c < columns; ++c) {
        const auto bits = static_cast<std::int32_t>(counter_bits(4, c) & ((1U << 30) - 1));
        f.multipliers.push_back(c % 5 == 0 ? 1 << 30 : c % 5 == 1 ? 2147483647 : (1 << 30) + bits);
        f.exponents.push_back(static_cast<std::int32_t>(c % 61) - 30);
    }
    return f;
}

} // namespace

TEST_CASE("fixed-point factors", "[epilogue][fixed]") {
    const fixed_point_factors f = factors_of(131);
    matrix m = numbers_up_to(highest_int, 60, 131);
    m.problem.powers_of_two = false;
    const auto bounded = [](std::int64_t x) { return std::clamp<std::int64_t>(x, -(1 << 30), 1 << 30); };
    check_stage(fixed_point_requantize<single_rounding>(f), m, [&](std::size_t, std::size_t c, std::int64_t x) {
        return bounded(once(x, f.multipliers[c], f.exponents[c]));
    });
    check_stage(fixed_point_requantize<double_rounding>(f), m, [&](std::size_t, std::size_t c, std::int64_t x) {
        return bounded(twice(x, f.multipliers[c], f.exponents[c]));
    });
}

TEST_CASE("ties of fixed-point factors", "[epilogue][fixed]") {
    // Factors 2^-1, 2^-4 and 3 * 2^-5, small numbers: every tie of both signs.
    fixed_point_factors f;
    for (int c = 0; c < 18; ++c)
        f.push_back(c % 3 == 0 ? 0.5 : c % 3 == 1 ? 0.0625 : 0.09375);
    matrix m = numbers_up_to(400, 60, 18);
    for (std::size_t i = 0; i < m.numbers.size(); ++i)
        m.numbers[i] = static_cast<std::int32_t>(i / 3) - 180;
    check_stage(fixed_point_requantize<>(f), m, [&](std::size_t, std::size_t c, std::int64_t x) {
        return static_cast<std::int64_t>(std::floor(static_cast<double>(x) * (c % 3 == 0   ? 0.5
                                                                              : c % 3 == 1 ? 0.0625
                                                                                           : 0.09375) +
                                                    0.5));
    });
    check_stage(fixed_point_requantize<double_rounding>(f), m,
                [&](std::size_t, std::size_t c, std::int64_t x) { return twice(x, f.multipliers[c], f.exponents[c]); });
}

TEST_CASE("fixed-point factors that are none are refused", "[epilogue][fixed][error]") {
    fixed_point_factors f = factors_of(5);
    CHECK_THROWS_AS(f.push_back(0.0), range_error);
    CHECK_THROWS_WITH(f.push_back(-1.0), containing("fixed-point factor -1 lies outside [2^-126, 2^127)"));
    const auto stage = [&] { return fixed_point_requantize<>(f); };
    matrix m = numbers_up_to(1000, 2, 6);
    check_refused<shape_error>(stage(), m, {"'w': 5 multipliers and 5 exponents for 6 outputs"});
    m = numbers_up_to(1000, 2, 5);
    f.exponents[3] = 31;
    check_refused<range_error>(stage(), m, {"'w': output 3: factor ", " * 2^(31 - 31)", "the exponent in [-30, 30]"});
    f.exponents[3] = -31;
    check_refused<range_error>(stage(), m, {"output 3", "2^(-31 - 31)"});
    f.exponents[3] = 0;
    f.multipliers[4] = (1 << 30) - 1;
    check_refused<range_error>(stage(), m, {"output 4: factor 1073741823 * 2^("});
    m.problem.is_float = true;
    check_refused<unsupported_error>(stage(), m, {"'w': fixed_point_requantize of float sums; use real_requantize"});
}

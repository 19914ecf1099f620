/// @file
/// shift_requantize and shift_right_by on every lane and under every rounding rule, against 64-bit division.
#include "epilogue/lanes.hpp"

#include <notch/epilogue/shift_requantize.hpp>

using namespace lanes;

namespace {

/// round(a / 2^n) for 0 <= n <= 60, from quotient and remainder. `seed` and `index` choose the random bits.
template <class Rule> std::int64_t divided(std::int64_t a, int n, std::uint64_t seed, std::size_t index) {
    const std::int64_t whole = std::int64_t{1} << n;
    std::int64_t floor = a / whole;
    floor -= a % whole < 0 ? 1 : 0;
    const std::int64_t rest = a - floor * whole;
    if constexpr (std::is_same_v<Rule, nearest_even>)
        return floor + (2 * rest > whole || (2 * rest == whole && floor % 2 != 0));
    else if constexpr (std::is_same_v<Rule, nearest_up>)
        return floor + (2 * rest >= whole);
    else if constexpr (std::is_same_v<Rule, nearest_away>)
        return floor + (2 * rest > whole || (2 * rest == whole && floor >= 0));
    else if constexpr (std::is_same_v<Rule, toward_zero>)
        return floor + (floor < 0 && rest > 0);
    else // rest / 2^n + random / 2^31 >= 1; no more than 30 bits are shifted out
        return floor + ((rest << (31 - n)) + counter_random(seed, index) >= std::int64_t{1} << 31);
}

/// The shifts of a matrix whose columns have all counts from `least` to `most`, each several times.
template <class Rule> void check_counts(std::int64_t bound, int least, int most) {
    constexpr std::uint64_t seed = 99;
    const auto range = static_cast<std::size_t>(most - least + 1);
    const std::size_t columns = 2 * range + 5;
    matrix m = numbers_up_to(bound, 40, columns);
    const auto count = [&](std::size_t c) { return most - static_cast<int>(c % range); };
    for (std::size_t c = 0; c < columns; ++c)
        m.exponents.push_back(-7 - count(c)); // e_out - (e[c] + exponent) = -3 - (-7 - count + 4) = count
    m.problem.exponent = 4;
    check_stage(shift_requantize<Rule>{-3, seed}, m, [&](std::size_t row, std::size_t c, std::int64_t a) {
        const int n = count(c);
        if (n > 30)
            return std::int64_t{0};
        return n < 0 ? a << -n : divided<Rule>(a, n, seed, row * columns + c);
    });
}

template <class Rule> void check_rule() {
    check_counts<Rule>((1 << 30) - 1, 1, 30);                // room for a half
    check_counts<Rule>(2147483647, 0, 30);                   // none
    check_counts<Rule>((std::int64_t{1} << 29) - 1, -2, 60); // to the left, and beyond 30
    check_counts<Rule>((1 << 20) - 1, -11, 12);
    check_counts<Rule>(1000, -21, -1);
    matrix m = numbers_up_to(70000, 9, 19); // one count for all
    for (const int n : {-14, 0, 1, 9, 30})
        check_stage(shift_right_by<Rule>{n, 5}, m, [n](std::size_t row, std::size_t c, std::int64_t a) {
            return n < 0 ? a << -n : divided<Rule>(a, n, 5, row * 19 + c);
        });
}

} // namespace

TEST_CASE("shifts round as the rule says", "[epilogue][shift]") {
    check_rule<nearest_even>();
    check_rule<nearest_up>();
    check_rule<nearest_away>();
    check_rule<toward_zero>();
    check_rule<stochastic>();
}

TEST_CASE("a shift says what scale its results have", "[epilogue][shift]") {
    matrix m = numbers_up_to(1 << 20, 2, 3);
    m.exponents = {-9, -10, -11};
    m.problem.exponent = -1;
    shift_requantize<> stage{-4};
    const epilogue_problem after = prepared(stage, m);
    CHECK(after.exponents == nullptr);
    CHECK(after.exponent == -4);
    CHECK(after.highest >= (1 << 20) >> 6);
    CHECK(after.highest <= ((1 << 20) >> 6) + 1);
    shift_right_by<> by{3};
    const epilogue_problem moved = prepared(by, m);
    CHECK(moved.exponents == m.exponents.data());
    CHECK(moved.exponent_of(2) == -9);
}

TEST_CASE("another seed makes other codes of a random rule", "[epilogue][shift]") {
    const matrix m = numbers_up_to(1 << 20, 20, 20);
    shift_right_by<stochastic> one{10, 1};
    shift_right_by<stochastic> two{10, 2};
    const epilogue_problem after = prepared(one, m);
    static_cast<void>(prepared(two, m));
    CHECK(run_prepared<std::int32_t>(one, after, m.numbers) != run_prepared<std::int32_t>(two, after, m.numbers));
}

TEST_CASE("a shift that cannot be exact is refused", "[epilogue][shift][error]") {
    matrix m = numbers_up_to((1 << 29), 2, 3);
    check_refused<range_error>(shift_right_by<>{31}, m,
                               {"'w': a shift by 31 of sums up to 536870912; beyond 30 they must stay below 2^29"});
    check_refused<range_error>(shift_right_by<>{-2}, m,
                               {"'w': a shift to the left by 2 of sums up to 536870912 leaves int32"});
    m = numbers_up_to(0, 2, 3);
    check_refused<range_error>(shift_right_by<>{-31}, m, {"to the left by 31"});
    m.exponents = {0, -40, 12};
    check_refused<range_error>(shift_requantize<>{-20}, m, {"'w': a shift to the left by 32 of sums up to 0"});
    m.problem.powers_of_two = false;
    check_refused<unsupported_error>(
        shift_requantize<>{0}, m,
        {"'w': shift_requantize needs power-of-two scales", "use fixed_point_requantize or real_requantize"});
    m.problem.powers_of_two = true;
    m.problem.is_float = true;
    check_refused<unsupported_error>(shift_requantize<>{0}, m, {"'w': shift_requantize needs power-of-two scales"});
}

/// @file
/// Stages whose factors the caller made: add_rescaled_residual, real_requantize_by and to_real_by, on every lane.
#include "epilogue/lanes.hpp"

#include <notch/core/fixed_point.hpp>
#include <notch/epilogue/add_rescaled_residual.hpp>
#include <notch/epilogue/fixed_point_requantize.hpp>
#include <notch/epilogue/real_factors.hpp>

#include <cmath>
#include <limits>

using namespace lanes;

namespace {

constexpr std::size_t rows = 17;
constexpr std::size_t columns = 21;

/// Factors of many sizes, powers of two and numbers just beside them among them.
double factor_of(std::size_t c) {
    const double near = c % 3 == 0 ? 1.0 : c % 3 == 1 ? 1.0 + 0x1p-30 : 1.37;
    return std::ldexp(near, static_cast<int>(c) - 12);
}

template <class Code> void check_residuals(std::int32_t zero) {
    const matrix m = numbers_up_to(1 << 24, rows, columns);
    fixed_point_factors factors;
    for (std::size_t c = 0; c < columns; ++c)
        factors.push_back(factor_of(c));
    std::vector<Code> codes(rows * (columns + 3)); // rows lie apart
    for (std::size_t i = 0; i < codes.size(); ++i)
        codes[i] = static_cast<Code>(i % 29 == 0   ? std::numeric_limits<Code>::max()
                                     : i % 31 == 0 ? std::numeric_limits<Code>::min()
                                                   : static_cast<int>(counter_bits(7, i) % 256));
    const strided_view<const Code, 2> view(codes.data(), {rows, columns}, {columns + 3, 1});
    const add_rescaled_residual<Code> stage{view, zero, factors.multipliers, factors.exponents};
    check_stage(stage, m, [&](std::size_t row, std::size_t c, std::int64_t x) {
        // floor(code * multiplier / 2^shift + 1/2), exactly
        const std::int64_t code = std::int64_t{view(row, c)} - zero;
        const int shift = 31 - factors.exponents[c];
        const std::int64_t product = code * factors.multipliers[c] + (std::int64_t{1} << (shift - 1));
        return x + (product >> shift);
    });
}

} // namespace

TEST_CASE("a residual of any scale is rounded once into the scale of the sums", "[epilogue]") {
    check_residuals<std::uint8_t>(0);
    check_residuals<std::uint8_t>(131);
    check_residuals<std::int8_t>(-128);
    check_residuals<std::int8_t>(5);
}

TEST_CASE("what no residual can be is refused", "[epilogue]") {
    const matrix m = numbers_up_to(1000, 2, 3);
    const std::vector<std::uint8_t> codes(12);
    fixed_point_factors factors;
    for (int c = 0; c < 3; ++c)
        factors.push_back(1.5);
    using stage = add_rescaled_residual<std::uint8_t>;
    const strided_view<const std::uint8_t, 2> view(codes.data(), {2, 3});
    const auto with = [&](std::int32_t exponent, std::int32_t multiplier) {
        fixed_point_factors other = factors;
        other.exponents[1] = exponent;
        other.multipliers[1] = multiplier;
        return other;
    };
    check_refused<shape_error>(stage{{codes.data(), {3, 2}}, 0, factors.multipliers, factors.exponents}, m,
                               {"'w'", "[3, 2]", "[2, 3]"});
    check_refused<shape_error>(stage{{codes.data(), {2, 3}, {6, 2}}, 0, factors.multipliers, factors.exponents}, m,
                               {"side by side, not 2 apart"});
    check_refused<shape_error>(stage{view, 0, std::span(factors.multipliers).first(2), factors.exponents}, m,
                               {"2 multipliers and 3 exponents for 3 outputs"});
    check_refused<range_error>(stage{view, 256, factors.multipliers, factors.exponents}, m, {"zero point 256"});
    const auto wide = with(22, 1 << 30);
    check_refused<range_error>(stage{view, 0, wide.multipliers, wide.exponents}, m, {"output 1", "[-30, 21]"});
    const auto thin = with(0, (1 << 30) - 1);
    check_refused<range_error>(stage{view, 0, thin.multipliers, thin.exponents}, m, {"output 1", "[2^30, 2^31)"});
    const auto large = with(21, 1 << 30);
    matrix full = m;
    full.problem.highest = std::numeric_limits<std::int32_t>::max() - 1000;
    check_refused<range_error>(stage{view, 0, large.multipliers, large.exponents}, full, {"the sum with the residual"});
    matrix floats = m;
    floats.problem.is_float = true;
    check_refused<unsupported_error>(stage{view, 0, factors.multipliers, factors.exponents}, floats, {"float sums"});
}

TEST_CASE("sums times floats are rounded once to float, then to a code", "[epilogue]") {
    const matrix m = numbers_up_to(1 << 30, rows, columns);
    std::vector<float> factors;
    for (std::size_t c = 0; c < columns; ++c)
        factors.push_back(static_cast<float>(factor_of(c) * 0x1p-10));
    const auto product = [&](std::int64_t x, std::size_t c) { // a float times a float is exact in double
        volatile auto sum = static_cast<float>(x);
        volatile auto rounded = static_cast<float>(static_cast<double>(sum) * static_cast<double>(factors[c]));
        return static_cast<double>(rounded);
    };
    check_stage(real_requantize_by<>{factors}, m, [&](std::size_t, std::size_t c, std::int64_t x) {
        return static_cast<std::int64_t>(
            std::nearbyint(std::fmin(std::fmax(product(x, c), -1073741824.0), 1073741824.0)));
    });
    to_real_by stage{factors};
    const epilogue_problem after = prepared(stage, m);
    CHECK(after.is_float);
    for_each_lane([&](auto lane, const char* name) {
        INFO(name);
        const auto reals = run_prepared<decltype(lane), float>(stage, after, m.numbers);
        std::size_t wrong = 0;
        for (std::size_t i = 0; i < reals.size(); ++i)
            wrong += static_cast<double>(reals[i]) != product(m.numbers[i], i % columns) ? 1U : 0U;
        CHECK(wrong == 0);
    });
}

TEST_CASE("factors that no scale gives are refused", "[epilogue]") {
    const matrix m = numbers_up_to(1000, 2, 3);
    const std::vector<float> two{1, 2};
    const std::vector<float> zero{1, 0, 1};
    const std::vector<float> infinite{1, 1, std::numeric_limits<float>::infinity()};
    check_refused<shape_error>(real_requantize_by<>{two}, m, {"2 factors for 3 outputs"});
    check_refused<range_error>(real_requantize_by<>{zero}, m, {"output 1", "factor 0"});
    check_refused<range_error>(to_real_by{infinite}, m, {"output 2"});
}

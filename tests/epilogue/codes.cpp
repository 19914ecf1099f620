/// @file
/// Stages that add and clamp: relu, clamp, clamp_to, add_zero_point, add_bias, add_residual.
#include "epilogue/lanes.hpp"

#include <notch/epilogue/activation.hpp>
#include <notch/epilogue/add_bias.hpp>
#include <notch/epilogue/add_residual.hpp>

#include <limits>

using namespace lanes;

namespace {

std::int64_t brought_into(std::int64_t x, std::int64_t lowest, std::int64_t highest) {
    return x < lowest ? lowest : x > highest ? highest : x;
}

/// round to nearest even of (code - zero) * 2^-n.
std::int64_t scaled(std::int64_t a, int n) {
    if (n <= 0)
        return a << -n;
    if (n > 40)
        return 0;
    const std::int64_t whole = std::int64_t{1} << n;
    const std::int64_t floor = (a - ((a % whole + whole) % whole)) / whole;
    const std::int64_t rest = a - floor * whole;
    return floor + (2 * rest > whole || (2 * rest == whole && floor % 2 != 0));
}

/// A residual whose rows lie `stride` apart, against plain arithmetic.
template <class Code> void check_residual(std::ptrdiff_t stride, std::int32_t zero, const std::vector<int>& shifts) {
    constexpr std::size_t rows = 6;
    constexpr std::size_t columns = 37;
    std::vector<Code> memory(rows * static_cast<std::size_t>(stride < 0 ? -stride : stride));
    for (std::size_t i = 0; i < memory.size(); ++i)
        memory[i] = static_cast<Code>(i * 37 + i / 7);
    const Code* const first =
        stride < 0 ? memory.data() - stride * static_cast<std::ptrdiff_t>(rows - 1) : memory.data();
    const strided_view<const Code, 2> codes(first, {rows, columns}, {stride, 1});
    const std::int32_t exponent = -2;
    for (const bool per_column : {false, true}) {
        matrix m = numbers_up_to(100000000, rows, columns);
        const auto shift = [&](std::size_t c) { return shifts[per_column ? c % shifts.size() : 0]; };
        // The stage shifts to the right by the exponent of the numbers less that of the residual.
        m.problem.exponent = per_column ? 5 : exponent + shift(0);
        for (std::size_t c = 0; c < columns && per_column; ++c)
            m.exponents.push_back(exponent + shift(c) - 5);
        check_stage(add_residual<Code>{codes, exponent, zero}, m, [&](std::size_t row, std::size_t c, std::int64_t x) {
            return x + scaled(codes(row, c) - zero, shift(c));
        });
    }
}

} // namespace

TEST_CASE("relu and clamps", "[epilogue][activation]") {
    matrix m = numbers_up_to(2147483647, 7, 21);
    check_stage(relu{}, m, [](std::size_t, std::size_t, std::int64_t x) { return x < 0 ? 0 : x; });
    m.numbers[5] = std::numeric_limits<std::int32_t>::min();
    m.problem.lowest = m.numbers[5];
    for (const clamp c : {clamp{0, 6}, clamp{-5, -5}, clamp{-100000, 2147483647}})
        check_stage(c, m,
                    [&](std::size_t, std::size_t, std::int64_t x) { return brought_into(x, c.lowest, c.highest); });
    check_stage(clamp_to<bits<4>>(), m,
                [](std::size_t, std::size_t, std::int64_t x) { return brought_into(x, -8, 7); });
    check_stage(clamp_to<bits<3, unsigned_codes, narrow_range>>(), m,
                [](std::size_t, std::size_t, std::int64_t x) { return brought_into(x, 1, 7); });
    check_refused<range_error>(clamp{1, 0}, m, {"'w': clamp to [1, 0], which is empty"});
}

TEST_CASE("the zero point of the output", "[epilogue][activation]") {
    const matrix m = numbers_up_to(2147483000, 7, 21);
    for (const int zero : {-128, 0, 17, 255})
        check_stage(add_zero_point{zero}, m, [&](std::size_t, std::size_t, std::int64_t x) { return x + zero; });
    check_refused<range_error>(add_zero_point{256}, m, {"'w': output zero point 256 lies outside [-128, 255]"});
    check_refused<range_error>(add_zero_point{-129}, m, {"output zero point -129 lies outside"});
    const matrix full = numbers_up_to(2147483647, 2, 3);
    check_refused<range_error>(add_zero_point{1}, full,
                               {"'w': the sum with the output zero point may reach [-2147483646, 2147483648]"});
}

TEST_CASE("a bias for every output", "[epilogue][bias]") {
    const matrix m = numbers_up_to(1 << 30, 7, 21);
    std::vector<std::int32_t> bias;
    for (int c = 0; c < 21; ++c)
        bias.push_back((c % 2 == 0 ? 1 : -1) * (1 << c) * 1001);
    bias[20] = (1 << 30) - 1;
    check_stage(add_bias{bias}, m, [&](std::size_t, std::size_t c, std::int64_t x) { return x + bias[c]; });
    bias[20] = 1 << 30;
    check_refused<range_error>(add_bias{bias}, m, {"'w': the sum with the bias may reach [", ", 2147483648], beyond"});
    bias.pop_back();
    check_refused<shape_error>(add_bias{bias}, m, {"'w': 20 biases for 21 outputs"});
    check_refused<shape_error>(add_bias{}, m, {"0 biases"});
}

TEST_CASE("a residual with its own scale", "[epilogue][residual]") {
    for (const std::ptrdiff_t stride : {37, 40, -37}) {
        check_residual<std::uint8_t>(stride, 0, {0, 1, 3, 8, 9});
        check_residual<std::int8_t>(stride, 0, {-3, 0, 2, 7, 30, 31, 100});
    }
    check_residual<std::uint8_t>(37, 255, {-19, -18, -1, 4});
    check_residual<std::uint8_t>(37, -128, {-10, 2});
    check_residual<std::int8_t>(37, -128, {5, 6, 7});
    check_residual<std::int8_t>(37, 127, {-22 + 4, 1});
}

TEST_CASE("a residual that does not fit is refused", "[epilogue][residual][error]") {
    matrix m = numbers_up_to(1000, 2, 3);
    const std::vector<std::int8_t> memory(64);
    const auto residual = [&](std::size_t rows, std::size_t columns, std::ptrdiff_t apart) {
        return strided_view<const std::int8_t, 2>(memory.data(), {rows, columns}, {9, apart});
    };
    using stage = add_residual<std::int8_t>;
    check_refused<shape_error>(stage{residual(2, 4, 1)}, m,
                               {"'w': a residual of extents [2, 4] for a product of extents [2, 3]"});
    check_refused<shape_error>(stage{residual(3, 3, 1)}, m, {"of extents [3, 3]"});
    check_refused<shape_error>(stage{residual(2, 3, 2)}, m,
                               {"'w': the columns of a residual lie side by side, not 2 apart"});
    check_refused<range_error>(stage{residual(2, 3, 1), 0, 256}, m, {"'w': zero point 256 of a residual lies outside"});
    m.exponents = {0, -23, 5};
    check_refused<range_error>(stage{residual(2, 3, 1)}, m,
                               {"'w': a residual of scale 2^0 is shifted to the left by 23; the limit is 22"});
    m.exponents = {0, -22, 5};
    m.problem.highest = 2147483647;
    check_refused<range_error>(stage{residual(2, 3, 1)}, m, {"'w': the sum with the residual may reach ["});
    m.problem.powers_of_two = false;
    check_refused<unsupported_error>(stage{residual(2, 3, 1)}, m, {"'w': add_residual needs power-of-two scales"});
}

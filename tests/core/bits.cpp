// Code ranges, integer helpers and error texts.
#include "catch.hpp"

#include <notch/core/bits.hpp>
#include <notch/core/error.hpp>
#include <notch/core/int_math.hpp>

#include <array>
#include <cmath>
#include <cstdint>
#include <limits>
#include <string>

using namespace notch;

TEST_CASE("code ranges follow the table", "[bits]") {
    CHECK(bits<8>::range == code_range{-128, 127});
    CHECK(bits<4>::range == code_range{-8, 7});
    CHECK(bits<2>::range == code_range{-2, 1});
    CHECK(bits<3>::range == code_range{-4, 3});
    CHECK(bits<8, signed_codes, narrow_range>::range == code_range{-127, 127});
    CHECK(bits<2, signed_codes, narrow_range>::range == code_range{-1, 1});
    CHECK(bits<8, unsigned_codes>::range == code_range{0, 255});
    CHECK(bits<5, unsigned_codes>::range == code_range{0, 31});
    CHECK(bits<8, unsigned_codes, narrow_range>::range == code_range{1, 255});
    CHECK(bits<8>::range.steps() == 255);
    STATIC_REQUIRE(std::is_same_v<bits<2>::code_type, std::int8_t>);
    STATIC_REQUIRE(std::is_same_v<bits<8, unsigned_codes>::code_type, std::uint8_t>);
    CHECK(bits<8>::codes_per_byte == 1);
    CHECK(bits<4>::codes_per_byte == 2);
    CHECK(bits<3>::codes_per_byte == 2);
    CHECK(bits<2>::codes_per_byte == 4);
    STATIC_REQUIRE(bit_width<bits<6>>);
    STATIC_REQUIRE_FALSE(bit_width<int>);
}

TEST_CASE("integer helpers hold at their edges", "[int_math]") {
    CHECK(ceil_div(0, 3) == 0);
    CHECK(ceil_div(1, 3) == 1);
    CHECK(ceil_div(std::numeric_limits<std::size_t>::max(), 2) == std::numeric_limits<std::size_t>::max() / 2 + 1);
    CHECK(round_up(17, 16) == 32);
    CHECK(checked_narrow<std::int8_t>(-128, "code") == -128);
    CHECK_THROWS_WITH(checked_narrow<std::int8_t>(128, "code"), "code is 128, outside [-128, 127]");
    CHECK_THROWS_AS(checked_narrow<std::uint32_t>(-1, "size"), range_error);
    CHECK(checked_product(3, 5, "bytes") == 15);
    CHECK_THROWS_AS(checked_product(std::numeric_limits<std::size_t>::max(), 2, "bytes"), range_error);
    CHECK(exp2_exact(-100) == std::ldexp(1.0, -100));
    CHECK(exp2_exact(-1022) == std::numeric_limits<double>::min());
    CHECK(floor_log2(1.0) == 0);
    CHECK(floor_log2(0.99) == -1);
    CHECK(floor_log2(3.9e10) == 35);
    CHECK(is_power_of_two(0.25));
    CHECK_FALSE(is_power_of_two(0.75));
    CHECK_FALSE(is_power_of_two(0.0));
    CHECK_FALSE(is_power_of_two(std::numeric_limits<double>::infinity()));
    CHECK(is_non_finite(std::numeric_limits<float>::quiet_NaN()));
    CHECK(is_non_finite(-std::numeric_limits<double>::infinity()));
    CHECK_FALSE(is_non_finite(std::numeric_limits<float>::max()));
    CHECK_FALSE(is_non_finite(std::numeric_limits<float>::denorm_min()));
}

TEST_CASE("messages carry numbers, names and lists", "[error]") {
    CHECK(notch::detail::text("a ", 3, " b ", 0.1F, ' ', true, " ", std::array<int, 3>{1, -2, 3}) ==
          "a 3 b 0.100000001 true [1, -2, 3]");
    CHECK(notch::detail::quoted("conv1") == "tensor 'conv1'");
    CHECK(notch::detail::quoted("") == "tensor");
    try {
        notch::detail::raise<shape_error>("extent ", 7, " exceeds ", std::size_t{4});
        FAIL("raise returned");
    } catch (const error& caught) {
        CHECK(std::string(caught.what()) == "extent 7 exceeds 4");
        CHECK(dynamic_cast<const shape_error*>(&caught) != nullptr);
    }
    CHECK_THROWS_AS(notch::detail::raise<range_error>("x"), std::runtime_error);
    CHECK_THROWS_AS(notch::detail::raise<format_error>("x"), format_error);
    CHECK_THROWS_AS(notch::detail::raise<unsupported_error>("x"), unsupported_error);
    CHECK_THROWS_AS(notch::detail::raise<state_error>("x"), state_error);
}

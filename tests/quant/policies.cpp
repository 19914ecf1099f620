// Granularities, scale types, zero points and their composition.
#include "catch.hpp"

#include <notch/quant/params.hpp>

#include <cmath>
#include <limits>
#include <random>
#include <type_traits>

using namespace notch;

TEST_CASE("granularities cut tensors as the table says", "[granularity]") {
    const extents<4> shape{6, 10, 3, 3};
    CHECK(make_grid(per_tensor{}, shape).count == 1);
    CHECK(make_grid(per_channel<0>{}, shape).blocks == extents<4>{6, 1, 1, 1});
    CHECK(make_grid(per_channel<1>{}, shape).blocks == extents<4>{1, 10, 1, 1});
    CHECK(make_grid(per_channel<-1>{}, shape).blocks == extents<4>{1, 1, 1, 3});
    const auto groups = make_grid(per_group<4>{}, shape);
    CHECK(groups.blocks == extents<4>{6, 3, 1, 1}); // 4 + 4 + 2 input channels
    CHECK(groups.block == extents<4>{1, 4, 3, 3});
    CHECK(groups.block_of(5, 9, 2, 0) == 17);
    const auto blocks = make_grid(sub_layer<4, 4>{}, shape);
    CHECK(blocks.blocks == extents<4>{2, 3, 1, 1});
    CHECK(blocks.block_of(3, 3, 0, 0) == 0);
    CHECK(blocks.block_of(4, 8, 2, 2) == 5);
    CHECK(make_grid(per_group<64>{}, shape).count == 6); // larger than the tensor: one group per row
    CHECK(make_grid(sub_layer<64, 64>{}, shape).count == 1);
}

TEST_CASE("run-time sizes cut like static ones", "[granularity]") {
    const extents<2> shape{7, 13};
    const auto same = [&](auto fixed, auto chosen) {
        const auto a = make_grid(fixed, shape);
        const auto b = make_grid(chosen, shape);
        return a.block == b.block && a.blocks == b.blocks && a.count == b.count;
    };
    CHECK(same(per_group<5>{}, per_group<>{5}));
    CHECK(same(sub_layer<3, 4>{}, sub_layer<>{3, 4}));
    CHECK(same(per_channel<1>{}, per_channel<run_time_axis>{1}));
    CHECK(same(per_channel<-2>{}, per_channel<run_time_axis>{-2}));
    CHECK_THROWS_WITH(make_grid(per_group<>{}, shape), containing("size 0"));
    CHECK_THROWS_AS(make_grid(sub_layer<>{3, 0}, shape), shape_error);
    CHECK_THROWS_WITH(make_grid(per_channel<run_time_axis>{2}, shape), containing("axis 2"));
    CHECK_THROWS_AS(make_grid(per_channel<run_time_axis>{-3}, shape), shape_error);
    CHECK_THROWS_AS(make_grid(per_channel<run_time_axis>{std::numeric_limits<int>::max()}, shape), shape_error);
    STATIC_REQUIRE(per_group<>::splits_reduction);
    STATIC_REQUIRE_FALSE(per_channel<0>::splits_reduction);
    STATIC_REQUIRE(sub_layer<2, 2>::splits_reduction);
}

TEST_CASE("policies are empty types", "[quantizer]") {
    STATIC_REQUIRE(std::is_empty_v<quantizer<bits<4>, per_group<32>, power_of_two<>, nearest_even, affine>>);
    STATIC_REQUIRE(sizeof(quantizer<bits<4>, per_group<>>) == sizeof(std::size_t));
    STATIC_REQUIRE(quantizer_type<quantizer<bits<8>>>);
    STATIC_REQUIRE_FALSE(quantizer_type<bits<8>>);
}

TEST_CASE("power-of-two scales snap in logarithm", "[scale]") {
    CHECK(power_of_two<snap_up>::snap(1.0) == 0);
    CHECK(power_of_two<snap_up>::snap(1.0000001) == 1);
    CHECK(power_of_two<snap_up>::snap(0.3) == -1);
    CHECK(power_of_two<snap_down>::snap(0.3) == -2);
    CHECK(power_of_two<snap_down>::snap(0.25) == -2);
    // sqrt(2) / 4 = 0.35355...: the middle between -2 and -1 in logarithm.
    CHECK(power_of_two<snap_nearest>::snap(0.3535) == -2);
    CHECK(power_of_two<snap_nearest>::snap(0.3536) == -1);
    CHECK(power_of_two<snap_least_squares>::snap(0.3) == -1);
    const auto tried = power_of_two<>::candidates(0.3);
    CHECK(std::vector<int>(tried.begin(), tried.end()) == std::vector<int>{-1, -2, -3, -4});
    std::mt19937 generator(3);
    std::uniform_real_distribution<double> logarithm(-99, 118);
    for (int i = 0; i < 5000; ++i) {
        const double scale = std::exp2(logarithm(generator));
        const double exponent = std::log2(scale);
        REQUIRE(power_of_two<snap_up>::snap(scale) == static_cast<int>(std::ceil(exponent)));
        REQUIRE(power_of_two<snap_down>::snap(scale) == static_cast<int>(std::floor(exponent)));
        REQUIRE(power_of_two<snap_nearest>::snap(scale) == static_cast<int>(std::lround(exponent)));
    }
}

TEST_CASE("scales stay inside their limits", "[scale]") {
    CHECK(power_of_two<>::snap(0.0) == 0); // a block of zeros has the scale 1
    CHECK(real_scale::snap(0.0) == 1.0F);
    CHECK(fixed_point<>::snap(0.0).real() == 1.0);
    CHECK(power_of_two<>::snap(1e-45) == -100);
    CHECK(real_scale::snap(1e-45) == 0x1p-100F);
    CHECK(power_of_two<>::snap(1e38) == 119);
    CHECK(real_scale::snap(1e300) == 0x1p119F);
    CHECK(fixed_point<double_rounding>::snap(1e300).real() == 0x1p119);
    CHECK(fixed_point<>::snap(1.0 / 3.0).real() == Approx(1.0 / 3.0).epsilon(1e-9));
    CHECK(real_scale::snap(0.1) == 0.1F);
    for (const int exponent : power_of_two<>::candidates(1e-40))
        CHECK(exponent == -100);
}

TEST_CASE("the scale is snapped first, the zero point derived after", "[zero_point]") {
    using q = quantizer<bits<8, unsigned_codes>, per_tensor, power_of_two<snap_up>, nearest_even, affine>;
    // [-1, 3]: 4 / 255 -> 2^-6 = 1/64 (0.0157 < 0.01563? 4/255 = 0.015686 > 0.015625, so 2^-5); zero = round(1 * 32) = 32.
    const auto params = params_from_range<q>({-1.0F, 3.0F});
    CHECK(params.scales[0] == -5);
    CHECK(params.zero_points[0] == 32);
    // One-sided ranges are widened to hold 0.
    const auto positive = params_from_range<q>({2.0F, 3.0F});
    CHECK(positive.zero_points[0] == 0);
    CHECK(positive.scale(0) == 0x1p-6); // 3 / 255 = 0.01176
    const auto negative = params_from_range<q>({-3.0F, -2.0F});
    CHECK(negative.zero_points[0] == 192); // 3 * 64
    using s = quantizer<bits<8>, per_tensor, real_scale, nearest_even, affine>;
    const auto whole = params_from_range<s>({-2.55F, 0.0F});
    CHECK(whole.scale(0) == Approx(0.01));
    CHECK(whole.zero_points[0] == 127);
    // Zero is a code for every range.
    std::mt19937 generator(8);
    std::uniform_real_distribution<float> any(-10, 10);
    for (int i = 0; i < 2000; ++i) {
        const float a = any(generator);
        const float b = any(generator);
        const auto p = params_from_range<q>({std::min(a, b), std::max(a, b)});
        REQUIRE((p.zero_points[0] >= 0 && p.zero_points[0] <= 255));
        const auto r = params_from_range<s>({std::min(a, b), std::max(a, b)});
        REQUIRE((r.zero_points[0] >= -128 && r.zero_points[0] <= 127));
    }
}

TEST_CASE("symmetric ranges take the larger side", "[zero_point]") {
    using q = quantizer<bits<8>>;
    CHECK(params_from_range<q>({-2.54F, 1.0F}).scale(0) == Approx(0.02));
    CHECK(params_from_range<q>({-1.0F, 2.54F}).scale(0) == Approx(0.02));
    using u = quantizer<bits<8, unsigned_codes>>;
    CHECK(params_from_range<u>({0.0F, 5.1F}).scale(0) == Approx(0.02));
    CHECK_THROWS_WITH(params_from_range<u>({-0.5F, 5.1F}, "relu3"), containing("relu3") && containing("-0.5"));
}

TEST_CASE("impossible parameters are refused with their numbers", "[params]") {
    using q = quantizer<bits<8>>;
    constexpr float nan = std::numeric_limits<float>::quiet_NaN();
    constexpr float infinite = std::numeric_limits<float>::infinity();
    CHECK_THROWS_AS(params_from_range<q>({nan, 1.0F}), range_error);
    CHECK_THROWS_AS(params_from_range<q>({0.0F, infinite}), range_error);
    CHECK_THROWS_WITH(params_from_range<q>({2.0F, 1.0F}, "x"), containing("[2, 1]"));
    CHECK_THROWS_WITH(params_from_scales<q>(extents<1>{3}, {-0.5}), containing("-0.5"));
    CHECK_THROWS_AS(params_from_scales<q>(extents<1>{3}, {0.0}), range_error);
    CHECK_THROWS_AS(params_from_scales<q>(extents<1>{3}, {std::numeric_limits<double>::infinity()}), range_error);
    CHECK_THROWS_WITH(params_from_scales<q>(extents<1>{3}, {1e-31}), containing("1e-31") && containing("2^-100"));
    CHECK_THROWS_AS(params_from_scales<q>(extents<1>{3}, {1e36}), range_error);
    CHECK_THROWS_WITH(params_from_scales<q>(extents<1>{3}, {1.0, 2.0}), containing("2 scales for 1 blocks"));
    CHECK_THROWS_AS(params_from_scales<q>(extents<1>{3}, {1.0}, {0}), shape_error);
    using a = quantizer<bits<4>, per_tensor, real_scale, nearest_even, affine>;
    CHECK_THROWS_AS(params_from_scales<a>(extents<1>{3}, {1.0}), shape_error);
    CHECK_THROWS_WITH(params_from_scales<a>(extents<1>{3}, {1.0}, {8}),
                      containing("zero point 8") && containing("[-8, 7]"));
}

namespace elsewhere {

// A foreign granularity: one scale per quadrant of the two channel axes.
struct quadrants {
    static constexpr bool splits_reduction = true;
    template <std::size_t Rank> constexpr extents<Rank> block(const extents<Rank>& shape) const {
        extents<Rank> result = shape;
        result[0] = ceil_div(shape[0], 2);
        result[1] = ceil_div(shape[1], 2);
        return result;
    }
};

// A foreign scale type: multiples of 1/16.
struct sixteenths {
    using value_type = int;
    static value_type snap(double scale) { return scale <= 1.0 / 16.0 ? 1 : static_cast<int>(std::ceil(scale * 16.0)); }
    static double to_real(value_type value) { return value / 16.0; }
};

struct block_of_zero {
    static constexpr bool splits_reduction = false;
    template <std::size_t Rank> constexpr extents<Rank> block(const extents<Rank>&) const { return {}; }
};

} // namespace elsewhere

namespace elsewhere {
struct far_too_large {
    static constexpr bool splits_reduction = true;
    template <std::size_t Rank> constexpr extents<Rank> block(const extents<Rank>&) const {
        extents<Rank> result{};
        result.fill(std::size_t{1} << 61);
        return result;
    }
};
} // namespace elsewhere

TEST_CASE("a block larger than the tensor is the tensor", "[granularity][extending]") {
    const auto grid = make_grid(elsewhere::far_too_large{}, extents<2>{8, 3});
    CHECK(grid.block == extents<2>{8, 3});
    CHECK(grid.count == 1);
}

TEST_CASE("foreign policies fit the slots", "[quantizer][extending]") {
    STATIC_REQUIRE(granularity<elsewhere::quadrants>);
    STATIC_REQUIRE(scale_type<elsewhere::sixteenths>);
    using q = quantizer<bits<4>, elsewhere::quadrants, elsewhere::sixteenths>;
    const auto params = params_from_scales<q>(extents<2>{5, 4}, {0.5, 0.01, 1.03, 2.0});
    CHECK(params.blocks == std::vector<std::size_t>{2, 2});
    CHECK(params.scales == std::vector<int>{8, 1, 17, 32});
    CHECK_THROWS_WITH(make_grid(elsewhere::block_of_zero{}, extents<2>{5, 4}), containing("[0, 0]"));
}

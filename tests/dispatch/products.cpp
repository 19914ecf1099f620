// Every standard epilogue on every instruction set of this machine gives what gemm<simd::scalar> gives, errors included.
#include "dispatch/problems.hpp"

using namespace dispatch_test;

namespace {

/// Calls f(problem) for weights of every kind in shapes about the sizes of tiles.
template <class F> void for_each_problem(const F& f) {
    using shift8 = quantizer<bits<8>, per_channel<0>, power_of_two<>>;
    using real8 = quantizer<bits<8>, per_channel<0>, real_scale>;
    using groups4 = quantizer<bits<4>, per_group<32>, power_of_two<>>;
    using blocks4 = quantizer<bits<4, unsigned_codes>, sub_layer<16, 16>, power_of_two<>, nearest_even, affine>;
    using real4 = quantizer<bits<4>, per_group<32>, real_scale>;
    using blocks2 = quantizer<bits<2>, sub_layer<8, 12>, power_of_two<>>;
    const std::array<std::size_t, 3> shapes[] = {{1, 1, 1}, {2, 16, 4}, {7, 17, 50}, {13, 40, 129}, {25, 33, 64}};
    std::uint64_t seed = 1;
    for (const auto& shape : shapes) {
        f(make_problem<shift8>("int8", shape, seed++));
        f(make_problem<real8>("int8, real", shape, seed++));
        f(make_problem<groups4>("int4 in groups", shape, seed++));
        f(make_problem<blocks4>("affine int4 in blocks", shape, seed++));
        f(make_problem<real4>("int4 in groups, real", shape, seed++));
        f(make_problem<blocks2>("int2 in blocks", shape, seed++));
        problem real_input = make_problem<groups4>("real input, int4 in groups", shape, seed++);
        real_input.has_scales_of_two = false;
        f(real_input);
    }
    CHECK(!tallies().empty());
    for (const auto& [what, tally] : tallies()) {
        INFO(what << ": " << tally.numbers << " products, " << tally.errors << " errors");
        CHECK((what == "refused" ? tally.errors : tally.numbers) > 0);
    }
    tallies().clear();
}

} // namespace

TEST_CASE("shifts of every rounding rule, with bias, activation and zero point", "[dispatch]") {
    for_each_problem([](const problem& p) {
        const add_bias bias{p.bias};
        check<std::int8_t, std::uint8_t>(p, {.requantization = shift_requantize{output_exponent}},
                                         shift_requantize{output_exponent}, "shift to int8");
        check<std::uint8_t, std::uint8_t>(
            p, {.bias = p.bias, .requantization = shift_requantize<nearest_up>{output_exponent}, .activation = relu{}},
            bias | shift_requantize<nearest_up>{output_exponent} | relu{}, "bias, shift up, relu to uint8");
        check<std::uint8_t, std::int8_t>(p,
                                         {.requantization = shift_requantize<nearest_away>{output_exponent},
                                          .activation = clamp{-20, 90},
                                          .zero_point = 30},
                                         shift_requantize<nearest_away>{output_exponent} | clamp{-20, 90} |
                                             add_zero_point{30},
                                         "shift away, clamp, zero point to uint8");
        check<std::int32_t, std::int8_t>(
            p, {.bias = p.bias, .requantization = shift_requantize<toward_zero>{output_exponent}, .zero_point = -7},
            bias | shift_requantize<toward_zero>{output_exponent} | add_zero_point{-7}, "shift toward zero to int32");
        check<std::int8_t, std::int8_t>(p, {.requantization = shift_requantize{-60}}, shift_requantize{-60}, "refused");
    });
}

TEST_CASE("fixed-point and real requantization", "[dispatch]") {
    for_each_problem([](const problem& p) {
        const add_bias bias{p.bias};
        check<std::int8_t, std::uint8_t>(p, {.bias = p.bias, .requantization = fixed_point_requantize<>(p.factors)},
                                         bias | fixed_point_requantize<>(p.factors), "fixed point, single");
        check<std::uint8_t, std::int8_t>(
            p,
            {.requantization = fixed_point_requantize<double_rounding>(p.factors),
             .activation = relu{},
             .zero_point = 100},
            fixed_point_requantize<double_rounding>(p.factors) | relu{} | add_zero_point{100}, "fixed point, double");
        check<std::int8_t, std::uint8_t>(p, {.requantization = real_requantize{0.37F}}, real_requantize{0.37F}, "real");
        check<std::uint8_t, std::int8_t>(
            p, {.requantization = real_requantize{0.21F}, .activation = clamp{0, 60}, .zero_point = 9},
            real_requantize{0.21F} | clamp{0, 60} | add_zero_point{9}, "real, clamp, zero point");
        check<std::int32_t, std::int8_t>(p, {.bias = p.bias, .requantization = real_requantize{0.0003F}},
                                         bias | real_requantize{0.0003F}, "bias, real to int32");
    });
}

TEST_CASE("sums as they are, and reals", "[dispatch]") {
    for_each_problem([](const problem& p) {
        const add_bias bias{p.bias};
        check<std::int32_t, std::uint8_t>(p, {}, identity{}, "sums");
        check<float, std::int8_t>(p, {}, identity{}, "float sums");
        check<std::uint8_t, std::int8_t>(p, {.bias = p.bias, .activation = relu{}}, bias | relu{}, "sums to uint8");
        check<float, std::uint8_t>(p, {.requantization = to_real{}}, to_real{}, "reals");
        check<float, std::int8_t>(p, {.bias = p.bias, .requantization = to_real{}}, bias | to_real{}, "bias, reals");
    });
}

TEST_CASE("residuals of both types before every kind of requantization", "[dispatch]") {
    for_each_problem([](const problem& p) {
        const add_bias bias{p.bias};
        const auto codes = p.residual_stage<std::uint8_t>();
        const auto signed_codes = p.residual_stage<std::int8_t>();
        check<std::int8_t, std::uint8_t>(
            p, {.bias = p.bias, .residual = codes, .requantization = shift_requantize{output_exponent}},
            bias | codes | shift_requantize{output_exponent}, "residual, shift");
        check<std::uint8_t, std::int8_t>(
            p, {.residual = signed_codes, .requantization = fixed_point_requantize<>(p.factors), .activation = relu{}},
            signed_codes | fixed_point_requantize<>(p.factors) | relu{}, "residual, fixed point, relu");
        check<std::uint8_t, std::uint8_t>(p, {.residual = codes, .requantization = real_requantize{0.3F}},
                                          codes | real_requantize{0.3F}, "residual, real");
        check<std::int32_t, std::int8_t>(p, {.residual = signed_codes}, stages(signed_codes), "residual, sums");
        check<float, std::int8_t>(p, {.residual = codes, .requantization = to_real{}}, codes | to_real{},
                                  "residual, reals");
    });
}

// Golden vectors computed independently in double precision (rounding half up), one case per published quantizer.
#include "catch.hpp"

#include <notch/quant/fit.hpp>
#include <notch/quant/quantization_error.hpp>

#include <algorithm>
#include <cmath>
#include <vector>

using namespace notch;

namespace {
template <class Tensor> std::vector<int> list(const Tensor& tensor) {
    return {tensor.codes.elements().begin(), tensor.codes.elements().end()};
}
} // namespace

TEST_CASE("trained thresholds: 8-bit affine codes", "[golden]") {
    // Left threshold -0.7, width 2.4: 106.25 steps per unit, the code of 0 is 74.
    using q = quantizer<bits<8, unsigned_codes>, per_tensor, real_scale, nearest_up, affine>;
    const std::vector<float> x{-0.9F, -0.7F, -0.35F, 0.0F, 0.333F, 1.0F, 1.69F, 1.9F};
    const auto tensor = quantize(x, params_from_scales<q>(extents<1>{8}, {1.0 / 106.25}, {74}));
    CHECK(list(tensor) == std::vector<int>{0, 0, 37, 74, 109, 180, 254, 255});
    const std::vector<double> expected{-0.696470588, -0.696470588, -0.348235294, 0.0,
                                       0.329411765,  0.997647059,  1.69411765,   1.70352941};
    const auto back = dequantize(tensor);
    for (std::size_t i = 0; i < expected.size(); ++i)
        CHECK(static_cast<double>(back(i)) == Approx(expected[i]).margin(1e-7));
    // The same parameters from the range itself: scale 2.4 / 255, zero point 0.7 / scale = 74.375.
    const auto params = params_from_range<q>({-0.7F, 1.7F});
    CHECK(params.scale(0) == Approx(1.0 / 106.25).epsilon(1e-6));
    CHECK(params.zero_points[0] == 74);
}

TEST_CASE("coarse and fine parts of a split kernel", "[golden]") {
    using q = quantizer<bits<8, signed_codes, narrow_range>, per_channel<0>, real_scale, nearest_up>;
    dense_tensor<float, 2> coarse({1, 2});
    coarse(0, 0) = 0.8F;
    coarse(0, 1) = -0.3F;
    const auto centre = quantize<q>(coarse);
    CHECK(centre.params.scale(0) == Approx(0.0062992126).epsilon(1e-6));
    CHECK(list(centre) == std::vector<int>{127, -48});

    const double fine_scale = 0.000236220472;
    dense_tensor<float, 4> fine({1, 2, 3, 3});
    const std::vector<float> taps{0.01F, -0.02F, 0.03F,   0.016F, 0.0F,           -0.01F, 0.02F,  0.0F,  -0.03F,
                                  0.02F, 0.01F,  -0.016F, 0.03F,  0.00236220472F, 0.005F, -0.02F, 0.01F, 0.0F};
    std::copy(taps.begin(), taps.end(), fine.data());
    const auto rest = quantize<q>(fine);
    CHECK(rest.params.scale(0) == Approx(fine_scale).epsilon(1e-6));
    CHECK(list(rest) == std::vector<int>{42, -85, 127, 68, 0, -42, 85, 0, -127, 85, 42, -68, 127, 10, 21, -85, 42, 0});
}

TEST_CASE("sub-layer blocks with half a step beyond the last code", "[golden]") {
    // -0.3 / 0.12, 0.02 / 0.0133.. and 0.2 / 0.08 are ties in the decimal numbers of the vector. A scale of 31 bits keeps
    // them; the float nearest to 0.12 lies below it, so that real_scale has -2.5000002 there, which is no tie.
    using q = quantizer<bits<4>, sub_layer<2, 2>, fixed_point<>, nearest_up>;
    dense_tensor<float, 2> weights({4, 4});
    const std::vector<float> rows{0.9F,  -0.3F, 0.1F, 0.05F,  0.4F,   0.7F,  -0.08F, 0.02F,
                                  0.06F, 0.01F, 0.5F, -0.45F, -0.03F, 0.04F, 0.2F,   0.6F};
    std::copy(rows.begin(), rows.end(), weights.data());
    fit_options<q> options;
    options.half_step_beyond = true;
    const auto fitted = fit_params<q>(weights, options);
    const std::vector<double> scales{0.12, 1.0 / 75.0, 0.008, 0.08};
    for (std::size_t i = 0; i < 4; ++i)
        CHECK(fitted.scale(i) == Approx(scales[i]).epsilon(1e-6));
    const auto tensor = quantize(weights, params_from_scales<q>(weights.shape(), scales));
    const auto block = [&](std::size_t o, std::size_t i) {
        return std::vector<int>{tensor.codes(o, i), tensor.codes(o, i + 1), tensor.codes(o + 1, i),
                                tensor.codes(o + 1, i + 1)};
    };
    CHECK(block(0, 0) == std::vector<int>{7, -2, 3, 6});
    CHECK(block(0, 2) == std::vector<int>{7, 4, -6, 2});
    CHECK(block(2, 0) == std::vector<int>{7, 1, -4, 5});
    CHECK(block(2, 2) == std::vector<int>{6, -6, 3, 7});
}

TEST_CASE("learned step size: 3-bit signed", "[golden]") {
    using q = quantizer<bits<3>, per_tensor, real_scale, nearest_up>;
    const std::vector<float> x{-1.5F, -0.6F, 0.1F, 0.3F, 0.9F};
    const auto params = params_from_scales<q>(extents<1>{5}, {0.25});
    const auto back = fake_quantize(x, params);
    const std::vector<float> expected{-1.0F, -0.5F, 0.0F, 0.25F, 0.75F};
    CHECK(std::equal(back.elements().begin(), back.elements().end(), expected.begin()));
    // A quarter is a power of two: the exponent type gives the same codes.
    using p = quantizer<bits<3>, per_tensor, power_of_two<>, nearest_up>;
    CHECK(list(quantize(x, params)) == list(quantize(x, params_from_scales<p>(extents<1>{5}, {0.25}))));
}

TEST_CASE("signal to noise grows by 6 dB a bit", "[golden]") {
    // Uniform data over the whole range: noise is step^2 / 12, so each bit adds 20 log10(2) = 6.02 dB.
    dense_tensor<float, 1> x({100000});
    for (std::size_t i = 0; i < x.size(); ++i)
        x(i) = static_cast<float>(2.0 * counter_uniform(1, i) - 1.0);
    const double db6 =
        quantization_error(x, quantize<quantizer<bits<6>, per_tensor, real_scale, nearest_even, affine>>(x)).sqnr_db;
    const double db7 =
        quantization_error(x, quantize<quantizer<bits<7>, per_tensor, real_scale, nearest_even, affine>>(x)).sqnr_db;
    const double db8 =
        quantization_error(x, quantize<quantizer<bits<8>, per_tensor, real_scale, nearest_even, affine>>(x)).sqnr_db;
    CHECK(db8 - db7 == Approx(6.02).margin(0.15));
    CHECK(db7 - db6 == Approx(6.02).margin(0.2));
    CHECK(db8 == Approx(10 * std::log10(255.0 * 255.0)).margin(0.1)); // (2/sqrt 12)^2 over step^2/12, step = 2/255
}

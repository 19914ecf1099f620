// Equality with ONNX QuantizeLinear and DequantizeLinear: hand-derived vectors, then exact arithmetic.
#include "catch.hpp"
#include "quant/exact.hpp"

#include <notch/quant/fit.hpp>
#include <notch/quant/quantize.hpp>

#include <algorithm>
#include <cmath>
#include <limits>
#include <random>
#include <vector>

using namespace notch;

namespace {

template <class Tensor> std::vector<int> list(const Tensor& tensor) {
    return {tensor.elements().begin(), tensor.elements().end()};
}

dense_tensor<float, 2> matrix(std::size_t rows, const std::vector<float>& values) {
    dense_tensor<float, 2> tensor({rows, values.size() / rows});
    std::copy(values.begin(), values.end(), tensor.data());
    return tensor;
}

} // namespace

TEST_CASE("per-tensor uint8 with a zero point", "[onnx]") {
    // x / 2 = 0, 1, 1.5, 500, -127, -500; ties to even, plus 128, saturated.
    using q = quantizer<bits<8, unsigned_codes>, per_tensor, real_scale, nearest_even, affine>;
    const auto params = params_from_scales<q>(extents<1>{6}, {2.0}, {128});
    const std::vector<float> x{0, 2, 3, 1000, -254, -1000};
    const auto tensor = quantize(x, params);
    CHECK(list(tensor.codes) == std::vector<int>{128, 129, 130, 255, 1, 0});
    const auto back = dequantize(tensor);
    const std::vector<float> expected{0, 2, 4, 254, -254, -256};
    CHECK(std::equal(back.elements().begin(), back.elements().end(), expected.begin()));
}

TEST_CASE("ties go to the even code", "[onnx]") {
    using q = quantizer<bits<8>>;
    const auto params = params_from_scales<q>(extents<1>{8}, {0.5});
    const std::vector<float> x{0.25F, 0.75F, 1.25F, 1.75F, -0.25F, -0.75F, -1.25F, -1.75F}; // 0.5 1.5 2.5 3.5 ...
    CHECK(list(quantize(x, params).codes) == std::vector<int>{0, 2, 2, 4, 0, -2, -2, -4});
}

TEST_CASE("per-axis scales and zero points", "[onnx]") {
    // axis 1 of a [2, 3] tensor: scales 2, 4, 5, zero points 84, 24, 196 (uint8).
    using q = quantizer<bits<8, unsigned_codes>, per_channel<1>, real_scale, nearest_even, affine>;
    const auto x = matrix(2, {-162, 10, -100, 232, -20, -50});
    const auto params = params_from_scales<q>(x.shape(), {2, 4, 5}, {84, 24, 196});
    // -81+84, 2.5 -> 2 +24, -20+196; 116+84, -5+24, -10+196
    CHECK(list(quantize(x, params).codes) == std::vector<int>{3, 26, 176, 200, 19, 186});
    using weights = quantizer<bits<8>, per_channel<0>>;
    const auto rows = params_from_scales<weights>(x.shape(), {1.0, 0.5});
    CHECK(list(quantize(x, rows).codes) == std::vector<int>{-128, 10, -100, 127, -40, -100});
}

TEST_CASE("blocked scales along one axis", "[onnx]") {
    // [2, 4] with block_size 2 on axis 1: scales [[1, 2], [0.5, 4]].
    using q = quantizer<bits<4>, per_group<2>>;
    const auto x = matrix(2, {1, -2, 3, 5, 1, 0.25F, 100, -100});
    const auto params = params_from_scales<q>(x.shape(), {1, 2, 0.5, 4});
    // 1 -2 | 1.5->2 2.5->2 | 2 0.5->0 | 25->7 -25->-8
    CHECK(list(quantize(x, params).codes) == std::vector<int>{1, -2, 2, 2, 2, 0, 7, -8});
    // Blocks on axis 0 (block_size 2 of [4, 1]): sub_layer<2, 1> is the same thing.
    using columns = quantizer<bits<4>, sub_layer<2, 1>>;
    const auto tall = matrix(4, {3, -3, 3, -3});
    CHECK(list(quantize(tall, params_from_scales<columns>(tall.shape(), {1, 2})).codes) ==
          std::vector<int>{3, -3, 2, -2});
}

TEST_CASE("the ranges of the narrow types", "[onnx]") {
    const std::vector<float> x{-100, -2.6F, -1, 0, 0.4F, 1, 2, 100};
    const auto codes = [&](auto policy) {
        using q = decltype(policy);
        return list(quantize(x, params_from_scales<q>(extents<1>{8}, {1.0},
                                                      q::has_zero_point ? std::vector<int>{0} : std::vector<int>{}))
                        .codes);
    };
    CHECK(codes(quantizer<bits<2>>{}) == std::vector<int>{-2, -2, -1, 0, 0, 1, 1, 1});
    CHECK(codes(quantizer<bits<4>>{}) == std::vector<int>{-8, -3, -1, 0, 0, 1, 2, 7});
    CHECK(codes(quantizer<bits<2, unsigned_codes>>{}) == std::vector<int>{0, 0, 0, 0, 0, 1, 2, 3});
    CHECK(codes(quantizer<bits<4, unsigned_codes>, per_tensor, real_scale, nearest_even, affine>{}) ==
          std::vector<int>{0, 0, 0, 0, 0, 1, 2, 15});
}

TEST_CASE("codes equal exact float division for arbitrary scales", "[onnx]") {
    std::mt19937 generator(31);
    std::uniform_real_distribution<float> logarithm(-20, 20);
    std::normal_distribution<float> normal;
    using q = quantizer<bits<8, unsigned_codes>, per_tensor, real_scale, nearest_even, affine>;
    std::size_t wrong = 0;
    for (int trial = 0; trial < 300; ++trial) {
        const float scale = std::exp2(logarithm(generator));
        const std::int32_t zero = static_cast<std::int32_t>(generator() % 256);
        std::vector<float> x;
        for (int i = 0; i < 100; ++i)
            x.push_back(normal(generator) * 60.0F * scale);
        // The neighbourhood of every boundary between two codes.
        for (int k = -140; k < 140; k += 3) {
            const float boundary = (static_cast<float>(k) + 0.5F) * scale;
            x.insert(x.end(), {boundary, std::nextafter(boundary, -1e30F), std::nextafter(boundary, 1e30F)});
        }
        const auto params = params_from_scales<q>(extents<1>{x.size()}, {scale}, {zero});
        const auto tensor = quantize(x, params);
        const auto back = dequantize(tensor);
        for (std::size_t i = 0; i < x.size(); ++i) {
            const std::int32_t expected = exact::quantize_linear(x[i], scale, zero, 0, 255);
            wrong += tensor.codes.data()[i] != expected;
            // (code - zero) has 9 bits and the scale 24: the product is exact in double and rounded once to float.
            wrong += back.data()[i] != static_cast<float>(static_cast<double>(scale) * (expected - zero));
        }
    }
    CHECK(wrong == 0);
}

TEST_CASE("huge, tiny and signed-zero elements", "[onnx]") {
    using q = quantizer<bits<8>>;
    constexpr float largest = std::numeric_limits<float>::max();
    const std::vector<float> x{largest, -largest, std::numeric_limits<float>::denorm_min(), -0.0F, 1e-38F, -1e-38F};
    for (const double scale : {0x1p-100, 1.0, 0x1p119, 3e-30, 5e35}) {
        const auto tensor = quantize(x, params_from_scales<q>(extents<1>{6}, {scale}));
        const auto expected = [&](float value) {
            const double code =
                exact::half_even(static_cast<double>(value) / static_cast<double>(static_cast<float>(scale)));
            return static_cast<int>(std::clamp(code, -128.0, 127.0));
        };
        CHECK(list(tensor.codes) ==
              std::vector<int>{expected(largest), expected(-largest), 0, 0, expected(1e-38F), expected(-1e-38F)});
    }
}

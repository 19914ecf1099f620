/// @file
/// Stages hand on the scale of what leaves them, so that to_real behind a requantization means its codes.
#include "catch.hpp"

#include <notch/epilogue/fixed_point_requantize.hpp>
#include <notch/epilogue/real_requantize.hpp>
#include <notch/epilogue/shift_requantize.hpp>
#include <notch/gemm/gemm.hpp>
#include <notch/gemm/pack.hpp>
#include <notch/quant/params.hpp>

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace {

using namespace notch;
using w8 = quantizer<bits<8>, per_channel<0>, power_of_two<>>;

constexpr std::size_t outputs = 19;

/// Output n has one input, the code n - 9 and the scale 2^(n % 3).
packed_weights weights() {
    quantized_tensor<w8, 2> w{dense_tensor<std::int8_t, 2>({outputs, 1}), {}, "w"};
    std::vector<double> scales(outputs);
    for (std::size_t n = 0; n < outputs; ++n) {
        w.codes(n, 0) = static_cast<std::int8_t>(static_cast<int>(n) - 9);
        scales[n] = std::ldexp(1.0, static_cast<int>(n % 3));
    }
    w.params = params_from_scales<w8>(w.codes.shape(), scales);
    return pack(w);
}

/// Row 0 of the product with the activation 100 * 2^-2.
template <class T, class Epilogue> std::vector<T> product(const Epilogue& epilogue) {
    const std::uint8_t code = 100;
    const activation_codes<std::uint8_t> a{{&code, {1, 1}}, 0, -2};
    dense_tensor<T, 2> dst({1, outputs});
    gemm(a, weights(), epilogue, dst);
    return {dst.data(), dst.data() + outputs};
}

} // namespace

TEST_CASE("to_real behind a shift is the code times the scale of the output") {
    const auto codes = product<std::int32_t>(shift_requantize{3});
    const auto reals = product<float>(shift_requantize{3} | to_real{});
    for (std::size_t n = 0; n < outputs; ++n)
        CHECK(reals[n] == 8.0F * static_cast<float>(codes[n]));
}

TEST_CASE("to_real behind a shift by a count keeps the scales of the outputs") {
    const auto sums = product<std::int32_t>(shift_right_by{2});
    const auto reals = product<float>(shift_right_by{2} | to_real{});
    for (std::size_t n = 0; n < outputs; ++n)
        CHECK(reals[n] == static_cast<float>(sums[n] << (n % 3))); // 2^-2 * 2^2 * 2^(n % 3)
}

TEST_CASE("to_real behind a float or a fixed-point factor") {
    const auto codes = product<std::int32_t>(real_requantize{0.5F});
    const auto reals = product<float>(real_requantize{0.5F} | to_real{});
    fixed_point_factors factors;
    for (std::size_t n = 0; n < outputs; ++n)
        factors.push_back(0.375);
    const auto fixed_codes = product<std::int32_t>(fixed_point_requantize(factors));
    const auto fixed_reals = product<float>(fixed_point_requantize(factors) | to_real{});
    for (std::size_t n = 0; n < outputs; ++n) {
        CHECK(reals[n] == 0.5F * static_cast<float>(codes[n]));
        CHECK(fixed_reals[n] == static_cast<float>(fixed_codes[n]));
    }
}

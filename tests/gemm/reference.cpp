/// @file
/// gemm/reference.hpp itself, against sums written here: 64-bit integers for powers of two, doubles for real scales.
#include "gemm/cases.hpp"

#include <cmath>

using namespace cases;

namespace {

/// Real scale, or exponent, of one weight, by division alone.
template <class Q> auto scale_at(const quantized_tensor<Q, 2>& w, weight_shape s, std::size_t n, std::size_t k) {
    const std::size_t across = (s.inputs + s.block_inputs - 1) / s.block_inputs;
    return w.params.scales[n / s.block_outputs * across + k / s.block_inputs];
}
template <class Q> int value_at(const quantized_tensor<Q, 2>& w, weight_shape s, std::size_t n, std::size_t k) {
    const std::size_t across = (s.inputs + s.block_inputs - 1) / s.block_inputs;
    const int zero = Q::has_zero_point ? w.params.zero_points[n / s.block_outputs * across + k / s.block_inputs] : 0;
    return w.codes(n, k) - zero;
}

double real_of(std::int32_t exponent) { return std::ldexp(1.0, exponent); }
double real_of(q31 scale) { return std::ldexp(scale.multiplier, scale.exponent - 31); }
double real_of(float scale) { return static_cast<double>(scale); }

/// Reals of a product against a sum of doubles; codes against rounded reals.
template <class Q> void check_reals(std::uint64_t seed, weight_shape s) {
    sequence random(seed);
    const auto w = weights<Q>(random, s, filling::random, 3);
    const activations a = left_of(random, 5, s.inputs);
    const packed_weights packed = pack(w);
    const results r = wanted(a, w, packed);
    const double left_scale = a.scale == 0.0F ? std::ldexp(1.0, a.exponent) : static_cast<double>(a.scale);
    std::size_t wrong = 0;
    for (std::size_t m = 0; m < a.rows; ++m)
        for (std::size_t n = 0; n < s.outputs; ++n) {
            double sum = 0;
            double size = 0;
            for (std::size_t k = 0; k < s.inputs; ++k) {
                const double product = left_scale * (a.codes[m * s.inputs + k] - a.zero_point) *
                                       real_of(scale_at(w, s, n, k)) * value_at(w, s, n, k);
                sum += product;
                size += std::fabs(product);
            }
            const std::size_t at = m * s.outputs + n;
            wrong += !(std::fabs(static_cast<double>(r.reals[at]) - sum) <= 1e-6 * size);
            const double code = std::min(std::max(sum / static_cast<double>(r.scale) + 113, 0.0), 255.0);
            wrong += !(std::fabs(r.real_codes[at] - code) <= 0.5 + 1e-6 * size / static_cast<double>(r.scale));
        }
    CHECK(wrong == 0);
}

/// Integer sums in units of the smallest exponent of the row that matters, and codes by a rounding shift.
template <class Q> void check_sums(std::uint64_t seed, weight_shape s, int spread) {
    sequence random(seed);
    const auto w = weights<Q>(random, s, filling::random, spread);
    activations a = left_of(random, 4, s.inputs);
    a.scale = 0;
    const packed_weights packed = pack(w);
    const results r = wanted(a, w, packed);
    std::size_t wrong = 0;
    for (std::size_t n = 0; n < s.outputs; ++n) {
        int least = 1000;
        for (std::size_t k = 0; k < s.inputs; ++k)
            if (value_at(w, s, n, k) != 0)
                least = std::min(least, static_cast<int>(scale_at(w, s, n, k)));
        for (std::size_t m = 0; m < a.rows; ++m) {
            std::int64_t sum = 0;
            for (std::size_t k = 0; k < s.inputs; ++k)
                if (const std::int64_t v = value_at(w, s, n, k); v != 0)
                    sum += (a.codes[m * s.inputs + k] - a.zero_point) * v * (1LL << (scale_at(w, s, n, k) - least));
            const std::size_t at = m * s.outputs + n;
            wrong += r.sums[at] != sum;
            const double exact = std::ldexp(static_cast<double>(sum), least + a.exponent - r.exponent);
            const double code = std::max(std::nearbyint(exact), 0.0) - 60; // ties to even
            wrong += r.shifted_codes[at] != std::min(code, 127.0);
            wrong += packed.exponents()[n] != least && least != 1000;
        }
    }
    CHECK(wrong == 0);
}

} // namespace

TEST_CASE("the reference of integer sums is the sum", "[gemm][reference]") {
    check_sums<quantizer<bits<8>, sub_layer<>, power_of_two<>>>(1, {19, 37, 19, 37}, 0);
    check_sums<quantizer<bits<8>, sub_layer<>, power_of_two<>>>(2, {19, 37, 3, 7}, 9);
    check_sums<quantizer<bits<4>, per_group<>, power_of_two<>>>(3, {21, 100, 1, 32}, 12);
    check_sums<quantizer<bits<4, unsigned_codes>, sub_layer<>, power_of_two<>, nearest_even, affine>>(
        4, {33, 50, 16, 16}, 5);
    check_sums<quantizer<bits<2>, sub_layer<>, power_of_two<>>>(5, {9, 11, 1, 1}, 14);
    check_sums<quantizer<bits<3>, sub_layer<>, power_of_two<>, nearest_even, affine>>(6, {7, 64, 1, 5}, 3);
}

TEST_CASE("the reference of real sums is near the sum", "[gemm][reference]") {
    check_reals<quantizer<bits<8, unsigned_codes>, sub_layer<>, real_scale, nearest_even, affine>>(1, {20, 70, 3, 7});
    check_reals<quantizer<bits<8>, per_channel<0>, fixed_point<>>>(2, {20, 70, 1, 70});
    check_reals<quantizer<bits<4>, sub_layer<>, real_scale>>(3, {20, 70, 16, 16});
    check_reals<quantizer<bits<4>, per_group<>, power_of_two<>>>(4, {20, 70, 1, 32});
    check_reals<quantizer<bits<4>, per_channel<0>, fixed_point<>, nearest_even, affine>>(5, {20, 70, 1, 70});
    check_reals<quantizer<bits<2>, per_group<>, real_scale, nearest_even, affine>>(6, {20, 70, 1, 100});
}

TEST_CASE("int8 activations mean what uint8 activations mean", "[gemm][reference]") {
    sequence random(7);
    const auto w = weights<quantizer<bits<4>, per_group<>, power_of_two<>>>(random, {17, 40, 1, 16});
    const activations a = left_of(random, 6, 40);
    std::vector<std::int8_t> flipped;
    for (const std::uint8_t code : a.codes)
        flipped.push_back(static_cast<std::int8_t>(code - 128));
    activation_codes<std::int8_t> left{strided_view<const std::int8_t, 2>(flipped.data(), {6, 40}), a.zero_point - 128,
                                       a.exponent, a.scale};
    std::vector<std::int32_t> one(6 * 17);
    std::vector<std::int32_t> other(6 * 17);
    reference_gemm(a.plain(), w, identity{}, strided_view<std::int32_t, 2>(one.data(), {6, 17}));
    reference_gemm(left, w, identity{}, strided_view<std::int32_t, 2>(other.data(), {6, 17}));
    CHECK(one == other);
}

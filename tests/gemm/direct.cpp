/// @file
/// Products of one to five rows: those of up to four read packed codes without a panel operand.
#include "gemm/cases.hpp"

#include <iterator>
#include <numeric>

using namespace cases;

namespace {

using w8 = quantizer<bits<8>, sub_layer<>, power_of_two<>>;
using w4 = quantizer<bits<4>, sub_layer<>, power_of_two<>>;
using w2 = quantizer<bits<2>, sub_layer<>, power_of_two<>>;
using affine8 = quantizer<bits<8, unsigned_codes>, sub_layer<>, power_of_two<>, nearest_even, affine>;
using affine4 = quantizer<bits<4, unsigned_codes>, sub_layer<>, power_of_two<>, nearest_even, affine>;
using affine3 = quantizer<bits<3>, sub_layer<>, power_of_two<>, nearest_even, affine>;
using affine2 = quantizer<bits<2, unsigned_codes>, sub_layer<>, power_of_two<>, nearest_even, affine>;
using real8 = quantizer<bits<8>, sub_layer<>, real_scale>;
using real4 = quantizer<bits<4>, sub_layer<>, real_scale>;
using affine_real4 = quantizer<bits<4, unsigned_codes>, sub_layer<>, real_scale, nearest_even, affine>;
using affine_real2 = quantizer<bits<2>, sub_layer<>, real_scale, nearest_even, affine>;
using fixed4 = quantizer<bits<4>, per_channel<0>, fixed_point<>, nearest_even, affine>;

constexpr std::int32_t zero_points[] = {0, 77, 128, 255};

/// One to five rows and two zero points for each, for one cut of the weights.
template <class Q> void all_rows(sequence& random, weight_shape s, filling fill, int spread) {
    s.block_outputs = std::min(s.block_outputs, s.outputs);
    s.block_inputs = std::min(s.block_inputs, s.inputs);
    const auto w = weights<Q>(random, s, fill, spread);
    for (std::size_t rows = 1; rows <= 5; ++rows) {
        const filling of_codes = fill == filling::random ? filling::random
                                 : rows % 2 == 0         ? filling::highest
                                                         : filling::lowest;
        for (const std::size_t shift : {0U, 2U}) {
            const std::int32_t zero = zero_points[(rows + shift + s.inputs) % std::size(zero_points)];
            activations a = left_of(random, rows, s.inputs, of_codes);
            a.zero_point = zero;
            INFO(rows << " rows, [" << s.outputs << ", " << s.inputs << "] in blocks of [" << s.block_outputs << ", "
                      << s.block_inputs << "], a spread of " << spread);
            REQUIRE(check(random, a, w) == "");
        }
    }
}

/// Every grain.
template <class Q> void all_grains(std::uint64_t seed) {
    sequence random(seed);
    constexpr std::size_t inputs_of[] = {1, 4, 7, 31, 64, 77, 130, 257, 400};
    const weight_shape cuts[] = {{0, 0, 1, 1000}, {0, 0, 1, 32}, {0, 0, 1, 5}, {0, 0, 1, 36},
                                 {0, 0, 16, 16},  {0, 0, 3, 7},  {0, 0, 1, 96}};
    for (const weight_shape& cut : cuts)
        all_rows<Q>(random, {random.size(1, 50), random.one_of(inputs_of), cut.block_outputs, cut.block_inputs},
                    filling::random, random.between(0, 1) * 3);
}

/// All weights and activations at an end, blocks shorter and longer than a run.
template <class Q> void all_ends(std::uint64_t seed) {
    sequence random(seed);
    for (const filling fill : {filling::lowest, filling::highest})
        for (const std::size_t block : {1000U, 32U, 100U})
            all_rows<Q>(random, {17, 333, 1, block}, fill, block == 1000 ? 0 : 3);
}

} // namespace

TEST_CASE("few rows, every width and grain", "[gemm][direct]") {
    all_grains<w8>(1);
    all_grains<w4>(2);
    all_grains<w2>(3);
    all_grains<affine8>(4);
    all_grains<affine4>(5);
    all_grains<affine3>(6);
    all_grains<affine2>(7);
}

TEST_CASE("few rows, real scales and fixed-point ones", "[gemm][direct]") {
    all_grains<real8>(11);
    all_grains<real4>(12);
    all_grains<affine_real4>(13);
    all_grains<affine_real2>(14);
    sequence random(15);
    for (const std::size_t inputs : {5U, 64U, 301U})
        all_rows<fixed4>(random, {33, inputs, 1, inputs}, filling::random, 2);
}

TEST_CASE("few rows, no end of the codes saturates", "[gemm][direct]") {
    all_ends<w8>(21);
    all_ends<w4>(22);
    all_ends<w2>(23);
    all_ends<affine8>(24);
    all_ends<affine4>(25);
    all_ends<affine2>(26);
    all_ends<real4>(27);
    all_ends<affine_real4>(28);
}

TEST_CASE("few rows, exponents that spread far", "[gemm][direct]") {
    sequence random(31);
    for (const int spread : {9, 10, 11, 13, 14, 15}) {
        all_rows<w8>(random, {18, 64, 1, 32}, filling::random, spread > 11 ? 11 : spread);
        all_rows<w4>(random, {18, 64, 1, 32}, filling::random, spread);
        all_rows<w2>(random, {18, 64, 1, 16}, filling::random, spread);
    }
}

TEST_CASE("few rows, long ones", "[gemm][direct]") {
    sequence random(41);
    const auto longest = [&](auto policy, std::size_t inputs, std::size_t block, filling fill) {
        const auto w = weights<decltype(policy)>(random, {17, inputs, 1, block}, fill, 2);
        for (const std::size_t rows : {1U, 2U, 4U})
            REQUIRE(check(random, left_of(random, rows, inputs, filling::highest), w) == "");
    };
    longest(w8{}, 65793, 65793, filling::lowest);
    longest(w4{}, 40001, 40001, filling::lowest);
    longest(affine4{}, 9001, 512, filling::random);
    longest(w2{}, 40001, 40001, filling::lowest);
}

TEST_CASE("one row, so long that products of codes in place leave int32", "[gemm][direct]") {
    // 4 bits: 15 * 16 * 128 for every second input, 2 bits: 3 * 64 * 128 for every fourth one.
    sequence random(45);
    const auto check_row = [&](auto policy, std::size_t inputs, filling codes, filling activations) {
        const auto w = weights<decltype(policy)>(random, {5, inputs, 1, inputs}, codes, 0);
        REQUIRE(check(random, left_of(random, 1, inputs, activations), w) == "");
    };
    for (const filling activations : {filling::lowest, filling::highest}) {
        check_row(w4{}, 150'001, filling::highest, activations);
        check_row(w2{}, 360'001, filling::highest, activations);
        check_row(affine4{}, 150'001, filling::random, activations);
    }
}

TEST_CASE("few rows, inputs in an order of their own", "[gemm][direct]") {
    sequence random(51);
    const auto ordered = [&](auto policy, std::size_t block) {
        constexpr std::size_t inputs = 70;
        auto w = weights<decltype(policy)>(random, {21, inputs, 1, block});
        w.params.input_order.resize(inputs);
        std::iota(w.params.input_order.begin(), w.params.input_order.end(), 0U);
        for (std::size_t i = inputs; i > 1; --i)
            std::swap(w.params.input_order[i - 1], w.params.input_order[random.size(0, i - 1)]);
        for (std::size_t rows = 1; rows <= 5; ++rows)
            REQUIRE(check(random, left_of(random, rows, inputs), w) == "");
    };
    ordered(w8{}, 70);
    ordered(w4{}, 32);
    ordered(affine4{}, 9);
    ordered(w2{}, 70);
}

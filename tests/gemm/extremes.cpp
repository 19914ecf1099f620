/// @file
/// Where saturation and overflow would show: all weights and all activations at an end, sums as long as int32 holds.
#include "gemm/cases.hpp"

using namespace cases;

namespace {

template <class Q> void all_ends(std::size_t block_outputs, std::size_t block_inputs, int spread) {
    sequence random(5);
    for (const filling of_weights : {filling::lowest, filling::highest, filling::random})
        for (const filling of_codes : {filling::lowest, filling::highest})
            for (const std::int32_t zero : {0, 128, 255})
                for (const std::size_t inputs : {64U, 67U, 320U}) {
                    const auto w = weights<Q>(
                        random, {18, inputs, std::min<std::size_t>(block_outputs, 18), std::min(block_inputs, inputs)},
                        of_weights, spread);
                    activations a = left_of(random, 7, inputs, of_codes);
                    a.zero_point = zero;
                    INFO("zero point " << zero << ", " << inputs << " inputs");
                    REQUIRE(check(random, a, w) == "");
                }
}

} // namespace

TEST_CASE("no end of the codes saturates", "[gemm][extremes]") {
    all_ends<quantizer<bits<8>, sub_layer<>, power_of_two<>>>(100, 1000, 0);
    all_ends<quantizer<bits<8>, sub_layer<>, power_of_two<>>>(16, 16, 5);
    all_ends<quantizer<bits<8, unsigned_codes>, sub_layer<>, real_scale, nearest_even, affine>>(16, 32, 3);
    all_ends<quantizer<bits<4>, sub_layer<>, power_of_two<>>>(1, 1000, 0);
    all_ends<quantizer<bits<4>, sub_layer<>, power_of_two<>>>(1, 32, 8);
    all_ends<quantizer<bits<4, unsigned_codes>, sub_layer<>, power_of_two<>, nearest_even, affine>>(3, 7, 4);
    all_ends<quantizer<bits<2>, sub_layer<>, power_of_two<>>>(1, 1000, 0);
    all_ends<quantizer<bits<2>, sub_layer<>, power_of_two<>>>(16, 16, 9);
}

TEST_CASE("every width between two bits and eight takes a kernel that is exact for it", "[gemm][extremes]") {
    // 21 is the largest magnitude of which three steps fit the int16 sums, 22 the first that goes another way.
    sequence random(6);
    for (const int largest : {1, 2, 7, 8, 15, 16, 20, 21, 22, 31, 32, 63, 64, 65, 127, 128}) {
        auto w = weights<quantizer<bits<8>, sub_layer<>, power_of_two<>>>(random, {17, 130, 1, 130});
        for (std::int8_t& code : w.codes.elements())
            code = static_cast<std::int8_t>(-largest);
        INFO("weights " << -largest);
        for (const filling fill : {filling::highest, filling::lowest, filling::random})
            REQUIRE(check(random, left_of(random, 7, 130, fill), w) == "");
    }
}

TEST_CASE("every largest value of 4-bit weights has runs of its own length", "[gemm][extremes]") {
    sequence random(9);
    for (int largest = 1; largest <= 15; ++largest) {
        using q = quantizer<bits<4, unsigned_codes>, sub_layer<>, power_of_two<>, nearest_even, affine>;
        for (const std::size_t block : {150U, 40U, 36U}) {
            auto w = weights<q>(random, {17, 150, 1, block}, filling::random, 3);
            for (std::int32_t& zero : w.params.zero_points)
                zero = 15;
            for (std::uint8_t& code : w.codes.elements())
                code = static_cast<std::uint8_t>(15 - largest);
            INFO("weights " << -largest << ", blocks of " << block);
            for (const filling fill : {filling::highest, filling::random})
                REQUIRE(check(random, left_of(random, 7, 150, fill), w) == "");
        }
    }
}

TEST_CASE("long rows", "[gemm][extremes]") {
    sequence random(7);
    const auto longest = [&](auto policy, std::size_t inputs, std::size_t block, filling fill) {
        const auto w = weights<decltype(policy)>(random, {17, inputs, 1, std::min(block, inputs)}, fill, 2);
        REQUIRE(check(random, left_of(random, 3, inputs, filling::highest), w) == "");
    };
    longest(quantizer<bits<8>, sub_layer<>, power_of_two<>>{}, 4096, 4096, filling::lowest);
    longest(quantizer<bits<4>, sub_layer<>, power_of_two<>>{}, 4096, 32, filling::lowest);
    longest(quantizer<bits<4>, sub_layer<>, power_of_two<>>{}, 4099, 100, filling::random);
    longest(quantizer<bits<2>, sub_layer<>, power_of_two<>>{}, 4096, 128, filling::lowest);
    // The bound of int32: 255 * 128 * 65793 < 2^31 <= 255 * 128 * 65794.
    longest(quantizer<bits<8>, sub_layer<>, power_of_two<>>{}, 65793, 65793, filling::lowest);
}

TEST_CASE("rows of activations that need more than one block of operands", "[gemm][extremes]") {
    sequence random(8);
    const auto w = weights<quantizer<bits<8>, sub_layer<>, power_of_two<>>>(random, {33, 6001, 33, 6001});
    REQUIRE(check(random, left_of(random, 130, 6001), w) == "");
}

TEST_CASE("dot products so long that they are computed in parts", "[gemm][extremes]") {
    sequence random(10);
    const auto long_sums = [&](auto policy, std::size_t block, int spread) {
        using q = decltype(policy);
        auto w = weights<q>(random, {35, 9001, 1, block}, filling::random, spread);
        if (spread > 4) // int32 does not hold more
            for (std::size_t i = 0; i < w.codes.size(); ++i)
                w.codes.data()[i] = i % 32 == 0 ? w.codes.data()[i] : typename q::code_type{0};
        INFO("blocks of " << block << ", a spread of " << spread);
        for (const std::size_t rows : {1U, 4U, 13U})
            REQUIRE(check(random, left_of(random, rows, 9001), w) == "");
    };
    long_sums(quantizer<bits<8>, sub_layer<>, power_of_two<>>{}, 9001, 0);
    long_sums(quantizer<bits<8>, sub_layer<>, power_of_two<>>{}, 32, 10); // a shift between blocks
    long_sums(quantizer<bits<8>, sub_layer<>, power_of_two<>>{}, 6000, 10);
    long_sums(quantizer<bits<4>, sub_layer<>, power_of_two<>>{}, 9001, 0);
    long_sums(quantizer<bits<4, unsigned_codes>, sub_layer<>, power_of_two<>, nearest_even, affine>{}, 36, 3);
    long_sums(quantizer<bits<8>, sub_layer<>, real_scale>{}, 5000, 2);
    long_sums(quantizer<bits<4>, sub_layer<>, real_scale>{}, 64, 2);
}

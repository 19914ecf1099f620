/// @file
/// Products of some rows with codes of 2 and 4 bits: on AVX-512 VNNI whole groups of panels are unpacked in registers.
#include "gemm/cases.hpp"

#include <cstdint>

using namespace cases;

namespace {

using w4 = quantizer<bits<4>, sub_layer<>, power_of_two<>>;
using w2 = quantizer<bits<2>, sub_layer<>, power_of_two<>>;
using affine4 = quantizer<bits<4, unsigned_codes>, sub_layer<>, power_of_two<>, nearest_even, affine>;
using affine2 = quantizer<bits<2, unsigned_codes>, sub_layer<>, power_of_two<>, nearest_even, affine>;

/// Three to twenty rows, groups of panels with and without some left over, depth blocks of every kind.
template <class Q> void many_rows(std::uint64_t seed, int spread) {
    sequence random(seed);
    constexpr std::size_t inputs_of[] = {1, 15, 64, 100, 131, 260};
    constexpr std::size_t outputs_of[] = {64, 80, 129};
    const weight_shape cuts[] = {{0, 0, 1, 1000}, {0, 0, 1, 32}, {0, 0, 16, 16},
                                 {0, 0, 3, 24},   {0, 0, 1, 20}, {0, 0, 1, 7}};
    std::size_t rows = 3;
    for (const weight_shape& cut : cuts)
        for (int each = 0; each < 3; ++each, rows = rows == 20 ? 3 : rows + 1) {
            const weight_shape s{random.one_of(outputs_of), random.one_of(inputs_of), cut.block_outputs,
                                 cut.block_inputs};
            const auto w = weights<Q>(
                random, {s.outputs, s.inputs, std::min(s.block_outputs, s.outputs), std::min(s.block_inputs, s.inputs)},
                filling::random, spread);
            activations a = left_of(random, rows, s.inputs, filling::random);
            a.zero_point = random.between(0, 255);
            INFO(rows << " rows, [" << s.outputs << ", " << s.inputs << "] in blocks of [" << s.block_outputs << ", "
                      << s.block_inputs << "], a spread of " << spread);
            REQUIRE(check(random, a, w) == "");
        }
}

/// Dot products of more than one part, depth blocks that begin in one and end in the next.
template <class Q> void long_rows(std::uint64_t seed) {
    sequence random(seed);
    for (const std::size_t block : {10000U, 24U, 32U, 304U})
        for (const filling fill : {filling::random, filling::lowest}) {
            constexpr std::size_t inputs = 4500;
            const auto w =
                weights<Q>(random, {64, inputs, 1, std::min<std::size_t>(block, inputs)}, fill, block == 10000 ? 0 : 2);
            const activations a = left_of(random, 8, inputs, fill);
            INFO("blocks of " << block);
            REQUIRE(check(random, a, w) == "");
        }
}

} // namespace

TEST_CASE("some rows, 4-bit weights", "[gemm][unpacking]") {
    many_rows<w4>(1, 0);
    many_rows<w4>(2, 3);
    many_rows<affine4>(3, 3);
}

TEST_CASE("some rows, 2-bit weights", "[gemm][unpacking]") {
    many_rows<w2>(4, 0);
    many_rows<w2>(5, 5);
    many_rows<affine2>(6, 4);
}

TEST_CASE("some rows, exponents that absorbed codes hardly hold", "[gemm][unpacking]") {
    many_rows<w4>(7, 4);
    many_rows<w4>(8, 6);
    many_rows<w2>(9, 6);
}

TEST_CASE("some long rows", "[gemm][unpacking]") {
    long_rows<w4>(10);
    long_rows<w2>(11);
    long_rows<affine4>(12);
}

/// @file
/// What explain says: whole texts for instruction sets whose choices are known, and that it agrees with the plan.
#include "catch.hpp"

#include <notch/epilogue/activation.hpp>
#include <notch/epilogue/real_requantize.hpp>
#include <notch/epilogue/shift_requantize.hpp>
#include <notch/gemm/explain.hpp>
#include <notch/gemm/pack.hpp>
#include <notch/quant/params.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace {

using namespace notch;

template <std::size_t K, class Scale = power_of_two<>> using w4 = quantizer<bits<4>, per_group<K>, Scale>;

/// Weights [outputs, inputs] whose codes are all `code`, with scales that repeat.
template <class Q>
quantized_tensor<Q, 2> constant_weights(extents<2> shape, std::int8_t code, const std::vector<double>& scales) {
    quantized_tensor<Q, 2> weights;
    weights.codes = dense_tensor<typename Q::code_type, 2>(shape, code);
    std::vector<double> all(make_grid(Q{}.granularity, shape).count);
    for (std::size_t b = 0; b < all.size(); ++b)
        all[b] = scales[b % scales.size()];
    weights.params = params_from_scales<Q>(shape, all);
    return weights;
}

bool contains(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

} // namespace

TEST_CASE("Exponents that fit a byte are absorbed by products of four") {
    auto weights = constant_weights<w4<32>>({20, 64}, -8, {1.0, 8.0});
    weights.name = "fc1";
    CHECK(explain<simd::scalar>(pack(weights), 7, 2) ==
          "int4 x u8, scalar 4x16, exponents absorbed, exact\n"
          "weights 'fc1' [20, 64]: power-of-two scales, 2 depth blocks of 32 inputs; 1728 bytes, 10.8 bits per weight\n"
          "products: four bytes to int32; value * 2^shift, at most 64, fits int8\n"
          "sums: at most 587520 in magnitude, 20 of 31 bits\n"
          "operands: rows of uint8 are read in place, others copied; panels are expanded; workspace 3071 bytes "
          "(7 rows, 2 tasks)");
}

TEST_CASE("Exponents that leave a byte are shifted between depth blocks, and the text says by how much") {
    const packed_weights packed = pack(constant_weights<w4<32>>({16, 64}, -8, {1.0, 512.0}));
    const std::string text = explain<simd::scalar>(packed, 5);
    CHECK(contains(text, "int4 x u8, scalar 4x16, a shift per depth block, exact\n"));
    CHECK(contains(text, "value * 2^shift reaches 4096 (a spread of 9) and does not fit int8\n"));
}

TEST_CASE("Real scales that change along the inputs need floats, and an epilogue that takes them") {
    const packed_weights packed = pack(constant_weights<w4<30, real_scale>>({16, 64}, 7, {0.1, 0.3}));
    const std::string text = explain<simd::scalar>(packed, real_requantize{1.0F} | relu{}, 5);
    CHECK(contains(text, "scalar 4x16, a float sum over depth blocks\n"));
    CHECK(contains(text, "real scales change along the inputs: a float product per depth block\n"));
    CHECK(contains(text, "rows are copied, because depth blocks of 30 inputs are padded to a multiple of 4"));
    CHECK(contains(text, "\nepilogue: 2 stages on float sums"));
    CHECK(contains(explain<simd::scalar>(packed, relu{}),
                   "\nepilogue: 1 stage, refused: sums are floats, and the first stage takes integers"));
}

TEST_CASE("Inputs with an order are gathered, and bytes are read in place") {
    auto weights = constant_weights<quantizer<bits<8>, per_channel<0>, power_of_two<>>>({16, 8}, 5, {1.0});
    CHECK(contains(explain<simd::scalar>(pack(weights)),
                   "rows of uint8 are read in place, others copied; panels are read in place"));
    weights.params.input_order = {1, 0, 2, 3, 4, 5, 6, 7};
    CHECK(contains(explain<simd::scalar>(pack(weights)), "rows are gathered, because the inputs have an order"));
}

TEST_CASE("Two terms and widths that share a storage form are named") {
    using w3 = quantizer<bits<3>, per_channel<0>, power_of_two<>>;
    const std::string one = explain(pack(constant_weights<w3>({16, 8}, 3, {1.0})));
    CHECK(one.rfind("int3 x ", 0) == 0);
    CHECK(contains(one, "stored in 4 bits"));
    const auto fine = constant_weights<w4<8>>({16, 8}, 3, {1.0});
    const auto coarse = constant_weights<w4<8>>({16, 8}, 3, {16.0});
    CHECK(explain(pack_terms(coarse, fine)).rfind("two terms of int4 x ", 0) == 0);
}

TEST_CASE("The workspace is the one that gemm asks for, and the lines are five") {
    const packed_weights packed = pack(constant_weights<w4<32>>({40, 96}, 7, {1.0, 4.0}));
    for (const std::size_t rows : {std::size_t{1}, std::size_t{5}, std::size_t{100}}) {
        const std::string text = explain(packed, rows, 3);
        CHECK(std::count(text.begin(), text.end(), '\n') == 4);
        CHECK(contains(text, "workspace " + std::to_string(gemm_workspace(packed, rows, 3)) + " bytes"));
    }
}

TEST_CASE("Few rows multiply codes as they are read, and the text says so") {
    const packed_weights packed = pack(constant_weights<w4<32>>({20, 64}, -8, {1.0, 8.0}));
    const std::string text = explain<simd::scalar>(packed, 3, 2);
    CHECK(contains(text, "int4 x s8, scalar 4x16, codes unpacked in registers, a shift per depth block, exact\n"));
    CHECK(contains(text, "products: four bytes to int32; 4 rows or fewer multiply stored codes as they are read\n"));
    CHECK(
        contains(text, "operands: rows are copied, with sums for the bias of the codes; panels have none; workspace"));
    CHECK(!contains(explain<simd::scalar>(packed, 5), "unpacked in registers"));
}

TEST_CASE("Empty weights cannot be explained") { CHECK_THROWS_AS(explain(packed_weights()), state_error); }

#if defined(__AVX2__)
TEST_CASE("AVX2 adds pairs of bytes where values are small, and pairs of int16 where they are not") {
    const std::string chain = explain<simd::avx2>(pack(constant_weights<w4<32>>({16, 64}, -8, {1.0, 8.0})), 5);
    CHECK(contains(chain, "int4 x u8, avx2 6x16, exponents absorbed, exact\n"));
    CHECK(contains(chain, "\nproducts: pairs of bytes in int16, widened after 8 steps (8 * 2 * 255 * 8 = 32640 <= "
                          "32767) by a product with 2^shift, at most 2^3; avx2 has no exact product of four bytes\n"));
    using w8 = quantizer<bits<8>, per_channel<0>, power_of_two<>>;
    const std::string pair = explain<simd::avx2>(pack(constant_weights<w8>({16, 64}, -128, {1.0})), 5);
    CHECK(contains(pair, "int8 x s16, avx2 6x16, exact\n"));
    CHECK(contains(pair, "\nproducts: pairs of int16; avx2 has no exact product of four bytes, and sums of bytes times "
                         "128 fit int16 for 0 steps only\n"));
    CHECK(contains(pair, "rows are widened to int16; panels are expanded"));
    const std::string direct = explain<simd::avx2>(pack(constant_weights<w8>({16, 64}, -128, {1.0})));
    CHECK(contains(direct, "int8 x two u4, avx2 1x16, codes unpacked in registers, exact\n"));
    CHECK(contains(direct, "\nproducts: pairs of bytes in int16, widened after 8 steps; "));
}

TEST_CASE("AVX2 names the spread that none of its products absorbs") {
    const packed_weights packed = pack(constant_weights<w4<4>>({16, 8}, -8, {1.0, 65536.0}));
    const std::string text = explain<simd::avx2>(packed);
    CHECK(contains(text, "int4 x s16, avx2 6x16, a shift per depth block, exact\n"));
    CHECK(contains(text, ", and exponents spread by 16, beyond 14; value * 2^shift reaches 524288 (a spread of 16) and "
                         "does not fit int16\n"));
}
#endif

/// @file
/// Products of every instruction set, by chance: shapes, weights of every kind, activations and destinations with any
/// strides, any number of tasks. All equal gemm/reference.hpp bit for bit.
#include "gemm/cases.hpp"

using namespace cases;

namespace {

/// Shapes whose rows, outputs and inputs lie around what kernels are cut into, then any.
struct shape {
    std::size_t rows;
    weight_shape weights;
};

template <class Q> shape any_shape(sequence& random, bool around_tiles) {
    constexpr std::size_t rows_of[] = {1, 2, 3, 4, 5, 6, 7, 8, 11, 12, 13, 24, 25};
    constexpr std::size_t outputs_of[] = {1, 15, 16, 17, 31, 32, 33, 47, 48, 63, 64, 65};
    constexpr std::size_t inputs_of[] = {1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 32, 33, 63, 64, 65, 257};
    shape s{};
    s.rows = around_tiles ? random.one_of(rows_of) : random.size(1, 70);
    s.weights.outputs = around_tiles ? random.one_of(outputs_of) : random.size(1, 70);
    s.weights.inputs = around_tiles ? random.one_of(inputs_of) : random.size(1, 70);
    const std::size_t all_outputs = s.weights.outputs;
    const std::size_t all_inputs = s.weights.inputs;
    using granularity = typename Q::granularity_type;
    constexpr std::size_t groups[] = {1, 5, 16, 32, 100};
    const weight_shape cuts[] = {{0, 0, all_outputs, all_inputs},
                                 {0, 0, 1, all_inputs},
                                 {0, 0, 16, 16},
                                 {0, 0, 3, 7},
                                 {0, 0, 1, random.one_of(groups)}};
    weight_shape cut = random.one_of(cuts);
    if constexpr (std::is_same_v<granularity, per_tensor>)
        cut = cuts[0];
    else if constexpr (std::is_same_v<granularity, per_channel<0>>)
        cut = cuts[1];
    else if constexpr (std::is_same_v<granularity, per_group<>>)
        cut = cuts[4];
    s.weights.block_outputs = std::min(cut.block_outputs, all_outputs);
    s.weights.block_inputs = std::min(cut.block_inputs, all_inputs);
    return s;
}

#if defined(__OPTIMIZE__)
constexpr int count = 100;
#else
constexpr int count = 30;
#endif

template <class Q> void many(std::uint64_t seed) {
    sequence random(seed);
    for (int i = 0; i < count; ++i) {
        const shape s = any_shape<Q>(random, i % 2 == 0);
        const auto w = weights<Q>(random, s.weights, filling::random, i % 8);
        const activations a = left_of(random, s.rows, s.weights.inputs);
        INFO("case " << i << ": " << s.rows << " rows");
        REQUIRE(check(random, a, w) == "");
    }
}

} // namespace

TEST_CASE("products of 8-bit weights", "[gemm]") {
    many<quantizer<bits<8>, sub_layer<>, power_of_two<>>>(1);
    many<quantizer<bits<8, unsigned_codes>, sub_layer<>, real_scale, nearest_even, affine>>(2);
    many<quantizer<bits<8>, per_channel<0>, fixed_point<>>>(3);
}

TEST_CASE("products of 4-bit weights", "[gemm]") {
    many<quantizer<bits<4>, per_group<>, power_of_two<>>>(4);
    many<quantizer<bits<4, unsigned_codes>, sub_layer<>, power_of_two<>, nearest_even, affine>>(5);
    many<quantizer<bits<4>, sub_layer<>, real_scale>>(6);
    many<quantizer<bits<4>, per_channel<0>, fixed_point<>, nearest_even, affine>>(7);
}

TEST_CASE("products of 2-bit and 3-bit weights", "[gemm]") {
    many<quantizer<bits<2>, sub_layer<>, power_of_two<>>>(8);
    many<quantizer<bits<2>, per_group<>, real_scale, nearest_even, affine>>(9);
    many<quantizer<bits<3>, sub_layer<>, power_of_two<>, nearest_even, affine>>(10);
}

TEST_CASE("products with one scale", "[gemm]") { many<quantizer<bits<5>, per_tensor, real_scale>>(11); }

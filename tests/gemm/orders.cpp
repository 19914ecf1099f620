/// @file
/// Channel orders of the weights: rows and columns of the codes stand in another order than outputs and activations.
#include "gemm/cases.hpp"

#include <numeric>

using namespace cases;

namespace {

std::vector<std::uint32_t> shuffled(sequence& random, std::size_t count) {
    std::vector<std::uint32_t> order(count);
    std::iota(order.begin(), order.end(), 0U);
    for (std::size_t i = count; i > 1; --i)
        std::swap(order[i - 1], order[random.size(0, i - 1)]);
    return order;
}

template <class Q> void check_orders(std::uint64_t seed, weight_shape s) {
    sequence random(seed);
    for (int which = 1; which <= 3; ++which) {
        const auto in_order = weights<Q>(random, s, filling::random, 3);
        auto w = in_order;
        if ((which & 1) != 0)
            w.params.output_order = shuffled(random, s.outputs);
        if ((which & 2) != 0)
            w.params.input_order = shuffled(random, s.inputs);
        const activations a = left_of(random, 13, s.inputs);
        INFO("orders " << which);
        REQUIRE(check(random, a, w) == "");
        // The product is that of activations moved to where the codes stand, its columns moved back.
        activations moved = a;
        for (std::size_t m = 0; m < a.rows; ++m)
            for (std::size_t k = 0; k < s.inputs && (which & 2) != 0; ++k)
                moved.codes[m * s.inputs + k] = a.codes[m * s.inputs + w.params.input_order[k]];
        const std::vector<float> there = wanted(a, w, pack(w)).reals;
        const std::vector<float> here = wanted(moved, in_order, pack(in_order)).reals;
        std::size_t wrong = 0;
        for (std::size_t m = 0; m < a.rows; ++m)
            for (std::size_t n = 0; n < s.outputs; ++n)
                wrong +=
                    there[m * s.outputs + ((which & 1) != 0 ? w.params.output_order[n] : n)] != here[m * s.outputs + n];
        CHECK(wrong == 0);
    }
}

} // namespace

TEST_CASE("channel orders are undone", "[gemm][order]") {
    check_orders<quantizer<bits<8>, sub_layer<>, power_of_two<>>>(1, {37, 65, 1, 65});
    check_orders<quantizer<bits<8>, sub_layer<>, power_of_two<>>>(2, {16, 300, 16, 16});
    check_orders<quantizer<bits<4, unsigned_codes>, sub_layer<>, power_of_two<>, nearest_even, affine>>(3,
                                                                                                        {37, 66, 3, 7});
    check_orders<quantizer<bits<2>, sub_layer<>, real_scale>>(4, {20, 40, 1, 16});
}

TEST_CASE("two terms share their orders", "[gemm][order][terms]") {
    using q = quantizer<bits<4>, sub_layer<>, power_of_two<>>;
    sequence random(6);
    auto coarse = weights<q>(random, {18, 30, 1, 30});
    auto fine = weights<q>(random, {18, 30, 1, 10});
    const packed_weights straight = pack_terms(coarse, fine);
    coarse.params.output_order = fine.params.output_order = shuffled(random, 18);
    coarse.params.input_order = fine.params.input_order = shuffled(random, 30);
    const packed_weights packed = pack_terms(coarse, fine);
    const activations a = left_of(random, 5, 30);
    activations moved = a;
    for (std::size_t m = 0; m < 5; ++m)
        for (std::size_t k = 0; k < 30; ++k)
            moved.codes[m * 30 + k] = a.codes[m * 30 + fine.params.input_order[k]];
    std::vector<std::int32_t> here(5 * 18);
    products::instruction_sets()[0].run(
        moved.plain(), straight,
        products::output<identity, std::int32_t>{{}, strided_view<std::int32_t, 2>(here.data(), {5, 18})}, {}, {});
    results r;
    r.sums.resize(here.size());
    for (std::size_t m = 0; m < 5; ++m)
        for (std::size_t n = 0; n < 18; ++n)
            r.sums[m * 18 + fine.params.output_order[n]] = here[m * 18 + n];
    REQUIRE(first_difference(random, a, packed, r) == "");
    fine.params.input_order[0] = fine.params.input_order[1];
    CHECK_THROWS_AS(pack_terms(coarse, fine), shape_error);
    fine.params.input_order.clear();
    CHECK_THROWS_WITH(pack_terms(coarse, fine), containing("the terms have different channel orders"));
}

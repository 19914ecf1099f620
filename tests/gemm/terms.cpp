/// @file
/// Two-term weights W = coarse 2^k + fine against sums written out, for mixed widths, grains, signs and zero points.
#include "gemm/cases.hpp"

using namespace cases;

namespace {

/// Values and exponents of one weight.
struct value {
    std::int64_t value;
    std::int32_t exponent;
};

template <class Q> value value_of(const quantized_tensor<Q, 2>& w, weight_shape s, std::size_t n, std::size_t k) {
    const std::size_t block = n / s.block_outputs * ceil_div(s.inputs, s.block_inputs) + k / s.block_inputs;
    return {w.codes(n, k) - w.params.zero_point(block), w.params.scales[block]};
}

/// Both terms have scales by chance; the coarse one lies k above the fine one.
template <class Coarse, class Fine> void check_terms(std::uint64_t seed, weight_shape coarse, weight_shape fine) {
    for (int k = 1; k <= 8; ++k) {
        sequence random(seed + static_cast<std::uint64_t>(k));
        auto c = weights<Coarse>(random, coarse, filling::random, 1);
        const auto f = weights<Fine>(random, fine, filling::random, 2);
        for (std::int32_t& e : c.params.scales)
            e += k;
        const packed_weights packed = pack_terms(c, f);
        const detail::weight_term terms[] = {detail::term_of(c), detail::term_of(f)};
        REQUIRE(packs_alike(terms, packed));
        activations a = left_of(random, random.size(1, 20), fine.inputs);
        a.scale = 0;
        results r;
        r.sums.resize(a.rows * fine.outputs);
        r.reals.resize(r.sums.size());
        for (std::size_t n = 0; n < fine.outputs; ++n) {
            std::int32_t least = 1000;
            for (std::size_t i = 0; i < fine.inputs; ++i)
                for (const value v : {value_of(c, coarse, n, i), value_of(f, fine, n, i)})
                    least = v.value == 0 ? least : std::min(least, v.exponent);
            REQUIRE(packed.exponents()[n] == least);
            for (std::size_t m = 0; m < a.rows; ++m) {
                std::int64_t sum = 0;
                for (std::size_t i = 0; i < fine.inputs; ++i)
                    for (const value v : {value_of(c, coarse, n, i), value_of(f, fine, n, i)})
                        if (v.value != 0)
                            sum +=
                                (a.codes[m * fine.inputs + i] - a.zero_point) * v.value * (1 << (v.exponent - least));
                r.sums[m * fine.outputs + n] = static_cast<std::int32_t>(sum);
                r.reals[m * fine.outputs + n] = static_cast<float>(static_cast<std::int32_t>(sum)) *
                                                static_cast<float>(exp2_exact(least + a.exponent));
            }
        }
        INFO("2^" << k);
        REQUIRE(first_difference(random, a, packed, r) == "");
    }
}

} // namespace

TEST_CASE("two terms of the same grain", "[gemm][terms]") {
    check_terms<quantizer<bits<4>, sub_layer<>, power_of_two<>>, quantizer<bits<4>, sub_layer<>, power_of_two<>>>(
        1, {19, 65, 1, 65}, {19, 65, 1, 65});
    check_terms<quantizer<bits<4>, sub_layer<>, power_of_two<>>, quantizer<bits<4>, sub_layer<>, power_of_two<>>>(
        21, {33, 70, 1, 32}, {33, 70, 1, 32});
    check_terms<quantizer<bits<8>, sub_layer<>, power_of_two<>>, quantizer<bits<8>, sub_layer<>, power_of_two<>>>(
        41, {17, 40, 17, 40}, {17, 40, 17, 40});
}

TEST_CASE("two terms of different grains and widths", "[gemm][terms]") {
    check_terms<quantizer<bits<4>, sub_layer<>, power_of_two<>>, quantizer<bits<8>, sub_layer<>, power_of_two<>>>(
        61, {18, 50, 18, 50}, {18, 50, 3, 7});
    check_terms<quantizer<bits<2>, sub_layer<>, power_of_two<>>, quantizer<bits<4>, sub_layer<>, power_of_two<>>>(
        81, {18, 100, 16, 16}, {18, 100, 1, 100});
    check_terms<quantizer<bits<4>, sub_layer<>, power_of_two<>>, quantizer<bits<2>, sub_layer<>, power_of_two<>>>(
        101, {18, 100, 1, 12}, {18, 100, 4, 30});
}

TEST_CASE("two terms of different signs and zero points", "[gemm][terms]") {
    using unsigned_affine = quantizer<bits<4, unsigned_codes>, sub_layer<>, power_of_two<>, nearest_even, affine>;
    using unsigned_plain = quantizer<bits<2, unsigned_codes>, sub_layer<>, power_of_two<>>;
    using eight_affine = quantizer<bits<8, unsigned_codes>, sub_layer<>, power_of_two<>, nearest_even, affine>;
    using four = quantizer<bits<4>, sub_layer<>, power_of_two<>>;
    check_terms<four, unsigned_plain>(121, {20, 66, 1, 66}, {20, 66, 1, 66});
    check_terms<unsigned_affine, four>(141, {20, 66, 1, 16}, {20, 66, 1, 66});
    check_terms<four, eight_affine>(161, {20, 66, 1, 66}, {20, 66, 16, 16});
}

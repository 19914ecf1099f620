/// @file
/// Scales that change along the inputs, exponents given by hand: which kernel each spread takes, that it is exact there,
/// and where the sums of int32 end.
#include "gemm/cases.hpp"

using namespace cases;

namespace {

using w4 = quantizer<bits<4>, per_group<>, power_of_two<>>;
using w8 = quantizer<bits<8>, per_group<>, power_of_two<>>;

/// Weights with the lowest code in every block. One block of each output has the exponent `spread` - 20, another one
/// -20, the others lie in the lower half between.
template <class Q> quantized_tensor<Q, 2> spread_weights(std::size_t inputs, std::size_t group, int spread) {
    constexpr std::size_t outputs = 21;
    sequence random(static_cast<std::uint64_t>(spread) + 100);
    auto w = weights<Q>(random, {outputs, inputs, 1, group});
    const std::size_t across = ceil_div(inputs, group);
    std::vector<double> scales;
    for (std::size_t n = 0; n < outputs; ++n) {
        const std::size_t top = random.size(0, across - 1);
        const std::size_t least = (top + random.size(1, across - 1)) % across;
        for (std::size_t h = 0; h < across; ++h) {
            const int e = h == top ? spread : h == least ? 0 : random.between(0, spread / 2);
            scales.push_back(exp2_exact(e - 20));
            w.codes(n, h * group) = static_cast<std::int8_t>(Q::codes.lowest);
        }
    }
    w.params = params_from_scales<Q>(extents<2>{outputs, inputs}, scales, {}, Q{{group}});
    return w;
}

/// What kernels.hpp says of a spread: largest magnitude of a code 2^bits.
detail::kernel_choice expected_choice(const products::instruction_set& set, int log2_largest, int spread) {
    detail::kernel_choice choice;
    const int shifted = log2_largest + spread;
    if (set.has_quad8) {
        choice.absorbs = spread > 0 && shifted < 7;
        choice.finish = spread > 0 && shifted >= 7 ? detail::dot_finish::shift : detail::dot_finish::once;
    } else if (log2_largest <= 4 && spread <= 14) {
        choice.family = detail::dot_family::chain;
        choice.absorbs = spread > 0;
    } else {
        choice.family = detail::dot_family::pair;
        choice.absorbs = spread > 0 && shifted < 15;
        choice.finish = spread > 0 && shifted >= 15 ? detail::dot_finish::shift : detail::dot_finish::once;
    }
    return choice;
}

struct tally {
    std::size_t absorbed = 0;
    std::size_t shifted = 0;
};

template <class Q> tally check_spreads(int log2_largest, int most) {
    tally count;
    sequence random(9);
    for (int spread = 0; spread <= most; ++spread)
        for (const std::size_t group : {4U, 16U, 32U}) {
            INFO("spread " << spread << ", groups of " << group);
            const auto w = spread_weights<Q>(4 * group + 1, group, spread);
            const packed_weights packed = pack(w);
            REQUIRE(packed.header().largest_shift == static_cast<std::uint32_t>(spread));
            for (const products::instruction_set& set : products::instruction_sets()) {
                const detail::kernel_choice choice = set.choose(packed.header());
                const detail::kernel_choice wanted = expected_choice(set, log2_largest, spread);
                INFO(set.name);
                CHECK(choice.family == wanted.family);
                CHECK(choice.finish == wanted.finish);
                CHECK(choice.absorbs == wanted.absorbs);
                count.absorbed += choice.absorbs;
                count.shifted += choice.finish == detail::dot_finish::shift;
            }
            activations a = left_of(random, 9, w.shape()[1]);
            a.scale = 0;
            REQUIRE(check(random, a, w) == "");
        }
    return count;
}

} // namespace

TEST_CASE("spreads of 4-bit weights", "[gemm][spread]") {
    const tally count = check_spreads<w4>(3, 14);
    CHECK(count.absorbed > 0);
    if (products::instruction_sets()[0].name == std::string(simd::scalar::name))
        CHECK(count.shifted > 0); // from 4 on
}

TEST_CASE("spreads of 8-bit weights", "[gemm][spread]") {
    const tally count = check_spreads<w8>(7, 11);
    CHECK(count.shifted > 0);
}

TEST_CASE("small 8-bit weights absorb what int8 holds", "[gemm][spread]") {
    sequence random(10);
    for (int spread = 1; spread <= 7; ++spread) {
        auto w = spread_weights<w8>(65, 16, spread);
        for (std::int8_t& code : w.codes.elements())
            code = static_cast<std::int8_t>(code / 128 - code % 2);
        const packed_weights packed = pack(w);
        for (const products::instruction_set& set : products::instruction_sets())
            if (set.has_quad8)
                CHECK(set.choose(packed.header()).absorbs == (packed.header().largest_shifted <= 127));
        REQUIRE(check(random, left_of(random, 5, 65), w) == "");
    }
}

TEST_CASE("a spread that int32 cannot hold is an error that says so", "[gemm][spread]") {
    auto w = spread_weights<w4>(128, 32, 32);
    CHECK_THROWS_AS(pack(w), range_error);
    CHECK_THROWS_WITH(pack(w), containing("'w': output 0") || containing("tensor: output 0"));
    CHECK_THROWS_WITH(pack(w), containing("a spread of 32; sums of int32 hold at most 31"));
    w = spread_weights<w4>(128, 32, 24);
    CHECK_THROWS_AS(pack(w), range_error);
    CHECK_THROWS_WITH(pack(w), containing("beyond 2147483647"));
    CHECK_THROWS_WITH(pack(w), containing("128 inputs, exponents of blocks spread by 24"));
    // The largest that fits, and the first that does not: 255 * 8 * 2^20 < 2^31 <= 255 * 8 * 2^21.
    for (const int spread : {20, 21}) {
        quantized_tensor<w4, 2> one;
        one.codes = dense_tensor<std::int8_t, 2>({1, 2}, std::int8_t{0});
        one.codes(0, 0) = -8;
        one.codes(0, 1) = 1;
        one.params = params_from_scales<w4>(extents<2>{1, 2}, {exp2_exact(spread), 1.0}, {}, w4{{1}});
        if (spread == 21) {
            CHECK_THROWS_WITH(pack(one), containing("may reach 4278190080, beyond 2147483647"));
            continue;
        }
        sequence random(11);
        REQUIRE(check(random, left_of(random, 4, 2, filling::highest), one) == "");
        CHECK(pack(one).bound() == std::int64_t{255} * 8 << 20);
    }
}

TEST_CASE("sums that int32 would carry around to small ones are counted as they are", "[gemm][spread]") {
    using w8g16 = quantizer<bits<8>, per_group<16>, power_of_two<>>;
    quantized_tensor<w8g16, 2> w;
    w.codes = dense_tensor<std::int8_t, 2>({1, 80}, std::int8_t{1});
    for (std::size_t k = 0; k < 64; ++k)
        w.codes(0, k) = 64; // four blocks of 16 * 64 * 2^20, which are 2^32
    const double top = exp2_exact(20);
    w.params = params_from_scales<w8g16>(extents<2>{1, 80}, {top, top, top, top, 1.0});
    CHECK_THROWS_AS(pack(w), range_error);
    CHECK_THROWS_WITH(pack(w), containing("may reach 1095216664560, beyond 2147483647")); // 255 * (2^32 + 16)
}

TEST_CASE("blocks of zeros may have any exponent", "[gemm][spread]") {
    sequence random(12);
    auto w = spread_weights<w4>(97, 16, 5);
    for (std::size_t n = 0; n < w.shape()[0]; ++n)
        for (const std::size_t h : {0U, 3U}) {
            w.params.scales[n * 7 + h] = h == 0 ? max_scale_exponent : min_scale_exponent;
            for (std::size_t k = 16 * h; k < 16 * h + 16; ++k)
                w.codes(n, k) = n == 20 ? w.codes(n, k) : std::int8_t{0};
        }
    for (std::size_t k = 0; k < 97; ++k) // an output of zeros keeps the scale of its first block, for a bias
        w.codes(20, k) = 0;
    w.params.scales[20 * 7] = -17;
    CHECK(pack(w).exponents()[20] == -17);
    CHECK(pack(w).header().largest_shift <= 5);
    REQUIRE(check(random, left_of(random, 6, 97), w) == "");
    // Nothing but zeros.
    for (std::int8_t& code : w.codes.elements())
        code = 0;
    for (std::int32_t& e : w.params.scales)
        e = -17;
    CHECK(pack(w).bound() == 0);
    REQUIRE(check(random, left_of(random, 6, 97), w) == "");
}

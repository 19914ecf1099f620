/// @file
/// conv2d of every instruction set against conv/reference.hpp, bit for bit, over geometries by chance.
#include "conv/compare.hpp"

#include <notch/conv/conv2d.hpp>
#include <notch/conv/explain.hpp>
#include <notch/conv/pack_filters.hpp>
#include <notch/epilogue/activation.hpp>
#include <notch/epilogue/add_bias.hpp>
#include <notch/epilogue/add_residual.hpp>
#include <notch/epilogue/real_requantize.hpp>
#include <notch/epilogue/shift_requantize.hpp>

#include <numeric>

using namespace conv_cases;

namespace {

/// Blocks as a granularity wants them.
template <class Q> block_sizes blocks_of(sequence& random, const extents<4>& filters) {
    if (std::is_same_v<typename Q::granularity_type, per_tensor>)
        return whole(filters);
    if (std::is_same_v<typename Q::granularity_type, per_channel<0>>)
        return {1, filters[1]};
    return {std::is_same_v<typename Q::granularity_type, per_group<>> ? 1 : random.size(1, filters[0]),
            random.size(1, filters[1])};
}

template <class Q, class T>
void many(std::uint64_t seed, int rounds, int spread, std::size_t channels, filling fill = filling::random) {
    sequence random(seed);
    for (int round = 0; round < rounds; ++round) {
        const problem p(random, channels, channels < 10 ? 12 : 40, channels < 10 ? 12 : 9);
        const auto w = any_filters<Q>(random, p.filters, blocks_of<Q>(random, p.filters), spread, fill);
        any_images<T> a(random, p.images, fill);
        INFO("seed " << seed << ", round " << round);
        if constexpr (std::is_same_v<typename Q::scale_value, std::int32_t>) {
            std::vector<std::int32_t> bias;
            for (std::size_t o = 0; o < p.filters[0]; ++o)
                bias.push_back(random.between(-5000, 5000));
            REQUIRE(compare(random, a, w, p.geometry, p.result, identity{}, std::int32_t{77}) == "");
            REQUIRE(compare(random, a, w, p.geometry, p.result,
                            add_bias{bias} | shift_requantize<>{a.exponent + (spread > 4 ? 12 : -1)} | relu{} |
                                add_zero_point{3},
                            std::uint8_t{99}) == "");
        } else {
            a.scale = 0.0173F;
            REQUIRE(compare(random, a, w, p.geometry, p.result, to_real{}, -1.0F) == "");
            REQUIRE(compare(random, a, w, p.geometry, p.result, real_requantize<>{0.02F} | add_zero_point{-5},
                            std::int8_t{99}) == "");
        }
    }
}

using pot_blocks4 = quantizer<bits<4>, sub_layer<>, power_of_two<>>;
using pot_blocks8 = quantizer<bits<8>, sub_layer<>, power_of_two<>>;
using affine2 = quantizer<bits<2, unsigned_codes>, sub_layer<>, power_of_two<>, nearest_even, affine>;

} // namespace

TEST_CASE("convolutions with 8-bit filters", "[conv]") {
    many<quantizer<bits<8>, per_channel<0>, power_of_two<>>, std::uint8_t>(101, 300, 2, 9);
    many<quantizer<bits<8>, per_channel<0>, power_of_two<>>, std::int8_t>(102, 60, 2, 40);
    many<pot_blocks8, std::uint8_t>(103, 120, 1, 12);
    many<pot_blocks8, std::uint8_t>(104, 60, 9, 12); // a shift between blocks
}

TEST_CASE("convolutions with 4-bit filters", "[conv]") {
    many<quantizer<bits<4>, per_channel<0>, power_of_two<>>, std::uint8_t>(111, 300, 2, 9);
    many<pot_blocks4, std::uint8_t>(112, 120, 3, 24);
    many<pot_blocks4, std::int8_t>(113, 60, 3, 40);
    many<pot_blocks4, std::uint8_t>(114, 40, 14, 12);
}

TEST_CASE("convolutions with 2-bit filters", "[conv]") {
    many<quantizer<bits<2>, per_tensor, power_of_two<>>, std::uint8_t>(121, 200, 0, 9);
    many<affine2, std::uint8_t>(122, 120, 3, 24);
    many<affine2, std::int8_t>(123, 60, 3, 30);
}

TEST_CASE("convolutions with real scales", "[conv]") {
    many<quantizer<bits<8>, per_channel<0>, real_scale>, std::uint8_t>(131, 150, 2, 20);
    many<quantizer<bits<4>, per_group<>, real_scale>, std::uint8_t>(132, 120, 2, 24);
    many<quantizer<bits<8, unsigned_codes>, sub_layer<>, real_scale, nearest_even, affine>, std::int8_t>(133, 100, 2,
                                                                                                         12);
}

TEST_CASE("convolutions of codes at an end", "[conv][short]") {
    for (const filling fill : {filling::lowest, filling::highest}) {
        many<quantizer<bits<8>, per_channel<0>, power_of_two<>>, std::uint8_t>(141, 30, 0, 30, fill);
        many<pot_blocks4, std::uint8_t>(142, 30, 3, 30, fill);
        many<affine2, std::int8_t>(143, 30, 3, 30, fill);
    }
}

TEST_CASE("convolutions whose sums are computed in parts and whose lines take several blocks", "[conv]") {
    sequence random(151);
    const auto large = [&](auto policy, const extents<4>& images, const extents<4>& filters, const conv_geometry& g,
                           int spread) {
        using q = decltype(policy);
        const extents<4> result = conv_extents(images, filters, g);
        const auto w = any_filters<q>(random, filters, blocks_of<q>(random, filters), spread);
        const any_images<std::uint8_t> a(random, images);
        REQUIRE(compare(random, a, w, g, result, identity{}, std::int32_t{5}) == "");
    };
    large(quantizer<bits<8>, per_channel<0>, power_of_two<>>{}, {1, 5, 5, 300}, {20, 300, 3, 3},
          {.padding = {1, 1, 1, 1}}, 2);
    large(quantizer<bits<4>, per_channel<0>, power_of_two<>>{}, {2, 4, 4, 500}, {17, 500, 3, 3},
          {.padding = {1, 1, 1, 1}}, 2);
    large(quantizer<bits<8>, per_channel<0>, power_of_two<>>{}, {1, 70, 65, 3}, {16, 3, 7, 7},
          {.stride = {2, 2}, .padding = {3, 3, 3, 3}}, 2);
    large(quantizer<bits<8>, per_channel<0>, power_of_two<>>{}, {1, 40, 40, 64}, {33, 64, 1, 1}, {.stride = {2, 2}}, 2);
    large(quantizer<bits<2>, per_channel<0>, power_of_two<>>{}, {1, 33, 31, 32}, {40, 4, 3, 3},
          {.padding = {1, 1, 1, 1}, .groups = 8}, 2);
}

TEST_CASE("convolutions whose results at the edges lack taps", "[conv][short]") {
    using w8 = quantizer<bits<8>, per_channel<0>, power_of_two<>>;
    using coarse_type = quantizer<bits<8>, per_channel<0>, power_of_two<>>;
    sequence random(155);
    for (int round = 0; round < 80; ++round) {
        const std::size_t groups = random.between(0, 3) == 0 ? 2 : 1;
        const extents<4> filters{groups * random.size(1, 40), 4 * random.size(1, 6), random.size(1, 5),
                                 random.size(1, 5)};
        conv_geometry g;
        g.dilation = {random.size(1, 2), random.size(1, 2)};
        g.stride = {random.size(1, 2), random.size(1, 2)};
        g.padding = {random.size(0, 4), random.size(0, 4), random.size(0, 4), random.size(0, 4)};
        g.groups = groups;
        const extents<4> images{random.size(1, 2), random.size(9, 16), random.size(9, 16), groups * filters[1]};
        const extents<4> result = conv_extents(images, filters, g);
        const any_images<std::uint8_t> a(random, images);
        const any_images<std::int8_t> b(random, images);
        INFO("round " << round << ", " << images[1] << " x " << images[2] << ", filters " << filters[2] << " x "
                      << filters[3]);
        const auto w = any_filters<w8>(random, filters, {1, filters[1]});
        REQUIRE(compare(random, a, w, g, result, identity{}, std::int32_t{5}) == "");
        REQUIRE(compare(random, b, w, g, result, shift_requantize<>{1} | relu{}, std::uint8_t{5}) == "");
        const auto blocks = any_filters<pot_blocks8>(random, filters, {3, 4}, 7); // a shift between blocks
        REQUIRE(compare(random, b, blocks, g, result, identity{}, std::int32_t{5}) == "");
        const auto fine = any_filters<pot_blocks4>(random, filters, {5, 8});
        REQUIRE(compare(random, a, fine, g, result, identity{}, std::int32_t{5}) == "");
        extents<4> small = filters;
        for (const std::size_t axis : {2U, 3U})
            while (small[axis] > 2)
                small[axis] -= 2;
        const auto coarse = any_filters<coarse_type>(random, small, {1, small[1]});
        REQUIRE(compare(random, b, filter_terms{coarse, fine}, g, result, identity{}, std::int32_t{5}) == "");
    }
}

TEST_CASE("convolutions of 4-bit and 2-bit filters with whole groups of panels", "[conv]") {
    sequence random(157);
    for (int round = 0; round < 40; ++round) {
        const std::size_t block = 8 * random.size(1, 5);
        const extents<4> filters{64 * random.size(1, 2), block * random.size(1, 3), random.size(1, 3),
                                 random.size(1, 3)};
        conv_geometry g;
        g.dilation = {random.size(1, 2), random.size(1, 2)};
        g.stride = {random.size(1, 2), random.size(1, 2)};
        g.padding = {random.size(0, 2), random.size(0, 2), random.size(0, 2), random.size(0, 2)};
        const extents<4> images{random.size(1, 2), random.size(5, 9), random.size(5, 9), filters[1]};
        const extents<4> result = conv_extents(images, filters, g);
        const any_images<std::uint8_t> a(random, images);
        const any_images<std::int8_t> b(random, images);
        INFO("round " << round << ", filters " << filters[1] << " x " << filters[2] << " x " << filters[3]);
        using w4 = quantizer<bits<4>, per_channel<0>, power_of_two<>>;
        using w2 = quantizer<bits<2>, per_channel<0>, power_of_two<>>;
        REQUIRE(compare(random, a, any_filters<w4>(random, filters, {1, filters[1]}), g, result, identity{},
                        std::int32_t{5}) == "");
        REQUIRE(compare(random, b, any_filters<w2>(random, filters, {1, filters[1]}), g, result, identity{},
                        std::int32_t{5}) == "");
        REQUIRE(compare(random, b, any_filters<pot_blocks4>(random, filters, {16, block}, 1), g, result,
                        shift_requantize<>{1} | relu{}, std::uint8_t{5}) == "");
        REQUIRE(compare(random, a, any_filters<affine2>(random, filters, {5, block}, 3), g, result, identity{},
                        std::int32_t{5}) == "");
    }
    // Each result sees one pixel, or few of them.
    for (const std::size_t extent : {1U, 2U, 3U}) {
        const extents<4> images{2, extent, extent, 32};
        const conv_geometry g{.padding = {1, 1, 1, 1}};
        const any_images<std::uint8_t> a(random, images);
        const auto w = any_filters<pot_blocks4>(random, {64, 32, 3, 3}, {64, 16});
        REQUIRE(compare(random, a, w, g, {2, extent, extent, 64}, identity{}, std::int32_t{5}) == "");
    }
}

TEST_CASE("convolutions whose groups share panels", "[conv][short]") {
    sequence random(159);
    for (int round = 0; round < 40; ++round) {
        const bool wide = random.between(0, 1) == 1;
        const std::size_t channels = wide ? 4 * random.size(1, 2) : 4;
        const std::size_t groups = (wide ? 2 : 4) * random.size(1, 5) + (random.between(0, 4) == 0 ? 1 : 0);
        const extents<4> filters{groups * (wide ? 8 : 4), channels, random.size(1, 3), random.size(1, 3)};
        conv_geometry g;
        g.dilation = {random.size(1, 2), random.size(1, 2)};
        g.stride = {random.size(1, 2), random.size(1, 2)};
        g.padding = {random.size(0, 2), random.size(0, 2), random.size(0, 2), random.size(0, 2)};
        g.groups = groups;
        const extents<4> images{random.size(1, 2), random.size(5, 9), random.size(5, 16), groups * channels};
        const extents<4> result = conv_extents(images, filters, g);
        const any_images<std::uint8_t> a(random, images);
        const any_images<std::int8_t> b(random, images);
        INFO("round " << round << ", " << groups << " groups of " << channels << " channels");
        using w8 = quantizer<bits<8>, per_channel<0>, power_of_two<>>;
        REQUIRE(compare(random, a, any_filters<w8>(random, filters, {1, channels}), g, result, identity{},
                        std::int32_t{5}) == "");
        REQUIRE(compare(random, b, any_filters<affine2>(random, filters, {3, channels}, 3), g, result,
                        shift_requantize<>{1} | relu{}, std::uint8_t{5}) == "");
        REQUIRE(compare(random, a, any_filters<pot_blocks4>(random, filters, {3, 4}, 1), g, result, identity{},
                        std::int32_t{5}) == "");
        REQUIRE(compare(random, b, any_filters<pot_blocks8>(random, filters, {3, 4}, 6), g, result, identity{},
                        std::int32_t{5}) == "");
        using real = quantizer<bits<4>, per_group<>, real_scale>;
        any_images<std::uint8_t> c = a;
        c.scale = 0.0173F;
        REQUIRE(compare(random, c, any_filters<real>(random, filters, {1, 4}), g, result, to_real{}, -1.0F) == "");
        const auto coarse =
            any_filters<w8>(random, {filters[0], channels, 2 - filters[2] % 2, 2 - filters[3] % 2}, {1, 4});
        REQUIRE(compare(random, b, filter_terms{coarse, any_filters<w8>(random, filters, {1, channels})}, g, result,
                        identity{}, std::int32_t{5}) == "");
    }
}

/// Images of some channels, filters in blocks of 16 of them.
template <class Q, class T> void blocks_of_sixteen(sequence& random, std::size_t channels) {
    const std::size_t kernel = random.between(0, 1) == 0 ? 1 : 3;
    const extents<4> filters{random.size(1, 40), channels, kernel, kernel};
    conv_geometry g;
    g.stride = {random.size(1, 2), random.size(1, 2)};
    g.dilation = {random.size(1, 2), random.size(1, 2)};
    g.padding = {random.size(0, 1), random.size(0, 1), random.size(0, 1), random.size(0, 1)};
    const extents<4> images{1, random.size(5, 8), random.size(5, 12), channels};
    any_images<T> a(random, images);
    a.scale = 0.0173F;
    const auto w = any_filters<Q>(random, filters, {std::is_same_v<Q, pot_blocks8> ? 16U : 3U, 16});
    INFO(channels << " channels, " << kernel << " x " << kernel);
    const extents<4> result = conv_extents(images, filters, g);
    if constexpr (std::is_same_v<typename Q::scale_value, std::int32_t>) {
        REQUIRE(compare(random, a, w, g, result, identity{}, std::int32_t{5}) == "");
        const auto centre = any_filters<pot_blocks4>(random, {filters[0], channels, 1, kernel}, {3, 16});
        REQUIRE(compare(random, a, filter_terms{centre, w}, g, result, identity{}, std::int32_t{5}) == "");
    } else {
        REQUIRE(compare(random, a, w, g, result, to_real{}, -1.0F) == "");
    }
}

TEST_CASE("convolutions with blocks of channels that do not divide them", "[conv]") {
    using real_blocks = quantizer<bits<8>, sub_layer<>, real_scale>;
    sequence random(165);
    for (int round = 0; round < 4; ++round)
        for (const std::size_t channels : {20U, 24U, 40U, 72U, 200U}) {
            blocks_of_sixteen<pot_blocks8, std::uint8_t>(random, channels);
            blocks_of_sixteen<pot_blocks4, std::int8_t>(random, channels);
            blocks_of_sixteen<affine2, std::uint8_t>(random, channels);
            blocks_of_sixteen<real_blocks, std::uint8_t>(random, channels);
        }
    const auto channels_of_block = [&]<class Q>(Q, std::size_t channels, std::size_t kernel) {
        return pack_filters(any_filters<Q>(random, {16, channels, kernel, kernel}, {16, 16})).block();
    };
    CHECK(channels_of_block(pot_blocks8{}, 24, 3) == 8);
    CHECK(channels_of_block(pot_blocks8{}, 72, 1) == 8);
    CHECK(channels_of_block(pot_blocks8{}, 200, 3) == 16); // a thirteenth block costs less than twelve more
    CHECK(channels_of_block(pot_blocks8{}, 20, 3) == 16);
    CHECK(channels_of_block(pot_blocks8{}, 48, 3) == 16);
    CHECK(channels_of_block(real_blocks{}, 24, 3) == 16); // sums of floats are rounded block by block
}

TEST_CASE("convolutions whose results side by side share their pixels", "[conv]") {
    using w8 = quantizer<bits<8>, per_channel<0>, power_of_two<>>;
    sequence random(163);
    for (int round = 0; round < 60; ++round) {
        const std::size_t channels = 16 * random.size(1, 2);
        const extents<4> filters{random.between(0, 1) == 0 ? 16 : random.size(1, 17), channels, random.size(1, 3),
                                 random.between(0, 9) == 0 ? 2U : 3U};
        conv_geometry g;
        g.dilation.h = random.size(1, 2);
        g.stride.h = random.size(1, 2);
        g.padding = {random.size(0, 2), random.size(0, 2), random.size(0, 2), random.size(0, 2)};
        const extents<4> images{random.size(1, 2), random.size(5, 7), random.size(5, 31), channels};
        const extents<4> result = conv_extents(images, filters, g);
        const any_images<std::uint8_t> a(random, images);
        const any_images<std::int8_t> b(random, images);
        INFO("round " << round);
        const auto plain = shift_requantize<>{1} | relu{};
        REQUIRE(compare(random, a, any_filters<w8>(random, filters, {1, channels}), g, result, plain,
                        std::uint8_t{5}) == "");
        REQUIRE(compare(random, b, any_filters<pot_blocks4>(random, filters, {3, 16}, 1), g, result, plain,
                        std::uint8_t{5}) == "");
        REQUIRE(compare(random, a, any_filters<pot_blocks8>(random, filters, {3, 16}, 6), g, result, identity{},
                        std::int32_t{5}) == "");
        REQUIRE(compare(random, b, any_filters<affine2>(random, filters, {3, channels}, 3), g, result, identity{},
                        std::int32_t{5}) == "");
    }
#if defined(__AVX512VNNI__)
    const conv_geometry padded{.padding = {1, 1, 1, 1}};
    const packed_filters filters = pack_filters(any_filters<w8>(random, {16, 16, 3, 3}, {1, 16}), padded);
    CHECK(explain<simd::avx512vnni>(filters, {1, 32, 32, 16}, padded).find("share their pixels") != std::string::npos);
    CHECK(explain<simd::avx512vnni>(filters, {1, 8, 8, 16}, padded).find("share their pixels") == std::string::npos);
#endif
}

TEST_CASE("convolutions with channel orders, and of two terms", "[conv][short]") {
    using coarse_type = quantizer<bits<8, unsigned_codes>, sub_layer<>, power_of_two<>, nearest_even, affine>;
    sequence random(161);
    for (int round = 0; round < 60; ++round) {
        const problem p(random, 12, 12);
        auto w = any_filters<pot_blocks4>(random, p.filters, blocks_of<pot_blocks4>(random, p.filters));
        const any_images<std::uint8_t> a(random, p.images);
        const auto shuffled = [&](std::size_t count) {
            std::vector<std::uint32_t> order(count);
            std::iota(order.begin(), order.end(), 0U);
            for (std::size_t i = count; i-- > 1;)
                std::swap(order[i], order[random.size(0, i)]);
            return order;
        };
        w.params.output_order = shuffled(p.filters[0]);
        w.params.input_order = shuffled(p.filters[1]);
        REQUIRE(compare(random, a, w, p.geometry, p.result, identity{}, std::int32_t{5}) == "");

        extents<4> small = p.filters;
        for (const std::size_t axis : {2U, 3U})
            while (small[axis] > 2 && random.between(0, 2) != 0)
                small[axis] -= 2;
        const auto fine = any_filters<pot_blocks4>(random, p.filters, blocks_of<pot_blocks4>(random, p.filters));
        const auto coarse = any_filters<coarse_type>(random, small, blocks_of<coarse_type>(random, small));
        REQUIRE(compare(random, a, filter_terms{coarse, fine}, p.geometry, p.result, identity{}, std::int32_t{5}) ==
                "");
    }
}

TEST_CASE("a workspace for a convolution of 3 x 3 is smaller than its images and 64 KiB", "[conv]") {
    using w8 = quantizer<bits<8>, per_channel<0>, power_of_two<>>;
    sequence random(171);
    const conv_geometry g{.padding = {1, 1, 1, 1}};
    for (const extents<4>& images : {extents<4>{1, 56, 56, 64}, {1, 28, 28, 128}, {1, 14, 14, 256}, {1, 7, 7, 512}}) {
        const packed_filters packed = pack_filters(any_filters<w8>(random, {64, images[3], 3, 3}, {1, images[3]}), g);
        const dense_tensor<std::uint8_t, 4> codes(images);
        for_each_arch_of(
            [&](auto arch) {
                INFO(decltype(arch)::name << ", images of " << images[1]);
                CHECK(conv_workspace<decltype(arch)>(codes, packed, g) < codes.size() + (std::size_t{64} << 10));
            },
            simd::every_arch{});
    }
}

TEST_CASE("what conv2d refuses leaves the destination alone", "[conv][error]") {
    using w8 = quantizer<bits<8>, per_channel<0>, power_of_two<>>;
    sequence random(181);
    const auto w = any_filters<w8>(random, {4, 2, 3, 3}, {1, 2});
    const packed_filters packed = pack_filters(w);
    const any_images<std::uint8_t> a(random, {1, 5, 5, 2});
    dense_tensor<std::int32_t, 4> dst({1, 3, 3, 4}, 77);
    const auto refuses = [&]<class Error>(Error*, const conv_geometry& g, const std::string& part) {
        const std::string message = message_of<Error>([&] { conv2d(a.plain(), packed, g, identity{}, dst); });
        INFO(message);
        CHECK(message.find(part) != std::string::npos);
    };
    refuses(static_cast<shape_error*>(nullptr), {.padding = {1, 1, 1, 1}}, "a destination of extents");
    refuses(static_cast<shape_error*>(nullptr), {.groups = 2}, "is packed for 1 groups, the geometry has 2");
    refuses(static_cast<unsupported_error*>(nullptr), {.dilation = {1, 2}, .padding = {0, 1, 0, 1}},
            "is packed for a dilation of 1 along the width");
    refuses(static_cast<range_error*>(nullptr), {.stride = {0, 1}}, "stride");
    std::byte little[64];
    const std::string text = message_of<range_error>([&] {
        conv2d(a.plain(), packed, {}, identity{}, dst, {1, little});
    });
    CHECK(text.find("a workspace of 64 bytes; conv_workspace asks for ") != std::string::npos);
    CHECK_THROWS_AS(conv2d(a.plain(), packed_filters(), {}, identity{}, dst), state_error);
    CHECK_THROWS_AS(pack_filters(w, {.groups = 3}), shape_error);
    for (const std::int32_t x : dst.elements())
        CHECK(x == 77);
}

TEST_CASE("a workspace that cannot be addressed is a range_error", "[conv][error][short]") {
    using w8 = quantizer<bits<8>, per_channel<0>, power_of_two<>>;
    constexpr std::size_t most = 0x7fff'ffff;
    sequence random(182);
    // The lines and columns of a band together have 2^64 bytes.
    const auto far = [&](std::size_t groups) {
        const conv_geometry g{.dilation = {most, most}, .padding = {most, most, 0, 0}, .groups = groups};
        const any_images<std::uint8_t> a(random, {1, 1, 1, 4 * groups});
        const packed_filters packed = pack_filters(any_filters<w8>(random, {groups, 4, 2, 2}, {1, 4}), g);
        dense_tensor<std::int32_t, 4> dst({1, 1, 1, groups}, 77);
        for_each_arch_of(
            [&](auto arch) {
                using isa = decltype(arch);
                const std::string text =
                    message_of<range_error>([&] { conv2d<isa>(a.plain(), packed, g, identity{}, dst); });
                INFO(isa::name << ": " << text);
                CHECK(text.find("a band of 2147483648 lines of 2147483648 pixels of ") != std::string::npos);
                CHECK(text.find("the most are 9223372036854775807 bytes") != std::string::npos);
                CHECK_THROWS_AS(conv_workspace<isa>(a.plain(), packed, g), range_error);
            },
            simd::every_arch{});
        for (const std::int32_t x : dst.elements())
            CHECK(x == 77);
    };
    far(1);
    far(2);
    // Each task holds lines of 2^31 pixels.
    const std::uint8_t code = 0;
    const strided_view<const std::uint8_t, 4> wide(&code, {1, most, most, 1}, {0, 0, 0, 0});
    const packed_filters packed = pack_filters(any_filters<w8>(random, {1, 1, 3, 3}, {1, 1}));
    CHECK(conv_workspace(wide, packed, {}) > most);
    const std::string text =
        message_of<range_error>([&] { static_cast<void>(conv_workspace(wide, packed, {}, ~std::size_t{0})); });
    INFO(text);
    CHECK(text.find("2147483645 tasks with a workspace of ") != std::string::npos);
}

/// @file
/// Sums by minimal filtering (conv/transformed_filters.hpp) against the definition, at the ends of what fits.
#include "conv/compare.hpp"

#include <notch/conv/explain.hpp>
#include <notch/conv/transformed_filters.hpp>
#include <notch/epilogue/activation.hpp>
#include <notch/epilogue/add_bias.hpp>
#include <notch/epilogue/shift_requantize.hpp>

#include <algorithm>
#include <numeric>

#if defined(__AVX2__)
/// AVX2 with tiles of another form, as AVX-512 has them.
struct two_panels {
    using parent = notch::simd::avx2;
    static constexpr const char* name = "two_panels";
};
template <> struct notch::simd::int_ops<two_panels> : int_ops<avx2> {
    static constexpr std::size_t tile_rows = 3;
    static constexpr std::size_t tile_panels = 2;
};
#endif

using namespace conv_cases;

namespace {

using w8 = quantizer<bits<8>, per_channel<0>, power_of_two<>>;
using blocks8 = quantizer<bits<8>, sub_layer<>, power_of_two<>>;
using affine8 = quantizer<bits<8, unsigned_codes>, per_channel<0>, power_of_two<>, nearest_even, affine>;

/// True where some instruction set of the flags adds products of pairs, and pack_filters is compiled for it.
constexpr bool transforms =
    !simd::int_ops<simd::default_arch>::has_quad8 && simd::int_ops<simd::default_arch>::has_pairs;

/// Filters of one number.
quantized_tensor<w8, 4> filters_of(const extents<4>& shape, std::int8_t value) {
    quantized_tensor<w8, 4> w;
    w.codes = dense_tensor<std::int8_t, 4>(shape, value);
    w.params.blocks = {shape[0], 1, 1, 1};
    w.params.scales.assign(shape[0], -7);
    return w;
}

bool is_transformed(const packed_filters& filters) { return filters.transformed().steps != 0; }

} // namespace

TEST_CASE("the transform of a filter is that of the paper with G doubled", "[conv][transformed]") {
    // U of a filter with one tap is the product of two columns of 2 G.
    constexpr std::int32_t doubled[4][3] = {{2, 0, 0}, {1, 1, 1}, {1, -1, 1}, {0, 0, 2}};
    for (std::size_t h = 0; h < 3; ++h)
        for (std::size_t x = 0; x < 3; ++x) {
            std::int32_t taps[9 * detail::panel_columns] = {};
            taps[(3 * h + x) * detail::panel_columns] = -77;
            std::int16_t u[16];
            REQUIRE(detail::transform_filter(taps, u));
            for (std::size_t i = 0; i < 4; ++i)
                for (std::size_t j = 0; j < 4; ++j)
                    CHECK(u[4 * i + j] == -77 * doubled[i][h] * doubled[j][x]);
        }
    std::int32_t taps[9 * detail::panel_columns];
    std::fill(std::begin(taps), std::end(taps), 3640);
    std::int16_t u[16];
    CHECK(detail::transform_filter(taps, u)); // 9 * 3640 = 32760
    std::fill(std::begin(taps), std::end(taps), 3641);
    CHECK_FALSE(detail::transform_filter(taps, u));
}

TEST_CASE("which filters are transformed", "[conv][transformed]") {
    sequence random(201);
    const auto with = [](const auto& w, const conv_geometry& g = {}) { return is_transformed(pack_filters(w, g)); };
    const auto full = any_filters<w8>(random, {20, 16, 3, 3}, {1, 16});
    CHECK(with(full) == transforms);
    CHECK_FALSE(with(full, {.stride = {2, 2}}));
    CHECK_FALSE(with(full, {.stride = {1, 2}}));
    CHECK_FALSE(with(full, {.dilation = {2, 1}}));
    CHECK_FALSE(with(full, {.dilation = {1, 2}}));
    CHECK_FALSE(with(any_filters<w8>(random, {20, 16, 3, 3}, {1, 16}), {.groups = 2}));
    CHECK_FALSE(with(any_filters<w8>(random, {20, 11, 3, 3}, {1, 11}))); // few channels
    CHECK_FALSE(with(any_filters<w8>(random, {20, 16, 5, 3}, {1, 16})));
    CHECK_FALSE(with(any_filters<w8>(random, {20, 144, 1, 1}, {1, 144})));
    CHECK_FALSE(with(filters_of({16, 16, 3, 3}, 7))); // chains of bytes are faster
    // Real scales of outputs are behind the sums.
    CHECK(with(any_filters<quantizer<bits<8>, per_channel<0>, real_scale>>(random, {20, 16, 3, 3}, {1, 16})) ==
          transforms);
    CHECK_FALSE(with(any_filters<quantizer<bits<8>, sub_layer<>, real_scale>>(random, {20, 16, 3, 3}, {4, 8})));
}

TEST_CASE("sums of transformed tiles at their largest", "[conv][transformed]") {
    sequence random(211);
    const conv_geometry g{.padding = {1, 1, 1, 1}};
    // 255 * 127 * 9 * channels is below 2^29 up to 1841 channels.
    for (const auto& [channels, fits] : {std::pair<std::size_t, bool>{1841, true}, {1842, false}}) {
        for (const std::int8_t value : {std::int8_t{127}, std::int8_t{-127}}) {
            const auto w = filters_of({3, channels, 3, 3}, value);
            CHECK(is_transformed(pack_filters(w, g)) == (transforms && fits));
            any_images<std::uint8_t> a(random, {1, 3, 4, channels}, filling::highest);
            a.zero_point = 0;
            REQUIRE(compare(random, a, w, g, {1, 3, 4, 3}, identity{}, std::int32_t{1}) == "");
            any_images<std::uint8_t> low(random, {1, 3, 4, channels}, filling::lowest);
            low.zero_point = 255;
            REQUIRE(compare(random, low, w, g, {1, 3, 4, 3}, identity{}, std::int32_t{1}) == "");
        }
    }
    // Signs that make elements of U and V largest.
    for (int signs = 0; signs < 16; ++signs) {
        auto w = filters_of({17, 24, 3, 3}, 0);
        any_images<std::int8_t> a(random, {2, 6, 5, 24});
        a.zero_point = signs % 2 == 0 ? -128 : 127;
        for_each_place(w.codes.shape(), [&](auto o, auto i, auto h, auto x) {
            const bool is_negative = ((signs & 1) != 0 && h == 1) != ((signs & 2) != 0 && x == 1);
            w.codes(o, i, h, x) = is_negative ? std::int8_t{-128} : std::int8_t{127};
        });
        for_each_place(a.codes.shape(), [&](auto n, auto h, auto x, auto c) {
            const bool is_low = ((signs & 4) != 0 && h % 2 == 1) != ((signs & 8) != 0 && x % 2 == 1);
            a.codes.at(n, h, x, c) = is_low ? std::int8_t{-128} : std::int8_t{127};
        });
        REQUIRE(compare(random, a, w, g, {2, 6, 5, 17}, identity{}, std::int32_t{1}) == "");
    }
}

TEST_CASE("transformed convolutions of every small extent and padding", "[conv][transformed]") {
    sequence random(221);
    std::vector<std::int32_t> bias(40);
    for (std::int32_t& each : bias)
        each = random.between(-5000, 5000);
    for (std::size_t h = 1; h <= 7; ++h)
        for (std::size_t x = 1; x <= 7; ++x) {
            const std::size_t channels = random.size(12, 50);
            const std::size_t outputs = random.size(1, 40);
            const conv_geometry g{.padding = {random.size(0, 3), random.size(0, 3), random.size(h < 3 ? 3 - h : 0, 3),
                                              random.size(x < 3 ? 3 - x : 0, 3)}};
            const extents<4> images{random.size(1, 3), h, x, channels};
            const extents<4> shape{outputs, channels, 3, 3};
            const extents<4> result = conv_extents(images, shape, g);
            INFO("images " << images[1] << " x " << images[2]);
            const any_images<std::uint8_t> a(random, images);
            const auto w = any_filters<w8>(random, shape, {1, channels});
            REQUIRE(compare(random, a, w, g, result, identity{}, std::int32_t{1}) == "");
            const auto zeros = any_filters<affine8>(random, shape, {1, channels});
            const std::span<const std::int32_t> some(bias.data(), outputs);
            REQUIRE(compare(random, a, zeros, g, result, add_bias{some} | shift_requantize<>{a.exponent - 1} | relu{},
                            std::uint8_t{9}) == "");
        }
}

TEST_CASE("no images need a workspace that can be asked for", "[conv][transformed]") {
    sequence random(225);
    for (const std::size_t channels : {4U, 16U})
        for (const std::size_t size : {1U, 3U}) {
            const packed_filters packed =
                pack_filters(any_filters<w8>(random, {5, channels, size, size}, {1, channels}));
            const dense_tensor<std::uint8_t, 4> none({0, 8, 8, channels});
            dense_tensor<std::int32_t, 4> dst({0, 9 - size, 9 - size, 5});
            for_each_arch_of(
                [&](auto arch) {
                    using isa = decltype(arch);
                    for (const std::size_t tasks : {1U, 3U}) {
                        std::vector<std::byte> workspace(conv_workspace<isa>(none, packed, {}, tasks));
                        CHECK_NOTHROW(conv2d<isa>(none, packed, {}, identity{}, dst, {tasks, workspace}));
                        CHECK_FALSE(explain<isa>(packed, none.shape(), {}, tasks).empty());
                    }
                },
                simd::every_arch{});
        }
}

TEST_CASE("transformed convolutions with shifts inside, orders and two terms", "[conv][transformed][short]") {
    sequence random(231);
    int taken = 0;
    for (int round = 0; round < 40; ++round) {
        const std::size_t channels = random.size(12, 70);
        const extents<4> images{1, random.size(3, 20), random.size(3, 20), channels};
        const extents<4> shape{random.size(1, 40), channels, 3, 3};
        const conv_geometry g{.padding = {1, 1, 1, 1}};
        const any_images<std::uint8_t> a(random, images);
        const extents<4> result = conv_extents(images, shape, g);
        // Spreads of up to 4 + 2 bits are absorbed, and make elements too large now and then.
        auto w = any_filters<blocks8>(random, shape, {random.size(1, shape[0]), random.size(4, channels)}, round % 5);
        w.params.input_order.resize(channels);
        std::iota(w.params.input_order.begin(), w.params.input_order.end(), 0U);
        for (std::size_t i = channels; i-- > 1;)
            std::swap(w.params.input_order[i], w.params.input_order[random.size(0, i)]);
        taken += is_transformed(pack_filters(w, g)) ? 1 : 0;
        REQUIRE(compare(random, a, w, g, result, identity{}, std::int32_t{5}) == "");

        const auto fine = any_filters<w8>(random, shape, {1, channels}, 0);
        const std::size_t size = round % 2 == 0 ? 1 : 3;
        const auto coarse = any_filters<blocks8>(random, {shape[0], channels, size, size}, {1, channels}, 0);
        const filter_terms terms{coarse, fine};
        taken += is_transformed(pack_filters(terms, g)) ? 1 : 0;
        REQUIRE(compare(random, a, terms, g, result, identity{}, std::int32_t{5}) == "");
    }
    CHECK((taken > 20) == transforms);
    CHECK(taken < 80);
}

TEST_CASE("transformed convolutions of lines that take several groups of tiles, in several tasks",
          "[conv][transformed]") {
    sequence random(241);
    const conv_geometry g{.padding = {1, 1, 1, 1}};
    for (const extents<4>& images : {extents<4>{1, 9, 61, 13}, {2, 20, 17, 32}, {1, 7, 7, 300}, {3, 14, 15, 80}}) {
        const extents<4> shape{49, images[3], 3, 3};
        const any_images<std::uint8_t> a(random, images);
        const auto w = any_filters<w8>(random, shape, {1, images[3]});
        for (int again = 0; again < 2; ++again)
            REQUIRE(compare(random, a, w, g, conv_extents(images, shape, g), identity{}, std::int32_t{5}) == "");
    }
}

#if defined(__AVX2__)
TEST_CASE("transformed convolutions with tiles of two panels", "[conv][transformed]") {
    sequence random(251);
    const conv_geometry g{.padding = {1, 1, 1, 1}};
    for (const std::size_t outputs : {5U, 16U, 17U, 32U, 40U, 70U}) {
        const extents<4> images{2, 6, 11, 24};
        const extents<4> result{2, 6, 11, outputs};
        const any_images<std::uint8_t> a(random, images);
        const auto w = any_filters<w8>(random, {outputs, 24, 3, 3}, {1, 24});
        dense_tensor<std::int32_t, 4> wanted(result);
        reference_conv2d(a.plain(), w, g, identity{}, wanted);
        packed_filters packed = pack_filters<simd::avx2>(w, g);
        for (const bool transformed : {true, false}) {
            CHECK(is_transformed(packed) == transformed);
            for (const std::size_t tasks : {1U, 2U, 5U}) {
                dense_tensor<std::int32_t, 4> got(result, 1);
                conv2d<two_panels>(a.plain(), packed, g, identity{}, got, {tasks});
                INFO(outputs << " outputs, " << tasks << " tasks");
                CHECK(std::ranges::equal(got.elements(), wanted.elements()));
            }
            packed.set_transformed({});
        }
    }
}
#endif

#if defined(__AVX2__) && !defined(__AVXVNNI__) && !defined(__AVX512VNNI__)
TEST_CASE("what explain says of transformed filters", "[conv][transformed]") {
    const auto has = [](const std::string& text, const std::string& part) {
        INFO(text);
        CHECK(text.find(part) != std::string::npos);
    };
    const conv_geometry g{.padding = {1, 1, 1, 1}};
    const packed_filters filters = pack_filters(filters_of({16, 16, 3, 3}, 100), g);
    const std::string text = explain<simd::avx2>(filters, {1, 9, 7, 16}, g);
    has(text, "int8 x s16, avx2 6x16, exact by minimal filtering\nfilters [16, 16, 3, 3]");
    has(text, "; transformed 8192 bytes\nproducts: 16 of int16 for 2 x 2 results instead of 36; ");
    has(text, "a band of 12 lines is widened, 10 lines of 7 results at a time; 18 tiles of 2 x 2 ");
    has(explain<simd::scalar>(filters, {1, 9, 7, 16}, g), "int8 x u8, scalar 4x16, exact\n");
}
#endif

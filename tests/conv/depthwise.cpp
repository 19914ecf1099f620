/// @file
/// Depthwise convolutions of every instruction set against plain sums, over geometries by chance.
#include "conv/cases.hpp"

#include <notch/conv/depthwise.hpp>
#include <notch/conv/pack_depthwise.hpp>
#include <notch/conv/reference.hpp>
#include <notch/epilogue/activation.hpp>
#include <notch/epilogue/add_bias.hpp>
#include <notch/epilogue/add_residual.hpp>
#include <notch/epilogue/real_requantize.hpp>
#include <notch/epilogue/shift_requantize.hpp>

#include <algorithm>
#include <functional>
#include <string>
#include <vector>

using namespace notch;
using namespace conv_cases;

namespace {

/// Depthwise weights by chance.
template <class Q>
quantized_tensor<Q, 4> weights_of(sequence& random, std::size_t outputs, const size_2d& kernel,
                                  filling fill = filling::random) {
    quantized_tensor<Q, 4> w;
    w.name = "depthwise";
    w.codes = dense_tensor<typename Q::code_type, 4>({outputs, 1, kernel.h, kernel.w});
    const std::size_t scales = std::same_as<typename Q::granularity_type, per_tensor> ? 1 : outputs;
    w.params.blocks = {scales, 1, 1, 1};
    using bits_type = typename Q::bits_type;
    const std::int32_t low = bits_type::is_signed ? -(1 << (bits_type::width - 1)) : 0;
    const std::int32_t high = low + (1 << bits_type::width) - 1;
    for (std::size_t i = 0; i < scales; ++i) {
        if constexpr (std::same_as<typename Q::scale_value, std::int32_t>)
            w.params.scales.push_back(random.between(-9, -5));
        else
            w.params.scales.push_back(static_cast<float>(random.between(1, 1000)) / 65536.0F);
        if constexpr (Q::has_zero_point)
            w.params.zero_points.push_back(bits_type::width == 8 ? 128 : random.between(low, high));
    }
    for (auto& code : w.codes.elements())
        code = static_cast<typename Q::code_type>(fill == filling::lowest    ? low
                                                  : fill == filling::highest ? high
                                                                             : random.between(low, high));
    return w;
}

/// The sums of a convolution as its definition says, [n][y][x][o] in int64.
template <class T, class Q>
std::vector<std::int64_t> plain_sums(const any_images<T>& images, const quantized_tensor<Q, 4>& w,
                                     const conv_geometry& g, const extents<4>& result) {
    const std::size_t multiplier = result[3] / images.codes.shape()[3];
    std::vector<std::int64_t> sums(element_count<4>(result));
    std::size_t place = 0;
    for (std::size_t n = 0; n < result[0]; ++n)
        for (std::size_t y = 0; y < result[1]; ++y)
            for (std::size_t x = 0; x < result[2]; ++x)
                for (std::size_t o = 0; o < result[3]; ++o, ++place) {
                    const std::int32_t zero = w.params.zero_points.empty()
                                                  ? 0
                                                  : w.params.zero_points[w.params.zero_points.size() == 1 ? 0 : o];
                    for (std::size_t i = 0; i < w.shape()[2]; ++i)
                        for (std::size_t j = 0; j < w.shape()[3]; ++j) {
                            const auto h = static_cast<std::int64_t>(y * g.stride.h + i * g.dilation.h) -
                                           static_cast<std::int64_t>(g.padding.top);
                            const auto v = static_cast<std::int64_t>(x * g.stride.w + j * g.dilation.w) -
                                           static_cast<std::int64_t>(g.padding.left);
                            sums[place] +=
                                images.centred(n, h, v, o / multiplier) * (std::int64_t{w.codes(o, 0, i, j)} - zero);
                        }
                }
    return sums;
}

/// Runs tasks in the order of the last first.
struct backwards {
    template <class Body> void operator()(std::size_t count, Body&& body) const {
        while (count > 0)
            body(--count);
    }
};

/// Compares one instruction set with plain sums, and the stages with the reference. Returns what differs first.
template <class Arch, class T, class Q>
std::string compare(sequence& random, const any_images<T>& images, const quantized_tensor<Q, 4>& w,
                    const packed_depthwise& packed, const conv_geometry& g, const extents<4>& result,
                    const std::vector<std::int64_t>& sums) {
    constexpr std::int32_t untouched = 0x5a5a5a5a;
    any_strides<std::int32_t> dst(random, result, untouched);
    gemm_options options;
    constexpr std::size_t tasks[] = {1, 1, 2, 7};
    options.tasks = random.one_of(tasks);
    // Exactly the workspace that is asked for, between two pages that nobody may touch.
    const guarded::bytes workspace(depthwise_workspace<Arch>(images.plain(), packed, g, options.tasks),
                                   random.between(0, 1) == 0 ? guarded::side::front : guarded::side::back);
    if (random.between(0, 2) != 0)
        options.workspace = {workspace.data(), workspace.size()};
    depthwise_conv2d<Arch>(images.plain(), packed, g, identity{}, dst.view(), options, backwards{});
    std::size_t place = 0;
    std::string wrong;
    for_each_element(dst.view(), [&](std::int32_t& sum) {
        if (sum != sums[place] && wrong.empty())
            wrong =
                "sum " + std::to_string(place) + " is " + std::to_string(sum) + ", not " + std::to_string(sums[place]);
        ++place;
    });
    if (wrong.empty() && !dst.gaps_hold(untouched))
        wrong = "memory between the elements changed";
    if (!wrong.empty())
        return wrong;

    any_strides<std::uint8_t> codes(random, result, 0xa5);
    any_strides<std::uint8_t> wanted(random, result, 0xa5);
    const auto check = [&](const auto& epilogue) {
        depthwise_conv2d<Arch>(images.plain(), packed, g, epilogue, codes.view(), options, backwards{});
        reference_conv2d(images.plain(), w, g, epilogue, wanted.view());
        for (std::size_t n = 0; n < result[0]; ++n)
            for (std::size_t y = 0; y < result[1]; ++y)
                for (std::size_t x = 0; x < result[2]; ++x)
                    for (std::size_t o = 0; o < result[3]; ++o)
                        if (codes.at(n, y, x, o) != wanted.at(n, y, x, o))
                            return std::string("code ") + std::to_string(codes.at(n, y, x, o)) + ", not " +
                                   std::to_string(wanted.at(n, y, x, o));
        return std::string(codes.gaps_hold(0xa5) ? "" : "memory between the codes changed");
    };
    if constexpr (std::same_as<typename Q::scale_value, std::int32_t>)
        return check(shift_requantize{images.exponent + 2} | relu{} | add_zero_point{3});
    else
        return check(real_requantize<>{4.0F} | add_zero_point{100});
}

/// compare for every instruction set that the flags allow.
template <class T, class Q>
std::string compare_all(sequence& random, const any_images<T>& images, const quantized_tensor<Q, 4>& w,
                        const conv_geometry& g) {
    const packed_depthwise packed = pack_depthwise(w);
    const extents<4> result = conv_extents(images.codes.shape(), w.shape(), g);
    const std::vector<std::int64_t> sums = plain_sums(images, w, g, result);
    std::string wrong;
    const auto run = [&]<class Arch>(Arch) {
        if constexpr (is_tested<Arch>)
            if (wrong.empty()) {
                wrong = compare<Arch>(random, images, w, packed, g, result, sums);
                if (!wrong.empty())
                    wrong = std::string(Arch::name) + ": " + wrong;
            }
    };
    const auto every = [&]<class... Arch>(simd::arch_list<Arch...>) { (run(Arch{}), ...); };
    every(simd::every_arch{});
    return wrong;
}

/// A geometry whose kernel fits into the padded image.
conv_geometry geometry_of(sequence& random, const extents<4>& images, const size_2d& kernel) {
    conv_geometry g;
    g.stride = {random.size(1, 4), random.size(1, 4)};
    if (random.between(0, 1) == 0)
        g.stride = {1, 1};
    if (random.between(0, 2) == 0)
        g.dilation = {random.size(1, 3), random.size(1, 3)};
    g.padding = {random.size(0, 2), random.size(0, 2), random.size(0, 2), random.size(0, 2)};
    const auto fit = [&](std::size_t extent, std::size_t taps, std::size_t dilation, std::size_t before,
                         std::size_t& after) {
        const std::size_t reach = (taps - 1) * dilation + 1;
        if (extent + before + after < reach)
            after = reach - extent - before;
    };
    fit(images[1], kernel.h, g.dilation.h, g.padding.top, g.padding.bottom);
    fit(images[2], kernel.w, g.dilation.w, g.padding.left, g.padding.right);
    if (random.between(0, 1) == 0)
        std::swap(g.padding.top, g.padding.bottom);
    if (random.between(0, 1) == 0)
        std::swap(g.padding.left, g.padding.right);
    g.groups = images[3];
    return g;
}

std::string text_of(const extents<4>& images, const size_2d& kernel, std::size_t multiplier, const conv_geometry& g) {
    return notch::detail::text("images ", images, ", kernel ", notch::detail::both(kernel), ", multiplier ", multiplier,
                               ", stride ", notch::detail::both(g.stride), ", dilation ",
                               notch::detail::both(g.dilation), ", padding ", notch::detail::all_sides(g.padding));
}

template <class T, class Q> void any_geometries(std::uint64_t seed, int count) {
    sequence random(seed);
    for (int i = 0; i < count; ++i) {
        const bool three = random.between(0, 1) == 0;
        const size_2d kernel = three ? size_2d{3, 3} : size_2d{random.size(1, 7), random.size(1, 7)};
        const std::size_t channels = random.between(0, 3) != 0
                                         ? random.size(1, 40)
                                         : random.size(1, 4) * 16 + static_cast<std::size_t>(random.between(-1, 1));
        const extents<4> shape{random.size(1, 2), random.size(1, 14), random.size(1, 14), channels};
        const std::size_t multiplier = random.between(0, 2) == 0 ? random.size(2, 3) : 1;
        const conv_geometry g = geometry_of(random, shape, kernel);
        INFO("case " << i << ": " << text_of(shape, kernel, multiplier, g));
        const any_images<T> images(random, shape);
        const auto w = weights_of<Q>(random, channels * multiplier, kernel);
        REQUIRE(compare_all(random, images, w, g) == "");
    }
}

} // namespace

TEST_CASE("depthwise convolutions are exact, whatever the geometry", "[conv][depthwise]") {
    any_geometries<std::uint8_t, quantizer<bits<8>, per_channel<>, power_of_two<>>>(1, 250);
    any_geometries<std::int8_t, quantizer<bits<8>, per_tensor, real_scale>>(2, 150);
    any_geometries<std::uint8_t, quantizer<bits<8, unsigned_codes>, per_channel<>, real_scale, nearest_even, affine>>(
        3, 60);
    any_geometries<std::int8_t, quantizer<bits<4>, per_channel<>, power_of_two<>>>(4, 100);
    any_geometries<std::uint8_t, quantizer<bits<4, unsigned_codes>, per_channel<>, real_scale, nearest_even, affine>>(
        5, 60);
    any_geometries<std::uint8_t, quantizer<bits<2>, per_tensor, power_of_two<>>>(6, 60);
    any_geometries<std::uint8_t, quantizer<bits<3>, per_channel<>, power_of_two<>>>(7, 30);
}

TEST_CASE("images wider and higher than a block", "[conv][depthwise]") {
    sequence random(11);
    using q = quantizer<bits<8>, per_channel<>, power_of_two<>>;
    const auto check = [&](const extents<4>& shape, const size_2d& kernel, const conv_geometry& geometry) {
        conv_geometry g = geometry;
        g.groups = shape[3];
        INFO(text_of(shape, kernel, 1, g));
        const any_images<std::uint8_t> images(random, shape);
        REQUIRE(compare_all(random, images, weights_of<q>(random, shape[3], kernel), g) == "");
    };
    check({1, 60, 61, 17}, {3, 3}, {{1, 1}, {1, 1}, {1, 1, 1, 1}, 1});
    check({1, 5, 700, 3}, {3, 3}, {{1, 1}, {1, 1}, {1, 1, 1, 1}, 1});
    check({1, 5, 700, 16}, {3, 3}, {{2, 2}, {1, 1}, {1, 1, 1, 1}, 1});
    check({1, 300, 4, 2}, {5, 3}, {{1, 1}, {2, 1}, {2, 2, 0, 1}, 1});
    check({1, 1, 400, 20}, {1, 31}, {{1, 1}, {1, 3}, {0, 7, 0, 90}, 1});
    check({1, 90, 90, 1}, {31, 29}, {{3, 1}, {1, 2}, {20, 21, 22, 23}, 1});
    check({2, 64, 64, 33}, {3, 3}, {{3, 3}, {1, 1}, {0, 1, 2, 0}, 1});
}

TEST_CASE("many channels of 3 x 3 taps: sets of groups, rings of lines", "[conv][depthwise]") {
    sequence random(17);
    // 4 bits: over quads on every x86 instruction set; 8 bits: where bytes have dot products.
    using q4 = quantizer<bits<4>, per_channel<>, power_of_two<>>;
    using q8 = quantizer<bits<8>, per_channel<>, real_scale>;
    const auto check = [&](const extents<4>& shape, const size_2d& stride, const padding_2d& padding) {
        const conv_geometry g{stride, {1, 1}, padding, shape[3]};
        INFO(text_of(shape, {3, 3}, 1, g));
        const any_images<std::uint8_t> images(random, shape);
        REQUIRE(compare_all(random, images, weights_of<q4>(random, shape[3], {3, 3}), g) == "");
        const any_images<std::int8_t> signed_images(random, shape);
        REQUIRE(compare_all(random, signed_images, weights_of<q8>(random, shape[3], {3, 3}), g) == "");
    };
    check({1, 7, 7, 330}, {1, 1}, {1, 1, 1, 1});   // few groups of many, all lines in a tile
    check({1, 20, 30, 144}, {2, 2}, {0, 1, 0, 1}); // all groups in a set, the last one narrow
    check({2, 11, 59, 100}, {2, 1}, {1, 1, 1, 1}); // blocks of columns, two images
    check({1, 40, 14, 112}, {1, 1}, {2, 2, 2, 2}); // rings that wrap
    check({1, 33, 5, 73}, {3, 2}, {1, 0, 1, 0});   // lines that share none
    check({1, 41, 6, 70}, {5, 1}, {3, 3, 0, 0});   // lines that are never read
    check({1, 1, 1, 200}, {1, 1}, {1, 1, 1, 1});
    for (int i = 0; i < 40; ++i) {
        const extents<4> shape{1, random.size(1, 24), random.size(1, 40), random.size(1, 200)};
        check(shape, {random.size(1, 4), random.size(1, 2)}, {1, 1, random.size(1, 3), random.size(1, 3)});
    }
}

TEST_CASE("no end of the codes saturates in a depthwise convolution", "[conv][depthwise][short]") {
    sequence random(12);
    using q8 = quantizer<bits<8>, per_channel<>, power_of_two<>>;
    using q4 = quantizer<bits<4>, per_channel<>, power_of_two<>>;
    for (const filling of_weights : {filling::lowest, filling::highest})
        for (const filling of_codes : {filling::lowest, filling::highest, filling::random})
            for (const std::int32_t zero : {0, 128, 255})
                for (const std::size_t stride : {1U, 2U, 3U})
                    for (const std::size_t taps : {3U, 5U}) {
                        const extents<4> shape{1, 9, 10, 18};
                        conv_geometry g{{stride, stride}, {1, 1}, {1, 1, 1, 1}, 18};
                        any_images<std::uint8_t> images(random, shape, of_codes);
                        images.zero_point = zero;
                        INFO("zero point " << zero << ", stride " << stride << ", " << taps << " taps");
                        REQUIRE(compare_all(random, images, weights_of<q8>(random, 18, {taps, taps}, of_weights), g) ==
                                "");
                        REQUIRE(compare_all(random, images, weights_of<q4>(random, 18, {taps, taps}, of_weights), g) ==
                                "");
                    }
}

namespace {

template <class T, class Arch> std::string guarded_run(sequence& random, std::size_t channels, guarded::side side) {
    using q = quantizer<bits<8>, per_channel<>, power_of_two<>>;
    const extents<4> shape{1, 5, 6, channels};
    const guarded::bytes memory(element_count<4>(shape), side);
    auto* codes = reinterpret_cast<T*>(memory.data());
    for (std::size_t i = 0; i < memory.size(); ++i)
        codes[i] = static_cast<T>(random.between(0, 100));
    const auto w = weights_of<q>(random, channels, {3, 3});
    const conv_geometry g{{1, 1}, {1, 1}, {1, 1, 1, 1}, channels};
    const guarded::bytes result(element_count<4>(shape), side);
    const strided_view<T, 4> dst(reinterpret_cast<T*>(result.data()), shape);
    dense_tensor<T, 4> wanted(shape);
    const strided_view<const T, 4> src(codes, shape);
    const auto epilogue = shift_requantize{2};
    depthwise_conv2d<Arch>(src, pack_depthwise(w), g, epilogue, dst);
    reference_conv2d(src, w, g, epilogue, wanted);
    return std::equal(wanted.elements().begin(), wanted.elements().end(), dst.data()) ? "" : Arch::name;
}

} // namespace

TEST_CASE("depthwise convolutions stay inside images and results", "[conv][depthwise]") {
    sequence random(13);
    const auto every = [&]<class... Arch>(simd::arch_list<Arch...>) {
        const auto run = [&]<class A>(A) {
            if constexpr (is_tested<A>)
                for (std::size_t channels = 1; channels <= 50; ++channels)
                    for (const guarded::side side : {guarded::side::front, guarded::side::back}) {
                        INFO(channels << " channels");
                        REQUIRE(guarded_run<std::uint8_t, A>(random, channels, side) == "");
                        REQUIRE(guarded_run<std::int8_t, A>(random, channels, side) == "");
                    }
        };
        (run(Arch{}), ...);
    };
    every(simd::every_arch{});
}

TEST_CASE("packed depthwise weights say what they hold", "[conv][depthwise]") {
    sequence random(14);
    using q = quantizer<bits<4>, per_channel<>, power_of_two<>>;
    const auto w = weights_of<q>(random, 21, {3, 3});
    const packed_depthwise packed = pack_depthwise(w);
    const packed_weights matrix = notch::detail::packed_matrix(notch::detail::filters_of(w));
    CHECK(packed.outputs() == 21);
    CHECK(packed.kernel_h() == 3);
    CHECK(packed.bits() == 4);
    CHECK(packed.bound() == matrix.bound());
    CHECK(packed.name() == "depthwise");
    CHECK(packed.bytes().size() == packed_depthwise_size(w));
    for (std::size_t o = 0; o < 21; ++o) {
        CHECK(packed.exponents()[o] == w.params.scales[o]);
        CHECK(packed.scales()[o] == matrix.scales()[o]);
        CHECK(packed.sums()[o] == matrix.section<std::int32_t>(matrix.header().sums)[o]);
    }
    // With a channel order, row r of the codes is channel order[r].
    auto ordered = w;
    ordered.params.output_order.resize(21);
    for (std::uint32_t r = 0; r < 21; ++r)
        ordered.params.output_order[r] = (r * 8 + 3) % 21;
    const packed_depthwise permuted = pack_depthwise(ordered);
    for (std::size_t r = 0; r < 21; ++r) {
        CHECK(permuted.sums()[(r * 8 + 3) % 21] == packed.sums()[r]);
        CHECK(permuted.exponents()[(r * 8 + 3) % 21] == packed.exponents()[r]);
    }
}

TEST_CASE("errors of depthwise convolutions", "[conv][depthwise][errors]") {
    sequence random(15);
    using q = quantizer<bits<8>, per_channel<>, power_of_two<>>;
    auto w = weights_of<q>(random, 6, {3, 3});
    const packed_depthwise packed = pack_depthwise(w);
    const any_images<std::uint8_t> images(random, {1, 8, 8, 6});
    any_strides<std::int32_t> dst(random, {1, 8, 8, 6});
    const conv_geometry g{{1, 1}, {1, 1}, {1, 1, 1, 1}, 6};
    CHECK_THAT(message_of<shape_error>([&] {
                   depthwise_conv2d(images.plain(), packed, {{1, 1}, {1, 1}, {0, 1, 1, 1}, 6}, identity{}, dst.view());
               }),
               containing("a destination of extents [1, 8, 8, 6] for a result of extents [1, 7, 8, 6]"));
    CHECK_THAT(message_of<shape_error>([&] {
                   depthwise_conv2d(images.plain(), packed, {{1, 1}, {1, 1}, {1, 1, 1, 1}, 3}, identity{}, dst.view());
               }),
               containing("filters take 1 channels"));
    gemm_options options;
    std::byte few[10];
    options.workspace = few;
    CHECK_THAT(
        message_of<range_error>([&] { depthwise_conv2d(images.plain(), packed, g, identity{}, dst.view(), options); }),
        containing("a workspace of 10 bytes; depthwise_workspace asks for"));
    CHECK_THAT(message_of<state_error>(
                   [&] { depthwise_conv2d(images.plain(), packed_depthwise{}, g, identity{}, dst.view()); }),
               containing("pack_depthwise"));
    auto two = w;
    two.codes = dense_tensor<std::int8_t, 4>({6, 2, 3, 3}, 1);
    CHECK_THAT(message_of<shape_error>([&] { static_cast<void>(pack_depthwise(two)); }),
               containing("depthwise weights are [outputs, 1, kernel height, kernel width]"));
    using wide = quantizer<bits<8, unsigned_codes>, per_tensor, real_scale, nearest_even, affine>;
    auto far = weights_of<wide>(random, 6, {3, 3}, filling::highest);
    far.params.zero_points[0] = 0;
    CHECK_THAT(message_of<range_error>([&] { static_cast<void>(pack_depthwise(far)); }),
               containing("kernels take [-128, 127]"));
}

TEST_CASE("plain epilogues of depthwise convolutions, sums within and beyond what floats hold", "[conv][depthwise]") {
    sequence random(23);
    using q = quantizer<bits<8>, per_channel<>, power_of_two<>>;
    for (const std::size_t channels : {16U, 48U, 80U, 192U}) {
        for (const std::size_t stride : {1U, 2U}) {
            const conv_geometry g{
                .stride = {stride, stride}, .dilation = {1, 1}, .padding = {1, 1, 1, 1}, .groups = channels};
            const extents<4> shape{2, 6, 9, channels};
            any_images<std::uint8_t> images(random, shape);
            const auto w = weights_of<q>(random, channels, {3, 3});
            const extents<4> result = conv_extents(shape, w.shape(), g);
            std::vector<std::int32_t> bias(channels);
            const auto is_equal = [&](std::int32_t exponent) {
                const auto epilogue = stages(add_bias{bias}, shift_requantize{images.exponent + exponent},
                                             clamp{-100, 90}, add_zero_point{-7});
                dense_tensor<std::int8_t, 4> fast(result);
                dense_tensor<std::int8_t, 4> slow(result);
                depthwise_conv2d(images.plain(), pack_depthwise(w), g, epilogue, fast);
                reference_conv2d(images.plain(), w, g, epilogue, slow);
                CHECK(std::ranges::adjacent_find(slow.elements(), std::ranges::not_equal_to()) !=
                      slow.elements().end());
                return std::ranges::equal(fast.elements(), slow.elements());
            };
            INFO(channels << " channels, stride " << stride);
            for (std::int32_t& b : bias)
                b = random.between(-1000, 1000);
            CHECK(is_equal(3));

            // Sums next to a tie, which floats cannot tell from it.
            for_each_element(images.codes.view(),
                             [&](std::uint8_t& code) { code = static_cast<std::uint8_t>(images.zero_point); });
            for (std::size_t c = 0; c < channels; ++c) {
                const std::int32_t half = 1 << (17 - w.params.scales[c]);
                bias[c] = (2 * random.between(1, 4) + 1) * half + random.between(-1, 1);
            }
            CHECK(is_equal(18));
        }
    }
}

TEST_CASE("depthwise weights that are all 0", "[conv][depthwise][short]") {
    sequence random(19);
    using q = quantizer<bits<8>, per_channel<>, power_of_two<>>;
    for (const std::size_t channels : {1U, 25U, 70U}) {
        auto w = weights_of<q>(random, channels, {3, 3});
        for (auto& code : w.codes.elements())
            code = 0;
        const any_images<std::uint8_t> images(random, {2, 19, 17, channels});
        CHECK(compare_all(random, images, w, {{1, 1}, {1, 1}, {1, 1, 1, 1}, channels}) == "");
    }
}

TEST_CASE("a depthwise workspace that cannot be addressed is a range_error", "[conv][depthwise][errors][short]") {
    constexpr std::size_t most = 0x7fff'ffff;
    sequence random(17);
    using q = quantizer<bits<8>, per_channel<>, power_of_two<>>;
    const packed_depthwise packed = pack_depthwise(weights_of<q>(random, 16, {3, 1}));
    const any_images<std::uint8_t> images(random, {1, 1, 1, 16});
    const conv_geometry g{{1, 1U << 30}, {1U << 30, 1}, {most, most, most, most}, 16};
    const auto every = [&]<class... Arch>(simd::arch_list<Arch...>) {
        const auto run = [&]<class A>(A) {
            if constexpr (is_tested<A>)
                CHECK_THAT(message_of<range_error>(
                               [&] { static_cast<void>(depthwise_workspace<A>(images.plain(), packed, g)); }),
                           containing("a block of the result takes 2147483649 lines of ") &&
                               containing("the most are 9223372036854775807 bytes"));
        };
        (run(Arch{}), ...);
    };
    every(simd::every_arch{});
}

TEST_CASE("no images are planned for any number of tasks", "[conv][depthwise][short]") {
    sequence random(18);
    using q = quantizer<bits<4>, per_channel<>, power_of_two<>>;
    const packed_depthwise packed = pack_depthwise(weights_of<q>(random, 20, {3, 3}));
    const any_images<std::uint8_t> images(random, {0, 6, 5, 20});
    const conv_geometry g{{1, 1}, {1, 1}, {1, 1, 1, 1}, 20};
    any_strides<std::int32_t> dst(random, {0, 6, 5, 20});
    const auto every = [&]<class... Arch>(simd::arch_list<Arch...>) {
        const auto run = [&]<class A>(A) {
            if constexpr (is_tested<A>)
                for (const std::size_t tasks : {0U, 1U, 2U, 7U}) {
                    const guarded::bytes workspace(depthwise_workspace<A>(images.plain(), packed, g, tasks));
                    depthwise_conv2d<A>(images.plain(), packed, g, identity{}, dst.view(),
                                        {tasks, {workspace.data(), workspace.size()}});
                }
        };
        (run(Arch{}), ...);
    };
    every(simd::every_arch{});
}

TEST_CASE("the workspace of 3 x 3 stays below the images and 64 KiB", "[conv][depthwise]") {
    sequence random(16);
    using q = quantizer<bits<8>, per_channel<>, power_of_two<>>;
    for (int i = 0; i < 300; ++i) {
        const extents<4> shape{1, random.size(1, 300), random.size(1, 3000), random.size(1, 70)};
        const conv_geometry g{{random.size(1, 2), random.size(1, 3)}, {1, 1}, {1, 1, 1, 1}, shape[3]};
        const strided_view<const std::uint8_t, 4> images(reinterpret_cast<const std::uint8_t*>(&shape), shape);
        const packed_depthwise packed = pack_depthwise(weights_of<q>(random, shape[3], {3, 3}));
        INFO(shape[1] << " x " << shape[2] << " x " << shape[3]);
        for (const std::size_t tasks : {1U, 2U, 7U, 64U})
            REQUIRE(depthwise_workspace(images, packed, g, tasks) < element_count<4>(shape) + 65536);
    }
}

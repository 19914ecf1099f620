/// @file
/// Operators that move codes: resize_nearest and concat_channels, against doubles and plain copies.
#include "conv/cases.hpp"
#include "conv/plain_rounding.hpp"
#include "threads_backwards.hpp"

#include <notch/conv/concat_channels.hpp>
#include <notch/conv/resize_nearest.hpp>

using namespace conv_cases;

namespace {

/// The formulas of ONNX Resize with the exact ratio, in numbers that double; a tie is one of small integers.
std::size_t plain_source(std::size_t y, std::size_t extent, std::size_t results, nearest_pixel rule) {
    const auto in = static_cast<long double>(extent);
    const auto out = static_cast<long double>(results);
    if (rule == nearest_pixel::asymmetric)
        return static_cast<std::size_t>(std::floor(static_cast<long double>(y) * in / out + 1e-9L));
    const long double x = (static_cast<long double>(y) + 0.5L) * in / out - 0.5L;
    const long double nearest = std::ceil(x - 0.5L - 1e-9L); // ties down
    return static_cast<std::size_t>(std::min(std::max(nearest, 0.0L), in - 1));
}

template <class T> void check_resize(std::uint64_t seed) {
    sequence random(seed);
    for (int round = 0; round < 300; ++round) {
        const extents<4> from{random.size(1, 2), random.size(1, 9), random.size(1, 9), random.size(1, 40)};
        extents<4> to = from;
        for (const std::size_t axis : {1U, 2U})
            to[axis] = random.between(0, 1) == 0 ? from[axis] * random.size(1, 4) : random.size(1, 20);
        any_strides<T> a(random, from);
        fill_codes(random, a);
        any_strides<T> dst(random, to, T{55});
        const nearest_pixel rule = random.between(0, 1) == 0 ? nearest_pixel::asymmetric : nearest_pixel::half_pixel;
        resize_nearest(a.read(), rule, dst.view(), {random.size(0, 6)}, threads_backwards{});
        std::size_t wrong = 0;
        for_each_place(to, [&](auto n, auto h, auto w, auto c) {
            wrong += dst.at(n, h, w, c) !=
                     a.at(n, plain_source(h, from[1], to[1], rule), plain_source(w, from[2], to[2], rule), c);
        });
        REQUIRE(wrong == 0);
        REQUIRE(dst.gaps_hold(T{55}));
    }
}

template <class Rounding, class From, class T> void check_concat(std::uint64_t seed) {
    constexpr std::int32_t low = std::is_signed_v<T> ? -128 : 0;
    sequence random(seed);
    for (int round = 0; round < 200; ++round) {
        extents<4> shape{random.size(1, 2), random.size(1, 4), random.size(1, 4), 0};
        output_codes output{random.between(-3, 3), random.between(low, low + 255)};
        std::vector<any_images<From>> parts;
        for (std::size_t k = random.size(1, 4); k > 0; --k) {
            const std::size_t channels = random.size(0, 30);
            parts.emplace_back(random, extents<4>{shape[0], shape[1], shape[2], channels});
            const int kind = random.between(0, 3);
            if (kind == 0)
                parts.back().exponent = random.between(-50, 50);
            if (kind == 1 && std::is_same_v<From, T>) {
                parts.back().exponent = output.exponent;
                parts.back().zero_point = output.zero_point;
            }
            shape[3] += channels;
        }
        if (random.between(0, 3) == 0)
            output = output.with_relu();
        std::vector<image_codes<From>> list;
        for (const auto& part : parts)
            list.push_back(part.plain());
        any_strides<T> dst(random, shape, T{55});
        concat_channels<Rounding>(std::span<const image_codes<From>>(list), output, dst.view(), {random.size(0, 6)},
                                  threads_backwards{});
        std::size_t wrong = 0;
        std::size_t first = 0;
        for (const auto& part : parts) {
            for_each_place(part.codes.shape(), [&](auto n, auto h, auto w, auto c) {
                const double real =
                    std::ldexp(part.codes.at(n, h, w, c) - part.zero_point, part.exponent - output.exponent);
                wrong += dst.at(n, h, w, first + c) !=
                         plain_code<Rounding>(real, output.zero_point, std::max(low, output.lowest), low + 255);
            });
            first += part.codes.shape()[3];
        }
        REQUIRE(wrong == 0);
        REQUIRE(dst.gaps_hold(T{55}));
    }
}

} // namespace

TEST_CASE("the nearest pixel is that of ONNX", "[conv][moving]") {
    check_resize<std::uint8_t>(1);
    check_resize<std::int8_t>(2);
    const auto rows = [](std::size_t extent, std::size_t results, nearest_pixel rule) {
        std::vector<std::size_t> list;
        for (std::size_t y = 0; y < results; ++y)
            list.push_back(detail::source_pixel(y, extent, results, rule));
        return list;
    };
    using list = std::vector<std::size_t>;
    CHECK(rows(2, 4, nearest_pixel::asymmetric) == list{0, 0, 1, 1});
    CHECK(rows(2, 4, nearest_pixel::half_pixel) == list{0, 0, 1, 1});
    CHECK(rows(2, 6, nearest_pixel::half_pixel) == list{0, 0, 0, 1, 1, 1});
    CHECK(rows(4, 2, nearest_pixel::asymmetric) == list{0, 2});
    CHECK(rows(4, 2, nearest_pixel::half_pixel) == list{0, 2}); // 0.5 and 2.5: of two the first
    CHECK(rows(6, 2, nearest_pixel::half_pixel) == list{1, 4});
    CHECK(rows(3, 5, nearest_pixel::asymmetric) == list{0, 0, 1, 1, 2});
    CHECK(detail::source_pixel(0x7ffffffe, 0x7fffffff, 0x7fffffff, nearest_pixel::half_pixel) == 0x7ffffffe);
}

TEST_CASE("what resize_nearest refuses leaves the destination alone", "[conv][moving]") {
    sequence random(11);
    any_strides<std::uint8_t> a(random, {1, 4, 4, 3});
    any_strides<std::uint8_t> none(random, {1, 0, 4, 3});
    dense_tensor<std::uint8_t, 4> dst({2, 8, 8, 3}, 77);
    dense_tensor<std::uint8_t, 4> wide({1, 8, 8, 4}, 77);
    dense_tensor<std::uint8_t, 4> empty({1, 8, 0, 3});
    dense_tensor<std::uint8_t, 4> fits({1, 8, 8, 3}, 77);
    const auto call = [](auto& from, auto& to) {
        return [&] { resize_nearest(from.read(), nearest_pixel::asymmetric, to); };
    };
    CHECK(message_of<shape_error>(call(a, dst)) ==
          "resize_nearest: images [1, 4, 4, 3], result [2, 8, 8, 3]: images or channels differ");
    CHECK_THAT(message_of<shape_error>(call(a, wide)), containing("images or channels differ"));
    CHECK_THAT(message_of<shape_error>(call(a, empty)), containing("a result with an extent of 0 along axis 2"));
    CHECK_THAT(message_of<shape_error>(call(none, fits)), containing("images with an extent of 0 along axis 1"));
    for (const auto* tensor : {&dst, &wide, &fits})
        for (const std::uint8_t x : tensor->elements())
            REQUIRE(x == 77);
}

TEST_CASE("channels stand side by side in one scale", "[conv][moving]") {
    check_concat<nearest_even, std::uint8_t, std::uint8_t>(21);
    check_concat<nearest_away, std::int8_t, std::int8_t>(22);
    check_concat<nearest_up, std::uint8_t, std::int8_t>(23);
    check_concat<toward_zero, std::int8_t, std::uint8_t>(24);
}

TEST_CASE("what concat_channels refuses leaves the destination alone", "[conv][moving]") {
    sequence random(31);
    const any_images<std::int8_t> a(random, {1, 2, 3, 4});
    const any_images<std::int8_t> b(random, {1, 2, 3, 5});
    const any_images<std::int8_t> tall(random, {1, 3, 3, 5});
    dense_tensor<std::int8_t, 4> dst({1, 2, 3, 9}, 77);
    dense_tensor<std::int8_t, 4> wide({1, 2, 3, 10}, 77);
    using list = std::vector<image_codes<std::int8_t>>;
    const auto call = [](const list& parts, const output_codes& output, auto& to) {
        return [&, output] { concat_channels(std::span<const image_codes<std::int8_t>>(parts), output, to); };
    };
    const list fits{a.plain(), b.plain()};
    CHECK(message_of<shape_error>(call(fits, {}, wide)) ==
          "concat_channels: 2 images have 9 channels, the destination of extents [1, 2, 3, 10] has 10");
    const list differ{a.plain(), tall.plain()};
    CHECK(message_of<shape_error>(call(differ, {}, dst)) ==
          "concat_channels: images 1 of extents [1, 3, 3, 5] for a destination of extents [1, 2, 3, 9]");
    const list nothing;
    CHECK_THAT(message_of<shape_error>(call(nothing, {}, dst)), containing("no images"));
    CHECK_THAT(message_of<range_error>(call(fits, {0, 128}, dst)), containing("concat_channels: zero point 128"));
    CHECK_THAT(message_of<range_error>(call(fits, {200}, dst)), containing("concat_channels: exponent 200"));
    CHECK_THAT(message_of<range_error>(call(fits, {0, 0, 3, 2}, dst)), containing("codes from 3 to 2"));
    list bad = fits;
    bad[1].scale = 0.5F;
    CHECK_THAT(message_of<unsupported_error>(call(bad, {}, dst)), containing("real scale 0.5"));
    bad = fits;
    bad[1].zero_point = -200;
    CHECK_THAT(message_of<range_error>(call(bad, {}, dst)), containing("zero point -200"));
    for (const auto* tensor : {&dst, &wide})
        for (const std::int8_t x : tensor->elements())
            REQUIRE(x == 77);
}

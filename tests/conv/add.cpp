/// @file
/// add against doubles: scales far apart, strides, ReLU, in place, every error.
#include "conv/cases.hpp"
#include "conv/plain_rounding.hpp"
#include "threads_backwards.hpp"

#include <notch/conv/add.hpp>

using namespace conv_cases;

namespace {

extents<4> any_shape(sequence& random) {
    return {random.size(1, 3), random.size(1, 5), random.size(1, 5), random.size(1, 40)};
}

template <class Rounding, class A, class B, class T>
void check_add(std::uint64_t seed, filling fill = filling::random) {
    constexpr std::int32_t low = std::is_signed_v<T> ? -128 : 0;
    sequence random(seed);
    for (int round = 0; round < 300; ++round) {
        const extents<4> shape = any_shape(random);
        any_images<A> a(random, shape, fill);
        any_images<B> b(random, shape, fill);
        const bool far = random.between(0, 3) == 0;
        b.exponent = a.exponent + (far ? random.between(-22, 22) : random.between(-3, 3));
        output_codes output{std::min(a.exponent, b.exponent) + (far ? random.between(-60, 60) : random.between(-4, 10)),
                            random.between(low, low + 255)};
        if (random.between(0, 2) == 0)
            output = output.with_relu();
        if (random.between(0, 2) == 0)
            output.highest = std::max(output.zero_point, low + 240);
        any_strides<T> dst(random, shape, T{55});
        add<Rounding>(a.plain(), b.plain(), output, dst.view(), {random.size(0, 6)}, threads_backwards{});
        std::size_t wrong = 0;
        for_each_place(shape, [&](auto n, auto h, auto w, auto c) {
            const auto at = [&](const auto& images) {
                return static_cast<double>(
                    images.centred(n, static_cast<std::int64_t>(h), static_cast<std::int64_t>(w), c));
            };
            // A double holds both, 9 bits each, at most 22 apart.
            const double sum =
                std::ldexp(at(a), a.exponent - output.exponent) + std::ldexp(at(b), b.exponent - output.exponent);
            wrong += dst.at(n, h, w, c) != plain_code<Rounding>(sum, output.zero_point, std::max(low, output.lowest),
                                                                std::min(low + 255, output.highest));
        });
        INFO("exponents " << a.exponent << " " << b.exponent << " " << output.exponent);
        REQUIRE(wrong == 0);
        REQUIRE(dst.gaps_hold(T{55}));
    }
}

} // namespace

TEST_CASE("add is the rounded sum", "[conv][add]") {
    check_add<nearest_even, std::uint8_t, std::uint8_t, std::uint8_t>(1);
    check_add<nearest_even, std::int8_t, std::int8_t, std::int8_t>(2);
    check_add<nearest_up, std::uint8_t, std::int8_t, std::uint8_t>(3);
    check_add<nearest_away, std::int8_t, std::uint8_t, std::int8_t>(4);
    check_add<toward_zero, std::int8_t, std::int8_t, std::uint8_t>(5);
    check_add<nearest_even, std::uint8_t, std::int8_t, std::int8_t>(6, filling::lowest);
    check_add<nearest_away, std::int8_t, std::int8_t, std::int8_t>(7, filling::highest);
}

TEST_CASE("add may write over an operand, and repeat one along an axis", "[conv][add]") {
    sequence random(11);
    const extents<4> shape{2, 3, 4, 37};
    any_images<std::int8_t> a(random, shape);
    const any_images<std::int8_t> b(random, shape);
    dense_tensor<std::int8_t, 4> expected(shape);
    const output_codes output{a.exponent, 3};
    add(a.plain(), b.plain(), output, expected);
    add(a.plain(), b.plain(), output, a.codes.view());
    for_each_place(shape,
                   [&](auto n, auto h, auto w, auto c) { REQUIRE(a.codes.at(n, h, w, c) == expected(n, h, w, c)); });
    const std::vector<std::int8_t> channel(37, 5);
    const strided_view<const std::int8_t, 4> row(channel.data(), shape, {0, 0, 0, 1});
    add(b.codes.read(), row, output_codes{}, expected);
    for_each_place(shape, [&](auto n, auto h, auto w, auto c) {
        REQUIRE(expected(n, h, w, c) == std::min(b.codes.at(n, h, w, c) + 5, 127));
    });
}

TEST_CASE("add with ReLU has no code below the zero point", "[conv][add]") {
    const std::vector<std::int8_t> a{-100, -3, 0, 7, 100};
    const std::vector<std::int8_t> b{50, 1, 0, -2, 60};
    const extents<4> shape{1, 1, 1, 5};
    dense_tensor<std::int8_t, 4> dst(shape);
    add(strided_view<const std::int8_t, 4>(a.data(), shape), strided_view<const std::int8_t, 4>(b.data(), shape),
        output_codes{.exponent = 1, .zero_point = -9}.with_relu(), dst);
    CHECK(std::vector<int>(dst.data(), dst.data() + 5) == std::vector<int>{-9, -9, -9, -7, 71});
    CHECK(output_codes{.zero_point = 4, .lowest = 6}.with_relu().lowest == 6);
}

TEST_CASE("what add refuses leaves the destination alone", "[conv][add]") {
    sequence random(21);
    any_images<std::uint8_t> a(random, {1, 2, 3, 4});
    any_images<std::uint8_t> b(random, {1, 2, 3, 4});
    const any_images<std::uint8_t> wide(random, {1, 2, 3, 5});
    dense_tensor<std::uint8_t, 4> dst({1, 2, 3, 4}, 77);
    dense_tensor<std::uint8_t, 4> other({1, 2, 3, 5}, 77);
    CHECK(message_of<shape_error>([&] { add(a.plain(), wide.plain(), output_codes{}, dst); }) ==
          "add: extents [1, 2, 3, 4] and [1, 2, 3, 5] differ");
    CHECK(message_of<shape_error>([&] { add(a.plain(), b.plain(), output_codes{}, other); }) ==
          "add: a destination of extents [1, 2, 3, 5] for a result of extents [1, 2, 3, 4]");
    a.exponent = -20;
    b.exponent = 3;
    CHECK(message_of<range_error>([&] { add(a.plain(), b.plain(), output_codes{}, dst); }) ==
          "add: scales 2^-20 and 2^3 differ by 2^23; the limit is 2^22");
    b.exponent = 0;
    CHECK_THAT(message_of<range_error>([&] {
                   add(a.plain(), b.plain(), output_codes{0, 256}, dst);
               }),
               containing("add: zero point 256 lies outside [0, 255]"));
    CHECK_THAT(message_of<range_error>([&] { add(a.plain(), b.plain(), output_codes{-127}, dst); }),
               containing("add: exponent -127"));
    CHECK_THAT(message_of<range_error>([&] {
                   add(a.plain(), b.plain(), output_codes{0, 0, -9, -1}, dst);
               }),
               containing("add: codes from -9 to -1: none of them lies in [0, 255]"));
    b.zero_point = 300;
    CHECK_THAT(message_of<range_error>([&] { add(a.plain(), b.plain(), output_codes{}, dst); }),
               containing("zero point 300"));
    b.zero_point = 0;
    b.scale = 2;
    CHECK_THAT(message_of<unsupported_error>([&] { add(a.plain(), b.plain(), output_codes{}, dst); }),
               containing("add: images of the real scale 2"));
    CHECK_THAT(message_of<unsupported_error>([&] { add(b.plain(), a.plain(), output_codes{}, dst); }),
               containing("add: images of the real scale 2"));
    for (const std::uint8_t x : dst.elements())
        REQUIRE(x == 77);
    for (const std::uint8_t x : other.elements())
        REQUIRE(x == 77);
    const any_images<std::uint8_t> none(random, {1, 2, 0, 4});
    dense_tensor<std::uint8_t, 4> empty({1, 2, 0, 4});
    add(none.plain(), none.plain(), output_codes{}, empty);
}

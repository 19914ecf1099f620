/// @file
/// Pooling: extents against a walk over windows, maxima and means against doubles, every error.
#include "conv/cases.hpp"
#include "conv/plain_rounding.hpp"
#include "threads_backwards.hpp"

#include <notch/conv/average_pool2d.hpp>
#include <notch/conv/global_average_pool.hpp>
#include <notch/conv/max_pool2d.hpp>

#include <optional>

using namespace conv_cases;

namespace {

/// One axis of a pooling, in signed numbers.
struct line {
    std::int64_t extent, kernel, stride, dilation, before, after;
    bool ceil_mode;

    [[nodiscard]] bool in_image(std::int64_t at) const { return at >= 0 && at < extent; }
    [[nodiscard]] bool in_padding(std::int64_t at) const { return at >= -before && at < extent + after; }
    /// Windows by the formula of ONNX, or nothing where the kernel does not fit or a window has no pixel.
    [[nodiscard]] std::optional<std::int64_t> windows() const {
        const double room =
            static_cast<double>(extent + before + after - (kernel - 1) * dilation - 1) / static_cast<double>(stride);
        auto count = static_cast<std::int64_t>(ceil_mode ? std::ceil(room) : std::floor(room)) + 1;
        if (count < 1)
            return {};
        while (ceil_mode && (count - 1) * stride - before >= extent)
            --count;
        for (std::int64_t i = 0; i < count; ++i) {
            bool any = false;
            for (std::int64_t k = 0; k < kernel; ++k)
                any = any || in_image(i * stride - before + k * dilation);
            if (!any)
                return {};
        }
        return count;
    }
};

std::int64_t number(std::size_t n) { return static_cast<std::int64_t>(n); }

line rows_of(const extents<4>& a, const pool_geometry& g) {
    return {number(a[1]),          number(g.kernel.h),       number(g.stride.h), number(g.dilation.h),
            number(g.padding.top), number(g.padding.bottom), g.ceil_mode};
}
line columns_of(const extents<4>& a, const pool_geometry& g) {
    return {number(a[2]),           number(g.kernel.w),      number(g.stride.w), number(g.dilation.w),
            number(g.padding.left), number(g.padding.right), g.ceil_mode};
}

pool_geometry any_geometry(sequence& random) {
    const auto flag = [&] { return random.between(0, 1) == 1; };
    return {{random.size(1, 4), random.size(1, 4)},
            {random.size(1, 4), random.size(1, 4)},
            {random.between(0, 3) == 0 ? random.size(1, 3) : 1, random.between(0, 3) == 0 ? random.size(1, 3) : 1},
            {random.size(0, 2), random.size(0, 2), random.size(0, 2), random.size(0, 2)},
            flag(),
            flag()};
}

extents<4> any_shape(sequence& random) {
    return {random.size(1, 2), random.size(1, 9), random.size(1, 9),
            random.between(0, 4) == 0 ? random.size(120, 300) : random.size(1, 9)};
}

/// A geometry with results.
struct problem {
    extents<4> images{};
    pool_geometry geometry{};
    extents<4> result{};

    explicit problem(sequence& random) {
        for (;;) {
            images = any_shape(random);
            geometry = any_geometry(random);
            const auto h = rows_of(images, geometry).windows();
            const auto w = columns_of(images, geometry).windows();
            if (!h || !w)
                continue;
            result = {images[0], static_cast<std::size_t>(*h), static_cast<std::size_t>(*w), images[3]};
            return;
        }
    }
};

/// Calls body(h, w) for the pixels of a window, also those outside the image.
template <class Body> void for_each_pixel(const problem& p, std::size_t oh, std::size_t ow, const Body& body) {
    const line rows = rows_of(p.images, p.geometry);
    const line columns = columns_of(p.images, p.geometry);
    for (std::int64_t i = 0; i < rows.kernel; ++i)
        for (std::int64_t k = 0; k < columns.kernel; ++k) {
            const std::int64_t h = number(oh) * rows.stride - rows.before + i * rows.dilation;
            const std::int64_t w = number(ow) * columns.stride - columns.before + k * columns.dilation;
            body(h, w, rows.in_image(h) && columns.in_image(w), rows.in_padding(h) && columns.in_padding(w));
        }
}

template <class T> void check_max(std::uint64_t seed) {
    sequence random(seed);
    for (int round = 0; round < 150; ++round) {
        const problem p(random);
        any_strides<T> a(random, p.images);
        fill_codes(random, a);
        any_strides<T> largest(random, p.result, T{55});
        max_pool2d(a.read(), p.geometry, largest.view(), {random.size(0, 5)}, threads_backwards{});
        std::size_t wrong = 0;
        for_each_place(p.result, [&](auto n, auto oh, auto ow, auto c) {
            int wanted = -1000;
            for_each_pixel(p, oh, ow, [&](std::int64_t h, std::int64_t w, bool in_image, bool) {
                if (in_image)
                    wanted =
                        std::max<int>(wanted, a.at(n, static_cast<std::size_t>(h), static_cast<std::size_t>(w), c));
            });
            wrong += largest.at(n, oh, ow, c) != wanted;
        });
        REQUIRE(wrong == 0);
        REQUIRE(largest.gaps_hold(T{55}));
    }
}

template <class T> constexpr double low_of = std::is_signed_v<T> ? -128 : 0;

/// Means in codes of another scale, and in those of the images.
template <class Rounding, class From, class T> void check_means(std::uint64_t seed, filling fill = filling::random) {
    sequence random(seed);
    for (int round = 0; round < 100; ++round) {
        const problem p(random);
        const any_images<From> a(random, p.images, fill);
        output_codes output{a.exponent + random.between(-3, 3), random.between(0, 255) + static_cast<int>(low_of<T>)};
        if (random.between(0, 9) == 0)
            output.exponent = a.exponent + (random.between(0, 1) == 0 ? 31 : -31);
        if (random.between(0, 2) == 0)
            output = output.with_relu();
        if (random.between(0, 2) == 0)
            output.highest = std::min(output.zero_point + 40, 255);
        output.highest = std::max(output.highest, output.lowest);
        const double low = std::max(low_of<T>, static_cast<double>(output.lowest));
        const double high = std::min(low_of<T> + 255, static_cast<double>(output.highest));
        if (low > high)
            continue;
        any_strides<T> means(random, p.result, T{55});
        any_strides<From> same(random, p.result, From{55});
        const task_options options{random.size(0, 5)};
        average_pool2d<Rounding>(a.plain(), p.geometry, output, means.view(), options, threads_backwards{});
        average_pool2d<Rounding>(a.plain(), p.geometry, same.view(), options);
        std::size_t wrong = 0;
        for_each_place(p.result, [&](auto n, auto oh, auto ow, auto c) {
            double sum = 0;
            double count = 0;
            for_each_pixel(p, oh, ow, [&](std::int64_t h, std::int64_t w, bool in_image, bool in_padding) {
                if (in_image)
                    sum += static_cast<double>(a.centred(n, h, w, c));
                count += in_image || (in_padding && p.geometry.count_include_pad) ? 1 : 0;
            });
            const double mean = sum / std::ldexp(count, output.exponent - a.exponent);
            wrong += means.at(n, oh, ow, c) != plain_code<Rounding>(mean, output.zero_point, low, high);
            wrong += same.at(n, oh, ow, c) !=
                     plain_code<Rounding>(sum / count, a.zero_point, low_of<From>, low_of<From> + 255);
        });
        REQUIRE(wrong == 0);
        REQUIRE(means.gaps_hold(T{55}));

        any_strides<T> global(random, {p.images[0], 1, 1, p.images[3]}, T{55});
        any_strides<From> same_global(random, {p.images[0], 1, 1, p.images[3]}, From{55});
        global_average_pool<Rounding>(a.plain(), output, global.view(), options, threads_backwards{});
        global_average_pool<Rounding>(a.plain(), same_global.view(), options);
        for_each_place(global.shape(), [&](auto n, auto, auto, auto c) {
            double sum = 0;
            for (std::size_t h = 0; h < p.images[1]; ++h)
                for (std::size_t w = 0; w < p.images[2]; ++w)
                    sum += static_cast<double>(a.centred(n, number(h), number(w), c));
            const auto count = static_cast<double>(p.images[1] * p.images[2]);
            const double mean = sum / std::ldexp(count, output.exponent - a.exponent);
            wrong += global.at(n, 0, 0, c) != plain_code<Rounding>(mean, output.zero_point, low, high);
            wrong += same_global.at(n, 0, 0, c) !=
                     plain_code<Rounding>(sum / count, a.zero_point, low_of<From>, low_of<From> + 255);
        });
        REQUIRE(wrong == 0);
        REQUIRE(global.gaps_hold(T{55}));
    }
}

template <class Error> std::string refused(const extents<4>& a, const pool_geometry& g) {
    return message_of<Error>([&] { static_cast<void>(pool_extents(a, g, "x")); });
}

} // namespace

TEST_CASE("extents of a pooling are those of ONNX", "[conv][pooling]") {
    sequence random(1);
    std::size_t fits = 0;
    std::size_t refused_windows = 0;
    for (int round = 0; round < 20000; ++round) {
        const extents<4> a = any_shape(random);
        const pool_geometry g = any_geometry(random);
        const auto h = rows_of(a, g).windows();
        const auto w = columns_of(a, g).windows();
        if (h && w) {
            REQUIRE(pool_extents(a, g) ==
                    extents<4>{a[0], static_cast<std::size_t>(*h), static_cast<std::size_t>(*w), a[3]});
            ++fits;
        } else {
            REQUIRE_THROWS_AS(pool_extents(a, g), shape_error);
            ++refused_windows;
        }
    }
    CHECK(fits > 5000);
    CHECK(refused_windows > 500);
    CHECK(pool_extents({1, 32, 32, 1}, {.kernel = {5, 5}, .stride = {3, 3}}) == extents<4>{1, 10, 10, 1});
    CHECK(pool_extents({1, 4, 4, 1}, {.kernel = {3, 3}, .stride = {2, 2}}) == extents<4>{1, 1, 1, 1});
    CHECK(pool_extents({1, 4, 4, 1}, {.kernel = {3, 3}, .stride = {2, 2}, .ceil_mode = true}) ==
          extents<4>{1, 2, 2, 1});
    // The last window would start in the padding behind the image.
    CHECK(pool_extents({1, 2, 2, 1}, {.kernel = {1, 1}, .stride = {2, 2}, .ceil_mode = true}) ==
          extents<4>{1, 1, 1, 1});
    CHECK(
        pool_extents({1, 3, 1, 1}, {.kernel = {2, 1}, .stride = {3, 1}, .padding = {1, 0, 1, 0}, .ceil_mode = true}) ==
        extents<4>{1, 2, 1, 1});
}

TEST_CASE("a pooling that does not fit is refused with its numbers", "[conv][pooling]") {
    const extents<4> a{1, 5, 6, 3};
    const std::string head = "pooling: tensor 'x': images [1, 5, 6, 3], kernel ";
    CHECK(refused<shape_error>(a, {.kernel = {6, 1}}) ==
          head + "[6, 1]: the kernel reaches over 6 pixels of height (dilation included), the padded image has 5");
    CHECK(refused<shape_error>(a, {.kernel = {2, 2}, .padding = {2, 0, 0, 0}}) ==
          head +
              "[2, 2]: window 0 of 6 along the height lies in the padding alone, from pixel -2 of 5; use less padding");
    CHECK_THAT(refused<shape_error>(a, {.kernel = {2, 2}, .padding = {0, 0, 0, 2}}),
               containing("window 6 of 7 along the width lies in the padding alone, from pixel 6 of 6"));
    CHECK_THAT(refused<shape_error>({1, 1, 6, 3}, {.kernel = {2, 1}, .dilation = {2, 1}, .padding = {1, 0, 1, 0}}),
               containing("lies in the padding alone"));
    CHECK_THAT(refused<range_error>(a, {.kernel = {0, 1}}), containing("kernel [0, 1]; the smallest is 1"));
    CHECK_THAT(refused<range_error>(a, {.stride = {1, 0}}), containing("stride [1, 0]; the smallest is 1"));
    CHECK_THAT(refused<range_error>(a, {.dilation = {0, 0}}), containing("dilation [0, 0]; the smallest is 1"));
    CHECK_THAT(refused<range_error>(a, {.padding = {static_cast<std::size_t>(-1), 0, 0, 0}}),
               containing("the largest is 2147483647"));
    CHECK_THAT(refused<shape_error>({1, 5, 0, 3}, {}), containing("images with an extent of 0 along axis 2"));
    CHECK(pool_extents({0, 5, 6, 3}, {}) == extents<4>{0, 5, 6, 3});
}

TEST_CASE("the maxima are the largest codes", "[conv][pooling]") {
    check_max<std::uint8_t>(2);
    check_max<std::int8_t>(3);
}

TEST_CASE("means are exact quotients, rounded once", "[conv][pooling]") {
    check_means<nearest_even, std::uint8_t, std::uint8_t>(11);
    check_means<nearest_up, std::int8_t, std::int8_t>(12);
    check_means<nearest_away, std::uint8_t, std::int8_t>(13);
    check_means<toward_zero, std::int8_t, std::uint8_t>(14);
    check_means<nearest_even, std::int8_t, std::int8_t>(15, filling::lowest);
    check_means<nearest_away, std::uint8_t, std::uint8_t>(16, filling::highest);
}

TEST_CASE("ties of means are decided by the rule", "[conv][pooling]") {
    const std::vector<std::int8_t> codes{1, 2, -1, -2, 3, 2, -3, -2, 7, 0, -7, 0};
    const strided_view<const std::int8_t, 4> pairs(codes.data(), {1, 1, 12, 1});
    const pool_geometry g{.kernel = {1, 2}, .stride = {1, 2}};
    const auto means = [&](auto rule) {
        dense_tensor<std::int8_t, 4> dst({1, 1, 6, 1});
        average_pool2d<decltype(rule)>(pairs, g, dst);
        return std::vector<int>(dst.data(), dst.data() + 6);
    };
    CHECK(means(nearest_even{}) == std::vector<int>{2, -2, 2, -2, 4, -4});
    CHECK(means(nearest_up{}) == std::vector<int>{2, -1, 3, -2, 4, -3});
    CHECK(means(nearest_away{}) == std::vector<int>{2, -2, 3, -3, 4, -4});
    CHECK(means(toward_zero{}) == std::vector<int>{1, -1, 2, -2, 3, -3});
}

TEST_CASE("every sum of a mean is divided exactly", "[conv][pooling]") {
    for (const std::size_t count : {1U, 2U, 3U, 7U, 9U, 49U, 196U, 1000U, 8421U}) {
        for (const std::int32_t shift : {-4, -1, 0, 1, 5}) {
            const detail::rounded_mean<nearest_even> mean(count, shift);
            std::size_t wrong = 0;
            const auto most = static_cast<std::int32_t>(255 * count);
            const std::int32_t step = std::max(most / 20000, 1);
            for (std::int32_t sum = -most; sum <= most - step; sum += step) {
                // The integer within half a divisor, the even one of two.
                const std::int64_t dividend = std::int64_t{sum} * (1 << std::max(-shift, 0));
                const std::int64_t divisor = number(count) * (1 << std::max(shift, 0));
                const std::int64_t found = mean.wide(sum);
                const std::int64_t apart = std::abs(2 * (dividend - found * divisor));
                wrong += apart > divisor || (apart == divisor && found % 2 != 0);
                wrong += mean.is_narrow() && mean.narrow(sum) != mean.wide(sum);
            }
            INFO(count << " codes, shift " << shift);
            CHECK(wrong == 0);
        }
    }
    // Sums at the end of int32.
    const detail::rounded_mean<nearest_even> largest(detail::most_codes, 0);
    CHECK(!largest.is_narrow());
    CHECK(largest.wide(255 * static_cast<std::int32_t>(detail::most_codes)) == 255);
    CHECK(largest.wide(-128 * static_cast<std::int32_t>(detail::most_codes) + 1) == -128);
    CHECK(detail::rounded_mean<nearest_even>(detail::most_codes, -31).wide(1) == 255);
    CHECK(detail::rounded_mean<nearest_away>(1, 31).wide(255) == 0);
}

TEST_CASE("means of examples that other libraries got wrong", "[conv][pooling]") {
    // Windows beyond the padding do not count, in ceil_mode with count_include_pad (onnxruntime 16203 and 27375).
    const std::vector<std::uint8_t> five{1, 2, 3, 4, 5};
    dense_tensor<std::uint8_t, 4> halves({1, 1, 3, 1});
    average_pool2d(strided_view<const std::uint8_t, 4>(five.data(), {1, 1, 5, 1}),
                   {.kernel = {1, 2}, .stride = {1, 2}, .ceil_mode = true, .count_include_pad = true},
                   output_codes{.exponent = -1}, halves);
    CHECK(std::vector<int>(halves.data(), halves.data() + 3) == std::vector<int>{3, 7, 10});
    const std::vector<std::uint8_t> ones(4, 1);
    dense_tensor<std::uint8_t, 4> quarters({1, 2, 2, 1});
    average_pool2d(strided_view<const std::uint8_t, 4>(ones.data(), {1, 2, 2, 1}),
                   {.kernel = {2, 2}, .padding = {0, 0, 1, 1}, .count_include_pad = true}, output_codes{.exponent = -2},
                   quarters);
    CHECK(std::vector<int>(quarters.data(), quarters.data() + 4) == std::vector<int>{4, 2, 2, 1});
}

TEST_CASE("what pooling refuses leaves the destination alone", "[conv][pooling]") {
    sequence random(21);
    const any_images<std::uint8_t> a(random, {1, 4, 4, 3});
    const pool_geometry g{.kernel = {2, 2}, .stride = {2, 2}};
    dense_tensor<std::uint8_t, 4> dst({1, 2, 2, 3}, 77);
    dense_tensor<std::uint8_t, 4> other({1, 2, 3, 3}, 77);
    dense_tensor<std::uint8_t, 4> one({1, 1, 1, 3}, 77);
    CHECK(message_of<shape_error>([&] { max_pool2d(a.codes.read(), g, other); }) ==
          "max_pool2d: a destination of extents [1, 2, 3, 3] for a result of extents [1, 2, 2, 3]");
    CHECK(message_of<shape_error>([&] { average_pool2d(a.plain(), g, other); }) ==
          "average_pool2d: a destination of extents [1, 2, 3, 3] for a result of extents [1, 2, 2, 3]");
    CHECK(message_of<shape_error>([&] { global_average_pool(a.plain(), other); }) ==
          "global_average_pool: a destination of extents [1, 2, 3, 3] for a result of extents [1, 1, 1, 3]");
    CHECK_THAT(message_of<range_error>([&] {
                   max_pool2d(a.codes.read(), {.stride = {0, 1}}, dst);
               }),
               containing("stride"));
    const auto average = [&](const output_codes& output) { return [&] { average_pool2d(a.plain(), g, output, dst); }; };
    CHECK_THAT(message_of<range_error>(average({a.exponent + 32})), containing("a shift of the mean by 32"));
    CHECK_THAT(message_of<range_error>(average({a.exponent - 32})), containing("a shift of the mean by -32"));
    CHECK_THAT(message_of<range_error>(average({128})), containing("exponent 128"));
    CHECK_THAT(message_of<range_error>(average({0, -1})), containing("average_pool2d: zero point -1"));
    CHECK_THAT(message_of<range_error>(average({0, 5, 9, 8})), containing("codes from 9 to 8: none of them"));
    CHECK_THAT(message_of<range_error>(average({0, 5, 256, 300})), containing("none of them lies in [0, 255]"));
    auto real = a.plain();
    real.scale = 0.3F;
    CHECK_THAT(message_of<unsupported_error>([&] { average_pool2d(real, g, output_codes{}, dst); }),
               containing("average_pool2d: images of the real scale 0.3"));
    CHECK_THAT(message_of<unsupported_error>([&] { global_average_pool(real, output_codes{}, one); }),
               containing("global_average_pool: images of the real scale"));
    real.zero_point = -5;
    CHECK_THAT(message_of<range_error>([&] { average_pool2d(real, g, dst); }), containing("zero point -5"));
    const std::uint8_t code = 1;
    const strided_view<const std::uint8_t, 4> huge(&code, {1, 3000, 3000, 1}, {0, 0, 0, 0});
    dense_tensor<std::uint8_t, 4> pixel({1, 1, 1, 1}, 77);
    CHECK(message_of<range_error>([&] { global_average_pool(huge, pixel); }) ==
          "global_average_pool: a mean of 3000 x 3000 codes; sums of int32 hold 8421504");
    CHECK_THAT(message_of<range_error>([&] {
                   average_pool2d(huge, {.kernel = {3000, 3000}}, pixel);
               }),
               containing("average_pool2d: a mean of 3000 x 3000"));
    for (const auto* tensor : {&dst, &other, &one, &pixel})
        for (const std::uint8_t x : tensor->elements())
            REQUIRE(x == 77);
    real = a.plain();
    real.scale = 0.3F; // means in the same codes have any scale
    average_pool2d(real, g, dst);
    const any_images<std::uint8_t> none(random, {0, 4, 4, 3});
    dense_tensor<std::uint8_t, 4> empty({0, 2, 2, 3});
    max_pool2d(none.codes.read(), g, empty);
    average_pool2d(none.plain(), g, empty);
}

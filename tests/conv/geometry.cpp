/// @file
/// Extents of convolutions against a walk along the padded image; every error of conv/geometry.hpp.
#include "conv/cases.hpp"

#include <limits>

using namespace conv_cases;

namespace {

/// Positions at which a kernel fits, counted one by one.
std::size_t count_positions(std::size_t extent, std::size_t kernel, std::size_t stride, std::size_t dilation,
                            std::size_t before, std::size_t after) {
    std::size_t count = 0;
    for (std::size_t first = 0; first + (kernel - 1) * dilation < extent + before + after; first += stride)
        ++count;
    return count;
}

constexpr extents<4> images{2, 9, 8, 6};
constexpr extents<4> filters{4, 6, 3, 2};

template <class Error> std::string refused(const extents<4>& a, const extents<4>& b, const conv_geometry& g) {
    return message_of<Error>([&] { static_cast<void>(conv_extents(a, b, g, "w")); });
}

} // namespace

TEST_CASE("extents of a convolution are the positions of the kernel", "[conv][geometry]") {
    sequence random(1);
    std::size_t cases = 0;
    while (cases < 3000) {
        const std::size_t groups = random.size(1, 4);
        const extents<4> a{random.size(0, 3), random.size(1, 12), random.size(1, 12), groups * random.size(1, 3)};
        const extents<4> b{groups * random.size(1, 3), a[3] / groups, random.size(1, 5), random.size(1, 5)};
        const conv_geometry g{{random.size(1, 4), random.size(1, 4)},
                              {random.size(1, 3), random.size(1, 3)},
                              {random.size(0, 4), random.size(0, 4), random.size(0, 4), random.size(0, 4)},
                              groups};
        const std::size_t h = count_positions(a[1], b[2], g.stride.h, g.dilation.h, g.padding.top, g.padding.bottom);
        const std::size_t w = count_positions(a[2], b[3], g.stride.w, g.dilation.w, g.padding.left, g.padding.right);
        if (h == 0 || w == 0) {
            const std::string text = refused<shape_error>(a, b, g);
            CHECK_THAT(text, containing("the kernel reaches over"));
        } else {
            REQUIRE(conv_extents(a, b, g) == extents<4>{a[0], h, w, b[0]});
        }
        ++cases;
    }
}

TEST_CASE("defaults are a convolution without padding", "[conv][geometry]") {
    CHECK(conv_geometry{} == conv_geometry{{1, 1}, {1, 1}, {0, 0, 0, 0}, 1});
    CHECK(conv_extents(images, filters, {}) == extents<4>{2, 7, 7, 4});
    CHECK(conv_extents(images, filters, {.stride = {2, 3}, .padding = {.top = 1}}) == extents<4>{2, 4, 3, 4});
    CHECK(conv_extents({2, 9, 8, 12}, filters, {.groups = 2}) == extents<4>{2, 7, 7, 4});
}

TEST_CASE("a convolution of one dimension has images of height 1", "[conv][geometry]") {
    const conv_geometry g = geometry_1d({.stride = 2, .dilation = 3, .before = 1, .after = 4, .groups = 5});
    CHECK(g == conv_geometry{{1, 2}, {1, 3}, {0, 1, 0, 4}, 5});
    CHECK(geometry_1d({}) == conv_geometry{});
    CHECK(conv_extents({3, 1, 20, 4}, {7, 4, 1, 5}, geometry_1d({.stride = 2, .before = 1})) == extents<4>{3, 1, 9, 7});
    const std::vector<std::int8_t> memory(60);
    const strided_view<const std::int8_t, 3> lines(memory.data(), {2, 5, 3}, {30, -3, 2});
    const auto view = with_height(lines);
    CHECK(view.shape() == extents<4>{2, 1, 5, 3});
    CHECK(view.stride(0) == 30);
    CHECK(view.stride(2) == -3);
    CHECK(view.stride(3) == 2);
}

TEST_CASE("padding that keeps the extents", "[conv][geometry]") {
    CHECK(same_upper({1, 5, 5, 1}, {3, 3}) == padding_2d{1, 1, 1, 1});
    CHECK(same_upper({1, 4, 5, 1}, {2, 4}) == padding_2d{0, 1, 1, 2});
    CHECK(same_lower({1, 4, 5, 1}, {2, 4}) == padding_2d{1, 2, 0, 1});
    CHECK(same_upper({1, 6, 6, 1}, {1, 1}, {2, 3}) == padding_2d{});
    CHECK(same_upper({1, 7, 7, 1}, {3, 3}, {2, 2}) == padding_2d{1, 1, 1, 1});
    CHECK(same_upper({1, 8, 8, 1}, {3, 3}, {2, 2}) == padding_2d{0, 0, 1, 1});
    CHECK(same_lower({1, 8, 8, 1}, {3, 3}, {2, 2}) == padding_2d{1, 1, 0, 0});
    CHECK(same_upper({1, 8, 8, 1}, {3, 2}, {1, 1}, {2, 3}) == padding_2d{2, 1, 2, 2});
    sequence random(2);
    for (int i = 0; i < 2000; ++i) {
        const extents<4> a{1, random.size(1, 20), random.size(1, 20), 1};
        const size_2d kernel{random.size(1, 6), random.size(1, 6)};
        const size_2d stride{random.size(1, 4), random.size(1, 4)};
        const size_2d dilation{random.size(1, 3), random.size(1, 3)};
        for (const padding_2d& p : {same_upper(a, kernel, stride, dilation), same_lower(a, kernel, stride, dilation)}) {
            const extents<4> result = conv_extents(a, {1, 1, kernel.h, kernel.w}, {stride, dilation, p, 1});
            REQUIRE(result[1] == (a[1] + stride.h - 1) / stride.h);
            REQUIRE(result[2] == (a[2] + stride.w - 1) / stride.w);
        }
        const padding_2d upper = same_upper(a, kernel, stride, dilation);
        const padding_2d lower = same_lower(a, kernel, stride, dilation);
        REQUIRE(upper.bottom - upper.top <= 1);
        REQUIRE(upper.right - upper.left <= 1);
        REQUIRE(lower == padding_2d{upper.bottom, upper.right, upper.top, upper.left});
    }
    CHECK_THAT(message_of<range_error>([] {
                   static_cast<void>(same_upper({1, 5, 5, 1}, {0, 3}));
               }),
               containing("kernel [0, 3]; the smallest is 1"));
    CHECK_THAT(message_of<range_error>([] {
                   static_cast<void>(same_lower({1, 5, 5, 1}, {1, 3}, {1, 0}));
               }),
               containing("stride [1, 0]; the smallest is 1"));
    CHECK_THAT(message_of<range_error>([] {
                   static_cast<void>(same_lower({1, 5, 5, 1}, {1, 3}, {1, 1}, {0, 1}));
               }),
               containing("dilation [0, 1]; the smallest is 1"));
    CHECK_THAT(message_of<shape_error>([] {
                   static_cast<void>(same_upper({1, 0, 5, 1}, {1, 3}));
               }),
               containing("images with an extent of 0 along axis 1"));
}

TEST_CASE("a geometry that does not fit is refused with both shapes", "[conv][geometry]") {
    const std::string head = "conv2d: tensor 'w': images [2, 9, 8, 6], filters ";
    CHECK(refused<shape_error>(images, {4, 5, 3, 2}, {}) ==
          head + "[4, 5, 3, 2]: filters take 5 channels, 6 channels in 1 group have 6");
    CHECK(refused<shape_error>(images, filters, {.groups = 2}) ==
          head + "[4, 6, 3, 2]: filters take 6 channels, 6 channels in 2 groups have 3");
    CHECK(refused<shape_error>(images, filters, {.groups = 4}) ==
          head + "[4, 6, 3, 2]: 4 groups do not divide 6 channels");
    CHECK(refused<shape_error>(images, filters, {.groups = 3}) ==
          head + "[4, 6, 3, 2]: 3 groups do not divide 4 outputs");
    CHECK(
        refused<shape_error>(images, {4, 6, 12, 2}, {.padding = {1, 0, 1, 0}}) ==
        head +
            "[4, 6, 12, 2]: the kernel reaches over 12 pixels of height (dilation included), the padded image has 11");
    CHECK(refused<shape_error>(images, {4, 6, 3, 4}, {.dilation = {1, 3}, .padding = {0, 1, 0, 0}}) ==
          head +
              "[4, 6, 3, 4]: the kernel reaches over 10 pixels of width (dilation included), the padded image has 9");
    CHECK_THAT(refused<range_error>(images, filters, {.stride = {0, 1}}),
               containing("stride [0, 1]; the smallest is 1"));
    CHECK_THAT(refused<range_error>(images, filters, {.dilation = {1, 0}}),
               containing("dilation [1, 0]; the smallest is 1"));
    CHECK_THAT(refused<range_error>(images, filters, {.groups = 0}), containing("groups [0]; the smallest is 1"));
    CHECK_THAT(refused<shape_error>({2, 9, 0, 6}, filters, {}), containing("images with an extent of 0 along axis 2"));
    CHECK_THAT(refused<shape_error>(images, {4, 6, 0, 2}, {}), containing("filters with an extent of 0 along axis 2"));
    CHECK_THAT(refused<shape_error>(images, {0, 6, 3, 2}, {}), containing("filters with an extent of 0 along axis 0"));
}

TEST_CASE("negative and absurd numbers are refused", "[conv][geometry]") {
    const auto minus_one = static_cast<std::size_t>(-1);
    const std::string limit = "; the largest is 2147483647";
    CHECK_THAT(refused<range_error>(images, filters, {.padding = {minus_one, 0, 0, 0}}), containing(limit));
    CHECK_THAT(refused<range_error>(images, filters, {.padding = {0, 0, 0, std::size_t{1} << 31}}),
               containing("padding [0, 0, 0, 2147483648]" + limit));
    CHECK_THAT(refused<range_error>(images, filters, {.stride = {1, minus_one}}), containing(limit));
    CHECK_THAT(refused<range_error>(images, filters, {.dilation = {minus_one, 1}}), containing(limit));
    CHECK_THAT(refused<range_error>({minus_one, 9, 8, 6}, filters, {}), containing(limit));
    CHECK_THAT(refused<range_error>(images, {minus_one, 6, 3, 2}, {}), containing(limit));
    // The largest numbers that are allowed overflow nothing.
    const std::size_t most = 0x7fffffff;
    CHECK_THAT(refused<shape_error>(images, {4, 6, most, 2}, {.dilation = {most, 1}}),
               containing("reaches over 4611686011984936963 pixels of height"));
    CHECK_THAT(refused<range_error>(images, filters, {.padding = {most, 0, most, 0}}),
               containing("a result of extents [2, 4294967301, 7, 4]" + limit));
    CHECK_THAT(refused<range_error>({most, most, most, 6}, filters, {}), containing("elements"));
    CHECK(conv_extents(images, filters, {.stride = {most, most}}) == extents<4>{2, 1, 1, 4});
    CHECK(conv_extents({0, 9, 8, 6}, filters, {.padding = {most / 4, most / 4, 0, 0}})[0] == 0);
}

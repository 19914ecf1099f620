// Views, owning tensors, and what as_view accepts.
#include "catch.hpp"

#include <notch/core/dense_tensor.hpp>
#include <notch/core/tensor_view.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <utility>
#include <vector>

using namespace notch;

namespace elsewhere {
// A foreign tensor with the members of the concept and nothing else: column-major, int strides.
struct matrix {
    using value_type = float;
    static constexpr int rank = 2;
    std::vector<float> values;
    int rows;
    const float* data() const { return values.data(); }
    int extent(std::size_t axis) const { return axis == 0 ? rows : static_cast<int>(values.size()) / rows; }
    int stride(std::size_t axis) const { return axis == 0 ? 1 : rows; }
};

// A foreign tensor with contiguous elements but no adapter: as a range it would lose its shape.
struct unknown_tensor {
    std::vector<float> values;
    float* data() { return values.data(); }
    const float* data() const { return values.data(); }
    std::size_t size() const { return values.size(); }
    std::array<std::size_t, 2> shape() const { return {2, values.size() / 2}; }
};

// A foreign tensor that needs an adapter.
struct image {
    std::vector<float> pixels;
};
} // namespace elsewhere

template <> struct notch::view_adapter<elsewhere::image> {
    template <class Image> static auto view(Image& image) { return as_view(image.pixels); }
};

TEST_CASE("a contiguous view is row-major", "[tensor_view]") {
    std::array<int, 6> numbers{0, 1, 2, 3, 4, 5};
    const strided_view<int, 2> view(numbers.data(), {2, 3});
    CHECK(view(1, 0) == 3);
    CHECK(view(1, 2) == 5);
    CHECK(view.size() == 6);
    CHECK(view.is_contiguous());
    const strided_view<int, 2> transposed(numbers.data(), {3, 2}, {1, 3});
    CHECK(transposed(2, 1) == 5);
    CHECK_FALSE(transposed.is_contiguous());
    const strided_view<const int, 2> read_only = view;
    CHECK(read_only(0, 1) == 1);
    const strided_view<int, 2> one_row(numbers.data(), {1, 6}, {0, 1});
    CHECK(one_row.is_contiguous());
    const strided_view<int, 1> reversed(numbers.data() + 5, {6}, {-1});
    CHECK(reversed(0) == 5);
    CHECK(reversed(5) == 0);
}

TEST_CASE("views refuse null pointers and impossible extents", "[tensor_view]") {
    CHECK_THROWS_AS((strided_view<float, 1>(nullptr, {3})), shape_error);
    CHECK_NOTHROW((strided_view<float, 1>(nullptr, {0})));
    constexpr std::size_t huge = std::numeric_limits<std::size_t>::max() / 2;
    float x = 0;
    CHECK_THROWS_WITH((strided_view<float, 2>(&x, {huge, 3})), containing("elements"));
    CHECK_THROWS_AS((dense_tensor<float, 2>({huge, huge})), shape_error);
    CHECK_THROWS_AS((dense_tensor<float, 1>({huge})), range_error);
}

TEST_CASE("extents without elements may be huge", "[tensor_view]") {
    constexpr std::size_t huge = std::size_t{1} << 40;
    for (const extents<3>& shape : {extents<3>{0, huge, huge}, extents<3>{huge, 0, huge}, extents<3>{huge, huge, 0}}) {
        const strided_view<float, 3> view(nullptr, shape);
        CHECK(view.size() == 0);
        CHECK(view.is_contiguous());
        CHECK(dense_tensor<float, 3>(shape).size() == 0);
    }
}

TEST_CASE("for_each_element goes in row-major order", "[tensor_view]") {
    std::vector<int> numbers(24);
    for (std::size_t i = 0; i < 24; ++i)
        numbers[i] = static_cast<int>(i);
    std::vector<int> seen;
    for_each_element(strided_view<int, 3>(numbers.data(), {2, 3, 4}), [&](int value) { seen.push_back(value); });
    CHECK(seen == numbers);
    seen.clear();
    for_each_element(strided_view<int, 2>(numbers.data() + 5, {2, 3}, {-1, 4}),
                     [&](int value) { seen.push_back(value); });
    CHECK(seen == std::vector<int>{5, 9, 13, 4, 8, 12});
    for_each_element(strided_view<int, 2>(numbers.data(), {3, 0}), [](int) { FAIL("there are no elements"); });
}

TEST_CASE("as_view accepts ranges, tensors and adapted types", "[tensor_view]") {
    std::vector<float> vector{1, 2, 3};
    CHECK(as_view(vector)(2) == 3);
    as_view(vector)(0) = 9;
    CHECK(vector[0] == 9);
    const std::array<float, 2> array{4, 5};
    STATIC_REQUIRE(std::is_same_v<decltype(as_view(array)), strided_view<const float, 1>>);
    CHECK(as_view(std::span<const float>(vector))(1) == 2);
    float plain[2] = {7, 8};
    CHECK(as_view(plain)(1) == 8);
    const elsewhere::matrix matrix{{1, 2, 3, 4, 5, 6}, 2};
    const auto seen = as_view(matrix);
    CHECK(seen.extent(1) == 3);
    CHECK(seen(1, 2) == 6);
    CHECK(seen(0, 1) == 3);
    const elsewhere::image image{{1, 2}};
    CHECK(as_view(image)(1) == 2);

    STATIC_REQUIRE(viewable_as<std::vector<float>, float>);
    STATIC_REQUIRE(viewable_as<elsewhere::matrix, float>);
    STATIC_REQUIRE(viewable_as<elsewhere::image, float>);
    STATIC_REQUIRE_FALSE(viewable_as<std::vector<double>, float>);
    STATIC_REQUIRE_FALSE(viewable_as<int, float>);
    STATIC_REQUIRE_FALSE(viewable_as<elsewhere::unknown_tensor, float>);
    STATIC_REQUIRE(writable_as<std::vector<float>, float>);
    STATIC_REQUIRE_FALSE(writable_as<elsewhere::matrix, float>);
    STATIC_REQUIRE_FALSE(writable_as<const std::vector<float>, float>);
}

namespace {
template <class T>
concept viewable_temporary = requires(T&& x) {
    as_view(std::forward<T>(x));
};
} // namespace

TEST_CASE("the view of a dying owner does not compile", "[tensor_view]") {
    STATIC_REQUIRE_FALSE(viewable_temporary<dense_tensor<float, 2>>);
    STATIC_REQUIRE_FALSE(viewable_temporary<std::vector<float>>);
    STATIC_REQUIRE(viewable_temporary<strided_view<float, 2>>);
    STATIC_REQUIRE_FALSE(viewable_temporary<std::array<float, 3>>);
    STATIC_REQUIRE(viewable_temporary<std::span<float>>);
    STATIC_REQUIRE(viewable_temporary<dense_tensor<float, 2>&>);
}

TEST_CASE("dense_tensor owns aligned memory", "[dense_tensor]") {
    dense_tensor<float, 3> tensor({2, 3, 4}, 1.5F);
    CHECK(reinterpret_cast<std::uintptr_t>(tensor.data()) % 64 == 0);
    CHECK(tensor.size() == 24);
    CHECK(tensor.stride(0) == 12);
    CHECK(tensor.stride(2) == 1);
    CHECK(tensor(1, 2, 3) == 1.5F);
    dense_tensor<float, 3> copy = tensor;
    copy(0, 0, 0) = 2;
    CHECK(tensor(0, 0, 0) == 1.5F);
    const dense_tensor<float, 3> taken = std::move(copy);
    CHECK(taken(0, 0, 0) == 2);
    CHECK(copy.size() == 0);    // NOLINT(bugprone-use-after-move): the documented state
    CHECK(copy.extent(0) == 0); // NOLINT(bugprone-use-after-move)
    copy = taken;
    CHECK(copy(0, 0, 0) == 2);
    copy = dense_tensor<float, 3>();
    CHECK(copy.size() == 0);
    const dense_tensor<float, 2> empty({0, 5});
    CHECK(empty.size() == 0);
    CHECK(empty.extent(1) == 5);
    STATIC_REQUIRE(tensor_view<dense_tensor<float, 3>>);
}

// xtensor containers and views as notch tensors, without copies.
#include "catch.hpp"

#include <notch/core/xtensor.hpp>

#if __has_include(<xtensor/containers/xarray.hpp>)
#include <xtensor/containers/xarray.hpp>
#include <xtensor/containers/xfixed.hpp>
#include <xtensor/views/xstrided_view.hpp>
#else
#include <xtensor/xarray.hpp>
#include <xtensor/xfixed.hpp>
#include <xtensor/xstrided_view.hpp>
#endif

#include <vector>

using namespace notch;

namespace {
template <xt::layout_type Layout = xt::layout_type::row_major> xt::xtensor<float, 2, Layout> numbers() {
    xt::xtensor<float, 2, Layout> tensor = xt::xtensor<float, 2>({4, 6});
    for (std::size_t i = 0; i < 4; ++i)
        for (std::size_t j = 0; j < 6; ++j)
            tensor(i, j) = static_cast<float>(10 * i + j);
    return tensor;
}
} // namespace

TEST_CASE("containers are seen where they are", "[xtensor]") {
    auto rows = numbers();
    const auto view = as_view(rows);
    CHECK(view.data() == rows.data());
    CHECK(view(2, 3) == 23);
    view(2, 3) = 5;
    CHECK(rows(2, 3) == 5);
    const auto& constant = rows;
    STATIC_REQUIRE(std::is_same_v<decltype(as_view(constant)), strided_view<const float, 2>>);
    const auto columns = numbers<xt::layout_type::column_major>();
    const auto seen = as_view(columns);
    CHECK(seen.stride(0) == 1);
    CHECK(seen(2, 3) == 23);
    xt::xtensor_fixed<float, xt::xshape<2, 3>> fixed{{1, 2, 3}, {4, 5, 6}};
    CHECK(as_view(fixed)(1, 2) == 6);
    STATIC_REQUIRE(viewable_as<xt::xtensor<float, 3>, float>);
    STATIC_REQUIRE_FALSE(viewable_as<xt::xtensor<double, 3>, float>);
}

TEST_CASE("views with offsets, steps and dropped axes", "[xtensor]") {
    auto rows = numbers();
    auto part = xt::view(rows, xt::range(1, 4), xt::range(1, 6, 2));
    const auto seen = as_view(part);
    CHECK(seen.extent(0) == 3);
    CHECK(seen.extent(1) == 3);
    for (std::size_t i = 0; i < 3; ++i)
        for (std::size_t j = 0; j < 3; ++j)
            CHECK(seen(i, j) == static_cast<float>(10 * (i + 1) + 2 * j + 1));
    auto row = xt::view(rows, 2, xt::range(3, 6));
    CHECK(as_view(row).extent(0) == 3);
    CHECK(as_view(row)(0) == 23);
    auto column = xt::view(rows, xt::all(), 4);
    CHECK(as_view(column)(3) == 34);
    CHECK(as_view(column).stride(0) == 6);
    auto widened = xt::view(rows, xt::newaxis(), xt::all(), xt::range(2, 3));
    const auto ones = as_view(widened);
    CHECK(ones.extent(0) == 1);
    CHECK(ones.extent(2) == 1);
    CHECK(ones(0, 3, 0) == 32);
    xt::xtensor<float, 3> thin({1, 4, 1}, 2.0F);
    CHECK(as_view(thin).is_contiguous());
}

TEST_CASE("the rank of an xarray is checked at run time", "[xtensor]") {
    const xt::xarray<float> array = numbers();
    CHECK(as_view<2>(array)(3, 5) == 35);
    CHECK_THROWS_WITH(as_view<3>(array), containing("2 axes, 3 are expected"));
}

TEST_CASE("notch tensors as xtensors", "[xtensor]") {
    dense_tensor<float, 2> tensor({2, 3}, 1.0F);
    auto seen = as_xtensor(tensor);
    seen(1, 2) = 7;
    CHECK(tensor(1, 2) == 7);
    CHECK(seen.shape()[1] == 3);
    auto rows = numbers();
    auto part = xt::view(rows, xt::range(1, 3), xt::range(0, 6, 3));
    const xt::xtensor<float, 2> copy = to_xtensor(as_view(part));
    CHECK(copy.shape()[0] == 2);
    CHECK(copy(1, 1) == 23);
    CHECK(to_xtensor(tensor)(1, 2) == 7);
}

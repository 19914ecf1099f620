/// @file
/// What explain says of convolutions: whole texts for the portable kernels.
#include "catch.hpp"

#include <notch/conv/explain.hpp>
#include <notch/conv/pack_depthwise.hpp>
#include <notch/conv/pack_filters.hpp>
#include <notch/quant/params.hpp>

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace {

using namespace notch;
using filter_codes = quantizer<bits<4>, per_channel<>, power_of_two<>>;

/// Filters whose codes are all `code`.
quantized_tensor<filter_codes, 4> constant_filters(extents<4> shape, std::int8_t code) {
    quantized_tensor<filter_codes, 4> filters;
    filters.codes = dense_tensor<std::int8_t, 4>(shape, code);
    filters.params = params_from_scales<filter_codes>(shape, std::vector<double>(shape[0], 0.5));
    filters.name = "stem";
    return filters;
}

} // namespace

TEST_CASE("Filters: kernel, weights, products, sums, and how pixels reach the kernel") {
    const conv_geometry geometry{.padding = {1, 1, 1, 1}};
    const packed_filters filters = pack_filters(constant_filters({16, 8, 3, 3}, 3), geometry);
    const std::string text = explain<simd::scalar>(filters, {1, 6, 6, 8}, geometry);
    CHECK_THAT(text, containing("int4 x u8, scalar 4x16, exact\nfilters 'stem' [16, 8, 3, 3]: power-of-two scales, one "
                                "block of channels, taps of a line joined; "));
    CHECK_THAT(text, containing("\nproducts: four bytes to int32\nsums: at most 55080 in magnitude, 16 of 31 bits\n"));
    CHECK_THAT(text,
               containing("\nimages [1, 6, 6, 8]: a band of 8 lines is copied in the form of the kernel, 6 lines of "
                          "6 results at a time; panels are expanded; at the edges taps that meet padding only are left "
                          "out; workspace "));
    CHECK(text.substr(text.rfind("workspace")) ==
          "workspace " +
              std::to_string(conv_workspace<simd::scalar>(detail::images_of_extents({1, 6, 6, 8}), filters, geometry)) +
              " bytes (1 task)");
}

TEST_CASE("Groups of few outputs share panels") {
    const conv_geometry geometry{.padding = {1, 1, 1, 1}, .groups = 4};
    const packed_filters filters = pack_filters(constant_filters({32, 8, 3, 3}, 3), geometry);
    CHECK_THAT(explain<simd::scalar>(filters, {1, 6, 6, 32}, geometry), containing(", 2 groups share a panel; "));
}

TEST_CASE("Filters of one pixel read the image where it lies") {
    const packed_filters filters = pack_filters(constant_filters({16, 32, 1, 1}, 3), {});
    CHECK_THAT(explain<simd::scalar>(filters, {2, 5, 5, 32}, {}), containing("rows point into the image"));
}

TEST_CASE("Depthwise weights: panels, products, blocks") {
    const packed_depthwise weights = pack_depthwise(constant_filters({20, 1, 3, 3}, -8));
    const conv_geometry geometry{.padding = {1, 1, 1, 1}, .groups = 20};
    const std::string text = explain<simd::scalar>(weights, {1, 6, 6, 20}, geometry);
    CHECK_THAT(text,
               containing("int4 x u8, scalar depthwise, exact\nweights 'stem' [20, 1, 3, 3]: power-of-two scales; "));
    CHECK_THAT(
        text, containing(" bytes in 2 panels of 16 outputs\nproducts: int16, 1 tap of a line in 16 channels at once; 3 "
                         "such products for a line of taps\nsums: at most 18360 in magnitude, 15 of 31 bits\n"));
    CHECK_THAT(text, containing("blocks of 6 lines of 6 results stay in the first-level cache; workspace "));
}

TEST_CASE("explain raises what the convolution would") {
    const packed_filters filters = pack_filters(constant_filters({16, 8, 3, 3}, 3), {});
    CHECK_THROWS_AS(explain(filters, {1, 6, 6, 7}, {}), shape_error);
    CHECK_THROWS_AS(explain(filters, {1, 6, 6, 8}, {.groups = 2}), shape_error);
}

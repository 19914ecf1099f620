/// @file
/// One grain, measured. Each kind of scale is compiled in a file of its own, so that they compile side by side.
#pragma once

#include "grains.hpp"

#include <notch/quant/fit.hpp>

namespace tool {

[[nodiscard]] measurement measure_real(const notch::dense_tensor<float, 4>& weights, const grain& g, int bits);
[[nodiscard]] measurement measure_power_of_two(const notch::dense_tensor<float, 4>& weights, const grain& g, int bits);
[[nodiscard]] measurement measure_fixed_point(const notch::dense_tensor<float, 4>& weights, const grain& g, int bits);

/// The factors that real and fixed-point scales try. A power of two tries four exponents, between 1/8 of the wanted scale
/// and twice of it; the grid is wider, so that the errors of the kinds compare.
inline constexpr notch::scale_search search_grid{.lowest = 0.1, .highest = 2.0, .steps = 96};

/// Fits, quantizes and measures. The block sizes are run-time numbers, so that one quantizer serves every grain.
template <int Bits, class Scale>
[[nodiscard]] measurement measure(const notch::dense_tensor<float, 4>& weights, const grain& g) {
    using q = notch::quantizer<notch::bits<Bits>, notch::sub_layer<>, Scale>;
    notch::fit_options<q> fit{.policy = {.granularity = {g.out, g.in}}, .name = "weights"};
    if constexpr (!notch::searching_scale_type<Scale>) // a power of two compares candidates of its own
        fit.search = search_grid;
    const auto codes = notch::quantize<q>(weights, fit);
    return {g, codes.params.count(), 0, notch::quantization_error(weights, codes)};
}

/// The same for a width given at run time. Precondition: one of those that parse_grains lets through.
template <class Scale>
[[nodiscard]] measurement measure_bits(const notch::dense_tensor<float, 4>& weights, const grain& g, int bits) {
    switch (bits) {
    case 2:
        return measure<2, Scale>(weights, g);
    case 3:
        return measure<3, Scale>(weights, g);
    case 4:
        return measure<4, Scale>(weights, g);
    default:
        return measure<8, Scale>(weights, g);
    }
}

} // namespace tool

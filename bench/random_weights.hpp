/// @file
/// Random weights of our rows.
///
/// Exponents of blocks are drawn from four neighbours, -8 to -5, so that scales that change along the inputs really do.
#pragma once

#include <notch/core/random.hpp>
#include <notch/core/tensor_view.hpp>
#include <notch/quant/quantized_tensor.hpp>

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace bench {

/// Weights of a quantizer with random codes and block exponents.
template <class Q, std::size_t Rank>
notch::quantized_tensor<Q, Rank> random_weights(const notch::extents<Rank>& shape) {
    notch::quantized_tensor<Q, Rank> weights;
    weights.codes = notch::dense_tensor<typename Q::code_type, Rank>(shape);
    for (std::size_t i = 0; i < weights.codes.size(); ++i)
        weights.codes.data()[i] = static_cast<typename Q::code_type>(
            Q::codes.lowest + static_cast<std::int32_t>((notch::counter_bits(5, i) >> 32) %
                                                        static_cast<std::uint64_t>(Q::codes.steps() + 1)));
    const auto grid = notch::make_grid(Q{}.granularity, weights.codes.shape());
    std::vector<double> scales(grid.count);
    for (std::size_t b = 0; b < scales.size(); ++b)
        scales[b] =
            notch::exp2_exact(-8 + static_cast<int>(notch::counter_bits(6, b) >> 62)) *
            (std::same_as<typename Q::scale_value, std::int32_t> ? 1.0 : 1.0 + 0.5 * notch::counter_uniform(7, b));
    weights.params = notch::params_from_scales<Q>(weights.codes.shape(), scales);
    weights.name = "weights";
    return weights;
}

} // namespace bench

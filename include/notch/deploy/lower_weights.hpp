/// @file
/// Weights of a plan in the form that packing takes. Part of lower.hpp.
#pragma once

#include <notch/ptq/plan.hpp>
#include <notch/quant/quantized_tensor.hpp>
#include <notch/quant/quantizer.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>

namespace notch::detail {

/// Weights of a plan, with exponents for scales, as packing takes them. `Bits`: 2, 4 or 8.
template <int Bits> [[nodiscard]] auto as_quantized(const planned_weights& from, const std::string& name) {
    using q = quantizer<bits<Bits>, sub_layer<>, power_of_two<>>;
    quantized_tensor<q, 4> to;
    const extents<4> shape{from.shape[0], from.shape[1], from.shape[2], from.shape[3]};
    to.codes = dense_tensor<std::int8_t, 4>(shape);
    const std::size_t taps = from.taps();
    for (std::size_t k = 0; k < from.codes.size(); ++k) {
        const std::size_t channel = k / taps;
        const std::int32_t m =
            from.multipliers.empty() ? 1 : from.multiplier(from.block_of(channel / shape[1], channel % shape[1]));
        to.codes.data()[k] = static_cast<std::int8_t>(m * from.codes[k]);
    }
    to.params.policy.granularity = {from.block_outputs, from.block_inputs};
    const block_grid<4> grid = make_grid(to.params.policy.granularity, shape);
    to.params.blocks.assign(grid.blocks.begin(), grid.blocks.end());
    to.params.scales = from.exponents;
    to.name = name;
    return to;
}

/// Calls f with the weights at the width in which they are stored.
template <class F> auto with_quantized(const planned_weights& from, const std::string& name, const F& f) {
    const bool wide = !from.multipliers.empty();
    if (from.bits <= 2 && !wide)
        return f(as_quantized<2>(from, name));
    if (from.bits <= 4 && !wide)
        return f(as_quantized<4>(from, name));
    return f(as_quantized<8>(from, name));
}

/// Calls f with the coarse part: its own taps where they lie in the middle of the filters, as kernels take them; otherwise among
/// all taps.
template <class F> auto with_coarse(const planned_weights& from, const std::string& name, const F& f) {
    const coarse_weights& part = *from.coarse;
    planned_weights coarse;
    coarse.bits = part.bits;
    coarse.shape = from.shape;
    coarse.block_inputs = from.shape[1];
    coarse.exponents = part.exponents;
    bool is_centred = true;
    for (std::size_t axis = 0; axis < 2; ++axis)
        is_centred = is_centred && 2 * part.first[axis] + part.extent[axis] == from.shape[axis + 2];
    if (is_centred) {
        std::ranges::copy(part.extent, coarse.shape.begin() + 2);
        coarse.codes = part.codes;
        return with_quantized(coarse, name, f);
    }
    for (std::size_t row = 0; row < from.shape[0] * from.shape[1]; ++row)
        for (std::size_t t = 0; t < from.taps(); ++t)
            coarse.codes.push_back(from.coarse_code(row / from.shape[1], row % from.shape[1], t));
    return with_quantized(coarse, name, f);
}

/// Weights as a matrix [O, I].
template <class Q> [[nodiscard]] quantized_tensor<Q, 2> as_matrix(const quantized_tensor<Q, 4>& from) {
    quantized_tensor<Q, 2> to;
    to.codes = dense_tensor<std::int8_t, 2>({from.shape()[0], from.shape()[1]});
    std::copy_n(from.codes.data(), from.codes.size(), to.codes.data());
    to.params = from.params;
    to.params.blocks.resize(2);
    to.name = from.name;
    return to;
}

} // namespace notch::detail

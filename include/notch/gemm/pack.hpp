/// @file
/// pack: quantized weights become packed weights, once, when a model is loaded.
///
///     pack(weights)             W = values * scales
///     pack_terms(coarse, fine)  W = coarse + fine, two quantized matrices over the same inputs, one accumulator
///
/// One walk over the codes, panel by panel: values are checked, summed, permuted back and interleaved. Scales are turned
/// into one scale per output and, where they change along the inputs, one shift (power of two) or float per block:
///
///     scale of block h = scale of output * 2^shift[h],  shift[h] >= 0,  blocks of zeros left out
///
/// With A = max(sum of positive, sum of negative parts of value * 2^shift) no sum of products with 8-bit
/// activations exceeds 255 A in magnitude, whatever the zero point: that must be below 2^31, or pack raises range_error.
#pragma once

#include <notch/core/error.hpp>
#include <notch/core/tensor_view.hpp>
#include <notch/gemm/pack_panel.hpp>
#include <notch/gemm/packed_weights.hpp>
#include <notch/gemm/weight_term.hpp>
#include <notch/quant/quantized_tensor.hpp>
#include <notch/simd/arch.hpp>

#include <cstddef>
#include <cstdint>
#include <numeric>
#include <string>
#include <vector>

namespace notch {

namespace detail {

/// Widths, zero points, orders and scales of quantized weights of any rank, as long as those live. Raises
/// unsupported_error for a power of two that is not stored as its exponent.
template <quantizer_type Q, std::size_t Rank>
void fill_scales(weight_term& term, const quantized_tensor<Q, Rank>& weights) {
    using scales = typename Q::scale_policy;
    term.is_signed = Q::bits_type::is_signed;
    term.width = Q::bits_type::width;
    term.zero_points = weights.params.zero_points;
    term.output_order = weights.params.output_order;
    if constexpr (std::same_as<typename scales::value_type, std::int32_t>) {
        term.kind = scale_kind::power_of_two;
        term.exponents = weights.params.scales;
        if constexpr (!has_exponents<scales>)
            for (std::size_t b = 0; b < weights.params.count(); ++b)
                if (const double scale = weights.params.scale(b);
                    !is_power_of_two(scale) || floor_log2(scale) != term.exponents[b])
                    raise<unsupported_error>(quoted(weights.name), ": scale ", scale, " of block ", b, " is stored as ",
                                             term.exponents[b], ", which is not its exponent of two");
    } else {
        if constexpr (std::same_as<typename scales::value_type, q31>) {
            term.kind = scale_kind::fixed_point;
            term.factors = weights.params.scales;
        } else {
            static_assert(std::same_as<typename scales::value_type, float>,
                          "pack: scales are int32 exponents, q31 or float; give a scale type of your own one of these "
                          "value types");
            term.kind = scale_kind::real;
        }
        term.reals.resize(weights.params.count());
        for (std::size_t b = 0; b < term.reals.size(); ++b)
            term.reals[b] = static_cast<float>(weights.params.scale(b));
    }
}

/// What pack needs to know of one quantized matrix, as long as that lives. Raises shape_error and range_error where it is
/// inconsistent.
template <quantizer_type Q> [[nodiscard]] weight_term term_of(const quantized_tensor<Q, 2>& weights) {
    const block_grid<2> grid = weights.grid();
    if (weights.codes.size() == 0)
        raise<shape_error>(quoted(weights.name), ": extents ", weights.shape(),
                           "; a weight matrix has at least one output and one input");
    weight_term term;
    fill_scales(term, weights);
    term.codes = reinterpret_cast<const std::uint8_t*>(weights.codes.data());
    term.outputs = weights.shape()[0];
    term.inputs = weights.shape()[1];
    term.block_outputs = grid.block[0];
    term.block_inputs = grid.block[1];
    term.blocks = grid.blocks[1];
    term.input_order = weights.params.input_order;
    return term;
}

} // namespace detail

/// Bytes that pack(weights) needs, known beforehand.
template <quantizer_type Q> [[nodiscard]] std::size_t packed_size(const quantized_tensor<Q, 2>& weights) {
    const detail::weight_term term = detail::term_of(weights);
    return detail::planned_header({&term, 1}, weights.name).bytes;
}

/// Packs a weight matrix [outputs, inputs]. Allocates once.
/// Raises shape_error for a matrix without elements; range_error for values (code - zero point) outside [-128, 127]
/// and for sums of products that could leave int32; unsupported_error for fixed-point scales that change along the inputs.
template <simd::instruction_set Arch = simd::default_arch, quantizer_type Q>
[[nodiscard]] packed_weights pack(const quantized_tensor<Q, 2>& weights) {
    const detail::weight_term term = detail::term_of(weights);
    return detail::pack_terms<Arch>({&term, 1}, weights.name);
}

/// Packs W = coarse + fine: two matrices over the same inputs that share an accumulator (coarse/fine splitting).
/// Both have power-of-two scales and the same extents and channel orders. Errors as for pack.
template <simd::instruction_set Arch = simd::default_arch, quantizer_type Coarse, quantizer_type Fine>
[[nodiscard]] packed_weights pack_terms(const quantized_tensor<Coarse, 2>& coarse,
                                        const quantized_tensor<Fine, 2>& fine) {
    if (coarse.shape() != fine.shape())
        detail::raise<shape_error>("pack_terms: coarse ", detail::quoted(coarse.name), " has extents ", coarse.shape(),
                                   ", fine ", detail::quoted(fine.name), " ", fine.shape());
    const detail::weight_term terms[] = {detail::term_of(coarse), detail::term_of(fine)};
    return detail::pack_terms<Arch>(terms, fine.name.empty() ? coarse.name : fine.name);
}

} // namespace notch

/// @file
/// Filters: quantized weights [O, I, KH, KW], I = C / groups, as the matrices that pack knows.
///
///     row o of the matrix = all taps of channel 0, all taps of channel 1, ...
///
/// So a block of channels, which has one scale for all of its taps, is a depth block of neighbouring inputs, and what
/// numerics says of sums, bounds and scales of a product holds for a convolution. Filters [O, I, K] of one dimension are
/// filters [O, I, 1, K].
#pragma once

#include <notch/conv/packed_filters.hpp>
#include <notch/core/error.hpp>
#include <notch/core/tensor_view.hpp>
#include <notch/gemm/pack.hpp>
#include <notch/quant/quantized_tensor.hpp>

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace notch {

/// W = coarse + fine: two terms over the same channels that share an accumulator. The coarse filters may have fewer taps;
/// they lie in the middle of the fine ones, as 1 x 1 in 3 x 3. Both have power-of-two scales. Holds references.
template <quantizer_type Coarse, quantizer_type Fine> struct filter_terms {
    const quantized_tensor<Coarse, 4>& coarse; ///< [O, I, kh, kw], kh <= KH, KH - kh even; kw alike
    const quantized_tensor<Fine, 4>& fine;     ///< [O, I, KH, KW]
};

/// Two terms.
template <quantizer_type Coarse, quantizer_type Fine>
filter_terms(const quantized_tensor<Coarse, 4>&, const quantized_tensor<Fine, 4>&) -> filter_terms<Coarse, Fine>;

namespace detail {

/// Filters, their policies turned into numbers. Points to their codes, or to its own; it is moved, not copied.
struct filter_operand {
    extents<4> shape{};                 ///< [O, I, KH, KW]
    filter_taps coarse{};               ///< taps of coarse filters; all others hold zeros
    std::vector<weight_term> terms{};   ///< matrices [O, I KH KW]
    std::vector<std::uint8_t> wide{};   ///< codes of coarse filters among the taps of the fine ones
    std::vector<std::uint32_t> order{}; ///< of the inputs of each row, or empty: all terms have one
    std::string name{};

    /// Taps of a channel.
    [[nodiscard]] std::size_t taps() const noexcept { return shape[2] * shape[3]; }
};

/// [O, I, KH, KW] of filters of one or two dimensions.
[[nodiscard]] constexpr extents<4> filter_shape(const extents<4>& shape) noexcept { return shape; }
[[nodiscard]] constexpr extents<4> filter_shape(const extents<3>& shape) noexcept {
    return {shape[0], shape[1], 1, shape[2]};
}

/// One term as a matrix. Raises unsupported_error where taps of a channel have scales of their own.
template <quantizer_type Q, std::size_t Rank>
[[nodiscard]] weight_term filter_term(const quantized_tensor<Q, Rank>& filters) {
    const block_grid<Rank> grid = filters.grid();
    if (filters.codes.size() == 0)
        raise<shape_error>(quoted(filters.name), ": extents ", filters.shape(), "; filters have elements");
    for (std::size_t axis = 2; axis < Rank; ++axis)
        if (grid.blocks[axis] != 1)
            raise<unsupported_error>(quoted(filters.name), ": ", grid.blocks[axis], " scales along axis ", axis, " of ",
                                     filters.shape(), "; all taps of a channel share one");
    const extents<4> shape = filter_shape(filters.shape());
    const std::size_t taps = shape[2] * shape[3];
    weight_term term;
    fill_scales(term, filters);
    term.codes = reinterpret_cast<const std::uint8_t*>(filters.codes.data());
    term.outputs = shape[0];
    term.inputs = shape[1] * taps;
    term.block_outputs = grid.block[0];
    term.block_inputs = grid.block[1] * taps;
    term.blocks = grid.blocks[1];
    return term;
}

/// The order of the inputs [I taps] of a row, for an order of channels.
[[nodiscard]] inline std::vector<std::uint32_t> order_of_taps(std::span<const std::uint32_t> channels,
                                                              std::size_t taps) {
    std::vector<std::uint32_t> order;
    order.reserve(channels.size() * taps);
    for (const std::uint32_t channel : channels)
        for (std::size_t tap = 0; tap < taps; ++tap)
            order.push_back(static_cast<std::uint32_t>(channel * taps + tap));
    return order;
}

/// Filters of one term.
template <quantizer_type Q, std::size_t Rank>
    requires(Rank == 3 || Rank == 4)
[[nodiscard]] filter_operand filters_of(const quantized_tensor<Q, Rank>& filters) {
    filter_operand operand{filter_shape(filters.shape()), {}, {filter_term(filters)}, {}, {}, filters.name};
    operand.order = order_of_taps(filters.params.input_order, operand.taps());
    operand.terms[0].input_order = operand.order;
    return operand;
}

/// Codes of a term among more taps, which hold the zero points of their blocks.
[[nodiscard]] inline std::vector<std::uint8_t> widened(const weight_term& term, const extents<4>& from,
                                                       const extents<4>& to) {
    const std::size_t taps = from[2] * from[3];
    const std::size_t top = (to[2] - from[2]) / 2;
    const std::size_t left = (to[3] - from[3]) / 2;
    std::vector<std::uint8_t> codes;
    codes.reserve(element_count<4>(to));
    for (std::size_t row = 0; row < to[0]; ++row)
        for (std::size_t i = 0; i < to[1]; ++i)
            for (std::size_t h = 0; h < to[2]; ++h)
                for (std::size_t w = 0; w < to[3]; ++w) {
                    const std::size_t first = i * taps;
                    if (h >= top && h - top < from[2] && w >= left && w - left < from[3])
                        codes.push_back(term.codes[row * term.inputs + first + (h - top) * from[3] + (w - left)]);
                    else
                        codes.push_back(static_cast<std::uint8_t>(
                            term.zero_points.empty() ? 0 : term.zero_points[term.block_of(row, first)]));
                }
    return codes;
}

/// Filters of two terms. Raises shape_error unless the coarse taps lie in the middle of the fine ones.
template <quantizer_type Coarse, quantizer_type Fine>
[[nodiscard]] filter_operand filters_of(const filter_terms<Coarse, Fine>& filters) {
    const extents<4>& fine = filters.fine.shape();
    const extents<4>& coarse = filters.coarse.shape();
    const auto centred = [&](std::size_t axis) {
        return coarse[axis] <= fine[axis] && (fine[axis] - coarse[axis]) % 2 == 0;
    };
    if (coarse[0] != fine[0] || coarse[1] != fine[1] || !centred(2) || !centred(3))
        raise<shape_error>(
            "conv2d: coarse ", quoted(filters.coarse.name), " has extents ", coarse, ", fine ",
            quoted(filters.fine.name), " ", fine,
            "; the same outputs and channels, and coarse taps in the middle of the fine ones, are needed");
    filter_operand operand = filters_of(filters.fine);
    if (operand.name.empty())
        operand.name = filters.coarse.name;
    weight_term term = filter_term(filters.coarse);
    operand.wide = widened(term, coarse, fine);
    const std::size_t taps = coarse[2] * coarse[3];
    operand.coarse = {(fine[2] - coarse[2]) / 2, (fine[3] - coarse[3]) / 2, coarse[2], coarse[3]};
    term.codes = operand.wide.data();
    term.inputs = coarse[1] * operand.taps();
    term.block_inputs = term.block_inputs / taps * operand.taps();
    if (filters.coarse.params.input_order != filters.fine.params.input_order)
        raise<shape_error>(quoted(operand.name), ": the terms have different channel orders");
    term.input_order = operand.order;
    operand.terms.insert(operand.terms.begin(), std::move(term));
    return operand;
}

/// Anything that filters_of understands.
template <class F>
concept filter_source = requires(const F& filters) {
    { filters_of(filters) } -> std::same_as<filter_operand>;
};

/// Packs the matrices, for scales of the sums and the bound; errors as those of pack.
[[nodiscard]] inline packed_weights packed_matrix(const filter_operand& filters) {
    return pack_terms<simd::default_arch>(filters.terms, filters.name);
}

} // namespace detail
} // namespace notch

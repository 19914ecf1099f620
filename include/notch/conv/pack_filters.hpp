/// @file
/// pack_filters: quantized filters in the form that conv2d reads.
///
/// Runs once, when a model is loaded. Codes are copied into the order of packed_filters.hpp, with the scales and zero
/// points of their blocks, and packed as a matrix.
#pragma once

#include <notch/conv/filters.hpp>
#include <notch/conv/geometry.hpp>
#include <notch/conv/laid_out_filters.hpp>
#include <notch/conv/packed_filters.hpp>
#include <notch/conv/tap_sums.hpp>
#include <notch/conv/transformed_filters.hpp>
#include <notch/core/error.hpp>
#include <notch/core/int_math.hpp>
#include <notch/gemm/pack.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <numeric>
#include <span>
#include <utility>
#include <vector>

namespace notch {

namespace detail {

/// Channels of a depth block, where some number of them shares exponents: fewer where the last block would be cut short, at a
/// price that is higher than that of more blocks. A short block is filled up for every tap, and keeps rows from pointing
/// into the image. Not for real scales: sums of floats are rounded block by block.
[[nodiscard]] inline std::size_t even_block(const filter_layout& layout) {
    constexpr std::size_t least = 8;
    const std::size_t channels = layout.shape[1];
    const std::size_t even = std::gcd(layout.block, channels);
    const bool fills_a_tenth = 10 * round_up(channels, layout.block) >= 11 * channels;
    return even % least == 0 && (layout.shape[3] == 1 || fills_a_tenth) ? even : layout.block;
}

/// The layout of filters.
[[nodiscard]] inline filter_layout layout_of(const filter_operand& filters, const conv_geometry& geometry) {
    filter_layout layout{filters.shape, geometry.groups};
    if (layout.groups == 0 || layout.shape[0] % layout.groups != 0)
        raise<shape_error>("pack_filters: ", quoted(filters.name), ": ", layout.groups, " groups do not divide ",
                           layout.shape[0], " outputs");
    for (const weight_term& term : filters.terms)
        if (term.blocks > 1)
            layout.block = std::gcd(layout.block, term.block_inputs / filters.taps());
    if (layout.block == 0)
        layout.block = layout.shape[1];
    layout.joined = geometry.dilation.w == 1 && layout.groups == 1;
    if (layout.joined && filters.terms[0].kind == scale_kind::power_of_two)
        layout.block = even_block(layout);
    return layout;
}

} // namespace detail

/// Packs filters [O, C / groups, KH, KW] (or [O, C / groups, KW]) for convolutions with the groups and dilation of a
/// geometry; its stride and padding may change from call to call. Filters of 3 x 3 with a stride of 1 are transformed too,
/// where conv2d gains by it (conv/transformed_filters.hpp), which takes 3.6 times the bytes of 8-bit codes. `filters`: a
/// quantized_tensor of any width, scale, zero point and channel order whose scales are the same for all taps of a channel; or
/// filter_terms.
/// Raises the errors of pack, shape_error where the groups do not divide the outputs, unsupported_error where taps of a
/// channel have scales of their own.
template <simd::instruction_set Arch = simd::default_arch, detail::filter_source Filters>
[[nodiscard]] packed_filters pack_filters(const Filters& filters, const conv_geometry& geometry = {}) {
    const detail::filter_operand from = detail::filters_of(filters);
    const detail::filter_layout layout = detail::layout_of(from, geometry);
    std::vector<detail::laid_out_term> laid_out;
    laid_out.reserve(from.terms.size());
    std::vector<detail::weight_term> terms;
    for (std::size_t t = 0; t < from.terms.size(); ++t) {
        const bool is_coarse = t + 1 < from.terms.size();
        const detail::filter_taps taps =
            is_coarse ? from.coarse : detail::filter_taps{0, 0, layout.shape[2], layout.shape[3]};
        detail::filter_layout own = layout;
        own.shape[2] = taps.height;
        own.shape[3] = taps.width;
        terms.push_back(laid_out.emplace_back(from.terms[t], own, taps, layout.shape).term());
    }
    for (const detail::weight_term& term : from.terms)
        if (!std::ranges::equal(term.output_order, from.terms[0].output_order))
            detail::raise<shape_error>(detail::quoted(from.name), ": the terms have different channel orders");
    std::vector<std::uint32_t> order;
    for (std::size_t i = 0; i < from.order.size(); i += from.taps())
        order.push_back(static_cast<std::uint32_t>(from.order[i] / from.taps()));
    packed_filters packed(detail::pack_terms<Arch>(terms, from.name), layout.shape, layout.groups, layout.block,
                          layout.joined, std::move(order), from.coarse);
    packed.set_tap_sums(detail::sum_taps(laid_out, packed));
    if (detail::meets_every_pixel(geometry))
        packed.set_transformed(detail::transform_filters<Arch>(packed));
    return packed;
}

} // namespace notch

/// @file
/// pack_filters: quantized filters in the form that conv2d reads.
///
/// Runs once, when a model is loaded. Codes are copied into the order of packed_filters.hpp, with the scales and zero
/// points of their blocks, and packed as a matrix.
#pragma once

#include <notch/conv/filters.hpp>
#include <notch/conv/geometry.hpp>
#include <notch/conv/packed_filters.hpp>
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

/// How the inputs of a row stand in packed filters.
struct filter_layout {
    extents<4> shape{};
    std::size_t groups = 1;
    std::size_t block = 0; ///< channels of a depth block
    bool joined = false;   ///< the taps of one kh stand side by side

    /// Channels of block b that exist.
    [[nodiscard]] std::size_t channels(std::size_t b) const noexcept { return std::min(block, shape[1] - b * block); }

    [[nodiscard]] std::size_t blocks() const noexcept { return ceil_div(shape[1], block); }
    [[nodiscard]] std::size_t pieces() const noexcept { return joined ? shape[2] : shape[2] * shape[3]; }
    /// Inputs of a piece of block b, without and with what fills up the last step.
    [[nodiscard]] std::size_t length(std::size_t b) const noexcept { return joined ? block * shape[3] : channels(b); }
    [[nodiscard]] std::size_t padded(std::size_t b) const noexcept { return round_up(length(b), step_inputs); }
    [[nodiscard]] std::size_t inputs() const noexcept {
        return pieces() * ((blocks() - 1) * padded(0) + padded(blocks() - 1));
    }
    /// Outputs of all groups, each begun with a panel.
    [[nodiscard]] std::size_t outputs() const noexcept {
        return groups == 1 ? shape[0] : groups * round_up(shape[0] / groups, panel_columns);
    }
};

/// One term in the order of a layout.
class laid_out_term {
public:
    /// `taps`: those that the term has, and whose layout it is; `filters`: extents of all.
    laid_out_term(const weight_term& from, const filter_layout& layout, const filter_taps& taps,
                  const extents<4>& filters)
        : layout_(layout), taps_(taps), filters_(filters) {
        const std::size_t outputs = layout.outputs();
        term_.is_signed = from.is_signed;
        term_.width = from.width;
        term_.kind = from.kind;
        term_.outputs = outputs;
        term_.inputs = layout.inputs();
        term_.block_outputs = 1;
        term_.block_inputs = layout.blocks() == 1 ? layout.inputs() : layout.pieces() * layout.padded(0);
        term_.blocks = layout.blocks();
        std::vector<std::size_t> rows(layout.shape[0]); // of the codes, for each output
        std::iota(rows.begin(), rows.end(), std::size_t{0});
        for (std::size_t row = 0; row < from.output_order.size(); ++row)
            rows[from.output_order[row]] = row;
        codes_.reserve(outputs * layout.inputs());
        const std::size_t columns = outputs / layout.groups;
        const std::size_t used = layout.shape[0] / layout.groups;
        for (std::size_t o = 0; o < outputs; ++o) {
            const bool exists = o % columns < used;
            add_row(from, exists ? rows[o / columns * used + o % columns] : rows[0], exists);
        }
        term_.codes = codes_.data();
        term_.exponents = exponents_;
        term_.factors = factors_;
        term_.zero_points = zero_points_;
    }
    laid_out_term(const laid_out_term&) = delete;
    laid_out_term(laid_out_term&&) = default; // what the spans refer to stays where it is
    laid_out_term& operator=(const laid_out_term&) = delete;
    laid_out_term& operator=(laid_out_term&&) = delete;
    ~laid_out_term() = default;

    /// As pack takes it; refers to this object.
    [[nodiscard]] const weight_term& term() const noexcept { return term_; }

private:
    void add_row(const weight_term& from, std::size_t row, bool exists) {
        const std::size_t taps = filters_[2] * filters_[3];
        for (std::size_t b = 0; b < layout_.blocks(); ++b) {
            const std::size_t first = b * layout_.block;
            const std::size_t block = from.block_of(row, first * taps);
            if (!from.exponents.empty())
                exponents_.push_back(from.exponents[block]);
            if (!from.factors.empty())
                factors_.push_back(from.factors[block]);
            if (!from.reals.empty())
                term_.reals.push_back(from.reals[block]);
            if (!from.zero_points.empty())
                zero_points_.push_back(from.zero_points[block]);
            const auto zero = static_cast<std::uint8_t>(from.zero_points.empty() ? 0 : from.zero_points[block]);
            for (std::size_t piece = 0; piece < layout_.pieces(); ++piece)
                for (std::size_t i = 0; i < layout_.padded(b); ++i)
                    codes_.push_back(exists && i < layout_.length(b) && i % layout_.block < layout_.channels(b)
                                         ? code(from, row, first, piece, i)
                                         : zero);
        }
    }
    /// Input i of a piece of a block that begins with channel `first`.
    [[nodiscard]] std::uint8_t code(const weight_term& from, std::size_t row, std::size_t first, std::size_t piece,
                                    std::size_t i) const {
        const std::size_t channel = first + i % layout_.block;
        const std::size_t h = layout_.joined ? piece : piece / taps_.width;
        const std::size_t w = layout_.joined ? i / layout_.block : piece % taps_.width;
        return from.codes[row * from.inputs + (channel * filters_[2] + taps_.top + h) * filters_[3] + taps_.left + w];
    }

    filter_layout layout_;
    filter_taps taps_;
    extents<4> filters_;
    weight_term term_;
    std::vector<std::uint8_t> codes_;
    std::vector<std::int32_t> exponents_;
    std::vector<q31> factors_;
    std::vector<std::int32_t> zero_points_;
};

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
    if (detail::meets_every_pixel(geometry))
        packed.set_transformed(detail::transform_filters<Arch>(packed));
    return packed;
}

} // namespace notch

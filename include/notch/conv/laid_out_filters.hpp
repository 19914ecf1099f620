/// @file
/// Filters in the order in which they are packed. Part of conv/pack_filters.hpp.
#pragma once

#include <notch/conv/packed_filters.hpp>
#include <notch/core/int_math.hpp>
#include <notch/core/tensor_view.hpp>
#include <notch/gemm/packed_weights.hpp>
#include <notch/gemm/weight_term.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <numeric>
#include <vector>

namespace notch::detail {

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
        return groups == 1 || groups_of_panel(shape, groups) > 1 ? shape[0]
                                                                 : groups * round_up(shape[0] / groups, panel_columns);
    }
    /// The packed row of an output.
    [[nodiscard]] std::size_t row_of(std::size_t o) const noexcept {
        const std::size_t used = shape[0] / groups;
        return o / used * (outputs() / groups) + o % used;
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

    /// Calls body(o, row, b, kh, kw, sum) with the sum of the values of each output, which is a packed row, each block of
    /// channels, and each tap.
    template <class Body> void for_each_tap(const Body& body) const {
        const std::size_t taps = layout_.joined ? taps_.width : 1; // of a piece
        for (std::size_t o = 0; o < layout_.shape[0]; ++o) {
            const std::size_t row = layout_.row_of(o);
            const std::uint8_t* codes = codes_.data() + row * term_.inputs;
            for (std::size_t b = 0; b < layout_.blocks(); ++b) {
                const std::int32_t zero = zero_points_.empty() ? 0 : zero_points_[row * layout_.blocks() + b];
                for (std::size_t piece = 0; piece < layout_.pieces(); ++piece, codes += layout_.padded(b))
                    for (std::size_t t = 0; t < taps; ++t) {
                        const std::size_t tap = piece * taps + t;
                        body(o, row, b, taps_.top + tap / taps_.width, taps_.left + tap % taps_.width,
                             sum_of(codes + t * layout_.block, layout_.channels(b), zero));
                    }
            }
        }
    }

private:
    /// The sum of values whose codes lie side by side.
    [[nodiscard]] std::int32_t sum_of(const std::uint8_t* codes, std::size_t count, std::int32_t zero) const noexcept {
        std::int32_t sum = 0;
        for (std::size_t i = 0; i < count; ++i)
            sum += term_.is_signed ? static_cast<std::int8_t>(codes[i]) : codes[i];
        return sum - static_cast<std::int32_t>(count) * zero;
    }
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

} // namespace notch::detail

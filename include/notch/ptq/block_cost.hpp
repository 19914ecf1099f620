/// @file
/// The cost of blocks that share a scale, as a function of the orders of rows and columns.
///
///     J = c sum over blocks B of  max over (o, i) in B of A[o][i]^2 * sum over (o, i) in B of P[o][i]
///     A[o][i] = max over taps |W[o][i]|,   P[o][i] = taps * mean of x_i^2, or taps
///     1 / c = sum of W^2 * mean of x_i^2
///
/// A block whose largest weight is M has steps of about M / 2^(b-1), and rounding gives each of its weights an error
/// of a twelfth of the step squared, which meets the input: J is the noise of rounding over the signal of the layer,
/// up to a factor that is the same for all layers.
#pragma once

#include <notch/core/int_math.hpp>
#include <notch/model/network.hpp>
#include <notch/ptq/channel_links.hpp>
#include <notch/ptq/channel_statistics.hpp>
#include <notch/ptq/fit_weights.hpp>
#include <notch/ptq/policy.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <span>
#include <utility>
#include <variant>
#include <vector>

namespace notch::detail {

/// The weights of a layer, whatever its kind.
struct weight_matrix {
    const float* values = nullptr;      ///< [outputs, inputs, taps]
    std::array<std::size_t, 3> shape{}; ///< outputs, inputs of a group, taps
    std::size_t groups = 1;             ///< cuts of the channels
};

/// The weights of a convolution or product; no values for other layers.
[[nodiscard]] inline weight_matrix weights_of(const operation& op) noexcept {
    if (const auto* conv = std::get_if<convolution>(&op))
        return {conv->weights.values.data(),
                {conv->weights.shape[0], conv->weights.shape[1], conv->weights.shape[2] * conv->weights.shape[3]},
                conv->groups};
    if (const auto* product = std::get_if<linear>(&op))
        return {product->weights.values.data(), {product->weights.shape[0], product->weights.shape[1], 1}, 1};
    return {};
}

/// What the cost knows of a layer. Rows are outputs, columns the inputs of a group.
class blocked_layer {
public:
    /// `squares`: the mean square of every input channel, or none: 1.
    blocked_layer(const layer& it, const grain& cut, std::span<const double> squares)
        : weights_(weights_of(it.op)), input_(it.inputs[0]), output_(it.output) {
        const auto [outputs, inputs, taps] = weights_.shape;
        block_ = block_extents(cut, {outputs, inputs});
        peaks_.resize(outputs * inputs);
        powers_.resize(outputs * inputs);
        double signal = 0;
        for (std::size_t o = 0; o < outputs; ++o)
            for (std::size_t i = 0; i < inputs; ++i) {
                const double power = squares.empty() ? 1.0 : squares[first_input(o) + i];
                double peak = 0;
                for (std::size_t t = 0; t < taps; ++t) {
                    const double w = static_cast<double>(weights_.values[(o * inputs + i) * taps + t]);
                    peak = std::max(peak, w * w);
                    signal += w * w * power;
                }
                peaks_[o * inputs + i] = peak;
                powers_[o * inputs + i] = power * static_cast<double>(taps);
            }
        factor_ = signal > 0 ? 1 / signal : 0;
    }

    [[nodiscard]] const weight_matrix& weights() const noexcept { return weights_; }
    [[nodiscard]] std::size_t rows() const noexcept { return weights_.shape[0]; }
    [[nodiscard]] std::size_t columns() const noexcept { return weights_.shape[1]; }
    [[nodiscard]] std::size_t input() const noexcept { return input_; }
    [[nodiscard]] std::size_t output() const noexcept { return output_; }
    /// Rows and columns of a block.
    [[nodiscard]] const std::array<std::size_t, 2>& block() const noexcept { return block_; }
    [[nodiscard]] std::size_t row_blocks() const noexcept { return ceil_div(rows(), block_[0]); }
    [[nodiscard]] std::size_t column_blocks() const noexcept { return ceil_div(columns(), block_[1]); }
    /// A[o][i]^2.
    [[nodiscard]] double peak(std::size_t o, std::size_t i) const noexcept { return peaks_[o * columns() + i]; }
    /// P[o][i].
    [[nodiscard]] double power(std::size_t o, std::size_t i) const noexcept { return powers_[o * columns() + i]; }
    /// c.
    [[nodiscard]] double factor() const noexcept { return factor_; }
    /// The input channel of column 0 of a row: that of its group.
    [[nodiscard]] std::size_t first_input(std::size_t o) const noexcept {
        return o / (rows() / weights_.groups) * columns();
    }
    /// The old column at a column of a row. A depthwise layer has one.
    [[nodiscard]] std::size_t old_column(std::size_t o, std::size_t i,
                                         const std::vector<std::size_t>& from) const noexcept {
        return columns() == 1 ? 0 : from[first_input(o) + i] - first_input(o);
    }

    /// J, for slots (new -> old) of input and output.
    [[nodiscard]] double operator()(const std::vector<std::size_t>& from, const std::vector<std::size_t>& to) const {
        const std::size_t across = column_blocks();
        std::vector<double> highest(row_blocks() * across);
        std::vector<double> sums(highest.size());
        for (std::size_t o = 0; o < rows(); ++o)
            for (std::size_t i = 0; i < columns(); ++i) {
                const std::size_t b = o / block_[0] * across + i / block_[1];
                const std::size_t at = to[o] * columns() + old_column(o, i, from);
                highest[b] = std::max(highest[b], peaks_[at]);
                sums[b] += powers_[at];
            }
        double cost = 0;
        for (std::size_t b = 0; b < highest.size(); ++b)
            cost += highest[b] * sums[b];
        return factor_ * cost;
    }

private:
    weight_matrix weights_;
    std::size_t input_;
    std::size_t output_;
    std::array<std::size_t, 2> block_{};
    std::vector<double> peaks_{};
    std::vector<double> powers_{};
    double factor_ = 0;
};

/// One axis of a layer, gathered over the blocks of the other axis, whose order stays: for each slot s and line l (a
/// block of the other axis) the largest peak and the sum of the powers. A swap of channels then touches few numbers.
struct gathered_axis {
    std::size_t lines = 0;               ///< blocks of the other axis
    std::size_t blocks = 0;              ///< blocks of this one
    std::vector<std::size_t> block_of{}; ///< of each slot's place
    std::vector<double> peaks{};         ///< [old slot, line]
    std::vector<double> powers{};        ///< [old slot, line]
};

/// Rows of a layer, gathered along the columns in their order.
[[nodiscard]] inline gathered_axis gather_rows(const blocked_layer& of, const std::vector<std::size_t>& from) {
    gathered_axis to{of.column_blocks(), of.row_blocks(), {}, {}, {}};
    to.peaks.resize(of.rows() * to.lines);
    to.powers.resize(of.rows() * to.lines);
    for (std::size_t o = 0; o < of.rows(); ++o) {
        to.block_of.push_back(o / of.block()[0]);
        for (std::size_t i = 0; i < of.columns(); ++i) {
            const std::size_t old = of.old_column(o, i, from);
            const std::size_t at = o * to.lines + i / of.block()[1];
            to.peaks[at] = std::max(to.peaks[at], of.peak(o, old));
            to.powers[at] += of.power(o, old);
        }
    }
    return to;
}

/// Input channels of a layer, gathered along the rows in their order. In a grouped convolution a row meets those of
/// its group.
[[nodiscard]] inline gathered_axis gather_columns(const blocked_layer& of, const std::vector<std::size_t>& to_slots) {
    gathered_axis to{of.row_blocks(), of.column_blocks(), {}, {}, {}};
    const std::size_t slots = of.columns() * of.weights().groups;
    to.peaks.resize(slots * to.lines);
    to.powers.resize(slots * to.lines);
    for (std::size_t s = 0; s < slots; ++s)
        to.block_of.push_back(s % of.columns() / of.block()[1]);
    for (std::size_t o = 0; o < of.rows(); ++o)
        for (std::size_t i = 0; i < of.columns(); ++i) {
            const std::size_t at = (of.first_input(o) + i) * to.lines + o / of.block()[0];
            to.peaks[at] = std::max(to.peaks[at], of.peak(to_slots[o], i));
            to.powers[at] += of.power(to_slots[o], i);
        }
    return to;
}

} // namespace notch::detail

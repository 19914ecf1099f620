/// @file
/// The error of codes as a function of the order of one class, and swaps that lower it.
///
///     E = c sum over blocks of  min over k of  sum over (o, i) in the block of  e[o][i][k]
///     e[o][i][k] = sum over taps of m_i (w - s_k clamp(round(w / s_k)))^2
///
/// s_k are a ladder of scales of the layer: powers of two, or three to the octave. Errors of one scale add up, so they
/// can be gathered over the blocks of the other axis as peaks are (order_cost.hpp), and a swap moves a row of sums
/// between two blocks. Where a class lies along both axes of a layer, each is taken as if the other stayed: an
/// estimate, which the caller checks.
#pragma once

#include <notch/core/int_math.hpp>
#include <notch/ptq/block_cost.hpp>
#include <notch/ptq/fit_weights.hpp>
#include <notch/ptq/order_cost.hpp>
#include <notch/ptq/permutation_classes.hpp>
#include <notch/ptq/policy.hpp>
#include <notch/ptq/reorder_channels.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <utility>
#include <vector>

namespace notch::detail {

/// Scales of a layer, from the one that holds its largest weight downwards.
class scale_ladder {
public:
    scale_ladder(const blocked_layer& of, int bits, scale_form form) : range_(range_of(bits)) {
        double peak = 0;
        for (std::size_t o = 0; o < of.rows(); ++o)
            for (std::size_t i = 0; i < of.columns(); ++i)
                peak = std::max(peak, of.peak(o, i));
        const double top = std::max(std::sqrt(peak) / range_.highest, exp2_exact(-100));
        const double first = power_above(top);
        const std::size_t steps = form == scale_form::power_of_two ? 1 : 3;
        constexpr std::array<double, 3> thirds{1, 0.7937005259840998, 0.6299605249474366}; // 2^(-n / 3)
        for (std::size_t k = 0; k < 10 * steps; ++k)
            scales_.push_back(first * exp2_exact(-static_cast<int>(k / steps)) * thirds[k % steps]);
    }

    [[nodiscard]] std::size_t size() const noexcept { return scales_.size(); }
    /// Adds the errors of the weights of one input of one output, c times, one sum for each scale.
    void add_errors(const blocked_layer& of, std::size_t o, std::size_t i, double* to) const noexcept {
        const std::size_t taps = of.weights().shape[2];
        const float* w = of.weights().values + (o * of.columns() + i) * taps;
        const double m = of.factor() * of.power(o, i) / static_cast<double>(taps);
        for (std::size_t k = 0; k < scales_.size(); ++k) {
            const double inverse = 1 / scales_[k];
            double sum = 0;
            for (std::size_t t = 0; t < taps; ++t) {
                const double x = static_cast<double>(w[t]);
                const double e = x - scales_[k] * code_of(x, inverse, range_);
                sum += e * e;
            }
            to[k] += m * sum;
        }
    }

private:
    weight_range range_;
    std::vector<double> scales_{};
};

/// One axis of a layer: errors of every slot, line (block of the other axis) and scale, and their sums over the blocks.
class axis_errors {
public:
    /// `along_rows`: the class lies along the outputs, else along the inputs.
    axis_errors(const blocked_layer& of, const scale_ladder& ladder, const slot_orders& slots, const class_slots& place,
                bool along_rows)
        : lines_(along_rows ? of.column_blocks() : of.row_blocks()), scales_(ladder.size()), each_(place.per_element),
          sums_((along_rows ? of.row_blocks() : of.column_blocks()) * lines_ * scales_) {
        const std::vector<std::size_t>& from = slots[of.input()];
        const std::vector<std::size_t>& to = slots[of.output()];
        const std::size_t count = along_rows ? of.rows() : of.columns() * of.weights().groups;
        std::vector<double> errors(count * width());
        for (std::size_t o = 0; o < of.rows(); ++o)
            for (std::size_t i = 0; i < of.columns(); ++i) {
                const std::size_t old = of.old_column(o, i, from);
                if (along_rows)
                    ladder.add_errors(of, o, old, errors.data() + o * width() + i / of.block()[1] * scales_);
                else
                    ladder.add_errors(of, to[o], i,
                                      errors.data() + (of.first_input(o) + i) * width() + o / of.block()[0] * scales_);
            }
        const std::vector<std::size_t>& now = along_rows ? to : from;
        for (std::size_t s = 0; s < count; ++s)
            add(sums_.data() + block_at(of, s, along_rows) * width(), errors.data() + now[s] * width(), 1);
        for (const std::size_t s : place.slots) {
            block_of_.push_back(block_at(of, s, along_rows));
            const auto first = errors.begin() + static_cast<std::ptrdiff_t>(s * width());
            errors_.insert(errors_.end(), first, first + static_cast<std::ptrdiff_t>(width()));
        }
    }

    /// How E changes where two places exchange their elements a and b.
    [[nodiscard]] double change(std::size_t place_a, std::size_t place_b, std::size_t a, std::size_t b) {
        touched_.clear();
        for (std::size_t k = 0; k < each_; ++k) {
            move(block_of_[place_a * each_ + k], a * each_ + k, b * each_ + k);
            move(block_of_[place_b * each_ + k], b * each_ + k, a * each_ + k);
        }
        double change = 0;
        for (std::size_t n = 0; n < touched_.size(); ++n)
            change += error(moved_.data() + n * width()) - error(sums_.data() + touched_[n] * width());
        return change;
    }
    /// Makes the exchange that was asked for last.
    void keep() noexcept {
        for (std::size_t n = 0; n < touched_.size(); ++n)
            std::copy_n(moved_.data() + n * width(), width(), sums_.data() + touched_[n] * width());
    }
    /// E of the layer.
    [[nodiscard]] double total() const noexcept {
        double sum = 0;
        for (std::size_t first = 0; first < sums_.size(); first += width())
            sum += error(sums_.data() + first);
        return sum;
    }

private:
    [[nodiscard]] std::size_t width() const noexcept { return lines_ * scales_; }
    [[nodiscard]] static std::size_t block_at(const blocked_layer& of, std::size_t s, bool along_rows) noexcept {
        return along_rows ? s / of.block()[0] : s % of.columns() / of.block()[1];
    }
    void add(double* to, const double* from, double sign) const noexcept {
        for (std::size_t n = 0; n < width(); ++n)
            to[n] += sign * from[n];
    }
    /// In a copy of a block's sums, replaces what one slot brings by what another one brings.
    void move(std::size_t block, std::size_t out, std::size_t in) {
        std::size_t n = 0;
        while (n < touched_.size() && touched_[n] != block)
            ++n;
        if (n == touched_.size()) {
            touched_.push_back(block);
            moved_.resize(std::max(moved_.size(), touched_.size() * width()));
            std::copy_n(sums_.data() + block * width(), width(), moved_.data() + n * width());
        }
        add(moved_.data() + n * width(), errors_.data() + out * width(), -1);
        add(moved_.data() + n * width(), errors_.data() + in * width(), 1);
    }
    [[nodiscard]] double error(const double* sums) const noexcept {
        double error = 0;
        for (std::size_t l = 0; l < lines_; ++l)
            error += *std::min_element(sums + l * scales_, sums + (l + 1) * scales_);
        return error;
    }

    std::size_t lines_;
    std::size_t scales_;
    std::size_t each_;
    std::vector<double> sums_;            // [block, line, scale]
    std::vector<double> errors_{};        // [element, its slots, line, scale]
    std::vector<std::size_t> block_of_{}; // of the slots of each place
    std::vector<std::size_t> touched_{};
    std::vector<double> moved_{};
};

/// Swaps of two channels of a class that lower E. `slots` hold the order it starts from.
class error_search {
public:
    error_search(const std::vector<blocked_layer>& layers, const permutation_class& of, const slot_orders& slots,
                 std::vector<std::size_t> start, int bits, scale_form form)
        : order_(std::move(start)) {
        for (const blocked_layer& it : layers) {
            const class_slots* rows = find_slots(of, it.output());
            const class_slots* columns = it.columns() > 1 ? find_slots(of, it.input()) : nullptr;
            const scale_ladder ladder(it, bits, form);
            for (const class_slots* place : {rows, columns})
                if (place != nullptr)
                    axes_.emplace_back(it, ladder, slots, *place, place == rows);
        }
        for (const axis_errors& axis : axes_)
            total_ += axis.total();
    }

    /// Exchanges the channels of two places if that lowers E by more than rounding.
    bool try_swap(std::size_t a, std::size_t b) {
        double change = 0;
        for (axis_errors& axis : axes_)
            change += axis.change(a, b, order_[a], order_[b]);
        if (!(change < -1e-9 * total_))
            return false;
        for (axis_errors& axis : axes_)
            axis.keep();
        std::swap(order_[a], order_[b]);
        total_ += change;
        return true;
    }
    [[nodiscard]] const std::vector<std::size_t>& order() const noexcept { return order_; }

private:
    std::vector<std::size_t> order_;
    std::vector<axis_errors> axes_{};
    double total_ = 0;
};

} // namespace notch::detail

/// @file
/// The cost of all layers that a permutation class touches, as a function of the order of that class alone.
///
/// Where the class lies along one axis of a layer, the other axis is gathered into its blocks once; then an order costs
/// slots x blocks instead of slots x slots, and a swap two blocks. Where it lies along both (a convolution between two
/// tensors of a stage), an order costs the whole layer, and swaps take each axis as if the other stayed.
#pragma once

#include <notch/ptq/block_cost.hpp>
#include <notch/ptq/permutation_classes.hpp>
#include <notch/ptq/reorder_channels.hpp>

#include <algorithm>
#include <cstddef>
#include <map>
#include <numeric>
#include <span>
#include <utility>
#include <vector>

namespace notch::detail {

/// The slots of a class in a tensor, or nullptr.
[[nodiscard]] inline const class_slots* find_slots(const permutation_class& of, std::size_t tensor) noexcept {
    for (const class_slots& place : of.places)
        if (place.tensor == tensor)
            return &place;
    return nullptr;
}

/// One axis of a layer under the orders of a class.
class axis_cost {
public:
    /// `slots`: new -> old, of the axis; tells where slots of other classes are.
    axis_cost(const gathered_axis& axis, const class_slots& place, const std::vector<std::size_t>& slots, double factor)
        : lines_(axis.lines), each_(place.per_element), factor_(factor), members_(axis.blocks),
          fixed_peaks_(axis.blocks * axis.lines), fixed_powers_(axis.blocks * axis.lines),
          block_of_(place.slots.size()) {
        std::vector<bool> moves(axis.block_of.size());
        for (std::size_t i = 0; i < place.slots.size(); ++i) {
            const std::size_t s = place.slots[i];
            moves[s] = true;
            block_of_[i] = axis.block_of[s];
            members_[block_of_[i]].push_back({i / each_, i % each_});
            for (std::size_t l = 0; l < lines_; ++l) {
                peaks_.push_back(axis.peaks[s * lines_ + l]);
                powers_.push_back(axis.powers[s * lines_ + l]);
            }
        }
        add_fixed(axis, moves, slots);
    }

    [[nodiscard]] std::size_t blocks() const noexcept { return members_.size(); }
    /// The block of the k-th slot of a place.
    [[nodiscard]] std::size_t block_of(std::size_t place, std::size_t k) const noexcept {
        return block_of_[place * each_ + k];
    }
    [[nodiscard]] std::size_t per_element() const noexcept { return each_; }

    /// The part of J of one block. `scratch` is resized as needed.
    [[nodiscard]] double block(std::size_t b, std::span<const std::size_t> order, std::vector<double>& scratch) const {
        scratch.resize(2 * lines_);
        double* peaks = scratch.data();
        double* powers = peaks + lines_;
        std::copy_n(fixed_peaks_.data() + b * lines_, lines_, peaks);
        std::copy_n(fixed_powers_.data() + b * lines_, lines_, powers);
        for (const auto& [place, k] : members_[b]) {
            const std::size_t at = (order[place] * each_ + k) * lines_;
            for (std::size_t l = 0; l < lines_; ++l) {
                peaks[l] = std::max(peaks[l], peaks_[at + l]);
                powers[l] += powers_[at + l];
            }
        }
        double cost = 0;
        for (std::size_t l = 0; l < lines_; ++l)
            cost += peaks[l] * powers[l];
        return factor_ * cost;
    }
    /// Adds to the key of each element what it would cost if all blocks were its own size: peaks times mean powers.
    void add_keys(std::vector<double>& keys) const {
        std::vector<double> means(lines_);
        for (std::size_t i = 0; i < powers_.size(); ++i)
            means[i % lines_] += powers_[i] / static_cast<double>(keys.size());
        for (std::size_t i = 0; i < peaks_.size(); ++i)
            keys[i / (lines_ * each_)] += factor_ * peaks_[i] * means[i % lines_];
    }

private:
    struct member {
        std::size_t place;
        std::size_t k;
    };
    /// Slots of other classes, and those that never move.
    void add_fixed(const gathered_axis& axis, const std::vector<bool>& moves, const std::vector<std::size_t>& slots) {
        for (std::size_t s = 0; s < moves.size(); ++s)
            for (std::size_t l = 0; l < lines_ && !moves[s]; ++l) {
                const std::size_t at = axis.block_of[s] * lines_ + l;
                fixed_peaks_[at] = std::max(fixed_peaks_[at], axis.peaks[slots[s] * lines_ + l]);
                fixed_powers_[at] += axis.powers[slots[s] * lines_ + l];
            }
    }

    std::size_t lines_;
    std::size_t each_;
    double factor_;
    std::vector<std::vector<member>> members_;
    std::vector<double> fixed_peaks_;
    std::vector<double> fixed_powers_;
    std::vector<std::size_t> block_of_;
    std::vector<double> peaks_{};
    std::vector<double> powers_{};
};

/// The cost of the orders of a class, all others staying. Keeps references to its arguments.
class order_cost {
public:
    order_cost(const std::vector<blocked_layer>& layers, const permutation_class& of, const slot_orders& slots)
        : of_(of), slots_(slots) {
        std::vector<axis_cost> halves; // axes of layers that the class has both of, each with the other as it is
        for (const blocked_layer& it : layers) {
            const class_slots* rows = find_slots(of, it.output());
            const class_slots* columns = it.columns() > 1 ? find_slots(of, it.input()) : nullptr;
            const bool is_both = rows != nullptr && columns != nullptr;
            if (is_both)
                both_.push_back({&it, rows, columns});
            std::vector<axis_cost>& to = is_both ? halves : axes_;
            if (rows != nullptr)
                to.emplace_back(gather_rows(it, slots[it.input()]), *rows, slots[it.output()], it.factor());
            if (columns != nullptr)
                to.emplace_back(gather_columns(it, slots[it.output()]), *columns, slots[it.input()], it.factor());
        }
        alone_ = axes_.size();
        axes_.insert(axes_.end(), halves.begin(), halves.end());
        label_places();
    }

    [[nodiscard]] std::size_t size() const noexcept { return of_.size; }
    /// All axes along which the class lies.
    [[nodiscard]] const std::vector<axis_cost>& axes() const noexcept { return axes_; }
    /// Whether J is the sum over the axes. It is an estimate where the class has both axes of a layer.
    [[nodiscard]] bool is_sum_of_axes() const noexcept { return both_.empty(); }
    /// Places with one label lie in the same blocks everywhere: exchanging their channels changes nothing.
    [[nodiscard]] const std::vector<std::size_t>& labels() const noexcept { return labels_; }
    [[nodiscard]] std::size_t label_count() const noexcept { return label_count_; }

    /// The cost of an order.
    [[nodiscard]] double operator()(std::span<const std::size_t> order) const {
        std::vector<double> scratch;
        double cost = 0;
        for (std::size_t x = 0; x < alone_; ++x)
            for (std::size_t b = 0; b < axes_[x].blocks(); ++b)
                cost += axes_[x].block(b, order, scratch);
        for (const auto& [layer, rows, columns] : both_) {
            std::vector<std::size_t> from = slots_[layer->input()];
            std::vector<std::size_t> to = slots_[layer->output()];
            place_slots(*rows, order, to);
            place_slots(*columns, order, from);
            cost += (*layer)(from, to);
        }
        return cost;
    }
    /// Elements by falling share of the cost; of equal ones the first stays first.
    [[nodiscard]] std::vector<std::size_t> sorted() const {
        std::vector<double> keys(of_.size);
        for (const axis_cost& axis : axes_)
            axis.add_keys(keys);
        std::vector<std::size_t> order(of_.size);
        std::iota(order.begin(), order.end(), std::size_t{0});
        std::ranges::stable_sort(order, [&](std::size_t a, std::size_t b) { return keys[a] > keys[b]; });
        return order;
    }

private:
    struct layer_of_both {
        const blocked_layer* layer;
        const class_slots* rows;
        const class_slots* columns;
    };
    void label_places() {
        std::map<std::vector<std::size_t>, std::size_t> known;
        for (std::size_t place = 0; place < of_.size; ++place) {
            std::vector<std::size_t> blocks;
            for (const axis_cost& axis : axes_)
                for (std::size_t k = 0; k < axis.per_element(); ++k)
                    blocks.push_back(axis.block_of(place, k));
            labels_.push_back(known.emplace(std::move(blocks), known.size()).first->second);
        }
        label_count_ = known.size();
    }

    const permutation_class& of_;
    const slot_orders& slots_;
    std::vector<axis_cost> axes_{};
    std::size_t alone_ = 0; // axes of layers that the class has one of; the others follow
    std::vector<layer_of_both> both_{};
    std::vector<std::size_t> labels_{};
    std::size_t label_count_ = 0;
};

} // namespace notch::detail

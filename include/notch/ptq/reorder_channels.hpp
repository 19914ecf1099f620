/// @file
/// reorder: a network whose channels have changed places, within the classes of permutation_classes.hpp.
///
///     W'[o][i] = W[p(o)][q(i)],  b'[o] = b[p(o)]      p: new -> old slot of the result, q: of the operand
///
/// and batch norms and maps per channel alike. The network computes the same function; integer weights and images give
/// the same bits, floats differ by the order of their sums. Running it costs what it cost before.
#pragma once

#include <notch/core/error.hpp>
#include <notch/model/network.hpp>
#include <notch/model/shapes.hpp>
#include <notch/ptq/permutation_classes.hpp>

#include <cstddef>
#include <numeric>
#include <span>
#include <string>
#include <utility>
#include <variant>
#include <vector>

namespace notch {

/// Every element where it is.
[[nodiscard]] inline channel_orders identity_orders(const std::vector<permutation_class>& classes) {
    channel_orders order;
    for (const permutation_class& c : classes) {
        order.emplace_back(c.size);
        std::iota(order.back().begin(), order.back().end(), std::size_t{0});
    }
    return order;
}

/// Raises shape_error for an order of another length, range_error for one that is no permutation; both name the class.
inline void check_channel_orders(const std::vector<permutation_class>& classes, const channel_orders& order) {
    if (order.size() != classes.size())
        detail::raise<shape_error>("an order of ", order.size(), " classes; the network has ", classes.size());
    for (std::size_t c = 0; c < classes.size(); ++c) {
        const std::string at = detail::text("class ", c, " '", classes[c].name, "'");
        if (order[c].size() != classes[c].size)
            detail::raise<shape_error>(at, ": an order of ", order[c].size(), " channels; the class has ",
                                       classes[c].size);
        std::vector<bool> seen(classes[c].size);
        for (std::size_t place = 0; place < order[c].size(); ++place) {
            const std::size_t old = order[c][place];
            if (old >= classes[c].size)
                detail::raise<range_error>(at, ": channel ", old, " at place ", place, "; the last one is ",
                                           classes[c].size - 1);
            if (seen[old])
                detail::raise<range_error>(at, ": channel ", old, " comes twice, again at place ", place);
            seen[old] = true;
        }
    }
}

/// The order that takes back an order: inverse[c][order[c][i]] = i. Precondition: each is a permutation.
[[nodiscard]] inline channel_orders inverse_orders(const channel_orders& order) {
    channel_orders inverse = order;
    for (std::size_t c = 0; c < order.size(); ++c)
        for (std::size_t i = 0; i < order[c].size(); ++i)
            inverse[c][order[c][i]] = i;
    return inverse;
}

namespace detail {

/// New -> old slot, for every tensor.
using slot_orders = std::vector<std::vector<std::size_t>>;

/// Every slot where it is.
[[nodiscard]] inline slot_orders identity_slots(const std::vector<shape_of_image>& shapes) {
    slot_orders to;
    for (const shape_of_image& shape : shapes) {
        to.emplace_back(shape.empty() ? 0 : shape[0]);
        std::iota(to.back().begin(), to.back().end(), std::size_t{0});
    }
    return to;
}

/// Writes where the slots of a class come from, in one tensor.
inline void place_slots(const class_slots& place, std::span<const std::size_t> order, std::vector<std::size_t>& to) {
    const std::size_t each = place.per_element;
    for (std::size_t i = 0; i < place.slots.size(); ++i)
        to[place.slots[i]] = place.slots[order[i / each] * each + i % each];
}
/// The same, in all tensors.
inline void place_slots(const permutation_class& of, std::span<const std::size_t> order, slot_orders& to) {
    for (const class_slots& place : of.places)
        place_slots(place, order, to[place.tensor]);
}

/// Raises shape_error for classes with slots that the network does not have.
inline void check_classes(const std::vector<permutation_class>& classes, const slot_orders& slots) {
    for (const permutation_class& of : classes)
        for (const class_slots& place : of.places) {
            bool fits = place.tensor < slots.size() && place.slots.size() == of.size * place.per_element;
            for (std::size_t i = 0; fits && i < place.slots.size(); ++i)
                fits = place.slots[i] < slots[place.tensor].size();
            if (!fits)
                raise<shape_error>("class '", of.name, "' is of another network: tensor ", place.tensor, " of ",
                                   slots.size(), " has no such channels");
        }
}

/// Moves what belongs to channels, given the orders of the slots of a layer's operand and result.
class channel_mover {
public:
    channel_mover(const std::vector<std::size_t>& from, const std::vector<std::size_t>& to) : from_(from), to_(to) {}

    void operator()(convolution& op) const {
        move_weights(op.weights, op.groups);
        move(op.bias, to_);
    }
    void operator()(linear& op) const {
        move_weights(op.weights, 1);
        move(op.bias, to_);
    }
    void operator()(batch_norm& op) const {
        for (auto* list : {&op.gain, &op.shift, &op.mean, &op.variance})
            move(*list, to_);
    }
    void operator()(affine_map& op) const {
        for (auto* list : {&op.factor, &op.offset})
            if (list->size() == to_.size()) // one number for all stays
                move(*list, to_);
    }
    template <class Other> void operator()(Other&) const noexcept {}

private:
    static void move(std::vector<float>& list, const std::vector<std::size_t>& order) {
        if (list.empty())
            return;
        std::vector<float> moved(list.size());
        for (std::size_t i = 0; i < moved.size(); ++i)
            moved[i] = list[order[i]];
        list = std::move(moved);
    }
    /// Rows [O], columns [I / groups] and what lies behind them.
    void move_weights(float_array& weights, std::size_t groups) const {
        const std::size_t outputs = weights.shape[0];
        const std::size_t inputs = weights.shape[1];
        const std::size_t taps = weights.values.size() / (outputs * inputs);
        std::vector<float> moved;
        moved.reserve(weights.values.size());
        for (std::size_t o = 0; o < outputs; ++o) {
            const std::size_t first = o / (outputs / groups) * inputs; // of the group
            for (std::size_t i = 0; i < inputs; ++i) {
                const std::size_t old = inputs == 1 ? 0 : from_[first + i] - first; // depthwise has one column
                if (old >= inputs)
                    raise<shape_error>("channel ", from_[first + i], " would leave the group of ", inputs,
                                       " channels that begins with channel ", first);
                const float* from = weights.values.data() + (to_[o] * inputs + old) * taps;
                moved.insert(moved.end(), from, from + taps);
            }
        }
        weights.values = std::move(moved);
    }

    const std::vector<std::size_t>& from_;
    const std::vector<std::size_t>& to_;
};

/// The network with the slots of its tensors moved.
[[nodiscard]] inline network with_slots(network net, const slot_orders& slots) {
    for (layer& it : net.layers)
        std::visit(channel_mover(slots[it.inputs[0]], slots[it.output]), it.op);
    return net;
}

} // namespace detail

/// The network with the channels of each class in an order (new place -> old channel). Names, tensors and layers keep
/// their numbers. Precondition: classes are those of this network, or of one that differs only in weights. Raises the
/// errors of check_channel_orders and infer_shapes, shape_error for classes that cannot be of this network.
[[nodiscard]] inline network reorder(const network& net, const std::vector<permutation_class>& classes,
                                     const channel_orders& order) {
    check_channel_orders(classes, order);
    detail::slot_orders slots = detail::identity_slots(detail::inferred_shapes(net));
    detail::check_classes(classes, slots);
    for (std::size_t c = 0; c < classes.size(); ++c)
        detail::place_slots(classes[c], order[c], slots);
    return detail::with_slots(net, slots);
}

} // namespace notch

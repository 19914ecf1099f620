/// @file
/// Channel permutation classes: which channels of a network can change places without changing what it computes.
///
///     const auto classes = find_permutation_classes(net);
///     channel_orders orders = identity_orders(classes);
///     std::swap(orders[0][1], orders[0][2]);                  // new place -> old channel, for each class
///     const network same = reorder(net, classes, orders);     // reorder_channels.hpp
///
/// **Elements.** Slots (a tensor and a channel of it) that links tie together (channel_links.hpp) form an element: one
/// channel as it travels through maps, pools, sums and shortcuts. It may have several slots in a tensor, as behind
/// Flatten; they are numbered upwards. An element with a slot of the network's input or output, or of a layer that ties
/// its slots, stays where it is.
///
/// **Classes.** Two elements belong to one class if they have equally many slots in every tensor, the k-th ones in the
/// same group of every grouped convolution, and if a link leads from the k-th slot of the one to its m-th slot exactly
/// where it does so for the other. So what begins in the constants of a pad never meets what begins in a convolution.
///
/// **Why any permutation of a class is right.** Let it move the k-th slot of each element, in every tensor, to where
/// the k-th slot of another element was. Links go to links. An operation of links treats all slots alike, so it gives
/// the moved result for moved operands; what a pad adds is the same everywhere. A convolution or product gives it once
/// its rows are moved like the slots of its result and its columns like those of its operand; groups keep their
/// channels. So every tensor is the old one with moved slots, and the output, where nothing moves, is the old one -
/// but for the order of float sums.
#pragma once

#include <notch/core/error.hpp>
#include <notch/model/network.hpp>
#include <notch/model/shapes.hpp>
#include <notch/ptq/channel_links.hpp>

#include <cstddef>
#include <initializer_list>
#include <map>
#include <numeric>
#include <string>
#include <utility>
#include <variant>
#include <vector>

namespace notch {

/// Where the elements of a class lie in one tensor.
struct class_slots {
    std::size_t tensor = 0;           ///< its number
    std::size_t per_element = 1;      ///< slots of each element
    std::vector<std::size_t> slots{}; ///< [elements, per_element], upwards for each element
};

/// Elements that can change places with each other.
struct permutation_class {
    std::string name{};                ///< of the first tensor that has them
    std::size_t size = 0;              ///< elements, at least 2
    std::vector<class_slots> places{}; ///< tensors that have them, upwards
};

/// For each class a permutation: the old element at each place.
using channel_orders = std::vector<std::vector<std::size_t>>;

namespace detail {

/// Finds elements by union-find over slots, and sorts them into classes.
class class_finder {
public:
    explicit class_finder(const network& net) : net_(net), shapes_(inferred_shapes(net)) {
        for (const shape_of_image& shape : shapes_) {
            first_.push_back(parents_.size());
            parents_.resize(parents_.size() + (shape.empty() ? 0 : shape[0]));
        }
        std::iota(parents_.begin(), parents_.end(), std::size_t{0});
        tied_.resize(parents_.size());
        for (const layer& it : net.layers)
            links_.push_back(find_links(it, shapes_));
    }

    [[nodiscard]] std::vector<permutation_class> find() {
        join();
        rank_slots();
        sign();
        std::map<std::vector<std::size_t>, std::vector<std::size_t>> alike; // signature -> elements
        for (std::size_t slot = 0; slot < parents_.size(); ++slot)
            if (root(slot) == slot && !tied_[slot])
                alike[signatures_[slot]].push_back(slot);
        std::map<std::size_t, std::vector<std::size_t>> in_order; // of the first elements
        for (auto& [signature, elements] : alike)
            if (elements.size() > 1)
                in_order[elements[0]] = std::move(elements);
        std::vector<permutation_class> classes;
        for (const auto& [first, elements] : in_order)
            classes.push_back(as_class(elements));
        return classes;
    }

private:
    [[nodiscard]] std::size_t root(std::size_t slot) noexcept {
        while (parents_[slot] != slot) {
            parents_[slot] = parents_[parents_[slot]];
            slot = parents_[slot];
        }
        return slot;
    }
    /// The smallest slot stands for an element.
    void unite(std::size_t a, std::size_t b) noexcept {
        a = root(a);
        b = root(b);
        parents_[a < b ? b : a] = a < b ? a : b;
    }
    [[nodiscard]] std::size_t channels(std::size_t tensor) const noexcept {
        return shapes_[tensor].empty() ? 0 : shapes_[tensor][0];
    }
    void join() {
        for (std::size_t i = 0; i < net_.layers.size(); ++i)
            for (const channel_link& link : links_[i].list)
                unite(first_[net_.layers[i].inputs[link.operand]] + link.from, first_[net_.layers[i].output] + link.to);
        tie(net_.input);
        tie(net_.output);
        for (std::size_t i = 0; i < net_.layers.size(); ++i)
            if (links_[i].is_tied) {
                tie(net_.layers[i].inputs[0]);
                tie(net_.layers[i].output);
            }
    }
    void tie(std::size_t tensor) {
        for (std::size_t s = 0; s < channels(tensor); ++s)
            tied_[root(first_[tensor] + s)] = true;
    }
    /// The number of each slot among those that its element has in the tensor.
    void rank_slots() {
        ranks_.resize(parents_.size());
        for (std::size_t t = 0; t < shapes_.size(); ++t) {
            std::map<std::size_t, std::size_t> count;
            for (std::size_t s = 0; s < channels(t); ++s)
                ranks_[first_[t] + s] = count[root(first_[t] + s)]++;
        }
    }
    /// What has to be equal for two elements to change places.
    void sign() {
        signatures_.resize(parents_.size());
        for (std::size_t t = 0; t < shapes_.size(); ++t)
            for (std::size_t s = 0; s < channels(t); ++s)
                signatures_[root(first_[t] + s)].push_back(t);
        for (std::size_t i = 0; i < net_.layers.size(); ++i) {
            const layer& it = net_.layers[i];
            for (const channel_link& link : links_[i].list) {
                const std::size_t to = first_[it.output] + link.to;
                const std::size_t from = first_[it.inputs[link.operand]] + link.from;
                add(to, {shapes_.size() + i, link.operand, ranks_[from], ranks_[to]});
            }
            if (const auto* conv = std::get_if<convolution>(&it.op);
                conv != nullptr && conv->groups > 1 && links_[i].list.empty()) {
                sign_groups(i, it.inputs[0], conv->groups);
                sign_groups(i, it.output, conv->groups);
            }
        }
    }
    void sign_groups(std::size_t i, std::size_t tensor, std::size_t groups) {
        for (std::size_t s = 0; s < channels(tensor); ++s)
            add(first_[tensor] + s, {shapes_.size() + i, tensor, s / (channels(tensor) / groups)});
    }
    void add(std::size_t slot, std::initializer_list<std::size_t> numbers) {
        std::vector<std::size_t>& to = signatures_[root(slot)];
        to.insert(to.end(), numbers);
    }
    [[nodiscard]] permutation_class as_class(const std::vector<std::size_t>& elements) {
        std::map<std::size_t, std::size_t> number; // of each element
        for (const std::size_t element : elements)
            number.emplace(element, number.size());
        permutation_class to{{}, elements.size(), {}};
        for (std::size_t t = 0; t < shapes_.size(); ++t) {
            std::vector<std::vector<std::size_t>> slots(elements.size());
            for (std::size_t s = 0; s < channels(t); ++s)
                if (const auto it = number.find(root(first_[t] + s)); it != number.end())
                    slots[it->second].push_back(s);
            if (slots[0].empty())
                continue;
            class_slots place{t, slots[0].size(), {}};
            for (const auto& of_element : slots)
                place.slots.insert(place.slots.end(), of_element.begin(), of_element.end());
            to.places.push_back(std::move(place));
        }
        to.name = net_.tensors[to.places[0].tensor].name;
        return to;
    }

    const network& net_;
    std::vector<shape_of_image> shapes_;
    std::vector<std::size_t> first_{}; // slot 0 of each tensor among all slots
    std::vector<std::size_t> parents_{};
    std::vector<bool> tied_{}; // of roots
    std::vector<std::size_t> ranks_{};
    std::vector<std::vector<std::size_t>> signatures_{}; // of roots
    std::vector<channel_links> links_{};
};

} // namespace detail

/// The classes of a network that have at least two elements, in the order of their first slots. Deterministic. Batch
/// norms need not be folded. Raises the errors of infer_shapes.
[[nodiscard]] inline std::vector<permutation_class> find_permutation_classes(const network& net) {
    return detail::class_finder(net).find();
}

} // namespace notch

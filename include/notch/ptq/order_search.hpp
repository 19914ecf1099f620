/// @file
/// Searches for the order of a permutation class of least cost: swaps downhill, and an evolution.
///
/// Both are functions of the cost, the start and a seed, and never return anything dearer than their start.
#pragma once

#include <notch/core/random.hpp>
#include <notch/ptq/order_cost.hpp>
#include <notch/ptq/reorder_options.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

namespace notch {

namespace detail {

/// One order: the old element at each place.
using element_order = std::vector<std::size_t>;

/// Random numbers in sequence, from a seed.
class random_sequence {
public:
    explicit random_sequence(std::uint64_t seed) noexcept : seed_(seed) {}
    /// Uniform over [0, n), up to n / 2^64. Precondition: n > 0.
    [[nodiscard]] std::size_t below(std::size_t n) noexcept {
        return static_cast<std::size_t>(counter_bits(seed_, count_++) % n);
    }
    /// True with a probability.
    [[nodiscard]] bool chance(double probability) noexcept { return counter_uniform(seed_, count_++) < probability; }

private:
    std::uint64_t seed_;
    std::uint64_t count_ = 0;
};

/// Swaps of two channels, with the cost of what they touch, along all axes of the class.
class swap_search {
public:
    swap_search(const order_cost& cost, element_order start) : cost_(cost), order_(std::move(start)) {
        for (const axis_cost& axis : cost.axes()) {
            parts_.emplace_back(axis.blocks());
            for (std::size_t b = 0; b < axis.blocks(); ++b)
                parts_.back()[b] = axis.block(b, order_, scratch_);
        }
    }

    /// Exchanges the channels of two places if that makes the order cheaper by more than rounding.
    bool try_swap(std::size_t a, std::size_t b) {
        std::swap(order_[a], order_[b]);
        double before = 0;
        double after = 0;
        changed_.clear();
        for (std::size_t x = 0; x < parts_.size(); ++x) {
            touched_blocks(cost_.axes()[x], a, b);
            for (const std::size_t block : touched_) {
                changed_.push_back({x, block, cost_.axes()[x].block(block, order_, scratch_)});
                before += parts_[x][block];
                after += changed_.back().cost;
            }
        }
        if (!(after < before * (1 - 1e-9))) {
            std::swap(order_[a], order_[b]);
            return false;
        }
        for (const part& it : changed_)
            parts_[it.axis][it.block] = it.cost;
        return true;
    }
    [[nodiscard]] const element_order& order() const noexcept { return order_; }

private:
    struct part {
        std::size_t axis;
        std::size_t block;
        double cost;
    };
    void touched_blocks(const axis_cost& axis, std::size_t a, std::size_t b) {
        touched_.clear();
        for (std::size_t k = 0; k < axis.per_element(); ++k)
            if (axis.block_of(a, k) != axis.block_of(b, k))
                for (const std::size_t block : {axis.block_of(a, k), axis.block_of(b, k)})
                    if (std::ranges::find(touched_, block) == touched_.end())
                        touched_.push_back(block);
    }

    const order_cost& cost_;
    element_order order_;
    std::vector<std::vector<double>> parts_{}; // of each block of each axis
    std::vector<part> changed_{};
    std::vector<std::size_t> touched_{};
    std::vector<double> scratch_{};
};

/// Swaps downhill until a pass over all pairs finds nothing. Where a class has more than `partners` elements, a pass
/// tries that many random places for each. `labels`: exchanging places of one label changes nothing.
template <class Search>
[[nodiscard]] element_order descend(Search search, const std::vector<std::size_t>& labels,
                                    const descent_options& options, std::uint64_t seed) {
    const std::size_t size = labels.size();
    const bool all = size <= options.partners;
    random_sequence random(seed);
    bool is_better = true;
    for (std::size_t pass = 0; pass < options.passes && is_better; ++pass) {
        is_better = false;
        for (std::size_t a = 0; a < size; ++a)
            for (std::size_t n = all ? a + 1 : 0; n < (all ? size : options.partners); ++n) {
                const std::size_t b = all ? n : random.below(size);
                is_better |= labels[a] != labels[b] && search.try_swap(a, b);
            }
    }
    return search.order();
}

/// An evolution of orders, see evolution_options.
class order_evolution {
public:
    order_evolution(const order_cost& cost, const evolution_options& options, std::uint64_t seed)
        : cost_(cost), options_(options), random_(seed) {
        std::vector<std::vector<std::size_t>> places(cost.label_count());
        block_ = cost.size();
        for (const std::size_t label : cost.labels())
            places[label].push_back(label);
        for (const auto& of_label : places)
            block_ = std::min(block_, of_label.size());
    }

    /// The best order that grows from some: these, and the best of them with 1 to C / 4 swaps.
    [[nodiscard]] element_order operator()(const std::vector<element_order>& starts) {
        found(starts);
        std::size_t stale = 0;
        for (std::size_t g = 0; g < options_.generations && stale < options_.stale; ++g) {
            const double best = living_[0].cost;
            breed();
            stale = living_[0].cost < best ? 0 : stale + 1;
        }
        return living_[0].order;
    }

private:
    struct individual {
        element_order order;
        double cost;
    };
    void add(std::vector<individual>& to, element_order order) const {
        const double cost = cost_(order);
        to.push_back({std::move(order), cost});
    }
    /// Of equal cost the first stays first.
    static void rank(std::vector<individual>& of) { std::ranges::stable_sort(of, {}, &individual::cost); }
    void found(const std::vector<element_order>& starts) {
        for (const element_order& order : starts)
            add(living_, order);
        rank(living_);
        const element_order best = living_[0].order;
        while (living_.size() < options_.population) {
            element_order order = best;
            const std::size_t swaps = 1 + random_.below(std::max<std::size_t>(cost_.size() / 4, 1));
            for (std::size_t i = 0; i < swaps; ++i)
                swap(order);
            add(living_, std::move(order));
        }
        rank(living_);
    }
    void breed() {
        std::vector<individual> next(
            living_.begin(), living_.begin() + static_cast<std::ptrdiff_t>(std::min(options_.elite, living_.size())));
        while (next.size() < options_.population) {
            element_order child = select();
            if (random_.chance(options_.crossover))
                child = crossed(child, select());
            if (random_.chance(options_.swap))
                swap(child);
            if (random_.chance(options_.rotate))
                rotate(child);
            add(next, std::move(child));
        }
        rank(next);
        living_ = std::move(next);
    }
    /// The best of a few; orders are ranked.
    [[nodiscard]] const element_order& select() {
        std::size_t best = living_.size() - 1;
        for (std::size_t i = 0; i < options_.tournament; ++i)
            best = std::min(best, random_.below(living_.size()));
        return living_[best].order;
    }
    /// OX1: a run of one parent stays, the others follow behind it in the order of the other parent.
    [[nodiscard]] element_order crossed(const element_order& mother, const element_order& father) {
        const std::size_t size = mother.size();
        std::size_t first = random_.below(size);
        std::size_t last = random_.below(size);
        if (last < first)
            std::swap(first, last);
        std::vector<bool> taken(size);
        element_order child = mother;
        for (std::size_t i = first; i <= last; ++i)
            taken[mother[i]] = true;
        std::size_t to = (last + 1) % size;
        for (std::size_t i = 1; i <= size; ++i) {
            const std::size_t element = father[(last + i) % size];
            if (taken[element])
                continue;
            child[to] = element;
            to = (to + 1) % size;
        }
        return child;
    }
    /// Two channels of different blocks change places. There are at least two labels.
    void swap(element_order& order) {
        const std::size_t a = random_.below(order.size());
        std::size_t b = random_.below(order.size());
        while (cost_.labels()[a] == cost_.labels()[b])
            b = random_.below(order.size());
        std::swap(order[a], order[b]);
    }
    /// A run of two blocks, beginning anywhere, moves round by less than a block.
    void rotate(element_order& order) {
        const std::size_t run = std::min(2 * block_, order.size());
        const std::size_t first = random_.below(order.size() - run + 1);
        const auto begin = order.begin() + static_cast<std::ptrdiff_t>(first);
        std::rotate(begin, begin + static_cast<std::ptrdiff_t>(1 + random_.below(std::max<std::size_t>(block_, 1))),
                    begin + static_cast<std::ptrdiff_t>(run));
    }

    const order_cost& cost_;
    evolution_options options_;
    random_sequence random_;
    std::size_t block_ = 1; // places of the label that has fewest
    std::vector<individual> living_{};
};

} // namespace detail
} // namespace notch

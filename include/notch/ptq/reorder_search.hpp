/// @file
/// The search for the orders of all classes of a network: class after class, a few times round.
///
/// Classes that share no layer form a wave, whose searches run at the same time. A new order of a class replaces the
/// one before it if its layers lose less in codes (E falls), or if they are cheaper (J falls) and lose no more. J
/// summed over all layers may rise again while E falls, but never above where it began: classes of a wave get equal
/// parts of what is left.
#pragma once

#include <notch/core/error.hpp>
#include <notch/core/executor.hpp>
#include <notch/core/random.hpp>
#include <notch/model/network.hpp>
#include <notch/model/shapes.hpp>
#include <notch/ptq/block_cost.hpp>
#include <notch/ptq/block_fit_error.hpp>
#include <notch/ptq/channel_statistics.hpp>
#include <notch/ptq/order_cost.hpp>
#include <notch/ptq/order_error.hpp>
#include <notch/ptq/order_search.hpp>
#include <notch/ptq/permutation_classes.hpp>
#include <notch/ptq/policy.hpp>
#include <notch/ptq/reorder_channels.hpp>
#include <notch/ptq/reorder_options.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace notch::detail {

/// Searches the orders of all classes of a network.
class reorder_search {
public:
    reorder_search(const network& net, const std::vector<permutation_class>& classes, const grain& cut,
                   std::span<const measured_channels> seen, const reorder_options& options)
        : classes_(classes), options_(options), search_(options.bits, weight_fit::least_squares, options.scales),
          order_(identity_orders(classes)), slots_(identity_slots(inferred_shapes(net))) {
        check(net, cut, seen);
        for (const layer& it : net.layers)
            if (weights_of(it.op).values != nullptr &&
                std::ranges::find(options.left_out, it.name) == options.left_out.end())
                add_layer(it, cut_of(it, cut), seen.empty() ? std::span<const double>() : seen[it.inputs[0]].squares);
        for (const permutation_class& of : classes)
            touched_.push_back(layers_with(of));
        find_waves();
        first_cost_ = total_cost();
    }

    template <class Run> [[nodiscard]] found_orders find(Run&& run) {
        found_orders to;
        begin_report(to.report);
        for (std::size_t round = 0; round < options_.sort_rounds; ++round)
            if (!all_classes(run, 0, true))
                break;
        for (std::size_t round = 0; round < options_.rounds && options_.method != reorder_method::sort; ++round)
            if (!all_classes(run, round, false))
                break;
        end_report(to.report);
        to.orders = order_;
        return to;
    }

private:
    /// A better order of a class and the errors of its layers; nothing where none was found.
    struct proposal {
        element_order order{};
        std::vector<double> errors{};
    };

    void check(const network& net, const grain& cut, std::span<const measured_channels> seen) const {
        check_bits(options_.bits, "reordering");
        check_grain(cut);
        check_classes(classes_, slots_);
        if (options_.method == reorder_method::evolution && options_.evolution.population < 2)
            raise<range_error>("an evolution of ", options_.evolution.population, " orders; at least 2 are needed");
        std::vector<std::string> named = options_.left_out;
        for (const layer_override& o : options_.overrides) {
            named.push_back(o.layer);
            if (o.cut)
                check_grain(*o.cut);
        }
        for (const std::string& name : named)
            if (std::ranges::find(net.layers, name, &layer::name) == net.layers.end())
                raise<range_error>("options of reordering name layer '", name, "', which the network does not have");
        if (!seen.empty() && seen.size() != slots_.size())
            raise<shape_error>("statistics of ", seen.size(), " tensors; the network has ", slots_.size());
        for (std::size_t t = 0; t < seen.size(); ++t)
            if (!seen[t].squares.empty() && seen[t].squares.size() != slots_[t].size())
                raise<shape_error>("statistics of ", seen[t].squares.size(), " channels of ", tensor_text(net, t),
                                   ", which has ", slots_[t].size());
    }
    /// The grain of a layer; of several overrides the last one that has one.
    [[nodiscard]] grain cut_of(const layer& it, grain cut) const {
        for (const layer_override& o : options_.overrides)
            if (o.layer == it.name && o.cut)
                cut = *o.cut;
        return cut;
    }
    void add_layer(const layer& it, const grain& cut, std::span<const double> squares) {
        layers_.emplace_back(it, cut, squares);
        names_.push_back(it.name);
        errors_.push_back(fit_error(layers_.back(), search_, slots_[it.inputs[0]], slots_[it.output]));
    }
    [[nodiscard]] std::vector<std::size_t> layers_with(const permutation_class& of) const {
        std::vector<std::size_t> to;
        for (std::size_t i = 0; i < layers_.size(); ++i)
            if (find_slots(of, layers_[i].output()) != nullptr || find_slots(of, layers_[i].input()) != nullptr)
                to.push_back(i);
        return to;
    }
    /// Classes of a wave share no layer; each class is in the first wave that takes it.
    void find_waves() {
        std::vector<std::vector<bool>> taken; // layers, of each wave
        for (std::size_t c = 0; c < classes_.size(); ++c) {
            std::size_t w = 0;
            while (w < taken.size() && std::ranges::any_of(touched_[c], [&](std::size_t i) { return taken[w][i]; }))
                ++w;
            if (w == taken.size()) {
                taken.emplace_back(layers_.size());
                waves_.emplace_back();
            }
            for (const std::size_t i : touched_[c])
                taken[w][i] = true;
            waves_[w].push_back(c);
        }
    }

    /// Searches all classes once; whether any has a new order.
    template <class Run> bool all_classes(Run&& run, std::size_t round, bool only_sort) {
        bool is_new = false;
        for (const std::vector<std::size_t>& wave : waves_) {
            // J may rise while E falls, as long as it stays below where it began: classes of a wave share what is left.
            const double slack = std::max(first_cost_ - total_cost(), 0.0) / static_cast<double>(wave.size());
            std::vector<proposal> found(wave.size());
            run_tasks(executor_ref(run), wave.size(), [&](std::size_t task) {
                const std::size_t c = wave[task];
                found[task] = propose(c, counter_bits(options_.seed, round * classes_.size() + c), only_sort, slack);
            });
            for (std::size_t i = 0; i < wave.size(); ++i)
                if (!found[i].order.empty()) {
                    is_new = true;
                    accept(wave[i], std::move(found[i]));
                }
        }
        return is_new;
    }
    [[nodiscard]] proposal propose(std::size_t c, std::uint64_t seed, bool only_sort, double slack) const {
        const order_cost cost(layers_, classes_[c], slots_);
        if (cost.label_count() < 2)
            return {};
        const double now = cost(order_[c]);
        std::vector<element_order> candidates{cost.sorted()};
        if (!only_sort) {
            element_order start = cost(candidates[0]) < now ? candidates[0] : order_[c];
            if (options_.method == reorder_method::evolution)
                start = order_evolution(cost, options_.evolution, seed)({order_[c], candidates[0]});
            element_order lower = descend(swap_search(cost, start), cost.labels(), options_.descent, seed + 1);
            if (cost.is_sum_of_axes() || cost(lower) < cost(start))
                start = std::move(lower);
            candidates.insert(candidates.begin(), {lower_error(c, cost, start, seed + 2), start});
        }
        for (element_order& order : candidates)
            if (const double change = cost(order) - now; change <= slack)
                if (std::vector<double> errors = errors_with(c, order); is_better(c, errors, change < -1e-9 * now))
                    return {std::move(order), std::move(errors)};
        return {};
    }
    [[nodiscard]] element_order lower_error(std::size_t c, const order_cost& cost, const element_order& start,
                                            std::uint64_t seed) const {
        slot_orders slots = slots_;
        place_slots(classes_[c], start, slots);
        return descend(error_search(layers_, classes_[c], slots, start, options_.bits, options_.scales), cost.labels(),
                       options_.descent, seed);
    }
    /// E of the layers of a class, for another order of it.
    [[nodiscard]] std::vector<double> errors_with(std::size_t c, const element_order& order) const {
        slot_orders slots = slots_;
        place_slots(classes_[c], order, slots);
        std::vector<double> errors;
        for (const std::size_t i : touched_[c])
            errors.push_back(fit_error(layers_[i], search_, slots[layers_[i].input()], slots[layers_[i].output()]));
        return errors;
    }
    /// Whether E falls, or J does while E does not rise.
    [[nodiscard]] bool is_better(std::size_t c, const std::vector<double>& errors, bool is_cheaper) const {
        double before = 0;
        double after = 0;
        for (std::size_t i = 0; i < errors.size(); ++i) {
            before += errors_[touched_[c][i]];
            after += errors[i];
        }
        return is_cheaper ? after <= before : after < before * (1 - 1e-9);
    }
    void accept(std::size_t c, proposal found) {
        order_[c] = std::move(found.order);
        place_slots(classes_[c], order_[c], slots_);
        for (std::size_t i = 0; i < found.errors.size(); ++i)
            errors_[touched_[c][i]] = found.errors[i];
    }

    /// J of a layer as it is now.
    [[nodiscard]] double cost_of(std::size_t i) const {
        return layers_[i](slots_[layers_[i].input()], slots_[layers_[i].output()]);
    }
    [[nodiscard]] double total_cost() const {
        double sum = 0;
        for (std::size_t i = 0; i < layers_.size(); ++i)
            sum += cost_of(i);
        return sum;
    }
    void begin_report(reorder_report& to) const {
        for (std::size_t i = 0; i < layers_.size(); ++i) {
            const auto [outputs, inputs, taps] = layers_[i].weights().shape;
            to.layers.push_back({names_[i], outputs * inputs * taps, {cost_of(i), 0, errors_[i], 0}});
        }
    }
    static void add(reorder_gain& to, const reorder_gain& part) noexcept {
        to.cost_before += part.cost_before;
        to.cost_after += part.cost_after;
        to.error_before += part.error_before;
        to.error_after += part.error_after;
    }
    void end_report(reorder_report& to) const {
        for (std::size_t i = 0; i < layers_.size(); ++i) {
            to.layers[i].gain.cost_after = cost_of(i);
            to.layers[i].gain.error_after = errors_[i];
            add(to.total, to.layers[i].gain);
        }
        for (std::size_t c = 0; c < classes_.size(); ++c) {
            to.classes.push_back({classes_[c].name, classes_[c].size, {}});
            for (const std::size_t i : touched_[c])
                add(to.classes.back().gain, to.layers[i].gain);
        }
    }

    const std::vector<permutation_class>& classes_;
    const reorder_options& options_;
    block_scale_search search_;
    channel_orders order_;
    slot_orders slots_;
    std::vector<blocked_layer> layers_{};
    std::vector<std::string> names_{};
    double first_cost_ = 0;                           // J of all layers before anything moved
    std::vector<double> errors_{};                    // E of each layer as it is now
    std::vector<std::vector<std::size_t>> touched_{}; // layers of each class
    std::vector<std::vector<std::size_t>> waves_{};   // classes that share no layer
};

} // namespace notch::detail

/// @file
/// Channel orders that let blocks of weights share a scale cheaply: the reordering step of PTQ-SL.
///
///     const auto seen = measure_channels(prepared.net, images);
///     reorder_result better = reorder_for(prepared.net, grain::block(16, 16), seen);
///     make_plan(calibrate(better.net, images), policy);               policy.weights.cut = grain::block(16, 16)
///
/// A block is as coarse as its largest weight. So channels with large weights belong together, along rows and columns at
/// once. The search minimises J (block_cost.hpp), summed over layers, class after class (permutation_classes.hpp): first by
/// sorting, a few times round since classes share layers, then by swaps downhill or by an evolution from there. An order
/// of a class replaces the one before it only if J falls and what codes of `bits` bits lose (block_fit_error.hpp)
/// does not grow. Neither does either therefore, summed over all layers. A reordered network computes the same function and runs at the same cost.
///
/// Classes that share no layer are searched at the same time; the result depends on seed and numbers alone.
/// Source of the idea: Yuan, Chen, Chen, Wang, "PTQ-SL: Exploring the Sub-layerwise Post-training Quantization",
/// arXiv 2110.07809. The search here is not theirs; see docs/algorithms/channel_reordering.md.
#pragma once

#include <notch/core/error.hpp>
#include <notch/core/executor.hpp>
#include <notch/core/random.hpp>
#include <notch/model/network.hpp>
#include <notch/ptq/block_cost.hpp>
#include <notch/ptq/block_fit_error.hpp>
#include <notch/ptq/channel_statistics.hpp>
#include <notch/ptq/order_cost.hpp>
#include <notch/ptq/order_error.hpp>
#include <notch/ptq/order_search.hpp>
#include <notch/ptq/permutation_classes.hpp>
#include <notch/ptq/policy.hpp>
#include <notch/ptq/reorder_channels.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace notch {

/// How orders are searched.
enum class reorder_method {
    sort,     ///< by size only
    greedy,   ///< then swaps downhill
    evolution ///< then an evolution of orders, and swaps downhill from its best
};

/// What a search for orders is given.
struct reorder_options {
    reorder_method method = reorder_method::evolution; ///< how orders are searched
    evolution_options evolution{};                     ///< of `evolution`
    std::size_t sort_rounds = 4;                       ///< how often all classes are sorted, at most
    std::size_t rounds = 2;                            ///< how often all classes are searched, at most
    descent_options descent{};                         ///< of swaps downhill
    std::uint64_t seed = 1;                            ///< of all random numbers
    int bits = 4;                                      ///< of the codes whose error decides, 2 to 8
    scale_form scales = scale_form::power_of_two;      ///< of the same
    std::vector<layer_override> overrides{};           ///< as in the policy; of them `cut` counts here
    std::vector<std::string> left_out{};               ///< layers that do not count, by name
};

/// J and E before and after.
struct reorder_gain {
    double cost_before = 0;  ///< J
    double cost_after = 0;   ///< J, at most cost_before
    double error_before = 0; ///< E: noise over signal of the weights in codes
    double error_after = 0;  ///< E, in sums over all layers at most error_before
};

/// Gains of a class (over the layers that have it), of a layer, or of a network.
struct named_gain {
    std::string name{};   ///< of the class or layer
    std::size_t size = 0; ///< elements of the class, weights of the layer
    reorder_gain gain{};  ///< in sums
};

/// What a search for orders has found.
struct reorder_report {
    std::vector<named_gain> classes{}; ///< in their order
    std::vector<named_gain> layers{};  ///< that count, in their order
    reorder_gain total{};              ///< over these layers
};

/// Orders and what they gain.
struct found_orders {
    channel_orders orders{}; ///< of each class
    reorder_report report{}; ///< what it gains
};

/// A network with reordered channels.
struct reorder_result {
    network net{};                            ///< computes what the given one computes
    std::vector<permutation_class> classes{}; ///< of both
    channel_orders orders{};                  ///< new -> old
    reorder_report report{};                  ///< what it gains
};

namespace detail {

/// Searches the orders of all classes of a network.
class reorder_search {
public:
    reorder_search(const network& net, const std::vector<permutation_class>& classes, const grain& cut,
                   std::span<const measured_channels> seen, const reorder_options& options)
        : classes_(classes), options_(options), search_(options.bits, options.scales), order_(identity_orders(classes)),
          slots_(identity_slots(inferred_shapes(net))) {
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
    weighted_scale_search search_;
    channel_orders order_;
    slot_orders slots_;
    std::vector<blocked_layer> layers_{};
    std::vector<std::string> names_{};
    double first_cost_ = 0;                           // J of all layers before anything moved
    std::vector<double> errors_{};                    // E of each layer as it is now
    std::vector<std::vector<std::size_t>> touched_{}; // layers of each class
    std::vector<std::vector<std::size_t>> waves_{};   // classes that share no layer
};

} // namespace detail

/// Searches orders of classes for a grain. `seen`: measure_channels of this network, or nothing: all inputs count alike. A
/// grain without blocks of several channels keeps every order. Raises shape_error for classes or statistics of another
/// network, range_error for bits outside [2, 8], an empty block, a population below 2 and names that no layer has.
template <executor Executor = serial>
[[nodiscard]] found_orders find_channel_orders(const network& net, const std::vector<permutation_class>& classes,
                                               const grain& cut, std::span<const measured_channels> seen = {},
                                               const reorder_options& options = {}, Executor&& run = {}) {
    return detail::reorder_search(net, classes, cut, seen, options).find(run);
}

/// The network with the orders that are found for a grain. Errors as above, and those of infer_shapes.
template <executor Executor = serial>
[[nodiscard]] reorder_result reorder_for(const network& net, const grain& cut,
                                         std::span<const measured_channels> seen = {},
                                         const reorder_options& options = {}, Executor&& run = {}) {
    reorder_result to;
    to.classes = find_permutation_classes(net);
    found_orders found = find_channel_orders(net, to.classes, cut, seen, options, run);
    to.net = reorder(net, to.classes, found.orders);
    to.orders = std::move(found.orders);
    to.report = std::move(found.report);
    return to;
}

} // namespace notch

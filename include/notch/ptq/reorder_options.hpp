/// @file
/// What a search for channel orders is given, and what it reports (sub_layer_reorder.hpp).
#pragma once

#include <notch/ptq/permutation_classes.hpp>
#include <notch/ptq/policy.hpp>

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace notch {

/// The evolution of orders.
struct evolution_options {
    std::size_t population = 32;   ///< orders at a time
    std::size_t generations = 200; ///< at most
    std::size_t elite = 4;         ///< best ones that live on
    std::size_t tournament = 3;    ///< orders of which the best becomes a parent
    double crossover = 0.6;        ///< probability of a second parent
    double swap = 0.8;             ///< probability that two channels of different blocks change places
    double rotate = 0.1;           ///< probability that a run of two blocks moves round by at most one
    std::size_t stale = 30;        ///< generations without a better order that end it
};

/// Swaps downhill.
struct descent_options {
    std::size_t passes = 20;    ///< over all pairs, at most
    std::size_t partners = 128; ///< places that a pass tries for a channel, at most
};

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

} // namespace notch

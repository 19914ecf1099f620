/// @file
/// Channel orders that let blocks of weights share a scale cheaply: the reordering step of PTQ-SL.
///
///     const auto seen = measure_channels(prepared.net, images);
///     reorder_result better = reorder_for(prepared.net, grain::block(16, 16), seen);
///     quantization_policy policy;
///     policy.weights.cut = grain::block(16, 16);
///     make_plan(calibrate(better.net, images), policy);
///
/// A block is as coarse as its largest weights. So channels with large weights belong together, along rows and columns
/// at once. For each permutation class (permutation_classes.hpp), the search lowers
///
///     J   the noise of rounding, from the largest weight of each block            (block_cost.hpp)
///     E   what codes of `bits` bits lose, with the best scale of each block       (block_fit_error.hpp)
///
/// both relative to the signal of the layer and summed over layers. It sorts; evolves orders by J, or not; swaps
/// channels downhill by J, then by E (order_search.hpp, order_error.hpp). Neither J nor E of the network ever rises.
/// The reordered network computes the same function at the same cost (reorder_channels.hpp).
///
/// The result depends on numbers and seed alone, not on the executor.
/// Source of the idea: Yuan, Chen, Chen, Wang, "PTQ-SL: Exploring the Sub-layerwise Post-training Quantization",
/// arXiv 2110.07809. The search is not theirs; see docs/algorithms/channel_reordering.md.
#pragma once

#include <notch/core/executor.hpp>
#include <notch/model/network.hpp>
#include <notch/ptq/channel_statistics.hpp>
#include <notch/ptq/permutation_classes.hpp>
#include <notch/ptq/policy.hpp>
#include <notch/ptq/reorder_channels.hpp>
#include <notch/ptq/reorder_options.hpp>
#include <notch/ptq/reorder_search.hpp>

#include <span>
#include <utility>
#include <vector>

namespace notch {

/// A network with reordered channels.
struct reorder_result {
    network net{};                            ///< computes what the given one computes
    std::vector<permutation_class> classes{}; ///< of both
    channel_orders orders{};                  ///< new -> old
    reorder_report report{};                  ///< what it gains
};

/// Searches orders of classes for a grain. `seen`: measure_channels of this network, or nothing: all inputs count
/// alike. Where no block has several channels of a class and others beside it, orders stay. Raises shape_error for
/// classes or statistics of another network, range_error for bits outside [2, 8], an empty block, a population below 2
/// and names that no layer has.
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

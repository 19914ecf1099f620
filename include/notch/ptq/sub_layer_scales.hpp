/// @file
/// search_scales: scales of blocks of weights that make the error of a layer's result small, not that of its weights (PTQ-SL).
///
///     E = sum over outputs of E_o(w'),    w' = s clamp(round(w / s)),   s one per block       (layer_moments.hpp, (1))
///
/// A row of blocks is searched block by block, the others fixed, until a pass changes nothing; rows of blocks do not meet.
///
/// | scales | candidates |
/// |---|---|
/// | powers of two | the scale as it stands, times 2^-3 .. 2 in the first pass, 1/2 and 2 after it |
/// | others, of weights that are split | as powers of two, times the base of the coarse part |
/// | others, one block in a row | max abs(w) / (2^(b-1) - 1/2) times `lowest` .. `highest`, in `candidates` steps, both ends included |
/// | others, several blocks in a row, up to 6 bits | the scale as it stands, times 2^-1 .. 2^(1/2) in steps of 2^(1/8); then rounded as fit_weights does |
/// | the same, 7 and 8 bits | base times 2^-k: 21 bases from 0.6 to 1.4 times the largest scale, for each of them k by passes |
///
/// It starts at the scales of the plan, or at those of a coarser plan where these are better: so no error grows, and a finer
/// grain is never worse than the one it refines, but for real scales of weights that are split, whose base stays that of
/// the coarse part.
///
/// Source: PTQ-SL (Yuan et al., 2021), candidates as published for its successor PTQ4ViT; the largest candidate, which
/// that code leaves out, is tried here, and blocks start at their fit to the weights.
#pragma once

#include <notch/core/error.hpp>
#include <notch/core/executor.hpp>
#include <notch/core/int_math.hpp>
#include <notch/ptq/block_rows.hpp>
#include <notch/ptq/coarse_fine_split.hpp>
#include <notch/ptq/fit_weights.hpp>
#include <notch/ptq/layer_moments.hpp>
#include <notch/ptq/layer_numbers.hpp>
#include <notch/ptq/layer_refinement.hpp>
#include <notch/ptq/plan.hpp>
#include <notch/ptq/refine_options.hpp>
#include <notch/ptq/row_search.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

namespace notch {

namespace detail {

/// The scale of each block of weights, row-major.
[[nodiscard]] inline std::vector<double> block_scales(const planned_weights& weights) {
    std::vector<double> scales;
    for (std::size_t o = 0; o < weights.shape[0]; o += weights.block_outputs)
        for (std::size_t h = 0; h < weights.blocks(); ++h)
            scales.push_back(weights.scale(o, h * weights.block_inputs));
    return scales;
}

/// Weights in the blocks of one plan with the scales of a coarser one.
[[nodiscard]] inline planned_weights with_scales_of(const planned_weights& coarser, planned_weights to,
                                                    std::span<const double> values) {
    to.base = coarser.base;
    for (std::size_t o = 0; o < to.shape[0]; o += to.block_outputs)
        for (std::size_t i = 0; i < to.shape[1]; i += to.block_inputs) {
            const std::size_t from = coarser.block_of(o, i);
            to.exponents[to.block_of(o, i)] = coarser.exponents[from];
            if (!to.multipliers.empty())
                to.multipliers[to.block_of(o, i)] = static_cast<std::uint8_t>(coarser.multiplier(from));
        }
    round_codes(to, values);
    return to;
}

/// Raises the errors of search_scales.
inline void check_search(std::string_view layer, const planned_weights& weights, const scale_search_options& options,
                         const planned_weights* coarser, std::span<const double> importance) {
    if (options.candidates == 0)
        raise<range_error>(quoted(layer), ": a search of 0 steps between candidates; at least 1 is needed");
    if (!importance.empty() && importance.size() != weights.shape[0])
        raise<shape_error>(quoted(layer), ": importances of ", importance.size(), " outputs; it has ",
                           weights.shape[0]);
    for (std::size_t o = 0; o < importance.size(); ++o)
        if (!(importance[o] >= 0) || importance[o] > std::numeric_limits<double>::max())
            raise<range_error>(quoted(layer), ": importance ", importance[o], " of output ", o,
                               " is negative or not finite");
    const auto refines = [](std::size_t large, std::size_t small, std::size_t extent) {
        return large % small == 0 || large >= extent;
    };
    if (coarser != nullptr &&
        (coarser->shape != weights.shape || !refines(coarser->block_outputs, weights.block_outputs, weights.shape[0]) ||
         !refines(coarser->block_inputs, weights.block_inputs, weights.shape[1])))
        raise<shape_error>(quoted(layer), ": blocks of ", weights.block_outputs, " x ", weights.block_inputs,
                           " of weights ", weights.shape, " are no parts of blocks of ", coarser->block_outputs, " x ",
                           coarser->block_inputs, " of ", coarser->shape);
}

} // namespace detail

/// Searches the scales of the weights of group g of a plan, see above, and rounds them; with centred errors the bias takes
/// the means. `moments`: of the layer's inputs, as codes of the plan hold them. `importance`: a factor for the error of each
/// output, or empty: all are 1; the errors that are compared and returned have it. `coarser`: weights of the same layer with
/// blocks of which those of the plan are parts, or null. Rows of blocks are tasks of the executor; the result does not
/// depend on it. Precondition: the group has weights and moments of their extents. Raises shape_error for importances of
/// another number than outputs and for coarser weights that these blocks do not refine, range_error for importances
/// that are negative or not finite and for a search without steps.
template <executor Executor = serial>
scale_search_result search_scales(plan& of, std::size_t g, const layer_moments& moments,
                                  const scale_search_options& options = {}, const planned_weights* coarser = nullptr,
                                  std::span<const double> importance = {}, Executor&& run = {}) {
    planned_weights& weights = *of.groups[g].weights;
    detail::check_search(of.net.layers[of.groups[g].where.layer].name, weights, options, coarser, importance);
    detail::layer_refinement layer(of, g, moments, options.centred, importance);
    const detail::layer_numbers& from = layer.numbers;
    const layer_moments& used = layer.errors();
    scale_search_result& result = layer.result;
    const std::vector<double> floors = detail::scale_floors(of, g, from);
    std::vector<double> scales = detail::block_scales(weights);
    const std::vector<double> targets = detail::fine_targets(weights, from.values);
    std::vector<double> fixed;
    for (std::size_t k = 0; weights.coarse && k < targets.size(); ++k)
        fixed.push_back(static_cast<double>(from.values[k]) - targets[k]);
    detail::run_tasks(detail::executor_ref(run), weights.rows(), [&](std::size_t v) {
        const std::size_t first = weights.first_output(v);
        detail::block_row row(used, targets, fixed, first, weights.end_output(v), detail::range_of(weights.bits),
                              importance);
        const double floor = detail::row_floor(weights, floors, v);
        std::vector<double> parents;
        for (std::size_t h = 0; coarser != nullptr && h < weights.blocks(); ++h)
            parents.push_back(coarser->scale(first, h * weights.block_inputs));
        const std::vector<double> found =
            detail::row_search(row, weights, first, of.scales, floor, options).search(parents);
        std::ranges::copy(found, scales.begin() + static_cast<std::ptrdiff_t>(v * weights.blocks()));
    });
    weight_policy policy; // scales and codes anew
    policy.bits = weights.bits;
    policy.cut = weights.cut;
    const weights_to_fit to_fit{from.values, from.shape, floors, of.net.layers[of.groups[g].where.layer].name};
    planned_weights found = weights.coarse ? detail::with_fine_scales(weights, from.values, scales)
                                           : fit_weights(to_fit, policy, of.scales, scales);
    result.after = layer.error(found);
    if (coarser != nullptr && !weights.coarse) { // rounding of scales may have lost what the coarser plan had
        planned_weights same = detail::with_scales_of(*coarser, weights, targets);
        if (const double error = layer.error(same); error < result.after) {
            result.after = error;
            found = std::move(same);
        }
    }
    if (result.after > result.before ||
        !detail::sums_fit(found, 0, found.shape[0])) { // bounds of the sums took scales back
        result.after = result.before;
        found = weights;
    }
    layer.set_bias(found);
    weights = std::move(found);
    return result;
}

} // namespace notch

/// @file
/// Layers of a report: what a plan and a calibration say of each group, without running anything.
#pragma once

#include <notch/core/error.hpp>
#include <notch/deploy/report_measure.hpp>
#include <notch/deploy/report_types.hpp>
#include <notch/model/cost.hpp>
#include <notch/model/network.hpp>
#include <notch/ptq/calibrate.hpp>
#include <notch/ptq/make_plan.hpp>
#include <notch/ptq/plan.hpp>

#include <algorithm>
#include <cstddef>
#include <limits>
#include <span>
#include <string>
#include <variant>
#include <vector>

namespace notch::detail {

/// A window in words, such as "3x3 / 2".
[[nodiscard]] inline std::string window_words(const std::array<std::size_t, 2>& kernel, const window& w) {
    std::string to = text(kernel[0], 'x', kernel[1]);
    if (w.stride[0] != w.stride[1])
        to += text(" / ", w.stride[0], 'x', w.stride[1]);
    else if (w.stride[0] != 1)
        to += text(" / ", w.stride[0]);
    if (w.dilation[0] != 1 || w.dilation[1] != 1)
        to += text(", dilation ", w.dilation[0], 'x', w.dilation[1]);
    return to;
}

/// The window of an operation, and its groups; empty where it has none.
[[nodiscard]] inline std::string window_words(const operation& op) {
    if (const auto* conv = std::get_if<convolution>(&op)) {
        const std::vector<std::size_t>& shape = conv->weights.shape;
        const std::string to = window_words({shape[2], shape[3]}, conv->window);
        if (conv->groups == 1)
            return to;
        return to + (shape[1] == 1 ? std::string(", depthwise") : text(", ", conv->groups, " groups"));
    }
    if (const auto* pool = std::get_if<max_pool>(&op))
        return window_words(pool->kernel, pool->window);
    if (const auto* pool = std::get_if<average_pool>(&op))
        return window_words(pool->kernel, pool->window);
    return {};
}

/// What a group takes over from the layers behind its first one.
[[nodiscard]] inline std::vector<std::string> fused_names(const network& net, const layer_group& group) {
    std::vector<std::string> names;
    std::size_t tensor = net.layers[group.layer].output;
    for (std::size_t i = group.layer + 1; i <= group.last && tensor != group.output; ++i) {
        const layer& l = net.layers[i];
        if (std::ranges::find(l.inputs, tensor) == l.inputs.end())
            continue;
        tensor = l.output;
        const auto* limits = std::get_if<clip>(&l.op);
        const bool is_relu =
            limits != nullptr && limits->lowest == 0 && limits->highest >= std::numeric_limits<float>::max();
        names.emplace_back(is_relu ? "Relu" : operator_name(l.op));
    }
    return names;
}

/// The floats of the weights of a layer.
[[nodiscard]] inline std::span<const float> floats_of(const operation& op) noexcept {
    if (const auto* conv = std::get_if<convolution>(&op))
        return conv->weights.values;
    if (const auto* product = std::get_if<linear>(&op))
        return product->weights.values;
    return {};
}

/// One layer, as far as plan and calibration know it.
[[nodiscard]] inline layer_report report_of_group(const calibration& seen, const plan& from, std::size_t g,
                                                  const layer_cost& cost) {
    const planned_group& group = from.groups[g];
    const layer& first = from.net.layers[group.where.layer];
    const std::size_t output = group.where.output;
    const histogram* shown = seen.tensors[output] ? &*seen.tensors[output] : nullptr;
    const bool powers = from.scales == scale_form::power_of_two;
    layer_report to;
    to.name = first.name;
    to.op = operator_name(first.op);
    to.fused = fused_names(from.net, group.where);
    to.window = window_words(first.op);
    to.input = from.net.tensors[group.where.inputs[0]].shape;
    to.output = from.net.tensors[output].shape;
    to.macs = cost.macs;
    to.parameters = cost.parameters;
    to.keeps_codes = keeps_codes(first.op);
    if (group.weights)
        to.weights = report_of(*group.weights, floats_of(first.op), from.scales);
    if (from.tensors[output])
        to.codes = report_of(*from.tensors[output], shown, powers);
    if (shown != nullptr && shown->count() != 0)
        to.activations = bars_of(*shown);
    return to;
}

} // namespace notch::detail

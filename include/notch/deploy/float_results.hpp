/// @file
/// The float network of a plan, run for what methods aim at. Part of correct_biases.hpp and refine_in_order.hpp.
#pragma once

#include <notch/core/executor.hpp>
#include <notch/model/forward.hpp>
#include <notch/ptq/plan.hpp>

#include <cstddef>
#include <optional>
#include <span>
#include <vector>

namespace notch::detail {

/// Runs images [count, ...] of the network's input: visit(g, values) for the result of the first layer of each group g with
/// weights, as it is in floats, in front of a sum and a clip. Returns the tensor that codes enter. Raises shape_error for
/// another number of floats.
template <class Arch, class Visit, class Executor>
[[nodiscard]] std::vector<float> run_floats(const plan& of, std::span<const float> images, std::size_t count,
                                            const Visit& visit, Executor&& run) {
    std::vector<std::optional<std::size_t>> group_of(of.net.tensors.size());
    for (std::size_t g = 0; g < of.groups.size(); ++g)
        if (of.groups[g].weights)
            group_of[of.net.layers[of.groups[g].where.layer].output] = g;
    std::vector<float> entered;
    const float_program floats(of.net);
    std::vector<float> results(count * floats.output_size());
    floats.run<Arch>(
        images, count, results,
        [&](std::size_t tensor, std::span<const float> values) {
            if (tensor == of.input)
                entered.assign(values.begin(), values.end());
            if (group_of[tensor])
                visit(*group_of[tensor], values);
        },
        run);
    return entered;
}

} // namespace notch::detail

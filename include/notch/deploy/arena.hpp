/// @file
/// Where the tensors of a program lie: one block of bytes, planned ahead. Part of lower.hpp.
///
/// A tensor lives from the step that writes it to the last one that reads it; the rule by which they share memory is that of
/// model/arena_plan.hpp. Offsets are bytes of one image, multiples of 64; for n images all of them, and the size, are n times as
/// large.
#pragma once

#include <notch/core/int_math.hpp>
#include <notch/deploy/program.hpp>
#include <notch/model/arena_plan.hpp>

#include <algorithm>
#include <cstddef>
#include <vector>

namespace notch::detail {

/// When each tensor of a program lives, in steps; step 0 is the entry of the input. Tensors that nothing writes have size 0.
[[nodiscard]] inline std::vector<arena_tenant> arena_tenants(const program_data& program) {
    std::vector<arena_tenant> all(program.tensors.size());
    const auto begins = [&](std::size_t tensor, std::size_t step) {
        all[tensor] = {round_up(program.tensors[tensor].size(), 64), step, step};
    };
    begins(program.input, 0);
    for (std::size_t s = 0; s < program.steps.size(); ++s) {
        const program_step& step = program.steps[s];
        for (const std::size_t input : step.inputs)
            all[input].last = s + 1;
        if (step.residual)
            all[*step.residual].last = s + 1;
        if (!step.to_reals)
            begins(step.output, s + 1);
    }
    all[program.output].last = program.steps.size() + 1;
    return all;
}

/// Gives every tensor its offset; returns the bytes of the arena for one image.
[[nodiscard]] inline std::size_t place_in_arena(program_data& program) {
    std::vector<arena_tenant> tenants = arena_tenants(program);
    const std::size_t bytes = place_tenants(tenants);
    for (std::size_t t = 0; t < tenants.size(); ++t)
        program.tensors[t].offset = tenants[t].offset;
    return bytes;
}

} // namespace notch::detail

/// @file
/// Where the tensors of a program lie: one block of bytes, planned ahead. Part of lower.hpp.
///
/// A tensor lives from the step that writes it to the last one that reads it. The largest tensors are placed first, each at
/// the lowest offset where it meets no other that lives at the same time. Offsets are for one image; for n images all of
/// them, and the size, are n times as large.
#pragma once

#include <notch/core/int_math.hpp>
#include <notch/deploy/program.hpp>

#include <algorithm>
#include <cstddef>
#include <vector>

namespace notch::detail {

/// A tensor that needs a place.
struct arena_tenant {
    std::size_t tensor;
    std::size_t bytes;
    std::size_t first; ///< step
    std::size_t last;  ///< step
};

/// The tensors of a program with their lives. Step 0 is the entry of the input.
[[nodiscard]] inline std::vector<arena_tenant> arena_tenants(const program_data& program) {
    constexpr std::size_t none = static_cast<std::size_t>(-1);
    std::vector<arena_tenant> all(program.tensors.size());
    for (std::size_t t = 0; t < all.size(); ++t)
        all[t] = {t, round_up(program.tensors[t].size(), 64), none, 0};
    all[program.input].first = 0;
    for (std::size_t s = 0; s < program.steps.size(); ++s) {
        const program_step& step = program.steps[s];
        for (const std::size_t input : step.inputs)
            all[input].last = std::max(all[input].last, s + 1);
        if (step.residual)
            all[*step.residual].last = std::max(all[*step.residual].last, s + 1);
        if (!step.to_reals) {
            all[step.output].first = s + 1;
            all[step.output].last = std::max(all[step.output].last, s + 1);
        }
    }
    all[program.output].last = program.steps.size() + 1;
    std::erase_if(all, [](const arena_tenant& t) { return t.first == none; });
    return all;
}

/// Gives every tensor its offset; returns the bytes of the arena for one image.
[[nodiscard]] inline std::size_t place_in_arena(program_data& program) {
    std::vector<arena_tenant> tenants = arena_tenants(program);
    std::ranges::stable_sort(tenants, std::ranges::greater(), &arena_tenant::bytes);
    std::vector<arena_tenant> placed;
    std::size_t end = 0;
    for (const arena_tenant& tenant : tenants) {
        std::vector<std::size_t> candidates{0};
        for (const arena_tenant& other : placed)
            if (other.first <= tenant.last && tenant.first <= other.last)
                candidates.push_back(program.tensors[other.tensor].offset + other.bytes);
        std::ranges::sort(candidates);
        for (const std::size_t offset : candidates) {
            const bool is_free = std::ranges::none_of(placed, [&](const arena_tenant& other) {
                const std::size_t begin = program.tensors[other.tensor].offset;
                return other.first <= tenant.last && tenant.first <= other.last && begin < offset + tenant.bytes &&
                       offset < begin + other.bytes;
            });
            if (!is_free)
                continue;
            program.tensors[tenant.tensor].offset = offset;
            end = std::max(end, offset + tenant.bytes);
            break;
        }
        placed.push_back(tenant);
    }
    return end;
}

} // namespace notch::detail

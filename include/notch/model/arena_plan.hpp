/// @file
/// Where tensors lie in one block of memory, so that those needed at different times share it.
///
///     tensor:   [first, last] layer that needs it           offset: the lowest gap that is free from first to last
///
/// Offsets and sizes of a network are floats of one image, multiples of 16; for N images all of them are N times as large.
/// Programs (deploy/arena.hpp) place their codes by the same rule.
#pragma once

#include <notch/core/int_math.hpp>
#include <notch/model/network.hpp>

#include <algorithm>
#include <cstddef>
#include <functional>
#include <limits>
#include <span>
#include <vector>

namespace notch::detail {

/// Something that needs a place from one time to another.
struct arena_tenant {
    std::size_t size;
    std::size_t first;
    std::size_t last;
    std::size_t offset = 0;
    /// Whether two live at the same time.
    [[nodiscard]] bool meets(const arena_tenant& other) const noexcept {
        return other.first <= last && first <= other.last;
    }
};

/// Gives every tenant its offset, the largest first, each the lowest where it touches none that lives at the same time;
/// returns the size of all. Cost: tenants squared.
[[nodiscard]] inline std::size_t place_tenants(std::span<arena_tenant> tenants) {
    std::vector<arena_tenant*> order;
    for (arena_tenant& tenant : tenants)
        order.push_back(&tenant);
    std::ranges::stable_sort(order, std::ranges::greater(), [](const arena_tenant* t) { return t->size; });
    std::vector<const arena_tenant*> placed; // by their offsets
    std::size_t end = 0;
    for (arena_tenant* tenant : order) {
        tenant->offset = 0;
        for (const arena_tenant* other : placed) {
            if (!tenant->meets(*other))
                continue;
            if (tenant->offset + tenant->size <= other->offset)
                break;
            tenant->offset = std::max(tenant->offset, other->offset + other->size);
        }
        placed.insert(
            std::ranges::upper_bound(placed, tenant->offset, {}, [](const arena_tenant* t) { return t->offset; }),
            tenant);
        end = std::max(end, tenant->offset + tenant->size);
    }
    return end;
}

/// Offsets of tensors that layers write, and the extent of all; the network's input and output lie elsewhere.
struct arena_plan {
    static constexpr std::size_t outside = std::numeric_limits<std::size_t>::max();
    std::vector<std::size_t> offsets{};
    std::size_t size = 0;
};

/// Plans the arena of a network with shapes.
[[nodiscard]] inline arena_plan plan_arena(const network& net) {
    std::vector<std::size_t> last(net.tensors.size());
    for (std::size_t i = 0; i < net.layers.size(); ++i) {
        last[net.layers[i].output] = i;
        for (const std::size_t input : net.layers[i].inputs)
            last[input] = i;
    }
    std::vector<std::size_t> tensors;
    std::vector<arena_tenant> tenants;
    for (std::size_t i = 0; i < net.layers.size(); ++i)
        if (const std::size_t tensor = net.layers[i].output; tensor != net.output) {
            tensors.push_back(tensor);
            tenants.push_back({round_up(element_count(net.tensors[tensor].shape), 16), i, last[tensor]});
        }
    arena_plan plan;
    plan.size = place_tenants(tenants);
    plan.offsets.assign(net.tensors.size(), arena_plan::outside);
    for (std::size_t i = 0; i < tensors.size(); ++i)
        plan.offsets[tensors[i]] = tenants[i].offset;
    return plan;
}

} // namespace notch::detail

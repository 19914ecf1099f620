/// @file
/// Where tensors lie in one block of memory, so that those needed at different times share it.
///
///     tensor:   [first, last] layer that needs it           offset: the lowest gap that is free from first to last
///
/// Offsets and sizes are floats of one image, multiples of 16; for N images all of them are N times as large.
#pragma once

#include <notch/core/int_math.hpp>
#include <notch/model/network.hpp>

#include <algorithm>
#include <cstddef>
#include <limits>
#include <vector>

namespace notch::detail {

/// Offsets of tensors that layers write, and the extent of all; the network's input and output lie elsewhere.
struct arena_plan {
    static constexpr std::size_t outside = std::numeric_limits<std::size_t>::max();
    std::vector<std::size_t> offsets{};
    std::size_t size = 0;
};

/// A tensor in the arena.
struct arena_block {
    std::size_t offset;
    std::size_t size;
    std::size_t last; ///< layer that reads it last
};

/// The lowest gap between blocks that are sorted by their offsets.
[[nodiscard]] inline std::size_t lowest_gap(const std::vector<arena_block>& blocks, std::size_t size) noexcept {
    std::size_t offset = 0;
    for (const arena_block& block : blocks) {
        if (offset + size <= block.offset)
            break;
        offset = std::max(offset, block.offset + block.size);
    }
    return offset;
}

/// Plans the arena of a network with shapes. Cost: layers x tensors that live at a time.
[[nodiscard]] inline arena_plan plan_arena(const network& net) {
    arena_plan plan;
    plan.offsets.assign(net.tensors.size(), arena_plan::outside);
    std::vector<std::size_t> last(net.tensors.size());
    for (std::size_t i = 0; i < net.layers.size(); ++i) {
        last[net.layers[i].output] = i;
        for (const std::size_t input : net.layers[i].inputs)
            last[input] = i;
    }
    std::vector<arena_block> blocks;
    for (std::size_t i = 0; i < net.layers.size(); ++i) {
        const std::size_t tensor = net.layers[i].output;
        std::erase_if(blocks, [i](const arena_block& block) { return block.last < i; });
        if (tensor == net.output)
            continue;
        const std::size_t size = round_up(element_count(net.tensors[tensor].shape), 16);
        const arena_block block{lowest_gap(blocks, size), size, last[tensor]};
        const auto behind = std::find_if(blocks.begin(), blocks.end(),
                                         [&](const arena_block& other) { return other.offset > block.offset; });
        blocks.insert(behind, block);
        plan.offsets[tensor] = block.offset;
        plan.size = std::max(plan.size, block.offset + size);
    }
    return plan;
}

} // namespace notch::detail

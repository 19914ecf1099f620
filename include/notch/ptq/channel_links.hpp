/// @file
/// Which channel of its operands a channel of a result is made of, for every operation of a network.
///
/// Axis 0 of a tensor is cut into slots, one per channel. An operation that computes every slot of its result from at
/// most one slot of each operand is described by links: `to` is made of `from`, in the same way for all slots. Other
/// operations have weights whose rows and columns can be permuted, or they tie their slots down.
///
/// | operation | links |
/// |---|---|
/// | maps per channel, clip, pooling, softmax, depthwise with one filter per channel | slot by slot |
/// | sum; concat along space | slot by slot, from every operand |
/// | concat of channels, slice, pad | the slots that they map; what pad adds has none |
/// | [C, ...] -> [C, ...] | slot by slot |
/// | [C, H, W] -> [C H W] | slot c H W + p from slot c |
/// | dense and grouped convolution, product | none |
/// | other reshapes, depthwise with several filters per channel | none; tied |
#pragma once

#include <notch/model/layer_shape.hpp>
#include <notch/model/network.hpp>

#include <cstddef>
#include <utility>
#include <variant>
#include <vector>

namespace notch::detail {

/// A slot of the result and the slot of an operand that it is made of.
struct channel_link {
    std::size_t operand; ///< number of the input
    std::size_t from;    ///< slot of it
    std::size_t to;      ///< slot of the result
};

/// The links of one layer.
struct channel_links {
    std::vector<channel_link> list{}; ///< in the order of operands, then of slots
    bool is_tied = false;             ///< no slot of operands and result can move
};

/// A convolution with one filter for each channel, and nothing else.
[[nodiscard]] inline bool is_depthwise(const convolution& op) noexcept {
    return op.groups > 1 && op.weights.shape[1] == 1 && op.weights.shape[0] == op.groups;
}

/// Finds the links of a layer from the shapes of its operands and of its result.
class channel_linker {
public:
    channel_linker(std::vector<shape_of_image> from, shape_of_image to) : from_(std::move(from)), to_(std::move(to)) {}

    [[nodiscard]] channel_links operator()(const convolution& op) const {
        if (is_depthwise(op))
            return slot_by_slot();
        return {{}, op.groups > 1 && op.weights.shape[1] == 1};
    }
    [[nodiscard]] channel_links operator()(const linear&) const { return {}; }
    [[nodiscard]] channel_links operator()(const reshape&) const {
        if (from_[0][0] == to_[0])
            return slot_by_slot();
        if (to_.size() > 1)
            return {{}, true};
        channel_links to;
        const std::size_t pixels = to_[0] / from_[0][0];
        for (std::size_t s = 0; s < to_[0]; ++s)
            to.list.push_back({0, s / pixels, s});
        return to;
    }
    [[nodiscard]] channel_links operator()(const concat& op) const {
        if (op.axis != 0)
            return slot_by_slot();
        channel_links to;
        std::size_t first = 0;
        for (std::size_t i = 0; i < from_.size(); ++i)
            for (std::size_t s = 0; s < from_[i][0]; ++s)
                to.list.push_back({i, s, first++});
        return to;
    }
    [[nodiscard]] channel_links operator()(const slice& op) const {
        channel_links to;
        for (std::size_t s = 0; s < to_[0]; ++s)
            to.list.push_back({0, op.begin[0] + s * op.step[0], s});
        return to;
    }
    [[nodiscard]] channel_links operator()(const pad& op) const {
        channel_links to;
        for (std::size_t s = 0; s < from_[0][0]; ++s)
            to.list.push_back({0, s, op.before[0] + s});
        return to;
    }
    template <class Other> [[nodiscard]] channel_links operator()(const Other&) const { return slot_by_slot(); }

private:
    [[nodiscard]] channel_links slot_by_slot() const {
        channel_links to;
        for (std::size_t i = 0; i < from_.size(); ++i)
            for (std::size_t s = 0; s < to_[0]; ++s)
                to.list.push_back({i, s, s});
        return to;
    }

    std::vector<shape_of_image> from_;
    shape_of_image to_;
};

/// The links of a layer. Precondition: the shapes are those that the network has.
[[nodiscard]] inline channel_links find_links(const layer& it, const std::vector<shape_of_image>& shapes) {
    std::vector<shape_of_image> from;
    for (const std::size_t input : it.inputs)
        from.push_back(shapes[input]);
    return std::visit(channel_linker(std::move(from), shapes[it.output]), it.op);
}

} // namespace notch::detail

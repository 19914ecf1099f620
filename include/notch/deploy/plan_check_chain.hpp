/// @file
/// What makes layers one group: the first one, a sum that takes a residual, and clips, each the only reader of what is before
/// it. Part of plan_file.hpp.
#pragma once

#include <notch/core/error.hpp>
#include <notch/deploy/plan_check_weights.hpp>
#include <notch/model/network.hpp>
#include <notch/model/shapes.hpp>
#include <notch/model/simplify.hpp>
#include <notch/ptq/layer_groups.hpp>

#include <algorithm>
#include <cstddef>
#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace notch::detail {

/// Checks the layers of one group; everything raises format_error.
class chain_checker {
public:
    /// `readers`: those of each tensor; `taken`: layers that are in a group; `at` stands before every message. All of them
    /// live longer than the checker.
    chain_checker(const network& net, const std::vector<std::vector<std::size_t>>& readers, std::vector<bool>& taken,
                  const std::string& at)
        : net_(net), readers_(readers), taken_(taken), at_(at) {}

    /// Takes the layers of a group, and compares what they give with what it says.
    void check(const layer_group& where) {
        const operation& op = net_.layers[where.layer].op;
        layer_group found;
        found.output = net_.layers[where.layer].output;
        std::size_t last = where.layer;
        take(last);
        if (const auto* own = std::get_if<clip>(&op)) {
            found.lowest = own->lowest;
            found.highest = own->highest;
        }
        const bool takes_clips = has_weights(op) || std::holds_alternative<sum>(op) || std::holds_alternative<clip>(op);
        bool clipped = false;
        while (last != where.last) {
            const std::vector<std::size_t>& readers = readers_[found.output];
            if (readers.size() != 1 || readers[0] == net_.layers.size())
                refuse_plan(at_, "the last layer is ", where.last, ", but ", tensor_text(net_, found.output), " has ",
                            readers.size(), " readers, or is the result");
            last = readers[0];
            const layer& next = net_.layers[last];
            if (const auto* limits = std::get_if<clip>(&next.op); limits != nullptr && takes_clips) {
                found.lowest = std::clamp(found.lowest, limits->lowest, limits->highest);
                found.highest = std::clamp(found.highest, limits->lowest, limits->highest);
                clipped = true;
            } else if (std::holds_alternative<sum>(next.op) && taps_of(net_.layers[where.layer]) != 0 && !clipped &&
                       !found.residual) {
                found.residual = next.inputs[next.inputs[0] == found.output ? 1 : 0];
            } else {
                refuse_plan(at_, layer_text(net_, last), " cannot stand in this group");
            }
            take(last);
            found.output = next.output;
        }
        if (where.output != found.output)
            refuse_plan(at_, "the output is tensor ", where.output, "; the last layer writes ", found.output);
        if (where.residual != found.residual)
            refuse_plan(at_, "the residual is ", number_text(where.residual), "; the layers add ",
                        number_text(found.residual));
        if (where.lowest != found.lowest || where.highest != found.highest)
            refuse_plan(at_, "bounds [", where.lowest, ", ", where.highest, "]; the layers give [", found.lowest, ", ",
                        found.highest, "]");
    }

private:
    /// Takes a layer into the group.
    void take(std::size_t i) {
        if (taken_[i])
            refuse_plan(at_, layer_text(net_, i), " is in two groups, or before the tensor that codes enter");
        taken_[i] = true;
    }
    [[nodiscard]] static std::string number_text(const std::optional<std::size_t>& tensor) {
        return tensor ? text("tensor ", *tensor) : std::string("none");
    }

    const network& net_;
    const std::vector<std::vector<std::size_t>>& readers_;
    std::vector<bool>& taken_;
    const std::string& at_;
};

} // namespace notch::detail

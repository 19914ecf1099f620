/// @file
/// check_plan: what lower, the simulator and the export rely on. Part of plan_file.hpp.
///
/// | who relies on it | what is checked |
/// |---|---|
/// | all | the network is right (model/shapes.hpp), its shapes are those that its layers give |
/// | all | every layer is in one group, or a constant map before the tensor that codes enter |
/// | lower, simulator | a group is a layer and what may follow it; its inputs exist when it runs; its bounds are those of its clips |
/// | lower, simulator | tensors of groups have codes, where they pass through a group the same ones; the real one is the result |
/// | lower, packing, export | weights have the shape of their layer, codes their bits, lists their lengths (plan_check_weights.hpp) |
/// | factors | scales are in limits; one that is told twice is the same |
///
/// Whether sums fit int32 and whether a layer has a kernel is what lower checks itself.
#pragma once

#include <notch/core/config.hpp>
#include <notch/core/error.hpp>
#include <notch/core/int_math.hpp>
#include <notch/deploy/plan_check_chain.hpp>
#include <notch/deploy/plan_check_weights.hpp>
#include <notch/model/network.hpp>
#include <notch/model/shapes.hpp>
#include <notch/model/simplify.hpp>
#include <notch/ptq/layer_groups.hpp>
#include <notch/ptq/layer_numbers.hpp>
#include <notch/ptq/make_plan.hpp>
#include <notch/ptq/plan.hpp>

#include <algorithm>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace notch::detail {

/// Checks one plan; everything raises format_error.
class plan_checker {
public:
    /// `label` says whose plan it is. Both live longer than the checker.
    plan_checker(const plan& of, std::string_view label) : of_(of), net_(of.net), label_(label) {}

    void check() {
        check_network();
        check_counts();
        readers_ = readers_of(net_);
        taken_.assign(net_.layers.size(), false);
        exists_.assign(net_.tensors.size(), false);
        check_front();
        find_real_tensor();
        for (std::size_t g = 0; g < of_.groups.size(); ++g)
            check_group(g);
        for (std::size_t i = 0; i < net_.layers.size(); ++i)
            if (!taken_[i])
                fail(layer_text(net_, i), " is in no group");
        for (std::size_t t = 0; t < net_.tensors.size(); ++t)
            if (of_.tensors[t] && !exists_[t])
                fail(tensor_text(net_, t), " has codes, but no group writes it");
    }

private:
    template <class... Parts> [[noreturn]] NOTCH_COLD void fail(const Parts&... parts) const {
        raise<format_error>(label_, ": ", parts...);
    }
    /// What the model room says about the network becomes a format_error.
    void check_network() const {
        const auto check = [this] {
            validate(net_);
            for (std::size_t t = 0; t < net_.tensors.size(); ++t) // those that no layer writes have any shape, or none
                if (!net_.tensors[t].shape.empty())
                    check_shape(tensor_text(net_, t), net_.tensors[t].shape);
        };
#if NOTCH_HAS_EXCEPTIONS
        try {
            check();
        } catch (const error& wrong) {
            fail(wrong.what());
        }
#else
        check();
#endif
    }
    void check_counts() const {
        if (of_.tensors.size() != net_.tensors.size())
            fail("codes for ", of_.tensors.size(), " tensors; the network has ", net_.tensors.size());
        if (of_.groups.size() > net_.layers.size())
            fail(of_.groups.size(), " groups; the network has ", net_.layers.size(), " layers");
        if (of_.input >= net_.tensors.size())
            fail("codes enter tensor ", of_.input, " of ", net_.tensors.size());
        for (std::size_t t = 0; t < of_.tensors.size(); ++t)
            if (of_.tensors[t])
                check_tensor_codes(text(label_, ": ", tensor_text(net_, t), ": "), *of_.tensors[t], of_.scales);
    }

    /// Constant maps from the network's input to the tensor that codes enter.
    void check_front() {
        std::size_t tensor = net_.input;
        while (tensor != of_.input) {
            const std::vector<std::size_t>& readers = readers_[tensor];
            if (readers.size() != 1 || readers[0] == net_.layers.size() ||
                !std::holds_alternative<affine_map>(net_.layers[readers[0]].op))
                fail("codes enter ", tensor_text(net_, of_.input), "; more than constant maps lies before it");
            taken_[readers[0]] = true;
            tensor = net_.layers[readers[0]].output;
        }
        if (!of_.tensors[tensor])
            fail("codes enter ", tensor_text(net_, tensor), ", which has none");
        exists_[tensor] = true;
    }
    /// The result of the network before a softmax and reshapes.
    void find_real_tensor() {
        const std::vector<std::size_t> writers = find_writers(net_);
        real_ = net_.output;
        while (writers[real_] != no_number && (std::holds_alternative<softmax>(net_.layers[writers[real_]].op) ||
                                               std::holds_alternative<reshape>(net_.layers[writers[real_]].op)))
            real_ = net_.layers[writers[real_]].inputs[0];
        if (of_.real_output == of_.tensors[real_].has_value())
            fail("real_output is ", of_.real_output, ", but ", tensor_text(net_, real_), " has ",
                 of_.real_output ? "" : "no ", "codes");
    }

    void check_group(std::size_t g) {
        const layer_group& where = of_.groups[g].where;
        if (where.layer >= net_.layers.size())
            fail("group ", g, " begins with layer ", where.layer, " of ", net_.layers.size());
        at_ = text(label_, ": group ", g, ", ", layer_text(net_, where.layer), ": ");
        const layer& first = net_.layers[where.layer];
        if (where.inputs != first.inputs)
            refuse_plan(at_, "inputs ", where.inputs, "; the layer reads ", first.inputs);
        chain_checker(net_, readers_, taken_, at_).check(where);
        for (const std::size_t input : where.inputs)
            check_exists(input);
        if (where.residual)
            check_exists(*where.residual);
        exists_[where.output] = true;
        check_ranks(where);
        check_codes(where);
        check_weights(g);
    }
    void check_exists(std::size_t tensor) const {
        if (!exists_[tensor])
            refuse_plan(at_, "reads ", tensor_text(net_, tensor), ", which no earlier group writes");
    }
    /// Programs move numbers of images [C, H, W] and vectors only.
    void check_ranks(const layer_group& where) const {
        const operation& op = net_.layers[where.layer].op;
        if (std::holds_alternative<affine_map>(op) || std::holds_alternative<batch_norm>(op))
            refuse_plan(at_, "the operation has no integer form");
        if (std::holds_alternative<softmax>(op) && where.output != net_.output)
            refuse_plan(at_, "a softmax gives ", tensor_text(net_, where.output), ", which is not the result");
        const std::size_t rank = net_.tensors[where.output].shape.size();
        if ((std::holds_alternative<slice>(op) || std::holds_alternative<pad>(op) ||
             std::holds_alternative<concat>(op)) &&
            rank != 1 && rank != 3)
            refuse_plan(at_, "extents ", net_.tensors[where.output].shape, "; 1 or 3 axes are possible");
    }

    /// Codes of what a group reads and writes.
    void check_codes(const layer_group& where) const {
        const operation& op = net_.layers[where.layer].op;
        const std::optional<tensor_codes>& result = of_.tensors[where.output];
        if (std::holds_alternative<softmax>(op)) {
            if (result)
                refuse_plan(at_, "a softmax gives reals, but ", tensor_text(net_, where.output), " has codes");
            return;
        }
        if (keeps_codes(op) && result != of_.tensors[where.inputs[0]])
            refuse_plan(at_, tensor_text(net_, where.output), " has other codes than ",
                        tensor_text(net_, where.inputs[0]), ", whose codes it keeps");
        if (std::holds_alternative<reshape>(op)) {
            if (!result && !is_behind_real(where.output))
                refuse_plan(at_, tensor_text(net_, where.output), " has no codes");
            return;
        }
        for (const std::size_t input : where.inputs)
            check_coded(input);
        if (where.residual)
            check_coded(*where.residual);
        if (result)
            check_factor(where, op);
        else if (where.output != real_ || !has_weights(op) || where.last != where.layer ||
                 readers_[where.output].size() != 1)
            refuse_plan(at_, tensor_text(net_, where.output),
                        " has no codes; only a layer with weights, alone at the end, gives reals");
    }
    void check_coded(std::size_t tensor) const {
        if (!of_.tensors[tensor])
            refuse_plan(at_, "reads ", tensor_text(net_, tensor), ", which has no codes");
    }
    /// Whether nothing but reshapes and a softmax lies between a tensor and the result.
    [[nodiscard]] bool is_behind_real(std::size_t tensor) const {
        while (tensor != net_.output) {
            const std::vector<std::size_t>& readers = readers_[tensor];
            if (readers.size() != 1 || readers[0] == net_.layers.size())
                return false;
            const layer& next = net_.layers[readers[0]];
            if (!std::holds_alternative<reshape>(next.op) && !std::holds_alternative<softmax>(next.op))
                return false;
            tensor = next.output;
        }
        return true;
    }
    /// Means are multiplied by a factor that fixed points hold, and divided by the pixels of a window.
    void check_factor(const layer_group& where, const operation& op) const {
        std::size_t pixels = 0;
        if (const auto* pool = std::get_if<average_pool>(&op))
            pixels = pool->kernel[0] * pool->kernel[1];
        if (std::holds_alternative<global_average_pool_layer>(op))
            pixels = element_count(net_.tensors[where.inputs[0]].shape) / net_.tensors[where.inputs[0]].shape[0];
        if (pixels == 0 || of_.scales == scale_form::power_of_two)
            return;
        const double factor = of_.tensors[where.inputs[0]]->scale / of_.tensors[where.output]->scale;
        if (!(factor < exp2_exact(30) && factor / static_cast<double>(pixels) >= exp2_exact(-31)))
            refuse_plan(at_, "an input of ", factor, " times the scale of the result, over ", pixels,
                        " pixels; the limits are 2^30, and 2^-31 over all of them");
    }

    void check_weights(std::size_t g) const {
        const planned_group& group = of_.groups[g];
        const operation& op = net_.layers[group.where.layer].op;
        if (group.weights.has_value() != has_weights(op))
            refuse_plan(at_, has_weights(op) ? "the layer has weights, the group none" : "the layer has no weights");
        if (!group.weights)
            return;
        const planned_weights& weights = *group.weights;
        weights_checker(at_, weights, of_.scales).check(numbers_of(of_, g).shape);
        if (weights.coarse && (!std::holds_alternative<convolution>(op) || weights.shape[1] == 1))
            refuse_plan(at_, "a coarse part; only dense and grouped convolutions have one");
        const tensor_codes& input = *of_.tensors[group.where.inputs[0]];
        const std::optional<tensor_codes>& result = of_.tensors[group.where.output];
        for (std::size_t o = 0; o < weights.shape[0]; ++o)
            if (const double factor = sum_scale(weights, input, o) / (result ? result->scale : 1.0);
                !(factor < exp2_exact(127)))
                refuse_plan(at_, "output ", o, ": a factor of ", factor, " behind the sums; the limit is 2^127");
    }

    const plan& of_;
    const network& net_;
    std::string_view label_;
    std::vector<std::vector<std::size_t>> readers_{};
    std::vector<bool> taken_{};
    std::vector<bool> exists_{};
    std::size_t real_ = 0;
    std::string at_{};
};

} // namespace notch::detail

/// @file
/// Layers as nodes of an ONNX graph: the reverse of onnx_windows.hpp, onnx_arithmetic.hpp and onnx_shapes.hpp.
#pragma once

#include <notch/core/error.hpp>
#include <notch/io/onnx_builder.hpp>
#include <notch/io/onnx_proto.hpp>
#include <notch/io/qdq_model.hpp>
#include <notch/model/network.hpp>

#if NOTCH_HAS_ONNX

#include <array>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>
#include <utility>
#include <variant>
#include <vector>

namespace notch::detail {

/// Writes one layer after the other.
class onnx_layer_writer {
public:
    /// `names` are those that readers of each tensor use.
    onnx_layer_writer(onnx_builder& builder, const qdq_model& model, const std::vector<std::string>& names,
                      const onnx::write_options& options)
        : builder_(builder), model_(model), names_(names), options_(options) {}

    /// Writes the nodes of a layer, of which the last one writes `output`.
    void write(std::size_t number, const std::string& output) {
        number_ = number;
        layer_ = &model_.net.layers[number];
        name_ = layer_->name.empty() ? operator_name(layer_->op) : layer_->name;
        output_ = output;
        std::visit([this](const auto& op) { write_operation(op); }, layer_->op);
    }

private:
    [[nodiscard]] const std::string& input(std::size_t i = 0) const { return names_[layer_->inputs[i]]; }
    [[nodiscard]] std::string what() const { return text("layer ", number_, " '", name_, "'"); }

    /// A node of the layer with its first input and its result.
    onnx_node_builder node(const char* op) {
        onnx_node_builder added = builder_.node(op, name_);
        added.input(input()).output(output_);
        return added;
    }

    /// A node of the layer with its first input, weights and bias, as codes or as floats, and its result. What
    /// dequantizes stands before it.
    template <class Operation>
    onnx_node_builder weighted_node(const char* type, const Operation& op, std::size_t rank) {
        const qdq_layer none{};
        const qdq_layer& quantized = model_.layers.empty() ? none : model_.layers[number_];
        const std::vector<std::size_t>& shape = op.weights.shape;
        if (shape.size() != rank || element_count(shape) == 0)
            raise<shape_error>(what(), " has weights of extents ", shape, ", not of rank ", rank);
        std::string weights;
        std::string bias;
        if (quantized.weights) {
            check_qdq_weights(*quantized.weights, shape, what());
            weights = builder_.dequantized(name_ + "_weights", *quantized.weights, shape, options_);
        } else {
            if (op.weights.values.size() != element_count(shape))
                raise<shape_error>(what(), " has ", op.weights.values.size(), " weights of extents ", shape);
            weights = builder_.floats(name_ + "_weights", shape, op.weights.values);
        }
        if (quantized.bias) {
            check_qdq_bias(*quantized.bias, shape[0], what());
            bias = builder_.dequantized(name_ + "_bias", *quantized.bias);
        } else if (!op.bias.empty()) {
            if (op.bias.size() != shape[0])
                raise<shape_error>(what(), " has a bias of ", op.bias.size(), " numbers for ", shape[0], " outputs");
            bias = builder_.floats(name_ + "_bias", {shape[0]}, op.bias);
        }
        onnx_node_builder added = node(type);
        added.input(weights);
        if (!bias.empty())
            added.input(bias);
        return added;
    }

    static void add_window(onnx_node_builder& added, const window& moves, const std::array<std::size_t, 2>& kernel) {
        added.integers("kernel_shape", kernel).integers("strides", moves.stride).integers("pads", moves.padding);
    }

    void write_operation(const convolution& op) {
        onnx_node_builder added = weighted_node("Conv", op, 4);
        add_window(added, op.window, {op.weights.shape[2], op.weights.shape[3]});
        added.integers("dilations", op.window.dilation).integer("group", static_cast<std::int64_t>(op.groups));
    }
    void write_operation(const linear& op) { weighted_node("Gemm", op, 2).integer("transB", 1); }
    void write_operation(const batch_norm& op) {
        onnx_node_builder added = node("BatchNormalization");
        const std::pair<const char*, const std::vector<float>*> parts[] = {
            {"_gain", &op.gain}, {"_shift", &op.shift}, {"_mean", &op.mean}, {"_variance", &op.variance}};
        for (const auto& [suffix, values] : parts)
            added.input(builder_.floats(name_ + suffix, {values->size()}, *values));
        added.real("epsilon", op.epsilon);
    }
    void write_operation(const affine_map& op) {
        const auto is_all = [](const std::vector<float>& values, float number) {
            return values.empty() || (values.size() == 1 && values[0] == number);
        };
        const bool adds = !is_all(op.offset, 0);
        const bool scales = !adds || !is_all(op.factor, 1);
        std::string from = input();
        if (scales) {
            const std::string to = adds ? builder_.unique(name_ + "_scaled") : output_;
            const std::vector<float> factor = op.factor.empty() ? std::vector<float>{1} : op.factor;
            builder_.node("Mul", name_ + (adds ? "_mul" : ""))
                .input(from)
                .input(channels("_factor", factor))
                .output(to);
            from = to;
        }
        if (adds)
            builder_.node("Add", name_).input(from).input(channels("_offset", op.offset)).output(output_);
    }
    void write_operation(const clip& op) {
        constexpr float infinity = std::numeric_limits<float>::infinity();
        if (op.lowest == 0 && op.highest == infinity) {
            node("Relu");
            return;
        }
        onnx_node_builder added = node("Clip");
        added.input(op.lowest == -infinity ? "" : builder_.floats(name_ + "_lowest", {}, {op.lowest}));
        if (op.highest != infinity)
            added.input(builder_.floats(name_ + "_highest", {}, {op.highest}));
    }
    void write_operation(const sum&) { node("Add").input(input(1)); }
    void write_operation(const max_pool& op) {
        onnx_node_builder added = node("MaxPool");
        add_window(added, op.window, op.kernel);
        added.integers("dilations", op.window.dilation).integer("ceil_mode", op.ceil_mode ? 1 : 0);
    }
    void write_operation(const average_pool& op) {
        onnx_node_builder added = node("AveragePool");
        add_window(added, op.window, op.kernel);
        if (op.window.dilation != std::array<std::size_t, 2>{1, 1})
            added.integers("dilations", op.window.dilation);
        added.integer("ceil_mode", op.ceil_mode ? 1 : 0).integer("count_include_pad", op.count_include_pad ? 1 : 0);
    }
    void write_operation(const global_average_pool_layer&) { node("GlobalAveragePool"); }
    void write_operation(const reshape& op) {
        if (op.shape.empty()) {
            node("Flatten").integer("axis", 1);
            return;
        }
        std::vector<std::size_t> target{0}; // the number of images
        target.insert(target.end(), op.shape.begin(), op.shape.end());
        node("Reshape").input(builder_.integers(name_ + "_shape", target));
    }
    void write_operation(const concat& op) {
        onnx_node_builder added = node("Concat");
        for (std::size_t i = 1; i < layer_->inputs.size(); ++i)
            added.input(input(i));
        added.integer("axis", static_cast<std::int64_t>(op.axis) + 1);
    }
    void write_operation(const slice& op) {
        if (op.end.size() != op.begin.size() || op.step.size() != op.begin.size())
            raise<shape_error>(what(), " has ", op.begin.size(), " begins, ", op.end.size(), " ends and ",
                               op.step.size(), " steps");
        std::vector<std::size_t> axes(op.begin.size());
        for (std::size_t axis = 0; axis < axes.size(); ++axis)
            axes[axis] = axis + 1;
        node("Slice")
            .input(builder_.integers(name_ + "_starts", op.begin))
            .input(builder_.integers(name_ + "_ends", op.end))
            .input(builder_.integers(name_ + "_axes", axes))
            .input(builder_.integers(name_ + "_steps", op.step));
    }
    void write_operation(const pad& op) {
        std::vector<std::size_t> pads{0};
        pads.insert(pads.end(), op.before.begin(), op.before.end());
        pads.push_back(0);
        pads.insert(pads.end(), op.after.begin(), op.after.end());
        node("Pad")
            .input(builder_.integers(name_ + "_pads", pads))
            .input(builder_.floats(name_ + "_value", {}, {op.value}));
    }
    void write_operation(const softmax&) { node("Softmax").integer("axis", 1); }

    /// Adds one number, or one for each channel of the layer's input; returns their name.
    std::string channels(const char* suffix, const std::vector<float>& values) {
        const std::vector<std::size_t>& image = model_.net.tensors[layer_->inputs[0]].shape;
        if (values.size() == 1)
            return builder_.floats(name_ + suffix, {}, values);
        if (image.empty() || values.size() != image[0])
            raise<shape_error>(what(), " has ", values.size(), " numbers for an input of extents ", image);
        std::vector<std::size_t> shape(image.size(), 1);
        shape[0] = values.size();
        return builder_.floats(name_ + suffix, shape, values);
    }

    onnx_builder& builder_;
    const qdq_model& model_;
    const std::vector<std::string>& names_;
    onnx::write_options options_;
    std::size_t number_ = 0;
    const layer* layer_ = nullptr;
    std::string name_{};
    std::string output_{};
};

} // namespace notch::detail

#endif

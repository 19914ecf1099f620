/// @file
/// ONNX models for the tests, written with the protobuf classes.
#pragma once

#include <notch/io/onnx_read.hpp>

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <span>
#include <string>
#include <string_view>
#include <vector>

/// A node to which attributes are added.
struct node_builder {
    ::onnx::NodeProto* node;

    ::onnx::AttributeProto* add(const std::string& key, ::onnx::AttributeProto::AttributeType type) {
        ::onnx::AttributeProto* attribute = node->add_attribute();
        attribute->set_name(key);
        attribute->set_type(type);
        return attribute;
    }
    node_builder& integer(const std::string& key, std::int64_t value) {
        add(key, ::onnx::AttributeProto::INT)->set_i(value);
        return *this;
    }
    node_builder& integers(const std::string& key, const std::vector<std::int64_t>& values) {
        ::onnx::AttributeProto* attribute = add(key, ::onnx::AttributeProto::INTS);
        for (const std::int64_t value : values)
            attribute->add_ints(value);
        return *this;
    }
    node_builder& real(const std::string& key, float value) {
        add(key, ::onnx::AttributeProto::FLOAT)->set_f(value);
        return *this;
    }
    node_builder& word(const std::string& key, const std::string& value) {
        add(key, ::onnx::AttributeProto::STRING)->set_s(value);
        return *this;
    }
};

/// A model: an input "x" of some extents behind a batch of any size, and the output "y".
struct model_builder {
    ::onnx::ModelProto model{};

    explicit model_builder(std::int64_t opset, const std::vector<std::int64_t>& image = {2, 4, 4},
                           const std::string& output = "y") {
        model.set_ir_version(7);
        model.add_opset_import()->set_version(opset);
        graph().set_name("net");
        add_input("x", image);
        graph().add_output()->set_name(output);
    }

    ::onnx::GraphProto& graph() { return *model.mutable_graph(); }

    ::onnx::TensorShapeProto& add_input(const std::string& name, const std::vector<std::int64_t>& image) {
        ::onnx::ValueInfoProto* input = graph().add_input();
        input->set_name(name);
        auto* type = input->mutable_type()->mutable_tensor_type();
        type->set_elem_type(1);
        type->mutable_shape()->add_dim()->set_dim_param("N");
        for (const std::int64_t extent : image)
            type->mutable_shape()->add_dim()->set_dim_value(extent);
        return *type->mutable_shape();
    }
    void fix_batch(std::int64_t images) {
        graph().mutable_input(0)->mutable_type()->mutable_tensor_type()->mutable_shape()->mutable_dim(0)->set_dim_value(
            images);
    }

    ::onnx::TensorProto& add_tensor(const std::string& name, int type, const std::vector<std::int64_t>& shape) {
        ::onnx::TensorProto* tensor = graph().add_initializer();
        tensor->set_name(name);
        tensor->set_data_type(type);
        for (const std::int64_t extent : shape)
            tensor->add_dims(extent);
        return *tensor;
    }
    ::onnx::TensorProto& reals(const std::string& name, const std::vector<std::int64_t>& shape,
                               const std::vector<float>& values) {
        ::onnx::TensorProto& tensor = add_tensor(name, 1, shape);
        for (const float value : values)
            tensor.add_float_data(value);
        return tensor;
    }
    /// Reals 1, 2, 3 and so on.
    ::onnx::TensorProto& count(const std::string& name, const std::vector<std::int64_t>& shape) {
        std::int64_t elements = 1;
        for (const std::int64_t extent : shape)
            elements *= extent;
        std::vector<float> values;
        for (std::int64_t i = 1; i <= elements; ++i)
            values.push_back(static_cast<float>(i));
        return reals(name, shape, values);
    }
    ::onnx::TensorProto& integers(const std::string& name, const std::vector<std::int64_t>& values) {
        ::onnx::TensorProto& tensor = add_tensor(name, 7, {static_cast<std::int64_t>(values.size())});
        for (const std::int64_t value : values)
            tensor.add_int64_data(value);
        return tensor;
    }
    ::onnx::TensorProto& integer(const std::string& name, std::int64_t value) {
        ::onnx::TensorProto& tensor = add_tensor(name, 7, {});
        tensor.add_int64_data(value);
        return tensor;
    }

    node_builder node(const std::string& op, const std::vector<std::string>& inputs,
                      const std::vector<std::string>& outputs) {
        ::onnx::NodeProto* added = graph().add_node();
        added->set_op_type(op);
        added->set_name(op + "_" + outputs[0]);
        for (const std::string& input : inputs)
            added->add_input(input);
        for (const std::string& output : outputs)
            added->add_output(output);
        return {added};
    }

    [[nodiscard]] std::string bytes() const { return model.SerializeAsString(); }
    [[nodiscard]] notch::network read() const {
        const std::string all = bytes();
        return notch::onnx::read_bytes(std::as_bytes(std::span(all)));
    }
};

/// The operation of the only layer of a network.
template <class Operation> const Operation& only_layer(const notch::network& net) {
    return std::get<Operation>(net.layers.at(net.layers.size() == 1 ? 0 : 99).op);
}

/// The extents of what a network computes.
inline const std::vector<std::size_t>& result_shape(const notch::network& net) { return net.tensors[net.output].shape; }

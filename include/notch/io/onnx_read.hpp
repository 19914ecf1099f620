/// @file
/// Reads a float model in the ONNX format as a network. Needs libonnx: link notch::onnx.
///
///     const notch::network net = notch::onnx::read("resnet20.onnx");
///
/// Versions 9 to 25 of the default operators. Each node becomes a layer: Conv, Gemm, MatMul with constant weights,
/// BatchNormalization, Relu, Clip, Add, MaxPool, AveragePool, GlobalAveragePool, ReduceMean over height and width, Flatten,
/// Reshape, Concat, Slice, Pad, Softmax at the end, and Add, Sub, Mul and Div with a constant. Identity, Dropout and Cast to
/// float are passed through; Constant, Shape, Gather and their like are computed where they give shapes. Nothing is folded
/// or fused (model/fold_batch_norm.hpp does that), but for layers that lead to no result, which are left out.
/// docs/reference/io.md lists what is refused.
///
/// The network has the extents of every tensor, without the batch, which may be fixed in the file or open.
///
/// What cannot be computed is one unsupported_error that names every such node, its operator and the reason. Bytes that
/// contradict themselves are a format_error. Numbers are taken as they are: NaN is for validate to find (model/shapes.hpp).
///
/// Memory: the file, its protobuf classes, and the numbers of the network. No size that a file claims is allocated before
/// its bytes are there, and layers that share weights take at most sixteen times the bytes of the file and 64 MiB.
#pragma once

#include <notch/io/onnx_proto.hpp>

#if NOTCH_HAS_ONNX

#include <notch/core/error.hpp>
#include <notch/io/file_bytes.hpp>
#include <notch/io/onnx_arithmetic.hpp>
#include <notch/io/onnx_constants.hpp>
#include <notch/io/onnx_graph.hpp>
#include <notch/io/onnx_shapes.hpp>
#include <notch/io/onnx_windows.hpp>
#include <notch/model/network.hpp>
#include <notch/model/simplify.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace notch {
namespace detail {

/// Reads one node of an operator.
using onnx_operator = void (*)(onnx_graph&, onnx_node&);

/// The function that reads nodes of an operator, or nullptr.
[[nodiscard]] inline onnx_operator onnx_operator_of(std::string_view name) noexcept {
    struct entry {
        std::string_view name;
        onnx_operator read;
    };
    static constexpr entry entries[] = {{"Add", read_binary},
                                        {"AveragePool", read_pool<average_pool>},
                                        {"BatchNormalization", read_batch_norm},
                                        {"Cast", read_identity},
                                        {"Clip", read_clip},
                                        {"Concat", read_concat},
                                        {"Constant", read_constant},
                                        {"Conv", read_conv},
                                        {"Div", read_binary},
                                        {"Dropout", read_identity},
                                        {"Flatten", read_flatten},
                                        {"Gather", read_gather},
                                        {"Gemm", read_gemm},
                                        {"GlobalAveragePool", read_global_average_pool},
                                        {"Identity", read_identity},
                                        {"MatMul", read_matmul},
                                        {"MaxPool", read_pool<max_pool>},
                                        {"Mul", read_binary},
                                        {"Pad", read_pad},
                                        {"ReduceMean", read_reduce_mean},
                                        {"Relu", read_relu},
                                        {"Reshape", read_reshape},
                                        {"Shape", read_shape},
                                        {"Slice", read_slice},
                                        {"Softmax", read_softmax},
                                        {"Squeeze", read_squeeze},
                                        {"Sub", read_binary},
                                        {"Unsqueeze", read_squeeze}};
    for (const entry& candidate : entries)
        if (candidate.name == name)
            return candidate.read;
    return nullptr;
}

/// Whether a domain is that of ONNX's own operators.
[[nodiscard]] inline bool is_default_domain(std::string_view domain) noexcept {
    return domain.empty() || domain == "ai.onnx";
}

/// Reads a model.
class onnx_model_reader {
public:
    /// Reads from one source, once.
    explicit onnx_model_reader(onnx_source source) : graph_(std::move(source)) {}

    /// The network of a model.
    [[nodiscard]] network read(const proto::ModelProto& model) {
        opset_ = version_of(model);
        const proto::GraphProto& nodes = model.graph();
        graph_.net.name = nodes.name();
        for (const proto::TensorProto& tensor : nodes.initializer())
            graph_.define(tensor.name(), {&tensor});
        if (nodes.sparse_initializer_size() > 0)
            graph_.lacking.push_back("sparse initializers");
        read_input(nodes);
        if (nodes.output_size() == 0)
            graph_.fail("the graph has no output");
        if (nodes.output_size() > 1)
            raise<unsupported_error>(graph_.source.label, ": the graph has ", nodes.output_size(), " outputs (",
                                     names(nodes.output()), "); networks have one");
        graph_.used.insert(nodes.output(0).name());
        for (const proto::NodeProto& node : nodes.node()) {
            graph_.used.insert(node.input().begin(), node.input().end());
            graph_.written.insert(node.output().begin(), node.output().end());
        }
        for (const proto::NodeProto& node : nodes.node())
            read_node(node);
        report_lacking();
        set_output(nodes.output(0).name());
        drop_unused();
        check_softmax();
        report_lacking();
        return std::move(graph_.net);
    }

private:
    [[nodiscard]] std::int64_t version_of(const proto::ModelProto& model) const {
        if (!model.has_graph())
            graph_.fail("it holds no graph");
        std::optional<std::int64_t> version;
        for (const proto::OperatorSetIdProto& set : model.opset_import())
            if (is_default_domain(set.domain()))
                version = set.version();
        if (!version)
            graph_.fail("it names no version of the operators of ONNX");
        if (*version < 9 || *version > 25)
            raise<unsupported_error>(graph_.source.label, ": its operators are of version ", *version,
                                     "; versions 9 to 25 are read");
        return *version;
    }

    template <class Values> [[nodiscard]] static std::string names(const Values& values) {
        std::string result;
        for (const auto& value : values)
            result += (result.empty() ? "'" : ", '") + value.name() + "'";
        return result;
    }

    /// Finds the one input that is no initializer, and its extents.
    void read_input(const proto::GraphProto& nodes) {
        std::vector<proto::ValueInfoProto> inputs;
        for (const proto::ValueInfoProto& input : nodes.input())
            if (graph_.find(input.name()) == nullptr)
                inputs.push_back(input);
        if (inputs.empty())
            graph_.fail("the graph has no input");
        if (inputs.size() > 1)
            raise<unsupported_error>(graph_.source.label, ": the graph has ", inputs.size(), " inputs (", names(inputs),
                                     "); networks have one");
        const proto::ValueInfoProto& input = inputs[0];
        const proto::TypeProto_Tensor& type = input.type().tensor_type();
        if (type.elem_type() != static_cast<std::int32_t>(onnx_type::float32))
            raise<unsupported_error>(graph_.source.label, ": input '", input.name(), "' is no tensor of floats");
        std::vector<std::size_t> shape;
        std::size_t count = 1;
        if (type.shape().dim_size() > most_rank)
            graph_.fail("input '", input.name(), "' has ", type.shape().dim_size(), " axes; the limit is ", most_rank);
        for (int axis = 0; axis < type.shape().dim_size(); ++axis) {
            const auto& extent = type.shape().dim(axis);
            if (axis == 0) {
                if (extent.dim_value() > 0)
                    graph_.batch = static_cast<std::size_t>(extent.dim_value());
                continue;
            }
            if (!extent.has_dim_value())
                raise<unsupported_error>(graph_.source.label, ": extent ", axis, " of input '", input.name(),
                                         "' is open; only that of axis 0, the batch, may be");
            if (extent.dim_value() < 1 || static_cast<std::uint64_t>(extent.dim_value()) > INT_MAX / count)
                graph_.fail("extent ", axis, " of input '", input.name(), "' is ", extent.dim_value(),
                            "; an image has 1 to 2^31 - 1 numbers");
            shape.push_back(static_cast<std::size_t>(extent.dim_value()));
            count *= shape.back();
        }
        if (shape.empty())
            raise<unsupported_error>(graph_.source.label, ": input '", input.name(),
                                     "' has no extents besides the batch");
        graph_.net.input = graph_.net.add_tensor(input.name(), std::move(shape));
        graph_.define(input.name(), {graph_.net.input});
    }

    void read_node(const proto::NodeProto& proto_node) {
        onnx_node node(proto_node, graph_.source.label, opset_);
        bool known = true;
        for (std::size_t i = 0; i < node.inputs(); ++i) {
            const std::string_view name = node.input(i);
            if (name.empty())
                continue;
            const onnx_value* value = graph_.find(name);
            if (value == nullptr)
                node.fail("reads '", name, "', which ",
                          graph_.written.contains(name)
                              ? "only a later node writes: the nodes are unsorted, or form a cycle"
                              : "nothing writes");
            known = known && !std::holds_alternative<onnx_value::unsupported>(value->is);
        }
        const onnx_operator read_operator =
            is_default_domain(proto_node.domain()) ? onnx_operator_of(node.op()) : nullptr;
        if (read_operator == nullptr) {
            is_quantized_ = is_quantized_ || node.op() == "QuantizeLinear" || node.op() == "DequantizeLinear";
            graph_.reject(node);
            return;
        }
        if (!known) {
            graph_.give_up(node);
            return;
        }
        const std::size_t lacking = graph_.lacking.size();
        read_operator(graph_, node);
        if (const std::string_view attribute = node.unread(); !attribute.empty() && graph_.lacking.size() == lacking)
            graph_.lacking.push_back(node.title() + ": its attribute '" + std::string(attribute) + "' is unknown");
    }

    /// Raises unsupported_error where a node has been noted.
    void report_lacking() const {
        if (graph_.lacking.empty())
            return;
        std::string list;
        for (const std::string& entry : graph_.lacking)
            list += (list.empty() ? "" : "; ") + entry;
        raise<unsupported_error>(graph_.source.label,
                                 is_quantized_ ? ": the model is quantized; models of floats are read" : "",
                                 ": notch cannot compute ", list);
    }

    void set_output(const std::string& name) {
        const onnx_value* value = graph_.find(name);
        if (value == nullptr)
            graph_.fail("nothing writes the output '", name, "'");
        const std::size_t* tensor = std::get_if<std::size_t>(&value->is);
        if (tensor == nullptr)
            raise<unsupported_error>(graph_.source.label, ": no layer computes the output '", name, "'");
        graph_.net.output = *tensor;
        if (*tensor != graph_.net.input)
            graph_.net.tensors[*tensor].name = name;
    }

    /// Leaves out layers that lead to no result, and their tensors.
    void drop_unused() {
        drop_unneeded_layers(graph_.net);
        drop_tensors(graph_.net);
    }

    /// Notes a softmax that is not the end.
    void check_softmax() {
        for (const layer& each : graph_.net.layers)
            if (std::holds_alternative<softmax>(each.op) && each.output != graph_.net.output)
                graph_.lacking.push_back("'" + each.name + "' (Softmax): it is not the end of the network");
    }

    onnx_graph graph_;
    std::int64_t opset_ = 0;
    bool is_quantized_ = false; ///< QuantizeLinear or its inverse was met
};

/// Reads the bytes of a model from a place.
[[nodiscard]] inline network read_onnx(std::span<const std::byte> bytes, std::string label, const std::string& path) {
    onnx_source source{std::move(label), path, std::uint64_t{1} << 26, {}};
    source.allow_copies_of(bytes.size());
    if (bytes.size() > most_model_bytes)
        raise<format_error>(source.label, ": it has ", bytes.size(), " bytes, and protobuf messages at most ",
                            most_model_bytes);
    proto::ModelProto model;
    if (!parse_message(model, bytes))
        raise<format_error>(source.label, ": its ", bytes.size(),
                            " bytes are no ONNX model: truncated, damaged, or of another format");
    return onnx_model_reader(std::move(source)).read(model);
}

} // namespace detail

namespace onnx {

/// Reads a model from a file; its external data lie in the same folder. Raises format_error for a file that cannot be
/// opened, has more than 2^31 - 1 bytes, or is damaged, and unsupported_error for what notch cannot compute.
[[nodiscard]] inline network read(const std::string& path) {
    return notch::detail::read_onnx(notch::detail::read_file(path, notch::detail::most_model_bytes),
                                    notch::detail::text("model '", path, "'"), path);
}

/// Reads a model from the bytes of a file. External data are a format_error. Otherwise as read.
[[nodiscard]] inline network read_bytes(std::span<const std::byte> bytes) {
    return notch::detail::read_onnx(bytes, "model", {});
}

} // namespace onnx
} // namespace notch

#endif

/// @file
/// Writes networks in the ONNX format, quantized as QuantizeLinear and DequantizeLinear, or in floats. Needs libonnx: link
/// notch::onnx.
///
///     notch::onnx::write({net}, "net.onnx");            // floats
///     notch::onnx::write(model, "net.int8.onnx");       // with what quantizes it, see qdq_model.hpp
///
/// A tensor that is quantized becomes QuantizeLinear, Clip where not all codes of its type are used, and DequantizeLinear.
/// Its codes have one byte, whatever their width. Weights become codes and DequantizeLinear: int8 or uint8, int4 or uint4 for
/// 4 bits, int2 or uint2 for 2; widths without a type lie in bytes, and write_options{.packs = false} puts all there. A bias
/// becomes int32.
///
/// | content                                    | operators of version | IR version |
/// |--------------------------------------------|---------------------:|-----------:|
/// | floats, and types of 8 bits                |                   13 |          7 |
/// | int4, uint4, blocks, AveragePool with holes |                  21 |         10 |
/// | int2, uint2                                |                   25 |         13 |
///
/// An affine map of factors and offsets becomes Mul and Add; everything else is one node, which onnx_read.hpp reads back as
/// the same layer. Equal models give equal bytes.
#pragma once

#include <notch/io/onnx_proto.hpp>

#if NOTCH_HAS_ONNX

#include <notch/core/error.hpp>
#include <notch/io/file_bytes.hpp>
#include <notch/io/onnx_builder.hpp>
#include <notch/io/onnx_write_layers.hpp>
#include <notch/io/qdq_model.hpp>
#include <notch/model/network.hpp>
#include <notch/version.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace notch {
namespace detail {

/// Raises an error unless a network can be walked through: numbers of tensors, order, lengths of lists.
inline void check_writable(const qdq_model& model) {
    const network& net = model.net;
    const std::size_t tensors = net.tensors.size();
    const auto check_number = [tensors](std::size_t number, const char* what) {
        if (number >= tensors)
            raise<range_error>("a network of ", tensors, " tensors has the ", what, " ", number);
    };
    check_number(net.input, "input");
    check_number(net.output, "output");
    if (net.output == net.input)
        raise<unsupported_error>("a network whose output is its input cannot be written");
    for (const std::size_t end : {net.input, net.output})
        if (net.tensors[end].shape.empty())
            raise<shape_error>("tensor '", net.tensors[end].name,
                               "', an end of the network, has no extents; infer_shapes finds them");
    if ((!model.tensors.empty() && model.tensors.size() != tensors) ||
        (!model.layers.empty() && model.layers.size() != net.layers.size()))
        raise<shape_error>("a network of ", tensors, " tensors and ", net.layers.size(), " layers comes with ",
                           model.tensors.size(), " and ", model.layers.size(), " that are quantized");
    std::vector<bool> written(tensors, false);
    written[net.input] = true;
    for (const layer& each : net.layers) {
        const std::size_t least = std::holds_alternative<sum>(each.op) ? 2 : 1;
        if (each.inputs.size() < least || (each.inputs.size() > least && !std::holds_alternative<concat>(each.op)))
            raise<shape_error>("layer '", each.name, "' (", operator_name(each.op), ") has ", each.inputs.size(),
                               " inputs");
        for (const std::size_t input : each.inputs) {
            check_number(input, "tensor");
            if (!written[input])
                raise<shape_error>("layer '", each.name, "' reads tensor ", input, " '", net.tensors[input].name,
                                   "', which no earlier layer writes");
        }
        check_number(each.output, "tensor");
        if (written[each.output])
            raise<shape_error>("layer '", each.name, "' writes tensor ", each.output, " '",
                               net.tensors[each.output].name, "', which is written already");
        written[each.output] = true;
    }
    if (!written[net.output])
        raise<shape_error>("no layer writes the output of the network");
}

/// The version of operators that a model needs, and that of the format.
[[nodiscard]] inline std::array<std::int64_t, 2> versions_of(const qdq_model& model, bool packs) {
    bool needs_21 = false;
    bool needs_25 = false;
    for (const qdq_layer& each : model.layers) {
        if (!each.weights)
            continue;
        const unsigned bits = bits_of(type_of_codes(each.weights->params, packs));
        needs_21 = needs_21 || bits == 4 || each.weights->params.block != 0;
        needs_25 = needs_25 || bits == 2;
    }
    for (const layer& each : model.net.layers)
        if (const auto* pool = std::get_if<average_pool>(&each.op))
            needs_21 = needs_21 || pool->window.dilation != std::array<std::size_t, 2>{1, 1};
    if (needs_25)
        return {25, 13};
    return needs_21 ? std::array<std::int64_t, 2>{21, 10} : std::array<std::int64_t, 2>{13, 7};
}

/// Describes the input or the output of a graph.
inline void describe(proto::ValueInfoProto& value, const std::string& name, const std::vector<std::size_t>& image) {
    value.set_name(name);
    proto::TypeProto_Tensor& type = *value.mutable_type()->mutable_tensor_type();
    type.set_elem_type(static_cast<std::int32_t>(onnx_type::float32));
    type.mutable_shape()->add_dim()->set_dim_param("N");
    for (const std::size_t extent : image)
        type.mutable_shape()->add_dim()->set_dim_value(static_cast<std::int64_t>(extent));
}

/// Writes the nodes of a model.
inline void build_graph(proto::GraphProto& graph, const qdq_model& model, const onnx::write_options& options) {
    const network& net = model.net;
    graph.set_name(net.name.empty() ? "network" : net.name);
    onnx_builder builder(graph);
    std::vector<std::string> written; // by a layer, or given
    for (const tensor_info& tensor : net.tensors)
        written.push_back(builder.unique(tensor.name));
    std::vector<std::string> read = written;
    describe(*graph.add_input(), written[net.input], net.tensors[net.input].shape);
    describe(*graph.add_output(), written[net.output], net.tensors[net.output].shape);
    const auto params_of = [&](std::size_t tensor) -> const qdq_params* {
        return model.tensors.empty() || !model.tensors[tensor] ? nullptr : &*model.tensors[tensor];
    };
    for (std::size_t i = 0; i < net.tensors.size(); ++i) {
        const qdq_params* params = params_of(i);
        if (params == nullptr)
            continue;
        const std::string what = text("tensor ", i, " '", net.tensors[i].name, "'");
        if (params->block != 0)
            raise<unsupported_error>(what, ": blocks of scales are for weights");
        check_qdq_params(*params, net.tensors[i].shape, what);
        (i == net.input ? read : written)[i] = builder.unique(read[i] + (i == net.input ? "_dequantized" : "_float"));
    }
    onnx_layer_writer writer(builder, model, read, options);
    if (const qdq_params* params = params_of(net.input))
        builder.quantize(written[net.input], read[net.input], read[net.input], *params);
    for (std::size_t i = 0; i < net.layers.size(); ++i) {
        const std::size_t output = net.layers[i].output;
        writer.write(i, written[output]);
        if (const qdq_params* params = params_of(output))
            builder.quantize(written[output], read[output], read[output], *params);
    }
}

} // namespace detail

namespace onnx {

/// A model as the bytes of a file. Raises shape_error, range_error and unsupported_error for a network or parameters that
/// contradict themselves, with the name of the tensor or layer.
[[nodiscard]] inline std::vector<std::byte> write_bytes(const qdq_model& model, const write_options& options = {}) {
    notch::detail::check_writable(model);
    notch::detail::proto::ModelProto written;
    const auto [opset, ir] = notch::detail::versions_of(model, options.packs);
    written.set_ir_version(ir);
    written.add_opset_import()->set_version(opset);
    written.set_producer_name("notch");
    written.set_producer_version(
        notch::detail::text(NOTCH_VERSION_MAJOR, ".", NOTCH_VERSION_MINOR, ".", NOTCH_VERSION_PATCH));
    notch::detail::build_graph(*written.mutable_graph(), model, options);
    if (written.ByteSizeLong() > notch::detail::most_model_bytes)
        notch::detail::raise<unsupported_error>("a model of ", written.ByteSizeLong(),
                                                " bytes cannot be one file; the limit is ",
                                                notch::detail::most_model_bytes);
    std::vector<std::byte> bytes(written.ByteSizeLong());
    static_cast<void>(written.SerializeToArray(bytes.data(), static_cast<int>(bytes.size())));
    return bytes;
}

/// Writes a model into a file, which is there as a whole or not at all. Raises format_error where that fails; otherwise as
/// write_bytes.
inline void write(const qdq_model& model, const std::string& path, const write_options& options = {}) {
    notch::detail::write_file(path, write_bytes(model, options));
}

} // namespace onnx
} // namespace notch

#endif

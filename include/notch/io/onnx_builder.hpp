/// @file
/// An ONNX graph that is written node by node: names that occur once, initializers, and tensors that are quantized and
/// dequantized.
///
/// Codes of 4 and 2 bits are packed low bits first, two and four to a byte; the last byte is filled with zeros.
#pragma once

#include <notch/core/error.hpp>
#include <notch/io/onnx_proto.hpp>
#include <notch/io/qdq_model.hpp>

#if NOTCH_HAS_ONNX

#include <bit>
#include <cstddef>
#include <cstdint>
#include <string>
#include <unordered_set>
#include <utility>
#include <variant>
#include <vector>

namespace notch::detail {

/// A node under construction.
class onnx_node_builder {
public:
    /// Fills in an empty node.
    onnx_node_builder(proto::NodeProto& node, const std::string& op, const std::string& name) : node_(&node) {
        node.set_op_type(op);
        node.set_name(name);
    }

    /// Adds an input; an empty name leaves one out.
    onnx_node_builder& input(const std::string& name) {
        node_->add_input(name);
        return *this;
    }
    /// Adds a result.
    onnx_node_builder& output(const std::string& name) {
        node_->add_output(name);
        return *this;
    }
    /// Adds an integer.
    onnx_node_builder& integer(const char* key, std::int64_t value) {
        add(key, proto::AttributeProto::INT).set_i(value);
        return *this;
    }
    /// Adds a real.
    onnx_node_builder& real(const char* key, float value) {
        add(key, proto::AttributeProto::FLOAT).set_f(value);
        return *this;
    }
    /// Adds a list of integers.
    template <class List> onnx_node_builder& integers(const char* key, const List& values) {
        proto::AttributeProto& attribute = add(key, proto::AttributeProto::INTS);
        for (const std::size_t value : values)
            attribute.add_ints(static_cast<std::int64_t>(value));
        return *this;
    }

private:
    proto::AttributeProto& add(const char* key, proto::AttributeProto::AttributeType type) {
        proto::AttributeProto& attribute = *node_->add_attribute();
        attribute.set_name(key);
        attribute.set_type(type);
        return attribute;
    }

    proto::NodeProto* node_;
};

} // namespace notch::detail

namespace notch::onnx {

/// How a model is written.
struct write_options {
    /// Weights of 4 and 2 bits in types of that width. false: in bytes, for older readers.
    bool packs = true;
    /// Signed weights that lie in bytes as uint8, codes and zero points plus 128. ONNX Runtime adds products of uint8 and int8
    /// in 16 bits, which saturate, on x86-64 without VNNI; those of uint8 and uint8 it adds exactly.
    bool unsigned_weights = false;
};

} // namespace notch::onnx

namespace notch::detail {

/// The type of ONNX for codes: one byte each, or packed where ONNX has a type of their width.
[[nodiscard]] inline onnx_type type_of_codes(const qdq_params& params, bool packs) noexcept {
    if (packs && params.bits == 4)
        return params.is_signed ? onnx_type::int4 : onnx_type::uint4;
    if (packs && params.bits == 2)
        return params.is_signed ? onnx_type::int2 : onnx_type::uint2;
    return params.is_signed ? onnx_type::int8 : onnx_type::uint8;
}

/// Bits of an element of a type of codes.
[[nodiscard]] inline unsigned bits_of(onnx_type type) noexcept {
    if (type == onnx_type::int4 || type == onnx_type::uint4)
        return 4;
    return type == onnx_type::int2 || type == onnx_type::uint2 ? 2 : 8;
}

/// A graph under construction.
class onnx_builder {
public:
    /// Writes into an empty graph.
    explicit onnx_builder(proto::GraphProto& graph) : graph_(graph) {}

    /// A name of a tensor that occurs once: the wanted one, or that with a number.
    [[nodiscard]] std::string unique(const std::string& wanted) { return unique(wanted, names_); }

    /// Adds a node.
    onnx_node_builder node(const std::string& op, const std::string& name) {
        return {*graph_.add_node(), op, unique(name, node_names_)};
    }

    /// Adds floats; returns their name.
    std::string floats(const std::string& name, const std::vector<std::size_t>& shape,
                       const std::vector<float>& values) {
        std::string raw;
        raw.reserve(values.size() * 4);
        for (const float value : values)
            append(raw, std::bit_cast<std::uint32_t>(value), 4);
        return tensor(name, onnx_type::float32, shape, std::move(raw));
    }
    /// Adds integers of 64 bits; returns their name.
    template <class List> std::string integers(const std::string& name, const List& values) {
        std::string raw;
        for (const auto value : values)
            append(raw, static_cast<std::uint64_t>(value), 8);
        return tensor(name, onnx_type::int64, {values.size()}, std::move(raw));
    }
    /// Adds codes of 2, 4 or 8 bits; returns their name.
    template <class Codes>
    std::string codes(const std::string& name, onnx_type type, const std::vector<std::size_t>& shape,
                      const Codes& values) {
        const unsigned bits = bits_of(type);
        const std::size_t per_byte = 8 / bits;
        std::string raw((values.size() + per_byte - 1) / per_byte, '\0');
        for (std::size_t i = 0; i < values.size(); ++i) {
            const unsigned code = static_cast<unsigned>(values[i]) & ((1U << bits) - 1);
            const auto shift = static_cast<unsigned>(i % per_byte) * bits;
            char& byte = raw[i / per_byte];
            byte = static_cast<char>(static_cast<unsigned char>(byte) | code << shift);
        }
        return tensor(name, type, shape, std::move(raw));
    }

    /// Adds scales and zero points of some extents as inputs of a node, and the attributes that go with them.
    /// `axis` is that of the node.
    void add_params(onnx_node_builder& node, const std::string& name, const qdq_params& params, onnx_type type,
                    const std::vector<std::size_t>& shape, std::int64_t axis) {
        if (params.axis != -1)
            node.integer("axis", axis);
        if (params.block != 0)
            node.integer("block_size", static_cast<std::int64_t>(params.block));
        node.input(floats(name + "_scale", shape, params.scales));
        std::vector<std::int32_t> zero_points = params.zero_points;
        zero_points.resize(params.scales.size(), 0);
        node.input(codes(name + "_zero_point", type, shape, zero_points));
    }

    /// Adds QuantizeLinear, Clip where codes are left out, and DequantizeLinear between two names.
    void quantize(const std::string& from, const std::string& to, const std::string& name, const qdq_params& params) {
        const onnx_type type = type_of_codes(params, false);
        const int lowest = params.is_signed ? -128 : 0;
        const std::vector<std::size_t> shape = extents_of_scales(params, {});
        std::string codes_name = unique(name + "_codes");
        onnx_node_builder quantizer = node("QuantizeLinear", name + "_quantize").input(from).output(codes_name);
        add_params(quantizer, name + "_quantize", params, type, shape, params.axis + 1);
        if (params.lowest != lowest || params.highest != lowest + 255) {
            onnx_node_builder clip = node("Clip", name + "_clip").input(codes_name);
            clip.input(codes(name + "_lowest", type, {}, std::vector{params.lowest}));
            clip.input(codes(name + "_highest", type, {}, std::vector{params.highest}));
            codes_name = unique(name + "_clipped");
            clip.output(codes_name);
        }
        onnx_node_builder dequantizer = node("DequantizeLinear", name + "_dequantize").input(codes_name).output(to);
        add_params(dequantizer, name + "_dequantize", params, type, shape, params.axis + 1);
    }
    /// Adds weights as codes and DequantizeLinear; returns the name of the reals. Behind weights of 2 bits and blocks stands
    /// a Reshape that changes nothing: ONNX Runtime 1.30 fuses these with what reads them into operators that cannot
    /// take them, and then refuses the model, unless another node stands between.
    std::string dequantized(const std::string& name, const qdq_weights& weights, const std::vector<std::size_t>& shape,
                            const onnx::write_options& options) {
        onnx_type type = type_of_codes(weights.params, options.packs);
        qdq_params params = weights.params;
        params.zero_points.resize(params.scales.size(), 0);
        std::vector<int> all =
            std::visit([](const auto& of) { return std::vector<int>(of.begin(), of.end()); }, weights.codes);
        if (options.unsigned_weights && type == onnx_type::int8) {
            type = onnx_type::uint8;
            for (int& code : all)
                code += 128;
            for (std::int32_t& zero_point : params.zero_points)
                zero_point += 128;
        }
        const std::string stored = codes(name + "_codes", type, shape, all);
        std::string result = unique(name);
        onnx_node_builder dequantizer = node("DequantizeLinear", name + "_dequantize").input(stored).output(result);
        add_params(dequantizer, name, params, type, extents_of_scales(params, shape), params.axis);
        if (params.block == 0 && bits_of(type) != 2)
            return result;
        std::string same = unique(name + "_same");
        node("Reshape", name + "_reshape").input(result).input(integers(name + "_extents", shape)).output(same);
        return same;
    }
    /// Adds a bias as codes and DequantizeLinear; returns the name of the reals.
    std::string dequantized(const std::string& name, const qdq_bias& bias) {
        std::string raw;
        for (const std::int32_t code : bias.codes)
            append(raw, static_cast<std::uint32_t>(code), 4);
        const std::string stored = tensor(name + "_codes", onnx_type::int32, {bias.codes.size()}, std::move(raw));
        std::string result = unique(name);
        onnx_node_builder dequantizer = node("DequantizeLinear", name + "_dequantize").input(stored).output(result);
        const bool many = bias.scales.size() > 1;
        const std::vector<std::size_t> shape = many ? std::vector{bias.scales.size()} : std::vector<std::size_t>{};
        dequantizer.input(floats(name + "_scale", shape, bias.scales));
        if (many)
            dequantizer.integer("axis", 0);
        return result;
    }

private:
    [[nodiscard]] static std::string unique(const std::string& wanted, std::unordered_set<std::string>& taken) {
        const std::string base = wanted.empty() ? "tensor" : wanted;
        std::string name = base;
        for (std::size_t i = 1; !taken.insert(name).second; ++i)
            name = text(base, "_", i);
        return name;
    }
    static void append(std::string& raw, std::uint64_t bits, unsigned bytes) {
        for (unsigned i = 0; i < bytes; ++i)
            raw.push_back(static_cast<char>(bits >> (8 * i) & 0xff));
    }

    /// The extents of scales and zero points: of one number, of a list, or of blocks of weights.
    [[nodiscard]] static std::vector<std::size_t> extents_of_scales(const qdq_params& params,
                                                                    std::vector<std::size_t> weights) {
        if (params.axis == -1)
            return {};
        if (params.block == 0)
            return {params.scales.size()};
        std::size_t& along = weights[static_cast<std::size_t>(params.axis)];
        along = (along - 1) / params.block + 1;
        return weights;
    }

    std::string tensor(const std::string& name, onnx_type type, const std::vector<std::size_t>& shape,
                       std::string&& raw) {
        proto::TensorProto& added = *graph_.add_initializer();
        added.set_name(unique(name));
        added.set_data_type(static_cast<std::int32_t>(type));
        for (const std::size_t extent : shape)
            added.add_dims(static_cast<std::int64_t>(extent));
        added.set_raw_data(std::move(raw));
        return added.name();
    }

    proto::GraphProto& graph_;
    std::unordered_set<std::string> names_{};
    std::unordered_set<std::string> node_names_{};
};

} // namespace notch::detail

#endif

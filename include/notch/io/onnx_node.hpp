/// @file
/// A node of an ONNX graph: its inputs, and its attributes with their types checked.
///
/// Every attribute that is asked for is remembered, so that one that nobody understands is noticed.
#pragma once

#include <notch/core/error.hpp>
#include <notch/io/onnx_proto.hpp>

#if NOTCH_HAS_ONNX

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace notch::detail {

/// One node of a graph.
class onnx_node {
public:
    /// `label` says whose node it is; both must outlive it. Raises format_error for an attribute that occurs twice.
    onnx_node(const proto::NodeProto& node, std::string_view label, std::int64_t opset)
        : node_(node), label_(label), opset_(opset), read_(static_cast<std::size_t>(node.attribute_size())) {
        inputs_ = static_cast<std::size_t>(node.input_size());
        while (inputs_ > 0 && input(inputs_ - 1).empty())
            --inputs_;
        if (node.attribute_size() > 64)
            fail("has ", node.attribute_size(), " attributes; the limit is 64");
        for (int i = 0; i < node.attribute_size(); ++i)
            for (int k = 0; k < i; ++k)
                if (node.attribute(i).name() == node.attribute(k).name())
                    fail("has the attribute '", node.attribute(i).name(), "' twice");
    }

    /// Its operator.
    [[nodiscard]] const std::string& op() const noexcept { return node_.op_type(); }
    /// The version of the operators.
    [[nodiscard]] std::int64_t opset() const noexcept { return opset_; }
    /// Its name, or that of its result.
    [[nodiscard]] const std::string& name() const noexcept {
        return node_.name().empty() && node_.output_size() > 0 ? node_.output(0) : node_.name();
    }
    /// Name and operator, for messages.
    [[nodiscard]] std::string title() const { return text("'", name(), "' (", op(), ")"); }

    /// Inputs, without empty ones at the end.
    [[nodiscard]] std::size_t inputs() const noexcept { return inputs_; }
    /// The name of an input; empty where it is left out.
    [[nodiscard]] std::string_view input(std::size_t i) const noexcept {
        return i < static_cast<std::size_t>(node_.input_size()) ? std::string_view(node_.input(static_cast<int>(i)))
                                                                : std::string_view();
    }
    /// Results.
    [[nodiscard]] std::size_t outputs() const noexcept { return static_cast<std::size_t>(node_.output_size()); }
    /// The name of a result; empty where it is left out.
    [[nodiscard]] std::string_view output(std::size_t i) const noexcept {
        return i < outputs() ? std::string_view(node_.output(static_cast<int>(i))) : std::string_view();
    }

    /// Raises format_error: which node, what is wrong.
    template <class... Parts> [[noreturn]] NOTCH_COLD void fail(const Parts&... parts) const {
        raise<format_error>(label_, ": node ", title(), " ", parts...);
    }

    /// Raises format_error unless the number of inputs lies in [fewest, most].
    void expect_inputs(std::size_t fewest, std::size_t most) const {
        if (inputs_ < fewest || inputs_ > most)
            fail("has ", inputs_, " inputs, not ", fewest, " to ", most);
    }

    /// Whether there is an attribute of a name.
    [[nodiscard]] bool has(std::string_view key) const noexcept {
        for (const proto::AttributeProto& attribute : node_.attribute())
            if (attribute.name() == key)
                return true;
        return false;
    }
    /// An integer, or a default.
    [[nodiscard]] std::int64_t integer(std::string_view key, std::int64_t otherwise) {
        const proto::AttributeProto* found = find(key, proto::AttributeProto::INT);
        return found == nullptr ? otherwise : found->i();
    }
    /// A switch: 0 or 1.
    [[nodiscard]] bool flag(std::string_view key, bool otherwise) {
        const std::int64_t value = integer(key, otherwise ? 1 : 0);
        if (value != 0 && value != 1)
            fail("has the attribute '", key, "' of ", value, ", which is neither 0 nor 1");
        return value == 1;
    }
    /// A real, or nothing.
    [[nodiscard]] std::optional<float> real(std::string_view key) {
        const proto::AttributeProto* found = find(key, proto::AttributeProto::FLOAT);
        return found == nullptr ? std::nullopt : std::optional(found->f());
    }
    /// A text, or a default.
    [[nodiscard]] std::string word(std::string_view key, std::string_view otherwise) {
        const proto::AttributeProto* found = find(key, proto::AttributeProto::STRING);
        return found == nullptr ? std::string(otherwise) : found->s();
    }
    /// A list of integers, or nothing.
    [[nodiscard]] std::optional<std::vector<std::int64_t>> integers(std::string_view key) {
        const proto::AttributeProto* found = find(key, proto::AttributeProto::INTS);
        if (found == nullptr)
            return std::nullopt;
        return std::vector<std::int64_t>(found->ints().begin(), found->ints().end());
    }
    /// A list of reals, or nothing.
    [[nodiscard]] std::optional<std::vector<float>> reals(std::string_view key) {
        const proto::AttributeProto* found = find(key, proto::AttributeProto::FLOATS);
        if (found == nullptr)
            return std::nullopt;
        return std::vector<float>(found->floats().begin(), found->floats().end());
    }
    /// A tensor, or nullptr.
    [[nodiscard]] const proto::TensorProto* tensor(std::string_view key) {
        const proto::AttributeProto* found = find(key, proto::AttributeProto::TENSOR);
        return found == nullptr ? nullptr : &found->t();
    }
    /// Takes note of an attribute that changes nothing here, of any type.
    void ignore(std::string_view key) {
        for (std::size_t i = 0; i < read_.size(); ++i)
            if (node_.attribute(static_cast<int>(i)).name() == key)
                read_[i] = true;
    }

    /// Small numbers, one for each of Count sides or axes, or a default for all. Raises format_error for another number of
    /// numbers, and for one outside [least, 2^31 - 1].
    template <std::size_t Count>
    [[nodiscard]] std::array<std::size_t, Count> sizes(std::string_view key, std::int64_t otherwise,
                                                       std::int64_t least) {
        std::array<std::size_t, Count> result;
        result.fill(static_cast<std::size_t>(otherwise));
        const auto values = integers(key);
        if (!values)
            return result;
        if (values->size() != Count)
            fail("has ", values->size(), " numbers in '", key, "', not ", Count);
        for (std::size_t i = 0; i < Count; ++i) {
            if ((*values)[i] < least || (*values)[i] > INT_MAX)
                fail("has the ", key, " ", *values, "; numbers of at least ", least, " are expected");
            result[i] = static_cast<std::size_t>((*values)[i]);
        }
        return result;
    }

    /// The name of an attribute that nobody asked for, or an empty one.
    [[nodiscard]] std::string_view unread() const noexcept {
        for (std::size_t i = 0; i < read_.size(); ++i)
            if (!read_[i])
                return node_.attribute(static_cast<int>(i)).name();
        return {};
    }

private:
    using type_of_attribute = proto::AttributeProto::AttributeType;

    [[nodiscard]] const proto::AttributeProto* find(std::string_view key, type_of_attribute type) {
        for (std::size_t i = 0; i < read_.size(); ++i) {
            const proto::AttributeProto& attribute = node_.attribute(static_cast<int>(i));
            if (attribute.name() != key)
                continue;
            read_[i] = true;
            if (!attribute.ref_attr_name().empty())
                fail("refers to an attribute '", attribute.ref_attr_name(), "' of a function, outside of one");
            if (attribute.type() != type)
                fail("has the attribute '", key, "' of type ", static_cast<int>(attribute.type()), ", not ",
                     static_cast<int>(type));
            return &attribute;
        }
        return nullptr;
    }

    const proto::NodeProto& node_;
    std::string_view label_;
    std::int64_t opset_;
    std::size_t inputs_ = 0;
    std::vector<bool> read_;
};

} // namespace notch::detail

#endif

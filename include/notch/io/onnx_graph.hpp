/// @file
/// The network that grows while the nodes of an ONNX graph are read one after the other.
///
/// A name of the graph stands for a tensor of the network, for numbers, or for something that no layer computes. What a
/// node asks for and notch lacks is noted and the nodes behind it are passed over, so that one error tells everything.
#pragma once

#include <notch/core/error.hpp>
#include <notch/io/onnx_node.hpp>
#include <notch/io/onnx_proto.hpp>
#include <notch/io/onnx_tensor.hpp>
#include <notch/model/network.hpp>

#if NOTCH_HAS_ONNX

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <variant>
#include <vector>

namespace notch::detail {

/// Most integers of a list that tells axes, extents or indices.
inline constexpr std::size_t most_integers = 1024;

/// What a name stands for.
struct onnx_value {
    struct unsupported {};
    using computed = std::shared_ptr<const onnx_constant>;
    /// Nothing that can be had, a tensor of the network, numbers of the file, numbers that were computed.
    std::variant<unsupported, std::size_t, const proto::TensorProto*, computed> is{};

    /// Whether no layer computes it, and it is known.
    [[nodiscard]] bool is_constant() const noexcept { return is.index() >= 2; }
};

/// What has been read so far.
class onnx_graph {
public:
    /// Reads into an empty network.
    explicit onnx_graph(onnx_source source_of_model) : source(std::move(source_of_model)) {}

    network net{};
    onnx_source source;
    std::optional<std::size_t> batch{};             ///< images, where the file fixes their number
    std::vector<std::string> lacking{};             ///< nodes that notch cannot compute
    std::unordered_set<std::string_view> used{};    ///< names that a node or the graph reads
    std::unordered_set<std::string_view> written{}; ///< names that a node writes

    /// Raises format_error about the whole model.
    template <class... Parts> [[noreturn]] NOTCH_COLD void fail(const Parts&... parts) const {
        raise<format_error>(source.label, ": ", parts...);
    }

    /// Gives a name its meaning. Raises format_error where it has one.
    void define(std::string_view name, onnx_value value) {
        if (name.empty())
            fail("a tensor has no name");
        if (!values_.emplace(std::string(name), std::move(value)).second)
            fail("two tensors are named '", name, "'");
    }
    /// The meaning of a name, or nullptr.
    [[nodiscard]] const onnx_value* find(std::string_view name) const {
        const auto found = values_.find(std::string(name));
        return found == values_.end() ? nullptr : &found->second;
    }
    /// The meaning of an input, which must be there.
    [[nodiscard]] const onnx_value& value(const onnx_node& node, std::size_t i) const {
        const onnx_value* found = find(node.input(i));
        if (found == nullptr)
            node.fail("lacks input ", i);
        return *found;
    }

    /// Notes that a node cannot be had, and why.
    template <class... Parts> void reject(const onnx_node& node, const Parts&... parts) {
        std::string reason = text(parts...);
        lacking.push_back(node.title() + (reason.empty() ? "" : ": " + reason));
        give_up(node);
    }
    /// Makes the results of a node unknown.
    void give_up(const onnx_node& node) {
        for (std::size_t i = 0; i < node.outputs(); ++i)
            if (!node.output(i).empty() && find(node.output(i)) == nullptr)
                define(node.output(i), {});
    }
    /// Notes a node with a result, besides the first, that something reads; true where there is one.
    bool reject_more_results(const onnx_node& node) {
        for (std::size_t i = 1; i < node.outputs(); ++i)
            if (!node.output(i).empty() && used.contains(node.output(i))) {
                reject(node, "its result '", node.output(i), "' is used");
                return true;
            }
        for (std::size_t i = 1; i < node.outputs(); ++i)
            if (!node.output(i).empty())
                define(node.output(i), {});
        return false;
    }

    /// The tensor of an input; where it is a constant the node is noted.
    [[nodiscard]] std::optional<std::size_t> tensor(const onnx_node& node, std::size_t i) {
        const onnx_value& found = value(node, i);
        if (const std::size_t* number = std::get_if<std::size_t>(&found.is))
            return *number;
        reject(node, "input ", i, " is a constant");
        return std::nullopt;
    }
    /// The numbers of a constant.
    [[nodiscard]] onnx_value::computed constant(const onnx_value& found, std::string_view name) {
        if (const auto* stored = std::get_if<const proto::TensorProto*>(&found.is))
            return std::make_shared<const onnx_constant>(onnx_tensor_reader(**stored, source, name).read());
        return std::get<onnx_value::computed>(found.is);
    }
    /// The numbers of an input; where it is computed by layers the node is noted.
    [[nodiscard]] onnx_value::computed constant(const onnx_node& node, std::size_t i) {
        const onnx_value& found = value(node, i);
        if (found.is_constant())
            return constant(found, node.input(i));
        reject(node, "input ", i, " is not constant");
        return nullptr;
    }
    /// The reals of an input with their extents.
    [[nodiscard]] std::optional<float_array> reals(const onnx_node& node, std::size_t i) {
        const onnx_value::computed numbers = constant(node, i);
        if (!numbers)
            return std::nullopt;
        if (numbers->is_integer)
            node.fail("has integers as input ", i, ", where reals are expected");
        charge(numbers->reals.size());
        return float_array{numbers->shape, numbers->reals};
    }
    /// The integers of an input that is one list, or one number; nothing where it is left out.
    /// The node is noted where the input is computed, or holds the number of images.
    [[nodiscard]] std::optional<std::vector<std::int64_t>> integers(const onnx_node& node, std::size_t i) {
        const onnx_value::computed numbers = constant(node, i);
        if (!numbers)
            return std::nullopt;
        if (!numbers->is_integer || numbers->shape.size() > 1)
            node.fail("has no list of integers as input ", i);
        if (numbers->size() > most_integers)
            node.fail("has ", numbers->size(), " integers as input ", i, "; the limit is ", most_integers);
        if (numbers->holds_batch) {
            reject(node, "input ", i, " depends on the number of images");
            return std::nullopt;
        }
        return numbers->integers;
    }

    /// Extents of one image.
    [[nodiscard]] const std::vector<std::size_t>& shape(std::size_t number) const { return net.tensors[number].shape; }

    /// Adds a layer that computes the first result of a node.
    void add(const onnx_node& node, operation op, std::vector<std::size_t> inputs, std::vector<std::size_t> shape) {
        if (node.output(0).empty())
            node.fail("has no result");
        const std::size_t output = add_tensor(node, std::string(node.output(0)), std::move(shape));
        define(node.output(0), {output});
        net.layers.push_back({node.name(), std::move(op), std::move(inputs), output});
    }
    /// Adds a layer in front of the last one of a node; returns its tensor.
    [[nodiscard]] std::size_t add_before(const onnx_node& node, operation op, std::vector<std::size_t> inputs,
                                         std::vector<std::size_t> shape) {
        std::string name = text(node.output(0), ".before");
        while (find(name) != nullptr || used.contains(name) || written.contains(name))
            name += '_';
        const std::size_t output = add_tensor(node, name, std::move(shape));
        define(name, {output});
        net.layers.push_back({std::move(name), std::move(op), std::move(inputs), output});
        return output;
    }
    /// Makes the first result of a node another name of a value.
    void alias(const onnx_node& node, onnx_value value) {
        if (node.output(0).empty())
            node.fail("has no result");
        define(node.output(0), std::move(value));
    }

private:
    /// Most elements of a tensor of one image.
    static constexpr std::size_t most_elements = INT_MAX;

    std::size_t add_tensor(const onnx_node& node, std::string name, std::vector<std::size_t> shape) {
        std::size_t count = 1;
        if (shape.size() > std::size_t{most_rank})
            node.fail("has a result of ", shape.size() + 1, " axes; the limit is ", most_rank);
        for (const std::size_t extent : shape) {
            if (extent == 0)
                node.fail("has a result of extents ", shape, ", which is empty");
            if (extent > most_elements || count > most_elements / extent)
                node.fail("has a result of extents ", shape, "; an image of at most 2^31 - 1 numbers is read");
            count *= extent;
        }
        return net.add_tensor(std::move(name), std::move(shape));
    }

    void charge(std::size_t floats) {
        if (floats * sizeof(float) > source.allowed_bytes)
            fail("its layers would hold far more numbers than its files");
        source.allowed_bytes -= floats * sizeof(float);
    }

    std::unordered_map<std::string, onnx_value> values_{};
};

} // namespace notch::detail

#endif

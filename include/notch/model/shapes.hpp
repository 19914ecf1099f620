/// @file
/// infer_shapes, validate: what a network has to be before anything is computed with it.
///
/// A network is right when
///   * every number of a tensor is one, the input is written by no layer and every other tensor by one at most, and each
///     layer reads what is given or what earlier layers wrote;
///   * each layer has as many inputs as its operation, of shapes that fit it and its weights (layer_shape.hpp);
///   * all weights are finite, and variances + epsilon positive.
///
/// Everything else is an error with the number and name of the layer. Any network can be given: no text, number or
/// shape of one makes these functions do anything but return or raise. Cost: one reading of the weights.
#pragma once

#include <notch/core/error.hpp>
#include <notch/core/int_math.hpp>
#include <notch/model/layer_shape.hpp>
#include <notch/model/network.hpp>

#include <cstddef>
#include <string>
#include <variant>
#include <vector>

namespace notch {

namespace detail {

/// A tensor as it stands in messages: tensor 4 'relu'.
[[nodiscard]] inline std::string tensor_text(const network& net, std::size_t index) {
    return text("tensor ", index, " '", net.tensors[index].name, "'");
}

/// Raises range_error for a number that is none of a tensor.
inline void check_tensor(const network& net, const std::string& what, std::size_t index) {
    if (index >= net.tensors.size())
        raise<range_error>(what, " is tensor ", index, " of ", net.tensors.size());
}

/// Inputs of an operation: exactly so many, or at least one.
inline void check_input_count(const std::string& at, const layer& it) {
    const std::size_t count = it.inputs.size();
    if (std::holds_alternative<concat>(it.op) ? count == 0 : count != (std::holds_alternative<sum>(it.op) ? 2U : 1U))
        raise<shape_error>(at, ": ", count, " inputs; the operation has ",
                           std::holds_alternative<concat>(it.op) ? "at least 1"
                           : std::holds_alternative<sum>(it.op)  ? "2"
                                                                 : "1");
}

/// Raises an error unless the layers can be computed in their order.
inline void check_order(const network& net) {
    check_tensor(net, "the input", net.input);
    check_tensor(net, "the output", net.output);
    std::vector<bool> written(net.tensors.size());
    written[net.input] = true;
    for (std::size_t i = 0; i < net.layers.size(); ++i) {
        const layer& it = net.layers[i];
        const std::string at = layer_text(net, i);
        check_input_count(at, it);
        for (const std::size_t input : it.inputs) {
            check_tensor(net, text(at, ": an input"), input);
            if (!written[input])
                raise<shape_error>(at, " reads ", tensor_text(net, input), ", which no earlier layer writes");
        }
        check_tensor(net, text(at, ": the output"), it.output);
        if (written[it.output])
            raise<shape_error>(at, " writes ", tensor_text(net, it.output), ", which has been written before");
        written[it.output] = true;
    }
    if (!written[net.output])
        raise<shape_error>("the output is ", tensor_text(net, net.output), ", which no layer writes");
}

/// Shapes of all tensors, from that of the input; empty for tensors that no layer writes.
[[nodiscard]] inline std::vector<shape_of_image> inferred_shapes(const network& net) {
    check_order(net);
    std::vector<shape_of_image> shapes(net.tensors.size());
    check_shape(text("the input, ", tensor_text(net, net.input)), net.tensors[net.input].shape);
    shapes[net.input] = net.tensors[net.input].shape;
    for (std::size_t i = 0; i < net.layers.size(); ++i) {
        const layer& it = net.layers[i];
        const std::string at = layer_text(net, i);
        std::vector<shape_of_image> inputs;
        for (const std::size_t input : it.inputs)
            inputs.push_back(shapes[input]);
        shapes[it.output] = std::visit([&](const auto& op) { return result_shape(at, op, inputs); }, it.op);
        check_shape(at, shapes[it.output]);
    }
    return shapes;
}

/// Raises range_error that names the first number that is NaN or infinite.
inline void check_finite(const std::string& at, const char* what, const std::vector<float>& values) {
    for (std::size_t i = 0; i < values.size(); ++i)
        if (is_non_finite(values[i]))
            raise<range_error>(at, ": ", what, "[", i, "] is ", values[i], "; it has to be finite");
}

/// Raises range_error for variances without a root that can be divided by.
inline void check_variance(const std::string& at, const batch_norm& op) {
    check_finite(at, "epsilon", {op.epsilon});
    for (std::size_t c = 0; c < op.variance.size(); ++c)
        if (!(exact_double(op.variance[c]) + exact_double(op.epsilon) > 0))
            raise<range_error>(at, ": variance[", c, "] is ", op.variance[c], ", with epsilon ", op.epsilon,
                               "; the sum has to be positive");
}

inline void check_numbers(const std::string& at, const convolution& op) {
    check_finite(at, "weights", op.weights.values);
    check_finite(at, "bias", op.bias);
}
inline void check_numbers(const std::string& at, const linear& op) {
    check_finite(at, "weights", op.weights.values);
    check_finite(at, "bias", op.bias);
}
inline void check_numbers(const std::string& at, const batch_norm& op) {
    check_finite(at, "gain", op.gain);
    check_finite(at, "shift", op.shift);
    check_finite(at, "mean", op.mean);
    check_finite(at, "variance", op.variance);
    check_variance(at, op);
}
inline void check_numbers(const std::string& at, const affine_map& op) {
    check_finite(at, "factor", op.factor);
    check_finite(at, "offset", op.offset);
}
inline void check_numbers(const std::string& at, const pad& op) { check_finite(at, "value", {op.value}); }
template <class Other> void check_numbers(const std::string&, const Other&) noexcept {}

/// Raises range_error for weights that are no numbers to compute with.
inline void check_all_numbers(const network& net) {
    for (std::size_t i = 0; i < net.layers.size(); ++i) {
        const std::string at = layer_text(net, i);
        std::visit([&](const auto& op) { check_numbers(at, op); }, net.layers[i].op);
    }
}

} // namespace detail

/// Writes the shapes of all tensors that layers write, from that of the input. What stood there is overwritten; shapes of
/// tensors that no layer writes stay. Raises shape_error and range_error as `validate`, except for what the weights hold;
/// then nothing has been written.
inline void infer_shapes(network& net) {
    std::vector<detail::shape_of_image> shapes = detail::inferred_shapes(net);
    for (std::size_t i = 0; i < shapes.size(); ++i)
        if (!shapes[i].empty())
            net.tensors[i].shape = std::move(shapes[i]);
}

/// Raises an error unless the network is right and its shapes are those that infer_shapes writes: shape_error for tensors
/// and weights that do not fit, range_error for numbers outside their limits, and for weights that are not finite, with the
/// index of the first one.
inline void validate(const network& net) {
    const std::vector<detail::shape_of_image> shapes = detail::inferred_shapes(net);
    for (std::size_t i = 0; i < shapes.size(); ++i)
        if (!shapes[i].empty() && net.tensors[i].shape != shapes[i])
            detail::raise<shape_error>(detail::tensor_text(net, i), " has extents ", net.tensors[i].shape,
                                       "; the layers before it give ", shapes[i]);
    detail::check_all_numbers(net);
}

} // namespace notch

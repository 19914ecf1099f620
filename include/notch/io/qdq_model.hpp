/// @file
/// A network with the numbers that quantize it: what onnx_write.hpp writes as QuantizeLinear and DequantizeLinear.
///
///     real = scale * (code - zero_point)
///     code = min(max(saturate(round_half_even(real / scale) + zero_point), lowest), highest)
///
/// A tensor with parameters is quantized and dequantized behind the layer that computes it; all that read it see the result.
/// A layer with codes has these as weights, with bias codes of int32 beside them. The network's own weights are not
/// looked at then, but their extents are.
///
///     qdq_model model{net};
///     model.tensors.resize(net.tensors.size());
///     model.tensors[net.input] = qdq_params{.is_signed = false, .lowest = 0, .highest = 255, .scales = {0x1p-5F}};
///     model.layers.resize(net.layers.size());
///     model.layers[0].weights = qdq_weights{codes, {.scales = scale_of_each_output, .axis = 0}};
#pragma once

#include <notch/core/error.hpp>
#include <notch/core/int_math.hpp>
#include <notch/model/network.hpp>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace notch {

/// How codes stand for reals.
struct qdq_params {
    int bits = 8;                            ///< 2 to 8
    bool is_signed = true;                   ///< two's complement, or from 0
    int lowest = -128;                       ///< the first code that is used
    int highest = 127;                       ///< the last one
    std::vector<float> scales{};             ///< one, or one for each index of the axis, or for each block
    std::vector<std::int32_t> zero_points{}; ///< as many, or none: 0
    /// The axis along which scales change, -1 for none. It counts in the weights (0: outputs), and in one image (0: C).
    int axis = -1;
    /// 0: a scale for each index of the axis. Otherwise a scale for that many indices, and for each index of all other axes:
    /// scales have the extents of the weights, with that of the axis divided by block and rounded up. Weights only.
    std::size_t block = 0;
};

/// Weights as codes, in the order of the network's weights.
struct qdq_weights {
    std::variant<std::vector<std::int8_t>, std::vector<std::uint8_t>> codes{}; ///< int8_t where params.is_signed
    qdq_params params{};                                                       ///< what they stand for
};

/// Bias as codes of int32, with zero point 0. A scale is that of the input times that of the weights.
struct qdq_bias {
    std::vector<std::int32_t> codes{}; ///< one for each output
    std::vector<float> scales{};       ///< one, or one for each output
};

/// What replaces the floats of a convolution or a linear layer.
struct qdq_layer {
    std::optional<qdq_weights> weights{}; ///< none: floats
    std::optional<qdq_bias> bias{};       ///< none: floats
};

/// A network and what quantizes it. Lists may be empty: nothing is quantized then.
struct qdq_model {
    network net{};                                    ///< names, layers, extents
    std::vector<std::optional<qdq_params>> tensors{}; ///< for each tensor of the network
    std::vector<qdq_layer> layers{};                  ///< for each layer
};

namespace detail {

/// Raises an error unless parameters describe an array: `what` names it.
inline void check_qdq_params(const qdq_params& params, const std::vector<std::size_t>& shape, const std::string& what) {
    if (params.bits < 2 || params.bits > 8)
        raise<range_error>(what, ": codes of ", params.bits, " bits; 2 to 8 are written");
    const int lowest = params.is_signed ? -(1 << (params.bits - 1)) : 0;
    const int highest = lowest + (1 << params.bits) - 1;
    if (params.lowest < lowest || params.highest > highest || params.lowest > params.highest)
        raise<range_error>(what, ": codes from ", params.lowest, " to ", params.highest, "; ",
                           params.is_signed ? "signed" : "unsigned", " ones of ", params.bits, " bits go from ", lowest,
                           " to ", highest);
    std::size_t count = 1;
    if (params.axis != -1) {
        if (params.axis < 0 || static_cast<std::size_t>(params.axis) >= shape.size())
            raise<shape_error>(what, ": scales along axis ", params.axis, " of extents ", shape);
        count = shape[static_cast<std::size_t>(params.axis)];
        if (params.block != 0 && count != 0)
            count = element_count(shape) / count * ((count - 1) / params.block + 1);
    } else if (params.block != 0) {
        raise<shape_error>(what, ": blocks of ", params.block, " along no axis");
    }
    if (params.scales.size() != count)
        raise<shape_error>(what, ": ", params.scales.size(), " scales, where ", count, " are needed");
    if (!params.zero_points.empty() && params.zero_points.size() != count)
        raise<shape_error>(what, ": ", params.zero_points.size(), " zero points for ", count, " scales");
    for (const float scale : params.scales)
        if (!(scale > 0) || is_non_finite(scale))
            raise<range_error>(what, ": a scale of ", scale, ", which is not positive and finite");
    for (const std::int32_t zero_point : params.zero_points)
        if (zero_point < lowest || zero_point > highest)
            raise<range_error>(what, ": a zero point of ", zero_point, ", outside the codes from ", lowest, " to ",
                               highest);
}

/// Raises an error unless codes describe weights of some extents.
inline void check_qdq_weights(const qdq_weights& weights, const std::vector<std::size_t>& shape,
                              const std::string& what) {
    check_qdq_params(weights.params, shape, what);
    if (weights.params.is_signed != (weights.codes.index() == 0))
        raise<shape_error>(what, ": the type of the codes is not that of their parameters");
    std::visit(
        [&](const auto& codes) {
            if (codes.size() != element_count(shape))
                raise<shape_error>(what, ": ", codes.size(), " codes for weights of extents ", shape);
            for (const auto code : codes)
                if (code < weights.params.lowest || code > weights.params.highest)
                    raise<range_error>(what, ": a code of ", code + 0, ", outside ", weights.params.lowest, " to ",
                                       weights.params.highest);
        },
        weights.codes);
}

/// Raises an error unless codes describe a bias of some outputs.
inline void check_qdq_bias(const qdq_bias& bias, std::size_t outputs, const std::string& what) {
    if (bias.codes.size() != outputs || (bias.scales.size() != outputs && bias.scales.size() != 1))
        raise<shape_error>(what, ": a bias of ", bias.codes.size(), " codes and ", bias.scales.size(), " scales for ",
                           outputs, " outputs");
    for (const float scale : bias.scales)
        if (!(scale > 0) || is_non_finite(scale))
            raise<range_error>(what, ": a scale of the bias of ", scale, ", which is not positive and finite");
}

} // namespace detail
} // namespace notch

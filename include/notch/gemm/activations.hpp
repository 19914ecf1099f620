/// @file
/// The left operand of a product: 8-bit codes [rows, inputs] with one scale and one zero point.
///
///     real = scale * (code - zero_point)
///
/// A quantized_tensor is one, if its granularity is per_tensor. An engine that keeps plain codes says what they mean by
/// `activation_codes`; a bare view has the scale 1 and the zero point 0.
#pragma once

#include <notch/core/tensor_view.hpp>
#include <notch/gemm/row_operand.hpp>
#include <notch/quant/quantized_tensor.hpp>

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace notch {

/// Plain codes and what they mean.
template <class Code>
    requires(std::same_as<Code, std::uint8_t> || std::same_as<Code, std::int8_t>)
struct activation_codes {
    strided_view<const Code, 2> codes; ///< [rows, inputs], any strides
    std::int32_t zero_point = 0;       ///< code of 0
    std::int32_t exponent = 0;         ///< scale = 2^exponent, where `scale` is 0
    float scale = 0;                   ///< a real scale; 0: the scale is 2^exponent
};

namespace detail {

/// Any left operand.
struct gemm_operand {
    activation_rows codes{};
    std::size_t inputs = 0;
    bool power_of_two = true;
    std::int32_t exponent = 0;
    float scale = 1;
};

template <class Code> [[nodiscard]] gemm_operand operand_of(const activation_codes<Code>& from) {
    gemm_operand to;
    to.codes.data = reinterpret_cast<const std::uint8_t*>(from.codes.data());
    to.codes.is_signed = std::same_as<Code, std::int8_t>;
    to.codes.row_stride = from.codes.stride(0);
    to.codes.column_stride = from.codes.extent(1) == 1 ? 1 : from.codes.stride(1);
    to.codes.zero_point = from.zero_point;
    to.codes.rows = from.codes.extent(0);
    to.inputs = from.codes.extent(1);
    to.power_of_two = from.scale == 0.0F;
    to.exponent = from.exponent;
    constexpr std::int32_t lowest = std::same_as<Code, std::int8_t> ? -128 : 0;
    if (from.zero_point < lowest || from.zero_point > lowest + 255)
        raise<range_error>("activations: zero point ", from.zero_point, " lies outside [", lowest, ", ", lowest + 255,
                           "]");
    if (to.power_of_two && (from.exponent < -126 || from.exponent > 127))
        raise<range_error>("activations: exponent ", from.exponent, " lies outside [-126, 127]");
    if (!to.power_of_two && (is_non_finite(from.scale) || !(from.scale > 0)))
        raise<range_error>("activations: scale ", from.scale, " is not positive and finite");
    to.scale = to.power_of_two ? static_cast<float>(exp2_exact(from.exponent)) : from.scale;
    return to;
}

template <quantizer_type Q> [[nodiscard]] gemm_operand operand_of(const quantized_tensor<Q, 2>& from) {
    if (from.params.count() != 1)
        raise<unsupported_error>(quoted(from.name), ": activations with ", from.params.count(),
                                 " scales; gemm takes one scale per tensor");
    if (!from.params.output_order.empty() || !from.params.input_order.empty())
        raise<unsupported_error>(quoted(from.name), ": activations with a channel order; gemm takes them as they come");
    static_cast<void>(from.grid());
    using scale_value = typename Q::scale_value;
    activation_codes<typename Q::code_type> codes{as_view(from.codes), from.params.zero_point(0), 0, 0};
    if constexpr (std::same_as<scale_value, std::int32_t>)
        codes.exponent = from.params.scales[0];
    else
        codes.scale = static_cast<float>(from.params.scale(0));
    return operand_of(codes);
}

template <class V>
concept view_of_codes = requires(const V& v) {
    as_view(v);
    requires std::same_as<typename std::remove_cvref_t<decltype(as_view(v))>::value_type, std::int8_t> ||
        std::same_as<typename std::remove_cvref_t<decltype(as_view(v))>::value_type, std::uint8_t>;
};

template <view_of_codes V> [[nodiscard]] gemm_operand operand_of(const V& from) {
    const auto view = as_view(from);
    using code = typename std::remove_cvref_t<decltype(view)>::value_type;
    static_assert(std::remove_cvref_t<decltype(view)>::rank == 2, "gemm: activations are [rows, inputs], of rank 2");
    return operand_of(activation_codes<code>{view, 0, 0, 0});
}

template <class A>
concept gemm_left = requires(const A& a) {
    { operand_of(a) } -> std::same_as<gemm_operand>;
};

} // namespace detail
} // namespace notch

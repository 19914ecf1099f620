/// @file
/// Images: 8-bit codes [N, H, W, C] with one scale and one zero point.
///
///     real = scale * (code - zero_point)
///
/// A quantized_tensor of rank 4 is one, if its granularity is per_tensor. An engine that keeps plain codes says what they
/// mean by `image_codes`; a bare view has the scale 1 and the zero point 0. Strides are free: an NCHW tensor is the view
/// [N, H, W, C] with strides {C H W, W, 1, H W}, and slower.
#pragma once

#include <notch/core/int_math.hpp>
#include <notch/core/tensor_view.hpp>
#include <notch/gemm/activations.hpp>
#include <notch/quant/quantized_tensor.hpp>

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <type_traits>

namespace notch {

/// Plain codes of images and what they mean.
template <class Code>
    requires(std::same_as<Code, std::uint8_t> || std::same_as<Code, std::int8_t>)
struct image_codes {
    strided_view<const Code, 4> codes; ///< [N, H, W, C], any strides
    std::int32_t zero_point = 0;       ///< code of 0, and of padding
    std::int32_t exponent = 0;         ///< scale = 2^exponent, where `scale` is 0
    float scale = 0;                   ///< a real scale; 0: the scale is 2^exponent
};

/// A view [N, C, H, W] as one [N, H, W, C] of the same elements.
template <class T> [[nodiscard]] constexpr strided_view<T, 4> channels_last(const strided_view<T, 4>& nchw) {
    return {nchw.data(),
            {nchw.extent(0), nchw.extent(2), nchw.extent(3), nchw.extent(1)},
            {nchw.stride(0), nchw.stride(2), nchw.stride(3), nchw.stride(1)}};
}

namespace detail {

template <class Code> inline constexpr std::int32_t lowest_code = std::same_as<Code, std::int8_t> ? -128 : 0;
template <class Code> inline constexpr std::int32_t highest_code = lowest_code<Code> + 255;

/// Raises range_error unless a zero point is a code of the type. `what`: whose.
template <class Code> void check_zero_point(std::int32_t zero_point, std::string_view what) {
    if (zero_point < lowest_code<Code> || zero_point > highest_code<Code>)
        raise<range_error>(what, ": zero point ", zero_point, " lies outside [", lowest_code<Code>, ", ",
                           highest_code<Code>, "]");
}

/// Raises range_error unless an exponent is one of a normal float.
inline void check_exponent(std::int32_t exponent, std::string_view what) {
    if (exponent < -126 || exponent > 127)
        raise<range_error>(what, ": exponent ", exponent, " lies outside [-126, 127]");
}

template <class Code> [[nodiscard]] image_codes<Code> image_of(const image_codes<Code>& from) {
    check_zero_point<Code>(from.zero_point, "images");
    if (is_non_finite(from.scale) || from.scale < 0)
        raise<range_error>("images: scale ", from.scale, " is not positive and finite");
    if (from.scale == 0.0F)
        check_exponent(from.exponent, "images");
    return from;
}

template <quantizer_type Q> [[nodiscard]] auto image_of(const quantized_tensor<Q, 4>& from) {
    if (from.params.count() != 1)
        raise<unsupported_error>(quoted(from.name), ": images with ", from.params.count(),
                                 " scales; they have one scale per tensor");
    if (!from.params.output_order.empty() || !from.params.input_order.empty())
        raise<unsupported_error>(quoted(from.name), ": images with a channel order; they are taken as they come");
    static_cast<void>(from.grid());
    image_codes<typename Q::code_type> to{as_view(from.codes), from.params.zero_point(0), 0, 0};
    if constexpr (std::same_as<typename Q::scale_value, std::int32_t>)
        to.exponent = from.params.scales[0];
    else
        to.scale = static_cast<float>(from.params.scale(0));
    return image_of(to);
}

template <view_of_codes V> [[nodiscard]] auto image_of(const V& from) {
    const auto view = as_view(from);
    using code = typename std::remove_cvref_t<decltype(view)>::value_type;
    static_assert(std::remove_cvref_t<decltype(view)>::rank == 4, "conv: images are [N, H, W, C], of rank 4");
    return image_codes<code>{view, 0, 0, 0};
}

template <class> struct is_image_codes : std::false_type {};
template <class Code> struct is_image_codes<image_codes<Code>> : std::true_type {};

/// Anything that image_of understands.
template <class A>
concept image_source = requires(const A& a) {
    image_of(a);
    requires is_image_codes<decltype(image_of(a))>::value;
};

/// Images as an operand of gemm without codes: what an epilogue needs to know of them, for `rows` pixels of a result.
template <class Code>
[[nodiscard]] gemm_operand operand_of_image(const image_codes<Code>& image, std::size_t rows, std::size_t inputs) {
    gemm_operand to;
    to.codes.is_signed = std::same_as<Code, std::int8_t>;
    to.codes.zero_point = image.zero_point;
    to.codes.rows = rows;
    to.inputs = inputs;
    to.power_of_two = image.scale == 0.0F;
    to.exponent = to.power_of_two ? image.exponent : 0;
    to.scale = to.power_of_two ? static_cast<float>(exp2_exact(image.exponent)) : image.scale;
    return to;
}

} // namespace detail
} // namespace notch

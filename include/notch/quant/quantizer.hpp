/// @file
/// The quantizer: five policies that say how real numbers become codes.
///
///     using w4 = quantizer<bits<4>, per_group<32>, power_of_two<>>;
///     using a8 = quantizer<bits<8, unsigned_codes>, per_tensor, real_scale, nearest_even, affine>;
///
/// Slots are positional and each is checked by a concept, so that the compiler names the slot that
/// is wrong; combinations that cannot work are refused here with a sentence. The type carries no
/// data: scales and zero points live in quant_params. Only a granularity with run-time sizes is a
/// value, and a quantizer then holds it.
///
///     code  = clamp(round(x / scale) + zero_point, lowest, highest)
///     real  = scale * (code - zero_point)
#pragma once

#include <notch/core/bits.hpp>
#include <notch/core/rounding.hpp>
#include <notch/quant/granularity.hpp>
#include <notch/quant/scale.hpp>
#include <notch/quant/zero_point.hpp>

#include <type_traits>

namespace notch {

/// A composition of policies, see above. Defaults: one real scale, ties to even, symmetric.
template <bit_width Bits, granularity Granularity = per_tensor, scale_type Scale = real_scale,
          rounding Rounding = nearest_even, zero_point_rule ZeroPoint = symmetric>
struct quantizer {
    using bits_type = Bits;                          ///< code width
    using granularity_type = Granularity;            ///< which elements share a scale
    using scale_policy = Scale;                      ///< which numbers a scale may be
    using scale_value = typename Scale::value_type;  ///< how one scale is stored
    using rounding_rule = Rounding;                  ///< how ties fall
    using zero_point_policy = ZeroPoint;             ///< symmetric or affine
    using code_type = typename Bits::code_type;      ///< int8_t or uint8_t
    static constexpr code_range codes = Bits::range; ///< lowest and highest code
    /// Whether zero points are stored.
    static constexpr bool has_zero_point = ZeroPoint::has_zero_point;
    /// Whether the scale can change inside a dot product.
    static constexpr bool splits_reduction = Granularity::splits_reduction;

    /// The granularity; a value only where its sizes are given at run time.
    [[no_unique_address]] Granularity granularity{};

    static_assert(Bits::width >= 2 && Bits::width <= 8 && Bits::lowest < Bits::highest,
                  "quantizer: a bit width has 2 to 8 bits and at least two codes");
    static_assert(ZeroPoint::has_zero_point || (Bits::lowest <= 0 && Bits::highest >= 0),
                  "quantizer: symmetric needs the code 0, which bits<N, unsigned_codes, narrow_range> lacks; "
                  "use affine, or the full range");
};

namespace detail {
template <class Q> struct is_quantizer : std::false_type {};
template <class B, class G, class S, class R, class Z>
struct is_quantizer<quantizer<B, G, S, R, Z>> : std::true_type {};
} // namespace detail

/// A notch::quantizer<...>.
template <class Q>
concept quantizer_type = detail::is_quantizer<std::remove_cv_t<Q>>::value;

} // namespace notch

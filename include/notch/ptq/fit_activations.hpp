/// @file
/// Codes for activations: the range of an observer's rule becomes a scale and a zero point.
///
/// Powers of two are rounded up; under the rule mse the one of least error among those that the candidates reach is taken.
/// Zero always has a code.
#pragma once

#include <notch/core/bits.hpp>
#include <notch/core/error.hpp>
#include <notch/observe/histogram.hpp>
#include <notch/observe/kl_divergence.hpp>
#include <notch/observe/mse.hpp>
#include <notch/observe/percentile.hpp>
#include <notch/ptq/plan.hpp>
#include <notch/ptq/policy.hpp>
#include <notch/quant/params.hpp>
#include <notch/quant/quantizer.hpp>

#include <cstdint>

namespace notch {
namespace detail {

/// Calls f.operator()<quantizer>() with the quantizer of activations of some bits.
template <class Scale, class F> auto with_activation_quantizer(int bits_wanted, const F& f) {
    const auto call = [&]<int Bits>(std::integral_constant<int, Bits>) {
        return f.template
        operator()<quantizer<notch::bits<Bits, unsigned_codes>, per_tensor, Scale, nearest_even, affine>>();
    };
    switch (bits_wanted) {
    case 2:
        return call(std::integral_constant<int, 2>());
    case 3:
        return call(std::integral_constant<int, 3>());
    case 4:
        return call(std::integral_constant<int, 4>());
    case 5:
        return call(std::integral_constant<int, 5>());
    case 6:
        return call(std::integral_constant<int, 6>());
    case 7:
        return call(std::integral_constant<int, 7>());
    default:
        return call(std::integral_constant<int, 8>());
    }
}

/// The range that a rule makes of a histogram.
template <class Q> [[nodiscard]] value_range range_under(const histogram& seen, const activation_policy& policy) {
    switch (policy.rule) {
    case range_rule::by_min_max:
        break;
    case range_rule::by_percentile:
        return percentile_rule(policy.percent).template range<Q>(seen);
    case range_rule::by_mse:
    case range_rule::by_results:
        return lp_rule(policy.power).template range<Q>(seen);
    case range_rule::by_kl:
        return kl_rule().template range<Q>(seen);
    case range_rule::by_kl_masked:
        return kl_rule(kl_metric::masked).template range<Q>(seen);
    case range_rule::by_kl_penalised:
        return kl_rule(kl_metric::masked_penalised).template range<Q>(seen);
    }
    return {seen.min(), seen.max()};
}

} // namespace detail

/// The codes of a tensor, for what was seen of it. `bits` stands instead of policy.bits. Raises state_error where nothing
/// was seen, range_error for a number of bits outside [2, 8] and for a range that no scale holds.
[[nodiscard]] inline tensor_codes fit_activations(const histogram& seen, int bits, const activation_policy& policy,
                                                  scale_form form) {
    detail::check_bits(bits, "activations");
    tensor_codes to;
    to.bits = bits;
    to.is_signed = policy.is_signed;
    const auto fit = [&]<class Q>() {
        const quant_params<Q> params = params_from_range<Q>(detail::range_under<Q>(seen, policy), seen.name());
        to.scale = params.scale(0);
        to.zero_point = params.zero_point(0) + to.lowest();
        if constexpr (std::same_as<typename Q::scale_value, std::int32_t>)
            to.exponent = params.scales[0];
    };
    if (form == scale_form::power_of_two)
        detail::with_activation_quantizer<power_of_two<snap_up>>(bits, fit);
    else
        detail::with_activation_quantizer<real_scale>(bits, fit);
    return to;
}

} // namespace notch

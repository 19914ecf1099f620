/// @file
/// Observers: samples -> range -> parameters, which is called calibration.
///
///     percentile activations(99.99, "conv1");
///     for (const auto& batch : batches)
///         activations.observe(batch);
///     const auto params = calibrated_params<a8>(activations);      // quant_params<a8>
///
/// An observer is any type with three members; a user's own needs no base class and no registration:
///
///     void observe(tensor, std::string_view name)    takes a view of floats; the name stands in messages
///     count()                                        how many values it has seen
///     value_range range<Q>() const                   the range for a quantizer Q, or plainly
///     value_range range() const                      where it does not depend on the quantizer
///
/// | observer                  | range                                              | depends on order |
/// |---------------------------|----------------------------------------------------|------------------|
/// | min_max                   | smallest and largest value                         | no               |
/// | moving_average            | exponential average of the ranges of batches       | yes              |
/// | percentile                | what holds the given share of the values           | no               |
/// | mse                       | least L_p error of Q, over 80 ranges               | no               |
/// | kl_divergence             | least divergence between the data and its levels   | no               |
///
/// All of them merge, compare and serialize. None has a global state: use one per thread and merge.
#pragma once

#include <notch/core/tensor_view.hpp>
#include <notch/observe/value_count.hpp>
#include <notch/quant/granularity.hpp>
#include <notch/quant/params.hpp>
#include <notch/quant/quantizer.hpp>
#include <notch/quant/zero_point.hpp>

#include <concepts>
#include <cstdint>
#include <string>
#include <string_view>

namespace notch {

/// What can be shown tensors of floats, and tells how many values it has seen.
template <class O>
concept observer = requires(O& o, const O& c, strided_view<const float, 1> tensor, std::string_view name) {
    o.observe(tensor, name);
    { c.count() } -> std::convertible_to<std::uint64_t>;
};

/// An observer whose range does not depend on the quantizer.
template <class O>
concept plain_range_observer = observer<O> && requires(const O& c) {
    { c.range() } -> std::same_as<value_range>;
};

/// An observer that has a range for the quantizer Q.
template <class O, class Q>
concept observer_for = observer<O> && quantizer_type<Q> &&(plain_range_observer<O> || requires(const O& c) {
    { c.template range<Q>() } -> std::same_as<value_range>;
});

namespace detail {

/// The name of an observer that has one, else an empty text.
template <observer O> [[nodiscard]] std::string name_of(const O& from) {
    if constexpr (requires {
                      { from.name() } -> std::convertible_to<std::string_view>;
                  })
        return std::string(std::string_view(from.name()));
    else
        return {};
}

} // namespace detail

/// The range an observer proposes for a quantizer. `name` stands in messages instead of the observer's own.
/// Raises state_error where the observer has seen no value.
template <quantizer_type Q, observer_for<Q> O>
[[nodiscard]] value_range calibrated_range(const O& from, std::string_view name = {}) {
    detail::require_values(from.count(), name.empty() ? detail::name_of(from) : std::string(name),
                           "calibrated_range()");
    if constexpr (plain_range_observer<O>)
        return from.range();
    else
        return from.template range<Q>();
}

/// The parameters of a per-tensor quantizer for what an observer has seen: params_from_range of its range.
/// `name` stands in messages instead of the observer's own. Raises state_error where the observer has seen no
/// value, and range_error where the codes cannot hold its range (negative values in unsigned symmetric codes).
template <quantizer_type Q, observer_for<Q> O>
    requires std::same_as<typename Q::granularity_type, per_tensor>
[[nodiscard]] quant_params<Q> calibrated_params(const O& from, std::string_view name = {}) {
    const std::string whose = name.empty() ? detail::name_of(from) : std::string(name);
    detail::require_values(from.count(), whose, "calibrated_params()");
    return params_from_range<Q>(calibrated_range<Q>(from, whose), whose);
}

} // namespace notch

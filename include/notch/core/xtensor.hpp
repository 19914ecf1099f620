/// @file
/// xtensor containers and views as notch tensors, and back. The only file that includes xtensor.
///
/// With this header `as_view`, and so every function of notch, accepts what has elements in memory:
/// xt::xtensor, xt::xtensor_fixed, xt::adapt, xt::view of them (offsets, steps and column-major
/// included; extent-1 axes too). Nothing is copied. A lazy expression (`a + b`, xt::broadcast) has no
/// elements yet: passing one is a compile error that says to evaluate it with xt::eval.
///
/// An xt::xarray does not say its rank in its type: `as_view<Rank>(array)` checks it at run time.
///
///     xt::xtensor<float, 2> weights = ...;
///     auto codes = notch::quantize<w4>(weights);
///     auto back  = notch::as_xtensor(notch::dequantize(codes));   // an xt adaptor that owns nothing
#pragma once

#include <notch/core/dense_tensor.hpp>
#include <notch/core/error.hpp>
#include <notch/core/tensor_view.hpp>

#if __has_include(<xtensor/containers/xarray.hpp>)
#include <xtensor/containers/xadapt.hpp>
#include <xtensor/containers/xtensor.hpp>
#include <xtensor/views/xview.hpp>
#else
#include <xtensor/xadapt.hpp>
#include <xtensor/xtensor.hpp>
#include <xtensor/xview.hpp>
#endif

#include <algorithm>
#include <array>
#include <cstddef>
#include <limits>
#include <tuple>
#include <type_traits>
#include <utility>

namespace notch {

/// The xtensor container that corresponds to dense_tensor.
template <class T, std::size_t Rank> using tensor = xt::xtensor<T, Rank>;

namespace detail {

/// An xtensor expression whose elements lie in memory at strides.
template <class X>
concept xtensor_in_memory = xt::is_xexpression<X>::value && requires(X& x) {
    x.data();
    x.strides();
    x.data_offset();
    x.shape();
};

/// An xtensor expression of any kind that is not a notch tensor.
template <class X>
concept xtensor_expression = xt::is_xexpression<std::remove_cv_t<X>>::value;

/// The number of axes where the type of an xtensor says it, else 0.
template <class X> [[nodiscard]] constexpr std::size_t static_rank() {
    if constexpr (xt::get_rank<X>::value != std::numeric_limits<std::size_t>::max())
        return xt::get_rank<X>::value;
    else if constexpr (requires { std::tuple_size<typename X::shape_type>::value; })
        return std::tuple_size<typename X::shape_type>::value;
    else
        return 0;
}

/// The element type that a view of an xtensor shows: const where the xtensor is, or shows const elements.
template <class X> struct xtensor_element { using type = const typename X::value_type; };
template <xtensor_in_memory X> struct xtensor_element<X> {
    using type = std::remove_reference_t<decltype(*std::declval<X&>().data())>;
};

/// First element, extents and strides of an xtensor in memory. xtensor gives the data pointer without
/// the offset of a view, and stride 0 to axes of extent 1, which is harmless here.
template <std::size_t Rank, class X>
[[nodiscard]] strided_view<typename xtensor_element<X>::type, Rank> view_xtensor(X& x) {
    if (x.dimension() != Rank)
        raise<shape_error>("as_view: the xtensor has ", x.dimension(), " axes, ", Rank, " are expected");
    extents<Rank> shape{};
    strides<Rank> steps{};
    std::copy(x.shape().begin(), x.shape().end(), shape.begin());
    std::copy(x.strides().begin(), x.strides().end(), steps.begin());
    return {x.data() + x.data_offset(), shape, steps};
}

} // namespace detail

/// Views an xtensor container or view of static rank. What has no elements, or no static rank, is
/// refused with a sentence when it is used.
template <class X>
    requires detail::xtensor_expression<X>
struct view_adapter<X> {
    /// Number of axes; 2 stands in where the type does not say it.
    static constexpr std::size_t rank = detail::static_rank<X>() == 0 ? 2 : detail::static_rank<X>();

    /// The elements where they are. T is X, const or not.
    template <class T> [[nodiscard]] static strided_view<typename detail::xtensor_element<T>::type, rank> view(T& x) {
        static_assert(detail::xtensor_in_memory<T>,
                      "notch: this is a lazy xtensor expression, which has no elements in memory; "
                      "evaluate it first: auto values = xt::eval(expression);");
        static_assert(
            !detail::xtensor_in_memory<T> || detail::static_rank<X>() != 0,
            "notch: the type of an xt::xarray does not say its rank; use xt::xtensor, or notch::as_view<Rank>(array)");
        if constexpr (detail::xtensor_in_memory<T> && detail::static_rank<X>() != 0)
            return detail::view_xtensor<rank>(x);
        else
            return {};
    }
};

/// Views an xtensor whose rank is only known at run time (xt::xarray). Raises shape_error for another rank.
template <std::size_t Rank, class X>
    requires detail::xtensor_in_memory<X>
[[nodiscard]] auto as_view(X& x) { return detail::view_xtensor<Rank>(x); }

/// A row-major notch tensor as an xtensor adaptor on the same memory, which must outlive it.
template <class T, std::size_t Rank> [[nodiscard]] auto as_xtensor(dense_tensor<T, Rank>& source) {
    T* pointer = source.data();
    return xt::adapt(pointer, source.size(), xt::no_ownership(), source.shape());
}

/// A row-major notch tensor as a read-only xtensor adaptor on the same memory, which must outlive it.
template <class T, std::size_t Rank> [[nodiscard]] auto as_xtensor(const dense_tensor<T, Rank>& source) {
    const T* pointer = source.data();
    return xt::adapt(pointer, source.size(), xt::no_ownership(), source.shape());
}

/// A copy of any notch tensor as an xtensor that owns its elements.
template <class X> [[nodiscard]] auto to_xtensor(const X& source) {
    const auto view = as_view(source);
    constexpr std::size_t rank = decltype(view)::rank;
    tensor<typename decltype(view)::value_type, rank> result(view.shape());
    auto* to = result.data();
    for_each_element(view, [&to](const auto& element) { *to++ = element; });
    return result;
}

} // namespace notch

/// @file
/// How notch sees a tensor: a pointer, extents and strides, nothing else.
///
/// Every public function takes views. A view never owns and never copies; it may be row-major,
/// column-major, a slice with gaps, or a broadcast axis with stride 0. Strides count elements.
///
///     element (i0, i1, ..) = data()[i0 * stride(0) + i1 * stride(1) + ...]
///
/// `as_view` turns what people have into a strided_view: any type that satisfies `tensor_view`,
/// a contiguous range (std::vector, std::array, std::span) as rank 1, and with core/xtensor.hpp an
/// xtensor container or view. Another tensor library joins by specialising `view_adapter`.
#pragma once

#include <notch/core/error.hpp>
#include <notch/core/int_math.hpp>

#include <array>
#include <concepts>
#include <cstddef>
#include <limits>
#include <span>
#include <type_traits>
#include <utility>

namespace notch {

/// A tensor that can be looked at: element type, static rank, first element, extents and strides.
template <class V>
concept tensor_view = requires(const V& view, std::size_t axis) {
    typename V::value_type;
    { V::rank } -> std::convertible_to<std::size_t>;
    { view.data() } -> std::convertible_to<const typename V::value_type*>;
    { view.extent(axis) } -> std::convertible_to<std::size_t>;
    { view.stride(axis) } -> std::convertible_to<std::ptrdiff_t>;
};

/// Extents of a tensor of a given rank, outermost axis first.
template <std::size_t Rank> using extents = std::array<std::size_t, Rank>;

/// Strides of a tensor of a given rank, in elements.
template <std::size_t Rank> using strides = std::array<std::ptrdiff_t, Rank>;

/// Number of elements of a tensor with these extents; raises shape_error when it exceeds the address space.
template <std::size_t Rank> [[nodiscard]] constexpr std::size_t element_count(const extents<Rank>& shape) {
    constexpr auto limit = static_cast<std::size_t>(std::numeric_limits<std::ptrdiff_t>::max());
    std::size_t count = 1;
    for (const std::size_t extent : shape)
        if (extent == 0)
            return 0;
    for (const std::size_t extent : shape) {
        if (count > limit / extent)
            detail::raise<shape_error>("extents ", shape, " have more than ", limit, " elements");
        count *= extent;
    }
    return count;
}

/// Strides of a contiguous row-major tensor (last axis fastest).
template <std::size_t Rank>
[[nodiscard]] constexpr strides<Rank> row_major_strides(const extents<Rank>& shape) noexcept {
    strides<Rank> result{};
    std::size_t step = 1; // unsigned: extents without elements may have any product
    for (std::size_t axis = Rank; axis-- > 0;) {
        result[axis] = static_cast<std::ptrdiff_t>(step);
        step *= shape[axis];
    }
    return result;
}

/// A non-owning view of a strided tensor. T may be const. Copying it copies the pointer.
template <class T, std::size_t Rank> class strided_view {
    static_assert(Rank >= 1, "notch::strided_view: a tensor has at least one axis");

public:
    using element_type = T;                   ///< T, const or not
    using value_type = std::remove_cv_t<T>;   ///< T without const
    static constexpr std::size_t rank = Rank; ///< number of axes

    /// An empty view.
    constexpr strided_view() = default;

    /// A contiguous row-major view. Raises shape_error for a null pointer with elements behind it.
    constexpr strided_view(T* data, const extents<Rank>& shape)
        : strided_view(data, shape, row_major_strides<Rank>(shape)) {}

    /// A view with explicit strides, in elements. Raises shape_error for a null pointer with elements behind it.
    constexpr strided_view(T* data, const extents<Rank>& shape, const strides<Rank>& steps)
        : data_(data), extents_(shape), strides_(steps) {
        if (element_count<Rank>(shape) != 0 && data == nullptr)
            detail::raise<shape_error>("a view with extents ", shape, " has a null data pointer");
    }

    /// A view of mutable elements is also a view of const ones.
    template <class U>
        requires(std::same_as<const U, T> && !std::same_as<U, T>)
    constexpr strided_view(const strided_view<U, Rank>& other) noexcept // NOLINT(google-explicit-constructor)
        : data_(other.data()), extents_(other.shape()), strides_(other.steps()) {}

    /// First element (not the first byte of some buffer).
    [[nodiscard]] constexpr T* data() const noexcept { return data_; }
    /// Extent of one axis. Precondition: axis < rank.
    [[nodiscard]] constexpr std::size_t extent(std::size_t axis) const noexcept { return extents_[axis]; }
    /// Stride of one axis, in elements. Precondition: axis < rank.
    [[nodiscard]] constexpr std::ptrdiff_t stride(std::size_t axis) const noexcept { return strides_[axis]; }
    /// All extents.
    [[nodiscard]] constexpr const extents<Rank>& shape() const noexcept { return extents_; }
    /// All strides, in elements.
    [[nodiscard]] constexpr const strides<Rank>& steps() const noexcept { return strides_; }
    /// Number of elements.
    [[nodiscard]] constexpr std::size_t size() const noexcept {
        std::size_t count = 1;
        for (const std::size_t extent : extents_)
            count *= extent;
        return count;
    }

    /// True where the elements lie in row-major order without gaps; axes of extent 1 may have any stride.
    [[nodiscard]] constexpr bool is_contiguous() const noexcept {
        const strides<Rank> dense = row_major_strides<Rank>(extents_);
        for (std::size_t axis = 0; axis < Rank; ++axis)
            if (extents_[axis] != 1 && strides_[axis] != dense[axis])
                return false;
        return true;
    }

    /// One element. Precondition: every index lies inside its extent.
    template <class... Index>
        requires(sizeof...(Index) == Rank && (std::convertible_to<Index, std::size_t> && ...))
    [[nodiscard]] constexpr T& operator()(Index... index) const noexcept {
        const std::array<std::size_t, Rank> position{static_cast<std::size_t>(index)...};
        std::ptrdiff_t offset = 0;
        for (std::size_t axis = 0; axis < Rank; ++axis)
            offset += static_cast<std::ptrdiff_t>(position[axis]) * strides_[axis];
        return data_[offset];
    }

private:
    T* data_ = nullptr;
    extents<Rank> extents_{};
    strides<Rank> strides_{};
};

/// How a foreign tensor type becomes a strided_view: specialise it with `static auto view(Tensor&)`.
/// core/xtensor.hpp does so for xtensor.
template <class Tensor> struct view_adapter {};

namespace detail {

template <class X>
concept adapted_tensor = !tensor_view<std::remove_cv_t<X>> && requires(X & x) {
    view_adapter<std::remove_cv_t<X>>::view(x);
};

template <class X>
concept has_shape = requires(X& x) {
    x.shape();
};

template <class X>
concept numbers_side_by_side = requires(X& x) {
    { std::size(x) } -> std::convertible_to<std::size_t>;
    requires std::is_arithmetic_v<std::remove_cvref_t<decltype(*std::data(x))>>;
};

/// A range of numbers that lie side by side and have no extents of their own: a vector, an array, a span. A tensor of
/// another library is none, even where its elements are contiguous: it would lose its shape.
template <class X>
concept contiguous_numbers = !tensor_view<std::remove_cvref_t<X>> && !adapted_tensor<std::remove_reference_t<X>> &&
                             !has_shape<X> && numbers_side_by_side<X>;

} // namespace detail

/// Any tensor that satisfies the concept, as a strided_view of the same elements. A temporary is
/// accepted only where it is itself a view (trivially copyable): the view of a dying owner dangles.
template <class V>
    requires(tensor_view<std::remove_cvref_t<V>> &&
             (std::is_lvalue_reference_v<V> || std::is_trivially_copyable_v<std::remove_cvref_t<V>>))
[[nodiscard]] constexpr auto as_view(V&& tensor) {
    using view_type = std::remove_cvref_t<V>;
    using element = std::remove_pointer_t<decltype(tensor.data())>;
    extents<view_type::rank> shape{};
    strides<view_type::rank> steps{};
    for (std::size_t axis = 0; axis < view_type::rank; ++axis) {
        shape[axis] = static_cast<std::size_t>(tensor.extent(axis));
        steps[axis] = static_cast<std::ptrdiff_t>(tensor.stride(axis));
    }
    return strided_view<element, view_type::rank>(tensor.data(), shape, steps);
}

/// A contiguous range of numbers as a tensor of rank 1. A temporary is accepted only where it is itself a view.
template <detail::contiguous_numbers Range>
    requires(std::is_lvalue_reference_v<Range> || std::ranges::enable_borrowed_range<std::remove_cvref_t<Range>>)
[[nodiscard]] constexpr auto as_view(Range&& range) {
    using element = std::remove_reference_t<decltype(*std::data(range))>;
    return strided_view<element, 1>(std::data(range), {static_cast<std::size_t>(std::size(range))});
}

/// A tensor of another library, through its view_adapter.
template <class X>
    requires detail::adapted_tensor<X>
[[nodiscard]] constexpr auto as_view(X& tensor) { return view_adapter<std::remove_cv_t<X>>::view(tensor); }

/// The view type that `as_view` gives for an lvalue of type X.
template <class X> using view_of = decltype(as_view(std::declval<X&>()));

/// What `as_view` shows as elements of type T. An xtensor container needs `#include <notch/core/xtensor.hpp>`,
/// and a lazy xtensor expression has to be evaluated first.
template <class X, class T>
concept viewable_as = requires(const std::remove_reference_t<X>& tensor) {
    as_view(tensor);
}
&&std::is_same_v<typename view_of<const std::remove_reference_t<X>>::value_type, T>;

/// What `as_view` shows as elements of type T that can be written.
template <class X, class T>
concept writable_as = requires(std::remove_reference_t<X>& tensor) {
    as_view(tensor);
}
&&std::is_same_v<typename view_of<std::remove_reference_t<X>>::element_type, T>;

/// Calls body(element) for every element of a view, in row-major order of the indices.
template <class T, std::size_t Rank, class Body>
constexpr void for_each_element(const strided_view<T, Rank>& view, Body&& body) {
    extents<Rank> index{};
    const std::size_t count = view.size();
    T* element = view.data();
    for (std::size_t i = 0; i < count; ++i) {
        body(*element);
        for (std::size_t axis = Rank; axis-- > 0;) {
            element += view.stride(axis);
            if (++index[axis] < view.extent(axis))
                break;
            element -= static_cast<std::ptrdiff_t>(index[axis]) * view.stride(axis);
            index[axis] = 0;
        }
    }
}

} // namespace notch

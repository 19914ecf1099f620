/// @file
/// The tensor that notch returns: owning, contiguous, row-major, 64-byte aligned.
///
/// It satisfies `tensor_view`, so it goes wherever a view goes. It is a hand-over format, not an
/// array library: for arithmetic on tensors take it as an xtensor (`as_xtensor`, core/xtensor.hpp)
/// without a copy.
#pragma once

#include <notch/core/tensor_view.hpp>

#include <algorithm>
#include <cstddef>
#include <new>
#include <span>
#include <type_traits>
#include <utility>

namespace notch {

namespace detail {

/// A fixed number of trivially copyable elements at a 64-byte boundary, left uninitialised.
template <class T> class aligned_buffer {
    static_assert(std::is_trivially_copyable_v<T> && std::is_trivially_default_constructible_v<T>);
    static constexpr std::align_val_t alignment{64};

public:
    aligned_buffer() = default;
    explicit aligned_buffer(std::size_t count)
        : data_(count == 0 ? nullptr
                           : static_cast<T*>(
                                 ::operator new(checked_product(count, sizeof(T), "bytes of a buffer"), alignment))),
          size_(count) {}
    aligned_buffer(const aligned_buffer& other) : aligned_buffer(other.size_) {
        std::copy_n(other.data_, other.size_, data_);
    }
    aligned_buffer(aligned_buffer&& other) noexcept
        : data_(std::exchange(other.data_, nullptr)), size_(std::exchange(other.size_, 0)) {}
    aligned_buffer& operator=(aligned_buffer other) noexcept {
        std::swap(data_, other.data_);
        std::swap(size_, other.size_);
        return *this;
    }
    ~aligned_buffer() { ::operator delete(data_, alignment); }

    [[nodiscard]] T* data() noexcept { return data_; }
    [[nodiscard]] const T* data() const noexcept { return data_; }
    [[nodiscard]] std::size_t size() const noexcept { return size_; }

private:
    T* data_ = nullptr;
    std::size_t size_ = 0;
};

} // namespace detail

/// An owning row-major tensor of numbers. Its elements are uninitialised until they are written,
/// unless a fill value is given. Copies are deep; a moved-from tensor has extents of zero.
template <class T, std::size_t Rank> class dense_tensor {
public:
    using value_type = T;                     ///< element type
    static constexpr std::size_t rank = Rank; ///< number of axes

    /// A tensor without elements.
    dense_tensor() = default;
    /// Allocates, leaves the elements unset. Raises shape_error when the extents overflow, range_error when the bytes do.
    explicit dense_tensor(const extents<Rank>& shape) : elements_(element_count<Rank>(shape)), extents_(shape) {}
    /// Allocates and sets every element.
    dense_tensor(const extents<Rank>& shape, T fill) : dense_tensor(shape) { std::fill_n(data(), size(), fill); }

    dense_tensor(const dense_tensor&) = default;            ///< copies the elements
    dense_tensor& operator=(const dense_tensor&) = default; ///< copies the elements
    /// Takes the elements; leaves `other` empty.
    dense_tensor(dense_tensor&& other) noexcept
        : elements_(std::move(other.elements_)), extents_(std::exchange(other.extents_, {})) {}
    /// Takes the elements; leaves `other` empty.
    dense_tensor& operator=(dense_tensor&& other) noexcept {
        elements_ = std::move(other.elements_);
        extents_ = std::exchange(other.extents_, {});
        return *this;
    }
    ~dense_tensor() = default;

    /// First element, 64-byte aligned; null for a tensor without elements.
    [[nodiscard]] T* data() noexcept { return elements_.data(); }
    /// First element, 64-byte aligned; null for a tensor without elements.
    [[nodiscard]] const T* data() const noexcept { return elements_.data(); }
    /// Number of elements.
    [[nodiscard]] std::size_t size() const noexcept { return elements_.size(); }
    /// Extent of one axis. Precondition: axis < rank.
    [[nodiscard]] std::size_t extent(std::size_t axis) const noexcept { return extents_[axis]; }
    /// Stride of one axis, in elements. Precondition: axis < rank.
    [[nodiscard]] std::ptrdiff_t stride(std::size_t axis) const noexcept {
        return row_major_strides<Rank>(extents_)[axis];
    }
    /// All extents.
    [[nodiscard]] const extents<Rank>& shape() const noexcept { return extents_; }

    /// One element. Precondition: every index lies inside its extent.
    template <class... Index> [[nodiscard]] T& operator()(Index... index) noexcept {
        return strided_view<T, Rank>(data(), extents_)(index...);
    }
    /// One element. Precondition: every index lies inside its extent.
    template <class... Index> [[nodiscard]] const T& operator()(Index... index) const noexcept {
        return strided_view<const T, Rank>(data(), extents_)(index...);
    }

    /// The elements in row-major order.
    [[nodiscard]] std::span<T> elements() & noexcept { return {data(), size()}; }
    /// The elements in row-major order.
    [[nodiscard]] std::span<const T> elements() const& noexcept { return {data(), size()}; }
    /// The elements of a temporary would dangle, in a range-based for loop too: name the tensor first.
    std::span<const T> elements() const&& = delete;

private:
    detail::aligned_buffer<T> elements_;
    extents<Rank> extents_{};
};

} // namespace notch

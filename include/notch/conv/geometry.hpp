/// @file
/// Geometry of convolutions: stride, dilation, padding, groups, and the extents that follow from them.
///
///     images [N, H, W, C]    filters [O, C / groups, KH, KW]    result [N, OH, OW, O]
///
///     OH = floor((H + top + bottom - (KH - 1) * dilation - 1) / stride) + 1          OW alike
///     tap (kh, kw) of result (oh, ow) meets pixel (oh * stride + kh * dilation - top, ow * stride + kw * dilation - left)
///
/// Every error of a geometry is raised here, before anything is computed. A convolution of one dimension is one over
/// images of height 1: geometry_1d, with_height.
#pragma once

#include <notch/core/error.hpp>
#include <notch/core/int_math.hpp>
#include <notch/core/tensor_view.hpp>

#include <cstddef>
#include <cstdint>
#include <limits>
#include <string_view>
#include <vector>

namespace notch {

/// A number for the height and one for the width.
struct size_2d {
    std::size_t h = 1; ///< along the height
    std::size_t w = 1; ///< along the width

    /// Equal in both.
    friend constexpr bool operator==(const size_2d&, const size_2d&) = default;
};

/// Pixels around an image; they hold the zero-point code.
struct padding_2d {
    std::size_t top = 0;    ///< rows above
    std::size_t left = 0;   ///< columns before
    std::size_t bottom = 0; ///< rows below
    std::size_t right = 0;  ///< columns behind

    /// Equal on all sides.
    friend constexpr bool operator==(const padding_2d&, const padding_2d&) = default;
};

/// How filters are laid over images.
///
///     conv_geometry{.stride = {2, 2}, .padding = {1, 1, 1, 1}}
struct conv_geometry {
    size_2d stride{};       ///< pixels between two results, at least 1
    size_2d dilation{};     ///< pixels between two taps, at least 1
    padding_2d padding{};   ///< around the image
    std::size_t groups = 1; ///< cuts of the channels: outputs of a group see only its share of the channels

    /// Equal in everything.
    friend constexpr bool operator==(const conv_geometry&, const conv_geometry&) = default;
};

/// Numbers of a convolution of one dimension.
struct line_geometry {
    std::size_t stride = 1;   ///< positions between two results
    std::size_t dilation = 1; ///< positions between two taps
    std::size_t before = 0;   ///< padding in front
    std::size_t after = 0;    ///< padding behind
    std::size_t groups = 1;   ///< cuts of the channels
};

/// Geometry of a convolution of one dimension, over images of height 1.
[[nodiscard]] constexpr conv_geometry geometry_1d(const line_geometry& line) noexcept {
    return {{1, line.stride}, {1, line.dilation}, {0, line.before, 0, line.after}, line.groups};
}

/// A view [N, W, C] as images [N, 1, W, C].
template <class T> [[nodiscard]] constexpr strided_view<T, 4> with_height(const strided_view<T, 3>& view) {
    return {view.data(),
            {view.extent(0), 1, view.extent(1), view.extent(2)},
            {view.stride(0), 0, view.stride(1), view.stride(2)}};
}

namespace detail {

/// Whether neighbouring results meet neighbouring lines and columns, and taps of a filter neighbouring lines.
[[nodiscard]] constexpr bool meets_every_pixel(const conv_geometry& g) noexcept {
    return g.stride.h == 1 && g.stride.w == 1 && g.dilation.h == 1;
}

/// No extent, stride, dilation or padding is larger: a negative number that was made unsigned is found by it, and sums and
/// products of two of them fit 64 bits.
inline constexpr std::size_t largest_extent = 0x7fff'ffff;

/// [h, w] in messages.
[[nodiscard]] constexpr extents<2> both(const size_2d& size) noexcept { return {size.h, size.w}; }
/// [top, left, bottom, right] in messages.
[[nodiscard]] constexpr extents<4> all_sides(const padding_2d& p) noexcept {
    return {p.top, p.left, p.bottom, p.right};
}

/// Extents and whose they are, for messages.
struct named_extents {
    const char* what;
    extents<4> shape;
    std::size_t rank = 4;

    named_extents(const char* of, const extents<4>& it) noexcept : what(of), shape(it) {}
    named_extents(const char* of, const extents<2>& it) noexcept : what(of), shape{it[0], it[1]}, rank(2) {}
    /// The extents that there are.
    [[nodiscard]] std::vector<std::size_t> numbers() const {
        return {shape.begin(), shape.begin() + static_cast<std::ptrdiff_t>(rank)};
    }
};

/// Who asks, and with which extents: the head of every message, which is written only where there is one.
struct window_text {
    const char* operation; ///< "conv2d"
    std::string_view name; ///< of the tensor that is named
    extents<4> images;     ///< those asked about
    named_extents other;   ///< of filters, a kernel or a result

    /// Raises an error.
    template <class Error, class... Parts> [[noreturn]] NOTCH_COLD void fail(const Parts&... parts) const {
        raise<Error>(operation, ": ", quoted(name), ": images ", images, ", ", other.what, ' ', other.numbers(), ": ",
                     parts...);
    }
    /// Raises range_error for a number above largest_extent, or below the smallest that is allowed.
    template <std::size_t Rank>
    void check_numbers(const char* what, const extents<Rank>& numbers, std::size_t smallest) const {
        for (const std::size_t number : numbers) {
            if (number < smallest)
                fail<range_error>(what, " ", numbers, "; the smallest is ", smallest);
            if (number > largest_extent)
                fail<range_error>(what, " ", numbers, "; the largest is ", largest_extent);
        }
    }
    /// Raises shape_error for an extent of 0, range_error for one that is too large.
    template <std::size_t Rank>
    void check_extents(const char* what, const extents<Rank>& shape, std::size_t from) const {
        for (std::size_t axis = from; axis < Rank; ++axis)
            if (shape[axis] == 0)
                fail<shape_error>(what, " with an extent of 0 along axis ", axis);
        check_numbers(what, shape, 0);
    }
};

/// What one axis of a window is made of.
struct window_axis {
    std::uint64_t extent;   ///< of the image
    std::uint64_t kernel;   ///< taps
    std::uint64_t stride;   ///< between results
    std::uint64_t dilation; ///< between taps
    std::uint64_t before;   ///< padding
    std::uint64_t after;    ///< padding

    /// Pixels from the first tap to the last one. Precondition: numbers have been checked, as below.
    [[nodiscard]] constexpr std::uint64_t reach() const noexcept { return (kernel - 1) * dilation + 1; }
    /// Pixels with padding.
    [[nodiscard]] constexpr std::uint64_t padded() const noexcept { return extent + before + after; }
    /// Windows that lie inside the padded image. Precondition: reach() <= padded().
    [[nodiscard]] constexpr std::uint64_t windows() const noexcept { return (padded() - reach()) / stride + 1; }
};

/// The axis of the height.
[[nodiscard]] constexpr window_axis height_axis(const extents<4>& images, const size_2d& kernel, const size_2d& stride,
                                                const size_2d& dilation, const padding_2d& padding) noexcept {
    return {images[1], kernel.h, stride.h, dilation.h, padding.top, padding.bottom};
}
/// The axis of the width.
[[nodiscard]] constexpr window_axis width_axis(const extents<4>& images, const size_2d& kernel, const size_2d& stride,
                                               const size_2d& dilation, const padding_2d& padding) noexcept {
    return {images[2], kernel.w, stride.w, dilation.w, padding.left, padding.right};
}

/// Raises shape_error where a kernel does not fit into the padded image and what it may reach beyond.
inline void check_fit(const window_text& text, const window_axis& axis, const char* what, std::uint64_t beyond = 0) {
    if (axis.reach() > axis.padded() + beyond)
        text.fail<shape_error>("the kernel reaches over ", axis.reach(), " pixels of ", what,
                               " (dilation included), the padded image has ", axis.padded());
}

/// Raises range_error unless [n, h, w, c] can be addressed.
inline extents<4> checked_result(const window_text& text, std::uint64_t n, std::uint64_t h, std::uint64_t w,
                                 std::uint64_t c) {
    constexpr auto limit = static_cast<std::uint64_t>(std::numeric_limits<std::ptrdiff_t>::max());
    const extents<4> shape{static_cast<std::size_t>(n), static_cast<std::size_t>(h), static_cast<std::size_t>(w),
                           static_cast<std::size_t>(c)};
    text.check_numbers("a result of extents", shape, 0);
    if (n != 0 && c > limit / n / h / w)
        text.fail<range_error>("a result of extents ", shape, " has more than ", limit, " elements");
    return shape;
}

/// Total padding of one axis that gives ceil(extent / stride) results.
[[nodiscard]] constexpr std::size_t same_total(std::size_t extent, std::size_t kernel, std::size_t stride,
                                               std::size_t dilation) noexcept {
    const std::size_t reach = (kernel - 1) * dilation + 1;
    const std::size_t covered = (ceil_div(extent, stride) - 1) * stride + reach;
    return covered > extent ? covered - extent : 0;
}

/// Raises errors for numbers of which no padding can be computed; returns [rows, columns] of padding.
[[nodiscard]] inline size_2d same_totals(const extents<4>& images, const size_2d& kernel, const size_2d& stride,
                                         const size_2d& dilation) {
    const window_text message{"same padding", {}, images, {"kernel", both(kernel)}};
    message.check_extents("images", images, 1);
    message.check_numbers("kernel", both(kernel), 1);
    message.check_numbers("stride", both(stride), 1);
    message.check_numbers("dilation", both(dilation), 1);
    return {same_total(images[1], kernel.h, stride.h, dilation.h),
            same_total(images[2], kernel.w, stride.w, dilation.w)};
}

} // namespace detail

/// Padding for OH = ceil(H / stride), the odd pixel below and behind: auto_pad SAME_UPPER of ONNX, "SAME" of TensorFlow.
/// Raises shape_error for images [N, H, W, C] without pixels, range_error for numbers that are 0 or above 2^31 - 1.
[[nodiscard]] inline padding_2d same_upper(const extents<4>& images, size_2d kernel, size_2d stride = {},
                                           size_2d dilation = {}) {
    const size_2d total = detail::same_totals(images, kernel, stride, dilation);
    return {total.h / 2, total.w / 2, total.h - total.h / 2, total.w - total.w / 2};
}

/// The same with the odd pixel above and before: auto_pad SAME_LOWER of ONNX. Errors as for same_upper.
[[nodiscard]] inline padding_2d same_lower(const extents<4>& images, size_2d kernel, size_2d stride = {},
                                           size_2d dilation = {}) {
    const size_2d total = detail::same_totals(images, kernel, stride, dilation);
    return {total.h - total.h / 2, total.w - total.w / 2, total.h / 2, total.w / 2};
}

/// Extents [N, OH, OW, O] of a convolution of images [N, H, W, C] with filters [O, C / groups, KH, KW]. `name`: of the
/// filters, for messages. N may be 0.
/// Raises range_error for a stride, dilation or number of groups of 0, for any number above 2^31 - 1 (a negative number
/// that was made unsigned, say) and for a result that cannot be addressed; shape_error for images or filters without
/// elements, for channels that do not go together, and for a kernel larger than the padded image.
[[nodiscard]] inline extents<4> conv_extents(const extents<4>& images, const extents<4>& filters,
                                             const conv_geometry& geometry, std::string_view name = {}) {
    const detail::window_text text{"conv2d", name, images, {"filters", filters}};
    text.check_extents("images", images, 1);
    text.check_extents("filters", filters, 0);
    text.check_numbers("stride", detail::both(geometry.stride), 1);
    text.check_numbers("dilation", detail::both(geometry.dilation), 1);
    text.check_numbers("padding", detail::all_sides(geometry.padding), 0);
    const std::size_t groups = geometry.groups;
    text.check_numbers("groups", extents<1>{groups}, 1);
    if (images[3] % groups != 0)
        text.fail<shape_error>(groups, " groups do not divide ", images[3], " channels");
    if (filters[0] % groups != 0)
        text.fail<shape_error>(groups, " groups do not divide ", filters[0], " outputs");
    if (filters[1] != images[3] / groups)
        text.fail<shape_error>("filters take ", filters[1], " channels, ", images[3], " channels in ", groups,
                               groups == 1 ? " group have " : " groups have ", images[3] / groups);
    const size_2d kernel{filters[2], filters[3]};
    const auto height = detail::height_axis(images, kernel, geometry.stride, geometry.dilation, geometry.padding);
    const auto width = detail::width_axis(images, kernel, geometry.stride, geometry.dilation, geometry.padding);
    detail::check_fit(text, height, "height");
    detail::check_fit(text, width, "width");
    return detail::checked_result(text, images[0], height.windows(), width.windows(), filters[0]);
}

} // namespace notch

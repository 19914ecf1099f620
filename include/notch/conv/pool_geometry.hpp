/// @file
/// Geometry of pooling: windows over images [N, H, W, C], and the extents [N, OH, OW, C] that follow, as ONNX has them.
///
///     OH = floor((H + top + bottom - (KH - 1) * dilation - 1) / stride) + 1          OW alike
///
/// With ceil_mode the quotient is rounded up, so that a last window may reach beyond the padding, where nothing is counted;
/// windows that would start behind the image are dropped.
#pragma once

#include <notch/conv/geometry.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace notch {

/// Windows of a pooling operation.
///
///     pool_geometry{.kernel = {3, 3}, .stride = {2, 2}, .padding = {1, 1, 1, 1}}
struct pool_geometry {
    size_2d kernel{};               ///< pixels of a window, at least 1
    size_2d stride{};               ///< pixels between two windows, at least 1
    size_2d dilation{};             ///< pixels between two pixels of a window, at least 1
    padding_2d padding{};           ///< around the image
    bool ceil_mode = false;         ///< a last window may reach beyond the padding
    bool count_include_pad = false; ///< average: padding counts, as zeros; what lies beyond it does not

    /// Equal in everything.
    friend constexpr bool operator==(const pool_geometry&, const pool_geometry&) = default;
};

namespace detail {

/// Pixels by which a last window may reach beyond the padding.
[[nodiscard]] constexpr std::uint64_t overhang(const window_axis& axis, bool ceil_mode) noexcept {
    return ceil_mode ? axis.stride - 1 : 0;
}

/// Windows along one axis. Precondition: reach() <= padded() + overhang.
[[nodiscard]] constexpr std::uint64_t pool_windows(const window_axis& axis, bool ceil_mode) noexcept {
    const std::uint64_t count = (axis.padded() + overhang(axis, ceil_mode) - axis.reach()) / axis.stride + 1;
    const std::uint64_t start_before_end = (axis.extent + axis.before - 1) / axis.stride + 1;
    return ceil_mode ? std::min(count, start_before_end) : count;
}

/// The pixels of a window along one axis: taps [first, last) lie in the image, tap t at pixel start + t * dilation, and
/// `counted` taps lie in the padded image.
struct window_span {
    std::int64_t start = 0;
    std::size_t first = 0;
    std::size_t last = 0;
    std::size_t counted = 0;

    /// Taps in the image.
    [[nodiscard]] constexpr std::size_t inside() const noexcept { return last - first; }
    /// The pixel of a tap that lies in the image.
    [[nodiscard]] constexpr std::size_t pixel(std::size_t tap, const window_axis& axis) const noexcept {
        return static_cast<std::size_t>(start + static_cast<std::int64_t>(tap * axis.dilation));
    }
};

/// The window of one result.
[[nodiscard]] constexpr window_span span_of_window(const window_axis& axis, std::size_t result) noexcept {
    const auto dilation = static_cast<std::int64_t>(axis.dilation);
    const auto kernel = static_cast<std::int64_t>(axis.kernel);
    const auto start = static_cast<std::int64_t>(result * axis.stride) - static_cast<std::int64_t>(axis.before);
    // The number of taps below a pixel: ceil((pixel - start) / dilation).
    const auto taps_below = [&](std::int64_t pixel) {
        const std::int64_t distance = pixel - start;
        return distance <= 0 ? 0 : std::min(kernel, (distance + dilation - 1) / dilation);
    };
    const auto extent = static_cast<std::int64_t>(axis.extent);
    return {start, static_cast<std::size_t>(taps_below(0)), static_cast<std::size_t>(taps_below(extent)),
            static_cast<std::size_t>(taps_below(extent + static_cast<std::int64_t>(axis.after)))};
}

/// Raises shape_error where a window has no pixel of the image.
inline void check_windows(const window_text& text, const window_axis& axis, std::uint64_t count, const char* what) {
    for (std::uint64_t result = 0; result < count; ++result) {
        const window_span span = span_of_window(axis, static_cast<std::size_t>(result));
        if (span.first >= span.last)
            text.fail<shape_error>("window ", result, " of ", count, " along the ", what,
                                   " lies in the padding alone, from pixel ", span.start, " of ", axis.extent,
                                   "; use less padding");
    }
}

[[nodiscard]] constexpr window_axis height_axis(const extents<4>& images, const pool_geometry& g) noexcept {
    return height_axis(images, g.kernel, g.stride, g.dilation, g.padding);
}
[[nodiscard]] constexpr window_axis width_axis(const extents<4>& images, const pool_geometry& g) noexcept {
    return width_axis(images, g.kernel, g.stride, g.dilation, g.padding);
}

} // namespace detail

/// Extents [N, OH, OW, C] of a pooling of images [N, H, W, C]. `name`: for messages. N may be 0.
/// Raises range_error for a kernel, stride or dilation of 0, for any number above 2^31 - 1 and for a result that cannot be
/// addressed; shape_error for images without pixels or channels, for a kernel larger than the padded image, and for a
/// window that holds no pixel of the image.
[[nodiscard]] inline extents<4> pool_extents(const extents<4>& images, const pool_geometry& geometry,
                                             std::string_view name = {}) {
    const detail::window_text text{"pooling", name, images, {"kernel", detail::both(geometry.kernel)}};
    text.check_extents("images", images, 1);
    text.check_numbers("kernel", detail::both(geometry.kernel), 1);
    text.check_numbers("stride", detail::both(geometry.stride), 1);
    text.check_numbers("dilation", detail::both(geometry.dilation), 1);
    text.check_numbers("padding", detail::all_sides(geometry.padding), 0);
    const auto height = detail::height_axis(images, geometry);
    const auto width = detail::width_axis(images, geometry);
    detail::check_fit(text, height, "height", detail::overhang(height, geometry.ceil_mode));
    detail::check_fit(text, width, "width", detail::overhang(width, geometry.ceil_mode));
    const std::uint64_t rows = detail::pool_windows(height, geometry.ceil_mode);
    const std::uint64_t columns = detail::pool_windows(width, geometry.ceil_mode);
    const extents<4> shape = detail::checked_result(text, images[0], rows, columns, images[3]);
    detail::check_windows(text, height, rows, "height");
    detail::check_windows(text, width, columns, "width");
    return shape;
}

} // namespace notch

/// @file
/// max_pool2d: the largest code of each window. Scale and zero point stay, so it is the largest real too.
///
///     dst[n][oh][ow][c] = max over the taps (kh, kw) inside the image of src[n][h][w][c]
///
/// Padding is never the largest: ONNX MaxPool, without its indices.
#pragma once

#include <notch/conv/image.hpp>
#include <notch/conv/output_codes.hpp>
#include <notch/conv/pixel_rows.hpp>
#include <notch/conv/pool_geometry.hpp>

#include <algorithm>
#include <cstddef>

namespace notch {

/// The largest code of each window. `src`: a view [N, H, W, C] of uint8_t or int8_t, any strides, codes of any scale and zero
/// point. `dst`: [N, OH, OW, C] of the same type, any strides; the two must not overlap. Allocates nothing.
/// Raises the errors of pool_extents, and shape_error for a destination of other extents, before anything is written.
template <detail::view_of_codes Src, class Dst, executor Executor = serial>
void max_pool2d(const Src& src, const pool_geometry& geometry, Dst&& dst, const task_options& options = {},
                Executor&& run = {}) {
    const auto from = as_view(src);
    const auto to = as_view(dst);
    using code = typename decltype(detail::image_of(src).codes)::value_type;
    static_assert(std::same_as<typename std::remove_cvref_t<decltype(to)>::element_type, code> &&
                      std::remove_cvref_t<decltype(to)>::rank == 4,
                  "max_pool2d: the destination is [N, OH, OW, C], of the type of the source");
    const extents<4> shape = pool_extents(from.shape(), geometry);
    detail::check_destination("max_pool2d", to.shape(), shape);
    const auto height = detail::height_axis(from.shape(), geometry);
    const auto width = detail::width_axis(from.shape(), geometry);
    const std::ptrdiff_t stride = detail::channel_stride(from);
    const auto window = [&](std::size_t n, std::size_t oh, std::size_t ow, const detail::window_span& rows) {
        const detail::window_span columns = detail::span_of_window(width, ow);
        detail::for_each_run(shape[3], [&](std::size_t first, std::size_t count) {
            code largest[detail::channel_run];
            std::fill_n(largest, count, static_cast<code>(detail::lowest_code<code>));
            for (std::size_t kh = rows.first; kh < rows.last; ++kh)
                for (std::size_t kw = columns.first; kw < columns.last; ++kw)
                    detail::for_each_code(
                        detail::pixel_of(from, n, rows.pixel(kh, height), columns.pixel(kw, width), first), stride,
                        count, [&](std::size_t i, code x) { largest[i] = std::max(largest[i], x); });
            detail::for_each_code(detail::pixel_of(to, n, oh, ow, first), detail::channel_stride(to), count,
                                  [&](std::size_t i, code& place) { place = largest[i]; });
        });
    };
    detail::for_each_row(shape[0] * shape[1], options.tasks, detail::executor_ref(run), [&](std::size_t row) {
        const detail::window_span rows = detail::span_of_window(height, row % shape[1]);
        for (std::size_t ow = 0; ow < shape[2]; ++ow)
            window(row / shape[1], row % shape[1], ow, rows);
    });
}

} // namespace notch

/// @file
/// average_pool2d: the mean of each window, an int32 sum that is divided exactly and rounded once.
///
///     sum  = sum over the taps inside the image of (src[n][h][w][c] - src_zero)
///     code = clamp(round(sum * 2^(e_src - e_dst) / count) + dst_zero, lowest, highest)
///
/// count is the number of taps inside the image, or with count_include_pad inside the padded image: ONNX AveragePool.
/// Ties of the exact quotient are decided by the rounding rule.
#pragma once

#include <notch/conv/image.hpp>
#include <notch/conv/output_codes.hpp>
#include <notch/conv/pixel_rows.hpp>
#include <notch/conv/pool_geometry.hpp>
#include <notch/conv/rounded_mean.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace notch {

namespace detail {

/// Means of windows, and where they go.
template <class Rounding, class Code, class T> struct mean_pool {
    image_codes<Code> images;
    strided_view<T, 4> dst;
    code_limits limits;
    std::int32_t shift; ///< e_dst - e_src

    /// Sums of codes of some channels of a window become codes. `inside`: how many; `count`: what they are divided by.
    NOTCH_INLINE void store(const std::int32_t* sums, std::size_t inside, std::size_t count, T* place,
                            std::size_t channels) const noexcept {
        const rounded_mean<Rounding> mean(count, shift);
        const code_limits to = limits; // a copy, which no store of a byte can change
        const std::int32_t zeros = images.zero_point * static_cast<std::int32_t>(inside);
        const std::ptrdiff_t stride = channel_stride(dst);
        if (mean.is_narrow())
            for_each_code(place, stride, channels,
                          [&](std::size_t i, T& code) { code = to.template code<T>(mean.narrow(sums[i] - zeros)); });
        else
            for_each_code(place, stride, channels,
                          [&](std::size_t i, T& code) { code = to.template code<T>(mean.wide(sums[i] - zeros)); });
    }
    /// Adds the codes of some channels of a pixel.
    NOTCH_INLINE void add(std::int32_t* sums, std::size_t n, std::size_t h, std::size_t w, std::size_t first,
                          std::size_t count) const noexcept {
        for_each_code(pixel_of(images.codes, n, h, w, first), channel_stride(images.codes), count,
                      [sums](std::size_t i, Code x) { sums[i] += x; });
    }
};

/// average_pool2d once scale and limits are known.
template <class Rounding, class Code, class T>
void pool_means(const mean_pool<Rounding, Code, T>& pool, const pool_geometry& geometry, std::size_t tasks,
                executor_ref run) {
    const extents<4>& images = pool.images.codes.shape();
    const extents<4> shape = pool_extents(images, geometry);
    check_destination("average_pool2d", pool.dst.shape(), shape);
    check_code_count(geometry.kernel.h, geometry.kernel.w, "average_pool2d");
    const window_axis height = height_axis(images, geometry);
    const window_axis width = width_axis(images, geometry);
    const auto window = [&](std::size_t n, std::size_t oh, std::size_t ow, const window_span& rows) {
        const window_span columns = span_of_window(width, ow);
        const std::size_t inside = rows.inside() * columns.inside();
        const std::size_t count = geometry.count_include_pad ? rows.counted * columns.counted : inside;
        for_each_run(shape[3], [&](std::size_t first, std::size_t channels) {
            std::int32_t sums[channel_run];
            std::fill_n(sums, channels, 0);
            for (std::size_t kh = rows.first; kh < rows.last; ++kh)
                for (std::size_t kw = columns.first; kw < columns.last; ++kw)
                    pool.add(sums, n, rows.pixel(kh, height), columns.pixel(kw, width), first, channels);
            pool.store(sums, inside, count, pixel_of(pool.dst, n, oh, ow, first), channels);
        });
    };
    for_each_row(shape[0] * shape[1], tasks, run, [&](std::size_t row) {
        const window_span rows = span_of_window(height, row % shape[1]);
        for (std::size_t ow = 0; ow < shape[2]; ++ow)
            window(row / shape[1], row % shape[1], ow, rows);
    });
}

/// The mean of images in codes of their own scale.
template <class Rounding, class Code, class T>
[[nodiscard]] mean_pool<Rounding, Code, T> same_mean(const image_codes<Code>& images, const strided_view<T, 4>& dst) {
    static_assert(std::same_as<T, Code>,
                  "pooling: without output_codes the destination has the type of the images and their codes");
    return {images, dst, {images.zero_point, lowest_code<T>, highest_code<T>}, 0};
}

/// The mean of images in codes of another scale. Raises the errors of output_codes; unsupported_error for real scales.
template <class Rounding, class Code, class T>
[[nodiscard]] mean_pool<Rounding, Code, T> scaled_mean(const image_codes<Code>& images, const strided_view<T, 4>& dst,
                                                       const output_codes& output, std::string_view what) {
    check_power_of_two(images, what);
    const code_limits limits = limits_of<T>(output, what);
    const std::int32_t shift = output.exponent - images.exponent;
    check_mean_shift(shift, what);
    return {images, dst, limits, shift};
}

} // namespace detail

/// Means in codes of another power-of-two scale. `images`: anything that is one, see conv/image.hpp. `dst`: [N, OH, OW, C] of
/// uint8_t or int8_t, any strides; it must not overlap the images. Allocates nothing.
/// Raises, before anything is written, the errors of pool_extents; shape_error for a destination of other extents;
/// range_error for a zero point or exponent outside its range, an empty range of codes, |e_dst - e_src| > 31, and a kernel of
/// more than 8421504 pixels; unsupported_error for images of a real scale.
template <deterministic_rounding Rounding = nearest_even, detail::image_source Images, class Dst,
          executor Executor = serial>
void average_pool2d(const Images& images, const pool_geometry& geometry, const output_codes& output, Dst&& dst,
                    const task_options& options = {}, Executor&& run = {}) {
    detail::pool_means(detail::scaled_mean<Rounding>(detail::image_of(images), as_view(dst), output, "average_pool2d"),
                       geometry, options.tasks, detail::executor_ref(run));
}

/// Means in the codes of the images, of any scale: e_dst = e_src, dst_zero = src_zero, all codes. `dst` has the type of the
/// images. Errors as above.
template <deterministic_rounding Rounding = nearest_even, detail::image_source Images, class Dst,
          executor Executor = serial>
void average_pool2d(const Images& images, const pool_geometry& geometry, Dst&& dst, const task_options& options = {},
                    Executor&& run = {}) {
    detail::pool_means(detail::same_mean<Rounding>(detail::image_of(images), as_view(dst)), geometry, options.tasks,
                       detail::executor_ref(run));
}

} // namespace notch

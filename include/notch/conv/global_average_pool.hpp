/// @file
/// global_average_pool: the mean of every channel of an image.
///
///     sum  = sum over h, w of (src[n][h][w][c] - src_zero)
///     code = clamp(round(sum * 2^(e_src - e_dst) / (H W)) + dst_zero, lowest, highest)
///
/// What average_pool2d gives for a window as large as the image, with tasks that cut the channels.
#pragma once

#include <notch/conv/average_pool2d.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>

namespace notch {

namespace detail {

/// global_average_pool once scale and limits are known.
template <class Rounding, class Code, class T>
void global_means(const mean_pool<Rounding, Code, T>& pool, std::size_t tasks, executor_ref run) {
    const extents<4>& images = pool.images.codes.shape();
    const extents<4> shape = pool_extents(images, {.kernel = {images[1], images[2]}});
    check_destination("global_average_pool", pool.dst.shape(), shape);
    check_code_count(images[1], images[2], "global_average_pool");
    const std::size_t pixels = images[1] * images[2];
    const std::size_t runs = ceil_div(shape[3], channel_run);
    for_each_row(shape[0] * runs, tasks, run, [&](std::size_t row) {
        const std::size_t n = row / runs;
        const std::size_t first = row % runs * channel_run;
        const std::size_t channels = std::min(channel_run, shape[3] - first);
        std::int32_t sums[channel_run];
        std::fill_n(sums, channels, 0);
        for (std::size_t h = 0; h < images[1]; ++h)
            for (std::size_t w = 0; w < images[2]; ++w)
                pool.add(sums, n, h, w, first, channels);
        pool.store(sums, pixels, pixels, pixel_of(pool.dst, n, 0, 0, first), channels);
    });
}

} // namespace detail

/// Means in codes of another power-of-two scale. `dst`: [N, 1, 1, C] of uint8_t or int8_t, any strides. Allocates nothing.
/// Raises, before anything is written, shape_error for images without pixels or channels and for a destination of other
/// extents; range_error for a zero point or exponent outside its range, an empty range of codes, |e_dst - e_src| > 31, and
/// more than 8421504 pixels; unsupported_error for images of a real scale.
template <deterministic_rounding Rounding = nearest_even, detail::image_source Images, class Dst,
          executor Executor = serial>
void global_average_pool(const Images& images, const output_codes& output, Dst&& dst, const task_options& options = {},
                         Executor&& run = {}) {
    detail::global_means(
        detail::scaled_mean<Rounding>(detail::image_of(images), as_view(dst), output, "global_average_pool"),
        options.tasks, detail::executor_ref(run));
}

/// Means in the codes of the images, of any scale. `dst` has the type of the images. Errors as above.
template <deterministic_rounding Rounding = nearest_even, detail::image_source Images, class Dst,
          executor Executor = serial>
void global_average_pool(const Images& images, Dst&& dst, const task_options& options = {}, Executor&& run = {}) {
    detail::global_means(detail::same_mean<Rounding>(detail::image_of(images), as_view(dst)), options.tasks,
                         detail::executor_ref(run));
}

} // namespace notch

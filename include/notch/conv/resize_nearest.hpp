/// @file
/// resize_nearest: every pixel of the result is one of the source. Codes keep their meaning.
///
/// Source row h of result row y, for H rows of the source and OH of the result, in integers, exact for any ratio:
///
///     asymmetric   h = floor(y * H / OH)                                     asymmetric, floor
///     half_pixel   h = max(0, ceil(((2 y + 1) H - 2 OH) / (2 OH)))           half_pixel, round_prefer_floor
///
/// the two pairs of coordinate_transformation_mode and nearest_mode of ONNX Resize that networks use. The columns alike.
#pragma once

#include <notch/conv/geometry.hpp>
#include <notch/conv/image.hpp>
#include <notch/conv/output_codes.hpp>
#include <notch/conv/pixel_rows.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>

namespace notch {

/// Which pixel of the source is the nearest.
enum class nearest_pixel {
    asymmetric, ///< the corners meet, the fraction is dropped
    half_pixel  ///< the centres of pixels meet, of two the first
};

namespace detail {

/// Source pixel of a result pixel. Precondition: extents in [1, 2^31), result < results.
[[nodiscard]] constexpr std::size_t source_pixel(std::size_t result, std::size_t extent, std::size_t results,
                                                 nearest_pixel rule) noexcept {
    const std::uint64_t y = result;
    if (rule == nearest_pixel::asymmetric)
        return static_cast<std::size_t>(y * extent / results);
    // ceil((a - b) / b) = ceil(a / b) - 1, which is below the extent, as a < 2 OH H.
    const std::uint64_t a = (2 * y + 1) * extent;
    const std::uint64_t b = 2 * static_cast<std::uint64_t>(results);
    return static_cast<std::size_t>((a + b - 1) / b - 1);
}

/// Raises shape_error or range_error unless images of some extents can be resized to others.
inline void check_resize(const extents<4>& from, const extents<4>& to) {
    if (from[0] != to[0] || from[3] != to[3])
        raise<shape_error>("resize_nearest: images ", from, ", result ", to, ": images or channels differ");
    const window_text message{"resize_nearest", {}, from, {"result", to}};
    message.check_extents("images", from, 1);
    message.check_extents("a result", to, 1);
}

} // namespace detail

/// Resizes images to the extents of the destination. `src`: a view [N, H, W, C] of uint8_t or int8_t, any strides. `dst`:
/// [N, OH, OW, C] of the same type, any strides; the two must not overlap. Allocates nothing.
/// Raises, before anything is written, shape_error where N or C differ or a side has no pixels; range_error for an extent
/// above 2^31 - 1.
template <detail::view_of_codes Src, class Dst, executor Executor = serial>
void resize_nearest(const Src& src, nearest_pixel rule, Dst&& dst, const task_options& options = {},
                    Executor&& run = {}) {
    const auto from = as_view(src);
    const auto to = as_view(dst);
    using code = typename decltype(detail::image_of(src).codes)::value_type;
    static_assert(std::same_as<typename std::remove_cvref_t<decltype(to)>::element_type, code> &&
                      std::remove_cvref_t<decltype(to)>::rank == 4,
                  "resize_nearest: the destination is [N, OH, OW, C], of the type of the source");
    detail::check_resize(from.shape(), to.shape());
    const std::size_t count = to.extent(3);
    const bool dense = detail::channel_stride(from) == 1 && detail::channel_stride(to) == 1;
    detail::for_each_row(to.extent(0) * to.extent(1), options.tasks, detail::executor_ref(run), [&](std::size_t row) {
        const std::size_t n = row / to.extent(1);
        const std::size_t oh = row % to.extent(1);
        const std::size_t h = detail::source_pixel(oh, from.extent(1), to.extent(1), rule);
        for (std::size_t ow = 0; ow < to.extent(2); ++ow) {
            const std::size_t w = detail::source_pixel(ow, from.extent(2), to.extent(2), rule);
            const code* pixel = detail::pixel_of(from, n, h, w);
            code* place = detail::pixel_of(to, n, oh, ow);
            if (dense)
                std::memcpy(place, pixel, count);
            else
                for (std::size_t c = 0; c < count; ++c, pixel += from.stride(3), place += to.stride(3))
                    *place = *pixel;
        }
    });
}

} // namespace notch

/// @file
/// concat_channels: images side by side along their channels, all in codes of one scale.
///
///     dst[n][h][w][first_k + c] = clamp(round((src_k[n][h][w][c] - zero_k) * 2^(e_k - e_dst)) + dst_zero, lowest, highest)
///
/// first_k is the number of channels before part k. A part whose codes mean what those of the result mean is copied.
#pragma once

#include <notch/conv/image.hpp>
#include <notch/conv/output_codes.hpp>
#include <notch/conv/pixel_rows.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>

namespace notch {

namespace detail {

/// Raises errors unless parts lie side by side in a destination; returns its limits.
template <class Code, class T>
[[nodiscard]] code_limits check_parts(std::span<const image_codes<Code>> parts, const output_codes& output,
                                      const extents<4>& dst) {
    if (parts.empty())
        raise<shape_error>("concat_channels: no images");
    std::size_t channels = 0;
    for (std::size_t k = 0; k < parts.size(); ++k) {
        static_cast<void>(image_of(parts[k]));
        check_power_of_two(parts[k], "concat_channels");
        const extents<4>& shape = parts[k].codes.shape();
        if (shape[0] != dst[0] || shape[1] != dst[1] || shape[2] != dst[2])
            raise<shape_error>("concat_channels: images ", k, " of extents ", shape, " for a destination of extents ",
                               dst);
        channels += shape[3];
    }
    if (channels != dst[3])
        raise<shape_error>("concat_channels: ", parts.size(), " images have ", channels,
                           " channels, the destination of extents ", dst, " has ", dst[3]);
    return limits_of<T>(output, "concat_channels");
}

/// One pixel of one part. The map is a copy, which no store of a byte can change.
template <class Code, class T, class Map>
NOTCH_INLINE void map_pixel(const Code* from, std::ptrdiff_t from_stride, T* to, std::ptrdiff_t to_stride,
                            std::size_t channels, Map map) noexcept {
    if (from_stride == 1 && to_stride == 1)
        for (std::size_t c = 0; c < channels; ++c)
            to[c] = map(from[c]);
    else
        for (std::size_t c = 0; c < channels; ++c, from += from_stride, to += to_stride)
            *to = map(*from);
}

/// One row of pixels of one part, which begins at some channel of the destination.
template <class Code, class T, class Map>
void map_row(const strided_view<const Code, 4>& from, const strided_view<T, 4>& dst, std::size_t n, std::size_t h,
             std::size_t channel, const Map& map) noexcept {
    if (from.extent(3) == 0)
        return;
    for (std::size_t w = 0; w < dst.extent(2); ++w)
        map_pixel(pixel_of(from, n, h, w), channel_stride(from), pixel_of(dst, n, h, w, channel), channel_stride(dst),
                  from.extent(3), map);
}

} // namespace detail

/// Concatenates images along their channels. `parts`: images [N, H, W, C_k] of one code type, any strides. `dst`:
/// [N, H, W, sum of C_k] of uint8_t or int8_t, any strides; it must not overlap them. Allocates nothing.
/// Raises, before anything is written, shape_error for no parts and for extents that do not go together; range_error for a
/// zero point or exponent outside its range and an empty range of codes; unsupported_error for a real scale.
template <deterministic_rounding Rounding = nearest_even, class Code, class Dst, executor Executor = serial>
void concat_channels(std::span<const image_codes<Code>> parts, const output_codes& output, Dst&& dst,
                     const task_options& options = {}, Executor&& run = {}) {
    const auto to = as_view(dst);
    using element = typename std::remove_cvref_t<decltype(to)>::element_type;
    static_assert(detail::code_type<element> && std::remove_cvref_t<decltype(to)>::rank == 4,
                  "concat_channels: the destination is [N, H, W, C] of uint8_t or int8_t, not const");
    const detail::code_limits limits = detail::check_parts<Code, element>(parts, output, to.shape());
    detail::for_each_row(to.extent(0) * to.extent(1), options.tasks, detail::executor_ref(run), [&](std::size_t row) {
        const std::size_t n = row / to.extent(1);
        const std::size_t h = row % to.extent(1);
        std::size_t channel = 0;
        for (const image_codes<Code>& part : parts) {
            const detail::code_shift<Rounding> shift(output.exponent - part.exponent);
            const bool same =
                std::same_as<Code, element> && part.exponent == output.exponent && part.zero_point == output.zero_point;
            if (same)
                detail::map_row(part.codes, to, n, h, channel, [limits](Code x) NOTCH_LAMBDA_INLINE {
                    return static_cast<element>(std::min(std::max<std::int32_t>(x, limits.lowest), limits.highest));
                });
            else
                detail::map_row(part.codes, to, n, h, channel,
                                [limits, shift, zero = part.zero_point](Code x)
                                    NOTCH_LAMBDA_INLINE { return limits.template code<element>(shift(x - zero)); });
            channel += part.codes.extent(3);
        }
    });
}

} // namespace notch

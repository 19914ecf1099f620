/// @file
/// How the integer operators walk over images: rows of pixels spread over tasks, runs of channels inside.
#pragma once

#include <notch/core/config.hpp>
#include <notch/core/executor.hpp>
#include <notch/core/int_math.hpp>
#include <notch/core/tensor_view.hpp>

#include <algorithm>
#include <cstddef>

namespace notch {

/// How an operator is run; it never changes a result.
struct task_options {
    std::size_t tasks = 1; ///< pieces for the executor; as many as there are threads
};

namespace detail {

/// Channels that are worked on together.
inline constexpr std::size_t channel_run = 128;

/// Calls body(row) for each row, in pieces of neighbouring rows.
template <class Body> void for_each_row(std::size_t rows, std::size_t tasks, executor_ref run, const Body& body) {
    if (rows == 0)
        return;
    const std::size_t pieces = std::clamp<std::size_t>(tasks, 1, rows);
    run_tasks(run, pieces, [&](std::size_t piece) {
        const std::size_t end = part_begin(rows, pieces, piece + 1);
        for (std::size_t row = part_begin(rows, pieces, piece); row < end; ++row)
            body(row);
    });
}

/// Calls body(first, count) for runs of channels.
template <class Body> NOTCH_INLINE void for_each_run(std::size_t channels, const Body& body) {
    for (std::size_t first = 0; first < channels; first += channel_run)
        body(first, std::min(channel_run, channels - first));
}

/// Calls body(i, number) for numbers with a stride; those side by side in a loop that compilers turn into vectors.
template <class T, class Body>
NOTCH_INLINE void for_each_code(T* first, std::ptrdiff_t stride, std::size_t count, const Body& body) {
    if (stride == 1)
        for (std::size_t i = 0; i < count; ++i)
            body(i, first[i]);
    else
        for (std::size_t i = 0; i < count; ++i, first += stride)
            body(i, *first);
}

/// First channel of a pixel. Precondition: the view has elements.
template <class T>
[[nodiscard]] NOTCH_INLINE T* pixel_of(const strided_view<T, 4>& view, std::size_t n, std::size_t h, std::size_t w,
                                       std::size_t channel = 0) noexcept {
    return &view(n, h, w, channel);
}

/// Stride of the channels; 1 where there is one.
template <class T> [[nodiscard]] NOTCH_INLINE std::ptrdiff_t channel_stride(const strided_view<T, 4>& view) noexcept {
    return view.extent(3) == 1 ? 1 : view.stride(3);
}

/// Number of a pixel among those of all images.
template <class T>
[[nodiscard]] NOTCH_INLINE std::size_t row_of(const strided_view<T, 4>& view, std::size_t n, std::size_t h,
                                              std::size_t w) noexcept {
    return (n * view.extent(1) + h) * view.extent(2) + w;
}

/// Where pixel 0 would lie if all pixels followed each other as those around (n, h, w) do: tiles are stored by row numbers.
template <class T>
[[nodiscard]] NOTCH_INLINE T* row_zero(const strided_view<T, 4>& view, std::size_t n, std::size_t h,
                                       std::size_t w) noexcept {
    return pixel_of(view, n, h, w) - static_cast<std::ptrdiff_t>(row_of(view, n, h, w)) * view.stride(2);
}

/// True where the pixels of a row follow each other as the channels of a pixel do.
template <class T> [[nodiscard]] bool pixels_join(const strided_view<T, 4>& view) noexcept {
    return view.extent(2) == 1 || view.extent(3) == 1 ||
           view.stride(2) == static_cast<std::ptrdiff_t>(view.extent(3)) * view.stride(3);
}

/// The view whose rows are one pixel of all channels. Precondition: pixels_join.
template <class T> [[nodiscard]] strided_view<T, 4> joined(const strided_view<T, 4>& view) {
    return {view.data(),
            {view.extent(0), view.extent(1), 1, view.extent(2) * view.extent(3)},
            {view.stride(0), view.stride(1), 0, view.extent(3) == 1 ? view.stride(2) : view.stride(3)}};
}

} // namespace detail
} // namespace notch

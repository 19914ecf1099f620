/// @file
/// Pooling on floats [C, H, W]: maxima, and means that are summed in double and rounded once.
#pragma once

#include <notch/model/float_job.hpp>
#include <notch/model/layer_shape.hpp>
#include <notch/model/network.hpp>

#include <algorithm>
#include <array>
#include <cstddef>

namespace notch::detail {

/// Along one axis: taps [first, last) of a window lie in the image, `counted` in the padded one.
struct window_taps {
    std::size_t first;
    std::size_t last;
    std::size_t counted;

    window_taps(const window_line& line, std::size_t window) noexcept
        : first(line.tap_at(window, line.before)), last(line.tap_at(window, line.before + line.extent)),
          counted(line.tap_at(window, line.padded())) {}
};

/// The largest number of a window.
template <class Arch>
[[nodiscard]] float largest_of(const float* channel, const std::array<window_line, 2>& lines, std::size_t oh,
                               const window_taps& down, std::size_t ow, const window_taps& across) noexcept {
    float largest = -std::numeric_limits<float>::infinity();
    for (std::size_t kh = down.first; kh < down.last; ++kh) {
        const float* line = channel + lines[0].pixel(oh, kh) * lines[1].extent;
        for (std::size_t kw = across.first; kw < across.last; ++kw)
            largest = std::max(largest, line[lines[1].pixel(ow, kw)]);
    }
    return largest;
}

/// The sum of a window.
template <class Arch>
[[nodiscard]] double total_of(const float* channel, const std::array<window_line, 2>& lines, std::size_t oh,
                              const window_taps& down, std::size_t ow, const window_taps& across) noexcept {
    double total = 0;
    for (std::size_t kh = down.first; kh < down.last; ++kh) {
        const float* line = channel + lines[0].pixel(oh, kh) * lines[1].extent;
        for (std::size_t kw = across.first; kw < across.last; ++kw)
            total += double{line[lines[1].pixel(ow, kw)]};
    }
    return total;
}

/// Calls body(channel of the image, lines, oh, taps, ow, taps, pixel of the result) for every window.
template <class Pool, class Body> void for_each_window(const Pool& op, const float_job& job, const Body& body) {
    const shape_of_image& image = *job.inputs[0].shape;
    const shape_of_image& result = *job.shape;
    const auto lines = window_lines(image, op.kernel[0], op.kernel[1], op.window, op.ceil_mode);
    float* to = job.output;
    for (std::size_t c = 0; c < job.images * result[0]; ++c) {
        const float* channel = job.inputs[0].data + c * image[1] * image[2];
        for (std::size_t oh = 0; oh < result[1]; ++oh) {
            const window_taps down(lines[0], oh);
            for (std::size_t ow = 0; ow < result[2]; ++ow, ++to)
                body(channel, lines, oh, down, ow, window_taps(lines[1], ow), *to);
        }
    }
}

template <class Arch> void compute(const max_pool& op, const float_job& job) {
    for_each_window(op, job,
                    [](const float* channel, const auto& lines, std::size_t oh, const window_taps& down, std::size_t ow,
                       const window_taps& across,
                       float& to) { to = largest_of<Arch>(channel, lines, oh, down, ow, across); });
}

template <class Arch> void compute(const average_pool& op, const float_job& job) {
    for_each_window(
        op, job,
        [&op](const float* channel, const auto& lines, std::size_t oh, const window_taps& down, std::size_t ow,
              const window_taps& across, float& to) {
            const std::size_t count = op.count_include_pad ? down.counted * across.counted
                                                           : (down.last - down.first) * (across.last - across.first);
            to = static_cast<float>(total_of<Arch>(channel, lines, oh, down, ow, across) / static_cast<double>(count));
        });
}

template <class Arch> void compute(const global_average_pool_layer&, const float_job& job) {
    const std::size_t pixels = job.inputs[0].count / job.count;
    for (std::size_t c = 0; c < job.images * job.count; ++c) {
        const float* channel = job.inputs[0].data + c * pixels;
        double total = 0;
        for (std::size_t i = 0; i < pixels; ++i)
            total += double{channel[i]};
        job.output[c] = static_cast<float>(total / static_cast<double>(pixels));
    }
}

} // namespace notch::detail

/// @file
/// Convolutions and linear layers on floats [C, H, W], image by image.
///
/// A dense or grouped convolution is a product of the weights [O, C / groups KH KW] and the unfolded image: a column holds
/// the pixels under one window. It is unfolded in bands of lines of the result, of 256 KiB where a line leaves a choice; a
/// 1 x 1 convolution with stride 1 needs no unfolding. A filter for each channel is one scaled line added to another, per tap.
#pragma once

#include <notch/core/dense_tensor.hpp>
#include <notch/core/int_math.hpp>
#include <notch/model/float_gemm.hpp>
#include <notch/model/float_job.hpp>
#include <notch/model/layer_shape.hpp>
#include <notch/model/network.hpp>

#include <algorithm>
#include <array>
#include <cstddef>

namespace notch::detail {

/// One convolution between an image and its result.
struct conv_lines {
    std::array<window_line, 2> lines;
    std::size_t height = 0; ///< of the result
    std::size_t width = 0;
    std::size_t inputs = 0;  ///< channels of a group
    std::size_t outputs = 0; ///< of a group
    std::size_t groups = 1;

    conv_lines(const convolution& op, const shape_of_image& image, const shape_of_image& result)
        : lines(window_lines(image, op.weights.shape[2], op.weights.shape[3], op.window)), height(result[1]),
          width(result[2]), inputs(op.weights.shape[1]), outputs(result[0] / op.groups), groups(op.groups) {}

    /// Pixels of a channel of the image.
    [[nodiscard]] std::size_t pixels() const noexcept { return lines[0].extent * lines[1].extent; }
    /// Rows of the unfolded image.
    [[nodiscard]] std::size_t depth() const noexcept { return inputs * lines[0].kernel * lines[1].kernel; }
    /// True where the unfolded image is the image.
    [[nodiscard]] bool is_pointwise() const noexcept {
        const auto plain = [](const window_line& line) {
            return line.kernel == 1 && line.stride == 1 && line.before == 0 && line.after == 0;
        };
        return plain(lines[0]) && plain(lines[1]);
    }
    /// Lines of the result that are computed at once.
    [[nodiscard]] std::size_t band() const {
        constexpr std::size_t floats = std::size_t{1} << 16;
        const std::size_t line = checked_product(depth(), width, "an unfolded line");
        return std::clamp<std::size_t>(floats / std::max<std::size_t>(line, 1), 1, height);
    }
};

/// The pixels under one tap of the windows of one line of the result; zeros where they lie in the padding.
inline void unfold_line(const window_line& line, std::size_t tap, const float* from, float* to,
                        std::size_t width) noexcept {
    const auto [first, last] = line.windows_with(tap);
    if (first >= last) {
        std::fill_n(to, width, 0.0F);
        return;
    }
    std::fill_n(to, first, 0.0F);
    const float* pixel = from + line.pixel(first, tap);
    if (line.stride == 1)
        std::copy_n(pixel, last - first, to + first);
    else
        for (std::size_t i = first; i < last; ++i, pixel += line.stride)
            to[i] = *pixel;
    std::fill(to + last, to + width, 0.0F);
}

/// Unfolds the windows of `rows` lines of the result: [C / groups KH KW, rows * width].
inline void unfold(const conv_lines& conv, std::size_t first_row, std::size_t rows, const float* image,
                   float* to) noexcept {
    const window_line& down = conv.lines[0];
    const window_line& across = conv.lines[1];
    for (std::size_t c = 0; c < conv.inputs; ++c, image += conv.pixels())
        for (std::size_t kh = 0; kh < down.kernel; ++kh) {
            const auto [first, last] = down.windows_with(kh);
            for (std::size_t kw = 0; kw < across.kernel; ++kw)
                for (std::size_t row = first_row; row < first_row + rows; ++row, to += conv.width)
                    if (row >= first && row < last)
                        unfold_line(across, kw, image + down.pixel(row, kh) * across.extent, to, conv.width);
                    else
                        std::fill_n(to, conv.width, 0.0F);
        }
}

/// A convolution with several channels in a group, of one image.
template <class Arch>
void convolve_groups(const convolution& op, const conv_lines& conv, const float* image, float* result,
                     float* unfolded) {
    const std::size_t depth = conv.depth();
    const std::size_t pixels = conv.height * conv.width;
    const auto start = op.bias.empty() ? float_gemm_start::zero : float_gemm_start::bias;
    const bool pointwise = conv.is_pointwise();
    const std::size_t band = pointwise ? conv.height : conv.band();
    for (std::size_t g = 0; g < conv.groups; ++g) {
        const float_operand weights{op.weights.values.data() + g * conv.outputs * depth, depth};
        const float* bias = op.bias.empty() ? nullptr : op.bias.data() + g * conv.outputs;
        const float* from = image + g * conv.inputs * conv.pixels();
        float* to = result + g * conv.outputs * pixels;
        for (std::size_t row = 0; row < conv.height; row += band) {
            const std::size_t columns = std::min(band, conv.height - row) * conv.width;
            if (!pointwise)
                unfold(conv, row, columns / conv.width, from, unfolded);
            const float_operand right{pointwise ? from : unfolded, columns};
            float_gemm<Arch>(conv.outputs, columns, depth, weights, right, start, bias, to + row * conv.width, pixels);
        }
    }
}

/// to[i] += weight * from[i * stride].
template <class Arch>
void add_scaled_line(std::size_t count, float weight, const float* from, std::size_t stride, float* to) noexcept {
    if (stride == 1)
        for (std::size_t i = 0; i < count; ++i)
            to[i] += weight * from[i];
    else if (stride == 2)
        for (std::size_t i = 0; i < count; ++i)
            to[i] += weight * from[2 * i];
    else
        for (std::size_t i = 0; i < count; ++i)
            to[i] += weight * from[i * stride];
}

/// A convolution with one channel in a group, of one channel of the result.
template <class Arch>
void convolve_channel(const conv_lines& conv, const float* weights, float bias, const float* channel,
                      float* result) noexcept {
    const window_line& down = conv.lines[0];
    const window_line& across = conv.lines[1];
    std::fill_n(result, conv.height * conv.width, bias);
    for (std::size_t kh = 0; kh < down.kernel; ++kh) {
        const auto [top, bottom] = down.windows_with(kh);
        for (std::size_t kw = 0; kw < across.kernel; ++kw, ++weights) {
            const auto [first, last] = across.windows_with(kw);
            for (std::size_t row = top; row < bottom && first < last; ++row)
                add_scaled_line<Arch>(last - first, *weights,
                                      channel + down.pixel(row, kh) * across.extent + across.pixel(first, kw),
                                      across.stride, result + row * conv.width + first);
        }
    }
}

template <class Arch> void compute(const convolution& op, const float_job& job) {
    const conv_lines conv(op, *job.inputs[0].shape, *job.shape);
    if (conv.inputs == 1) {
        const std::size_t taps = conv.depth();
        for (std::size_t n = 0; n < job.images; ++n)
            for (std::size_t o = 0; o < conv.groups * conv.outputs; ++o)
                convolve_channel<Arch>(conv, op.weights.values.data() + o * taps, op.bias.empty() ? 0.0F : op.bias[o],
                                       job.inputs[0].image(n) + o / conv.outputs * conv.pixels(),
                                       job.image(n) + o * conv.height * conv.width);
        return;
    }
    aligned_buffer<float> unfolded(
        conv.is_pointwise() ? 0 : checked_product(conv.depth(), conv.band() * conv.width, "an unfolded band"));
    for (std::size_t n = 0; n < job.images; ++n)
        convolve_groups<Arch>(op, conv, job.inputs[0].image(n), job.image(n), unfolded.data());
}

/// Never on CBLAS: there the numbers of an image may depend on how many images there are.
template <class Arch> void compute(const linear& op, const float_job& job) {
    const std::size_t inputs = op.weights.shape[1];
    for (std::size_t n = 0; n < job.images && !op.bias.empty(); ++n)
        std::copy_n(op.bias.data(), job.count, job.image(n));
    blocked_gemm<Arch>(
        job.images, job.count, inputs, {job.inputs[0].data, inputs}, {op.weights.values.data(), inputs, true},
        op.bias.empty() ? float_gemm_start::zero : float_gemm_start::sum, nullptr, job.output, job.count);
}

} // namespace notch::detail

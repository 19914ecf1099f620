/// @file
/// The shape of what one layer computes, and every reason why it cannot: numbers outside their limits, weights and tensors
/// that do not fit.
///
///     OH = floor((H + top + bottom - (KH - 1) * dilation - 1) / stride) + 1                          OW alike
///
/// With ceil_mode of a pooling the quotient is rounded up, and windows that would start behind the image are dropped.
/// Extents, strides, dilations and padding are at most 2^31 - 1, and so is the number of elements of a tensor: then no
/// product of this room can wrap around.
#pragma once

#include <notch/core/error.hpp>
#include <notch/core/int_math.hpp>
#include <notch/model/network.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <numeric>
#include <string>
#include <vector>

namespace notch::detail {

using shape_of_image = std::vector<std::size_t>;

/// The largest extent, and the most elements of a tensor of one image.
inline constexpr std::size_t most_elements = 2147483647;

/// A layer as it stands in messages: layer 3 'conv1' (Conv).
[[nodiscard]] inline std::string layer_text(const network& net, std::size_t index) {
    const layer& it = net.layers[index];
    return text("layer ", index, " '", it.name, "' (", operator_name(it.op), ")");
}

/// Raises range_error for a number outside [lowest, 2^31 - 1].
inline void check_number(const std::string& at, const char* what, std::size_t value, std::size_t lowest) {
    if (value < lowest || value > most_elements)
        raise<range_error>(at, ": ", what, " is ", value, ", outside [", lowest, ", ", most_elements, "]");
}

/// Raises an error for a shape without elements or with too many of them.
inline void check_shape(const std::string& at, const shape_of_image& shape) {
    if (shape.empty())
        raise<shape_error>(at, ": the shape has no axis");
    std::size_t count = 1;
    for (const std::size_t extent : shape) {
        check_number(at, "an extent", extent, 1);
        if (extent > most_elements / count)
            raise<range_error>(at, ": extents ", shape, " have more than ", most_elements, " elements");
        count *= extent;
    }
}

/// Raises shape_error for an array of another rank, without elements, or with another number of values.
inline void check_array(const std::string& at, const float_array& array, std::size_t rank) {
    if (array.shape.size() != rank)
        raise<shape_error>(at, ": weights have extents ", array.shape, "; ", rank, " axes are needed");
    std::size_t count = 1;
    for (const std::size_t extent : array.shape) {
        check_number(at, "an extent of the weights", extent, 1);
        count = extent > std::numeric_limits<std::size_t>::max() / count ? std::numeric_limits<std::size_t>::max()
                                                                         : count * extent;
    }
    if (count != array.values.size())
        raise<shape_error>(at, ": weights have extents ", array.shape, " but ", array.values.size(), " values");
}

/// Raises shape_error unless a list has one of two lengths.
inline void check_length(const std::string& at, const char* what, std::size_t length, std::size_t wanted,
                         std::size_t or_that) {
    if (length != wanted && length != or_that)
        raise<shape_error>(at, ": ", what, " has ", length, " numbers, not ", or_that,
                           wanted != or_that ? text(" or ", wanted) : std::string());
}

/// Raises shape_error for a tensor of another rank.
inline void check_rank(const std::string& at, const shape_of_image& shape, std::size_t rank) {
    if (shape.size() != rank)
        raise<shape_error>(at, ": the input has extents ", shape, "; ", rank, " axes are needed");
}

/// Windows along one axis of an image.
struct window_line {
    std::size_t extent = 0;
    std::size_t kernel = 1;
    std::size_t stride = 1;
    std::size_t dilation = 1;
    std::size_t before = 0;
    std::size_t after = 0;
    bool ceil_mode = false;

    /// Pixels from the first to the last of a window.
    [[nodiscard]] std::size_t reach() const noexcept { return (kernel - 1) * dilation + 1; }
    /// Pixels of the padded image.
    [[nodiscard]] std::size_t padded() const noexcept { return extent + before + after; }
    /// Number of windows. Precondition: reach() <= padded() + stride - 1 with ceil_mode, <= padded() without.
    [[nodiscard]] std::size_t count() const noexcept {
        const std::size_t windows = (padded() + (ceil_mode ? stride - 1 : 0) - reach()) / stride + 1;
        return ceil_mode ? std::min(windows, (extent + before - 1) / stride + 1) : windows;
    }
    /// The windows [first, last) whose tap of a number lies in the image; of window i it is pixel(i, tap).
    [[nodiscard]] std::array<std::size_t, 2> windows_with(std::size_t tap) const noexcept {
        const auto below = [this, offset = tap * dilation](std::size_t pixel) {
            return pixel <= offset ? 0 : std::min(count(), ceil_div(pixel - offset, stride));
        };
        return {below(before), below(before + extent)};
    }
    /// The pixel under a tap that lies in the image.
    [[nodiscard]] std::size_t pixel(std::size_t window, std::size_t tap) const noexcept {
        return window * stride + tap * dilation - before;
    }
    /// The first tap of window i at or behind a pixel of the padded image.
    [[nodiscard]] std::size_t tap_at(std::size_t i, std::size_t pixel) const noexcept {
        const std::size_t start = i * stride;
        return pixel <= start ? 0 : std::min(kernel, ceil_div(pixel - start, dilation));
    }
};

/// The two axes of windows over an image [C, H, W].
[[nodiscard]] inline std::array<window_line, 2> window_lines(const shape_of_image& image, std::size_t kernel_h,
                                                             std::size_t kernel_w, const window& over,
                                                             bool ceil_mode = false) noexcept {
    return {{{image[1], kernel_h, over.stride[0], over.dilation[0], over.padding[0], over.padding[2], ceil_mode},
             {image[2], kernel_w, over.stride[1], over.dilation[1], over.padding[1], over.padding[3], ceil_mode}}};
}

/// Raises an error for windows that do not fit.
inline void check_window(const std::string& at, const window_line& line) {
    check_number(at, "the kernel", line.kernel, 1);
    check_number(at, "a stride", line.stride, 1);
    check_number(at, "a dilation", line.dilation, 1);
    check_number(at, "the padding", line.before, 0);
    check_number(at, "the padding", line.after, 0);
    if (line.reach() > line.padded() + (line.ceil_mode ? line.stride - 1 : 0))
        raise<shape_error>(at, ": a kernel of ", line.kernel, " with dilation ", line.dilation, " spans ", line.reach(),
                           " pixels, the padded image has ", line.padded());
}

[[nodiscard]] inline shape_of_image result_shape(const std::string& at, const convolution& op,
                                                 const std::vector<shape_of_image>& inputs) {
    const shape_of_image& image = inputs[0];
    check_rank(at, image, 3);
    check_array(at, op.weights, 4);
    const shape_of_image& weights = op.weights.shape;
    check_number(at, "the number of groups", op.groups, 1);
    if (weights[0] % op.groups != 0 || image[0] % op.groups != 0 || image[0] / op.groups != weights[1])
        raise<shape_error>(at, ": weights ", weights, " in ", op.groups, " groups do not fit an input ", image);
    check_length(at, "bias", op.bias.size(), 0, weights[0]);
    const auto lines = window_lines(image, weights[2], weights[3], op.window);
    check_window(at, lines[0]);
    check_window(at, lines[1]);
    return {weights[0], lines[0].count(), lines[1].count()};
}

[[nodiscard]] inline shape_of_image result_shape(const std::string& at, const linear& op,
                                                 const std::vector<shape_of_image>& inputs) {
    check_rank(at, inputs[0], 1);
    check_array(at, op.weights, 2);
    if (op.weights.shape[1] != inputs[0][0])
        raise<shape_error>(at, ": weights ", op.weights.shape, " do not fit an input ", inputs[0]);
    check_length(at, "bias", op.bias.size(), 0, op.weights.shape[0]);
    return {op.weights.shape[0]};
}

[[nodiscard]] inline shape_of_image result_shape(const std::string& at, const batch_norm& op,
                                                 const std::vector<shape_of_image>& inputs) {
    const std::size_t channels = inputs[0][0];
    check_length(at, "gain", op.gain.size(), channels, channels);
    check_length(at, "shift", op.shift.size(), channels, channels);
    check_length(at, "mean", op.mean.size(), channels, channels);
    check_length(at, "variance", op.variance.size(), channels, channels);
    return inputs[0];
}

[[nodiscard]] inline shape_of_image result_shape(const std::string& at, const affine_map& op,
                                                 const std::vector<shape_of_image>& inputs) {
    if (!op.factor.empty()) // none: 1
        check_length(at, "factor", op.factor.size(), 1, inputs[0][0]);
    if (!op.offset.empty()) // none: 0
        check_length(at, "offset", op.offset.size(), 1, inputs[0][0]);
    return inputs[0];
}

[[nodiscard]] inline shape_of_image result_shape(const std::string& at, const clip& op,
                                                 const std::vector<shape_of_image>& inputs) {
    if (!(op.lowest <= op.highest)) // NaN too
        raise<range_error>(at, ": [", op.lowest, ", ", op.highest, "] has no number");
    return inputs[0];
}

[[nodiscard]] inline shape_of_image result_shape(const std::string& at, const sum&,
                                                 const std::vector<shape_of_image>& inputs) {
    if (inputs[0] != inputs[1])
        raise<shape_error>(at, ": extents ", inputs[0], " and ", inputs[1], " differ");
    return inputs[0];
}

/// The shape of a pooling; every window has a pixel of the image.
template <class Pool>
[[nodiscard]] shape_of_image pooled_shape(const std::string& at, const Pool& op, const shape_of_image& image) {
    check_rank(at, image, 3);
    shape_of_image shape{image[0]};
    for (const window_line& line : window_lines(image, op.kernel[0], op.kernel[1], op.window, op.ceil_mode)) {
        check_window(at, line);
        const std::size_t count = line.count();
        check_number(at, "an extent", count, 1);
        const auto is_empty = [&line](std::size_t i) {
            return line.tap_at(i, line.before) >= line.tap_at(i, line.before + line.extent);
        };
        // Where no image fits between two taps, the first and the last window speak for those between them.
        const bool ends_tell = line.dilation <= line.extent && !is_empty(0) && !is_empty(count - 1);
        for (std::size_t i = 0; i < count && !ends_tell; ++i)
            if (is_empty(i))
                raise<shape_error>(at, ": window ", i, " of a kernel of ", line.kernel, " has no pixel of the image ",
                                   image);
        shape.push_back(count);
    }
    return shape;
}

[[nodiscard]] inline shape_of_image result_shape(const std::string& at, const max_pool& op,
                                                 const std::vector<shape_of_image>& inputs) {
    return pooled_shape(at, op, inputs[0]);
}

[[nodiscard]] inline shape_of_image result_shape(const std::string& at, const average_pool& op,
                                                 const std::vector<shape_of_image>& inputs) {
    return pooled_shape(at, op, inputs[0]);
}

[[nodiscard]] inline shape_of_image result_shape(const std::string& at, const global_average_pool_layer&,
                                                 const std::vector<shape_of_image>& inputs) {
    check_rank(at, inputs[0], 3);
    return {inputs[0][0], 1, 1};
}

[[nodiscard]] inline shape_of_image result_shape(const std::string& at, const reshape& op,
                                                 const std::vector<shape_of_image>& inputs) {
    const std::size_t count = element_count(inputs[0]);
    if (op.shape.empty())
        return {count};
    check_shape(at, op.shape);
    if (element_count(op.shape) != count)
        raise<shape_error>(at, ": extents ", op.shape, " have ", element_count(op.shape), " elements, the input ",
                           inputs[0], " has ", count);
    return op.shape;
}

[[nodiscard]] inline shape_of_image result_shape(const std::string& at, const concat& op,
                                                 const std::vector<shape_of_image>& inputs) {
    shape_of_image shape = inputs[0];
    if (op.axis >= shape.size())
        raise<shape_error>(at, ": axis ", op.axis, " of an input ", shape);
    for (std::size_t i = 1; i < inputs.size(); ++i) {
        shape_of_image rest = inputs[i];
        if (rest.size() == shape.size())
            rest[op.axis] = shape[op.axis];
        if (rest != shape)
            raise<shape_error>(at, ": extents ", inputs[0], " and ", inputs[i], " do not join along axis ", op.axis);
        shape[op.axis] += inputs[i][op.axis];
        check_number(at, "an extent", shape[op.axis], 1);
    }
    return shape;
}

[[nodiscard]] inline shape_of_image result_shape(const std::string& at, const slice& op,
                                                 const std::vector<shape_of_image>& inputs) {
    shape_of_image shape = inputs[0];
    for (const auto* list : {&op.begin, &op.end, &op.step})
        if (list->size() != shape.size())
            raise<shape_error>(at, ": ", list->size(), " numbers for the axes of an input ", shape);
    for (std::size_t axis = 0; axis < shape.size(); ++axis) {
        if (op.begin[axis] >= op.end[axis] || op.end[axis] > shape[axis])
            raise<shape_error>(at, ": [", op.begin[axis], ", ", op.end[axis], ") of axis ", axis, " of an input ",
                               inputs[0]);
        check_number(at, "a step", op.step[axis], 1);
        shape[axis] = ceil_div(op.end[axis] - op.begin[axis], op.step[axis]);
    }
    return shape;
}

[[nodiscard]] inline shape_of_image result_shape(const std::string& at, const pad& op,
                                                 const std::vector<shape_of_image>& inputs) {
    shape_of_image shape = inputs[0];
    for (const auto* list : {&op.before, &op.after})
        if (list->size() != shape.size())
            raise<shape_error>(at, ": ", list->size(), " numbers for the axes of an input ", shape);
    for (std::size_t axis = 0; axis < shape.size(); ++axis) {
        check_number(at, "the padding", op.before[axis], 0);
        check_number(at, "the padding", op.after[axis], 0);
        shape[axis] += op.before[axis] + op.after[axis];
    }
    return shape;
}

[[nodiscard]] inline shape_of_image result_shape(const std::string&, const softmax&,
                                                 const std::vector<shape_of_image>& inputs) {
    return inputs[0];
}

} // namespace notch::detail

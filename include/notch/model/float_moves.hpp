/// @file
/// Layers that move floats and change none: reshape, concat, slice, pad.
#pragma once

#include <notch/model/float_job.hpp>
#include <notch/model/network.hpp>

#include <algorithm>
#include <cstddef>

namespace notch::detail {

/// Product of the extents [first, last) of a shape.
[[nodiscard]] inline std::size_t extent_product(const shape_of_image& shape, std::size_t first,
                                                std::size_t last) noexcept {
    std::size_t product = 1;
    for (std::size_t axis = first; axis < last; ++axis)
        product *= shape[axis];
    return product;
}

template <class Arch> void compute(const reshape&, const float_job& job) {
    std::copy_n(job.inputs[0].data, job.images * job.count, job.output);
}

template <class Arch> void compute(const concat& op, const float_job& job) {
    float* to = job.output;
    const std::size_t outer = extent_product(*job.shape, 0, op.axis);
    for (std::size_t line = 0; line < job.images * outer; ++line)
        for (const image_floats& input : job.inputs) {
            const std::size_t run = input.count / outer;
            to = std::copy_n(input.data + line * run, run, to);
        }
}

template <class Arch> void compute(const slice& op, const float_job& job) {
    const shape_of_image& image = *job.inputs[0].shape;
    const shape_of_image& result = *job.shape;
    const std::size_t last = result.size() - 1;
    shape_of_image index(result.size());
    float* to = job.output;
    for (std::size_t line = 0; line < job.images * (job.count / result[last]); ++line) {
        std::size_t offset = line / (job.count / result[last]);
        for (std::size_t axis = 0; axis <= last; ++axis)
            offset = offset * image[axis] + op.begin[axis] + index[axis] * op.step[axis];
        const float* from = job.inputs[0].data + offset;
        for (std::size_t i = 0; i < result[last]; ++i)
            *to++ = from[i * op.step[last]];
        for (std::size_t axis = last; axis-- > 0;) {
            if (++index[axis] < result[axis])
                break;
            index[axis] = 0;
        }
    }
}

template <class Arch> void compute(const pad& op, const float_job& job) {
    const shape_of_image& image = *job.inputs[0].shape;
    const shape_of_image& result = *job.shape;
    const std::size_t last = image.size() - 1;
    std::fill_n(job.output, job.images * job.count, op.value);
    shape_of_image index(image.size());
    const std::size_t lines = job.inputs[0].count / image[last];
    const float* from = job.inputs[0].data;
    for (std::size_t line = 0; line < job.images * lines; ++line, from += image[last]) {
        std::size_t offset = line / lines;
        for (std::size_t axis = 0; axis <= last; ++axis)
            offset = offset * result[axis] + op.before[axis] + index[axis];
        std::copy_n(from, image[last], job.output + offset);
        for (std::size_t axis = last; axis-- > 0;) {
            if (++index[axis] < image[axis])
                break;
            index[axis] = 0;
        }
    }
}

} // namespace notch::detail

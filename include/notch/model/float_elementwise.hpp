/// @file
/// Layers that change numbers one by one, on floats: affine maps, clipping, sums, soft maximum.
#pragma once

#include <notch/model/exact_affine.hpp>
#include <notch/model/float_job.hpp>
#include <notch/model/network.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <vector>

namespace notch::detail {

/// Number c of a list with one for each channel, one for all, or none.
[[nodiscard]] inline float number_of_channel(const std::vector<float>& list, std::size_t c, float none) noexcept {
    return list.empty() ? none : list[list.size() == 1 ? 0 : c];
}

template <class Arch> void compute(const affine_map& op, const float_job& job) {
    const std::size_t channels = (*job.shape)[0];
    const std::size_t pixels = job.count / channels;
    for (std::size_t line = 0; line < job.images * channels; ++line) {
        const float factor = number_of_channel(op.factor, line % channels, 1);
        const float offset = number_of_channel(op.offset, line % channels, 0);
        const float* from = job.inputs[0].data + line * pixels;
        float* to = job.output + line * pixels;
        for (std::size_t i = 0; i < pixels; ++i)
            to[i] = from[i] * factor + offset;
    }
}

template <class Arch> void compute(const batch_norm& op, const float_job& job) {
    compute<Arch>(exact_affine(op, (*job.shape)[0]).rounded(), job);
}

template <class Arch> void compute(const clip& op, const float_job& job) {
    const float lowest = op.lowest;
    const float highest = op.highest;
    const float* from = job.inputs[0].data;
    float* to = job.output;
    const std::size_t count = job.images * job.count;
    for (std::size_t i = 0; i < count; ++i) {
        const float raised = lowest > from[i] ? lowest : from[i]; // NaN stays
        to[i] = highest < raised ? highest : raised;
    }
}

template <class Arch> void compute(const sum&, const float_job& job) {
    const float* a = job.inputs[0].data;
    const float* b = job.inputs[1].data;
    float* to = job.output;
    const std::size_t count = job.images * job.count;
    for (std::size_t i = 0; i < count; ++i)
        to[i] = a[i] + b[i];
}

/// Softmax along the channels of one image [channels, pixels]; `to` may be `from`.
inline void softmax_of_image(const float* from, std::size_t channels, std::size_t pixels, float* to) noexcept {
    for (std::size_t i = 0; i < pixels; ++i, ++from, ++to) {
        float largest = *from;
        for (std::size_t c = 1; c < channels; ++c)
            largest = std::max(largest, from[c * pixels]);
        double total = 0;
        for (std::size_t c = 0; c < channels; ++c)
            total += std::exp(double{from[c * pixels]} - double{largest});
        for (std::size_t c = 0; c < channels; ++c)
            to[c * pixels] = static_cast<float>(std::exp(double{from[c * pixels]} - double{largest}) / total);
    }
}

template <class Arch> void compute(const softmax&, const float_job& job) {
    const std::size_t channels = (*job.shape)[0];
    for (std::size_t n = 0; n < job.images; ++n)
        softmax_of_image(job.inputs[0].image(n), channels, job.count / channels, job.image(n));
}

} // namespace notch::detail

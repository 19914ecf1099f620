/// @file
/// Exact sums and products in floating point. Part of simulate.hpp.
#pragma once

#include <notch/core/fixed_point.hpp>
#include <notch/core/int_math.hpp>
#include <notch/model/float_job.hpp>
#include <notch/model/network.hpp>
#include <notch/ptq/plan.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <optional>
#include <variant>
#include <vector>

namespace notch {
namespace detail {

/// floor(s * m * 2^(e - 31) + 1/2) in doubles: the product is split into a rounded part and its error, both exact.
[[nodiscard]] inline double times_q31(double s, q31 factor) noexcept {
    const double f = factor.real();
    const double product = s * f;
    const double error = std::fma(s, f, -product);
    const double whole = std::floor(product);
    const double rest = product - whole; // exact
    const double above = rest - 0.5;     // exact
    return whole + (above > 0 || (above == 0 && error >= 0) ? 1.0 : 0.0);
}

/// A layer with weights as a convolution of numbers in units of their scales.
struct unit_convolution {
    convolution conv{};     ///< weights code * 2^(exponent - least), no bias
    double largest_sum = 0; ///< of magnitudes of the weights of one output
};

[[nodiscard]] inline unit_convolution unit_convolution_of(const planned_weights& weights, const operation& op) {
    unit_convolution to;
    if (const auto* conv = std::get_if<convolution>(&op)) {
        to.conv.window = conv->window;
        to.conv.groups = conv->groups;
    }
    to.conv.weights.shape = weights.shape;
    to.conv.weights.values.reserve(weights.codes.size());
    const std::size_t taps = weights.taps();
    // The coarse part in the units of the sums.
    const auto coarse = [&](std::size_t o, std::size_t i, std::size_t t) {
        return weights.coarse ? weights.coarse_value(o, i, t) / (weights.base[o] * exp2_exact(weights.least[o])) : 0.0;
    };
    for (std::size_t o = 0; o < weights.shape[0]; ++o) {
        double total = 0;
        for (std::size_t i = 0; i < weights.shape[1]; ++i) {
            // Blocks of zeros may have a smaller exponent than the least one: what they are multiplied with does not matter.
            const std::size_t block = weights.block_of(o, i);
            const double factor =
                exp2_exact(std::max(weights.exponents[block] - weights.least[o], 0)) * weights.multiplier(block);
            for (std::size_t t = 0; t < taps; ++t) {
                const double w = factor * weights.codes[(o * weights.shape[1] + i) * taps + t] + coarse(o, i, t);
                to.conv.weights.values.push_back(static_cast<float>(w));
                total += std::abs(w);
            }
        }
        to.largest_sum = std::max(to.largest_sum, total);
    }
    return to;
}

/// A convolution in doubles, by its definition.
inline void convolve_exactly(const convolution& op, const float_job& job, double* to) {
    const std::vector<std::size_t>& in = *job.inputs[0].shape;
    const std::vector<std::size_t>& out = *job.shape;
    const std::vector<std::size_t>& w = op.weights.shape;
    const auto inside = [](std::size_t at, std::size_t tap, std::size_t stride, std::size_t dilation,
                           std::size_t before, std::size_t extent) -> std::optional<std::size_t> {
        const std::size_t place = at * stride + tap * dilation;
        return place < before || place - before >= extent ? std::nullopt : std::optional(place - before);
    };
    for (std::size_t n = 0; n < job.images; ++n)
        for (std::size_t o = 0; o < out[0]; ++o)
            for (std::size_t oh = 0; oh < out[1]; ++oh)
                for (std::size_t ow = 0; ow < out[2]; ++ow) {
                    double total = 0;
                    for (std::size_t i = 0; i < w[1]; ++i)
                        for (std::size_t kh = 0; kh < w[2]; ++kh)
                            for (std::size_t kw = 0; kw < w[3]; ++kw) {
                                const auto h = inside(oh, kh, op.window.stride[0], op.window.dilation[0],
                                                      op.window.padding[0], in[1]);
                                const auto x = inside(ow, kw, op.window.stride[1], op.window.dilation[1],
                                                      op.window.padding[1], in[2]);
                                if (!h || !x)
                                    continue;
                                const std::size_t channel = o / (out[0] / op.groups) * w[1] + i;
                                total +=
                                    static_cast<double>(op.weights.values[((o * w[1] + i) * w[2] + kh) * w[3] + kw]) *
                                    static_cast<double>(job.inputs[0].image(n)[(channel * in[1] + *h) * in[2] + *x]);
                            }
                    *to++ = total;
                }
}

} // namespace detail
} // namespace notch

/// @file
/// What codes of some bits lose of a layer, for an order of its channels: the best scale of every block, by weighted
/// squares.
///
///     E = c sum over blocks of  min over s of  sum over its weights of  m_i (w - s clamp(round(w / s)))^2
///
/// m_i is the mean square of input channel i (or 1), 1 / c = sum of m_i w^2, and s runs over the scales of
/// weight_fit::least_squares (fit_weights.hpp). So 1 / E is the signal-to-noise ratio of the weights.
#pragma once

#include <notch/core/int_math.hpp>
#include <notch/ptq/block_cost.hpp>
#include <notch/ptq/block_scale_search.hpp>
#include <notch/ptq/policy.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <vector>

namespace notch::detail {

/// E of a layer, for slots (new -> old) of input and output.
[[nodiscard]] inline double fit_error(const blocked_layer& of, block_scale_search search,
                                      const std::vector<std::size_t>& from, const std::vector<std::size_t>& to) {
    const auto [outputs, inputs, taps] = of.weights().shape;
    const auto [high, wide] = of.block();
    std::vector<double> w;
    std::vector<double> m;
    double error = 0;
    for (std::size_t row = 0; row < outputs; row += high)
        for (std::size_t column = 0; column < inputs; column += wide) {
            w.clear();
            m.clear();
            for (std::size_t o = row; o < std::min(row + high, outputs); ++o)
                for (std::size_t i = column; i < std::min(column + wide, inputs); ++i) {
                    const std::size_t old = of.old_column(o, i, from);
                    const float* values = of.weights().values + (to[o] * inputs + old) * taps;
                    w.insert(w.end(), values, values + taps);
                    m.insert(m.end(), taps, of.power(to[o], old) / static_cast<double>(taps));
                }
            static_cast<void>(search(w, 0, m));
            error += search.error();
        }
    return of.factor() * error;
}

} // namespace notch::detail

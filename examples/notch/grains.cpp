#include "grains.hpp"

#include "measure.hpp"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <notch/core/random.hpp>
#include <numbers>

namespace tool {

namespace {

/// A standard normal number for one index of one stream (Box and Muller, 1958).
[[nodiscard]] double normal(std::uint64_t seed, std::uint64_t index) {
    const double radius = std::sqrt(-2.0 * std::log(1.0 - notch::counter_uniform(seed, 2 * index)));
    return radius * std::cos(2.0 * std::numbers::pi * notch::counter_uniform(seed, 2 * index + 1));
}

[[nodiscard]] std::vector<grain> grains_for(const grains_options& options) {
    using family = grain::family;
    const std::size_t rows = options.rows;
    const std::size_t cols = options.cols;
    std::vector<grain> list{{"per tensor", family::whole, rows, cols}};
    const auto add = [&](const std::string& name, family kind, std::size_t out, std::size_t in) {
        const auto same = [&](const grain& g) { return g.out == out && g.in == in; };
        if (std::none_of(list.begin(), list.end(), same))
            list.push_back({name, kind, out, in});
    };
    add("per channel", family::rows, 1, cols);
    add("per input channel", family::columns, rows, 1);
    for (const std::size_t size : {128U, 64U, 32U, 16U})
        if (size < cols)
            add("group " + std::to_string(size), family::rows, 1, size);
    for (const std::size_t size : {64U, 32U, 16U, 8U, 4U})
        if (size < rows && size < cols)
            add("block " + std::to_string(size) + "x" + std::to_string(size), family::blocks, size, size);
    if (options.kernel > 1) // otherwise it would be one scale per weight
        add("per kernel", family::rows, 1, 1);
    return list;
}

} // namespace

int bits_of(scale_kind kind) {
    switch (kind) {
    case scale_kind::real:
        return 32;
    case scale_kind::power_of_two:
        return 8;
    case scale_kind::fixed_point:
        break;
    }
    return 40;
}

std::string search_of(scale_kind kind) {
    if (kind == scale_kind::power_of_two)
        return "the best of " + std::to_string(notch::snap_least_squares::tried) + " exponents";
    char text[96];
    std::snprintf(text, sizeof text, "the range, and %g to %g times its scale in %zu steps", search_grid.lowest,
                  search_grid.highest, search_grid.steps);
    return text;
}

notch::dense_tensor<float, 4> make_weights(const grains_options& options) {
    constexpr double spread = 0.6;
    const std::uint64_t row_stream = notch::counter_bits(options.seed, 0);
    const std::uint64_t column_stream = notch::counter_bits(options.seed, 1);
    const std::uint64_t weight_stream = notch::counter_bits(options.seed, 2);
    const std::size_t taps = options.kernel * options.kernel;
    std::vector<double> gain(options.cols);
    for (std::size_t i = 0; i < options.cols; ++i)
        gain[i] = std::exp(spread * normal(column_stream, i));

    notch::dense_tensor<float, 4> weights({options.rows, options.cols, options.kernel, options.kernel});
    float* to = weights.data();
    for (std::size_t o = 0; o < options.rows; ++o) {
        const double row_gain = std::exp(spread * normal(row_stream, o));
        for (std::size_t j = 0; j < options.cols * taps; ++j)
            *to++ = static_cast<float>(row_gain * gain[j / taps] * normal(weight_stream, o * options.cols * taps + j));
    }
    return weights;
}

std::vector<measurement> measure_grains(const grains_options& options) {
    const auto weights = make_weights(options);
    std::vector<measurement> table;
    for (const grain& g : grains_for(options)) {
        if (options.scale == scale_kind::real)
            table.push_back(measure_real(weights, g, options.bits));
        else if (options.scale == scale_kind::power_of_two)
            table.push_back(measure_power_of_two(weights, g, options.bits));
        else
            table.push_back(measure_fixed_point(weights, g, options.bits));
        measurement& last = table.back();
        last.bits_per_weight =
            static_cast<double>(last.scales) * bits_of(options.scale) / static_cast<double>(weights.size());
    }
    std::stable_sort(table.begin(), table.end(), [](const auto& a, const auto& b) { return a.scales < b.scales; });
    return table;
}

} // namespace tool

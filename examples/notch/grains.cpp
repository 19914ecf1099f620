#include "grains.hpp"

#include <algorithm>
#include <cmath>
#include <notch/core/random.hpp>
#include <notch/quant/fit.hpp>
#include <numbers>

namespace tool {

namespace {

/// A standard normal number for one index of one stream (Box and Muller, 1958).
[[nodiscard]] double normal(std::uint64_t seed, std::uint64_t index) {
    const double radius = std::sqrt(-2.0 * std::log(1.0 - notch::counter_uniform(seed, 2 * index)));
    return radius * std::cos(2.0 * std::numbers::pi * notch::counter_uniform(seed, 2 * index + 1));
}

[[nodiscard]] std::vector<grain> grains_for(const grains_options& options) {
    using enum grain::family;
    const std::size_t rows = options.rows;
    const std::size_t cols = options.cols;
    std::vector<grain> list{{"per tensor", whole, rows, cols}};
    const auto add = [&](std::string name, grain::family kind, std::size_t out, std::size_t in) {
        const auto same = [&](const grain& g) { return g.out == out && g.in == in; };
        if (std::none_of(list.begin(), list.end(), same))
            list.push_back({std::move(name), kind, out, in});
    };
    add("per channel", rows == 1 ? whole : grain::family::rows, 1, cols);
    add("per input channel", columns, rows, 1);
    for (const std::size_t size : {128U, 64U, 32U, 16U})
        if (size < cols)
            add("group " + std::to_string(size), grain::family::rows, 1, size);
    for (const std::size_t size : {64U, 32U, 16U, 8U, 4U})
        if (size < rows && size < cols)
            add("block " + std::to_string(size) + "x" + std::to_string(size), blocks, size, size);
    if (options.kernel > 1) // otherwise it would be one scale per weight
        add("per kernel", grain::family::rows, 1, 1);
    return list;
}

template <int Bits, class Scale> [[nodiscard]] std::vector<measurement> measure(const grains_options& options) {
    using q = notch::quantizer<notch::bits<Bits>, notch::sub_layer<>, Scale>;
    const auto weights = make_weights(options);
    std::vector<measurement> table;
    for (const grain& g : grains_for(options)) {
        notch::fit_options<q> fit{.policy = {.granularity = {g.out, g.in}}, .name = "weights"};
        if (options.scale != scale_kind::power_of_two) // a power of two compares its own candidates
            fit.search = {.lowest = 0.5, .highest = 1.0, .steps = 21};
        const auto codes = notch::quantize<q>(weights, fit);
        const double scales = static_cast<double>(codes.params.count());
        table.push_back({g, codes.params.count(), scales * bits_of(options.scale) / static_cast<double>(weights.size()),
                         notch::quantization_error(weights, codes)});
    }
    std::stable_sort(table.begin(), table.end(), [](const auto& a, const auto& b) { return a.scales < b.scales; });
    return table;
}

template <class Scale> [[nodiscard]] std::vector<measurement> measure_bits(const grains_options& options) {
    switch (options.bits) {
    case 2:
        return measure<2, Scale>(options);
    case 3:
        return measure<3, Scale>(options);
    case 4:
        return measure<4, Scale>(options);
    case 5:
        return measure<5, Scale>(options);
    case 6:
        return measure<6, Scale>(options);
    case 7:
        return measure<7, Scale>(options);
    default:
        return measure<8, Scale>(options);
    }
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
    switch (options.scale) {
    case scale_kind::real:
        return measure_bits<notch::real_scale>(options);
    case scale_kind::power_of_two:
        return measure_bits<notch::power_of_two<>>(options);
    case scale_kind::fixed_point:
        break;
    }
    return measure_bits<notch::fixed_point<>>(options);
}

} // namespace tool

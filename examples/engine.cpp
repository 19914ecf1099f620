/// @file
/// What an inference engine does with a quantized tensor: it reads codes, exponents and a channel order, and computes.
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <exception>
#include <notch/core/random.hpp>
#include <notch/quant/fit.hpp>
#include <vector>

namespace {

/// int4 codes, and one power of two for each output channel and group of input channels; the size is a run-time number.
using w4 = notch::quantizer<notch::bits<4>, notch::per_group<>, notch::power_of_two<>>;

/// The weights of a linear layer, [outputs, inputs], whose even inputs are small and whose odd ones are large.
notch::dense_tensor<float, 2> make_weights(std::size_t outputs, std::size_t inputs) {
    notch::dense_tensor<float, 2> weights({outputs, inputs});
    for (std::size_t k = 0; k < weights.size(); ++k)
        weights.data()[k] = static_cast<float>((notch::counter_uniform(1, k) - 0.5) * (k % 2 == 0 ? 0.02 : 1.0));
    return weights;
}

/// The real that a code stands for. Row o and column i count channels in the order of the codes.
double real_of(const notch::quantized_tensor<w4, 2>& weights, const notch::block_grid<2>& grid, std::size_t o,
               std::size_t i) {
    const std::size_t b = grid.block_of(o, i);
    const std::int32_t exponent =
        weights.params.scales[b]; // what power_of_two stores; w4 is symmetric, so its zero points are 0
    return std::ldexp(static_cast<double>(weights.codes(o, i) - weights.params.zero_point(b)), exponent);
}

/// Row o times a vector of 8-bit codes. Within a block the sum is one of integers; its exponent is applied once.
double dot(const notch::quantized_tensor<w4, 2>& weights, const notch::block_grid<2>& grid, std::size_t o,
           const std::vector<std::int8_t>& x) {
    double result = 0;
    for (std::size_t first = 0; first < x.size(); first += grid.block[1]) {
        std::int32_t sum = 0;
        for (std::size_t i = first; i < first + grid.block[1] && i < x.size(); ++i)
            sum += weights.codes(o, i) * x[weights.params.input_order[i]]; // column i holds this channel of x
        result += std::ldexp(static_cast<double>(sum), weights.params.scales[grid.block_of(o, first)]);
    }
    return result;
}

int run() {
    constexpr std::size_t outputs = 8;
    constexpr std::size_t inputs = 80;
    const auto weights = make_weights(outputs, inputs);

    // order[new position] = old channel: column 0 of the codes holds channel 0, column 1 channel 2, and so on.
    std::vector<std::uint32_t> order;
    for (std::uint32_t parity = 0; parity < 2; ++parity)
        for (std::uint32_t channel = parity; channel < inputs; channel += 2)
            order.push_back(channel);

    // The options only refer to the order; the result has a copy.
    const std::size_t group = 32;
    const notch::fit_options<w4> options{.policy = {.granularity = {group}}, .name = "fc1", .input_order = order};
    const notch::quantized_tensor<w4, 2> codes = notch::quantize<w4>(weights, options);
    const notch::block_grid<2> grid = codes.grid(); // validates the parameters: ask once, not once per element

    std::vector<std::int8_t> x(inputs);
    for (std::size_t i = 0; i < inputs; ++i)
        x[i] = static_cast<std::int8_t>(notch::counter_random(2, i) % 255 - 127);

    // dequantize gives the order of the float tensor back. All of these sums are exact in double.
    const notch::dense_tensor<float, 2> reals = notch::dequantize(codes);
    std::size_t wrong = 0;
    for (std::size_t o = 0; o < outputs; ++o) {
        double expected = 0;
        for (std::size_t i = 0; i < inputs; ++i) {
            const std::size_t channel = codes.params.input_order[i];
            const double real = static_cast<double>(reals(o, channel));
            wrong += real_of(codes, grid, o, i) == real ? 0U : 1U;
            expected += real * x[channel];
        }
        wrong += dot(codes, grid, o, x) == expected ? 0U : 1U;
    }
    std::printf("%zu x %zu blocks of %zu x %zu channels, exponents of row 0:", grid.blocks[0], grid.blocks[1],
                grid.block[0], grid.block[1]);
    for (std::size_t b = 0; b < grid.blocks[1]; ++b)
        std::printf(" %d", static_cast<int>(codes.params.scales[b]));
    std::printf("\n%zu differences from dequantize\n", wrong);
    return wrong == 0 ? 0 : 1;
}

} // namespace

int main() {
    try {
        return run();
    } catch (const std::exception& problem) { // notch::error is one
        std::fprintf(stderr, "%s\n", problem.what());
        return 1;
    }
}

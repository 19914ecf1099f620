/// @file
/// A linear layer in integers: int4 weights with one power of two per 32 inputs, uint8 activations with a zero point, a
/// bias, and uint8 results. The memory of the product is the caller's.
#include <cmath>
#include <cstdio>
#include <notch/epilogue/activation.hpp>
#include <notch/epilogue/add_bias.hpp>
#include <notch/epilogue/shift_requantize.hpp>
#include <notch/gemm/explain.hpp>
#include <notch/gemm/pack.hpp>
#include <notch/gemm/reference.hpp>
#include <notch/quant/fit.hpp>

using w4 = notch::quantizer<notch::bits<4>, notch::per_group<32>, notch::power_of_two<>>;

int main() {
    constexpr std::size_t rows = 5;
    constexpr std::size_t outputs = 40;
    constexpr std::size_t inputs = 80; // two groups of 32, one of 16
    notch::dense_tensor<float, 2> reals({outputs, inputs});
    for (std::size_t i = 0; i < reals.size(); ++i) // groups of different magnitude have different exponents
        reals.data()[i] = std::sin(1.3F * static_cast<float>(i)) * (i % inputs < 32 ? 0.9F : 0.1F);

    // When the model is loaded: codes, packed weights, bias in the scale of the sums, memory.
    const notch::quantized_tensor<w4, 2> weights = notch::quantize<w4>(reals, {.name = "fc1"});
    const notch::packed_weights packed = notch::pack(weights);
    constexpr std::int32_t input_exponent = -6;
    std::vector<std::int32_t> bias(outputs);
    for (std::size_t n = 0; n < outputs; ++n) // 0.5 for every output
        bias[n] = static_cast<std::int32_t>(std::ldexp(0.5, -(packed.exponents()[n] + input_exponent)));
    std::vector<std::byte> memory(notch::gemm_workspace(packed, rows));

    // For each batch: codes in, codes out, no allocation. real = 2^-6 * (code - 100).
    std::vector<std::uint8_t> codes(rows * inputs);
    for (std::size_t i = 0; i < codes.size(); ++i)
        codes[i] = static_cast<std::uint8_t>(37 * i % 256);
    const notch::activation_codes<std::uint8_t> input{{codes.data(), {rows, inputs}}, 100, input_exponent};
    const auto epilogue =
        notch::add_bias{bias} | notch::shift_requantize{-3} | notch::relu{} | notch::add_zero_point{7};
    notch::dense_tensor<std::uint8_t, 2> result({rows, outputs});
    notch::gemm(input, packed, epilogue, result, {.workspace = memory});

    std::printf("%s\n", notch::explain(packed, epilogue, rows).c_str());
    notch::dense_tensor<std::uint8_t, 2> expected({rows, outputs});
    notch::reference_gemm(input, weights, epilogue, expected); // plain loops over the codes
    std::size_t wrong = 0;
    for (std::size_t i = 0; i < result.size(); ++i)
        wrong += result.data()[i] == expected.data()[i] ? 0U : 1U;
    std::printf("%zu differences from the definition\n", wrong);
    return wrong == 0 ? 0 : 1;
}

/// @file
/// The first program: int4 weights with one power-of-two scale per 32 inputs, and how far they lie from the reals.
// [readme]
#include <cmath>
#include <cstdio>
#include <notch/notch.hpp>
using w4 = notch::quantizer<notch::bits<4>, notch::per_group<32>, notch::power_of_two<>>;
int main() {
    notch::dense_tensor<float, 2> weights({64, 256}); // [outputs, inputs]
    for (std::size_t i = 0; i < weights.size(); ++i)
        weights.data()[i] = std::sin(0.7F * static_cast<float>(i));
    const auto codes = notch::quantize<w4>(weights); // int4 codes, and one exponent per 32 inputs
    std::printf("%zu scales, %.1f dB\n", codes.params.count(), notch::quantization_error(weights, codes).sqnr_db);
}
// [readme]

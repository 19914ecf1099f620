/// @file
/// The first program: int4 weights with one power of two per 32 inputs times uint8 activations, in integers only.
// [readme]
#include <cmath>
#include <cstdio>
#include <notch/notch.hpp>
using w4 = notch::quantizer<notch::bits<4>, notch::per_group<32>, notch::power_of_two<>>;
using a8 = notch::quantizer<notch::bits<8, notch::unsigned_codes>, notch::per_tensor, notch::power_of_two<>>;
int main() {
    notch::dense_tensor<float, 2> weights({64, 256}), input({3, 256}, 0.5F); // [outputs, inputs], [rows, inputs]
    for (std::size_t i = 0; i < weights.size(); ++i)
        weights.data()[i] = (i & 32 ? 0.8F : 0.2F) * std::sin(static_cast<float>(i * i % 4093));
    const auto packed = notch::pack(notch::quantize<w4>(weights)); // once, when the model is loaded
    notch::dense_tensor<std::uint8_t, 2> output({3, 64});          // one step is 2^-4
    notch::gemm(notch::quantize<a8>(input), packed, notch::shift_requantize{-4} | notch::relu{}, output);
    std::printf("%g\n%s\n", output(0, 4) / 16.0, notch::explain(packed, 3).c_str());
}
// [readme]

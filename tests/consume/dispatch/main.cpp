#include <array>
#include <cstdint>
#include <cstdio>
#include <notch/gemm/dispatch.hpp>
#include <notch/gemm/pack.hpp>
#include <notch/quant/fit.hpp>

using int4 = notch::quantizer<notch::bits<4>, notch::per_group<4>, notch::power_of_two<>>;

int main() {
    notch::dense_tensor<float, 2> weights({4, 8}, 0.0F);
    for (std::size_t i = 0; i < 4; ++i)
        weights(i, i) = 0.875F; // the code 7 of 2^-3
    const notch::packed_weights packed = notch::pack(notch::quantize<int4>(weights));
    const notch::dense_tensor<std::int8_t, 2> input({2, 8}, 16); // of scale 1
    const std::array<std::int32_t, 4> bias{0, 8, -800, 0};       // of scale 2^-3
    notch::dense_tensor<std::int8_t, 2> output({2, 4});
    notch::dispatched_gemm(input, packed,
                           {.bias = bias, .requantization = notch::shift_requantize{0}, .activation = notch::relu{}},
                           output);
    std::printf("%s:", notch::simd::name(notch::dispatched_isa()));
    for (const int code : output.elements())
        std::printf(" %d", code);
    std::printf("\n");
    return output(1, 0) == 14 && output(1, 1) == 15 && output(1, 2) == 0 && output(1, 3) == 14 ? 0 : 1;
}

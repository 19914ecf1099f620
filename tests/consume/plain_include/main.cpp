#include <cstdio>
#include <notch/observe/min_max.hpp>
#include <notch/observe/observer.hpp>
#include <notch/quant/quantize.hpp>
#include <vector>

using uint8 = notch::quantizer<notch::bits<8, notch::unsigned_codes>, notch::per_tensor,
                               notch::power_of_two<notch::snap_up>, notch::nearest_even, notch::affine>;

int main() {
    const std::vector<float> activations{-1.0F, 0.0F, 0.5F, 3.0F};
    notch::min_max observer("activations");
    observer.observe(activations);
    const auto tensor = notch::quantize(activations, notch::calibrated_params<uint8>(observer));
    for (const int code : tensor.codes.elements())
        std::printf("%d ", code);
    std::printf("with scale 2^%d and zero point %d\n", tensor.params.scales[0], tensor.params.zero_points[0]);
    // The range is 4, 4 / 255 lies between 2^-6 and 2^-5; -1 is 32 steps of 2^-5 below zero.
    return tensor.params.scales[0] == -5 && tensor.codes(0) == 0 && tensor.codes(3) == 128 ? 0 : 1;
}

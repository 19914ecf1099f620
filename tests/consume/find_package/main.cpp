#include <cstdio>
#include <notch/notch.hpp>

using int4 = notch::quantizer<notch::bits<4>, notch::sub_layer<2, 2>, notch::power_of_two<>>;

int main() {
    notch::dense_tensor<float, 2> weights({4, 4}, 0.0F);
    for (std::size_t i = 0; i < 4; ++i)
        weights(i, i) = 0.875F;
    const auto tensor = notch::quantize<int4>(weights);
    std::printf("notch %d.%d.%d: %zu scales, 0.875 is code %d of 2^%d\n", NOTCH_VERSION_MAJOR, NOTCH_VERSION_MINOR,
                NOTCH_VERSION_PATCH, tensor.params.count(), tensor.codes(0, 0), tensor.params.scales[0]);
    // 7 * 2^-3 is 0.875 exactly, so least squares takes it.
    return tensor.params.count() == 4 && tensor.codes(0, 0) == 7 && tensor.params.scales[0] == -3 ? 0 : 1;
}

// expect-abort: notch: tensor 'conv1\.weight': element \[1, 2\] is NaN; only finite numbers can be quantized
#include <limits>
#include <notch/quant/fit.hpp>

int main() {
    notch::dense_tensor<float, 2> weights({2, 3}, 1.0F);
    weights(1, 2) = std::numeric_limits<float>::quiet_NaN();
    notch::fit_options<notch::quantizer<notch::bits<8>>> options;
    options.name = "conv1.weight";
    return static_cast<int>(notch::quantize<notch::quantizer<notch::bits<8>>>(weights, options).codes.size());
}

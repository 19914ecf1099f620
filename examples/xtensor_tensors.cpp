/// @file
/// xtensor in, xtensor out: containers and views go in without a copy, results come back as adaptors.
#include <cstdio>
#include <notch/core/xtensor.hpp>
#include <notch/quant/fit.hpp>
#include <notch/quant/quantization_error.hpp>

using w8 = notch::quantizer<notch::bits<8>, notch::per_channel<0>, notch::real_scale>;

int main() {
    xt::xtensor<float, 2> weights({4, 6});
    for (std::size_t i = 0; i < weights.size(); ++i)
        weights.flat(i) = 0.1F * static_cast<float>(i) - 1.0F;

    // A container, and a view with an offset and gaps.
    const auto whole = notch::quantize<w8>(weights);
    const auto columns = xt::view(weights, xt::all(), xt::range(1, 6, 2));
    const auto part = notch::quantize<w8>(columns);
    std::printf("whole [%zu, %zu], part [%zu, %zu]\n", whole.shape()[0], whole.shape()[1], part.shape()[0],
                part.shape()[1]);

    // A lazy expression has no elements yet: evaluate it first.
    const xt::xtensor<float, 2> doubled = 2.0F * weights;
    std::printf("doubled: %.1f dB\n", notch::quantization_error(doubled, notch::quantize<w8>(doubled)).sqnr_db);

    // The type of an xarray does not say its rank; as_view<Rank> checks it.
    const xt::xarray<float> array = weights;
    const auto same = notch::quantize<w8>(notch::as_view<2>(array));

    // Results are notch::dense_tensor; xtensor sees them without a copy.
    const notch::dense_tensor<float, 2> reals = notch::dequantize(whole);
    const auto adaptor = notch::as_xtensor(reals);
    const float largest = xt::amax(xt::abs(adaptor - weights))();
    std::printf("largest error %g\n", static_cast<double>(largest));
    return same.codes.elements().front() == whole.codes.elements().front() && largest < 0.01F ? 0 : 1;
}

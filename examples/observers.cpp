/// @file
/// Calibration: two workers look at batches of activations, their observers are merged, and parameters come out.
#include <cmath>
#include <cstdio>
#include <notch/core/random.hpp>
#include <notch/observe/mse.hpp>
#include <notch/observe/percentile.hpp>
#include <notch/quant/quantization_error.hpp>

namespace {

using a4 = notch::quantizer<notch::bits<4, notch::unsigned_codes>, notch::per_tensor, notch::real_scale,
                            notch::nearest_even, notch::affine>;

/// Activations after a ReLU: most are small, a few are large.
notch::dense_tensor<float, 2> batch(std::uint64_t number) {
    notch::dense_tensor<float, 2> values({32, 100});
    for (std::size_t i = 0; i < values.size(); ++i) {
        const double u = notch::counter_uniform(number, i);
        values.data()[i] = u < 0.5 ? 0.0F : static_cast<float>(-std::log(2.0 - 2.0 * u));
    }
    return values;
}

} // namespace

int main() {
    notch::percentile first(99.9, "relu1");
    notch::percentile second(99.9, "relu1");
    notch::percentile alone(99.9, "relu1");
    for (std::uint64_t number = 0; number < 8; ++number) {
        (number % 2 == 0 ? first : second).observe(batch(number));
        alone.observe(batch(number));
    }
    first.merge(second);
    if (!(first == alone)) // the state depends on the values seen, not on who saw them
        return 1;

    const notch::quant_params<a4> clipped = notch::calibrated_params<a4>(first);
    const notch::value_range all{first.samples().min(), first.samples().max()};
    const notch::quant_params<a4> whole = notch::params_from_range<a4>(all, "relu1");
    const auto data = batch(100);
    std::printf("seen %llu values in [%g, %g]\n", static_cast<unsigned long long>(first.count()),
                static_cast<double>(all.min), static_cast<double>(all.max));
    std::printf("all values: scale %.5f, %.1f dB\n", whole.scale(0),
                notch::quantization_error(data, notch::quantize(data, whole)).sqnr_db);
    std::printf("99.9 %%:     scale %.5f, %.1f dB\n", clipped.scale(0),
                notch::quantization_error(data, notch::quantize(data, clipped)).sqnr_db);

    // One pass over the data serves several rules.
    const notch::value_range least_error = notch::lp_rule(2.0).range<a4>(first.samples());
    std::printf("least square error: [%g, %g]\n", static_cast<double>(least_error.min),
                static_cast<double>(least_error.max));
    return clipped.scale(0) < whole.scale(0) ? 0 : 1;
}

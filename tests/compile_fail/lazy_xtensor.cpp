// expect-error: lazy xtensor expression
/// @file
/// A lazy xtensor expression has no elements in memory yet.
#include <notch/core/xtensor.hpp>
#include <notch/quant/fit.hpp>

using w8 = notch::quantizer<notch::bits<8>>;

void quantize_sum(const xt::xtensor<float, 2>& a, const xt::xtensor<float, 2>& b) {
#if defined(NOTCH_EXPECT_OK)
    const xt::xtensor<float, 2> sum = a + b;
#else
    const auto sum = a + b;
#endif
    static_cast<void>(notch::quantize<w8>(sum));
}

// expect-error: does not say its rank
/// @file
/// The type of an xt::xarray does not say how many axes it has.
#include <notch/core/xtensor.hpp>
#include <notch/quant/fit.hpp>

using w8 = notch::quantizer<notch::bits<8>>;

void quantize_array(const xt::xarray<float>& values) {
#if defined(NOTCH_EXPECT_OK)
    static_cast<void>(notch::quantize<w8>(notch::as_view<2>(values)));
#else
    static_cast<void>(notch::quantize<w8>(values));
#endif
}

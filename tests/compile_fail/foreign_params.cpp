// expect-error: instruction_set_or_quantizer_of_the_parameters
#include <notch/quant/quantize.hpp>

using w8 = notch::quantizer<notch::bits<8>>;
using w4 = notch::quantizer<notch::bits<4>>;

// The parameters belong to another quantizer than the one that is named.
auto codes(const notch::dense_tensor<float, 1>& x, const notch::quant_params<w4>& params) {
#ifdef NOTCH_EXPECT_OK
    return notch::quantize<w4>(x, params);
#else
    return notch::quantize<w8>(x, params);
#endif
}

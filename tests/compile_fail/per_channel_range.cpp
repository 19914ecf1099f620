// expect-error: per_tensor
/// @file
/// One range gives one scale: parameters per channel are fitted to a tensor, or given as a list of scales.
#include <notch/quant/params.hpp>

#if defined(NOTCH_EXPECT_OK)
using a8 = notch::quantizer<notch::bits<8>, notch::per_tensor>;
#else
using a8 = notch::quantizer<notch::bits<8>, notch::per_channel<1>>;
#endif

const notch::quant_params<a8> params = notch::params_from_range<a8>({-1.0F, 1.0F});

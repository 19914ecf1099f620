// expect-error: symmetric needs the code 0
/// @file
/// The unsigned narrow range lacks the code 0, which symmetric needs.
#include <notch/quant/quantizer.hpp>

using narrow = notch::bits<8, notch::unsigned_codes, notch::narrow_range>;

#if defined(NOTCH_EXPECT_OK)
using a8 = notch::quantizer<narrow, notch::per_tensor, notch::real_scale, notch::nearest_even, notch::affine>;
#else
using a8 = notch::quantizer<narrow>;
#endif

a8 activations;

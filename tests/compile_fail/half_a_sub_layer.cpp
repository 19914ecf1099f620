// expect-error: both_block_sizes_or_none
/// @file
/// A block of a sub-layer has two sizes.
#include <notch/quant/quantizer.hpp>

#if defined(NOTCH_EXPECT_OK)
using w4 = notch::quantizer<notch::bits<4>, notch::sub_layer<16, 16>>;
#else
using w4 = notch::quantizer<notch::bits<4>, notch::sub_layer<16>>;
#endif

w4 weights;

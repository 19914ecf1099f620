// expect-error: a_code_has_2_to_8_bits
/// @file
/// Codes have 2 to 8 bits.
#include <notch/quant/quantizer.hpp>

#if defined(NOTCH_EXPECT_OK)
using w = notch::quantizer<notch::bits<8>>;
#else
using w = notch::quantizer<notch::bits<9>>;
#endif

w weights;

// expect-error: satisf[a-z]* .*granularity
/// @file
/// A granularity where the scale type belongs: the compiler names the slot.
#include <notch/quant/quantizer.hpp>

#if defined(NOTCH_EXPECT_OK)
using w4 = notch::quantizer<notch::bits<4>, notch::per_group<32>, notch::power_of_two<>>;
#else
using w4 = notch::quantizer<notch::bits<4>, notch::power_of_two<>, notch::per_group<32>>;
#endif

w4 weights;

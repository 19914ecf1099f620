// expect-error: viewable_as
/// @file
/// Tensors of reals are floats.
#include <notch/core/dense_tensor.hpp>
#include <notch/quant/fit.hpp>

using w8 = notch::quantizer<notch::bits<8>>;

#if defined(NOTCH_EXPECT_OK)
using real = float;
#else
using real = double;
#endif

void quantize_reals(const notch::dense_tensor<real, 2>& values) { static_cast<void>(notch::quantize<w8>(values)); }

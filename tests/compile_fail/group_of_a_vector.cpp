// expect-error: the tensor needs at least two axes
/// @file
/// Groups of input channels need a tensor with input channels.
#include <notch/core/dense_tensor.hpp>
#include <notch/quant/fit.hpp>

using w4 = notch::quantizer<notch::bits<4>, notch::per_group<32>>;

#if defined(NOTCH_EXPECT_OK)
constexpr std::size_t rank = 2;
#else
constexpr std::size_t rank = 1;
#endif

void quantize_groups(const notch::dense_tensor<float, rank>& values) { static_cast<void>(notch::quantize<w4>(values)); }

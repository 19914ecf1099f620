// expect-error: gemm_left
/// @file
/// Activations are codes of eight bits.
#include <notch/gemm/gemm.hpp>

#if defined(NOTCH_EXPECT_OK)
using code = std::int8_t;
#else
using code = std::int16_t;
#endif

void product(const notch::dense_tensor<code, 2>& a, const notch::packed_weights& w,
             notch::dense_tensor<std::int32_t, 2>& dst) {
    notch::gemm(a, w, notch::identity{}, dst);
}

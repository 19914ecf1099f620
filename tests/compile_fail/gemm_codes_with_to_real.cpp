// expect-error: integer one must not have it
/// @file
/// Reals leave the epilogue, and the destination holds codes.
#include <notch/epilogue/real_requantize.hpp>
#include <notch/gemm/gemm.hpp>

#if defined(NOTCH_EXPECT_OK)
using last = notch::real_requantize<>;
#else
using last = notch::to_real;
#endif

void product(const notch::dense_tensor<std::uint8_t, 2>& a, const notch::packed_weights& w,
             notch::dense_tensor<std::int8_t, 2>& dst) {
    notch::gemm(a, w, last{}, dst);
}

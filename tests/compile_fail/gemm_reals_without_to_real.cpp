// expect-error: a float destination needs to_real
/// @file
/// Integer codes leave the epilogue, and the destination holds floats.
#include <notch/epilogue/real_requantize.hpp>
#include <notch/epilogue/shift_requantize.hpp>
#include <notch/gemm/gemm.hpp>

#if defined(NOTCH_EXPECT_OK)
using last = notch::to_real;
#else
using last = notch::shift_requantize<>;
#endif

void product(const notch::dense_tensor<std::uint8_t, 2>& a, const notch::packed_weights& w,
             notch::dense_tensor<float, 2>& dst) {
    notch::gemm(a, w, last{}, dst);
}

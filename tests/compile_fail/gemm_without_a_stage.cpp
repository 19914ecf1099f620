// expect-error: epilogue_stage
/// @file
/// A struct that can neither be called with a number nor has a member `at` is no stage.
#include <notch/gemm/gemm.hpp>

struct twice {
#if defined(NOTCH_EXPECT_OK)
    template <notch::simd::lane Lane> Lane operator()(Lane x) const { return x + x; }
#else
    template <notch::simd::lane Lane> Lane apply(Lane x) const { return x + x; }
#endif
};

void product(const notch::dense_tensor<std::uint8_t, 2>& a, const notch::packed_weights& w,
             notch::dense_tensor<std::int32_t, 2>& dst) {
    notch::gemm(a, w, twice{}, dst);
}

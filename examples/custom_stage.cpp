/// @file
/// Epilogue stages of one's own, in both forms, between the product and the store.
#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <notch/epilogue/shift_requantize.hpp>
#include <notch/gemm/gemm.hpp>
#include <notch/gemm/pack.hpp>
#include <notch/quant/params.hpp>
#include <vector>

namespace engine {

/// x for positive numbers, x / 8 rounded down for negative ones: the same for every output.
struct leaky_relu {
    template <notch::simd::lane Lane> [[nodiscard]] Lane operator()(Lane x) const noexcept {
        return notch::simd::lane_max(x, x >> 3);
    }
};

/// min(x, limit of the output): numbers that belong to columns.
struct limit_outputs {
    std::vector<std::int32_t> limits; ///< one per output

    void prepare(notch::epilogue_problem& problem) const { // once per product: checks, and what leaves this stage
        if (limits.size() != problem.columns)
            throw notch::shape_error("limit_outputs: one limit per output is needed");
        problem.highest = std::min<std::int64_t>(problem.highest, *std::max_element(limits.begin(), limits.end()));
    }
    template <notch::simd::lane Lane> [[nodiscard]] auto at(const notch::column_site<Lane>& site) const noexcept {
        return
            [limit = site.each(limits.data())](Lane x, std::size_t /*row*/) { return notch::simd::lane_min(x, limit); };
    }
};
static_assert(notch::epilogue_stage<leaky_relu> && notch::epilogue_stage<limit_outputs>);

} // namespace engine

int main() {
    using w8 = notch::quantizer<notch::bits<8>, notch::per_tensor, notch::power_of_two<>>;
    notch::quantized_tensor<w8, 2> weights{notch::dense_tensor<std::int8_t, 2>({24, 12}), {}, "conv1"};
    for (std::size_t i = 0; i < weights.codes.size(); ++i)
        weights.codes.data()[i] = static_cast<std::int8_t>(static_cast<int>(101 * i % 255) - 127);
    weights.params = notch::params_from_scales<w8>(weights.codes.shape(), {1.0});
    const notch::dense_tensor<std::uint8_t, 2> input({2, 12}, 9);
    const engine::limit_outputs limits{std::vector<std::int32_t>(24, 60)};
    const auto packed = notch::pack(weights);
    notch::dense_tensor<std::int8_t, 2> result({2, 24});
    notch::dense_tensor<std::int32_t, 2> sums({2, 24});
    notch::gemm(input, packed, notch::stages(notch::shift_requantize{5}, engine::leaky_relu{}, limits), result);
    notch::gemm(input, packed, notch::identity{}, sums);
    std::size_t wrong = 0;
    for (std::size_t i = 0; i < sums.size(); ++i) {
        const std::int32_t x = notch::nearest_even::shift_right(sums.data()[i], 5);
        wrong += result.data()[i] == std::clamp(x < 0 ? x >> 3 : x, -128, 60) ? 0U : 1U;
    }
    std::printf("%d %d %d %d, %zu differences\n", result(0, 0), result(0, 1), result(0, 2), result(0, 3), wrong);
    return wrong == 0 ? 0 : 1;
}

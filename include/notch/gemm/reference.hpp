/// @file
/// The definition of gemm: plain loops over the quantized tensors, no packing, no instruction set.
///
///     sum[m][n] = sum over k of (a[m][k] - a_zero) * (w[n][k] - w_zero[n][k]) * 2^(e[n][k] - e_min[n])
///
/// with e_min[n] the smallest exponent of a block of output n that has a value other than 0. With real scales that
/// change along the inputs:  sum[m][n] = float sum over blocks, in order, of float(sum of the block) * scale.
/// The epilogue then runs over std::int32_t (or float), the lane of one number.
#pragma once

#include <notch/gemm/gemm.hpp>
#include <notch/gemm/pack.hpp>

#include <cstddef>
#include <cstdint>
#include <vector>

namespace notch {

/// What gemm(a, pack(weights), epilogue, dst) writes, slowly. Errors as those of pack and gemm.
template <detail::gemm_left A, quantizer_type Q, epilogue_stage Epilogue, class Dst>
void reference_gemm(const A& a, const quantized_tensor<Q, 2>& weights, Epilogue epilogue, Dst&& dst) {
    const detail::gemm_operand left = detail::operand_of(a);
    const packed_weights packed = pack(weights); // for the scales of the sums and the bound
    const block_grid<2> grid = weights.grid();
    const bool floats = packed.kind() == scale_kind::real && grid.blocks[1] > 1;
    const auto to = as_view(dst);
    using element = typename std::remove_cvref_t<decltype(to)>::value_type;
    detail::check_extents(left, packed, to.shape());
    epilogue_problem problem = detail::problem_of(left, packed);
    detail::prepare_stage(epilogue, problem);
    detail::check_sums<Epilogue, element>("gemm", packed);
    const auto& out = weights.params.output_order;
    const auto& in = weights.params.input_order;
    for (std::size_t m = 0; m < left.codes.rows; ++m)
        for (std::size_t row = 0; row < weights.shape()[0]; ++row) {
            const std::size_t n = out.empty() ? row : out[row];
            std::int64_t sum = 0;
            float real_sum = 0;
            for (std::size_t first = 0; first < weights.shape()[1]; first += grid.block[1]) {
                const std::size_t block = grid.block_of(row, first);
                std::int64_t dot = 0;
                bool zeros = true;
                for (std::size_t k = first; k < std::min(first + grid.block[1], weights.shape()[1]); ++k) {
                    const std::size_t input = in.empty() ? k : in[k];
                    const std::uint8_t* code = left.codes.data +
                                               static_cast<std::ptrdiff_t>(m) * left.codes.row_stride +
                                               static_cast<std::ptrdiff_t>(input) * left.codes.column_stride;
                    const std::int32_t x = left.codes.is_signed ? static_cast<std::int8_t>(*code) : *code;
                    const std::int32_t w = weights.codes(row, k) - weights.params.zero_point(block);
                    zeros = zeros && w == 0;
                    dot += (x - left.codes.zero_point) * w;
                }
                if constexpr (std::same_as<typename Q::scale_value, std::int32_t>)
                    sum +=
                        zeros ? 0 : dot * (std::int64_t{1} << (weights.params.scales[block] - packed.exponents()[n]));
                else
                    sum += dot;
                real_sum += simd::as_rounded(static_cast<float>(dot) * static_cast<float>(weights.params.scale(block)));
            }
            const auto stages = detail::stage_at<std::int32_t>(epilogue, column_site<std::int32_t>{n, problem});
            if (floats) {
                if constexpr (detail::stores_sums<Epilogue, element, float>())
                    detail::store_lane_as<std::int32_t>(&to(m, n), stages(real_sum, m));
            } else {
                if constexpr (detail::stores_sums<Epilogue, element, std::int32_t>())
                    detail::store_lane_as<std::int32_t>(&to(m, n), stages(static_cast<std::int32_t>(sum), m));
            }
        }
}

} // namespace notch

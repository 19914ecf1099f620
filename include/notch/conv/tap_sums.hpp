/// @file
/// What the weights of each line and column of taps add up to. Part of conv/pack_filters.hpp.
///
/// Where taps are left out that meet padding only (tap_windows.hpp), the zero point of the image meets a smaller sum.
#pragma once

#include <notch/conv/laid_out_filters.hpp>
#include <notch/conv/packed_filters.hpp>
#include <notch/gemm/packed_weights.hpp>

#include <cstddef>
#include <cstdint>
#include <vector>

namespace notch::detail {

/// The sums of packed filters, of which `terms` are the values. Nothing where filters have one tap, or float sums.
[[nodiscard]] inline tap_sums sum_taps(const std::vector<laid_out_term>& terms, const packed_filters& packed) {
    const packed_header& head = packed.weights().header();
    const extents<4>& shape = packed.shape();
    tap_sums sums;
    if (shape[2] * shape[3] == 1 || head.block_scales != 0)
        return sums;
    sums.lines.resize(shape[2] * shape[0]);
    sums.columns.resize(shape[3] * shape[0]);
    const auto* shifts = packed.weights().section<std::uint8_t>(head.block_shifts);
    for (std::size_t t = 0; t < terms.size(); ++t)
        terms[t].for_each_tap(
            [&](std::size_t o, std::size_t row, std::size_t b, std::size_t kh, std::size_t kw, std::int32_t sum) {
                const std::size_t block = row / panel_columns * head.depth_blocks() + t * head.blocks + b;
                const std::int32_t factor =
                    shifts == nullptr ? 1 : 1 << shifts[block * panel_columns + row % panel_columns];
                sums.lines[kh * shape[0] + o] += sum * factor;
                sums.columns[kw * shape[0] + o] += sum * factor;
            });
    return sums;
}

} // namespace notch::detail

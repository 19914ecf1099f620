/// @file
/// One weight tensor, quantized at every granularity.
#pragma once

#include "options.hpp"

#include <cstddef>
#include <notch/core/dense_tensor.hpp>
#include <notch/quant/quantization_error.hpp>
#include <string>
#include <vector>

namespace tool {

/// Which weights share a scale: a block of `out` x `in` channels with all taps of the kernel.
struct grain {
    enum class family { whole, rows, columns, blocks };
    std::string name;
    family kind = family::whole;
    std::size_t out = 1;
    std::size_t in = 1;
};

/// One line of the table.
struct measurement {
    grain of;
    std::size_t scales = 0;
    double bits_per_weight = 0; ///< spent on scales
    notch::error_measures error;
};

/// Bits that one stored scale takes: 32 for a float, 8 for an exponent, 40 for a multiplier and an exponent.
[[nodiscard]] int bits_of(scale_kind kind);

/// Which scales are tried for a block, in words.
[[nodiscard]] std::string search_of(scale_kind kind);

/// Normally distributed weights times log-normal gains of rows and columns, which is how channels of trained
/// networks differ. The logarithms of the gains have a standard deviation of 0.6.
[[nodiscard]] notch::dense_tensor<float, 4> make_weights(const grains_options& options);

/// The grains that differ for these extents, and every one of them measured; ordered by the number of scales.
[[nodiscard]] std::vector<measurement> measure_grains(const grains_options& options);

} // namespace tool

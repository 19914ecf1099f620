/// @file
/// Quantized tensors and their kernels: all of core, quant, observe, epilogue, gemm and conv. Whole networks are in
/// notch/networks.hpp, for twice the compile time. A program that wants shorter compile times
/// includes the headers it uses instead; docs/reference lists what each costs. Where xtensor is
/// installed its adapter comes along, unless NOTCH_WITHOUT_XTENSOR is defined.
#pragma once

#include <notch/version.hpp>

#include <notch/core/bits.hpp>
#include <notch/core/config.hpp>
#include <notch/core/dense_tensor.hpp>
#include <notch/core/error.hpp>
#include <notch/core/executor.hpp>
#include <notch/core/fixed_point.hpp>
#include <notch/core/int_math.hpp>
#include <notch/core/random.hpp>
#include <notch/core/rounding.hpp>
#include <notch/core/tensor_view.hpp>
#if !defined(NOTCH_WITHOUT_XTENSOR) &&                                                                                 \
    (__has_include(<xtensor/containers/xtensor.hpp>) || __has_include(<xtensor/xtensor.hpp>))
#include <notch/core/xtensor.hpp>
#endif

#include <notch/conv/add.hpp>
#include <notch/conv/average_pool2d.hpp>
#include <notch/conv/concat_channels.hpp>
#include <notch/conv/conv2d.hpp>
#include <notch/conv/depthwise.hpp>
#include <notch/conv/explain.hpp>
#include <notch/conv/filters.hpp>
#include <notch/conv/geometry.hpp>
#include <notch/conv/global_average_pool.hpp>
#include <notch/conv/image.hpp>
#include <notch/conv/max_pool2d.hpp>
#include <notch/conv/output_codes.hpp>
#include <notch/conv/pack_depthwise.hpp>
#include <notch/conv/pack_filters.hpp>
#include <notch/conv/packed_depthwise.hpp>
#include <notch/conv/packed_filters.hpp>
#include <notch/conv/pool_geometry.hpp>
#include <notch/conv/reference.hpp>
#include <notch/conv/resize_nearest.hpp>

#include <notch/epilogue/activation.hpp>
#include <notch/epilogue/add_bias.hpp>
#include <notch/epilogue/add_rescaled_residual.hpp>
#include <notch/epilogue/add_residual.hpp>
#include <notch/epilogue/fixed_point_requantize.hpp>
#include <notch/epilogue/real_factors.hpp>
#include <notch/epilogue/real_requantize.hpp>
#include <notch/epilogue/shift_requantize.hpp>
#include <notch/epilogue/stage.hpp>

#include <notch/gemm/activations.hpp>
#include <notch/gemm/explain.hpp>
#include <notch/gemm/gemm.hpp>
#include <notch/gemm/pack.hpp>
#include <notch/gemm/packed_file.hpp>
#include <notch/gemm/packed_weights.hpp>
#include <notch/gemm/reference.hpp>

#include <notch/observe/histogram.hpp>
#include <notch/observe/histogram_observer.hpp>
#include <notch/observe/kl_divergence.hpp>
#include <notch/observe/min_max.hpp>
#include <notch/observe/moving_average.hpp>
#include <notch/observe/mse.hpp>
#include <notch/observe/observer.hpp>
#include <notch/observe/percentile.hpp>

#include <notch/quant/canonical_bytes.hpp>
#include <notch/quant/fit.hpp>
#include <notch/quant/granularity.hpp>
#include <notch/quant/params.hpp>
#include <notch/quant/quantization_error.hpp>
#include <notch/quant/quantize.hpp>
#include <notch/quant/quantized_tensor.hpp>
#include <notch/quant/quantizer.hpp>
#include <notch/quant/scale.hpp>
#include <notch/quant/zero_point.hpp>

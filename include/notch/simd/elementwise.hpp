/// @file
/// The elementwise kernels: everything that is done to a run of elements that lie side by side.
///
///     quantize_run           codes of reals that share a scale
///     quantize_run_random    the same under a rounding rule that takes random bits
///     quantize_run_varying   the same where every element has its own scale
///     dequantize_run         reals of codes that share a scale
///     min_max_run            smallest and largest of reals
///
/// Each has a scalar definition, `detail::*_elements`, and gives its bits on every instruction set, at
/// every optimisation level, with -ffast-math and with fused multiply-add. Kernels are `noexcept`,
/// allocate nothing, take pointers of any alignment, and touch no byte beyond `count` elements.
#pragma once

#include <notch/simd/dequantize_run.hpp>
#include <notch/simd/min_max_run.hpp>
#include <notch/simd/quantize_run.hpp>

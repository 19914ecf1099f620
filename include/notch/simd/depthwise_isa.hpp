/// @file
/// The products of depthwise convolutions, of every instruction set that this translation unit is compiled for.
#pragma once

#include <notch/simd/depthwise_ops.hpp>
#include <notch/simd/depthwise_quads.hpp>
#include <notch/simd/depthwise_taps.hpp>

#if defined(__SSE4_1__)
#include <notch/simd/depthwise_ops_sse41.hpp>
#include <notch/simd/depthwise_quads_x86.hpp>
#endif
#if defined(__AVX2__)
#include <notch/simd/depthwise_ops_avx2.hpp>
#include <notch/simd/depthwise_ops_avx512.hpp>
#endif
#if defined(__aarch64__) && defined(__ARM_NEON)
#include <notch/simd/depthwise_ops_neon64.hpp>
#endif

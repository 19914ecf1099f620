/// @file
/// The lanes, integer products and operands of every instruction set that this translation unit is compiled for.
#pragma once

#include <notch/simd/expand.hpp>
#include <notch/simd/int_lane.hpp>
#include <notch/simd/int_ops.hpp>

#if defined(__SSE4_1__)
#include <notch/simd/expand_sse41.hpp>
#include <notch/simd/int_lane_sse41.hpp>
#include <notch/simd/int_ops_sse41.hpp>
#endif
#if defined(__AVX2__)
#include <notch/simd/expand_avx2.hpp>
#include <notch/simd/int_lane_avx2.hpp>
#include <notch/simd/int_ops_avx2.hpp>
#endif
#if defined(__AVX512F__) && defined(__AVX512BW__)
#include <notch/simd/expand_avx512.hpp>
#include <notch/simd/int_lane_avx512.hpp>
#include <notch/simd/int_ops_avx512.hpp>
#endif
#if defined(__aarch64__) && defined(__ARM_NEON)
#include <notch/simd/expand_neon64.hpp>
#include <notch/simd/int_lane_neon64.hpp>
#include <notch/simd/int_ops_neon64.hpp>
#endif

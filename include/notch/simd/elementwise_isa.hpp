/// @file
/// The elementwise lanes of every instruction set that this translation unit is compiled for.
#pragma once

#include <notch/simd/elementwise_contract.hpp>

#if defined(__SSE4_1__)
#include <notch/simd/elementwise_sse41.hpp>
#endif
#if defined(__AVX2__)
#include <notch/simd/elementwise_avx2.hpp>
#endif
#if defined(__AVX512F__) && defined(__AVX512BW__)
#include <notch/simd/elementwise_avx512.hpp>
#endif
#if defined(__aarch64__) && defined(__ARM_NEON)
#include <notch/simd/elementwise_neon64.hpp>
#endif

/// @file
/// The products of depthwise convolutions, of every instruction set that this translation unit is compiled for.
#pragma once

#include <notch/simd/depthwise_ops.hpp>

#if defined(__AVX2__)
#include <notch/simd/depthwise_ops_avx2.hpp>
#endif

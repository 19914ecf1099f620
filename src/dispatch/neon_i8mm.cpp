/// @file
/// The kernels of neon_i8mm. CMake compiles this file with the flags of that instruction set.
#include "kernels.hpp"

template <>
const notch::detail::dispatch_unit notch::detail::dispatch_unit_of<notch::simd::neon_i8mm>::table =
    notch::detail::unit_for<notch::simd::neon_i8mm>;

/// @file
/// The kernels of sse41. CMake compiles this file with the flags of that instruction set.
#include "kernels.hpp"

template <>
const notch::detail::dispatch_unit notch::detail::dispatch_unit_of<notch::simd::sse41>::table =
    notch::detail::unit_for<notch::simd::sse41>;

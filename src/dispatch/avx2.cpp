/// @file
/// The kernels of avx2. CMake compiles this file with the flags of that instruction set.
#include "kernels.hpp"

template <>
const notch::detail::dispatch_unit notch::detail::dispatch_unit_of<notch::simd::avx2>::table =
    notch::detail::unit_for<notch::simd::avx2>;

#include "units.hpp"

std::uint64_t wide_kernels() { return kernel_hash(); }
std::uint64_t wide_tensors() { return tensor_hash(); }

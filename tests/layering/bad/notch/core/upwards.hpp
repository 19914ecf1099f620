#pragma once
#include <notch/simd/arch.hpp>

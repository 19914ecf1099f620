#pragma once
#include <notch/simd/arch.hpp>
#include <notch/model/layer.hpp>

#pragma once
#include <notch/simd/lane.hpp>

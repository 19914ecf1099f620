#pragma once
#include <notch/core/xtensor.hpp>

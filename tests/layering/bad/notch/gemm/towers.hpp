#pragma once
#include <notch/ptq/plan.hpp>
#include <notch/core/bits.hpp>
#include <notch/quant/params.hpp>

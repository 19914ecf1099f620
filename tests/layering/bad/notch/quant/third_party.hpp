#pragma once
#include <xtensor/xarray.hpp>
#  include <xsimd/xsimd.hpp>

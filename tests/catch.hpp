/// @file
/// Includes Catch2, version 2 or 3, so that tests read the same with both. Approx is a global name with both.
#pragma once

#if __has_include(<catch2/catch_all.hpp>)
#include <catch2/catch_all.hpp>
using Catch::Approx;
#else
#include <catch2/catch.hpp>
#endif

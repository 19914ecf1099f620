/// @file
/// Our rows, compiled apart from the peers.
#pragma once

#include "problem.hpp"

namespace bench {

/// Registers the rows of one shape.
void add_notch(const shape& s, int threads);

} // namespace bench

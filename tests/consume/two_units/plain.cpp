#include "units.hpp"

#include <notch/version.hpp>

int plain_result() { return NOTCH_VERSION_MAJOR * 100 + NOTCH_VERSION_MINOR; }

/// @file
/// Rounding rules in doubles, for numbers that doubles hold exactly enough: their fractions are multiples of 2^-30 or
/// quotients of small integers.
#pragma once

#include <notch/core/rounding.hpp>

#include <algorithm>
#include <cmath>

namespace conv_cases {

inline double plainly_rounded(notch::nearest_even, double x) { return std::nearbyint(x); }
inline double plainly_rounded(notch::nearest_up, double x) {
    const double floor = std::floor(x);
    return x - floor >= 0.5 ? floor + 1 : floor;
}
inline double plainly_rounded(notch::nearest_away, double x) { return std::round(x); }
inline double plainly_rounded(notch::toward_zero, double x) { return std::trunc(x); }

/// A real in units of the output scale as a code.
template <class Rounding> double plain_code(double x, double zero_point, double lowest, double highest) {
    return std::min(std::max(plainly_rounded(Rounding{}, x) + zero_point, lowest), highest);
}

} // namespace conv_cases

/// @file
/// Codes beside those of a simple loop.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <string>

namespace bench {

/// How codes differ from those of a simple loop.
struct difference {
    std::size_t compared = 0;
    std::size_t different = 0; ///< by any amount; rounding of the scaled float may move a code by one
    std::size_t wrong = 0;     ///< by more than one
    int largest = 0;

    /// Counts one code.
    void add(int expected, int code) {
        const int apart = std::abs(expected - code);
        ++compared;
        different += apart > 0 ? 1U : 0U;
        wrong += apart > 1 ? 1U : 0U;
        largest = std::max(largest, apart);
    }

    /// A line on stderr. `who`: computed the codes, of which shape.
    void report(const std::string& who) const {
        std::fprintf(stderr, "%s: %zu of %zu codes differ by more than one (%.2f %%), at most by %d; %zu by one\n",
                     who.c_str(), wrong, compared, 100.0 * static_cast<double>(wrong) / static_cast<double>(compared),
                     largest, different - wrong);
    }
};

} // namespace bench

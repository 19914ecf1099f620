// What must hold in a fuzzing target.
#pragma once

#include <cstdio>
#include <cstdlib>

// Ends the program, which the fuzzer reports.
inline void require(bool holds, const char* what) {
    if (holds)
        return;
    std::fprintf(stderr, "fuzz: %s\n", what);
    std::abort();
}

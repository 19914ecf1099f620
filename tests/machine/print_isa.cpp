/// @file
/// Prints what this machine has and which instruction set a program should use. It is compiled for every processor.
#include <notch/simd/machine.hpp>

#include <cstdio>

int main() {
    try {
        std::printf("has %s\n", notch::simd::names(notch::simd::this_machine()).c_str());
        std::printf("best %s\n", notch::simd::name(notch::simd::best_isa()));
        return 0;
    } catch (const notch::unsupported_error& error) {
        std::printf("error: %s\n", error.what());
        return 1;
    }
}

#include "units.hpp"

#include <cstdio>

namespace {

bool has_wide_instructions() {
#if defined(__x86_64__)
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
#else
    return true;
#endif
}

} // namespace

int main() {
    const int plain = plain_result();
    if (!has_wide_instructions()) {
        std::printf("plain unit: %d; the wide unit does not run on this processor\n", plain);
        return 0;
    }
    const int wide = wide_result();
    std::printf("plain unit: %d, wide unit: %d\n", plain, wide);
    return plain == wide ? 0 : 1;
}

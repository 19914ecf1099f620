#include <cstdint>
#include <cstdio>

std::uint64_t plain_kernels();
std::uint64_t wide_kernels();
std::uint64_t plain_tensors();
std::uint64_t wide_tensors();

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
    const std::uint64_t kernels = plain_kernels();
    if (!has_wide_instructions()) {
        std::printf("plain kernels: %016llx; the wide unit does not run on this processor\n",
                    static_cast<unsigned long long>(kernels));
        return kernels == 0 ? 1 : 0;
    }
    const bool same = kernels == wide_kernels() && plain_tensors() == wide_tensors();
    std::printf("plain kernels: %016llx; the units agree: %s\n", static_cast<unsigned long long>(kernels),
                same ? "yes" : "no");
    return same ? 0 : 1;
}

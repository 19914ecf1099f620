/// @file
/// Ends a test executable with code 77, which CTest reports as skipped, when the processor or the operating system
/// lacks the instruction set the tests were compiled for. It runs before any other initialisation of the program,
/// because static objects of the tests already use those instructions.
#include <cstdio>
#include <unistd.h>

#if defined(__aarch64__)
#include <sys/auxv.h>
#elif defined(NOTCH_LEVEL_avx_vnni)
#include <cpuid.h>
#endif

namespace {

#if defined(NOTCH_LEVEL_sse4_1)
constexpr const char* level = "SSE4.1";
bool available() { return __builtin_cpu_supports("sse4.1"); }
#elif defined(NOTCH_LEVEL_avx2)
constexpr const char* level = "AVX2 and FMA";
bool available() { return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"); }
#elif defined(NOTCH_LEVEL_avx_vnni)
constexpr const char* level = "AVX2, FMA and AVX-VNNI";
// The compilers' own detection does not know AVX-VNNI: CPUID 7.1, eax, bit 4.
bool available() {
    unsigned eax = 0;
    unsigned ebx = 0;
    unsigned ecx = 0;
    unsigned edx = 0;
    if (!__builtin_cpu_supports("avx2") || !__builtin_cpu_supports("fma"))
        return false;
    if (__get_cpuid_count(7, 0, &eax, &ebx, &ecx, &edx) == 0 || eax < 1)
        return false;
    __cpuid_count(7, 1, eax, ebx, ecx, edx);
    return (eax & (1U << 4)) != 0;
}
#elif defined(NOTCH_LEVEL_avx512) || defined(NOTCH_LEVEL_avx512vnni)
bool foundation() {
    return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
           __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq") &&
           __builtin_cpu_supports("avx512cd");
}
#if defined(NOTCH_LEVEL_avx512)
constexpr const char* level = "AVX-512 (F, BW, VL, DQ, CD)";
bool available() { return foundation(); }
#else
constexpr const char* level = "AVX-512 (F, BW, VL, DQ, CD) with VNNI";
bool available() { return foundation() && __builtin_cpu_supports("avx512vnni"); }
#endif
#elif defined(NOTCH_LEVEL_dotprod)
constexpr const char* level = "the Arm dot product";
bool available() { return (getauxval(AT_HWCAP) & (1UL << 20)) != 0; }
#elif defined(NOTCH_LEVEL_i8mm)
constexpr const char* level = "the Arm int8 matrix product";
bool available() { return (getauxval(AT_HWCAP) & (1UL << 20)) != 0 && (getauxval(AT_HWCAP2) & (1UL << 13)) != 0; }
#else
constexpr const char* level = "the baseline";
bool available() { return true; }
#endif

__attribute__((constructor(101))) void require_level() {
#if defined(__x86_64__)
    __builtin_cpu_init();
#endif
    if (!available()) {
        std::printf("skipped: these tests need %s, which this processor or operating system lacks\n", level);
        std::fflush(stdout);
        _exit(77);
    }
}

} // namespace

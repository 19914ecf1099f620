/// @file
/// Instruction sets as tags, and which of them this translation unit is compiled for.
///
/// The elementwise kernels, and everything later that is hot, have a tag among their template arguments,
/// with `default_arch` as the default, and call only what is inlined by force. Two translation units
/// compiled with different flags therefore instantiate different kernels, and the linker cannot hand
/// AVX code of a kernel to a caller that was compiled without it. What lies above the kernels (walks,
/// checks, containers of the standard library) has no tag: see docs/limits.md before linking units of
/// different flags into one program for an older processor.
///
/// | tag       | compiled with                  | floats per register |
/// |-----------|--------------------------------|---------------------|
/// | scalar    | anything                       | 1                   |
/// | sse41     | -msse4.1                       | 4                   |
/// | avx2      | -mavx2                         | 8                   |
/// | avx512bw  | -mavx512f -mavx512bw           | 16                  |
/// | neon64    | any AArch64                    | 4                   |
#pragma once

#include <type_traits>

namespace notch::simd {

/// Portable C++.
struct scalar {
    static constexpr const char* name = "scalar"; ///< for explain() and test names
};
/// x86 with SSE4.1.
struct sse41 {
    static constexpr const char* name = "sse41"; ///< for explain() and test names
};
/// x86 with AVX2.
struct avx2 {
    static constexpr const char* name = "avx2"; ///< for explain() and test names
};
/// x86 with AVX-512 F and BW.
struct avx512bw {
    static constexpr const char* name = "avx512bw"; ///< for explain() and test names
};
/// AArch64 Advanced SIMD.
struct neon64 {
    static constexpr const char* name = "neon64"; ///< for explain() and test names
};

#if defined(__AVX512F__) && defined(__AVX512BW__)
/// The widest instruction set this translation unit is compiled for.
using default_arch = avx512bw;
#elif defined(__AVX2__)
/// The widest instruction set this translation unit is compiled for.
using default_arch = avx2;
#elif defined(__SSE4_1__)
/// The widest instruction set this translation unit is compiled for.
using default_arch = sse41;
#elif defined(__aarch64__) && defined(__ARM_NEON)
/// The widest instruction set this translation unit is compiled for.
using default_arch = neon64;
#else
/// The widest instruction set this translation unit is compiled for.
using default_arch = scalar;
#endif

/// True for the tags of this file.
template <class A>
inline constexpr bool is_instruction_set =
    std::is_same_v<A, scalar> || std::is_same_v<A, sse41> || std::is_same_v<A, avx2> || std::is_same_v<A, avx512bw> ||
    std::is_same_v<A, neon64>;

/// An instruction set: a tag of this file.
template <class A>
concept instruction_set = is_instruction_set<A>;

} // namespace notch::simd

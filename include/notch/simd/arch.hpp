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
/// | tag          | parent       | compiled with                                   | floats per register |
/// |--------------|--------------|-------------------------------------------------|---------------------|
/// | scalar       |              | anything                                        | 1                   |
/// | sse41        | scalar       | -msse4.1                                        | 4                   |
/// | avx2         | sse41        | -mavx2                                          | 8                   |
/// | avx_vnni     | avx2         | -mavx2 -mavxvnni                                | 8                   |
/// | avx512bw     | avx2         | -mavx512f -mavx512bw                            | 16                  |
/// | avx512vnni   | avx512bw     | -mavx512f, -bw, -vl, -dq, -cd and -mavx512vnni  | 16                  |
/// | neon64       | scalar       | any AArch64                                     | 4                   |
/// | neon_dotprod | neon64       | -march=armv8.2-a+dotprod                        | 4                   |
/// | neon_i8mm    | neon_dotprod | -march=armv8.2-a+dotprod+i8mm                   | 4                   |
///
/// A tag is no claim that every kernel has a version of its own for it: a family of kernels that has none
/// uses that of the nearest ancestor, `parent` by `parent`, under the name of the tag. The elementwise kernels do so
/// (simd/elementwise_contract.hpp). What the machine has at run time is the subject of simd/machine.hpp.
#pragma once

#include <type_traits>

namespace notch::simd {

/// Portable C++.
struct scalar {
    using parent = void;                          ///< there is nothing weaker
    static constexpr const char* name = "scalar"; ///< for explain() and test names
};
/// x86 with SSE4.1.
struct sse41 {
    using parent = scalar;                       ///< the next weaker instruction set
    static constexpr const char* name = "sse41"; ///< for explain() and test names
};
/// x86 with AVX2.
struct avx2 {
    using parent = sse41;                       ///< the next weaker instruction set
    static constexpr const char* name = "avx2"; ///< for explain() and test names
};
/// x86 with AVX2 and the 256-bit form of the dot product of bytes.
struct avx_vnni {
    using parent = avx2;                            ///< the next weaker instruction set
    static constexpr const char* name = "avx_vnni"; ///< for explain() and test names
};
/// x86 with AVX-512 F and BW.
struct avx512bw {
    using parent = avx2;                            ///< the next weaker instruction set
    static constexpr const char* name = "avx512bw"; ///< for explain() and test names
};
/// x86 with AVX-512 F, BW, VL, DQ, CD and the dot product of bytes.
struct avx512vnni {
    using parent = avx512bw;                          ///< the next weaker instruction set
    static constexpr const char* name = "avx512vnni"; ///< for explain() and test names
};
/// AArch64 Advanced SIMD.
struct neon64 {
    using parent = scalar;                        ///< the next weaker instruction set
    static constexpr const char* name = "neon64"; ///< for explain() and test names
};
/// AArch64 with the dot product of bytes.
struct neon_dotprod {
    using parent = neon64;                              ///< the next weaker instruction set
    static constexpr const char* name = "neon_dotprod"; ///< for explain() and test names
};
/// AArch64 with the dot product and the matrix product of bytes.
struct neon_i8mm {
    using parent = neon_dotprod;                     ///< the next weaker instruction set
    static constexpr const char* name = "neon_i8mm"; ///< for explain() and test names
};

#if defined(__AVX512F__) && defined(__AVX512BW__) && defined(__AVX512VL__) && defined(__AVX512DQ__) &&                 \
    defined(__AVX512CD__) && defined(__AVX512VNNI__)
/// The strongest instruction set this translation unit is compiled for.
using default_arch = avx512vnni;
#elif defined(__AVX512F__) && defined(__AVX512BW__)
/// The strongest instruction set this translation unit is compiled for.
using default_arch = avx512bw;
#elif defined(__AVX2__) && defined(__AVXVNNI__)
/// The strongest instruction set this translation unit is compiled for.
using default_arch = avx_vnni;
#elif defined(__AVX2__)
/// The strongest instruction set this translation unit is compiled for.
using default_arch = avx2;
#elif defined(__SSE4_1__)
/// The strongest instruction set this translation unit is compiled for.
using default_arch = sse41;
#elif defined(__aarch64__) && defined(__ARM_NEON) && defined(__ARM_FEATURE_DOTPROD) &&                                 \
    defined(__ARM_FEATURE_MATMUL_INT8)
/// The strongest instruction set this translation unit is compiled for.
using default_arch = neon_i8mm;
#elif defined(__aarch64__) && defined(__ARM_NEON) && defined(__ARM_FEATURE_DOTPROD)
/// The strongest instruction set this translation unit is compiled for.
using default_arch = neon_dotprod;
#elif defined(__aarch64__) && defined(__ARM_NEON)
/// The strongest instruction set this translation unit is compiled for.
using default_arch = neon64;
#else
/// The strongest instruction set this translation unit is compiled for.
using default_arch = scalar;
#endif

/// A list of types, for tests and kernel lists that go through instruction sets.
template <class... Tags> struct arch_list {};

/// Every tag of this file; each stands behind its parent.
using every_arch = arch_list<scalar, sse41, avx2, avx_vnni, avx512bw, avx512vnni, neon64, neon_dotprod, neon_i8mm>;

namespace detail {

template <class A, class List> inline constexpr bool is_listed = false;
template <class A, class... Tags>
inline constexpr bool is_listed<A, arch_list<Tags...>> = (std::is_same_v<A, Tags> || ...);

// The two are not inline: their values differ between translation units, and so they have internal linkage.
#if defined(__AVX2__) && defined(__AVXVNNI__)
constexpr bool flags_allow_avx_vnni = true;
#else
constexpr bool flags_allow_avx_vnni = false;
#endif

} // namespace detail

/// True for the tags of this file.
template <class A> inline constexpr bool is_instruction_set = detail::is_listed<A, every_arch>;

/// An instruction set: a tag of this file.
template <class A>
concept instruction_set = is_instruction_set<A>;

/// True where A is Weaker or one of its descendants: whatever runs under Weaker runs under A.
template <class A, class Weaker>
inline constexpr bool extends = std::is_same_v<A, Weaker> || extends<typename A::parent, Weaker>;
/// Nothing weaker is left.
template <class Weaker> inline constexpr bool extends<void, Weaker> = false;

/// True where the flags of this translation unit allow the instructions of A: for default_arch, for what it extends, and
/// for avx_vnni beside AVX-512. The answer differs between translation units; it may decide what a function with A among
/// its template arguments does, and nothing in functions that units of different flags share.
template <instruction_set A>
static constexpr bool compiled_for = extends<default_arch, A> ||
                                     (std::is_same_v<A, avx_vnni> && detail::flags_allow_avx_vnni);

} // namespace notch::simd

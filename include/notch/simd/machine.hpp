/// @file
/// What the machine that runs the program has, and which instruction set a program that carries several should use.
///
///     words of the processor --decode--> isa_set --choose_isa, NOTCH_ISA--> isa
///
/// `arch.hpp` says what a translation unit is compiled for; this header says what may be executed. They meet in
/// `isa_of<Tag>`, which is the tag as a value:
///
///     switch (simd::best_isa()) { case simd::isa_of<simd::avx2>: return product_avx2(a, b); ... }
///
/// | isa          | the processor has                                        | the operating system saves |
/// |--------------|----------------------------------------------------------|----------------------------|
/// | sse41        | SSE3, SSSE3, SSE4.1                                      |                            |
/// | avx2         | SSE4.2, POPCNT, AVX, AVX2 and FMA beside it              | xmm, ymm                   |
/// | avx_vnni     | AVX-VNNI beside it                                       | xmm, ymm                   |
/// | avx512bw     | AVX-512 F, BW, VL, DQ, CD beside avx2                    | xmm, ymm, opmask, zmm      |
/// | avx512vnni   | AVX512_VNNI beside it                                    | xmm, ymm, opmask, zmm      |
/// | neon64       | any AArch64                                              |                            |
/// | neon_dotprod | the dot product of bytes, as Linux reports it            |                            |
/// | neon_i8mm    | the matrix product of bytes beside it, likewise          |                            |
///
/// These are the flags the tests of a level are compiled with; a unit with more flags must ask for more itself.
/// An instruction set implies its ancestors. Reading is apart from decoding, so that recorded processors are testable.
///
/// The environment variable NOTCH_ISA names a weaker instruction set, to compare or to look for an error. A name that
/// does not exist, or that this machine lacks, is an error: nothing else is taken in its stead.
///
/// Cost: the processor is asked once in a program, the environment at each best_isa(). All but the composition of an error
/// text is inlined by force: a unit with wider flags cannot lend its copy to the check that keeps it from running.
///
/// What it is not: a choice of kernels. Nothing in the library asks the machine; a caller does, see docs/limits.md.
#pragma once

#include <notch/core/config.hpp>
#include <notch/core/error.hpp>
#include <notch/simd/arch.hpp>

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <optional>
#include <string>
#include <string_view>

#if defined(__x86_64__) || defined(__i386__)
#include <cpuid.h>
#elif defined(__aarch64__) && defined(__linux__)
#include <sys/auxv.h>
#endif

namespace notch::simd {

/// Instruction sets as values, in the order of `every_arch`: of two on one machine the later is the stronger.
enum class isa : std::uint8_t {
    scalar,
    sse41,
    avx2,
    avx_vnni,
    avx512bw,
    avx512vnni,
    neon64,
    neon_dotprod,
    neon_i8mm,
};

namespace detail {

/// The names of the tags, indexed by isa.
template <class List> struct isa_table;
template <class... Tags> struct isa_table<arch_list<Tags...>> {
    static constexpr std::size_t size = sizeof...(Tags);
    static constexpr const char* names[size] = {Tags::name...};

    template <class A> static constexpr std::uint8_t index() noexcept {
        std::uint8_t i = 0;
        static_cast<void>(((std::is_same_v<A, Tags> || (++i, false)) || ...));
        return i;
    }
};
using isa_names = isa_table<every_arch>;

} // namespace detail

/// The tag as a value.
template <instruction_set A> inline constexpr isa isa_of = isa{detail::isa_names::index<A>()};

static_assert(isa_of<scalar> == isa::scalar && isa_of<avx_vnni> == isa::avx_vnni && isa_of<neon64> == isa::neon64);
static_assert(isa_of<neon_i8mm> == isa::neon_i8mm && detail::isa_names::size == 9);

/// The name of an instruction set, which is that of its tag.
[[nodiscard]] NOTCH_INLINE constexpr const char* name(isa which) noexcept {
    return detail::isa_names::names[static_cast<std::size_t>(which)];
}

/// The instruction set of a name; nothing where no instruction set has this name.
[[nodiscard]] NOTCH_INLINE constexpr std::optional<isa> parse_isa(std::string_view text) noexcept {
    for (std::size_t i = 0; i < detail::isa_names::size; ++i)
        if (text == detail::isa_names::names[i])
            return isa{static_cast<std::uint8_t>(i)};
    return std::nullopt;
}

/// A set of instruction sets; scalar is in every one.
class isa_set {
public:
    constexpr isa_set() noexcept = default;

    /// True where the instruction set is a member.
    [[nodiscard]] NOTCH_INLINE constexpr bool has(isa which) const noexcept { return (bits_ & bit(which)) != 0; }
    /// The strongest member.
    [[nodiscard]] NOTCH_INLINE constexpr isa best() const noexcept {
        std::uint8_t i = detail::isa_names::size - 1;
        while (!has(isa{i}))
            --i;
        return isa{i};
    }
    /// Makes it a member.
    NOTCH_INLINE constexpr void add(isa which) noexcept { bits_ |= bit(which); }

    /// True where both have the same members.
    friend constexpr bool operator==(const isa_set&, const isa_set&) noexcept = default;

private:
    static NOTCH_INLINE constexpr std::uint32_t bit(isa which) noexcept { return 1U << static_cast<unsigned>(which); }
    std::uint32_t bits_ = 1;
};

/// The four registers that CPUID fills.
struct cpuid_words {
    std::uint32_t eax = 0; ///< for leaf 7: its highest subleaf
    std::uint32_t ebx = 0; ///< see the manual of the processor
    std::uint32_t ecx = 0; ///< see the manual of the processor
    std::uint32_t edx = 0; ///< see the manual of the processor
};

/// What an x86 processor says of itself.
struct x86_words {
    std::uint32_t highest_leaf = 0; ///< CPUID 0, eax
    cpuid_words leaf1;              ///< CPUID 1
    cpuid_words leaf7;              ///< CPUID 7.0; means nothing where the highest leaf is below 7
    cpuid_words leaf7_1;            ///< CPUID 7.1; means nothing where leaf7.eax is 0
    std::uint64_t xcr0 = 0;         ///< XGETBV 0: the registers the operating system saves; 0 without OSXSAVE
};

/// What Linux says of a 64-bit Arm processor.
struct arm_words {
    std::uint64_t hwcap = 0;  ///< getauxval(AT_HWCAP)
    std::uint64_t hwcap2 = 0; ///< getauxval(AT_HWCAP2)
};

namespace detail {

NOTCH_INLINE constexpr bool has_bits(std::uint64_t word, std::uint64_t wanted) noexcept {
    return (word & wanted) == wanted;
}

} // namespace detail

/// The instruction sets of an x86 processor under its operating system.
[[nodiscard]] NOTCH_INLINE constexpr isa_set decode(const x86_words& words) noexcept {
    using detail::has_bits;
    constexpr std::uint32_t sse41_bits = 1U << 0 | 1U << 9 | 1U << 19;                          // ecx of leaf 1
    constexpr std::uint32_t avx_bits = 1U << 12 | 1U << 20 | 1U << 23 | 1U << 27 | 1U << 28;    // FMA .. AVX
    constexpr std::uint32_t avx512_bits = 1U << 16 | 1U << 17 | 1U << 28 | 1U << 30 | 1U << 31; // ebx of leaf 7
    constexpr std::uint64_t ymm_state = 0x06;                                                   // bits of XCR0
    constexpr std::uint64_t zmm_state = 0xe6;

    isa_set set;
    if (words.highest_leaf < 1 || !has_bits(words.leaf1.ecx, sse41_bits))
        return set;
    set.add(isa::sse41);
    if (words.highest_leaf < 7 || !has_bits(words.leaf1.ecx, avx_bits) || !has_bits(words.xcr0, ymm_state) ||
        !has_bits(words.leaf7.ebx, 1U << 5))
        return set;
    set.add(isa::avx2);
    if (words.leaf7.eax >= 1 && has_bits(words.leaf7_1.eax, 1U << 4))
        set.add(isa::avx_vnni);
    if (!has_bits(words.leaf7.ebx, avx512_bits) || !has_bits(words.xcr0, zmm_state))
        return set;
    set.add(isa::avx512bw);
    if (has_bits(words.leaf7.ecx, 1U << 11))
        set.add(isa::avx512vnni);
    return set;
}

/// The instruction sets of a 64-bit Arm processor.
[[nodiscard]] NOTCH_INLINE constexpr isa_set decode(const arm_words& words) noexcept {
    isa_set set;
    set.add(isa::neon64);
    if (!detail::has_bits(words.hwcap, 1U << 20))
        return set;
    set.add(isa::neon_dotprod);
    if (detail::has_bits(words.hwcap2, 1U << 13))
        set.add(isa::neon_i8mm);
    return set;
}

#if defined(__x86_64__) || defined(__i386__)
namespace detail {

NOTCH_INLINE cpuid_words ask_processor(std::uint32_t leaf, std::uint32_t subleaf) noexcept {
    cpuid_words words;
    __cpuid_count(leaf, subleaf, words.eax, words.ebx, words.ecx, words.edx);
    return words;
}

/// What the operating system saves. Precondition: OSXSAVE.
NOTCH_INLINE std::uint64_t ask_xcr0() noexcept {
    std::uint32_t low = 0;
    std::uint32_t high = 0;
    asm volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    return std::uint64_t{high} << 32 | low;
}

} // namespace detail

/// Asks the processor.
[[nodiscard]] NOTCH_INLINE x86_words read_x86_words() noexcept {
    x86_words words;
    words.highest_leaf = static_cast<std::uint32_t>(__get_cpuid_max(0, nullptr));
    if (words.highest_leaf >= 1)
        words.leaf1 = detail::ask_processor(1, 0);
    if ((words.leaf1.ecx & 1U << 27) != 0)
        words.xcr0 = detail::ask_xcr0();
    if (words.highest_leaf >= 7)
        words.leaf7 = detail::ask_processor(7, 0);
    if (words.leaf7.eax >= 1)
        words.leaf7_1 = detail::ask_processor(7, 1);
    return words;
}
#endif

/// The instruction sets of this machine, whatever NOTCH_ISA says. On Arm, systems other than Linux report neon64 only.
[[nodiscard]] NOTCH_INLINE const isa_set& this_machine() noexcept {
#if defined(__x86_64__) || defined(__i386__)
    static const isa_set set = decode(read_x86_words());
#elif defined(__aarch64__) && defined(__linux__)
    static const isa_set set = decode(arm_words{getauxval(AT_HWCAP), getauxval(AT_HWCAP2)});
#elif defined(__aarch64__)
    static const isa_set set = decode(arm_words{});
#else
    static const isa_set set;
#endif
    return set;
}

/// True where this machine has the instruction set, whatever NOTCH_ISA says.
[[nodiscard]] NOTCH_INLINE bool machine_has(isa which) noexcept { return this_machine().has(which); }

/// The names of the members, from weak to strong: "scalar, sse41, avx2".
[[nodiscard]] inline std::string names(const isa_set& set) {
    std::string list;
    for (std::uint8_t i = 0; i < detail::isa_names::size; ++i)
        if (set.has(isa{i}))
            list += notch::detail::text(list.empty() ? "" : ", ", name(isa{i}));
    return list;
}

namespace detail {

[[noreturn]] NOTCH_COLD inline void raise_wrong_isa(const isa_set& available, std::string_view wanted) {
    const bool known = parse_isa(wanted).has_value();
    notch::detail::raise<unsupported_error>("NOTCH_ISA names '", wanted, "', which ",
                                            known ? "this machine lacks" : "is no instruction set of notch",
                                            "; available here: ", names(available));
}

} // namespace detail

/// The instruction set of the name `wanted`, or the strongest one where that is empty.
/// Throws unsupported_error where no instruction set has this name or `available` lacks it.
[[nodiscard]] NOTCH_INLINE isa choose_isa(const isa_set& available, std::string_view wanted) {
    if (wanted.empty())
        return available.best();
    const std::optional<isa> named = parse_isa(wanted);
    if (!named || !available.has(*named))
        detail::raise_wrong_isa(available, wanted);
    return *named;
}

/// The instruction set to use: that of the environment variable NOTCH_ISA where it is set and not empty, else the
/// strongest one of this machine. Throws unsupported_error for a name this machine cannot serve.
[[nodiscard]] NOTCH_INLINE isa best_isa() {
    const char* const wanted = std::getenv("NOTCH_ISA");
    return choose_isa(this_machine(), wanted == nullptr ? std::string_view{} : std::string_view{wanted});
}

} // namespace notch::simd

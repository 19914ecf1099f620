/// @file
/// What a machine has, decoded from the registers of recorded processors. The words of CPUID are those that processors of
/// the name give out; where the test is about the operating system, XCR0 or OSXSAVE is set to what it would leave there.
#include "catch.hpp"

#include <notch/simd/machine.hpp>

#include <cstdlib>
#include <initializer_list>
#include <string>

namespace {

using namespace notch;
using namespace notch::simd;

constexpr isa_set set_of(std::initializer_list<isa> members) {
    isa_set set;
    for (const isa member : members)
        set.add(member);
    return set;
}

constexpr isa_set up_to_avx2 = set_of({isa::sse41, isa::avx2});
constexpr isa_set up_to_avx_vnni = set_of({isa::sse41, isa::avx2, isa::avx_vnni});
constexpr isa_set up_to_avx512bw = set_of({isa::sse41, isa::avx2, isa::avx512bw});
constexpr isa_set up_to_avx512vnni = set_of({isa::sse41, isa::avx2, isa::avx512bw, isa::avx512vnni});

constexpr std::uint32_t osxsave = 1U << 27;

constexpr x86_words nehalem{0x0b, {0x000106a4, 0x00100800, 0x0098e3bd, 0xbfebfbff}, {}, {}, 0};
constexpr x86_words sandy_bridge{0x0d, {0x000206a7, 0x00100800, 0x1fbae3ff, 0xbfebfbff}, {}, {}, 0x7};
constexpr x86_words haswell{
    0x0d, {0x000306c3, 0x00100800, 0x7ffafbff, 0xbfebfbff}, {0x0, 0x000027ab, 0x00000000, 0x00000000}, {}, 0x7};
constexpr x86_words skylake_x{
    0x16, {0x00050654, 0x00200800, 0x7ffefbbf, 0xbfebfbff}, {0x0, 0xd39ffffb, 0x00000000, 0x00000000}, {}, 0xff};
constexpr x86_words ice_lake{
    0x1b, {0x000706e5, 0x00100800, 0x7ffafbbf, 0xbfebfbff}, {0x0, 0xf2bf27ef, 0x40405f4e, 0xbc000410}, {}, 0x2e7};
constexpr x86_words alder_lake{0x20,
                               {0x000906a3, 0x00800800, 0x7ffafbff, 0xbfebfbff},
                               {0x1, 0x239ca7eb, 0x98c027ac, 0xfc1cc410},
                               {0x00400810, 0, 0, 0},
                               0x207};
// An early one, whose AVX-512 was not switched off yet.
constexpr x86_words alder_lake_avx512{0x20,
                                      {0x00090672, 0x00200800, 0x7ffafbbf, 0xbfebfbff},
                                      {0x1, 0xf3bfa7eb, 0x98c05fee, 0xfc984510},
                                      {0x00401c30, 0, 0, 0},
                                      0x2e7};
constexpr x86_words zen3{
    0x10, {0x00a20f10, 0x00180800, 0x7ed8320b, 0x178bfbff}, {0x0, 0x219c97a9, 0x0040068c, 0x00000010}, {}, 0x207};
constexpr x86_words zen4{0x10,
                         {0x00a60f12, 0x000c0800, 0x7ef8320b, 0x178bfbff},
                         {0x1, 0xf1bf97a9, 0x00405fce, 0x10000010},
                         {0x00000020, 0, 0, 0},
                         0x2e7};

/// The same processor under an operating system that saves other registers.
constexpr x86_words with_xcr0(x86_words words, std::uint64_t xcr0) {
    words.xcr0 = xcr0;
    return words;
}

/// The same processor under an operating system that does not use XSAVE; XGETBV may not even be executed there.
constexpr x86_words without_osxsave(x86_words words) {
    words.leaf1.ecx &= ~osxsave;
    words.xcr0 = 0;
    return words;
}

/// The same processor without some bits of a word.
constexpr x86_words without(x86_words words, std::uint32_t cpuid_words::*word, cpuid_words x86_words::*leaf,
                            std::uint32_t bits) {
    words.*leaf.*word &= ~bits;
    return words;
}

/// Sets an environment variable for the time of a test.
class environment {
public:
    environment(const char* variable, const char* value) : variable_(variable) {
        if (const char* const before = std::getenv(variable))
            before_ = before;
        change(value);
    }
    ~environment() { change(before_ ? before_->c_str() : nullptr); }
    environment(const environment&) = delete;
    environment& operator=(const environment&) = delete;

private:
    void change(const char* value) const {
        if (value == nullptr)
            ::unsetenv(variable_);
        else
            ::setenv(variable_, value, 1);
    }
    const char* variable_;
    std::optional<std::string> before_;
};

} // namespace

TEST_CASE("recorded x86 processors have what they are known to have", "[simd][machine]") {
    CHECK(decode(x86_words{}) == isa_set{});
    CHECK(decode(nehalem) == set_of({isa::sse41}));
    CHECK(decode(sandy_bridge) == set_of({isa::sse41}));
    CHECK(decode(haswell) == up_to_avx2);
    CHECK(decode(skylake_x) == up_to_avx512bw);
    CHECK(decode(ice_lake) == up_to_avx512vnni);
    CHECK(decode(alder_lake) == up_to_avx_vnni);
    isa_set both = up_to_avx512vnni;
    both.add(isa::avx_vnni);
    CHECK(decode(alder_lake_avx512) == both);
    CHECK(both.best() == isa::avx512vnni);
    CHECK(decode(zen3) == up_to_avx2);
    CHECK(decode(zen4) == up_to_avx512vnni);
}

TEST_CASE("registers the operating system does not save cannot be used", "[simd][machine]") {
    CHECK(decode(without_osxsave(haswell)) == set_of({isa::sse41}));
    CHECK(decode(without_osxsave(ice_lake)) == set_of({isa::sse41}));
    CHECK(decode(with_xcr0(haswell, 0x1)) == set_of({isa::sse41}));
    CHECK(decode(with_xcr0(haswell, 0x3)) == set_of({isa::sse41}));
    CHECK(decode(with_xcr0(ice_lake, 0x7)) == up_to_avx2);
    CHECK(decode(with_xcr0(zen4, 0x207)) == up_to_avx2);
    CHECK(decode(with_xcr0(alder_lake_avx512, 0x207)) == up_to_avx_vnni);
    for (const std::uint64_t missing : {0x20U, 0x40U, 0x80U}) // opmask, the upper halves, the upper sixteen
        CHECK(decode(with_xcr0(ice_lake, 0x2e7 & ~missing)) == up_to_avx2);
    CHECK(decode(with_xcr0(ice_lake, 0xe6 & ~0x4ULL)) == set_of({isa::sse41}));
}

TEST_CASE("every required bit is looked at", "[simd][machine]") {
    for (const unsigned bit : {0U, 9U, 19U}) // SSE3, SSSE3, SSE4.1
        CHECK(decode(without(zen4, &cpuid_words::ecx, &x86_words::leaf1, 1U << bit)) == isa_set{});
    for (const unsigned bit : {12U, 20U, 23U, 27U, 28U}) // FMA, SSE4.2, POPCNT, OSXSAVE, AVX
        CHECK(decode(without(zen4, &cpuid_words::ecx, &x86_words::leaf1, 1U << bit)) == set_of({isa::sse41}));
    CHECK(decode(without(zen4, &cpuid_words::ebx, &x86_words::leaf7, 1U << 5)) == set_of({isa::sse41}));
    for (const unsigned bit : {16U, 17U, 28U, 30U, 31U}) // AVX-512 F, DQ, CD, BW, VL
        CHECK(decode(without(zen4, &cpuid_words::ebx, &x86_words::leaf7, 1U << bit)) == up_to_avx2);
    CHECK(decode(without(zen4, &cpuid_words::ecx, &x86_words::leaf7, 1U << 11)) == up_to_avx512bw);
    CHECK(decode(without(alder_lake, &cpuid_words::eax, &x86_words::leaf7_1, 1U << 4)) == up_to_avx2);
}

TEST_CASE("leaves a processor does not have mean nothing", "[simd][machine]") {
    // Intel processors answer a question beyond their highest leaf with the words of another leaf.
    x86_words limited = ice_lake;
    limited.highest_leaf = 6;
    CHECK(decode(limited) == set_of({isa::sse41}));
    limited.highest_leaf = 0;
    CHECK(decode(limited) == isa_set{});
    x86_words no_subleaf = alder_lake;
    no_subleaf.leaf7.eax = 0;
    CHECK(decode(no_subleaf) == up_to_avx2);
}

TEST_CASE("Arm processors have what Linux says", "[simd][machine]") {
    constexpr std::uint64_t cortex_a53 = 0x8ff;                // fp, asimd, .. crc32
    constexpr std::uint64_t neoverse_n1 = 0x119fff | 1U << 20; // with asimddp
    CHECK(decode(arm_words{cortex_a53, 0}) == set_of({isa::neon64}));
    CHECK(decode(arm_words{neoverse_n1, 0}) == set_of({isa::neon64, isa::neon_dotprod}));
    CHECK(decode(arm_words{neoverse_n1, 1U << 13}) == set_of({isa::neon64, isa::neon_dotprod, isa::neon_i8mm}));
    CHECK(decode(arm_words{cortex_a53, 1U << 13}) == set_of({isa::neon64}));
}

TEST_CASE("names of instruction sets are those of the tags", "[simd][machine]") {
    CHECK(name(isa::scalar) == std::string("scalar"));
    CHECK(name(isa::neon_i8mm) == std::string("neon_i8mm"));
    for (const isa which : {isa::scalar, isa::sse41, isa::avx2, isa::avx_vnni, isa::avx512bw, isa::avx512vnni,
                            isa::neon64, isa::neon_dotprod, isa::neon_i8mm})
        CHECK(parse_isa(name(which)) == which);
    for (const char* text : {"", "avx", "AVX2", "avx2 ", "avx512"})
        CHECK_FALSE(parse_isa(text).has_value());
    CHECK(names(up_to_avx_vnni) == "scalar, sse41, avx2, avx_vnni");
    CHECK(names(isa_set{}) == "scalar");
    static_assert(std::string_view(name(isa_of<avx512vnni>)) == avx512vnni::name);
}

TEST_CASE("a wanted instruction set is taken or refused, never replaced", "[simd][machine]") {
    CHECK(choose_isa(up_to_avx512vnni, "") == isa::avx512vnni);
    CHECK(choose_isa(up_to_avx512vnni, "avx2") == isa::avx2);
    CHECK(choose_isa(up_to_avx512vnni, "scalar") == isa::scalar);
    CHECK(choose_isa(isa_set{}, "") == isa::scalar);
    CHECK_THROWS_AS(choose_isa(up_to_avx2, "avx512bw"), unsupported_error);
    CHECK_THROWS_WITH(choose_isa(up_to_avx2, "avx512bw"),
                      "NOTCH_ISA names 'avx512bw', which this machine lacks; available here: scalar, sse41, avx2");
    CHECK_THROWS_WITH(choose_isa(up_to_avx2, "AVX2"), "NOTCH_ISA names 'AVX2', which is no instruction set of notch; "
                                                      "available here: scalar, sse41, avx2");
}

TEST_CASE("this machine has what this program is compiled for", "[simd][machine]") {
    CHECK(machine_has(isa::scalar));
    CHECK(machine_has(isa_of<default_arch>));
    CHECK(this_machine().has(this_machine().best()));
    CHECK(machine_has(isa::sse41) + machine_has(isa::neon64) <= 1);
#if defined(__x86_64__)
    // The compiler's own detection knows these; it does not ask for FMA, nor for all that AVX-512 stands for here.
    CHECK(machine_has(isa::sse41) == (__builtin_cpu_supports("sse4.1") != 0));
    CHECK(machine_has(isa::avx2) == (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")));
    CHECK(machine_has(isa::avx512bw) <= (__builtin_cpu_supports("avx512bw") != 0));
    CHECK(machine_has(isa::avx512vnni) <= (__builtin_cpu_supports("avx512vnni") != 0));
#endif
}

TEST_CASE("NOTCH_ISA lowers the choice and is never ignored", "[simd][machine]") {
    {
        const environment unset("NOTCH_ISA", nullptr);
        CHECK(best_isa() == this_machine().best());
    }
    {
        const environment empty("NOTCH_ISA", "");
        CHECK(best_isa() == this_machine().best());
    }
    {
        const environment lowered("NOTCH_ISA", "scalar");
        CHECK(best_isa() == isa::scalar);
        CHECK(machine_has(this_machine().best()));
    }
    const environment misspelt("NOTCH_ISA", "avx3");
    CHECK_THROWS_AS(best_isa(), unsupported_error);
    CHECK_THROWS_WITH(best_isa(), containing("'avx3'") && containing(names(this_machine())));
}

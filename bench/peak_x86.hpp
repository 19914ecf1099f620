/// @file
/// Loops that run at the arithmetic peak of an x86 processor; peak.hpp says what they are for.
///
/// Whole loops in assembly: every compiler emits the same instructions, on registers only. The accumulators are
/// independent and enough of them to hide the latency: two multiplies per cycle times a latency of 3 to 5 cycles.
/// Registers 14 and 15 hold the operands.
#pragma once

#include <cstdint>

#define NOTCH_PEAK_6(X) X(0) X(1) X(2) X(3) X(4) X(5)
#define NOTCH_PEAK_12(X) NOTCH_PEAK_6(X) X(6) X(7) X(8) X(9) X(10) X(11)
#define NOTCH_PEAK_CLOBBERS                                                                                            \
    "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9", "xmm10", "xmm11", "xmm12",         \
        "xmm13", "xmm14", "xmm15", "cc", "memory"
#define NOTCH_PEAK_LOOP(NAME, BEGIN, BODY, END)                                                                        \
    inline void NAME(std::uint64_t steps, const void* operands) {                                                      \
        asm volatile(BEGIN ".p2align 5\n1:\n\t" BODY "dec %0\n\tjnz 1b\n\t" END                                        \
                     : "+r"(steps)                                                                                     \
                     : "r"(operands)                                                                                   \
                     : NOTCH_PEAK_CLOBBERS);                                                                           \
    }

namespace bench::loops {

#if defined(__AVX2__)
#define NOTCH_PEAK_ZERO(I) "vpxor %%xmm" #I ", %%xmm" #I ", %%xmm" #I "\n\t"
#define NOTCH_PEAK_BEGIN(R) NOTCH_PEAK_12(NOTCH_PEAK_ZERO) "vmovups (%1), %%" R "14\n\tvmovups 64(%1), %%" R "15\n\t"
#define NOTCH_PEAK_END "vzeroupper\n\t"
#define NOTCH_PEAK_VECTOR_LOOP(NAME, R, BODY) NOTCH_PEAK_LOOP(NAME, NOTCH_PEAK_BEGIN(R), BODY, NOTCH_PEAK_END)

// The exact product of 8-bit codes without a dot product instruction: the codes are widened to 16 bits, two products are
// added into 32 bits. Widening is not counted. Six products, then six sums, twice: multiplier and adder share ports, and
// this order was the fastest of a dozen on Zen 3 (86 % of the multiplications alone; in strict turns 80 %).
#define NOTCH_PEAK_MADDWD(R, J) "vpmaddwd %%" R "14, %%" R "15, %%" R #J "\n\t"
#define NOTCH_PEAK_ADD(R, I, J) "vpaddd %%" R #J ", %%" R #I ", %%" R #I "\n\t"
#define NOTCH_PEAK_SIX_PRODUCTS(R)                                                                                     \
    NOTCH_PEAK_MADDWD(R, 6)                                                                                            \
    NOTCH_PEAK_MADDWD(R, 7)                                                                                            \
    NOTCH_PEAK_MADDWD(R, 8)                                                                                            \
    NOTCH_PEAK_MADDWD(R, 9)                                                                                            \
    NOTCH_PEAK_MADDWD(R, 10)                                                                                           \
    NOTCH_PEAK_MADDWD(R, 11)                                                                                           \
    NOTCH_PEAK_ADD(R, 0, 6)                                                                                            \
    NOTCH_PEAK_ADD(R, 1, 7)                                                                                            \
    NOTCH_PEAK_ADD(R, 2, 8)                                                                                            \
    NOTCH_PEAK_ADD(R, 3, 9)                                                                                            \
    NOTCH_PEAK_ADD(R, 4, 10)                                                                                           \
    NOTCH_PEAK_ADD(R, 5, 11)

// Eight steps of the product of 8-bit codes with weights of at most 4 bits, whose pairs fit into 16 bits eight times
// (8 * 2 * 255 * 8 = 32640). Accumulator I has 32 bits, J 16 bits; register 12 holds ones.
#define NOTCH_PEAK_FIRST(R, J) "vpmaddubsw %%" R "14, %%" R "15, %%" R #J "\n\t"
#define NOTCH_PEAK_NEXT(R, J)                                                                                          \
    "vpmaddubsw %%" R "14, %%" R "15, %%" R "13\n\tvpaddw %%" R "13, %%" R #J ", %%" R #J "\n\t"
#define NOTCH_PEAK_WIDEN(R, I, J)                                                                                      \
    "vpmaddwd %%" R "12, %%" R #J ", %%" R #J "\n\tvpaddd %%" R #J ", %%" R #I ", %%" R #I "\n\t"
#define NOTCH_PEAK_ALL_NEXT(R)                                                                                         \
    NOTCH_PEAK_NEXT(R, 6)                                                                                              \
    NOTCH_PEAK_NEXT(R, 7)                                                                                              \
    NOTCH_PEAK_NEXT(R, 8) NOTCH_PEAK_NEXT(R, 9) NOTCH_PEAK_NEXT(R, 10) NOTCH_PEAK_NEXT(R, 11)
#define NOTCH_PEAK_EIGHT_STEPS(R)                                                                                      \
    NOTCH_PEAK_FIRST(R, 6)                                                                                             \
    NOTCH_PEAK_FIRST(R, 7)                                                                                             \
    NOTCH_PEAK_FIRST(R, 8)                                                                                             \
    NOTCH_PEAK_FIRST(R, 9)                                                                                             \
    NOTCH_PEAK_FIRST(R, 10)                                                                                            \
    NOTCH_PEAK_FIRST(R, 11)                                                                                            \
    NOTCH_PEAK_ALL_NEXT(R)                                                                                             \
    NOTCH_PEAK_ALL_NEXT(R)                                                                                             \
    NOTCH_PEAK_ALL_NEXT(R)                                                                                             \
    NOTCH_PEAK_ALL_NEXT(R)                                                                                             \
    NOTCH_PEAK_ALL_NEXT(R)                                                                                             \
    NOTCH_PEAK_ALL_NEXT(R)                                                                                             \
    NOTCH_PEAK_ALL_NEXT(R)                                                                                             \
    NOTCH_PEAK_WIDEN(R, 0, 6)                                                                                          \
    NOTCH_PEAK_WIDEN(R, 1, 7)                                                                                          \
    NOTCH_PEAK_WIDEN(R, 2, 8)                                                                                          \
    NOTCH_PEAK_WIDEN(R, 3, 9) NOTCH_PEAK_WIDEN(R, 4, 10) NOTCH_PEAK_WIDEN(R, 5, 11)
#define NOTCH_PEAK_ONES(R) "vmovups 128(%1), %%" R "12\n\t"

NOTCH_PEAK_VECTOR_LOOP(ymm_vpmaddwd, "ymm", NOTCH_PEAK_SIX_PRODUCTS("ymm") NOTCH_PEAK_SIX_PRODUCTS("ymm"))
NOTCH_PEAK_LOOP(ymm_vpmaddubsw, NOTCH_PEAK_BEGIN("ymm") NOTCH_PEAK_ONES("ymm"), NOTCH_PEAK_EIGHT_STEPS("ymm"),
                NOTCH_PEAK_END)
#endif

#if defined(__AVXVNNI__)
#define NOTCH_PEAK_STEP(I) "%{vex%} vpdpbusd %%ymm14, %%ymm15, %%ymm" #I "\n\t"
NOTCH_PEAK_VECTOR_LOOP(ymm_vpdpbusd, "ymm", NOTCH_PEAK_12(NOTCH_PEAK_STEP))
#undef NOTCH_PEAK_STEP
#elif defined(__AVX512VNNI__) && defined(__AVX512VL__)
#define NOTCH_PEAK_STEP(I) "vpdpbusd %%ymm14, %%ymm15, %%ymm" #I "\n\t"
NOTCH_PEAK_VECTOR_LOOP(ymm_vpdpbusd, "ymm", NOTCH_PEAK_12(NOTCH_PEAK_STEP))
#undef NOTCH_PEAK_STEP
#endif

#if defined(__FMA__)
#define NOTCH_PEAK_STEP(I) "vfmadd231ps %%ymm14, %%ymm15, %%ymm" #I "\n\t"
NOTCH_PEAK_VECTOR_LOOP(ymm_vfmadd231ps, "ymm", NOTCH_PEAK_12(NOTCH_PEAK_STEP))
#undef NOTCH_PEAK_STEP
#endif

#if defined(__AVX512BW__)
NOTCH_PEAK_VECTOR_LOOP(zmm_vpmaddwd, "zmm", NOTCH_PEAK_SIX_PRODUCTS("zmm") NOTCH_PEAK_SIX_PRODUCTS("zmm"))
NOTCH_PEAK_LOOP(zmm_vpmaddubsw, NOTCH_PEAK_BEGIN("zmm") NOTCH_PEAK_ONES("zmm"), NOTCH_PEAK_EIGHT_STEPS("zmm"),
                NOTCH_PEAK_END)
#define NOTCH_PEAK_STEP(I) "vfmadd231ps %%zmm14, %%zmm15, %%zmm" #I "\n\t"
NOTCH_PEAK_VECTOR_LOOP(zmm_vfmadd231ps, "zmm", NOTCH_PEAK_12(NOTCH_PEAK_STEP))
#undef NOTCH_PEAK_STEP
#endif

#if defined(__AVX512VNNI__)
#define NOTCH_PEAK_STEP(I) "vpdpbusd %%zmm14, %%zmm15, %%zmm" #I "\n\t"
NOTCH_PEAK_VECTOR_LOOP(zmm_vpdpbusd, "zmm", NOTCH_PEAK_12(NOTCH_PEAK_STEP))
#undef NOTCH_PEAK_STEP
#endif

#if !defined(__AVX2__)
// Instructions with two operands overwrite one, so that every product starts with a copy.
#define NOTCH_PEAK_ZERO(I) "pxor %%xmm" #I ", %%xmm" #I "\n\t"
#define NOTCH_PEAK_BEGIN NOTCH_PEAK_12(NOTCH_PEAK_ZERO) "movups (%1), %%xmm14\n\tmovups 64(%1), %%xmm15\n\t"
#define NOTCH_PEAK_MADD(OP, ADD, I)                                                                                    \
    "movdqa %%xmm15, %%xmm13\n\t" OP " %%xmm14, %%xmm13\n\t" ADD " %%xmm13, %%xmm" #I "\n\t"
#define NOTCH_PEAK_STEP(I) NOTCH_PEAK_MADD("pmaddwd", "paddd", I)
NOTCH_PEAK_LOOP(xmm_pmaddwd, NOTCH_PEAK_BEGIN, NOTCH_PEAK_12(NOTCH_PEAK_STEP), "")
#undef NOTCH_PEAK_STEP
#define NOTCH_PEAK_STEP(I) NOTCH_PEAK_MADD("mulps", "addps", I)
NOTCH_PEAK_LOOP(xmm_mulps, NOTCH_PEAK_BEGIN, NOTCH_PEAK_12(NOTCH_PEAK_STEP), "")
#undef NOTCH_PEAK_STEP
#if defined(__SSSE3__)
#define NOTCH_PEAK_FIRST(J) "movdqa %%xmm15, %%xmm" #J "\n\tpmaddubsw %%xmm14, %%xmm" #J "\n\t"
#define NOTCH_PEAK_WIDEN(I, J) "pmaddwd %%xmm12, %%xmm" #J "\n\tpaddd %%xmm" #J ", %%xmm" #I "\n\t"
#define NOTCH_PEAK_ALL_NEXT                                                                                            \
    NOTCH_PEAK_MADD("pmaddubsw", "paddw", 6)                                                                           \
    NOTCH_PEAK_MADD("pmaddubsw", "paddw", 7)                                                                           \
    NOTCH_PEAK_MADD("pmaddubsw", "paddw", 8)                                                                           \
    NOTCH_PEAK_MADD("pmaddubsw", "paddw", 9)                                                                           \
    NOTCH_PEAK_MADD("pmaddubsw", "paddw", 10)                                                                          \
    NOTCH_PEAK_MADD("pmaddubsw", "paddw", 11)
NOTCH_PEAK_LOOP(xmm_pmaddubsw, NOTCH_PEAK_BEGIN "movups 128(%1), %%xmm12\n\t",
                NOTCH_PEAK_FIRST(6) NOTCH_PEAK_FIRST(7) NOTCH_PEAK_FIRST(8) NOTCH_PEAK_FIRST(9) NOTCH_PEAK_FIRST(10)
                    NOTCH_PEAK_FIRST(11) NOTCH_PEAK_ALL_NEXT NOTCH_PEAK_ALL_NEXT NOTCH_PEAK_ALL_NEXT NOTCH_PEAK_ALL_NEXT
                        NOTCH_PEAK_ALL_NEXT NOTCH_PEAK_ALL_NEXT NOTCH_PEAK_ALL_NEXT NOTCH_PEAK_WIDEN(0, 6)
                            NOTCH_PEAK_WIDEN(1, 7) NOTCH_PEAK_WIDEN(2, 8) NOTCH_PEAK_WIDEN(3, 9) NOTCH_PEAK_WIDEN(4, 10)
                                NOTCH_PEAK_WIDEN(5, 11),
                "")
#endif
#endif

/// Loads 64 bytes.
inline void load_line(const unsigned char* from) {
#if defined(__AVX512F__)
    asm volatile("vmovups (%0), %%zmm0" : : "r"(from) : "xmm0", "memory");
#elif defined(__AVX__)
    asm volatile("vmovups (%0), %%ymm0\n\tvmovups 32(%0), %%ymm1" : : "r"(from) : "xmm0", "xmm1", "memory");
#else
    asm volatile("movups (%0), %%xmm0\n\tmovups 16(%0), %%xmm1\n\tmovups 32(%0), %%xmm0\n\tmovups 48(%0), %%xmm1"
                 :
                 : "r"(from)
                 : "xmm0", "xmm1", "memory");
#endif
}

} // namespace bench::loops

#undef NOTCH_PEAK_BEGIN
#undef NOTCH_PEAK_ZERO

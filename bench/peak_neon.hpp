/// @file
/// Loops that run at the arithmetic peak of a 64-bit Arm processor; peak.hpp says what they are for.
///
/// Whole loops in assembly, on registers only, as in peak_x86.hpp. Registers 30 and 31 hold the operands.
#pragma once

#include <cstdint>

#define NOTCH_PEAK_12(X) X(0) X(1) X(2) X(3) X(4) X(5) X(6) X(7) X(8) X(9) X(10) X(11)
#define NOTCH_PEAK_24(X) NOTCH_PEAK_12(X) X(12) X(13) X(14) X(15) X(16) X(17) X(18) X(19) X(20) X(21) X(22) X(23)
#define NOTCH_PEAK_ZERO(I) "movi v" #I ".4s, #0\n\t"
#define NOTCH_PEAK_LOOP(NAME, BODY)                                                                                    \
    inline void NAME(std::uint64_t steps, const void* operands) {                                                      \
        asm volatile(NOTCH_PEAK_24(NOTCH_PEAK_ZERO) "ldr q30, [%1]\n\tldr q31, [%1, #64]\n"                            \
                                                    "1:\n\t" BODY "subs %0, %0, #1\n\tb.ne 1b\n\t"                     \
                     : "+r"(steps)                                                                                     \
                     : "r"(operands)                                                                                   \
                     : "v0", "v1", "v2", "v3", "v4", "v5", "v6", "v7", "v8", "v9", "v10", "v11", "v12", "v13", "v14",  \
                       "v15", "v16", "v17", "v18", "v19", "v20", "v21", "v22", "v23", "v30", "v31", "cc", "memory");   \
    }

namespace bench::loops {

#if defined(__ARM_FEATURE_DOTPROD)
#define NOTCH_PEAK_STEP(I) "sdot v" #I ".4s, v30.16b, v31.16b\n\t"
NOTCH_PEAK_LOOP(neon_sdot, NOTCH_PEAK_12(NOTCH_PEAK_STEP))
#undef NOTCH_PEAK_STEP
#endif

// The exact product of 8-bit codes widened to 16 bits, into 32 bits. Widening is not counted.
#define NOTCH_PEAK_STEP(I) "smlal v" #I ".4s, v30.4h, v31.4h\n\t"
NOTCH_PEAK_LOOP(neon_smlal, NOTCH_PEAK_12(NOTCH_PEAK_STEP))
#undef NOTCH_PEAK_STEP

// Eight steps of the product of 8-bit codes with weights of at most 4 bits: 16-bit sums in registers 0 to 11, which are
// added to the 32-bit sums 12 to 23 after the last step.
#define NOTCH_PEAK_FIRST(I) "smull v" #I ".8h, v30.8b, v31.8b\n\t"
#define NOTCH_PEAK_STEP(I) "smlal v" #I ".8h, v30.8b, v31.8b\n\t"
#define NOTCH_PEAK_WIDEN(I, J) "sadalp v" #J ".4s, v" #I ".8h\n\t"
NOTCH_PEAK_LOOP(neon_smlal_8h,
                NOTCH_PEAK_12(NOTCH_PEAK_FIRST) NOTCH_PEAK_12(NOTCH_PEAK_STEP) NOTCH_PEAK_12(NOTCH_PEAK_STEP)
                    NOTCH_PEAK_12(NOTCH_PEAK_STEP) NOTCH_PEAK_12(NOTCH_PEAK_STEP) NOTCH_PEAK_12(NOTCH_PEAK_STEP)
                        NOTCH_PEAK_12(NOTCH_PEAK_STEP) NOTCH_PEAK_12(NOTCH_PEAK_STEP) NOTCH_PEAK_WIDEN(0, 12)
                            NOTCH_PEAK_WIDEN(1, 13) NOTCH_PEAK_WIDEN(2, 14) NOTCH_PEAK_WIDEN(3, 15)
                                NOTCH_PEAK_WIDEN(4, 16) NOTCH_PEAK_WIDEN(5, 17) NOTCH_PEAK_WIDEN(6, 18)
                                    NOTCH_PEAK_WIDEN(7, 19) NOTCH_PEAK_WIDEN(8, 20) NOTCH_PEAK_WIDEN(9, 21)
                                        NOTCH_PEAK_WIDEN(10, 22) NOTCH_PEAK_WIDEN(11, 23))
#undef NOTCH_PEAK_STEP

#define NOTCH_PEAK_STEP(I) "fmla v" #I ".4s, v30.4s, v31.4s\n\t"
NOTCH_PEAK_LOOP(neon_fmla, NOTCH_PEAK_12(NOTCH_PEAK_STEP))
#undef NOTCH_PEAK_STEP

/// Loads 64 bytes.
inline void load_line(const unsigned char* from) {
    asm volatile("ldp q0, q1, [%0]\n\tldp q2, q3, [%0, #32]" : : "r"(from) : "v0", "v1", "v2", "v3", "memory");
}

} // namespace bench::loops

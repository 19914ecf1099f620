/// @file
/// Matrix kernels: the integer products of AArch64. Part of simd/int_kernels.hpp; int_ops.hpp states the contract.
#pragma once

#include <notch/core/config.hpp>
#include <notch/simd/arch.hpp>
#include <notch/simd/int_lane_neon64.hpp>
#include <notch/simd/int_ops.hpp>

#if defined(__aarch64__) && defined(__ARM_NEON)

#include <cstddef>
#include <cstdint>
#include <cstring>

#include <arm_neon.h>

namespace notch::simd {

/// Registers of 16 bytes; signed rows, because products of unsigned and signed bytes came late to Arm.
template <> struct int_ops<neon64> {
    using reg = int32x4_t;                        ///< a register
    static constexpr std::size_t bytes = 16;      ///< of a register
    static constexpr std::size_t count = 4;       ///< registers per step
    static constexpr bool has_quad8 = true;       ///< quad8 exists
    static constexpr bool has_pairs = false;      ///< pairs8 and pairs16 do not
    static constexpr bool signed_rows = true;     ///< the row operand is int8
    static constexpr std::size_t tile_rows = 4;   ///< rows of a tile
    static constexpr std::size_t tile_panels = 1; ///< panels of a tile

    static NOTCH_INLINE reg zero() noexcept { return vdupq_n_s32(0); }
    static NOTCH_INLINE reg load(const void* from) noexcept {
        return vreinterpretq_s32_u8(vld1q_u8(static_cast<const std::uint8_t*>(from)));
    }
    static NOTCH_INLINE void store(void* to, reg r) noexcept {
        vst1q_u8(static_cast<std::uint8_t*>(to), vreinterpretq_u8_s32(r));
    }
    static NOTCH_INLINE reg as_computed(reg r) noexcept {
#if !defined(__clang__)
        asm("" : "+w"(r));
#endif
        return r;
    }
    static NOTCH_INLINE reg repeat4(const void* from) noexcept {
        std::int32_t four = 0;
        std::memcpy(&four, from, 4);
        return vdupq_n_s32(four);
    }
    static NOTCH_INLINE reg add32(reg a, reg b) noexcept { return vaddq_s32(a, b); }
    static NOTCH_INLINE reg subtract32(reg a, reg b) noexcept { return vsubq_s32(a, b); }
    static NOTCH_INLINE reg shift_left32(reg a, reg counts) noexcept { return vshlq_s32(a, counts); }
    static NOTCH_INLINE reg multiply32(reg a, reg b) noexcept { return vmulq_s32(a, b); }
    static NOTCH_INLINE reg bytes32(const std::uint8_t* from) noexcept {
        std::uint32_t four = 0;
        std::memcpy(&four, from, 4);
        const uint16x8_t words = vmovl_u8(vcreate_u8(four));
        return vreinterpretq_s32_u32(vmovl_u16(vget_low_u16(words)));
    }
    template <int Bits, int Part> static NOTCH_INLINE reg stored_codes(reg unit) noexcept {
        uint8x16_t codes = vreinterpretq_u8_s32(unit);
        if constexpr (Part > 0)
            codes = vshrq_n_u8(codes, Bits * Part);
        if constexpr (Bits * (Part + 1) < 8)
            codes = vandq_u8(codes, vdupq_n_u8((1 << Bits) - 1));
        return vreinterpretq_s32_u8(codes);
    }
    static NOTCH_INLINE reg quad8(reg acc, reg a, reg b) noexcept {
        const int8x16_t rows = vreinterpretq_s8_s32(a);
        const int8x16_t columns = vreinterpretq_s8_s32(b);
        // Two products of -128 * -128 make 2^15: pairs are widened while they are added.
#if defined(__GNUC__) && !defined(__clang__)
        // The scheduler of gcc would start the products of all rows at once, and spill them.
        int32x4_t low;
        int32x4_t high;
        asm("smull %0.8h, %2.8b, %3.8b\n\t"
            "smull2 %1.8h, %2.16b, %3.16b\n\t"
            "saddlp %0.4s, %0.8h\n\t"
            "saddlp %1.4s, %1.8h\n\t"
            "addp %0.4s, %0.4s, %1.4s"
            : "=&w"(low), "=&w"(high)
            : "w"(rows), "w"(columns));
        return vaddq_s32(acc, low);
#else
        const int16x8_t low = vmull_s8(vget_low_s8(rows), vget_low_s8(columns));
        const int16x8_t high = vmull_high_s8(rows, columns);
        return vaddq_s32(acc, vpaddq_s32(vpaddlq_s16(low), vpaddlq_s16(high)));
#endif
    }
    static NOTCH_INLINE void add_scaled(float* sums, reg a, const float* scales) noexcept {
        const neon64_floats product = to_floats(neon64_ints(a)) * neon64_floats(vld1q_f32(scales));
        vst1q_f32(sums, vaddq_f32(vld1q_f32(sums), as_rounded(product).value));
    }
};

#if defined(__ARM_FEATURE_DOTPROD)
/// With the dot product of bytes.
template <> struct int_ops<neon_dotprod> : int_ops<neon64> {
    static constexpr std::size_t tile_rows = 5; ///< rows of a tile

    static NOTCH_INLINE reg quad8(reg acc, reg a, reg b) noexcept {
        return vdotq_s32(acc, vreinterpretq_s8_s32(a), vreinterpretq_s8_s32(b));
    }
};

#if defined(__ARM_FEATURE_MATMUL_INT8)
/// With the dot product of unsigned and signed bytes, which spares flipping the rows.
template <> struct int_ops<neon_i8mm> : int_ops<neon_dotprod> {
    static constexpr bool signed_rows = false; ///< the row operand is uint8

    static NOTCH_INLINE reg quad8(reg acc, reg a, reg b) noexcept {
        return vusdotq_s32(acc, vreinterpretq_u8_s32(a), vreinterpretq_s8_s32(b));
    }
};
#endif
#endif

} // namespace notch::simd

#endif

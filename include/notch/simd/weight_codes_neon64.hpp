/// @file
/// Packing of weights on AArch64. Part of simd/weight_codes.hpp; weight_codes_ops.hpp states the contract.
#pragma once

#include <notch/core/config.hpp>
#include <notch/simd/arch.hpp>
#include <notch/simd/weight_codes_ops.hpp>

#if defined(__aarch64__) && defined(__ARM_NEON)

#include <cstddef>
#include <cstdint>
#include <cstring>

#include <arm_neon.h>

namespace notch::simd {

/// Four outputs per register.
template <> struct code_ops<neon64> {
    using reg = uint8x16_t;   ///< a register
    using words = uint16x8_t; ///< [4][2]
    /// Four steps.
    struct quad {
        uint8x16_t first;  ///< inputs 0 to 3
        uint8x16_t second; ///< inputs 4 to 7
        uint8x16_t third;  ///< inputs 8 to 11
        uint8x16_t fourth; ///< inputs 12 to 15
    };
    static constexpr std::size_t count = 4; ///< registers per step

    static NOTCH_INLINE quad load(const std::uint8_t* const* rows, std::size_t at) noexcept {
        const uint32x4_t a = get(rows[0] + at);
        const uint32x4_t b = get(rows[1] + at);
        const uint32x4_t c = get(rows[2] + at);
        const uint32x4_t d = get(rows[3] + at);
        const uint64x2_t low_ab = vreinterpretq_u64_u32(vzip1q_u32(a, b));
        const uint64x2_t low_cd = vreinterpretq_u64_u32(vzip1q_u32(c, d));
        const uint64x2_t high_ab = vreinterpretq_u64_u32(vzip2q_u32(a, b));
        const uint64x2_t high_cd = vreinterpretq_u64_u32(vzip2q_u32(c, d));
        return {vreinterpretq_u8_u64(vzip1q_u64(low_ab, low_cd)), vreinterpretq_u8_u64(vzip2q_u64(low_ab, low_cd)),
                vreinterpretq_u8_u64(vzip1q_u64(high_ab, high_cd)), vreinterpretq_u8_u64(vzip2q_u64(high_ab, high_cd))};
    }
    static NOTCH_INLINE void store(std::uint8_t* to, reg r) noexcept { vst1q_u8(to, r); }
    static NOTCH_INLINE reg everywhere(std::uint8_t byte) noexcept { return vdupq_n_u8(byte); }
    static NOTCH_INLINE reg spread(const std::uint8_t* numbers) noexcept {
        std::uint32_t four = 0;
        std::memcpy(&four, numbers, 4);
        const uint8x16_t bytes = vreinterpretq_u8_u32(vdupq_n_u32(four));
        const uint8x16_t twice = vzip1q_u8(bytes, bytes);
        return vzip1q_u8(twice, twice);
    }
    static NOTCH_INLINE reg add(reg a, reg b) noexcept { return vaddq_u8(a, b); }
    static NOTCH_INLINE reg subtract(reg a, reg b) noexcept { return vsubq_u8(a, b); }
    static NOTCH_INLINE reg subtract_saturated(reg a, reg b) noexcept { return vqsubq_u8(a, b); }
    static NOTCH_INLINE reg larger(reg a, reg b) noexcept { return vmaxq_u8(a, b); }
    static NOTCH_INLINE reg smaller(reg a, reg b) noexcept { return vminq_u8(a, b); }
    template <int N> static NOTCH_INLINE reg join(reg a, reg b) noexcept { return vsliq_n_u8(a, b, N); }
    static NOTCH_INLINE words no_words() noexcept { return vdupq_n_u16(0); }
    static NOTCH_INLINE words add_pairs(words sums, reg r) noexcept { return vpadalq_u8(sums, r); }
    static NOTCH_INLINE void add_words(words sums, std::int32_t* to) noexcept {
        vst1q_s32(to, vaddq_s32(vld1q_s32(to), vreinterpretq_s32_u32(vpaddlq_u16(sums))));
    }
    static NOTCH_INLINE void keep_larger(reg r, std::int32_t* to) noexcept {
        const uint8x16_t pairs = vpmaxq_u8(r, r);
        vst1q_s32(to, vmaxq_s32(vld1q_s32(to), widened(vpmaxq_u8(pairs, pairs))));
    }
    static NOTCH_INLINE void keep_smaller(reg r, std::int32_t* to) noexcept {
        const uint8x16_t pairs = vpminq_u8(r, r);
        vst1q_s32(to, vminq_s32(vld1q_s32(to), widened(vpminq_u8(pairs, pairs))));
    }

private:
    static NOTCH_INLINE uint32x4_t get(const std::uint8_t* from) noexcept {
        return vreinterpretq_u32_u8(vld1q_u8(from));
    }
    /// The first four bytes.
    static NOTCH_INLINE int32x4_t widened(uint8x16_t bytes) noexcept {
        return vreinterpretq_s32_u32(vmovl_u16(vget_low_u16(vmovl_u8(vget_low_u8(bytes)))));
    }
};

} // namespace notch::simd

#endif

/// @file
/// Depthwise convolutions: the products of AArch64. Part of simd/depthwise_isa.hpp; depthwise_ops.hpp states the contract.
#pragma once

#include <notch/core/config.hpp>
#include <notch/simd/arch.hpp>
#include <notch/simd/depthwise_ops.hpp>

#if defined(__aarch64__) && defined(__ARM_NEON)

#include <cstddef>
#include <cstdint>

#include <arm_neon.h>

namespace notch::simd {

/// @cond the contract documents the members
/// One column of int16: a slice is eight channels, multiplied and added as int32 in two instructions.
template <> struct depthwise_ops<neon64> {
    static constexpr std::size_t columns = 1;
    static constexpr std::size_t slices = 2;
    static constexpr std::size_t unit_bytes = 32;
    using operand = int16x8_t;
    struct sums {
        int32x4_t low;
        int32x4_t high;
    };

    static NOTCH_INLINE operand load(const std::byte* from) noexcept {
        return vreinterpretq_s16_u8(vld1q_u8(reinterpret_cast<const std::uint8_t*>(from)));
    }
    static NOTCH_INLINE operand held(operand a) noexcept { return a; }
    static NOTCH_INLINE sums product(operand a, operand w) noexcept {
        return {vmull_s16(vget_low_s16(a), vget_low_s16(w)), vmull_high_s16(a, w)};
    }
    static NOTCH_INLINE sums add(const sums& s, operand a, operand w) noexcept {
        return {vmlal_s16(s.low, vget_low_s16(a), vget_low_s16(w)), vmlal_high_s16(s.high, a, w)};
    }
    static NOTCH_INLINE void store(std::int32_t* to, std::size_t slice, const sums& s) noexcept {
        vst1q_s32(to + 8 * slice, s.low);
        vst1q_s32(to + 8 * slice + 4, s.high);
    }
    template <bool Signed>
    static NOTCH_INLINE void unit_of_codes(const std::uint8_t* const* pixels, std::int32_t zero, std::byte* to,
                                           std::size_t step) noexcept {
        const uint8x16_t a = vld1q_u8(pixels[0]);
        const int16x8_t zeros = vdupq_n_s16(static_cast<std::int16_t>(zero));
        auto* unit = reinterpret_cast<std::uint8_t*>(to);
        vst1q_u8(unit, vreinterpretq_u8_s16(vsubq_s16(words<Signed>(vget_low_u8(a)), zeros)));
        vst1q_u8(unit + step, vreinterpretq_u8_s16(vsubq_s16(words<Signed>(vget_high_u8(a)), zeros)));
    }
    static NOTCH_INLINE void unit_of_weights(const std::int8_t* const* taps, std::byte* to) noexcept {
        const int8x16_t a = vld1q_s8(taps[0]);
        auto* unit = reinterpret_cast<std::uint8_t*>(to);
        vst1q_u8(unit, vreinterpretq_u8_s16(vmovl_s8(vget_low_s8(a))));
        vst1q_u8(unit + 16, vreinterpretq_u8_s16(vmovl_high_s8(a)));
    }

private:
    template <bool Signed> static NOTCH_INLINE int16x8_t words(uint8x8_t codes) noexcept {
        return Signed ? vmovl_s8(vreinterpret_s8_u8(codes)) : vreinterpretq_s16_u16(vmovl_u8(codes));
    }
};
/// @endcond

} // namespace notch::simd

#endif

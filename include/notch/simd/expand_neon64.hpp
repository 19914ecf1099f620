/// @file
/// Operands of the microkernels on AArch64. Part of simd/int_kernels.hpp; expand.hpp states the contract.
#pragma once

#include <notch/core/config.hpp>
#include <notch/simd/arch.hpp>
#include <notch/simd/expand.hpp>

#if defined(__aarch64__) && defined(__ARM_NEON)

#include <cstddef>
#include <cstdint>

#include <arm_neon.h>

namespace notch::simd {

/// Four registers are a step.
template <> struct expand_ops<neon64> {
    /// A step of int8 values: four outputs per register.
    struct step {
        int8x16_t first;  ///< outputs 0 to 3
        int8x16_t second; ///< outputs 4 to 7
        int8x16_t third;  ///< outputs 8 to 11
        int8x16_t fourth; ///< outputs 12 to 15
    };

    /// Each number four times.
    struct biases {
        step bytes; ///< as they are subtracted
        NOTCH_INLINE explicit biases(const std::uint8_t* from) noexcept
            : bytes(four_times(vreinterpretq_s8_u8(vld1q_u8(from)))) {}
    };
    /// Each number twice.
    struct factors {
        int16x8_t first;  ///< outputs 0 to 3
        int16x8_t second; ///< outputs 4 to 7
        int16x8_t third;  ///< outputs 8 to 11
        int16x8_t fourth; ///< outputs 12 to 15
        NOTCH_INLINE explicit factors(const std::int16_t* from) noexcept
            : factors(vld1q_s16(from), vld1q_s16(from + 8)) {}

    private:
        NOTCH_INLINE factors(int16x8_t low, int16x8_t high) noexcept
            : first(vzip1q_s16(low, low)), second(vzip2q_s16(low, low)), third(vzip1q_s16(high, high)),
              fourth(vzip2q_s16(high, high)) {}
    };
    /// Biases and shifts, each four times.
    template <int Bits> struct scaling {
        biases bias; ///< subtracted first
        step shifts; ///< to the left
        NOTCH_INLINE scaling(const std::uint8_t* from, const std::uint8_t* by) noexcept
            : bias(from), shifts(four_times(vreinterpretq_s8_u8(vld1q_u8(by)))) {}
    };

    template <int Bits, int Part>
    static NOTCH_INLINE step codes(const std::uint8_t* unit, const biases& bias) noexcept {
        return {codes_of<Bits, Part>(vld1q_u8(unit), bias.bytes.first),
                codes_of<Bits, Part>(vld1q_u8(unit + 16), bias.bytes.second),
                codes_of<Bits, Part>(vld1q_u8(unit + 32), bias.bytes.third),
                codes_of<Bits, Part>(vld1q_u8(unit + 48), bias.bytes.fourth)};
    }
    template <int Bits, int Part>
    static NOTCH_INLINE step codes(const std::uint8_t* unit, const scaling<Bits>& how) noexcept {
        const step s = codes<Bits, Part>(unit, how.bias);
        return {vshlq_s8(s.first, how.shifts.first), vshlq_s8(s.second, how.shifts.second),
                vshlq_s8(s.third, how.shifts.third), vshlq_s8(s.fourth, how.shifts.fourth)};
    }
    static NOTCH_INLINE void store(std::int8_t* to, const step& s) noexcept {
        vst1q_s8(to, s.first);
        vst1q_s8(to + 16, s.second);
        vst1q_s8(to + 32, s.third);
        vst1q_s8(to + 48, s.fourth);
    }
    static NOTCH_INLINE void widen(const step& s, std::int16_t* to) noexcept {
        const pairs low(s.first, s.second);
        const pairs high(s.third, s.fourth);
        vst1q_s16(to, vmovl_s8(vget_low_s8(low.front)));
        vst1q_s16(to + 8, vmovl_high_s8(low.front));
        vst1q_s16(to + 16, vmovl_s8(vget_low_s8(high.front)));
        vst1q_s16(to + 24, vmovl_high_s8(high.front));
        vst1q_s16(to + 32, vmovl_s8(vget_low_s8(low.back)));
        vst1q_s16(to + 40, vmovl_high_s8(low.back));
        vst1q_s16(to + 48, vmovl_s8(vget_low_s8(high.back)));
        vst1q_s16(to + 56, vmovl_high_s8(high.back));
    }
    static NOTCH_INLINE void widen(const step& s, const factors& f, std::int16_t* to) noexcept {
        const pairs low(s.first, s.second);
        const pairs high(s.third, s.fourth);
        vst1q_s16(to, vmulq_s16(vmovl_s8(vget_low_s8(low.front)), f.first));
        vst1q_s16(to + 8, vmulq_s16(vmovl_high_s8(low.front), f.second));
        vst1q_s16(to + 16, vmulq_s16(vmovl_s8(vget_low_s8(high.front)), f.third));
        vst1q_s16(to + 24, vmulq_s16(vmovl_high_s8(high.front), f.fourth));
        vst1q_s16(to + 32, vmulq_s16(vmovl_s8(vget_low_s8(low.back)), f.first));
        vst1q_s16(to + 40, vmulq_s16(vmovl_high_s8(low.back), f.second));
        vst1q_s16(to + 48, vmulq_s16(vmovl_s8(vget_low_s8(high.back)), f.third));
        vst1q_s16(to + 56, vmulq_s16(vmovl_high_s8(high.back), f.fourth));
    }
    static NOTCH_INLINE void flip_row(const std::uint8_t* from, std::size_t count, std::uint8_t* to) noexcept {
        std::size_t i = 0;
        for (; i + 16 <= count; i += 16)
            vst1q_u8(to + i, veorq_u8(vld1q_u8(from + i), vdupq_n_u8(0x80)));
        expand_ops<scalar>::flip_row(from + i, count - i, to + i);
    }
    static NOTCH_INLINE void widen_row(const std::uint8_t* from, std::size_t count, bool is_signed, std::int32_t zero,
                                       std::int16_t* to) noexcept {
        // Signed codes are flipped to unsigned ones that are 128 larger.
        const uint8x16_t flip = vdupq_n_u8(is_signed ? 0x80 : 0);
        const int16x8_t zeros = vdupq_n_s16(static_cast<std::int16_t>(is_signed ? zero + 128 : zero));
        std::size_t i = 0;
        for (; i + 16 <= count; i += 16) {
            const uint8x16_t bytes = veorq_u8(vld1q_u8(from + i), flip);
            vst1q_s16(to + i, vsubq_s16(vreinterpretq_s16_u16(vmovl_u8(vget_low_u8(bytes))), zeros));
            vst1q_s16(to + i + 8, vsubq_s16(vreinterpretq_s16_u16(vmovl_high_u8(bytes)), zeros));
        }
        expand_ops<scalar>::widen_row(from + i, count - i, is_signed, zero, to + i);
    }

private:
    /// One register of stored codes as values.
    template <int Bits, int Part> static NOTCH_INLINE int8x16_t codes_of(uint8x16_t stored, int8x16_t bias) noexcept {
        if constexpr (Bits < 8) {
            if constexpr (Part > 0)
                stored = vshrq_n_u8(stored, Bits * Part);
            if constexpr (Bits * (Part + 1) < 8)
                stored = vandq_u8(stored, vdupq_n_u8((1 << Bits) - 1));
            return vsubq_s8(vreinterpretq_s8_u8(stored), bias);
        } else {
            return vreinterpretq_s8_u8(stored);
        }
    }
    /// The first two bytes of eight outputs, and the other two.
    struct pairs {
        int8x16_t front;
        int8x16_t back;
        NOTCH_INLINE pairs(int8x16_t a, int8x16_t b) noexcept
            : front(vreinterpretq_s8_s16(vuzp1q_s16(vreinterpretq_s16_s8(a), vreinterpretq_s16_s8(b)))),
              back(vreinterpretq_s8_s16(vuzp2q_s16(vreinterpretq_s16_s8(a), vreinterpretq_s16_s8(b)))) {}
    };
    /// Sixteen bytes, each of them four times.
    static NOTCH_INLINE step four_times(int8x16_t bytes) noexcept {
        const int8x16_t low = vzip1q_s8(bytes, bytes);
        const int8x16_t high = vzip2q_s8(bytes, bytes);
        return {vzip1q_s8(low, low), vzip2q_s8(low, low), vzip1q_s8(high, high), vzip2q_s8(high, high)};
    }
};

} // namespace notch::simd

#endif

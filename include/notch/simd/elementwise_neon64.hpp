/// @file
/// Elementwise kernels: what a lane is on AArch64. Part of simd/elementwise.hpp, which states the contract.
#pragma once

#include <notch/core/config.hpp>
#include <notch/simd/arch.hpp>
#include <notch/simd/elementwise_contract.hpp>

#if defined(__aarch64__) && defined(__ARM_NEON)

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <type_traits>

#include <arm_neon.h>

namespace notch::simd {

/// Four floats.
struct neon64_floats {
    float32x4_t value; ///< the register

    NOTCH_INLINE neon64_floats(float32x4_t v) noexcept : value(v) {} // NOLINT(google-explicit-constructor)
    NOTCH_INLINE explicit neon64_floats(float v) noexcept : value(vdupq_n_f32(v)) {} ///< four times v

    friend NOTCH_INLINE neon64_floats operator+(neon64_floats a, neon64_floats b) noexcept {
        return vaddq_f32(a.value, b.value);
    }
    friend NOTCH_INLINE neon64_floats operator-(neon64_floats a, neon64_floats b) noexcept {
        return vsubq_f32(a.value, b.value);
    }
    friend NOTCH_INLINE neon64_floats operator*(neon64_floats a, neon64_floats b) noexcept {
        return vmulq_f32(a.value, b.value);
    }
    friend NOTCH_INLINE neon64_floats nearest(neon64_floats a) noexcept { return vrndnq_f32(a.value); }
    friend NOTCH_INLINE neon64_floats truncate(neon64_floats a) noexcept { return vrndq_f32(a.value); }
    friend NOTCH_INLINE neon64_floats one_where_equal(neon64_floats a, neon64_floats b) noexcept {
        return one_where(vceqq_f32(a.value, b.value));
    }
    friend NOTCH_INLINE neon64_floats one_where_less(neon64_floats a, neon64_floats b) noexcept {
        return one_where(vcltq_f32(a.value, b.value));
    }

private:
    static NOTCH_INLINE neon64_floats one_where(uint32x4_t mask) noexcept {
        return vreinterpretq_f32_u32(vandq_u32(mask, vreinterpretq_u32_f32(vdupq_n_f32(1.0F))));
    }
};

/// Lanes, scaling, and loads and stores on AArch64.
template <> struct elementwise<neon64> {
    using lane = neon64_floats;             ///< four floats
    static constexpr std::size_t width = 4; ///< floats per lane

    /// A factor in both precisions.
    struct factor {
        float64x2_t wide;   ///< the factor
        float32x4_t single; ///< the factor as a float

        NOTCH_INLINE factor(double exact, float rounded) noexcept
            : wide(vdupq_n_f64(exact)), single(vdupq_n_f32(rounded)) {}
        NOTCH_INLINE lane times_single(lane x) const noexcept { return vmulq_f32(x.value, single); }
        NOTCH_INLINE lane times_double(lane x) const noexcept { return products(x, wide, wide); }
        NOTCH_INLINE lane times_double(const float* x) const noexcept { return products(x, wide, wide); }
    };

    /// Remembers the largest magnitude, as bits, of all values seen.
    struct watcher {
        uint32x4_t largest = vdupq_n_u32(0);

        NOTCH_INLINE void see(lane x) noexcept {
            largest = vmaxq_u32(largest, vandq_u32(vreinterpretq_u32_f32(x.value), vdupq_n_u32(0x7fff'ffffU)));
        }
        [[nodiscard]] NOTCH_INLINE bool all_finite() const noexcept { return vmaxvq_u32(largest) < 0x7f80'0000U; }
    };

    /// The three running extremes of bit patterns that min_max_run asks for.
    struct extremes {
        int32x4_t largest_signed;    ///< of the patterns as int32
        uint32x4_t largest_unsigned; ///< of the patterns as uint32
        uint32x4_t least_unsigned;   ///< of the patterns as uint32

        NOTCH_INLINE explicit extremes(lane x) noexcept
            : largest_signed(vreinterpretq_s32_f32(x.value)), largest_unsigned(vreinterpretq_u32_f32(x.value)),
              least_unsigned(largest_unsigned) {}
        NOTCH_INLINE void see(lane x) noexcept {
            largest_signed = vmaxq_s32(largest_signed, vreinterpretq_s32_f32(x.value));
            largest_unsigned = vmaxq_u32(largest_unsigned, vreinterpretq_u32_f32(x.value));
            least_unsigned = vminq_u32(least_unsigned, vreinterpretq_u32_f32(x.value));
        }
        NOTCH_INLINE void join(const extremes& other) noexcept {
            largest_signed = vmaxq_s32(largest_signed, other.largest_signed);
            largest_unsigned = vmaxq_u32(largest_unsigned, other.largest_unsigned);
            least_unsigned = vminq_u32(least_unsigned, other.least_unsigned);
        }
        [[nodiscard]] NOTCH_INLINE pattern_extremes collect() const noexcept {
            return {vmaxvq_s32(largest_signed), vmaxvq_u32(largest_unsigned), vminvq_u32(least_unsigned)};
        }
    };

    static NOTCH_INLINE watcher watch() noexcept { return {}; }
    /// Hints that the memory `bytes` behind `from` will be read; the address need not exist.
    static NOTCH_INLINE void prefetch(const float* from, std::size_t bytes) noexcept {
        NOTCH_PREFETCH(reinterpret_cast<const void*>(reinterpret_cast<std::uintptr_t>(from) + bytes));
    }
    static NOTCH_INLINE lane load(const float* from) noexcept { return vld1q_f32(from); }
    static NOTCH_INLINE lane clamp(lane x, lane lowest, lane highest) noexcept {
        // maxnm takes the number where one operand is NaN.
        return vminnmq_f32(vmaxnmq_f32(x.value, lowest.value), highest.value);
    }

    /// Four products with two doubles and two doubles, rounded to float.
    static NOTCH_INLINE lane products(lane x, float64x2_t first, float64x2_t second) noexcept {
        const float32x2_t low = vcvt_f32_f64(vmulq_f64(vcvt_f64_f32(vget_low_f32(x.value)), first));
        return vcvt_high_f32_f64(low, vmulq_f64(vcvt_high_f64_f32(x.value), second));
    }
    /// The same, of four floats in memory.
    static NOTCH_INLINE lane products(const float* x, float64x2_t first, float64x2_t second) noexcept {
        return products(load(x), first, second);
    }
    /// Element i times factors[i], rounded to float.
    static NOTCH_INLINE lane times_each(const float* x, const double* factors) noexcept {
        return products(x, vld1q_f64(factors), vld1q_f64(factors + 2));
    }
    /// codes[i] - zero_point, as floats.
    template <class Code> static NOTCH_INLINE lane differences(const Code* codes, std::int32_t zero_point) noexcept {
        std::uint32_t four = 0;
        std::memcpy(&four, codes, 4);
        const uint8x8_t bytes = vreinterpret_u8_u32(vdup_n_u32(four));
        int16x8_t words;
        if constexpr (std::is_signed_v<Code>)
            words = vmovl_s8(vreinterpret_s8_u8(bytes));
        else
            words = vreinterpretq_s16_u16(vmovl_u8(bytes));
        return vcvtq_f32_s32(vsubq_s32(vmovl_s16(vget_low_s16(words)), vdupq_n_s32(zero_point)));
    }

    static NOTCH_INLINE void store(float* dst, lane a) noexcept { vst1q_f32(dst, a.value); }

    /// Adds the zero point and stores 16 codes. The values are codes already, so the narrowing drops zeros or signs.
    template <class Code>
    static NOTCH_INLINE void store(Code* dst, std::int32_t zero_point, lane a, lane b, lane c, lane d) noexcept {
        const int16x8_t zero = vdupq_n_s16(static_cast<std::int16_t>(zero_point));
        const int16x8_t low = vmovn_high_s32(vmovn_s32(vcvtq_s32_f32(a.value)), vcvtq_s32_f32(b.value));
        const int16x8_t high = vmovn_high_s32(vmovn_s32(vcvtq_s32_f32(c.value)), vcvtq_s32_f32(d.value));
        const int8x16_t codes = vmovn_high_s16(vmovn_s16(vaddq_s16(low, zero)), vaddq_s16(high, zero));
        vst1q_u8(reinterpret_cast<std::uint8_t*>(dst), vreinterpretq_u8_s8(codes));
    }

    template <class Code> static NOTCH_INLINE void store_words(Code* dst, int32x4_t words) noexcept {
        const int16x4_t half = vmovn_s32(words);
        const int8x8_t bytes = vmovn_s16(vcombine_s16(half, half));
        const std::uint32_t four = vget_lane_u32(vreinterpret_u32_s8(bytes), 0);
        std::memcpy(dst, &four, 4);
    }
    /// Adds the zero point and stores 4 codes.
    template <class Code> static NOTCH_INLINE void store(Code* dst, std::int32_t zero_point, lane a) noexcept {
        store_words(dst, vaddq_s32(vcvtq_s32_f32(a.value), vdupq_n_s32(zero_point)));
    }
    /// Adds a zero point to each element and stores 4 codes.
    template <class Code>
    static NOTCH_INLINE void store_each(Code* dst, const std::int32_t* zero_points, lane a) noexcept {
        store_words(dst, vaddq_s32(vcvtq_s32_f32(a.value), vld1q_s32(zero_points)));
    }
};

} // namespace notch::simd

#endif

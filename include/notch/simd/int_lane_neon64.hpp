/// @file
/// The lane of AArch64: four int32. Part of simd/int_kernels.hpp; int_lane.hpp states the contract.
#pragma once

#include <notch/core/config.hpp>
#include <notch/core/rounding.hpp>
#include <notch/simd/arch.hpp>
#include <notch/simd/int_lane.hpp>

#if defined(__aarch64__) && defined(__ARM_NEON)

#include <cstddef>
#include <cstdint>
#include <cstring>

#include <arm_neon.h>

namespace notch::simd {

/// Four int32 that wrap around.
struct neon64_ints {
    int32x4_t value; ///< the register

    NOTCH_INLINE neon64_ints(int32x4_t v) noexcept : value(v) {} // NOLINT(google-explicit-constructor)
    NOTCH_INLINE explicit neon64_ints(std::int32_t v) noexcept : value(vdupq_n_s32(v)) {} ///< four times v

    friend NOTCH_INLINE neon64_ints operator+(neon64_ints a, neon64_ints b) noexcept {
        return vaddq_s32(a.value, b.value);
    }
    friend NOTCH_INLINE neon64_ints operator-(neon64_ints a, neon64_ints b) noexcept {
        return vsubq_s32(a.value, b.value);
    }
    friend NOTCH_INLINE neon64_ints operator*(neon64_ints a, neon64_ints b) noexcept {
        return vmulq_s32(a.value, b.value);
    }
    friend NOTCH_INLINE neon64_ints operator&(neon64_ints a, neon64_ints b) noexcept {
        return vandq_s32(a.value, b.value);
    }
    friend NOTCH_INLINE neon64_ints operator|(neon64_ints a, neon64_ints b) noexcept {
        return vorrq_s32(a.value, b.value);
    }
    friend NOTCH_INLINE neon64_ints operator~(neon64_ints a) noexcept { return vmvnq_s32(a.value); }
    // One instruction shifts both ways: to the right by negative counts.
    friend NOTCH_INLINE neon64_ints operator<<(neon64_ints a, int n) noexcept {
        return vshlq_s32(a.value, vdupq_n_s32(n));
    }
    friend NOTCH_INLINE neon64_ints operator>>(neon64_ints a, int n) noexcept {
        return vshlq_s32(a.value, vdupq_n_s32(-n));
    }
    friend NOTCH_INLINE neon64_ints operator<<(neon64_ints a, neon64_ints n) noexcept {
        return vshlq_s32(a.value, n.value);
    }
    friend NOTCH_INLINE neon64_ints operator>>(neon64_ints a, neon64_ints n) noexcept {
        return vshlq_s32(a.value, vnegq_s32(n.value));
    }
    friend NOTCH_INLINE neon64_floats to_floats(neon64_ints a) noexcept { return vcvtq_f32_s32(a.value); }
    friend NOTCH_INLINE void store_saturated(std::uint8_t* to, neon64_ints a) noexcept {
        const int16x4_t words = vqmovn_s32(a.value);
        store_four(to, vreinterpret_u32_u8(vqmovun_s16(vcombine_s16(words, words))));
    }
    friend NOTCH_INLINE void store_saturated(std::int8_t* to, neon64_ints a) noexcept {
        const int16x4_t words = vqmovn_s32(a.value);
        store_four(to, vreinterpret_u32_s8(vqmovn_s16(vcombine_s16(words, words))));
    }

private:
    static NOTCH_INLINE void store_four(void* to, uint32x2_t bytes) noexcept {
        const std::uint32_t four = vget_lane_u32(bytes, 0);
        std::memcpy(to, &four, 4);
    }
};

/// The integers that the floats are.
[[nodiscard]] NOTCH_INLINE neon64_ints to_ints(neon64_floats x) noexcept { return vcvtq_s32_f32(x.value); }
/// See int_lane.hpp.
[[nodiscard]] NOTCH_INLINE neon64_floats clamp_floats(neon64_floats x, neon64_floats lowest,
                                                      neon64_floats highest) noexcept {
    // Chosen as the scalar definition does it, so that NaN and the signs of zeros agree.
    const float32x4_t above = vbslq_f32(vcgtq_f32(x.value, lowest.value), x.value, lowest.value);
    return vbslq_f32(vcltq_f32(above, highest.value), above, highest.value);
}
/// See int_lane.hpp.
[[nodiscard]] NOTCH_INLINE neon64_floats as_rounded(neon64_floats x) noexcept {
    asm("" : "+w"(x.value));
    return x;
}
/// See int_lane.hpp.
NOTCH_INLINE void store_floats(float* to, neon64_floats x) noexcept { vst1q_f32(to, x.value); }

/// See lane.hpp.
template <> struct lane_traits<neon64_ints> {
    static constexpr bool is_lane = true;   ///< a lane
    static constexpr std::size_t width = 4; ///< numbers per lane
    static NOTCH_INLINE neon64_ints load(const std::int32_t* from) noexcept { return vld1q_s32(from); }
    static NOTCH_INLINE void store(std::int32_t* to, neon64_ints a) noexcept { vst1q_s32(to, a.value); }
    static NOTCH_INLINE neon64_ints min(neon64_ints a, neon64_ints b) noexcept { return vminq_s32(a.value, b.value); }
    static NOTCH_INLINE neon64_ints max(neon64_ints a, neon64_ints b) noexcept { return vmaxq_s32(a.value, b.value); }
};

/// See int_lane.hpp.
template <> struct lane_floats<neon64_ints> {
    using type = neon64_floats; ///< the companion
    static NOTCH_INLINE neon64_floats load(const float* from) noexcept { return vld1q_f32(from); }
};

/// See int_lane.hpp. The instructions that round, double and saturate are those the definitions were made for.
template <> struct q31_products<neon64_ints> {
    static NOTCH_INLINE neon64_ints single(neon64_ints x, neon64_ints multipliers, neon64_ints exponents) noexcept {
        const int32x4_t shift = vsubq_s32(exponents.value, vdupq_n_s32(31));
        const int64x2_t low = vmull_s32(vget_low_s32(x.value), vget_low_s32(multipliers.value));
        const int64x2_t high = vmull_high_s32(x.value, multipliers.value);
        return vqmovn_high_s64(vqmovn_s64(vrshlq_s64(low, vmovl_s32(vget_low_s32(shift)))),
                               vrshlq_s64(high, vmovl_high_s32(shift)));
    }
    static NOTCH_INLINE neon64_ints twice(neon64_ints x, neon64_ints multipliers, neon64_ints exponents) noexcept {
        const int32x4_t zero = vdupq_n_s32(0);
        const int32x4_t shifted = vqshlq_s32(x.value, vmaxq_s32(exponents.value, zero));
        const neon64_ints right(vmaxq_s32(vnegq_s32(exponents.value), zero));
        return nearest_away::shift_right(neon64_ints(vqrdmulhq_s32(shifted, multipliers.value)), right);
    }
};

/// See int_lane.hpp.
template <> struct widest_lane<neon64> {
    using type = neon64_ints; ///< the lane
};

} // namespace notch::simd

#endif

/// @file
/// Lanes of several registers: twice or four times as many numbers, whose codes leave in one store.
///
///     joined_ints<Half>          two lanes side by side, itself a lane (simd/lane.hpp, simd/int_lane.hpp)
///     joined_floats<Half>        its companion of floats
///     wide_lane_of<Arch>         what epilogues store tiles with: as many numbers as fill a store of codes
///     narrower_lane<Lane>        what follows for the columns that are left
///
/// A stage runs over them as over any lane, so that what is fixed for a column is found once, and no text is repeated.
#pragma once

#include <notch/core/config.hpp>
#include <notch/simd/arch.hpp>
#include <notch/simd/int_kernels.hpp>
#include <notch/simd/lane.hpp>
#include <notch/simd/lane_pair.hpp>

#include <cstddef>
#include <cstdint>

namespace notch::simd {

/// @cond the contracts of lane.hpp and int_lane.hpp document the members
/// Two lanes of floats.
template <class Half> struct joined_floats {
    Half low;  ///< the first floats
    Half high; ///< those behind them

    NOTCH_INLINE joined_floats(Half a, Half b) noexcept : low(a), high(b) {}
    NOTCH_INLINE explicit joined_floats(float v) noexcept : low(v), high(v) {} ///< v everywhere

    friend NOTCH_INLINE joined_floats operator+(const joined_floats& a, const joined_floats& b) noexcept {
        return {a.low + b.low, a.high + b.high};
    }
    friend NOTCH_INLINE joined_floats operator-(const joined_floats& a, const joined_floats& b) noexcept {
        return {a.low - b.low, a.high - b.high};
    }
    friend NOTCH_INLINE joined_floats operator*(const joined_floats& a, const joined_floats& b) noexcept {
        return {a.low * b.low, a.high * b.high};
    }
    friend NOTCH_INLINE joined_floats nearest(const joined_floats& a) noexcept {
        return {nearest(a.low), nearest(a.high)};
    }
    friend NOTCH_INLINE joined_floats truncate(const joined_floats& a) noexcept {
        return {truncate(a.low), truncate(a.high)};
    }
    friend NOTCH_INLINE joined_floats one_where_equal(const joined_floats& a, const joined_floats& b) noexcept {
        return {one_where_equal(a.low, b.low), one_where_equal(a.high, b.high)};
    }
    friend NOTCH_INLINE joined_floats one_where_less(const joined_floats& a, const joined_floats& b) noexcept {
        return {one_where_less(a.low, b.low), one_where_less(a.high, b.high)};
    }
    friend NOTCH_INLINE joined_floats as_rounded(const joined_floats& a) noexcept {
        return {as_rounded(a.low), as_rounded(a.high)};
    }
    friend NOTCH_INLINE joined_floats clamp_floats(const joined_floats& x, const joined_floats& lowest,
                                                   const joined_floats& highest) noexcept {
        return {clamp_floats(x.low, lowest.low, highest.low), clamp_floats(x.high, lowest.high, highest.high)};
    }
};

/// Two lanes.
template <lane Half> struct joined_ints {
    using half = Half; ///< the lanes
    Half low;          ///< the first numbers
    Half high;         ///< those behind them

    NOTCH_INLINE joined_ints(Half a, Half b) noexcept : low(a), high(b) {}
    NOTCH_INLINE explicit joined_ints(std::int32_t v) noexcept : low(v), high(v) {} ///< v everywhere

    friend NOTCH_INLINE joined_ints operator+(const joined_ints& a, const joined_ints& b) noexcept {
        return {a.low + b.low, a.high + b.high};
    }
    friend NOTCH_INLINE joined_ints operator-(const joined_ints& a, const joined_ints& b) noexcept {
        return {a.low - b.low, a.high - b.high};
    }
    friend NOTCH_INLINE joined_ints operator*(const joined_ints& a, const joined_ints& b) noexcept {
        return {a.low * b.low, a.high * b.high};
    }
    friend NOTCH_INLINE joined_ints operator&(const joined_ints& a, const joined_ints& b) noexcept {
        return {a.low & b.low, a.high & b.high};
    }
    friend NOTCH_INLINE joined_ints operator|(const joined_ints& a, const joined_ints& b) noexcept {
        return {a.low | b.low, a.high | b.high};
    }
    friend NOTCH_INLINE joined_ints operator~(const joined_ints& a) noexcept { return {~a.low, ~a.high}; }
    friend NOTCH_INLINE joined_ints operator<<(const joined_ints& a, int n) noexcept {
        return {a.low << n, a.high << n};
    }
    friend NOTCH_INLINE joined_ints operator>>(const joined_ints& a, int n) noexcept {
        return {a.low >> n, a.high >> n};
    }
    friend NOTCH_INLINE joined_ints operator<<(const joined_ints& a, const joined_ints& n) noexcept {
        return {a.low << n.low, a.high << n.high};
    }
    friend NOTCH_INLINE joined_ints operator>>(const joined_ints& a, const joined_ints& n) noexcept {
        return {a.low >> n.low, a.high >> n.high};
    }
    friend NOTCH_INLINE auto to_floats(const joined_ints& a) noexcept {
        return joined_floats<float_lane<Half>>{to_floats(a.low), to_floats(a.high)};
    }
    template <class Code> friend NOTCH_INLINE void store_saturated(Code* to, const joined_ints& a) noexcept {
        if constexpr (requires { store_saturated_four(to, a.low.low, a.low.high, a.high.low, a.high.high); })
            store_saturated_four(to, a.low.low, a.low.high, a.high.low, a.high.high);
        else
            store_saturated_pair(to, a.low, a.high);
    }
};

/// The integers that the floats are.
template <class Half> [[nodiscard]] NOTCH_INLINE auto to_ints(const joined_floats<Half>& x) noexcept {
    return joined_ints{to_ints(x.low), to_ints(x.high)};
}
/// See int_lane.hpp.
template <class Half> [[nodiscard]] NOTCH_INLINE auto nearest_ints(const joined_floats<Half>& x) noexcept {
    return joined_ints{nearest_ints(x.low), nearest_ints(x.high)};
}
/// See int_lane.hpp.
template <class Half>
    requires requires(const Half& n) { powers_of_two(n); }
[[nodiscard]] NOTCH_INLINE auto powers_of_two(const joined_ints<Half>& n) noexcept {
    return joined_floats{powers_of_two(n.low), powers_of_two(n.high)};
}
/// See int_lane.hpp.
template <class Half> NOTCH_INLINE void store_floats(float* to, const joined_floats<Half>& x) noexcept {
    store_floats(to, x.low);
    store_floats(to + sizeof(Half) / sizeof(float), x.high);
}

/// See lane.hpp.
template <class Half> struct lane_traits<joined_ints<Half>> {
    static constexpr bool is_lane = true;                      ///< a lane
    static constexpr std::size_t width = 2 * lane_width<Half>; ///< numbers per lane
    static NOTCH_INLINE joined_ints<Half> load(const std::int32_t* from) noexcept {
        return {load_lane<Half>(from), load_lane<Half>(from + lane_width<Half>)};
    }
    static NOTCH_INLINE void store(std::int32_t* to, const joined_ints<Half>& a) noexcept {
        store_lane<Half>(to, a.low);
        store_lane<Half>(to + lane_width<Half>, a.high);
    }
    static NOTCH_INLINE joined_ints<Half> min(const joined_ints<Half>& a, const joined_ints<Half>& b) noexcept {
        return {lane_min(a.low, b.low), lane_min(a.high, b.high)};
    }
    static NOTCH_INLINE joined_ints<Half> max(const joined_ints<Half>& a, const joined_ints<Half>& b) noexcept {
        return {lane_max(a.low, b.low), lane_max(a.high, b.high)};
    }
};

/// See int_lane.hpp.
template <class Half> struct lane_floats<joined_ints<Half>> {
    using type = joined_floats<float_lane<Half>>; ///< the companion
    static NOTCH_INLINE type load(const float* from) noexcept {
        return {load_floats<Half>(from), load_floats<Half>(from + lane_width<Half>)};
    }
};

/// See int_lane.hpp.
template <class Half> struct q31_products<joined_ints<Half>> {
    using ints = joined_ints<Half>; ///< the lane
    static NOTCH_INLINE ints single(const ints& x, const ints& multipliers, const ints& exponents) noexcept {
        return {q31_products<Half>::single(x.low, multipliers.low, exponents.low),
                q31_products<Half>::single(x.high, multipliers.high, exponents.high)};
    }
    static NOTCH_INLINE ints twice(const ints& x, const ints& multipliers, const ints& exponents) noexcept {
        return {q31_products<Half>::twice(x.low, multipliers.low, exponents.low),
                q31_products<Half>::twice(x.high, multipliers.high, exponents.high)};
    }
};

template <class Arch> struct wide_lane : wide_lane<typename Arch::parent> {};

/// The lane itself.
template <> struct wide_lane<scalar> {
    using type = lane_of<scalar>; ///< the lane
};

#if defined(__SSE4_1__)
/// The lane itself.
template <> struct wide_lane<sse41> {
    using type = lane_of<sse41>; ///< the lane
};
#endif
#if defined(__AVX2__)
/// Sixteen numbers.
template <> struct wide_lane<avx2> {
    using type = joined_ints<avx2_ints>; ///< the lane
};
#endif
#if defined(__AVX512F__) && defined(__AVX512BW__)
/// Sixty-four numbers.
template <> struct wide_lane<avx512bw> {
    using type = joined_ints<joined_ints<avx512_ints>>; ///< the lane
};
#endif
#if defined(__aarch64__) && defined(__ARM_NEON)
/// The lane itself.
template <> struct wide_lane<neon64> {
    using type = lane_of<neon64>; ///< the lane
};
#endif

/// @endcond

/// What an instruction set stores tiles with.
template <class Arch> using wide_lane_of = typename wide_lane<Arch>::type;

/// The lane for the columns that do not fill a lane: one of its two, half a register, one number.
template <lane Lane> struct narrower_lane {
    using type = std::int32_t; ///< the lane
};
/// One of its two.
template <class Half> struct narrower_lane<joined_ints<Half>> {
    using type = Half; ///< the lane
};
#if defined(__AVX512F__) && defined(__AVX512BW__)
/// Half a register.
template <> struct narrower_lane<avx512_ints> {
    using type = avx2_ints; ///< the lane
};
#endif

} // namespace notch::simd

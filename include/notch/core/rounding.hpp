/// @file
/// The rounding rules. Each exists once, in two forms that agree:
///
///     round(x)           a real number (float or a SIMD lane of floats) to the nearest integer
///     shift_right(a, n)  an int32 (or a SIMD lane of them) divided by 2^n,  = round(a / 2^n)
///
/// | policy       | rule                              | -2.5 | -1.5 | -0.5 | 0.5 | 1.5 | 2.5 |
/// |--------------|-----------------------------------|------|------|------|-----|-----|-----|
/// | nearest_even | nearest, ties to even             |  -2  |  -2  |  0   |  0  |  2  |  2  |
/// | nearest_up   | nearest, ties towards +infinity   |  -2  |  -1  |  0   |  1  |  2  |  3  |
/// | nearest_away | nearest, ties away from zero      |  -3  |  -2  |  -1  |  1  |  2  |  3  |
/// | toward_zero  | drop the fraction                 |  -2  |  -1  |  0   |  0  |  1  |  2  |
/// | stochastic   | up with probability = fraction    |  floor(x + u), u uniform in [0, 1)   |
///
/// How the shift works: with t = 2^n - 1, a = q 2^n + r, q = a >> n (floor), r = a & t in [0, t]. The
/// result is q + ((r + c) >> n), where c decides which remainders carry. r + c never leaves int32 for
/// n <= 30, whatever a is: there is no overflow near the ends of int32, and a shift by 0 adds nothing.
/// Only + - & ~ >> occur, so the text serves an int32_t and a SIMD lane alike. Where the caller knows that a has room,
/// `shift_right_bounded`, where a rule has it, adds the half before the shift: the textbook form.
///
/// Users add rules of their own: a struct with the two functions, in any namespace (docs/extending).
#pragma once

#include <notch/core/config.hpp>
#include <notch/core/random.hpp>

#include <concepts>
#include <cstdint>

namespace notch {

namespace detail {

/// Truncates towards zero. Precondition: |x| < 2^31, as everywhere before a code is made.
NOTCH_INLINE float truncate(float x) noexcept { return static_cast<float>(static_cast<std::int32_t>(x)); }

/// 1 where a == b, else 0.
NOTCH_INLINE float one_where_equal(float a, float b) noexcept { return a == b ? 1.0F : 0.0F; }

/// 1 where a < b, else 0.
NOTCH_INLINE float one_where_less(float a, float b) noexcept { return a < b ? 1.0F : 0.0F; }

/// Nearest integer, ties to even, independent of the floating-point environment.
/// Precondition: |x| < 2^31.
NOTCH_INLINE float nearest(float x) noexcept {
    const auto whole = static_cast<std::int32_t>(x);
    const float fraction = x - static_cast<float>(whole); // exact, has the sign of x
    const std::int32_t odd = whole & 1;
    const std::int32_t up =
        static_cast<std::int32_t>(fraction > 0.5F) | (static_cast<std::int32_t>(fraction == 0.5F) & odd);
    const std::int32_t down =
        static_cast<std::int32_t>(fraction < -0.5F) | (static_cast<std::int32_t>(fraction == -0.5F) & odd);
    return static_cast<float>(whole + up - down);
}

/// The low n bits set, as a lane: t = 2^n - 1.
template <class Lane, class Count> NOTCH_INLINE constexpr Lane low_bits(Count n) noexcept {
    return (Lane(1) << n) - Lane(1);
}

} // namespace detail

/// Nearest, ties to even: IEEE 754 roundTiesToEven, ONNX QuantizeLinear, the default of notch.
struct nearest_even {
    /// Rounds a float or a lane of floats. Precondition: |x| < 2^31.
    template <class Real> [[nodiscard]] NOTCH_INLINE static Real round(Real x) noexcept {
        using detail::nearest;
        return nearest(x);
    }

    /// round(a / 2^n), exact for every a. Precondition: 0 <= n <= 30.
    template <class Lane, class Count>
    [[nodiscard]] NOTCH_INLINE static constexpr Lane shift_right(Lane a, Count n) noexcept {
        const Lane t = detail::low_bits<Lane>(n);
        const Lane floor = a >> n;
        return floor + (((a & t) + (t >> 1) + (floor & t & Lane(1))) >> n);
    }

    /// The same in fewer operations. Precondition: 0 <= n <= 30 and |a| + 2^(n-1) < 2^31.
    template <class Lane, class Count>
    [[nodiscard]] NOTCH_INLINE static constexpr Lane shift_right_bounded(Lane a, Count n) noexcept {
        const Lane t = detail::low_bits<Lane>(n);
        return (a + (t >> 1) + ((a >> n) & (t & Lane(1)))) >> n;
    }
};

/// Nearest, ties towards +infinity: floor(x + 1/2), the rule of most fixed-point hardware.
struct nearest_up {
    /// Rounds a float or a lane of floats. Precondition: |x| < 2^31.
    template <class Real> [[nodiscard]] NOTCH_INLINE static Real round(Real x) noexcept {
        using detail::nearest;
        using detail::one_where_equal;
        const Real even = nearest(x);
        return even + one_where_equal(x - even, Real(0.5F));
    }

    /// round(a / 2^n), exact for every a. Precondition: 0 <= n <= 30.
    template <class Lane, class Count>
    [[nodiscard]] NOTCH_INLINE static constexpr Lane shift_right(Lane a, Count n) noexcept {
        const Lane t = detail::low_bits<Lane>(n);
        return (a >> n) + (((a & t) + (t >> 1) + (t & Lane(1))) >> n);
    }

    /// The same in fewer operations. Precondition: 0 <= n <= 30 and |a| + 2^(n-1) < 2^31.
    template <class Lane, class Count>
    [[nodiscard]] NOTCH_INLINE static constexpr Lane shift_right_bounded(Lane a, Count n) noexcept {
        const Lane t = detail::low_bits<Lane>(n);
        return (a + ((t >> 1) + (t & Lane(1)))) >> n;
    }
};

/// Nearest, ties away from zero: std::round, the second rounding of gemmlowp's output stage.
struct nearest_away {
    /// Rounds a float or a lane of floats. Precondition: |x| < 2^31.
    template <class Real> [[nodiscard]] NOTCH_INLINE static Real round(Real x) noexcept {
        using detail::nearest;
        using detail::one_where_equal;
        using detail::one_where_less;
        const Real even = nearest(x);
        const Real above = one_where_equal(x - even, Real(0.5F)) * one_where_less(Real(0.0F), x);
        const Real below = one_where_equal(even - x, Real(0.5F)) * one_where_less(x, Real(0.0F));
        return even + above - below;
    }

    /// round(a / 2^n), exact for every a. Precondition: 0 <= n <= 30.
    template <class Lane, class Count>
    [[nodiscard]] NOTCH_INLINE static constexpr Lane shift_right(Lane a, Count n) noexcept {
        const Lane t = detail::low_bits<Lane>(n);
        const Lane negative = a >> 31;
        return (a >> n) + (((a & t) + (t >> 1) + (~negative & t & Lane(1))) >> n);
    }
};

/// Towards zero: drop the fraction, as integer division in C++.
struct toward_zero {
    /// Rounds a float or a lane of floats. Precondition: |x| < 2^31.
    template <class Real> [[nodiscard]] NOTCH_INLINE static Real round(Real x) noexcept {
        using detail::truncate;
        return truncate(x);
    }

    /// round(a / 2^n), exact for every a. Precondition: 0 <= n <= 30.
    template <class Lane, class Count>
    [[nodiscard]] NOTCH_INLINE static constexpr Lane shift_right(Lane a, Count n) noexcept {
        const Lane t = detail::low_bits<Lane>(n);
        const Lane negative = a >> 31;
        return (a >> n) + (((a & t) + (t & negative)) >> n);
    }
};

/// Stochastic: up with a probability equal to the fraction, so that the expectation is x itself.
///
/// The randomness is an argument, `random` in [0, 2^31), made by `counter_random(seed, index)`
/// from the element's index: the result depends on the seed and the position, never on the order
/// of work, the number of threads or the instruction set.
struct stochastic {
    /// floor(x + random / 2^31), exact: the bits of x below 2^-31 cannot change the result. Precondition: |x| < 2^31.
    [[nodiscard]] NOTCH_INLINE static float round(float x, std::int32_t random) noexcept {
        const double scaled = static_cast<double>(x) * 2147483648.0;
        auto floor = static_cast<std::int64_t>(scaled);
        floor -= static_cast<std::int64_t>(static_cast<double>(floor) > scaled);
        return static_cast<float>((floor + random) >> 31);
    }

    /// floor(a / 2^n + random / 2^31), exact for every a. Precondition: 0 <= n <= 30, random in [0, 2^31).
    template <class Lane, class Count>
    [[nodiscard]] NOTCH_INLINE static constexpr Lane shift_right(Lane a, Count n, Lane random) noexcept {
        const Lane t = detail::low_bits<Lane>(n);
        return (a >> n) + (((a & t) + (random >> (Count(31) - n))) >> n);
    }
};

/// A rule that needs nothing but the number.
template <class R>
concept deterministic_rounding = requires(float x, std::int32_t a, int n) {
    { R::round(x) } -> std::same_as<float>;
    { R::shift_right(a, n) } -> std::same_as<std::int32_t>;
};

/// A rule that also takes 31 random bits.
template <class R>
concept random_rounding = requires(float x, std::int32_t a, int n, std::int32_t random) {
    { R::round(x, random) } -> std::same_as<float>;
    { R::shift_right(a, n, random) } -> std::same_as<std::int32_t>;
};

/// A rounding rule: `static float round(float)` and `static int32_t shift_right(int32_t, int)` that
/// agree with each other, or the same two with 31 random bits as last argument.
template <class R>
concept rounding = deterministic_rounding<R> || random_rounding<R>;

} // namespace notch

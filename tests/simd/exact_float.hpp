/// @file
/// Exact arithmetic on floats for the tests: sign, a 128-bit integer and an exponent. No floating-point
/// operation occurs here, so nothing a compiler or a control register does to them can agree by accident.
#pragma once

#include <notch/core/bits.hpp>
#include <notch/core/rounding.hpp>
#include <notch/simd/elementwise.hpp>

#include <bit>
#include <cstddef>
#include <cstdint>
#include <tuple>
#include <vector>

namespace exact {

__extension__ using wide = unsigned __int128;

/// (-1)^negative * mantissa * 2^exponent.
struct number {
    bool negative = false;
    wide mantissa = 0;
    int exponent = 0;
};

inline int bit_length(wide value) {
    const auto high = static_cast<std::uint64_t>(value >> 64);
    return high != 0 ? 128 - std::countl_zero(high) : 64 - std::countl_zero(static_cast<std::uint64_t>(value));
}

inline number of(double x) {
    const auto bits = std::bit_cast<std::uint64_t>(x);
    const auto exponent = static_cast<int>((bits >> 52) & 0x7ff);
    const std::uint64_t fraction = bits & 0x000f'ffff'ffff'ffffULL;
    return {(bits >> 63) != 0, exponent == 0 ? fraction : fraction | (1ULL << 52),
            exponent == 0 ? -1074 : exponent - 1075};
}

inline number of(float x) {
    const auto bits = std::bit_cast<std::uint32_t>(x);
    const auto exponent = static_cast<int>((bits >> 23) & 0xff);
    const std::uint32_t fraction = bits & 0x007f'ffffU;
    return {(bits >> 31) != 0, exponent == 0 ? fraction : fraction | (1U << 23), exponent == 0 ? -149 : exponent - 150};
}

/// The nearest number with `bits` significant bits, ties to even, without limits of the exponent.
/// `sticky` says that the true mantissa is a little larger than the given one.
inline number rounded(number x, int bits, bool sticky = false) {
    const int excess = bit_length(x.mantissa) - bits;
    if (excess <= 0)
        return x;
    const wide half = wide{1} << (excess - 1);
    const wide rest = x.mantissa & ((wide{1} << excess) - 1);
    wide kept = x.mantissa >> excess;
    if (rest > half || (rest == half && (sticky || (kept & 1) != 0)))
        ++kept;
    return {x.negative, kept, x.exponent + excess};
}

/// a * b. Precondition: the mantissas have 128 bits together.
inline number product(number a, number b) {
    return {a.negative != b.negative, a.mantissa * b.mantissa, a.exponent + b.exponent};
}

/// The quotient with `bits` significant bits. Precondition: b is not 0, its mantissa and `bits` have at most 64 bits each.
inline number quotient(number a, number b, int bits) {
    const int shift = 127 - bit_length(a.mantissa);
    const wide scaled = a.mantissa == 0 ? 0 : a.mantissa << shift;
    return rounded({a.negative != b.negative, scaled / b.mantissa, a.exponent - shift - b.exponent}, bits,
                   scaled % b.mantissa != 0);
}

/// The bits of the number as a float; infinite where it is too large. Precondition: zero, or normal, with at most 24 bits.
inline std::uint32_t float_bits(number x) {
    const std::uint32_t sign = x.negative ? 0x8000'0000U : 0U;
    if (x.mantissa == 0)
        return sign;
    const int length = bit_length(x.mantissa);
    const int exponent = x.exponent + length - 1;
    if (exponent > 127)
        return sign | 0x7f80'0000U;
    const auto mantissa =
        static_cast<std::uint32_t>(length <= 24 ? x.mantissa << (24 - length) : x.mantissa >> (length - 24));
    return sign | (static_cast<std::uint32_t>(exponent + 126) << 23) + mantissa;
}

/// float(double(x) * double(1 / scale)), in exact arithmetic.
inline number scaled(float x, double scale) {
    return rounded(rounded(product(of(x), quotient(of(1.0), of(scale), 53)), 53), 24);
}

/// floor(x * 2^31), saturated to +-2^60: enough for every rounding rule, with the lost bits in `sticky`.
struct fixed {
    std::int64_t value;
    bool sticky;
};

inline fixed to_fixed(number x) {
    constexpr std::int64_t most = std::int64_t{1} << 60;
    const int shift = x.exponent + 31;
    if (x.mantissa == 0)
        return {0, false};
    if (bit_length(x.mantissa) + shift > 60)
        return {x.negative ? -most : most, false};
    const wide kept = shift >= 0 ? x.mantissa << shift : shift <= -128 ? 0 : x.mantissa >> -shift;
    const bool lost = shift < 0 && (shift <= -128 || (kept << -shift) != x.mantissa);
    const auto magnitude = static_cast<std::int64_t>(kept);
    return {x.negative ? -magnitude - (lost ? 1 : 0) : magnitude, lost};
}

/// Half way down: nearest, ties towards -infinity. A rule from outside the library that knows floats only.
struct nearest_down {
    static float round(float x) {
        const auto whole = static_cast<std::int32_t>(x);
        const float fraction = x - static_cast<float>(whole);
        return static_cast<float>(whole + (fraction > 0.5F ? 1 : 0) - (fraction <= -0.5F ? 1 : 0));
    }
    static std::int32_t shift_right(std::int32_t a, int n) { return -notch::nearest_up::shift_right(-a, n); }
};

constexpr std::int64_t one = std::int64_t{1} << 31;

inline std::int64_t round_with(notch::nearest_even, std::int64_t floor, std::int64_t rest, bool sticky, std::int32_t) {
    return floor + (rest > one / 2 || (rest == one / 2 && (sticky || floor % 2 != 0)));
}
inline std::int64_t round_with(notch::nearest_up, std::int64_t floor, std::int64_t rest, bool, std::int32_t) {
    return floor + (rest >= one / 2);
}
inline std::int64_t round_with(notch::nearest_away, std::int64_t floor, std::int64_t rest, bool sticky, std::int32_t) {
    return floor + (rest > one / 2 || (rest == one / 2 && (sticky || floor >= 0)));
}
inline std::int64_t round_with(notch::toward_zero, std::int64_t floor, std::int64_t rest, bool sticky, std::int32_t) {
    return floor + (floor < 0 && (rest > 0 || sticky));
}
inline std::int64_t round_with(nearest_down, std::int64_t floor, std::int64_t rest, bool sticky, std::int32_t) {
    return floor + (rest > one / 2 || (rest == one / 2 && sticky));
}
inline std::int64_t round_with(notch::stochastic, std::int64_t floor, std::int64_t rest, bool, std::int32_t random) {
    return floor + (rest + random >= one);
}

/// The code of a real, in exact arithmetic.
template <class Rule>
std::int32_t code(float x, double scale, std::int32_t zero_point, notch::code_range codes, std::int32_t random = 0) {
    const fixed f = to_fixed(scaled(x, scale));
    const std::int64_t floor = f.value >> 31;
    const std::int64_t wanted = round_with(Rule{}, floor, f.value - floor * one, f.sticky, random) + zero_point;
    return static_cast<std::int32_t>(wanted < codes.lowest    ? codes.lowest
                                     : wanted > codes.highest ? codes.highest
                                                              : wanted);
}

/// The instruction sets whose kernels this file is compiled for.
using archs = std::tuple<notch::simd::scalar
#if defined(__SSE4_1__)
                         ,
                         notch::simd::sse41
#endif
#if defined(__AVX2__)
                         ,
                         notch::simd::avx2
#endif
#if defined(__AVX512F__) && defined(__AVX512BW__)
                         ,
                         notch::simd::avx512bw
#endif
#if defined(__aarch64__) && defined(__ARM_NEON)
                         ,
                         notch::simd::neon64
#endif
                         >;

/// Memory with a guard zone on either side, which starts `offset` elements behind an aligned address.
template <class T> class guarded {
public:
    guarded(std::size_t count, std::size_t offset)
        : memory_(count + offset + 2 * zone, guard()), begin_(zone + offset), count_(count) {}

    T* data() { return memory_.data() + begin_; }
    /// True where nothing beside the elements was written.
    bool is_intact() const {
        for (std::size_t i = 0; i < memory_.size(); ++i)
            if ((i < begin_ || i >= begin_ + count_) && !(memory_[i] == guard()))
                return false;
        return true;
    }

private:
    static constexpr std::size_t zone = 128;
    static constexpr T guard() { return static_cast<T>(77); }
    std::vector<T> memory_;
    std::size_t begin_;
    std::size_t count_;
};

} // namespace exact

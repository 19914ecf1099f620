/// @file
/// Floats and doubles that the optimizer cannot look through.
#pragma once

#include <notch/core/config.hpp>

#include <concepts>
#include <type_traits>

namespace notch::simd::detail {

/// The number itself, at a point the optimizer cannot look through. Under -ffast-math clang 14 moves a division across a
/// product: x * (1 / s) becomes a float division x / s, which then is an estimate. A reciprocal that passes here stays one.
template <std::floating_point T> [[nodiscard]] NOTCH_INLINE constexpr T as_computed(T x) noexcept {
    if (std::is_constant_evaluated())
        return x;
#if defined(__x86_64__)
    asm("" : "+x"(x));
    return x;
#elif defined(__aarch64__)
    asm("" : "+w"(x));
    return x;
#else
    volatile T stored = x;
    return stored;
#endif
}

} // namespace notch::simd::detail

/// @file
/// Codes of a run to reals.
///
///     dequantize_run   dst[i] = float(scale * (code[i] - zero))
///
/// The product is a double product, rounded once to float: a scale has at most 31 significant bits (a
/// q31) and a difference of codes 9, so the double product is exact.
///
/// Where the scale is a float, a float product is the same number, and is what the kernels compute:
/// both operands are floats, and a float product is the exact product, rounded once. Flushing of
/// denormal numbers cannot tell the two apart either where scale >= 2^-100, since a product of such a
/// scale is zero or at least 2^-100. Below that the kernels take the double product.
#pragma once

#include <notch/core/config.hpp>
#include <notch/simd/arch.hpp>
#include <notch/simd/elementwise_isa.hpp>

#include <cstddef>
#include <cstdint>

namespace notch::simd {

namespace detail {

/// The scalar definition of dequantize_run.
template <class Code>
NOTCH_INLINE void dequantize_elements(const Code* codes, std::size_t count, double scale, std::int32_t zero_point,
                                      float* dst) noexcept {
    const double factor = as_computed(scale);
    for (std::size_t i = 0; i < count; ++i)
        dst[i] = static_cast<float>(factor * static_cast<double>(static_cast<std::int32_t>(codes[i]) - zero_point));
}

/// The same by lanes. Precondition: count >= width.
template <class Arch, bool Single, class Code>
NOTCH_INLINE void dequantize_lanes(const Code* codes, std::size_t count, double scale, std::int32_t zero_point,
                                   float* dst, write_path path) noexcept {
    using ops = elementwise<Arch>;
    using lane = typename ops::lane;
    constexpr std::size_t width = ops::width;
    const typename ops::factor factor(scale, static_cast<float>(scale));
    const auto real = [&](const Code* from) NOTCH_LAMBDA_INLINE {
        const lane difference = ops::differences(from, zero_point);
        return Single ? factor.times_single(difference) : factor.times_double(difference);
    };
    std::size_t i = 0;
    if constexpr (requires { ops::alignment; })
        if (path == write_path::past_caches && reinterpret_cast<std::uintptr_t>(dst) % sizeof(float) == 0) {
            while (i < count && reinterpret_cast<std::uintptr_t>(dst + i) % ops::alignment != 0)
                ++i;
            dequantize_elements(codes, i, scale, zero_point, dst);
            for (; i + 2 * width <= count; i += 2 * width) {
                ops::stream(dst + i, real(codes + i));
                ops::stream(dst + i + width, real(codes + i + width));
            }
            ops::fence();
        }
    for (; i + 2 * width <= count; i += 2 * width) {
        ops::store(dst + i, real(codes + i));
        ops::store(dst + i + width, real(codes + i + width));
    }
    for (; i + width <= count; i += width)
        ops::store(dst + i, real(codes + i));
    ops::store(dst + count - width, real(codes + count - width)); // overlaps the one before
}

} // namespace detail

/// Reals of `count` codes that share a scale: float(scale * (code - zero)).
template <class Arch, class Code>
void dequantize_run(const Code* codes, std::size_t count, double scale, std::int32_t zero_point, float* dst,
                    write_path path = write_path::through_caches) noexcept {
    if constexpr (elementwise<Arch>::width > 1)
        if (count >= elementwise<Arch>::width) {
            scale = detail::as_computed(scale);
            const bool is_single =
                scale >= 0x1p-100 && scale <= 0x1p127 && static_cast<double>(static_cast<float>(scale)) == scale;
            return is_single ? detail::dequantize_lanes<Arch, true>(codes, count, scale, zero_point, dst, path)
                             : detail::dequantize_lanes<Arch, false>(codes, count, scale, zero_point, dst, path);
        }
    detail::dequantize_elements(codes, count, scale, zero_point, dst);
}

} // namespace notch::simd

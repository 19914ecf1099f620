/// @file
/// add: the sum of two tensors of codes with power-of-two scales, rounded once.
///
///     e    = min(e_a, e_b)
///     x    = (a - a_zero) * 2^(e_a - e) + (b - b_zero) * 2^(e_b - e)                exact, |x| < 2^30
///     code = clamp(round(x * 2^(e - e_dst)) + dst_zero, lowest, highest)
///
/// One of the two shifts to the left is by 0. ReLU is output_codes::with_relu: no code below the zero point.
#pragma once

#include <notch/conv/image.hpp>
#include <notch/conv/output_codes.hpp>
#include <notch/conv/pixel_rows.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>

namespace notch {

namespace detail {

/// One operand of a sum: its zero point, and its shift to the common scale.
struct addend {
    std::int32_t zero_point;
    std::int32_t factor; ///< 2^(e_a - e)

    [[nodiscard]] NOTCH_INLINE std::int32_t operator()(std::int32_t code) const noexcept {
        return (code - zero_point) * factor;
    }
};

/// Sums of one pixel. All arguments are copies, which no store of a byte can change.
template <class A, class B, class T, class Sum>
NOTCH_INLINE void add_pixel(const A* x, std::ptrdiff_t step_x, const B* y, std::ptrdiff_t step_y, T* to,
                            std::ptrdiff_t step_to, std::size_t channels, Sum sum) noexcept {
    if (step_x == 1 && step_y == 1 && step_to == 1)
        for (std::size_t c = 0; c < channels; ++c)
            to[c] = sum(x[c], y[c]);
    else
        for (std::size_t c = 0; c < channels; ++c, x += step_x, y += step_y, to += step_to)
            *to = sum(*x, *y);
}

/// add once the arguments have been checked.
template <class Rounding, class A, class B, class T>
void add_rows(const strided_view<const A, 4>& a, addend from_a, const strided_view<const B, 4>& b, addend from_b,
              const code_shift<Rounding>& shift, const code_limits& limits, const strided_view<T, 4>& dst,
              std::size_t tasks, executor_ref run) {
    if (dst.size() == 0)
        return;
    const auto sum = [=](A x, B y)
                         NOTCH_LAMBDA_INLINE { return limits.template code<T>(shift(from_a(x) + from_b(y))); };
    for_each_row(dst.extent(0) * dst.extent(1), tasks, run, [&](std::size_t row) {
        const std::size_t n = row / dst.extent(1);
        const std::size_t h = row % dst.extent(1);
        for (std::size_t w = 0; w < dst.extent(2); ++w)
            add_pixel(pixel_of(a, n, h, w), channel_stride(a), pixel_of(b, n, h, w), channel_stride(b),
                      pixel_of(dst, n, h, w), channel_stride(dst), dst.extent(3), sum);
    });
}

/// The exponents of scales 2^22 apart at most: then a sum has 30 bits.
inline constexpr std::int32_t most_spread = 22;

} // namespace detail

/// Adds two tensors. `a`, `b`: anything that is an image, see conv/image.hpp, of the same extents; one may be uint8_t and
/// the other int8_t. `dst`: the same extents, uint8_t or int8_t, any strides; it may be the view of `a` or `b` itself, and
/// must not overlap them otherwise. Allocates nothing.
/// Raises, before anything is written, shape_error for extents that differ; range_error for a zero point or exponent
/// outside its range, an empty range of codes, and |e_a - e_b| > 22; unsupported_error for a real scale.
template <deterministic_rounding Rounding = nearest_even, detail::image_source A, detail::image_source B, class Dst,
          executor Executor = serial>
void add(const A& a, const B& b, const output_codes& output, Dst&& dst, const task_options& options = {},
         Executor&& run = {}) {
    const auto left = detail::image_of(a);
    const auto right = detail::image_of(b);
    const auto to = as_view(dst);
    using element = typename std::remove_cvref_t<decltype(to)>::element_type;
    static_assert(detail::code_type<element> && std::remove_cvref_t<decltype(to)>::rank == 4,
                  "add: the destination is [N, H, W, C] of uint8_t or int8_t, not const");
    if (left.codes.shape() != right.codes.shape())
        detail::raise<shape_error>("add: extents ", left.codes.shape(), " and ", right.codes.shape(), " differ");
    detail::check_destination("add", to.shape(), left.codes.shape());
    detail::check_power_of_two(left, "add");
    detail::check_power_of_two(right, "add");
    const detail::code_limits limits = detail::limits_of<element>(output, "add");
    const std::int32_t e = std::min(left.exponent, right.exponent);
    const std::int32_t spread = std::max(left.exponent, right.exponent) - e;
    if (spread > detail::most_spread)
        detail::raise<range_error>("add: scales 2^", left.exponent, " and 2^", right.exponent, " differ by 2^", spread,
                                   "; the limit is 2^", detail::most_spread);
    const auto addend = [e](std::int32_t zero_point, std::int32_t exponent) {
        return detail::addend{zero_point, std::int32_t{1} << (exponent - e)};
    };
    const detail::addend from_a = addend(left.zero_point, left.exponent);
    const detail::addend from_b = addend(right.zero_point, right.exponent);
    const detail::code_shift<Rounding> shift(output.exponent - e);
    const bool joins = detail::pixels_join(left.codes) && detail::pixels_join(right.codes) && detail::pixels_join(to);
    detail::add_rows(joins ? detail::joined(left.codes) : left.codes, from_a,
                     joins ? detail::joined(right.codes) : right.codes, from_b, shift, limits,
                     joins ? detail::joined(to) : to, options.tasks, detail::executor_ref(run));
}

} // namespace notch

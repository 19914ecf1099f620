/// @file
/// Sums, means and copies of codes whose scales are no powers of two: one multiplication by a q31 each, rounded once, ties up.
///
///     sum     code = clamp(floor(x fa + y fb + 1/2) + zero)         x, y: codes less their zero points
///     mean    code = clamp(multiply_single(sum of x, f / count) + zero)
///     copy    code = clamp(multiply_single(x, f) + zero)
///
/// The sum of two products is made in 64 bits at the finer of the two scales of the factors, so it is rounded once too.
/// For powers of two conv/add.hpp, average_pool2d.hpp and concat_channels.hpp do this by shifts.
#pragma once

#include <notch/core/fixed_point.hpp>

#include <algorithm>
#include <cstdint>

namespace notch::detail {

/// Zero point and bounds of codes.
struct code_target {
    std::int32_t zero_point;
    std::int32_t lowest;
    std::int32_t highest;
    [[nodiscard]] std::uint8_t code(std::int32_t x) const noexcept {
        const std::int32_t bounded = std::clamp(x, -(1 << 20), 1 << 20) + zero_point;
        return static_cast<std::uint8_t>(std::clamp(bounded, lowest, highest));
    }
};

/// x * fa + y * fb, rounded once. |x|, |y| < 2^9; factors in [2^-20, 2^20].
class scaled_sum {
public:
    scaled_sum(q31 a, q31 b) noexcept {
        const std::int32_t exponent = std::max(a.exponent, b.exponent);
        a_ = a.multiplier >> std::min(exponent - a.exponent, 31);
        b_ = b.multiplier >> std::min(exponent - b.exponent, 31);
        shift_ = 31 - exponent;
    }
    [[nodiscard]] std::int32_t operator()(std::int32_t x, std::int32_t y) const noexcept {
        const std::int64_t exact = std::int64_t{x} * a_ + std::int64_t{y} * b_;
        return saturate_to_int32(((exact >> (shift_ - 1)) + 1) >> 1);
    }
    /// The integer weights and the shift, for a simulation.
    [[nodiscard]] std::int64_t a() const noexcept { return a_; }
    [[nodiscard]] std::int64_t b() const noexcept { return b_; }
    [[nodiscard]] int shift() const noexcept { return shift_; }

private:
    std::int64_t a_;
    std::int64_t b_;
    int shift_;
};

} // namespace notch::detail

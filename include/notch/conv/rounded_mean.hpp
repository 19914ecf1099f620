/// @file
/// The rounding of a mean: a sum of codes divided by how many there are, times a power of two, rounded once. Part of
/// average_pool2d and global_average_pool.
///
///     round(sum * 2^-shift / count) = Rounding::shift_right(4 q + f, 2),   q = floor of the quotient
///
/// f stands for the fraction: 0 for none, 1 below a half, 2 for a half, 3 above. So every rule that depends on nothing
/// else of a fraction (all deterministic rules of core/rounding.hpp) rounds the exact quotient, ties included.
#pragma once

#include <notch/core/config.hpp>
#include <notch/core/error.hpp>
#include <notch/core/rounding.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace notch::detail {

/// Codes whose sum fits an int32, less any zero point: 255 * count < 2^31.
inline constexpr std::size_t most_codes = 0x7fff'ffff / 255;

/// Raises range_error for more codes than a sum of int32 holds. `what`: the operation.
inline void check_code_count(std::uint64_t rows, std::uint64_t columns, std::string_view what) {
    if (rows > most_codes || columns > most_codes || rows * columns > most_codes)
        raise<range_error>(what, ": a mean of ", rows, " x ", columns, " codes; sums of int32 hold ", most_codes);
}

/// Raises range_error for a shift of a mean beyond 31.
inline void check_mean_shift(std::int32_t shift, std::string_view what) {
    if (shift < -31 || shift > 31)
        raise<range_error>(what, ": a shift of the mean by ", shift,
                           ", from the scale of the images to that of the result; "
                           "the limit is 31");
}

/// Rounds means of `count` codes. The magnitude of a result is at most 2^20: beyond every code.
template <deterministic_rounding Rounding> class rounded_mean {
public:
    /// Precondition: 1 <= count <= most_codes, |shift| <= 31.
    rounded_mean(std::size_t count, std::int32_t shift) noexcept
        : factor_(std::int64_t{1} << std::max(-shift, 0)),
          divisor_(static_cast<std::int64_t>(count) * (std::int64_t{1} << std::max(shift, 0))),
          inverse_(1.0 / static_cast<double>(divisor_)),
          is_narrow_(divisor_ < limit && 255 * static_cast<std::int64_t>(count) * factor_ < limit) {}

    /// True where narrow() may be called: the usual case, of which compilers make vectors.
    [[nodiscard]] bool is_narrow() const noexcept { return is_narrow_; }

    /// The mean of codes with a sum, in integers of 32 bits and an estimate of the quotient that is then corrected.
    [[nodiscard]] NOTCH_INLINE std::int32_t narrow(std::int32_t sum) const noexcept {
        const auto divisor = static_cast<std::int32_t>(divisor_);
        const std::int32_t number = sum * static_cast<std::int32_t>(factor_);
        std::int32_t q = static_cast<std::int32_t>(static_cast<double>(number) * inverse_); // off by one at most
        std::int32_t r = number - q * divisor;
        const std::int32_t below = r < 0 ? 1 : 0;
        q -= below;
        r += below * divisor;
        const std::int32_t above = r >= divisor ? 1 : 0;
        q += above;
        r -= above * divisor;
        return rounded(q, r, divisor);
    }

    /// The same for every count and shift.
    [[nodiscard]] std::int32_t wide(std::int32_t sum) const noexcept {
        const std::int64_t number = sum * factor_;
        std::int64_t q = number / divisor_;
        std::int64_t r = number % divisor_;
        if (r < 0) {
            --q;
            r += divisor_;
        }
        return rounded(static_cast<std::int32_t>(std::clamp<std::int64_t>(q, -largest, largest)), r, divisor_);
    }

private:
    static constexpr std::int64_t limit = std::int64_t{1} << 30;
    static constexpr std::int32_t largest = 1 << 20;

    /// Precondition: 0 <= r < divisor.
    template <class Int>
    [[nodiscard]] static NOTCH_INLINE std::int32_t rounded(std::int32_t q, Int r, Int divisor) noexcept {
        const std::int32_t f = (r != 0 ? 1 : 0) + (2 * r >= divisor ? 1 : 0) + (2 * r > divisor ? 1 : 0);
        const std::int32_t bounded = std::min(std::max(q, -largest), largest);
        return Rounding::shift_right(4 * bounded + f, 2);
    }

    std::int64_t factor_;
    std::int64_t divisor_;
    double inverse_;
    bool is_narrow_;
};

} // namespace notch::detail

/// @file
/// Stage: power-of-two requantization, a rounding shift.
///
///     code = round(sum * 2^(e_sum[c] - e_out)) = shift_right(sum, n),   n = e_out - e_sum[c]
///
/// e_sum[c] = exponent of the activations + exponent of the weights of output c. A negative n is a shift to the left and
/// must not leave int32. From n = 31 on everything is 0, which the stage knows from the bound of the sums.
#pragma once

#include <notch/core/random.hpp>
#include <notch/core/rounding.hpp>
#include <notch/epilogue/stage.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>

namespace notch {

namespace detail {

/// Shift counts of the columns: offset - exponents[c], in [-30, 30] once checked.
struct shift_counts {
    std::int32_t offset = 0;
    const std::int32_t* exponents = nullptr;
    bool has_left = false;
    bool has_room = false;    ///< sums stay so far from the ends of int32 that a half can be added
    bool fits_floats = false; ///< sums are floats without rounding

    [[nodiscard]] std::int32_t of(std::size_t column) const noexcept {
        return offset - (exponents == nullptr ? 0 : exponents[column]);
    }

    /// Follows the range of the sums; raises range_error where a shift cannot be done exactly.
    void check(epilogue_problem& problem) {
        std::int32_t least = std::numeric_limits<std::int32_t>::max();
        std::int32_t most = std::numeric_limits<std::int32_t>::min();
        const std::size_t lists = exponents == nullptr ? 1 : problem.columns;
        for (std::size_t c = 0; c < lists; ++c) {
            least = std::min(least, of(c));
            most = std::max(most, of(c));
        }
        const std::int64_t magnitude = std::max(-problem.lowest, problem.highest);
        if (most > 30 && magnitude >= (std::int64_t{1} << 29))
            raise<range_error>(quoted(problem.name), ": a shift by ", most, " of sums up to ", magnitude,
                               "; beyond 30 they must stay below 2^29");
        has_left = least < 0;
        if (least < -30 || (has_left && magnitude > (std::int64_t{std::numeric_limits<std::int32_t>::max()} >> -least)))
            raise<range_error>(quoted(problem.name), ": a shift to the left by ", -least, " of sums up to ", magnitude,
                               " leaves int32; the output scale is too fine");
        const int left = has_left ? -least : 0;
        const std::int64_t half = most > 0 ? std::int64_t{1} << (std::min(most, 30) - 1) : 0;
        has_room = (magnitude << left) + half <= std::numeric_limits<std::int32_t>::max();
        fits_floats = magnitude <= (std::int64_t{1} << 24);
        const int right = least > 0 ? std::min(least, 30) : 0;
        problem.lowest = (problem.lowest * (std::int64_t{1} << left) >> right);
        problem.highest = (problem.highest * (std::int64_t{1} << left) >> right) + 1;
    }
};

/// The rounding shift of some columns.
template <class Rounding, simd::lane Lane> struct column_shift {
    Lane right;
    Lane left;
    bool has_left;
    bool has_room;

    NOTCH_INLINE column_shift(const shift_counts& counts, const column_site<Lane>& site) noexcept
        : right(Lane(counts.offset) - site.each(counts.exponents)), left(simd::lane_max(Lane(0) - right, Lane(0))),
          has_left(counts.has_left), has_room(counts.has_room) {
        right = simd::lane_min(simd::lane_max(right, Lane(0)), Lane(30));
    }
    NOTCH_INLINE Lane operator()(Lane x, std::size_t /*row*/) const noexcept {
        if (has_left)
            x = x << left;
        if constexpr (requires { Rounding::shift_right_bounded(x, right); })
            if (has_room)
                return Rounding::shift_right_bounded(x, right);
        return Rounding::shift_right(x, right);
    }
};

/// The shift as a product of floats: sums below 2^24, times a power of two, are exact, and the conversion to integers
/// rounds to nearest even. It takes three instructions where shifts take five.
template <simd::lane Lane> struct float_column_shift {
    simd::float_lane<Lane> factor; ///< 2^-count

    NOTCH_INLINE float_column_shift(const shift_counts& counts, const column_site<Lane>& site) noexcept
        : factor(powers_of_two(simd::lane_max(site.each(counts.exponents) - Lane(counts.offset), Lane(-30)))) {}
    NOTCH_INLINE Lane operator()(Lane x, std::size_t /*row*/) const noexcept {
        return nearest_ints(to_floats(x) * factor);
    }
};

/// A shift to the right of sums that have room for a half: what most columns need, without a question per number.
template <class Rounding, simd::lane Lane> struct bounded_column_shift {
    Lane right;
    NOTCH_INLINE Lane operator()(Lane x, std::size_t /*row*/) const noexcept {
        return Rounding::shift_right_bounded(x, right);
    }
};

/// The same under a rule that takes random bits: a function of the seed and the place in the product.
template <random_rounding Rounding, simd::lane Lane> struct column_shift<Rounding, Lane> {
    column_shift<nearest_even, Lane> counts;
    Lane kept; ///< all bits, or none for a shift by more than 30: there the random bits would carry too often
    std::size_t column;
    std::size_t columns;
    std::uint64_t seed;

    NOTCH_INLINE Lane operator()(Lane x, std::size_t row) const noexcept {
        std::int32_t random[simd::lane_width<Lane>];
        for (std::size_t i = 0; i < simd::lane_width<Lane>; ++i)
            random[i] = counter_random(seed, row * columns + column + i);
        return Rounding::shift_right(Lane((counts.has_left ? Lane(x << counts.left) : x) & kept), counts.right,
                                     simd::load_lane<Lane>(random));
    }
};

/// The shift of some columns.
template <class Rounding, simd::lane Lane>
[[nodiscard]] NOTCH_INLINE auto shift_of_columns(const shift_counts& counts, const column_site<Lane>& site,
                                                 std::uint64_t seed) noexcept {
    if constexpr (random_rounding<Rounding>)
        return column_shift<Rounding, Lane>{{counts, site},
                                            ~((Lane(30 - counts.offset) + site.each(counts.exponents)) >> 31),
                                            site.column,
                                            site.problem.columns,
                                            seed};
    else
        return column_shift<Rounding, Lane>(counts, site);
}

/// Calls next with the shift of some columns; of registers the bounded one, where that is right for all columns.
template <class Rounding, simd::lane Lane, class Next>
NOTCH_INLINE void with_shift(const shift_counts& counts, const column_site<Lane>& site, std::uint64_t seed,
                             const Next& next) {
    if constexpr (std::same_as<Rounding, nearest_even> && requires(Lane n) { nearest_ints(powers_of_two(n)); }) {
        if (counts.fits_floats) {
            next(float_column_shift<Lane>(counts, site));
            return;
        }
    } else if constexpr (!std::same_as<Lane, std::int32_t> && requires(Lane x) { Rounding::shift_right_bounded(x, x); })
        if (!counts.has_left && counts.has_room) {
            next(bounded_column_shift<Rounding, Lane>{column_shift<Rounding, Lane>(counts, site).right});
            return;
        }
    const auto shift = shift_of_columns<Rounding, Lane>(counts, site, seed);
    next(shift);
}

/// Describes the rounding shift of some columns, where it is one of plain_codes.
template <class Rounding, simd::lane Lane>
[[nodiscard]] NOTCH_INLINE bool describe_shift(const shift_counts& counts, plain_codes& codes, std::size_t at,
                                               const column_site<Lane>& site) noexcept {
    if constexpr (std::same_as<Rounding, nearest_even>) {
        if (!counts.has_left && (counts.fits_floats || counts.has_room)) {
            simd::store_lane<Lane>(codes.shifts + at, column_shift<Rounding, Lane>(counts, site).right);
            return codes.then_scale(counts.fits_floats ? plain_codes::scaling::short_shift
                                                       : plain_codes::scaling::shift);
        }
    }
    return false;
}

} // namespace detail

/// Requantizes to codes of scale 2^exponent. Activations and weights have power-of-two scales.
template <rounding Rounding = nearest_even> struct shift_requantize {
    std::int32_t exponent = 0; ///< e_out
    std::uint64_t seed = 0;    ///< of a random rounding rule; the index is row * columns + column

    /// Raises unsupported_error for scales that are no powers of two; range_error where a shift cannot be exact.
    void prepare(epilogue_problem& problem) {
        if (!problem.powers_of_two || problem.is_float)
            detail::raise<unsupported_error>(
                detail::quoted(problem.name),
                ": shift_requantize needs power-of-two scales "
                "of activations and weights; use fixed_point_requantize or real_requantize");
        counts_ = {exponent - problem.exponent, problem.exponents};
        counts_.check(problem);
        problem.exponents = nullptr;
        problem.exponent = exponent;
        problem.scales = nullptr;
        problem.scale = static_cast<float>(std::ldexp(1.0, exponent));
    }
    /// The shift of some columns.
    template <simd::lane Lane> [[nodiscard]] NOTCH_INLINE auto at(const column_site<Lane>& site) const noexcept {
        return detail::shift_of_columns<Rounding, Lane>(counts_, site, seed);
    }
    /// Calls next with the shift of some columns.
    template <simd::lane Lane, class Next>
    NOTCH_INLINE void with(const column_site<Lane>& site, const Next& next) const {
        detail::with_shift<Rounding, Lane>(counts_, site, seed, next);
    }

    /// Describes the shift of some columns.
    template <simd::lane Lane>
    [[nodiscard]] NOTCH_INLINE bool describe(plain_codes& codes, std::size_t at,
                                             const column_site<Lane>& site) const noexcept {
        return detail::describe_shift<Rounding, Lane>(counts_, codes, at, site);
    }

    detail::shift_counts counts_{}; ///< set by prepare
};

/// shift_requantize{exponent} rounds to nearest even.
shift_requantize(std::int32_t)->shift_requantize<>;

/// Shifts by given counts, whatever the scales: round(x / 2^count).
template <rounding Rounding = nearest_even> struct shift_right_by {
    std::int32_t count = 0; ///< in [-30, 30]; negative is a shift to the left
    std::uint64_t seed = 0; ///< of a random rounding rule

    /// Raises range_error where a shift cannot be exact.
    void prepare(epilogue_problem& problem) {
        counts_ = {count, nullptr};
        counts_.check(problem);
        problem.exponent += count;
        problem.scale = static_cast<float>(std::ldexp(static_cast<double>(problem.scale), count));
    }
    /// The shift of some columns.
    template <simd::lane Lane> [[nodiscard]] NOTCH_INLINE auto at(const column_site<Lane>& site) const noexcept {
        return detail::shift_of_columns<Rounding, Lane>(counts_, site, seed);
    }
    /// Calls next with the shift of some columns.
    template <simd::lane Lane, class Next>
    NOTCH_INLINE void with(const column_site<Lane>& site, const Next& next) const {
        detail::with_shift<Rounding, Lane>(counts_, site, seed, next);
    }

    /// Describes the shift of some columns.
    template <simd::lane Lane>
    [[nodiscard]] NOTCH_INLINE bool describe(plain_codes& codes, std::size_t at,
                                             const column_site<Lane>& site) const noexcept {
        return detail::describe_shift<Rounding, Lane>(counts_, codes, at, site);
    }

    detail::shift_counts counts_{}; ///< set by prepare
};

/// shift_right_by{count} rounds to nearest even.
shift_right_by(std::int32_t)->shift_right_by<>;

} // namespace notch

/// @file
/// Stages on codes: ReLU and its relatives, bounds of a code width, the zero point of the output.
///
/// They stand behind the requantization. A zero point is added after the activation, as ONNX orders it:
///
///     shift_requantize{-4} | relu{} | add_zero_point{3}        code = max(round(sum / 2^n), 0) + 3
#pragma once

#include <notch/core/bits.hpp>
#include <notch/epilogue/stage.hpp>

#include <algorithm>
#include <cstdint>
#include <limits>

namespace notch {

/// max(x, 0).
struct relu {
    /// max(x, 0).
    template <simd::lane Lane> [[nodiscard]] NOTCH_INLINE Lane operator()(Lane x) const noexcept {
        return simd::lane_max(x, Lane(0));
    }
    /// Negative numbers do not leave.
    void prepare(epilogue_problem& problem) const noexcept {
        problem.lowest = std::max<std::int64_t>(problem.lowest, 0);
        problem.highest = std::max<std::int64_t>(problem.highest, 0);
    }
    /// A clamp of codes.
    [[nodiscard]] NOTCH_INLINE bool describe(plain_codes& codes) const noexcept {
        return codes.then_clamp(0, std::numeric_limits<std::int32_t>::max());
    }
};

/// min(max(x, lowest), highest). ReLU6 is clamp{0, code of 6}.
struct clamp {
    std::int32_t lowest = 0;  ///< nothing below it leaves
    std::int32_t highest = 0; ///< nothing above it leaves

    /// The number, brought into the interval.
    template <simd::lane Lane> [[nodiscard]] NOTCH_INLINE Lane operator()(Lane x) const noexcept {
        return simd::lane_min(simd::lane_max(x, Lane(lowest)), Lane(highest));
    }
    /// Raises range_error for lowest > highest.
    void prepare(epilogue_problem& problem) const {
        if (lowest > highest)
            detail::raise<range_error>(detail::quoted(problem.name), ": clamp to [", lowest, ", ", highest,
                                       "], which is empty");
        problem.lowest = std::clamp<std::int64_t>(problem.lowest, lowest, highest);
        problem.highest = std::clamp<std::int64_t>(problem.highest, lowest, highest);
    }
    /// A clamp of codes.
    [[nodiscard]] NOTCH_INLINE bool describe(plain_codes& codes) const noexcept {
        return codes.then_clamp(lowest, highest);
    }
};

/// Clamps to the codes of a width, for outputs of fewer than eight bits.
template <bit_width Bits> [[nodiscard]] constexpr clamp clamp_to() noexcept {
    return {Bits::range.lowest, Bits::range.highest};
}

/// x + zero point of the output.
struct add_zero_point {
    std::int32_t zero_point = 0; ///< code of 0

    /// x + zero_point.
    template <simd::lane Lane> [[nodiscard]] NOTCH_INLINE Lane operator()(Lane x) const noexcept {
        return x + Lane(zero_point);
    }
    /// Raises range_error for a zero point outside [-128, 255].
    void prepare(epilogue_problem& problem) const {
        if (zero_point < -128 || zero_point > 255)
            detail::raise<range_error>(detail::quoted(problem.name), ": output zero point ", zero_point,
                                       " lies outside [-128, 255]");
        problem.lowest += zero_point;
        problem.highest += zero_point;
        problem.check_range("the sum with the output zero point");
    }
    /// An offset of codes.
    [[nodiscard]] NOTCH_INLINE bool describe(plain_codes& codes) const noexcept { return codes.then_add(zero_point); }
};

} // namespace notch

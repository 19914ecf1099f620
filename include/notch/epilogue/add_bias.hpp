/// @file
/// Stage: adds one int32 per output.
#pragma once

#include <notch/epilogue/stage.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>

namespace notch {

/// x + bias[column]; the bias has the scale of the sums (input scale * weight scale of the output).
struct add_bias {
    std::span<const std::int32_t> bias; ///< one per output

    /// Raises shape_error unless there is one per output; range_error where a sum could leave int32.
    void prepare(epilogue_problem& problem) const {
        if (bias.size() != problem.columns)
            detail::raise<shape_error>(detail::quoted(problem.name), ": ", bias.size(), " biases for ", problem.columns,
                                       " outputs");
        std::int32_t lowest = 0;
        std::int32_t highest = 0;
        for (const std::int32_t b : bias) {
            lowest = std::min(lowest, b);
            highest = std::max(highest, b);
        }
        problem.lowest += lowest;
        problem.highest += highest;
        problem.check_range("the sum with the bias");
    }
    /// Adds the biases of some columns.
    template <simd::lane Lane> [[nodiscard]] NOTCH_INLINE auto at(const column_site<Lane>& site) const noexcept {
        const Lane b = site.each(bias.data());
        return [b](Lane x, std::size_t) NOTCH_LAMBDA_INLINE { return x + b; };
    }
    /// Biases are added to sums.
    template <simd::lane Lane>
    [[nodiscard]] NOTCH_INLINE bool describe(plain_codes& codes, std::size_t at,
                                             const column_site<Lane>& site) const noexcept {
        return detail::describe_bias<Lane>(codes, at, site.each(bias.data()));
    }
};

} // namespace notch

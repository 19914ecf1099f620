/// @file
/// The numbers of a quantizer: one scale per block, zero points, channel order, seed.
///
/// Parameters belong to a granularity, not to one tensor: per-tensor parameters fit any tensor,
/// others fit every tensor that is cut into the same number of blocks along each axis (activations
/// of another batch size, say).
///
/// Channel order. Blocks work better when similar channels lie side by side (PTQ-SL reordering).
/// `output_order[r]` is the channel of the float tensor that stands in row r of the codes (axis 0),
/// `input_order` the same for axis 1; empty means as they come. Codes and blocks are in the new
/// order; `dequantize` and `fake_quantize` give the old order back.
#pragma once

#include <notch/core/config.hpp>
#include <notch/core/error.hpp>
#include <notch/core/int_math.hpp>
#include <notch/quant/granularity.hpp>
#include <notch/quant/quantizer.hpp>

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

namespace notch {

/// The parameters of a quantizer Q, see above. Members may be set freely: every use validates them.
template <quantizer_type Q> struct quant_params {
    Q policy{};                                    ///< the quantizer, with its run-time sizes
    std::vector<std::size_t> blocks{1};            ///< number of blocks along each axis
    std::vector<typename Q::scale_value> scales{}; ///< one per block, row-major over `blocks`
    std::vector<std::int32_t> zero_points{};       ///< one per block; empty unless Q is affine
    std::vector<std::uint32_t> output_order{};     ///< new position -> old channel of axis 0, or empty
    std::vector<std::uint32_t> input_order{};      ///< new position -> old channel of axis 1, or empty
    std::uint64_t seed = 0;                        ///< stream of a random rounding rule

    /// Number of blocks.
    [[nodiscard]] std::size_t count() const noexcept { return scales.size(); }
    /// The real scale of a block. Precondition: block < count().
    [[nodiscard]] double scale(std::size_t block) const noexcept { return Q::scale_policy::to_real(scales[block]); }
    /// The zero point of a block, 0 for a symmetric quantizer. Precondition: block < count().
    [[nodiscard]] std::int32_t zero_point(std::size_t block) const noexcept {
        return zero_points.empty() ? 0 : zero_points[block];
    }
};

namespace detail {

/// Raises an error unless `order` is empty or a permutation of 0 .. extent - 1.
template <class Error>
void check_order(const std::vector<std::uint32_t>& order, std::size_t extent, const char* which,
                 std::string_view name) {
    if (order.empty())
        return;
    if (order.size() != extent)
        raise<Error>(quoted(name), ": ", which, " has ", order.size(), " entries for ", extent, " channels");
    std::vector<bool> seen(extent, false);
    for (std::size_t i = 0; i < extent; ++i) {
        if (order[i] >= extent || seen[order[i]])
            raise<Error>(quoted(name), ": ", which, "[", i, "] = ", order[i],
                         order[i] >= extent ? " is not a channel of " : " occurs twice among ", extent);
        seen[order[i]] = true;
    }
}

/// How far a scale lies beyond [2^-100, 2^119]; 0 to `choices` within. Positive doubles are in the order of their bits, and
/// what is negative or no number has larger ones.
struct scale_distance {
    static constexpr auto lowest = std::bit_cast<std::uint64_t>(exp2_exact(min_scale_exponent));
    static constexpr auto choices = std::bit_cast<std::uint64_t>(exp2_exact(max_scale_exponent)) - lowest;
    [[nodiscard]] static NOTCH_INLINE std::uint64_t of(double scale) noexcept {
        return std::bit_cast<std::uint64_t>(scale) - lowest;
    }
};

/// True where all numbers lie in [lowest, highest]: a walk without a way out, which compilers turn into vectors.
[[nodiscard]] NOTCH_INLINE bool all_between(const std::vector<std::int32_t>& numbers, std::int32_t lowest,
                                            std::int32_t highest) noexcept {
    std::int32_t least = highest;
    std::int32_t most = lowest;
    for (const std::int32_t number : numbers) {
        least = std::min(least, number);
        most = std::max(most, number);
    }
    return least >= lowest && most <= highest;
}

/// Raises an error unless a scale is finite and lies in [2^-100, 2^119].
template <class Error> void check_scale(double scale, std::size_t block, std::string_view name) {
    if (scale_distance::of(scale) > scale_distance::choices)
        raise<Error>(quoted(name), ": scale ", scale, " of block ", block, " lies outside [2^", min_scale_exponent,
                     ", 2^", max_scale_exponent, "]");
}

/// True where all scales are scales and all zero points are codes.
template <quantizer_type Q> [[nodiscard]] bool all_in_range(const quant_params<Q>& params) noexcept {
    if (!all_between(params.zero_points, Q::codes.lowest, Q::codes.highest))
        return false;
    if constexpr (has_exponents<typename Q::scale_policy>) {
        return all_between(params.scales, min_scale_exponent, max_scale_exponent);
    } else {
        std::uint64_t worst = 0;
        for (std::size_t block = 0; block < params.count(); ++block)
            worst = std::max(worst, scale_distance::of(params.scale(block)));
        return worst <= scale_distance::choices;
    }
}

/// Raises an error unless the parameters are complete, in range and fit a tensor that is cut in a given way. Numbers
/// that do not fit together are a ShapeError, those out of range a RangeError.
template <class ShapeError, class RangeError, quantizer_type Q, std::size_t Rank>
void check_params(const quant_params<Q>& params, const block_grid<Rank>& grid, std::string_view name) {
    const extents<Rank>& shape = grid.shape;
    const bool fits_any = params.scales.size() == 1 && grid.count <= 1;
    if (!fits_any && grid.count != 0 &&
        !std::equal(params.blocks.begin(), params.blocks.end(), grid.blocks.begin(), grid.blocks.end()))
        raise<ShapeError>(quoted(name), ": parameters for ", params.blocks, " blocks; extents ", shape,
                          " are cut into ", grid.blocks);
    if (grid.count != 0 && params.scales.size() != grid.count)
        raise<ShapeError>(quoted(name), ": ", params.scales.size(), " scales for ", grid.count, " blocks");
    if (params.zero_points.size() != (Q::has_zero_point ? params.scales.size() : 0))
        raise<ShapeError>(quoted(name), ": ", params.zero_points.size(), " zero points for ", params.scales.size(),
                          " scales", Q::has_zero_point ? "" : " of a symmetric quantizer");
    const bool all_fit = all_in_range(params);
    for (std::size_t block = 0; !all_fit && block < params.scales.size(); ++block) {
        check_scale<RangeError>(params.scale(block), block, name);
        const std::int32_t zero = params.zero_point(block);
        if (zero < Q::codes.lowest || zero > Q::codes.highest)
            raise<RangeError>(quoted(name), ": zero point ", zero, " of block ", block, " lies outside [",
                              Q::codes.lowest, ", ", Q::codes.highest, "]");
    }
    check_order<ShapeError>(params.output_order, shape[0], "output_order", name);
    if (!params.input_order.empty() && Rank < 2)
        raise<ShapeError>(quoted(name), ": input_order needs a tensor with two axes");
    if constexpr (Rank >= 2)
        check_order<ShapeError>(params.input_order, shape[1], "input_order", name);
}

/// Raises shape_error or range_error unless the parameters fit a tensor; returns how it is cut.
template <quantizer_type Q, std::size_t Rank>
[[nodiscard]] block_grid<Rank> checked_grid(const quant_params<Q>& params, const extents<Rank>& shape,
                                            std::string_view name) {
    const block_grid<Rank> grid = make_grid(params.policy.granularity, shape);
    check_params<shape_error, range_error>(params, grid, name);
    return grid;
}

} // namespace detail

/// Parameters with given scales, snapped to the scale type, for a tensor of the given extents.
/// `zero_points` holds one code per scale for an affine quantizer and is empty otherwise.
/// Raises shape_error or range_error where counts, scales (in [2^-100, 2^119]) or zero points do not fit.
template <quantizer_type Q, std::size_t Rank>
[[nodiscard]] quant_params<Q> params_from_scales(const extents<Rank>& shape, const std::vector<double>& scales,
                                                 const std::vector<std::int32_t>& zero_points = {}, Q policy = {}) {
    quant_params<Q> params;
    params.policy = policy;
    const block_grid<Rank> grid = make_grid(policy.granularity, shape);
    params.blocks.assign(grid.blocks.begin(), grid.blocks.end());
    params.zero_points = zero_points;
    params.scales.reserve(scales.size());
    for (std::size_t block = 0; block < scales.size(); ++block) {
        if (!(scales[block] >= exp2_exact(min_scale_exponent)) || !(scales[block] <= exp2_exact(max_scale_exponent)) ||
            is_non_finite(scales[block]))
            detail::raise<range_error>("scale ", scales[block], " of block ", block, " lies outside [2^",
                                       min_scale_exponent, ", 2^", max_scale_exponent, "]");
        params.scales.push_back(Q::scale_policy::snap(scales[block]));
    }
    static_cast<void>(detail::checked_grid(params, shape, {}));
    return params;
}

/// Per-tensor parameters for a known range of values: what an observer's range becomes.
/// The range is widened to hold 0; the scale is snapped first, the zero point derived after it.
/// Raises range_error for NaN, infinity or min > max, for negative values under unsigned symmetric codes, and for
/// a range that needs a scale above 2^119.
template <quantizer_type Q>
    requires std::same_as<typename Q::granularity_type, per_tensor>
[[nodiscard]] quant_params<Q> params_from_range(value_range range, std::string_view name = {}) {
    if (is_non_finite(range.min) || is_non_finite(range.max) || range.min > range.max)
        detail::raise<range_error>(detail::quoted(name), ": [", range.min, ", ", range.max,
                                   "] is not a range of values");
    if (!Q::has_zero_point && Q::codes.lowest >= 0 && exact_double(range.min) < 0)
        detail::raise<range_error>(detail::quoted(name), ": unsigned symmetric codes cannot hold ", range.min,
                                   "; use affine, or signed codes");
    const double wanted = Q::zero_point_policy::wanted_scale(range, Q::codes, false);
    detail::check_wanted_scale(wanted, 0, name);
    quant_params<Q> params;
    params.scales = {Q::scale_policy::snap(wanted)};
    if constexpr (Q::has_zero_point)
        params.zero_points = {Q::zero_point_policy::zero_point(range, params.scale(0), Q::codes)};
    return params;
}

} // namespace notch

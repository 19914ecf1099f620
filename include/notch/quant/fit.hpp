/// @file
/// Fitting: the parameters of a quantizer from the tensor itself, and quantization in one call.
///
/// For every block: the range of its values gives the wanted scale S0 (zero_point.hpp), the scale
/// type snaps it (scale.hpp), the zero point follows. Where there is a choice, the candidate of least
/// square error over the block wins, ties keep the larger scale:
///
/// * a scale type that offers candidates (power_of_two<snap_least_squares>) has all of them tried;
/// * `scale_search` adds the grid S0 * f, f from `lowest` to `highest` in `steps` steps, each
///   snapped. Source: EasyQuant, and the block search of PTQ-SL (PTQ4ViT: 0.5 to 1.2 in 100 steps);
/// * `refine_params` adds the scale of the enclosing block of a coarser quantizer, which makes
///   "finer is never worse" a theorem instead of a hope.
///
/// Errors are sums of squares in double, in a fixed order for any executor. Parameters of activations
/// come from observers (observe/) instead, which see many batches.
#pragma once

#include <notch/core/executor.hpp>
#include <notch/quant/quantize.hpp>
#include <notch/quant/quantized_tensor.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <mutex>
#include <optional>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

namespace notch {

/// A grid of factors that are tried on the wanted scale; no steps, no grid.
struct scale_search {
    double lowest = 1.0;   ///< first factor, > 0
    double highest = 1.0;  ///< last factor, >= lowest; it is tried too
    std::size_t steps = 0; ///< number of factors; 0: only the wanted scale, as snapped
};

/// What fit_params may be told.
template <quantizer_type Q> struct fit_options {
    Q policy{};                                    ///< the quantizer, with its run-time sizes
    std::string_view name{};                       ///< for messages and for quantized_tensor::name
    scale_search search{};                         ///< more scales to try
    bool half_step_beyond = false;                 ///< the largest value may lie half a step beyond the last code
    std::span<const std::uint32_t> output_order{}; ///< new position -> old channel of axis 0
    std::span<const std::uint32_t> input_order{};  ///< new position -> old channel of axis 1
    std::uint64_t seed = 0;                        ///< stream of a random rounding rule
};

namespace detail {

/// A scale and the zero point that goes with it.
template <quantizer_type Q> struct scale_candidate {
    typename Q::scale_value scale{};
    std::int32_t zero_point = 0;
};

/// Gathers the ranges of the blocks that one task meets and hands them over when it moves on.
template <std::size_t Rank> class range_collector {
public:
    range_collector(const row_plan<Rank>& plan, std::vector<value_range>& ranges, std::mutex& guard)
        : plan_(plan), ranges_(ranges), guard_(guard), local_(plan.segments, nothing) {}
    range_collector(const range_collector&) = delete;
    range_collector& operator=(const range_collector&) = delete;
    ~range_collector() { flush(); }

    /// Widens the range of a block that belongs to the outer block of the row.
    void widen(std::size_t block, value_range seen) {
        const std::size_t outer = block / plan_.segments;
        if (outer != outer_)
            flush();
        outer_ = outer;
        value_range& range = local_[block % plan_.segments];
        range = {std::min(range.min, seen.min), std::max(range.max, seen.max)};
    }

    /// The range of no value at all.
    static constexpr value_range nothing{std::numeric_limits<float>::max(), std::numeric_limits<float>::lowest()};

private:
    void flush() {
        const std::lock_guard lock(guard_);
        for (std::size_t i = 0; i < local_.size(); ++i) {
            value_range& range = ranges_[outer_ * plan_.segments + i];
            range = {std::min(range.min, local_[i].min), std::max(range.max, local_[i].max)};
            local_[i] = nothing;
        }
    }

    const row_plan<Rank>& plan_;
    std::vector<value_range>& ranges_;
    std::mutex& guard_;
    std::size_t outer_ = 0;
    std::vector<value_range> local_;
};

/// The range of the values of every block; raises range_error for the first NaN or infinity.
template <class Arch, std::size_t Rank, executor Executor>
[[nodiscard]] std::vector<value_range> block_ranges(const row_access<const float, Rank>& access,
                                                    const row_plan<Rank>& plan, std::string_view name, Executor&& run) {
    std::vector<value_range> ranges(plan.grid.count, range_collector<Rank>::nothing);
    std::mutex guard;
    plan.for_each_piece(run, [&] {
        return [&, collector = range_collector<Rank>(plan, ranges, guard)](std::size_t row, std::size_t begin,
                                                                           std::size_t end) mutable {
            for_each_contiguous(
                access, row, begin, end, [&](const float* x, std::size_t r, std::size_t from, std::size_t to) {
                    plan.for_each_segment(r, from, to, [&](std::size_t block, std::size_t j, std::size_t stop) {
                        value_range seen = range_collector<Rank>::nothing;
                        if (!simd::min_max_run<Arch>(x + (j - from), stop - j, seen.min, seen.max))
                            raise_non_finite(access, plan, r, j, stop, name);
                        collector.widen(block, seen);
                    });
                });
        };
    });
    return ranges;
}

/// Sum of squares of x - scale * (code - zero) over a run, in a fixed order.
template <quantizer_type Q, class Arch>
[[nodiscard]] double square_error(const float* x, std::size_t count, double scale, std::int32_t zero_point,
                                  std::uint64_t seed, std::size_t first) noexcept {
    const simd::quantize_step step = simd::quantize_step::of(scale, zero_point, Q::codes);
    std::array<typename Q::code_type, gather_length> codes;
    std::array<double, 8> sums{};
    for (std::size_t from = 0; from < count; from += gather_length) {
        const std::size_t length = std::min(gather_length, count - from);
        static_cast<void>(quantize_one_step<Q, Arch>(x + from, length, step, seed, first + from, codes.data()));
        for (std::size_t i = 0; i < length; ++i) {
            const double back = scale * static_cast<double>(static_cast<std::int32_t>(codes[i]) - zero_point);
            const double difference = static_cast<double>(x[from + i]) - back;
            sums[i % 8] += difference * difference;
        }
    }
    return ((sums[0] + sums[1]) + (sums[2] + sums[3])) + ((sums[4] + sums[5]) + (sums[6] + sums[7]));
}

/// A scale and the zero point that follows from it.
template <quantizer_type Q>
[[nodiscard]] scale_candidate<Q> candidate_of(typename Q::scale_value scale, value_range range) {
    return {scale, static_cast<std::int32_t>(
                       Q::zero_point_policy::zero_point(range, Q::scale_policy::to_real(scale), Q::codes))};
}

/// Everything that is to be tried on a block, largest scale first; one entry where there is no choice.
template <quantizer_type Q>
[[nodiscard]] std::vector<scale_candidate<Q>> candidates_of(value_range range, const fit_options<Q>& options,
                                                            const scale_candidate<Q>* inherited) {
    using scale_policy = typename Q::scale_policy;
    const double wanted = Q::zero_point_policy::wanted_scale(range, Q::codes, options.half_step_beyond);
    std::vector<scale_candidate<Q>> list;
    if constexpr (searching_scale_type<scale_policy>)
        for (const auto& scale : scale_policy::candidates(wanted))
            list.push_back(candidate_of<Q>(scale, range));
    else
        list.push_back(candidate_of<Q>(scale_policy::snap(wanted), range));
    for (std::size_t i = 0; i < options.search.steps && wanted > 0.0; ++i) {
        const double position =
            options.search.steps == 1 ? 0.0 : static_cast<double>(i) / static_cast<double>(options.search.steps - 1);
        const double factor = options.search.lowest + position * (options.search.highest - options.search.lowest);
        list.push_back(candidate_of<Q>(scale_policy::snap(wanted * factor), range));
    }
    if (inherited)
        list.push_back(*inherited);
    std::stable_sort(list.begin(), list.end(), [](const auto& a, const auto& b) {
        return scale_policy::to_real(a.scale) > scale_policy::to_real(b.scale);
    });
    const auto same = [](const auto& a, const auto& b) { return a.scale == b.scale && a.zero_point == b.zero_point; };
    list.erase(std::unique(list.begin(), list.end(), same), list.end());
    return list;
}

/// The candidate of least square error over a block; the first of several.
template <quantizer_type Q, class Arch, std::size_t Rank>
[[nodiscard]] scale_candidate<Q> best_candidate(const std::vector<scale_candidate<Q>>& list,
                                                const row_access<const float, Rank>& access, const row_plan<Rank>& plan,
                                                std::size_t block, std::uint64_t seed) {
    if (list.size() == 1)
        return list.front();
    std::vector<double> errors(list.size(), 0.0);
    plan.for_each_row_of_block(block, [&](std::size_t row, std::size_t begin, std::size_t end) {
        for_each_contiguous(
            access, row, begin, end, [&](const float* x, std::size_t r, std::size_t from, std::size_t to) {
                for (std::size_t j = from; j < to; j += gather_length)
                    for (std::size_t i = 0; i < list.size(); ++i)
                        errors[i] += square_error<Q, Arch>(x + (j - from), std::min(gather_length, to - j),
                                                           Q::scale_policy::to_real(list[i].scale), list[i].zero_point,
                                                           seed, r * plan.length + j);
            });
    });
    return list[static_cast<std::size_t>(std::min_element(errors.begin(), errors.end()) - errors.begin())];
}

/// Raises an error for options that make no sense.
template <quantizer_type Q> void check_options(const fit_options<Q>& options) {
    const scale_search& search = options.search;
    if (is_non_finite(search.lowest) || is_non_finite(search.highest) || !(search.lowest > 0.0) ||
        search.highest < search.lowest)
        raise<range_error>(quoted(options.name), ": scale search from ", search.lowest, " to ", search.highest,
                           "; factors are finite, above 0 and ascend");
}

/// Fits every block; `inherit(block)` gives the candidate of an enclosing block, or null.
template <quantizer_type Q, class Arch, std::size_t Rank, executor Executor, class Inherit>
[[nodiscard]] quant_params<Q> fit_blocks(const strided_view<const float, Rank>& x, const fit_options<Q>& options,
                                         Executor&& run, Inherit&& inherit) {
    check_options(options);
    quant_params<Q> params;
    params.policy = options.policy;
    params.output_order.assign(options.output_order.begin(), options.output_order.end());
    params.input_order.assign(options.input_order.begin(), options.input_order.end());
    params.seed = options.seed;
    const block_grid<Rank> grid = make_grid(options.policy.granularity, x.shape());
    params.blocks.assign(grid.blocks.begin(), grid.blocks.end());
    params.scales.assign(grid.count, Q::scale_policy::snap(0.0));
    params.zero_points.assign(Q::has_zero_point ? grid.count : 0, Q::codes.lowest);
    static_cast<void>(checked_grid(params, x.shape(), options.name));

    const row_plan<Rank> plan = make_row_plan(grid, order_of(params), x);
    const row_access<const float, Rank> access(x, plan);
    const std::vector<value_range> ranges = block_ranges<Arch>(access, plan, options.name, run);
    const std::size_t blocks_per_task =
        std::max<std::size_t>(1, gather_length * grid.count / std::max<std::size_t>(1, x.size()));
    run_tasks(run, ceil_div(grid.count, blocks_per_task), [&](std::size_t task) {
        for (std::size_t block = task * blocks_per_task; block < std::min(grid.count, (task + 1) * blocks_per_task);
             ++block) {
            if (!Q::has_zero_point && Q::codes.lowest >= 0 && ranges[block].min < 0)
                raise<range_error>(quoted(options.name), ": block ", block, " holds ", ranges[block].min,
                                   ", which unsigned symmetric codes cannot; use affine, or signed codes");
            const auto inherited = inherit(block);
            const auto best =
                best_candidate<Q, Arch>(candidates_of<Q>(ranges[block], options, inherited ? &*inherited : nullptr),
                                        access, plan, block, params.seed);
            params.scales[block] = best.scale;
            if constexpr (Q::has_zero_point)
                params.zero_points[block] = best.zero_point;
        }
    });
    return params;
}

/// The number of the coarse block that holds a whole fine block; raises shape_error where there is none.
template <std::size_t Rank>
[[nodiscard]] std::size_t enclosing_block(const block_grid<Rank>& coarse, const block_grid<Rank>& fine,
                                          std::size_t block, std::string_view name) {
    extents<Rank> position{};
    for (std::size_t a = Rank; a-- > 0;) {
        const std::size_t first = block % fine.blocks[a] * fine.block[a];
        const std::size_t last = std::min(fine.shape[a], first + fine.block[a]) - 1;
        if (first / coarse.block[a] != last / coarse.block[a])
            raise<shape_error>(quoted(name), ": block ", block, " reaches over elements ", first, " to ", last,
                               " of axis ", a, ", more than one coarser block of ", coarse.block[a]);
        position[a] = first / coarse.block[a];
        block /= fine.blocks[a];
    }
    return coarse.block_number(position);
}

} // namespace detail

/// Parameters for a tensor, fitted block by block, see above. Cost: one read of x, a second one where
/// there are candidates to compare. Raises range_error for NaN and infinities (name and index of the
/// first), for negative values under unsigned symmetric codes, and for a nonsensical search;
/// shape_error where sizes or orders do not fit.
template <quantizer_type Q, class Arch = simd::default_arch, viewable_as<float> X, executor Executor = serial>
[[nodiscard]] quant_params<Q> fit_params(const X& x, const fit_options<Q>& options = {}, Executor&& run = {}) {
    const strided_view<const float, view_of<const X>::rank> view = as_view(x);
    return detail::fit_blocks<Q, Arch>(view, options, run,
                                       [](std::size_t) { return std::optional<detail::scale_candidate<Q>>(); });
}

/// Parameters for a tensor at a finer granularity than `coarser`, whose scale (and zero point) is a
/// candidate of every block inside it: the square error is never above the coarser one's. The blocks
/// must nest, and the channel orders are the coarser one's. Raises as fit_params does.
template <quantizer_type Q, class Arch = simd::default_arch, viewable_as<float> X, granularity Coarse,
          executor Executor = serial>
[[nodiscard]] quant_params<Q>
refine_params(const X& x,
              const quant_params<quantizer<typename Q::bits_type, Coarse, typename Q::scale_policy,
                                           typename Q::rounding_rule, typename Q::zero_point_policy>>& coarser,
              fit_options<Q> options = {}, Executor&& run = {}) {
    const strided_view<const float, view_of<const X>::rank> view = as_view(x);
    const auto coarse_grid = detail::checked_grid(coarser, view.shape(), options.name);
    const auto fine_grid = make_grid(options.policy.granularity, view.shape());
    options.output_order = coarser.output_order;
    options.input_order = coarser.input_order;
    return detail::fit_blocks<Q, Arch>(view, options, run, [&](std::size_t block) {
        const std::size_t parent = detail::enclosing_block(coarse_grid, fine_grid, block, options.name);
        return std::optional<detail::scale_candidate<Q>>({coarser.scales[parent], coarser.zero_point(parent)});
    });
}

/// Fits parameters and quantizes in one call: weights to codes and scales.
///
///     auto weights = notch::quantize<notch::quantizer<notch::bits<4>, notch::per_group<32>, notch::power_of_two<>>>(tensor);
///
/// Raises as fit_params does, and returns nothing then.
template <quantizer_type Q, class Arch = simd::default_arch, viewable_as<float> X, executor Executor = serial>
[[nodiscard]] quantized_tensor<Q, view_of<const X>::rank> quantize(const X& x, const fit_options<Q>& options = {},
                                                                   Executor&& run = {}) {
    return quantize<Arch>(x, fit_params<Q, Arch>(x, options, run), options.name, run);
}

} // namespace notch

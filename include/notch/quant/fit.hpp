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
#include <notch/quant/block_fit.hpp>
#include <notch/quant/block_map.hpp>
#include <notch/quant/quantize.hpp>
#include <notch/quant/quantized_tensor.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

namespace notch {

/// A grid of factors that are tried on the wanted scale; no steps, no grid.
struct scale_search {
    double lowest = 1.0;   ///< first factor, > 0
    double highest = 1.0;  ///< last factor, >= lowest; it is tried too
    std::size_t steps = 0; ///< number of factors; 0: only the wanted scale, as snapped
};

/// The most steps of a scale_search.
inline constexpr std::size_t max_search_steps = 65536;

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

/// A scale and the zero point that follows from it.
template <quantizer_type Q>
[[nodiscard]] scale_candidate<Q> candidate_of(typename Q::scale_value scale, value_range range) {
    return {scale, static_cast<std::int32_t>(
                       Q::zero_point_policy::zero_point(range, Q::scale_policy::to_real(scale), Q::codes))};
}

/// What is to be tried on a block, largest scale first; one object per task, whose memory is reused.
template <quantizer_type Q> class candidate_list {
    using scale_policy = typename Q::scale_policy;

public:
    /// Lists the candidates of a block with this range; `inherited` may be null.
    void collect(std::size_t block, value_range range, const fit_options<Q>& options,
                 const scale_candidate<Q>* inherited) {
        const double wanted = Q::zero_point_policy::wanted_scale(range, Q::codes, options.half_step_beyond);
        check_wanted_scale(wanted, block, options.name);
        list_.clear();
        if constexpr (searching_scale_type<scale_policy>)
            for (const auto& scale : scale_policy::candidates(wanted))
                insert(candidate_of<Q>(scale, range));
        else
            insert(candidate_of<Q>(scale_policy::snap(wanted), range));
        const scale_search& search = options.search;
        for (std::size_t i = search.steps; i-- > 0 && wanted > 0.0;) { // falling, as the list is
            const double position =
                search.steps == 1 ? 0.0 : static_cast<double>(i) / static_cast<double>(search.steps - 1);
            const double factor = search.lowest + position * (search.highest - search.lowest);
            insert(
                candidate_of<Q>(scale_policy::snap(std::max(wanted * factor, exp2_exact(min_scale_exponent))), range));
        }
        if (inherited)
            insert(*inherited);
    }

    /// The candidate of least square error over a block; of equals the largest scale.
    template <class Arch, std::size_t Rank>
    [[nodiscard]] scale_candidate<Q> best(const row_access<const float, Rank>& access, const row_plan<Rank>& plan,
                                          std::size_t block, std::uint64_t seed) {
        if (list_.size() == 1)
            return list_.front();
        maps_.clear();
        for (const scale_candidate<Q>& candidate : list_)
            maps_.push_back({scale_policy::to_real(candidate.scale), candidate.zero_point});
        errors_.assign(list_.size(), 0.0);
        add_square_errors<Arch, typename Q::rounding_rule, typename Q::code_type>(access, plan, block, maps_, Q::codes,
                                                                                  seed, errors_);
        return list_[static_cast<std::size_t>(std::min_element(errors_.begin(), errors_.end()) - errors_.begin())];
    }

private:
    /// Keeps the list in descending order of scale and without repetitions.
    void insert(const scale_candidate<Q>& candidate) {
        const double scale = scale_policy::to_real(candidate.scale);
        auto place = list_.end();
        for (; place != list_.begin(); --place) {
            const scale_candidate<Q>& before = *(place - 1);
            const double other = scale_policy::to_real(before.scale);
            if (other == scale && before.zero_point == candidate.zero_point)
                return;
            if (other >= scale)
                break;
        }
        list_.insert(place, candidate);
    }

    std::vector<scale_candidate<Q>> list_;
    std::vector<block_map> maps_;
    std::vector<double> errors_;
};

/// Raises an error for options that make no sense.
template <quantizer_type Q> void check_options(const fit_options<Q>& options) {
    const scale_search& search = options.search;
    if (is_non_finite(search.lowest) || is_non_finite(search.highest) || !(search.lowest > 0.0) ||
        search.highest < search.lowest)
        raise<range_error>(quoted(options.name), ": scale search from ", search.lowest, " to ", search.highest,
                           "; factors are finite, above 0 and ascend");
    if (search.steps > max_search_steps)
        raise<range_error>(quoted(options.name), ": scale search in ", search.steps, " steps; at most ",
                           max_search_steps);
}

/// Fits every block; `inherited` has the candidate of an enclosing block for each, or is empty.
template <quantizer_type Q, class Arch, std::size_t Rank>
[[nodiscard]] quant_params<Q> fit_blocks(const strided_view<const float, Rank>& x, const fit_options<Q>& options,
                                         executor_ref run, const std::vector<scale_candidate<Q>>& inherited) {
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

    const row_plan<Rank> plan = make_row_plan(grid, maps_of(params).order, x);
    const row_access<const float, Rank> access(x, plan);
    const std::vector<value_range> ranges = block_ranges<Arch>(access, plan, options.name, run);
    constexpr std::size_t elements_per_task = std::size_t{1} << 16;
    const std::size_t blocks_per_task =
        std::max<std::size_t>(1, elements_per_task * grid.count / std::max<std::size_t>(1, x.size()));
    run_tasks(run, ceil_div(grid.count, blocks_per_task), [&](std::size_t task) {
        candidate_list<Q> candidates;
        const std::size_t stop = std::min(grid.count, (task + 1) * blocks_per_task);
        for (std::size_t block = task * blocks_per_task; block < stop; ++block) {
            if (!Q::has_zero_point && Q::codes.lowest >= 0 && exact_double(ranges[block].min) < 0)
                raise<range_error>(quoted(options.name), ": block ", block, " holds ", ranges[block].min,
                                   ", which unsigned symmetric codes cannot; use affine, or signed codes");
            candidates.collect(block, ranges[block], options, inherited.empty() ? nullptr : &inherited[block]);
            const scale_candidate<Q> best = candidates.template best<Arch>(access, plan, block, params.seed);
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
/// first), for negative values under unsigned symmetric codes, for values that need a scale above 2^119, and for
/// a nonsensical search;
/// shape_error where sizes or orders do not fit.
template <quantizer_type Q, simd::instruction_set Arch = simd::default_arch, viewable_as<float> X,
          executor Executor = serial>
[[nodiscard]] quant_params<Q> fit_params(const X& x, const fit_options<Q>& options = {}, Executor&& run = {}) {
    const strided_view<const float, view_of<const X>::rank> view = as_view(x);
    return detail::fit_blocks<Q, Arch>(view, options, detail::executor_ref(run), {});
}

/// Parameters for a tensor at a finer granularity than `coarser`, whose scale (and zero point) is a
/// candidate of every block inside it: the square error is never above the coarser one's. The blocks
/// must nest, and the channel orders are the coarser one's. Raises as fit_params does.
template <quantizer_type Q, simd::instruction_set Arch = simd::default_arch, viewable_as<float> X, granularity Coarse,
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
    std::vector<detail::scale_candidate<Q>> inherited(fine_grid.count);
    for (std::size_t block = 0; block < fine_grid.count; ++block) {
        const std::size_t parent = detail::enclosing_block(coarse_grid, fine_grid, block, options.name);
        inherited[block] = {coarser.scales[parent], coarser.zero_point(parent)};
    }
    return detail::fit_blocks<Q, Arch>(view, options, detail::executor_ref(run), inherited);
}

/// Fits parameters and quantizes in one call: weights to codes and scales.
///
///     auto weights = notch::quantize<notch::quantizer<notch::bits<4>, notch::per_group<32>, notch::power_of_two<>>>(tensor);
///
/// Raises as fit_params does, and returns nothing then.
template <quantizer_type Q, simd::instruction_set Arch = simd::default_arch, viewable_as<float> X,
          executor Executor = serial>
[[nodiscard]] quantized_tensor<Q, view_of<const X>::rank> quantize(const X& x, const fit_options<Q>& options = {},
                                                                   Executor&& run = {}) {
    return quantize<Arch>(x, fit_params<Q, Arch>(x, options, run), options.name, run);
}

} // namespace notch

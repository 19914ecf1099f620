/// @file
/// lower: a plan becomes a program. Every layout, shift and factor is decided here, once, and every bound checked.
///
/// Raises range_error where sums, bias or a residual could leave int32, unsupported_error for what has no kernel, with the
/// name of the layer. What a program computes is what a plan says: deploy/simulate.hpp computes the same codes from the
/// plan alone.
#pragma once

#include <notch/conv/pack_depthwise.hpp>
#include <notch/conv/pack_filters.hpp>
#include <notch/core/error.hpp>
#include <notch/deploy/arena.hpp>
#include <notch/deploy/lower_weights.hpp>
#include <notch/deploy/program.hpp>
#include <notch/deploy/step.hpp>
#include <notch/gemm/pack.hpp>
#include <notch/ptq/plan.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <utility>
#include <variant>
#include <vector>

namespace notch {
namespace detail {

[[nodiscard]] inline conv_geometry geometry_of(const window& w, std::size_t groups) noexcept {
    return {{w.stride[0], w.stride[1]},
            {w.dilation[0], w.dilation[1]},
            {w.padding[0], w.padding[1], w.padding[2], w.padding[3]},
            groups};
}

[[nodiscard]] inline pool_geometry pool_geometry_of(const std::array<std::size_t, 2>& kernel, const window& w,
                                                    bool ceil_mode, bool count_pad) noexcept {
    return {{kernel[0], kernel[1]},
            {w.stride[0], w.stride[1]},
            {w.dilation[0], w.dilation[1]},
            {w.padding[0], w.padding[1], w.padding[2], w.padding[3]},
            ceil_mode,
            count_pad};
}

/// Lowers one plan.
class lowering {
public:
    explicit lowering(const plan& from) : from_(from) {}

    [[nodiscard]] program_data lower() {
        to_.scales = from_.scales;
        to_.name = from_.net.name;
        place_tensors();
        to_.output = from_.net.output;
        for (std::size_t g = 0; g < from_.groups.size(); ++g)
            add_group(g);
        to_.input = tensor_of(from_.input);
        to_.output = tensor_of(to_.output);
        to_.real_output = !from_.tensors[to_.output].has_value();
        to_.arena_bytes = place_in_arena(to_);
        return std::move(to_);
    }

private:
    [[nodiscard]] const layer& layer_of(std::size_t g) const { return from_.net.layers[from_.groups[g].where.layer]; }
    /// [H, W, C] of a tensor [C, H, W] or [F].
    [[nodiscard]] static std::array<std::size_t, 3> run_shape(const std::vector<std::size_t>& shape) noexcept {
        if (shape.size() == 3)
            return {shape[1], shape[2], shape[0]};
        return {1, 1, element_count(shape)};
    }
    void place_tensors() {
        place_.resize(from_.tensors.size());
        for (std::size_t t = 0; t < from_.tensors.size(); ++t) {
            run_tensor to;
            to.shape = run_shape(from_.net.tensors[t].shape);
            if (from_.tensors[t]) {
                const tensor_codes& codes = *from_.tensors[t];
                to.exponent = codes.exponent;
                to.scale = codes.scale;
                to.zero_point = codes.zero_point - codes.lowest();
                to.highest = codes.highest() - codes.lowest();
                to.lowest_code = codes.lowest();
            }
            place_[t] = t;
            to_.tensors.push_back(to);
        }
        to_.result_size = element_count(from_.net.tensors[from_.net.output].shape);
    }
    /// The tensor that holds the numbers of a tensor: itself, or what it is a reshape of.
    [[nodiscard]] std::size_t tensor_of(std::size_t tensor) const {
        while (place_[tensor] != tensor)
            tensor = place_[tensor];
        return tensor;
    }

    void add_group(std::size_t g) {
        const layer_group& where = from_.groups[g].where;
        const layer& l = layer_of(g);
        if (std::holds_alternative<softmax>(l.op)) {
            to_.softmax = true;
            to_.output = where.inputs[0];
            return;
        }
        if (std::holds_alternative<reshape>(l.op)) {
            alias(g);
            return;
        }
        program_step step{l.name, std::visit([&](const auto& op) { return work_of(g, op); }, l.op)};
        for (const std::size_t tensor : where.inputs)
            step.inputs.push_back(tensor_of(tensor));
        if (where.residual)
            step.residual = tensor_of(*where.residual);
        step.output = where.output;
        step.to_reals = !from_.tensors[where.output].has_value();
        step.group = g;
        to_.steps.push_back(std::move(step));
    }
    using work = decltype(program_step::work);

    /// A reshape moves nothing; the order of its numbers, channels last here and first there, must not matter.
    void alias(std::size_t g) {
        const layer_group& where = from_.groups[g].where;
        const auto shape = to_.tensors[tensor_of(where.inputs[0])].shape;
        const auto result = to_.tensors[where.output].shape;
        const bool is_vector = shape[0] * shape[1] == 1 && result[0] * result[1] == 1;
        bool order_is_known = true; // products take it into their weights, and results are turned
        const std::vector<std::vector<std::size_t>> readers = readers_of(from_.net);
        for (const std::size_t reader : readers[where.output])
            order_is_known = order_is_known && (reader == from_.net.layers.size() ||
                                                std::holds_alternative<linear>(from_.net.layers[reader].op) ||
                                                std::holds_alternative<softmax>(from_.net.layers[reader].op));
        if (!is_vector && shape != result && !order_is_known)
            raise<unsupported_error>("lower: layer '", layer_of(g).name, "' reshapes [H, W, C] = ", shape, " to ",
                                     result, "; only products and the result of the network may follow that");
        place_[where.output] = where.inputs[0];
    }

    [[nodiscard]] work work_of(std::size_t g, const convolution& conv) {
        const planned_weights& weights = *from_.groups[g].weights;
        const conv_geometry geometry = geometry_of(conv.window, conv.groups);
        const std::size_t channels = from_.net.tensors[from_.groups[g].where.inputs[0]].shape[0];
        const bool adds = from_.groups[g].where.residual.has_value(); // one channel in one group is dense as well
        if (conv.groups == channels && weights.shape[1] == 1 && !adds)
            return with_quantized(weights, layer_of(g).name, [&](const auto& w) -> work {
                depthwise_step step{pack_depthwise(w), geometry, {}};
                step.stage = stage_of(g, step.weights.exponents());
                return step;
            });
        return conv_work(g, geometry);
    }
    [[nodiscard]] work conv_work(std::size_t g, const conv_geometry& geometry) {
        const planned_weights& weights = *from_.groups[g].weights;
        const auto step_of = [&](packed_filters filters) -> work {
            conv_step step{std::move(filters), geometry, {}};
            step.stage = stage_of(g, step.filters.exponents());
            return step;
        };
        return with_quantized(weights, layer_of(g).name, [&](const auto& fine) -> work {
            if (!weights.coarse)
                return step_of(pack_filters(fine, geometry));
            return with_coarse(weights, layer_of(g).name, [&](const auto& coarse) -> work {
                return step_of(pack_filters(filter_terms{coarse, fine}, geometry));
            });
        });
    }
    [[nodiscard]] work work_of(std::size_t g, const linear&) {
        const planned_weights& weights = *from_.groups[g].weights;
        if (weights.taps() != 1) // a product over an image
            return conv_work(g, {});
        return with_quantized(weights, layer_of(g).name, [&](const auto& w) -> work {
            linear_step step{pack(as_matrix(w)), {}};
            step.stage = stage_of(g, step.weights.exponents());
            return step;
        });
    }
    [[nodiscard]] work work_of(std::size_t g, const sum&) {
        const layer_group& where = from_.groups[g].where;
        const auto [lowest, highest] = code_limits_of(g);
        sum_step step;
        step.lowest = lowest;
        step.highest = highest;
        if (from_.scales != scale_form::power_of_two)
            for (std::size_t i = 0; i < 2; ++i)
                step.factors[i] = rescaling(g, where.inputs[i]);
        return step;
    }
    [[nodiscard]] work work_of(std::size_t, const max_pool& pool) {
        return max_pool_step{pool_geometry_of(pool.kernel, pool.window, pool.ceil_mode, false)};
    }
    [[nodiscard]] work work_of(std::size_t g, const average_pool& pool) {
        return average_pool_step{pool_geometry_of(pool.kernel, pool.window, pool.ceil_mode, pool.count_include_pad),
                                 scale_ratio(g, from_.groups[g].where.inputs[0])};
    }
    [[nodiscard]] work work_of(std::size_t g, const global_average_pool_layer&) {
        const std::size_t input = from_.groups[g].where.inputs[0];
        const auto shape = to_.tensors[tensor_of(input)].shape;
        return average_pool_step{pool_geometry{.kernel = {shape[0], shape[1]}}, scale_ratio(g, input)};
    }
    /// Raises unsupported_error for what moves numbers of other than vectors [F] and images [C, H, W].
    void check_rank(std::size_t g) const {
        const std::vector<std::size_t>& shape = from_.net.tensors[from_.groups[g].where.output].shape;
        if (shape.size() != 1 && shape.size() != 3)
            raise<unsupported_error>("lower: layer '", layer_of(g).name, "' (", operator_name(layer_of(g).op),
                                     ") gives extents ", shape, "; vectors and images have integer forms");
    }
    [[nodiscard]] work work_of(std::size_t g, const concat& layer) {
        check_rank(g);
        concat_step step;
        const std::size_t rank = from_.net.tensors[from_.groups[g].where.output].shape.size();
        step.axis = rank == 3 ? (layer.axis + 2) % 3 : 2;
        if (from_.scales != scale_form::power_of_two)
            for (const std::size_t input : from_.groups[g].where.inputs)
                step.factors.push_back(rescaling(g, input));
        return step;
    }
    /// Numbers per axis [C, H, W] as [H, W, C]; of vectors, [F] as [1, 1, F].
    [[nodiscard]] static std::array<std::size_t, 3> turned(const std::vector<std::size_t>& from, std::size_t missing) {
        return from.size() == 3 ? std::array<std::size_t, 3>{from[1], from[2], from[0]}
                                : std::array<std::size_t, 3>{missing, missing, from[0]};
    }
    [[nodiscard]] work work_of(std::size_t g, const slice& layer) {
        check_rank(g);
        return slice_step{turned(layer.begin, 0), turned(layer.step, 1)};
    }
    [[nodiscard]] work work_of(std::size_t g, const pad& layer) {
        check_rank(g);
        const run_tensor& to = to_.tensors[from_.groups[g].where.output];
        const double code = std::nearbyint(static_cast<double>(layer.value) / to.scale) + to.zero_point;
        return pad_step{turned(layer.before, 0),
                        static_cast<std::uint8_t>(std::clamp(code, 0.0, static_cast<double>(to.highest)))};
    }
    [[nodiscard]] work work_of(std::size_t g, const clip&) {
        const auto [lowest, highest] = code_limits_of(g);
        return clip_step{lowest, highest};
    }
    template <class Op> [[nodiscard]] work work_of(std::size_t g, const Op& op) {
        raise<unsupported_error>("lower: layer '", layer_of(g).name, "' (", operator_name(operation(op)),
                                 ") has no integer form");
    }

    /// Scale of an operand / scale of the result. Raises range_error beyond 2^20 either way.
    [[nodiscard]] double scale_ratio(std::size_t g, std::size_t input) const {
        const double ratio = from_.tensors[input]->scale / from_.tensors[from_.groups[g].where.output]->scale;
        if (!(ratio >= exp2_exact(-20) && ratio <= exp2_exact(20)))
            raise<range_error>("lower: layer '", layer_of(g).name, "': an operand of ", ratio,
                               " times the scale of the result; the limits are 2^-20 and 2^20");
        return ratio;
    }
    [[nodiscard]] q31 rescaling(std::size_t g, std::size_t input) const { return to_q31(scale_ratio(g, input)); }
    struct limits {
        std::int32_t lowest;
        std::int32_t highest;
    };
    /// Codes between which the result of a group lies.
    [[nodiscard]] limits code_limits_of(std::size_t g) const {
        const layer_group& where = from_.groups[g].where;
        const run_tensor& to = to_.tensors[where.output];
        const auto code = [&](float bound) {
            const double x = std::nearbyint(static_cast<double>(bound) / to.scale) + to.zero_point;
            return static_cast<std::int32_t>(std::clamp(x, 0.0, static_cast<double>(to.highest)));
        };
        return {code(where.lowest), code(where.highest)};
    }
    /// What follows the sums. `least`: exponents of the scales of the sums, as packing found them.
    [[nodiscard]] sum_stage stage_of(std::size_t g, std::span<const std::int32_t> least) const {
        const layer_group& where = from_.groups[g].where;
        const planned_weights& weights = *from_.groups[g].weights;
        for (std::size_t o = 0; o < weights.least.size(); ++o)
            if (weights.least[o] != least[o])
                raise<range_error>("lower: layer '", layer_of(g).name, "', output ", o,
                                   ": the plan says sums of scale 2^", weights.least[o], ", the codes 2^", least[o]);
        sum_stage stage;
        stage.bias = weights.bias;
        const tensor_codes& input = *from_.tensors[where.inputs[0]];
        const bool is_real = !from_.tensors[where.output].has_value();
        if (!is_real) {
            const auto [lowest, highest] = code_limits_of(g);
            const std::int32_t zero = to_.tensors[where.output].zero_point;
            stage.lowest = lowest - zero;
            stage.highest = highest - zero;
        }
        for (std::size_t o = 0; o < weights.least.size(); ++o) {
            const double sums = sum_scale(weights, input, o);
            const double ratio = is_real ? sums : sums / from_.tensors[where.output]->scale;
            if (is_real || from_.scales == scale_form::real)
                stage.real.push_back(static_cast<float>(ratio));
            else if (from_.scales == scale_form::fixed_point)
                stage.fixed.push_back(ratio);
            if (where.residual && from_.scales != scale_form::power_of_two)
                stage.residual.push_back(from_.tensors[*where.residual]->scale / sums);
        }
        return stage;
    }

    const plan& from_;
    program_data to_{};
    std::vector<std::size_t> place_{};
};

} // namespace detail

/// Lowers a plan, see above.
[[nodiscard]] inline program lower(const plan& from) { return program(detail::lowering(from).lower()); }

} // namespace notch

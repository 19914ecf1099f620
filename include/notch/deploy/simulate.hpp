/// @file
/// simulator: computes in floating point what a plan says, without packing, without kernels, without shifts.
///
///     sum     s = sum of w x                        exact: w, x are the numbers in units of their scales, |s| < 2^53
///     code    clamp(round(s * factor) + zero)       factor as the form of scales has it
///
/// A common scale of a channel is applied to its sum, once, as in the integer program; so every operation but the rounding
/// is exact in doubles, and codes equal those of the program, tensor by tensor. Rounding follows numerics.md: powers of two
/// and real scales to nearest even, fixed point ties up.
///
/// Sums whose partial sums stay below 2^24 are made by the float kernels of the model room, others by plain loops.
#pragma once

#include <notch/core/error.hpp>
#include <notch/core/fixed_point.hpp>
#include <notch/deploy/rescale.hpp>
#include <notch/deploy/simulate_sums.hpp>
#include <notch/model/forward.hpp>
#include <notch/model/network.hpp>
#include <notch/ptq/layer_groups.hpp>
#include <notch/ptq/plan.hpp>
#include <notch/simd/arch.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <variant>
#include <vector>

namespace notch {

/// Computes a plan in doubles, see above.
template <class Arch = simd::default_arch> class simulator {
public:
    /// The plan must outlive the simulator.
    explicit simulator(const plan& from) : plan_(from), units_(from.groups.size()) {}

    /// Runs `count` images of floats [count, C, H, W] of the tensor that codes enter. visitor(tensor, codes [count, C, H, W])
    /// is called for each tensor of codes, as the plan counts them; codes are integers in floats. `results`: as those of a
    /// runner, without its softmax. Raises shape_error for another number of floats.
    template <class Visitor>
    void run(std::span<const float> images, std::size_t count, std::span<float> results, const Visitor& visitor) {
        run(images, count, results, visitor, [](std::size_t, std::span<const double>) {});
    }
    /// The same; sums(g, sums [count, O, ...] of group g without its bias) is called before they are used.
    template <class Visitor, class Sums>
    void run(std::span<const float> images, std::size_t count, std::span<float> results, const Visitor& visitor,
             const Sums& sums) {
        run(images, count, results, visitor, sums, [](std::size_t, std::span<const float>) {});
    }
    /// The same; reads(g, codes less their zero point [count, C, ...] that group g reads) is called before its weights are used,
    /// and may change them in the plan.
    template <class Visitor, class Sums, class Reads>
    void run(std::span<const float> images, std::size_t count, std::span<float> results, const Visitor& visitor,
             const Sums& sums, const Reads& reads) {
        const std::size_t size = element_count(plan_.net.tensors[plan_.input].shape);
        if (images.size() != count * size)
            detail::raise<shape_error>("simulator: ", images.size(), " floats for ", count, " images of ",
                                       plan_.net.tensors[plan_.input].shape);
        count_ = count;
        values_.assign(plan_.net.tensors.size(), {});
        const tensor_codes& input = *plan_.tensors[plan_.input];
        std::vector<float>& first = values_[plan_.input];
        for (const float x : images)
            first.push_back(code_less_zero(std::nearbyint(static_cast<double>(x) / input.scale), input));
        show(plan_.input, visitor);
        for (std::size_t g = 0; g < plan_.groups.size(); ++g) {
            const std::size_t output = plan_.groups[g].where.output;
            if (plan_.groups[g].weights) {
                reads(g, std::span<const float>(values_[plan_.groups[g].where.inputs[0]]));
                units_[g] = detail::unit_convolution_of(*plan_.groups[g].weights, layer_of(g).op);
                const std::vector<double> total = sums_of(g);
                sums(g, std::span<const double>(total));
                finish_sums(g, total);
            } else {
                std::visit([&](const auto& op) { compute(g, op); }, layer_of(g).op);
            }
            if (plan_.tensors[output])
                show(output, visitor);
        }
        write_results(results);
    }

private:
    [[nodiscard]] const layer& layer_of(std::size_t g) const { return plan_.net.layers[plan_.groups[g].where.layer]; }
    [[nodiscard]] const std::vector<std::size_t>& shape(std::size_t t) const { return plan_.net.tensors[t].shape; }
    /// clamp(code) - zero point.
    [[nodiscard]] static float code_less_zero(double x, const tensor_codes& to) noexcept {
        return static_cast<float>(std::clamp(x, static_cast<double>(to.lowest() - to.zero_point),
                                             static_cast<double>(to.highest() - to.zero_point)));
    }
    template <class Visitor> void show(std::size_t tensor, const Visitor& visitor) {
        shown_ = values_[tensor];
        for (float& x : shown_)
            x += static_cast<float>(plan_.tensors[tensor]->zero_point);
        visitor(tensor, std::span<const float>(shown_));
    }
    /// A number in units of the result's scale as a code less the zero point, within the bounds of the group.
    [[nodiscard]] float bounded(double x, std::size_t g) const {
        const layer_group& where = plan_.groups[g].where;
        const tensor_codes& to = *plan_.tensors[where.output];
        const auto limit = [&](float bound) {
            return static_cast<double>(code_less_zero(std::nearbyint(static_cast<double>(bound) / to.scale), to));
        };
        return static_cast<float>(std::clamp(x, limit(where.lowest), limit(where.highest)));
    }
    [[nodiscard]] detail::float_job job_of(std::size_t g) const {
        const layer_group& where = plan_.groups[g].where;
        detail::float_job job;
        for (const std::size_t input : where.inputs)
            job.inputs.push_back({values_[input].data(), &shape(input), element_count(shape(input))});
        job.shape = &shape(where.output);
        job.count = element_count(shape(where.output));
        job.images = count_;
        return job;
    }

    [[nodiscard]] std::vector<double> sums_of(std::size_t g) const {
        const layer_group& where = plan_.groups[g].where;
        detail::float_job job = job_of(g);
        std::vector<std::size_t> in = shape(where.inputs[0]);
        std::vector<std::size_t> out = shape(where.output);
        if (in.size() == 1) { // a product: over an image, where the weights say so
            in = plan_.groups[g].weights->shape;
            in.erase(in.begin());
            out = {out[0], 1, 1};
        }
        job.inputs[0].shape = &in;
        job.shape = &out;
        std::vector<double> total(count_ * job.count);
        if (units_[g].largest_sum * 255 < exp2_exact(24)) {
            std::vector<float> floats(total.size());
            job.output = floats.data();
            detail::compute<Arch>(units_[g].conv, job);
            std::ranges::copy(floats, total.begin());
        } else {
            detail::convolve_exactly(units_[g].conv, job, total.data());
        }
        return total;
    }
    void finish_sums(std::size_t g, const std::vector<double>& total) {
        const layer_group& where = plan_.groups[g].where;
        const planned_weights& weights = *plan_.groups[g].weights;
        const tensor_codes& input = *plan_.tensors[where.inputs[0]];
        const std::size_t outputs = weights.shape[0];
        const std::size_t pixels = total.size() / count_ / outputs;
        const std::vector<float>* residual = where.residual ? &values_[*where.residual] : nullptr;
        std::vector<float>& to = values_[where.output];
        to.resize(total.size());
        for (std::size_t i = 0; i < total.size(); ++i) {
            const std::size_t o = i / pixels % outputs;
            const double unit = sum_scale(weights, input, o);
            double s = total[i] + weights.bias[o];
            if (residual != nullptr)
                s += rescaled(static_cast<double>((*residual)[i]), plan_.tensors[*where.residual]->scale / unit);
            to[i] = plan_.tensors[where.output] ? bounded(rescaled_sum(s, unit / plan_.tensors[where.output]->scale), g)
                                                : static_cast<float>(s) * static_cast<float>(unit);
        }
    }
    /// A residual in the scale of the sums: an integer.
    [[nodiscard]] double rescaled(double x, double factor) const {
        return plan_.scales == scale_form::power_of_two ? std::nearbyint(x * factor)
                                                        : detail::times_q31(x, to_q31(factor));
    }
    /// A sum in the scale of the result, rounded.
    [[nodiscard]] double rescaled_sum(double s, double factor) const {
        switch (plan_.scales) {
        case scale_form::power_of_two:
            return std::nearbyint(s * factor);
        case scale_form::fixed_point:
            return detail::times_q31(s, to_q31(factor));
        case scale_form::real:
            break;
        }
        const float product = static_cast<float>(s) * static_cast<float>(factor);
        return std::nearbyint(static_cast<double>(product));
    }

    void compute(std::size_t g, const sum&) {
        const layer_group& where = plan_.groups[g].where;
        const double to = plan_.tensors[where.output]->scale;
        const double fa = plan_.tensors[where.inputs[0]]->scale / to;
        const double fb = plan_.tensors[where.inputs[1]]->scale / to;
        const std::vector<float>& a = values_[where.inputs[0]];
        const std::vector<float>& b = values_[where.inputs[1]];
        std::vector<float>& result = values_[where.output];
        const detail::scaled_sum scaled(to_q31(fa), to_q31(fb));
        for (std::size_t i = 0; i < a.size(); ++i) {
            const auto x = static_cast<double>(a[i]);
            const auto y = static_cast<double>(b[i]);
            double s = 0;
            if (plan_.scales == scale_form::power_of_two)
                s = std::nearbyint(x * fa + y * fb);
            else // 9 bits times 31 bits: exact
                s = std::floor((x * static_cast<double>(scaled.a()) + y * static_cast<double>(scaled.b())) *
                                   exp2_exact(-scaled.shift()) +
                               0.5);
            result.push_back(bounded(s, g));
        }
    }
    void compute(std::size_t g, const max_pool& op) { by_model(g, op); }
    void compute(std::size_t g, const reshape&) {
        values_[plan_.groups[g].where.output] = values_[plan_.groups[g].where.inputs[0]];
    }
    void compute(std::size_t g, const softmax&) {
        values_[plan_.groups[g].where.output] = values_[plan_.groups[g].where.inputs[0]];
    }
    void compute(std::size_t g, const slice& op) { by_model(g, op); }
    void compute(std::size_t g, const pad& op) {
        const tensor_codes& to = *plan_.tensors[plan_.groups[g].where.output];
        pad in_units = op;
        in_units.value = code_less_zero(std::nearbyint(static_cast<double>(op.value) / to.scale), to);
        by_model(g, in_units);
    }
    void compute(std::size_t g, const clip&) {
        for (const float x : values_[plan_.groups[g].where.inputs[0]])
            values_[plan_.groups[g].where.output].push_back(bounded(static_cast<double>(x), g));
    }
    void compute(std::size_t g, const average_pool& op) { means(g, op); }
    void compute(std::size_t g, const global_average_pool_layer&) {
        const std::vector<std::size_t>& in = shape(plan_.groups[g].where.inputs[0]);
        means(g, {.kernel = {in[1], in[2]}});
    }
    template <class Op> void compute(std::size_t g, const Op& op) {
        detail::raise<unsupported_error>("simulator: layer '", layer_of(g).name, "' (", operator_name(operation(op)),
                                         ") has no integer form");
    }
    /// Operations that only move numbers are those of the model room.
    template <class Op> void by_model(std::size_t g, const Op& op) {
        detail::float_job job = job_of(g);
        run_model(g, op, job);
    }
    template <class Op> void run_model(std::size_t g, const Op& op, detail::float_job& job) {
        std::vector<float>& to = values_[plan_.groups[g].where.output];
        to.resize(job.count * count_);
        job.output = to.data();
        detail::compute<Arch>(op, job);
    }
    /// Sums of windows, and their numbers of pixels, from the model room: means of x, and of 1, times the kernel.
    void means(std::size_t g, const average_pool& op) {
        const layer_group& where = plan_.groups[g].where;
        const std::vector<std::size_t>& in = shape(where.inputs[0]);
        const std::vector<std::size_t>& out = shape(where.output);
        const double factor = plan_.tensors[where.inputs[0]]->scale / plan_.tensors[where.output]->scale;
        std::vector<float>& to = values_[where.output];
        for (std::size_t i = 0; i < count_ * element_count(out); ++i) {
            const float* channel = values_[where.inputs[0]].data() + i / (out[1] * out[2]) * in[1] * in[2];
            const auto rows = taps_along(op, 0, i / out[2] % out[1], in[1]);
            const auto columns = taps_along(op, 1, i % out[2], in[2]);
            double total = 0;
            for (const std::size_t h : rows.inside)
                for (const std::size_t w : columns.inside)
                    total += static_cast<double>(channel[h * in[2] + w]);
            const std::size_t pixels =
                op.count_include_pad ? rows.counted * columns.counted : rows.inside.size() * columns.inside.size();
            const double count = static_cast<double>(pixels);
            to.push_back(bounded(plan_.scales == scale_form::power_of_two
                                     ? rounded_quotient(total * factor, count)
                                     : detail::times_q31(total, to_q31(factor / count)),
                                 g));
        }
    }
    /// x / n to nearest even, with the exact remainder deciding. x: an integer times a power of two.
    [[nodiscard]] static double rounded_quotient(double x, double n) noexcept {
        const double whole = std::floor(x / n);
        double best = whole - 1;
        for (const double q : {whole, whole + 1}) {
            const double left = std::abs(std::fma(-best, n, x));
            const double right = std::abs(std::fma(-q, n, x));
            if (right < left || (right == left && std::fmod(q, 2) == 0))
                best = q;
        }
        return best;
    }
    struct window_taps {
        std::vector<std::size_t> inside{};
        std::size_t counted = 0;
    };
    [[nodiscard]] static window_taps taps_along(const average_pool& op, std::size_t axis, std::size_t at,
                                                std::size_t extent) {
        window_taps taps;
        for (std::size_t t = 0; t < op.kernel[axis]; ++t) {
            const std::size_t place = at * op.window.stride[axis] + t * op.window.dilation[axis];
            const std::size_t before = op.window.padding[axis];
            taps.counted += place < before + extent + op.window.padding[axis + 2] ? 1U : 0U;
            if (place >= before && place - before < extent)
                taps.inside.push_back(place - before);
        }
        return taps;
    }
    void compute(std::size_t g, const concat& op) {
        const layer_group& where = plan_.groups[g].where;
        const tensor_codes& to = *plan_.tensors[where.output];
        std::vector<std::vector<float>> parts;
        detail::float_job job = job_of(g);
        for (std::size_t k = 0; k < where.inputs.size(); ++k) {
            const double factor = plan_.tensors[where.inputs[k]]->scale / to.scale;
            parts.push_back(values_[where.inputs[k]]);
            for (float& x : parts.back())
                x = bounded(rescaled(static_cast<double>(x), factor), g);
        }
        for (std::size_t k = 0; k < parts.size(); ++k)
            job.inputs[k].data = parts[k].data();
        run_model(g, op, job);
    }
    void write_results(std::span<float> results) const {
        const std::vector<float>& from = values_[plan_.net.output];
        if (results.size() != from.size())
            detail::raise<shape_error>("simulator: ", results.size(), " floats for ", from.size(), " results");
        std::size_t tensor = plan_.net.output;
        for (bool moved = true; moved && !plan_.tensors[tensor];) { // codes may stand behind reshapes and a softmax
            moved = false;
            for (const planned_group& group : plan_.groups)
                if (group.where.output == tensor && !group.weights) {
                    tensor = group.where.inputs[0];
                    moved = true;
                    break;
                }
        }
        for (std::size_t i = 0; i < from.size(); ++i)
            results[i] = plan_.tensors[tensor]
                             ? static_cast<float>(static_cast<double>(from[i]) * plan_.tensors[tensor]->scale)
                             : from[i];
    }

    const plan& plan_;
    std::vector<detail::unit_convolution> units_;
    std::vector<std::vector<float>> values_; ///< per tensor: codes less their zero points
    std::vector<float> shown_;
    std::size_t count_ = 0;
};

} // namespace notch

/// @file
/// How each kind of step runs. Part of run.hpp.
#pragma once

#include <notch/conv/add.hpp>
#include <notch/conv/average_pool2d.hpp>
#include <notch/conv/concat_channels.hpp>
#include <notch/conv/conv2d.hpp>
#include <notch/conv/depthwise.hpp>
#include <notch/conv/image.hpp>
#include <notch/conv/max_pool2d.hpp>
#include <notch/core/executor.hpp>
#include <notch/core/tensor_view.hpp>
#include <notch/deploy/program.hpp>
#include <notch/deploy/rescale.hpp>
#include <notch/deploy/step.hpp>
#include <notch/deploy/step_tasks.hpp>
#include <notch/epilogue/activation.hpp>
#include <notch/epilogue/add_bias.hpp>
#include <notch/epilogue/add_rescaled_residual.hpp>
#include <notch/epilogue/add_residual.hpp>
#include <notch/epilogue/fixed_point_requantize.hpp>
#include <notch/epilogue/real_factors.hpp>
#include <notch/epilogue/shift_requantize.hpp>
#include <notch/gemm/gemm.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <utility>

namespace notch::detail {

/// An executor by reference that is one itself.
struct borrowed_executor {
    executor_ref run;
    template <class Body> void operator()(std::size_t n_tasks, Body&& body) const { run(n_tasks, task_ref(body)); }
};

/// What a step needs of the outside.
struct run_context {
    const program_data& program;
    std::uint8_t* arena;
    std::size_t count; ///< images
    float* reals;      ///< where a real result goes, [n, H, W, C]
    gemm_options options;
    borrowed_executor run;
    std::size_t least_work; ///< of a task, in multiplications

    [[nodiscard]] const run_tensor& tensor(std::size_t t) const noexcept { return program.tensors[t]; }
    [[nodiscard]] extents<4> shape(std::size_t t) const noexcept {
        const auto& s = tensor(t).shape;
        return {count, s[0], s[1], s[2]};
    }
    [[nodiscard]] std::uint8_t* codes(std::size_t t) const noexcept { return arena + tensor(t).offset * count; }
    [[nodiscard]] strided_view<std::uint8_t, 4> view(std::size_t t) const { return {codes(t), shape(t)}; }
    [[nodiscard]] strided_view<const std::uint8_t, 4> constant(std::size_t t) const { return {codes(t), shape(t)}; }
    /// A tensor as images. Scales that are no powers of two stand in the factors of a step: here they are 1.
    [[nodiscard]] image_codes<std::uint8_t> image(std::size_t t) const {
        const run_tensor& from = tensor(t);
        return {constant(t), from.zero_point, program.scales == scale_form::power_of_two ? from.exponent : 0, 0};
    }
    [[nodiscard]] task_options tasks() const noexcept { return {options.tasks}; }
};

/// Calls f(epilogue) with what follows the sums of a step, for a result of codes. Without Residuals none is possible.
template <bool Residuals, class F>
void with_epilogue(const run_context& context, const program_step& step, const sum_stage& stage, const F& f) {
    const run_tensor& to = context.tensor(step.output);
    const auto finish = [&](auto first) {
        f(first | clamp{stage.lowest, stage.highest} | add_zero_point{to.zero_point});
    };
    const auto rescale = [&](auto first) {
        if (context.program.scales == scale_form::fixed_point)
            finish(first | fixed_point_requantize<>(stage.fixed));
        else
            finish(first | real_requantize_by<>{stage.real});
    };
    const add_bias bias{stage.bias};
    if (!step.residual) {
        if (context.program.scales == scale_form::power_of_two)
            finish(bias | shift_requantize{to.exponent});
        else
            rescale(bias);
        return;
    }
    if constexpr (Residuals) {
        const run_tensor& other = context.tensor(*step.residual);
        const strided_view<const std::uint8_t, 2> codes(
            context.codes(*step.residual), {context.count * other.shape[0] * other.shape[1], other.shape[2]});
        if (context.program.scales == scale_form::power_of_two)
            finish(bias | add_residual<std::uint8_t>{codes, other.exponent, other.zero_point} |
                   shift_requantize{to.exponent});
        else
            rescale(bias | add_rescaled_residual<std::uint8_t>{codes, other.zero_point, stage.residual.multipliers,
                                                               stage.residual.exponents});
    }
}

/// Runs a step with weights: kernel(epilogue, destination).
template <bool Residuals = false, class Kernel>
void run_with_sums(const run_context& context, const program_step& step, const sum_stage& stage, const Kernel& kernel) {
    if (step.to_reals)
        kernel(add_bias{stage.bias} | to_real_by{stage.real},
               strided_view<float, 4>(context.reals, context.shape(step.output)));
    else
        with_epilogue<Residuals>(context, step, stage,
                                 [&](const auto& epilogue) { kernel(epilogue, context.view(step.output)); });
}

template <class Arch> void run_work(const run_context& context, const program_step& step, const conv_step& work) {
    run_with_sums<true>(context, step, work.stage, [&](const auto& epilogue, const auto& dst) {
        conv2d<Arch>(context.image(step.inputs[0]), work.filters, work.geometry, epilogue, dst, context.options,
                     context.run);
    });
}

template <class Arch> void run_work(const run_context& context, const program_step& step, const depthwise_step& work) {
    run_with_sums(context, step, work.stage, [&](const auto& epilogue, const auto& dst) {
        depthwise_conv2d<Arch>(context.image(step.inputs[0]), work.weights, work.geometry, epilogue, dst,
                               context.options, context.run);
    });
}

template <class Arch> void run_work(const run_context& context, const program_step& step, const linear_step& work) {
    const image_codes<std::uint8_t> from = context.image(step.inputs[0]);
    const activation_codes<std::uint8_t> rows{
        {from.codes.data(), {context.count, work.weights.inputs()}}, from.zero_point, from.exponent, 0};
    run_with_sums(context, step, work.stage, [&](const auto& epilogue, const auto& dst) {
        const strided_view to(dst.data(), extents<2>{context.count, work.weights.outputs()});
        gemm<Arch>(rows, work.weights, epilogue, to, context.options, context.run);
    });
}

/// The codes of a result, for operators that take output_codes.
[[nodiscard]] inline output_codes codes_of(const run_tensor& to, std::int32_t lowest, std::int32_t highest) noexcept {
    return {to.exponent, to.zero_point, lowest, highest};
}

template <class Arch> void run_work(const run_context& context, const program_step& step, const sum_step& work) {
    const run_tensor& to = context.tensor(step.output);
    if (context.program.scales == scale_form::power_of_two) {
        add(context.image(step.inputs[0]), context.image(step.inputs[1]), codes_of(to, work.lowest, work.highest),
            context.view(step.output), context.tasks(), context.run);
        return;
    }
    const scaled_sum sum_of(work.factors[0], work.factors[1]);
    const code_target target{to.zero_point, work.lowest, work.highest};
    const std::uint8_t* a = context.codes(step.inputs[0]);
    const std::uint8_t* b = context.codes(step.inputs[1]);
    const std::int32_t zero_a = context.tensor(step.inputs[0]).zero_point;
    const std::int32_t zero_b = context.tensor(step.inputs[1]).zero_point;
    std::uint8_t* dst = context.codes(step.output);
    for (std::size_t i = 0; i < context.count * to.size(); ++i)
        dst[i] = target.code(sum_of(a[i] - zero_a, b[i] - zero_b));
}

template <class Arch> void run_work(const run_context& context, const program_step& step, const max_pool_step& work) {
    max_pool2d(context.constant(step.inputs[0]), work.geometry, context.view(step.output), context.tasks(),
               context.run);
}

/// Means whose scale changes by a factor that is no power of two.
template <class Arch>
void rescaled_means(const run_context& context, const program_step& step, const average_pool_step& work) {
    const image_codes<std::uint8_t> from = context.image(step.inputs[0]);
    const run_tensor& to = context.tensor(step.output);
    const code_target target{to.zero_point, 0, to.highest};
    const window_axis height = height_axis(from.codes.shape(), work.geometry);
    const window_axis width = width_axis(from.codes.shape(), work.geometry);
    const strided_view<std::uint8_t, 4> dst = context.view(step.output);
    for_each_row(context.count * to.shape[0], context.options.tasks, context.run.run, [&](std::size_t row) {
        const std::size_t n = row / to.shape[0];
        const std::size_t oh = row % to.shape[0];
        const window_span rows = span_of_window(height, oh);
        for (std::size_t ow = 0; ow < to.shape[1]; ++ow) {
            const window_span columns = span_of_window(width, ow);
            const std::size_t pixels =
                work.geometry.count_include_pad ? rows.counted * columns.counted : rows.inside() * columns.inside();
            const q31 factor = to_q31(work.factor / static_cast<double>(pixels));
            for (std::size_t c = 0; c < to.shape[2]; ++c) {
                std::int32_t sum_of = 0;
                for (std::size_t h = rows.first; h < rows.last; ++h)
                    for (std::size_t w = columns.first; w < columns.last; ++w)
                        sum_of += from.codes(n, rows.pixel(h, height), columns.pixel(w, width), c) - from.zero_point;
                dst(n, oh, ow, c) = target.code(multiply_single(sum_of, factor));
            }
        }
    });
}

template <class Arch>
void run_work(const run_context& context, const program_step& step, const average_pool_step& work) {
    const run_tensor& to = context.tensor(step.output);
    if (context.program.scales == scale_form::power_of_two)
        average_pool2d(context.image(step.inputs[0]), work.geometry, codes_of(to, 0, to.highest),
                       context.view(step.output), context.tasks(), context.run);
    else
        rescaled_means<Arch>(context, step, work);
}

/// Bytes that lie side by side behind an axis of [H, W, C], and how often the axis occurs before it.
struct axis_runs {
    std::size_t outer = 1;
    std::size_t inner = 1;
    axis_runs(const std::array<std::size_t, 3>& shape, std::size_t axis, std::size_t count) noexcept : outer(count) {
        for (std::size_t i = 0; i < 3; ++i)
            (i < axis ? outer : inner) *= shape[i];
    }
};

template <class Arch> void run_work(const run_context& context, const program_step& step, const concat_step& work) {
    const run_tensor& to = context.tensor(step.output);
    const bool powers = context.program.scales == scale_form::power_of_two;
    const axis_runs whole(to.shape, work.axis, context.count);
    std::size_t at = 0;
    for (std::size_t k = 0; k < step.inputs.size(); ++k) {
        const run_tensor& part = context.tensor(step.inputs[k]);
        const axis_runs runs(part.shape, work.axis, context.count);
        const std::uint8_t* from = context.codes(step.inputs[k]);
        const code_target target{to.zero_point, 0, to.highest};
        const code_shift<nearest_even> shift(powers ? to.exponent - part.exponent : 0);
        std::uint8_t table[256]; // a code is one of 256: the map is made once
        for (std::int32_t code = 0; code < 256; ++code) {
            const std::int32_t x = code - part.zero_point;
            table[code] = target.code(powers ? shift(x) : multiply_single(x, work.factors[k]));
        }
        for (std::size_t o = 0; o < runs.outer; ++o)
            for (std::size_t i = 0; i < runs.inner; ++i)
                context.codes(step.output)[o * whole.inner + at + i] = table[from[o * runs.inner + i]];
        at += runs.inner;
    }
}

/// Copies `count` bytes between places that do not overlap. Pixels are short: a call of memcpy would take longer than they do.
NOTCH_INLINE void copy_short(std::uint8_t* to, const std::uint8_t* from, std::size_t count) noexcept {
    constexpr std::size_t piece = 16;
    if (count < piece) {
        for (std::size_t i = 0; i < count; ++i)
            to[i] = from[i];
        return;
    }
    for (std::size_t i = 0; i + piece <= count; i += piece)
        std::memcpy(to + i, from + i, piece);
    std::memcpy(to + count - piece, from + count - piece, piece); // the rest, and some bytes again
}

template <class Arch> void run_work(const run_context& context, const program_step& step, const slice_step& work) {
    const strided_view<const std::uint8_t, 4> from = context.constant(step.inputs[0]);
    const strided_view<std::uint8_t, 4> dst = context.view(step.output);
    const std::size_t width = dst.extent(2);
    const std::size_t channels = dst.extent(3);
    const std::size_t pixel = from.extent(3) * work.step[1];
    const bool whole = work.step[1] == 1 && work.step[2] == 1 && channels == from.extent(3);
    std::uint8_t* to = dst.data();
    for (std::size_t n = 0; n < dst.extent(0); ++n)
        for (std::size_t h = 0; h < dst.extent(1); ++h) {
            const std::uint8_t* row = pixel_of(from, n, work.begin[0] + h * work.step[0], work.begin[1], work.begin[2]);
            if (whole) {
                std::memcpy(to, row, width * channels);
                to += width * channels;
                continue;
            }
            for (std::size_t w = 0; w < width; ++w, row += pixel, to += channels) {
                if (work.step[2] == 1)
                    copy_short(to, row, channels);
                else
                    for (std::size_t c = 0; c < channels; ++c)
                        to[c] = row[c * work.step[2]];
            }
        }
}

template <class Arch> void run_work(const run_context& context, const program_step& step, const pad_step& work) {
    const strided_view<const std::uint8_t, 4> from = context.constant(step.inputs[0]);
    const strided_view<std::uint8_t, 4> dst = context.view(step.output);
    std::memset(dst.data(), work.value, dst.size());
    const std::size_t width = from.extent(2);
    const std::size_t channels = from.extent(3);
    const std::uint8_t* row = from.data();
    for (std::size_t n = 0; n < from.extent(0); ++n)
        for (std::size_t h = 0; h < from.extent(1); ++h) {
            std::uint8_t* to = pixel_of(dst, n, work.before[0] + h, work.before[1], work.before[2]);
            if (channels == dst.extent(3)) {
                std::memcpy(to, row, width * channels);
                row += width * channels;
                continue;
            }
            for (std::size_t w = 0; w < width; ++w, row += channels, to += dst.extent(3))
                copy_short(to, row, channels);
        }
}

template <class Arch> void run_work(const run_context& context, const program_step& step, const clip_step& work) {
    const std::uint8_t* from = context.codes(step.inputs[0]);
    std::uint8_t* to = context.codes(step.output);
    for (std::size_t i = 0; i < context.count * context.tensor(step.output).size(); ++i)
        to[i] = static_cast<std::uint8_t>(std::clamp<std::int32_t>(from[i], work.lowest, work.highest));
}

/// Tasks of a step.
[[nodiscard]] inline std::size_t tasks_of(const run_context& context, const program_step& step) noexcept {
    return tasks_of_step(step, context.count * context.tensor(step.output).size(), context.options.tasks,
                         context.least_work);
}

/// Bytes of workspace of a step.
template <class Arch> [[nodiscard]] std::size_t workspace_of(const run_context& context, const program_step& step) {
    const std::size_t tasks = tasks_of(context, step);
    if (const auto* conv = std::get_if<conv_step>(&step.work))
        return conv_workspace<Arch>(context.image(step.inputs[0]), conv->filters, conv->geometry, tasks);
    if (const auto* depthwise = std::get_if<depthwise_step>(&step.work))
        return depthwise_workspace<Arch>(context.image(step.inputs[0]), depthwise->weights, depthwise->geometry, tasks);
    if (const auto* product = std::get_if<linear_step>(&step.work))
        return gemm_workspace<Arch>(product->weights, context.count, tasks);
    return 0;
}

/// Runs one step.
template <class Arch> void run_step(const run_context& context, const program_step& step) {
    run_context own = context;
    own.options.tasks = tasks_of(context, step);
    std::visit([&](const auto& work) { run_work<Arch>(own, step, work); }, step.work);
}

} // namespace notch::detail

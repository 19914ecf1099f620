/// @file
/// steps_of: what a program says of its steps, for a report: the kernels it takes, and times that were measured.
///
///     std::vector<double> seconds(program.steps().size());
///     run(codes, 32, logits, [&](std::size_t step) { seconds[step] += ...; });       the clock is the caller's
///     inputs.steps = steps_of(program, seconds);
///
/// Kernels are those of the instruction set Arch and of one image at a time, unless `images` says otherwise.
#pragma once

#include <notch/conv/explain.hpp>
#include <notch/core/error.hpp>
#include <notch/deploy/program.hpp>
#include <notch/deploy/report.hpp>
#include <notch/deploy/step.hpp>
#include <notch/gemm/explain.hpp>
#include <notch/simd/arch.hpp>

#include <cstddef>
#include <span>
#include <string>
#include <variant>
#include <vector>

namespace notch {

/// The kernel of one step, in words; empty for steps that move, add or average codes.
template <class Arch = simd::default_arch>
[[nodiscard]] std::string explain(const program& from, const program_step& step, std::size_t images = 1,
                                  std::size_t tasks = 1) {
    const auto& [h, w, c] = from.tensors()[step.inputs[0]].shape;
    if (const auto* conv = std::get_if<conv_step>(&step.work))
        return explain<Arch>(conv->filters, {images, h, w, c}, conv->geometry, tasks);
    if (const auto* depthwise = std::get_if<depthwise_step>(&step.work))
        return explain<Arch>(depthwise->weights, {images, h, w, c}, depthwise->geometry, tasks);
    if (const auto* product = std::get_if<linear_step>(&step.work))
        return explain<Arch>(product->weights, images, tasks);
    return {};
}

/// All steps. `seconds`: per step, for one image; empty where nobody measured them. Raises shape_error for another
/// number of them.
template <class Arch = simd::default_arch>
[[nodiscard]] std::vector<report_step> steps_of(const program& from, std::span<const double> seconds = {},
                                                std::size_t images = 1, std::size_t tasks = 1) {
    if (!seconds.empty() && seconds.size() != from.steps().size())
        detail::raise<shape_error>("steps_of: ", seconds.size(), " times for ", from.steps().size(), " steps");
    std::vector<report_step> to;
    for (std::size_t s = 0; s < from.steps().size(); ++s) {
        const program_step& step = from.steps()[s];
        report_step report{.group = step.group, .kernel = explain<Arch>(from, step, images, tasks)};
        if (!seconds.empty())
            report.seconds = seconds[s];
        to.push_back(report);
    }
    return to;
}

} // namespace notch

/// @file
/// Depthwise convolution of 8-bit codes with packed weights, requantized in the cache.
///
///     dst[n][y][x][o] = epilogue(sum over i, j of (src[n][y sh + i dh - top][x sw + j dw - left][o / m] - zero) * W[o][i][j])
///
/// m is the channel multiplier. What lies outside the source holds its zero point and adds nothing. The epilogue sees
/// output pixels as rows and output channels as columns, as it does behind gemm. The result depends neither on the
/// instruction set nor on the number of tasks.
#pragma once

#include <notch/conv/depthwise_plan.hpp>
#include <notch/conv/depthwise_store.hpp>
#include <notch/conv/depthwise_task.hpp>
#include <notch/conv/packed_depthwise.hpp>
#include <notch/core/executor.hpp>
#include <notch/core/tensor_view.hpp>
#include <notch/epilogue/stage.hpp>
#include <notch/gemm/gemm.hpp>

#include <cstddef>
#include <cstdint>
#include <span>

namespace notch::detail {

/// The scale of the source.
struct depthwise_scale {
    bool power_of_two = true;
    std::int32_t exponent = 0;
    float scale = 1;
};

/// Bytes of workspace for a depthwise convolution.
template <class Arch>
[[nodiscard]] std::size_t depthwise_workspace(const depthwise_problem& problem, std::size_t tasks) noexcept {
    return cut_depthwise<Arch>(problem, tasks).workspace() + 63;
}

/// Runs a planned convolution in a workspace.
template <class Arch, class Store>
void run_depthwise(const depthwise_job& job, const Store& store, const gemm_options& options, executor_ref run) {
    const std::size_t needed = job.cut.workspace() + 63;
    const auto in = [&](std::byte* workspace) {
        std::byte* memory = align_64(workspace);
        run_tasks(run, job.cut.tasks, [&](std::size_t task) {
            depthwise_task<Arch, Store>(job, store, memory + task * job.cut.task_bytes).run(task);
        });
    };
    if (!options.workspace.empty()) {
        if (options.workspace.size() < needed)
            raise<range_error>(quoted(job.weights->name()), ": a workspace of ", options.workspace.size(),
                               " bytes; depthwise_workspace asks for ", needed);
        in(options.workspace.data());
    } else if (needed <= small_workspace) {
        std::byte memory[small_workspace];
        in(memory);
    } else {
        aligned_buffer<std::byte> memory(needed);
        in(memory.data());
    }
}

/// The convolution of a problem that has been checked. `dst` is [images, lines, columns, outputs].
template <class Arch, class Epilogue, class T>
void depthwise_into(const depthwise_problem& problem, const depthwise_scale& scale, const packed_depthwise& weights,
                    Epilogue epilogue, const strided_view<T, 4>& dst, const gemm_options& options, executor_ref run) {
    const depthwise_header& head = weights.header();
    epilogue_problem sums;
    sums.rows = problem.images * problem.out_height * problem.out_width;
    sums.columns = head.outputs;
    sums.name = weights.name();
    sums.powers_of_two = scale.power_of_two && head.kind == scale_kind::power_of_two;
    if (sums.powers_of_two)
        sums.exponents = weights.exponents().data();
    sums.exponent = scale.exponent;
    sums.scales = weights.scales().data();
    sums.scale = scale.scale;
    sums.lowest = -head.bound;
    sums.highest = head.bound;
    prepare_stage(epilogue, sums);
    if (sums.rows == 0)
        return;
    depthwise_job job;
    job.weights = &weights;
    job.problem = problem;
    job.cut = cut_depthwise<Arch>(problem, options.tasks);
    job.flip = problem.is_signed ? 0x80 : 0;
    const std::int32_t zero = problem.zero_point + (problem.is_signed ? 128 : 0);
    job.zero_code = static_cast<std::uint8_t>(zero);
    const depthwise_store<Arch, Epilogue, T> store(epilogue, sums, weights.sums().data(), zero, dst);
    run_depthwise<Arch>(job, store, options, run);
}

} // namespace notch::detail

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
#include <notch/conv/depthwise_task.hpp>
#include <notch/conv/packed_depthwise.hpp>
#include <notch/core/executor.hpp>
#include <notch/core/tensor_view.hpp>
#include <notch/epilogue/stage.hpp>
#include <notch/gemm/gemm.hpp>
#include <notch/gemm/store_tile.hpp>

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

/// Stores tiles of sums: sums, the place of the first one, lines and columns of the tile, first output channel.
template <class Arch, class Epilogue, class T> class depthwise_store {
public:
    depthwise_store(const Epilogue& epilogue, const epilogue_problem& problem, const std::int32_t* sums,
                    std::int32_t zero_point, const strided_view<T, 4>& dst) noexcept
        : epilogue_(epilogue), problem_(problem), sums_(sums), zero_point_(zero_point), dst_(dst),
          column_stride_(dst.extent(3) == 1 ? 1 : dst.stride(3)),
          joins_lines_(dst.stride(1) == static_cast<std::ptrdiff_t>(dst.extent(2)) * dst.stride(2)) {}

    void operator()(const std::int32_t* tile, std::size_t image, std::size_t y, std::size_t x, std::size_t lines,
                    std::size_t columns, std::size_t output) const noexcept {
        if (joins_lines_ && columns == dst_.extent(2)) {
            finish(tile, image, y, x, lines * columns, output);
            return;
        }
        for (std::size_t i = 0; i < lines; ++i)
            finish(tile + i * columns * panel_columns, image, y + i, x, columns, output);
    }

private:
    void finish(const std::int32_t* tile, std::size_t image, std::size_t y, std::size_t x, std::size_t rows,
                std::size_t output) const noexcept {
        const std::size_t row = (image * dst_.extent(1) + y) * dst_.extent(2) + x;
        T* const first = dst_.data() + static_cast<std::ptrdiff_t>(image) * dst_.stride(0) +
                         static_cast<std::ptrdiff_t>(y) * dst_.stride(1) +
                         static_cast<std::ptrdiff_t>(x) * dst_.stride(2);
        // The store counts from row 0 of the product.
        const tile_store<Arch, Epilogue, T> store(epilogue_, problem_, sums_, zero_point_,
                                                  first - static_cast<std::ptrdiff_t>(row) * dst_.stride(2),
                                                  dst_.stride(2), column_stride_);
        store.template finish<false>(
            tile, {row, rows, output, std::min(panel_columns, dst_.extent(3) - output), panel_columns});
    }

    const Epilogue& epilogue_;
    const epilogue_problem& problem_;
    const std::int32_t* sums_;
    std::int32_t zero_point_;
    const strided_view<T, 4>& dst_;
    std::ptrdiff_t column_stride_;
    bool joins_lines_;
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
        run_tasks(run, job.cut.tasks(), [&](std::size_t task) {
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

/// @file
/// conv2d: convolution of 8-bit codes with packed filters, requantized in the cache.
///
///     dst[n][oh][ow][o] = epilogue(sum over the channels i of the group of o and all taps (kh, kw) of
///                                  (src[n][oh sh + kh dh - top][ow sw + kw dw - left][i] - zero) * W[o][i][kh][kw])
///
/// What lies outside the image holds its zero point and adds nothing. Where the scale changes along the channels, sums
/// are shifted (or scaled as floats) once per block of channels, over all of its taps. The epilogue sees output pixels as
/// rows, row (n OH + oh) OW + ow, and outputs as columns. conv/reference.hpp defines the result bit for bit; it
/// depends neither on the instruction set nor on the number of tasks.
///
/// Microkernels are those of gemm; their rows point into the image, or into a band of its lines. Filters with a group for
/// each channel are right here, and slow: depthwise_conv2d is for them. Transposed convolution is out of scope.
#pragma once

#include <notch/conv/conv_plan.hpp>
#include <notch/conv/conv_store.hpp>
#include <notch/conv/conv_task.hpp>
#include <notch/conv/geometry.hpp>
#include <notch/conv/image.hpp>
#include <notch/conv/packed_filters.hpp>
#include <notch/conv/transformed_task.hpp>
#include <notch/core/executor.hpp>
#include <notch/core/tensor_view.hpp>
#include <notch/epilogue/stage.hpp>
#include <notch/gemm/gemm.hpp>
#include <notch/gemm/workspace.hpp>

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <type_traits>

namespace notch {

namespace detail {

/// Raises errors unless filters were packed for a geometry; returns the extents of the result.
[[nodiscard]] inline extents<4> checked_result(const packed_filters& filters, const extents<4>& images,
                                               const conv_geometry& geometry) {
    if (filters.weights().bytes().empty())
        raise<state_error>("conv2d: the packed filters are empty; make them by pack_filters()");
    if (geometry.groups != filters.groups())
        raise<shape_error>("conv2d: ", quoted(filters.name()), " is packed for ", filters.groups(),
                           " groups, the geometry has ", geometry.groups);
    const extents<4> result = conv_extents(images, filters.shape(), geometry, filters.name());
    if (filters.joined() && geometry.dilation.w != 1 && filters.shape()[3] > 1)
        raise<unsupported_error>("conv2d: ", quoted(filters.name()),
                                 " is packed for a dilation of 1 along the width, the geometry has ",
                                 geometry.dilation.w, "; pack_filters takes the geometry");
    return result;
}

/// Runs a planned convolution in a workspace.
template <class Arch, class Store>
void run_convolution(conv_job& job, const Store& store, std::span<std::byte> workspace, executor_ref run) {
    in_workspace(job.workspace(), workspace, job.filters->name(), "conv_workspace", [&](std::byte* memory) {
        if constexpr (!simd::int_ops<Arch>::has_quad8 && !std::is_same_v<typename Store::sum_type, float>) {
            if (job.transformed.is_taken()) {
                run_tasks(run, job.product.cut.tasks(), [&](std::size_t task) {
                    transformed_task<Arch, Store>(job, store, memory + task * job.task_bytes).run(task);
                });
                return;
            }
        }
        auto* segments = reinterpret_cast<row_segment*>(memory);
        fill_segments(job, segments);
        job.product.segments = segments;
        memory += job.product.cut.segment_bytes;
        run_tasks(run, job.product.cut.tasks(), [&](std::size_t task) {
            conv_task<Arch, Store>(job, store, memory + task * job.task_bytes).run(task);
        });
    });
}

/// Everything behind the type of images.
template <class Arch, class Epilogue, class T>
void conv_into(const image_place& images, const gemm_operand& operand, const packed_filters& filters,
               const conv_geometry& geometry, Epilogue epilogue, const strided_view<T, 4>& dst,
               const gemm_options& options, executor_ref run) {
    const extents<4> result = checked_result(filters, images.shape, geometry);
    if (dst.shape() != result)
        raise<shape_error>("conv2d: ", quoted(filters.name()), ": a destination of extents ", dst.shape(),
                           " for a result of extents ", result);
    gemm_operand rows = operand;
    rows.codes.rows = result[0] * result[1] * result[2];
    const bool floats = filters.weights().header().block_scales != 0;
    epilogue_problem problem = problem_of(rows, filters, filters.bound());
    problem.is_float = floats;
    prepare_stage(epilogue, problem);
    check_sums<Epilogue, T>("conv2d", filters.weights());
    if (rows.codes.rows == 0)
        return;
    conv_job job = plan_convolution(kernel_traits_of<Arch>, filters, images, geometry, result, options.tasks);
    const auto store_and_run = [&]<bool Floats>(std::bool_constant<Floats>) {
        const conv_store<Arch, Epilogue, T, Floats> store(epilogue, problem, filters, job.product.zero_point, dst);
        run_convolution<Arch>(job, store, options.workspace, run);
    };
    if (floats) {
        if constexpr (stores_sums<Epilogue, T, float>())
            store_and_run(std::true_type());
    } else {
        if constexpr (stores_sums<Epilogue, T, std::int32_t>())
            store_and_run(std::false_type());
    }
}

} // namespace detail

/// Bytes of workspace that conv2d needs for images of some extents and strides. For filters of 3 x 3 and one task they stay
/// below the size of one image plus 64 KiB, unless a single line of the result needs more. Raises the errors of conv2d.
template <class Arch = simd::default_arch, detail::image_source Images>
[[nodiscard]] std::size_t conv_workspace(const Images& images, const packed_filters& filters,
                                         const conv_geometry& geometry, std::size_t tasks = 1) {
    const auto from = detail::image_of(images);
    const extents<4> result = detail::checked_result(filters, from.codes.shape(), geometry);
    const detail::conv_job job = detail::plan_convolution(detail::kernel_traits_of<Arch>, filters,
                                                          detail::place_of(from), geometry, result, tasks);
    return detail::unaligned_workspace(job.workspace());
}

/// Computes dst = epilogue(convolution), see above. `images`: a quantized_tensor [N, H, W, C] with one scale, image_codes,
/// or any view of int8_t or uint8_t; channels_last gives a view of NCHW, which is slower. `dst` is [N, OH, OW, O] of
/// uint8_t, int8_t, int32_t or float, any strides; it must not overlap the images. Allocates nothing where
/// options.workspace is given or little is needed (16 KiB).
/// Raises the errors of conv_extents; shape_error for other groups than those packed and for a destination of other
/// extents; unsupported_error for a dilation that was not packed for; range_error for a workspace that is too small or cannot be
/// addressed; and those of the stages, before anything is written.
template <class Arch = simd::default_arch, detail::image_source Images, epilogue_stage Epilogue, class Dst,
          executor Executor = serial>
void conv2d(const Images& images, const packed_filters& filters, const conv_geometry& geometry,
            const Epilogue& epilogue, Dst&& dst, const gemm_options& options = {}, Executor&& run = {}) {
    const auto to = as_view(dst);
    using view = std::remove_cvref_t<decltype(to)>;
    using element = typename view::element_type;
    static_assert(view::rank == 4, "conv2d: the destination is [N, OH, OW, O], of rank 4");
    static_assert(detail::output_type<element>::value,
                  "conv2d: the destination has elements uint8_t, int8_t, int32_t or float, not const");
    static_assert(
        detail::stores_sums<Epilogue, element, std::int32_t>() || detail::stores_sums<Epilogue, element, float>(),
        "conv2d: what leaves the epilogue does not fit the destination; a float destination needs to_real, an "
        "integer one must not have it");
    const auto from = detail::image_of(images);
    detail::conv_into<Arch, Epilogue, element>(detail::place_of(from),
                                               detail::operand_of_image(from, 0, filters.weights().inputs()), filters,
                                               geometry, epilogue, to, options, detail::executor_ref(run));
}

} // namespace notch

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
#include <notch/conv/depthwise_quad_task.hpp>
#include <notch/conv/depthwise_store.hpp>
#include <notch/conv/depthwise_task.hpp>
#include <notch/conv/geometry.hpp>
#include <notch/conv/image.hpp>
#include <notch/conv/packed_depthwise.hpp>
#include <notch/core/executor.hpp>
#include <notch/core/tensor_view.hpp>
#include <notch/epilogue/stage.hpp>
#include <notch/gemm/gemm.hpp>
#include <notch/gemm/workspace.hpp>

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <type_traits>

namespace notch {

namespace detail {

/// Runs a planned convolution in a workspace.
template <class Arch, class Store>
void run_depthwise(const depthwise_job& job, const Store& store, const gemm_options& options, executor_ref run) {
    in_workspace(
        job.cut.workspace(), options.workspace, job.weights->name(), "depthwise_workspace", [&](std::byte* memory) {
            run_tasks(run, job.cut.tasks, [&](std::size_t task) {
                if constexpr (simd::depthwise_quads<Arch>::largest_weight != 0)
                    if (job.cut.is_quad) {
                        depthwise_quad_task<Arch, Store>(job, store, memory + task * job.cut.task_bytes).run(task);
                        return;
                    }
                depthwise_task<Arch, Store>(job, store, memory + task * job.cut.task_bytes).run(task);
            });
        });
}

/// The convolution of a problem that has been checked. `dst` is [images, lines, columns, outputs].
template <class Arch, class Epilogue, class T>
void depthwise_into(const depthwise_problem& problem, const gemm_operand& source, const packed_depthwise& weights,
                    Epilogue epilogue, const strided_view<T, 4>& dst, const gemm_options& options, executor_ref run) {
    epilogue_problem sums = problem_of(source, weights, weights.bound());
    prepare_stage(epilogue, sums);
    if (sums.rows == 0)
        return;
    depthwise_job job;
    job.weights = &weights;
    job.problem = problem;
    job.cut = cut_depthwise<Arch>(problem, options.tasks, weights.name());
    const depthwise_store<Arch, Epilogue, T> store(epilogue, sums, weights.sums().data(), dst);
    run_depthwise<Arch>(job, store, options, run);
}

/// The numbers of a convolution. Raises the errors of conv_extents.
template <class Code>
[[nodiscard]] depthwise_problem depthwise_problem_of(const image_codes<Code>& images, const packed_depthwise& weights,
                                                     const conv_geometry& geometry) {
    const depthwise_header& head = weights.header();
    const extents<4>& shape = images.codes.shape();
    const extents<4> result =
        conv_extents(shape, {head.outputs, 1, head.kernel_h, head.kernel_w}, geometry, weights.name());
    depthwise_problem problem;
    problem.source = reinterpret_cast<const std::uint8_t*>(images.codes.data());
    problem.is_signed = std::same_as<Code, std::int8_t>;
    problem.zero_point = images.zero_point;
    problem.images = shape[0];
    problem.height = shape[1];
    problem.width = shape[2];
    problem.channels = shape[3];
    problem.image_stride = images.codes.stride(0);
    problem.line_stride = images.codes.stride(1);
    problem.pixel_stride = images.codes.stride(2);
    problem.channel_stride = shape[3] == 1 ? 1 : images.codes.stride(3);
    problem.multiplier = head.outputs / shape[3];
    problem.kernel_h = head.kernel_h;
    problem.kernel_w = head.kernel_w;
    problem.out_height = result[1];
    problem.out_width = result[2];
    problem.stride_h = geometry.stride.h;
    problem.stride_w = geometry.stride.w;
    problem.dilation_h = geometry.dilation.h;
    problem.dilation_w = geometry.dilation.w;
    problem.top = geometry.padding.top;
    problem.left = geometry.padding.left;
    problem.largest_weight = head.largest_value;
    return problem;
}

} // namespace detail

/// Bytes of workspace that depthwise_conv2d needs. Below the size of the images plus 64 KiB for kernels of 3 x 3
/// without dilation; with it, all lines between the first and the last tap are held.
template <class Arch = simd::default_arch, detail::image_source Images>
[[nodiscard]] std::size_t depthwise_workspace(const Images& images, const packed_depthwise& weights,
                                              const conv_geometry& geometry, std::size_t tasks = 1) {
    const auto problem = detail::depthwise_problem_of(detail::image_of(images), weights, geometry);
    return detail::unaligned_workspace(detail::cut_depthwise<Arch>(problem, tasks, weights.name()).workspace());
}

/// Computes dst = epilogue(depthwise convolution), see above. `images`: a quantized_tensor [N, H, W, C] with one scale,
/// image_codes, or any view of int8_t or uint8_t. `geometry.groups` is C. `dst` is [N, OH, OW, O] of uint8_t, int8_t,
/// int32_t or float, any strides; it must not overlap the images. Allocates nothing where options.workspace is given or
/// little is needed (16 KiB).
/// Raises the errors of conv_extents, shape_error for a destination of other extents, range_error for a workspace that is too
/// small or cannot be addressed, and the errors of the stages, before anything is written.
template <class Arch = simd::default_arch, detail::image_source Images, epilogue_stage Epilogue, class Dst,
          executor Executor = serial>
void depthwise_conv2d(const Images& images, const packed_depthwise& weights, const conv_geometry& geometry,
                      const Epilogue& epilogue, Dst&& dst, const gemm_options& options = {}, Executor&& run = {}) {
    const auto to = as_view(dst);
    using view = std::remove_cvref_t<decltype(to)>;
    using element = typename view::element_type;
    static_assert(view::rank == 4, "depthwise_conv2d: the destination is [N, OH, OW, O], of rank 4");
    static_assert(detail::output_type<element>::value,
                  "depthwise_conv2d: the destination has elements uint8_t, int8_t, int32_t or float, not const");
    static_assert(detail::stores_sums<Epilogue, element, std::int32_t>(),
                  "depthwise_conv2d: what leaves the epilogue does not fit the destination; a float destination needs "
                  "to_real, an integer one must not have it");
    const auto from = detail::image_of(images);
    const detail::depthwise_problem problem = detail::depthwise_problem_of(from, weights, geometry);
    const extents<4> shape{problem.images, problem.out_height, problem.out_width, weights.outputs()};
    if (to.shape() != shape)
        detail::raise<shape_error>("depthwise_conv2d: ", detail::quoted(weights.name()), ": a destination of extents ",
                                   to.shape(), " for a result of extents ", shape);
    const std::size_t rows = shape[0] * shape[1] * shape[2];
    detail::depthwise_into<Arch, Epilogue, element>(
        problem, detail::operand_of_image(from, rows, problem.kernel_h * problem.kernel_w), weights, epilogue, to,
        options, detail::executor_ref(run));
}

} // namespace notch

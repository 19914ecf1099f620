/// @file
/// gemm: 8-bit activations times packed weights, requantized in the cache.
///
///     dst[m][n] = epilogue(sum over k of (a[m][k] - a_zero) * W[n][k])
///
/// W is [outputs, inputs] as pack() took it. Where the scale changes along the inputs and is a power of two, the sum is
/// that of value * 2^(e_block - e_min[n]), exact in integers; real scales are summed as floats, block by block.
/// gemm/reference.hpp defines the result bit for bit; it does not depend on the instruction set or the number of tasks.
#pragma once

#include <notch/core/config.hpp>
#include <notch/core/executor.hpp>
#include <notch/core/tensor_view.hpp>
#include <notch/epilogue/stage.hpp>
#include <notch/gemm/activations.hpp>
#include <notch/gemm/blocking.hpp>
#include <notch/gemm/direct_plan.hpp>
#include <notch/gemm/packed_weights.hpp>
#include <notch/gemm/workspace.hpp>

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace notch {

/// How a product is run; it never changes a result.
struct gemm_options {
    std::size_t tasks = 1;            ///< pieces for the executor; as many as there are threads
    std::span<std::byte> workspace{}; ///< gemm_workspace() bytes, any alignment; empty: allocated where needed
};

namespace detail {

/// Plans a product for an instruction set of some traits.
[[nodiscard]] NOTCH_INLINE gemm_job plan_product(const kernel_traits& traits, const packed_weights& weights,
                                                 const activation_rows& rows, std::size_t tasks) {
    gemm_job job;
    job.weights.base = weights.bytes().data();
    job.rows = rows;
    plan_job(traits, job, tasks);
    return job;
}

/// Runs a planned product in a workspace: task(number, its workspace) for each of its tasks. `name`: of the weights.
template <class Task>
void run_product(gemm_job& job, std::string_view name, const Task& task, executor_ref run,
                 std::span<std::byte> workspace) {
    in_workspace(job.cut.workspace(), workspace, name, "gemm_workspace", [&](std::byte* memory) {
        auto* segments = reinterpret_cast<row_segment*>(memory);
        if (!job.choice.direct)
            fill_segments(job.weights.header(), job.choice, segments);
        job.segments = segments;
        memory += job.cut.segment_bytes;
        run_tasks(run, job.cut.tasks(),
                  [&](std::size_t number) { task(number, memory + number * job.cut.task_bytes); });
    });
}

/// What the epilogue is told of sums with the scales of packed weights of some kind.
template <class Weights>
[[nodiscard]] epilogue_problem problem_of(const gemm_operand& a, const Weights& weights, std::int64_t bound) {
    epilogue_problem problem;
    problem.rows = a.codes.rows;
    problem.columns = weights.outputs();
    problem.name = weights.name();
    problem.powers_of_two = a.power_of_two && weights.kind() == scale_kind::power_of_two;
    if (problem.powers_of_two)
        problem.exponents = weights.exponents().data();
    problem.exponent = a.exponent;
    problem.scales = weights.scales().data();
    problem.scale = a.scale;
    problem.lowest = -bound;
    problem.highest = bound;
    return problem;
}

/// What the epilogue is told.
[[nodiscard]] inline epilogue_problem problem_of(const gemm_operand& a, const packed_weights& weights) {
    epilogue_problem problem = problem_of(a, weights, weights.bound());
    problem.is_float = weights.header().block_scales != 0;
    return problem;
}

template <class T> struct output_type : std::false_type {};
template <> struct output_type<std::uint8_t> : std::true_type {};
template <> struct output_type<std::int8_t> : std::true_type {};
template <> struct output_type<std::int32_t> : std::true_type {};
template <> struct output_type<float> : std::true_type {};

/// Raises shape_error unless the extents of activations, weights and destination go together.
inline void check_extents(const gemm_operand& a, const packed_weights& weights, const extents<2>& dst) {
    if (a.inputs != weights.inputs())
        raise<shape_error>("gemm: activations [", a.codes.rows, ", ", a.inputs, "] times ", quoted(weights.name()),
                           " [", weights.outputs(), ", ", weights.inputs(), "]: the inputs differ");
    if (dst[0] != a.codes.rows || dst[1] != weights.outputs())
        raise<shape_error>("gemm: ", quoted(weights.name()), ": a destination of extents ", dst,
                           " for a product of extents [", a.codes.rows, ", ", weights.outputs(), "]");
}

/// The errors of an epilogue that does not take the sums of some weights. `operation`: who asks.
[[noreturn]] inline void raise_float_sums(const char* operation, const packed_weights& weights) {
    raise<unsupported_error>(
        operation, ": ", quoted(weights.name()),
        " has real scales that change along the inputs, so sums are floats; let the epilogue begin "
        "with real_requantize (or, for a float destination, to_real)");
}

[[noreturn]] inline void raise_integer_sums(const char* operation, const packed_weights& weights) {
    raise<unsupported_error>(operation, ": ", quoted(weights.name()),
                             ": sums are integers; a float destination needs the epilogue to_real");
}

/// Raises unsupported_error where an epilogue, or a destination of T, does not take the sums of some weights.
template <class Epilogue, class T> void check_sums(const char* operation, const packed_weights& weights) {
    const bool floats = weights.header().block_scales != 0;
    if (floats && !stores_sums<Epilogue, T, float>())
        raise_float_sums(operation, weights);
    if (!floats && !stores_sums<Epilogue, T, std::int32_t>())
        raise_integer_sums(operation, weights);
}

/// Runs a planned product whose sums are floats, or integers.
template <class Arch, bool Floats, class Store>
void run_with(gemm_job& job, std::string_view name, const Store& store, const gemm_options& options, executor_ref run) {
    const product_store<Store, Floats> finish{store};
    run_product(
        job, name,
        [&](std::size_t task, std::byte* memory) {
            gemm_task<Arch, product_store<Store, Floats>>(job, finish, memory).run(task);
        },
        run, options.workspace);
}

template <class Arch, class Epilogue, class T>
void gemm_into(const gemm_operand& a, const packed_weights& weights, Epilogue epilogue, const strided_view<T, 2>& dst,
               const gemm_options& options, executor_ref run) {
    check_extents(a, weights, dst.shape());
    epilogue_problem problem = problem_of(a, weights);
    const bool floats = problem.is_float;
    prepare_stage(epilogue, problem);
    check_sums<Epilogue, T>("gemm", weights);
    if (a.codes.rows == 0)
        return;
    gemm_job job = plan_product(kernel_traits_of<Arch>, weights, a.codes, options.tasks);
    const tile_store<Arch, Epilogue, T> store(epilogue, problem, weights.section<std::int32_t>(weights.header().sums),
                                              job.zero_point, dst);
    if (floats) {
        if constexpr (stores_sums<Epilogue, T, float>())
            run_with<Arch, true>(job, weights.name(), store, options, run);
    } else {
        if constexpr (stores_sums<Epilogue, T, std::int32_t>())
            run_with<Arch, false>(job, weights.name(), store, options, run);
    }
}

} // namespace detail

/// Bytes of workspace that gemm needs for activations of `rows` rows, whatever their strides and sign.
template <class Arch = simd::default_arch>
[[nodiscard]] std::size_t gemm_workspace(const packed_weights& weights, std::size_t rows, std::size_t tasks = 1) {
    return detail::unaligned_workspace(
        detail::product_workspace(detail::kernel_traits_of<Arch>, weights.header(), rows, tasks));
}

/// Computes dst = epilogue(a * W^T), see above. `a` is [rows, inputs]: a quantized_tensor with one scale, activation_codes,
/// or any view of int8_t or uint8_t. `dst` is [rows, outputs] of uint8_t, int8_t, int32_t or float, any strides; it must
/// not overlap `a`. Allocates nothing where options.workspace is given or little is needed (16 KiB).
/// Raises shape_error, range_error and unsupported_error, as the stages of the epilogue do, before anything is written.
template <class Arch = simd::default_arch, detail::gemm_left A, epilogue_stage Epilogue, class Dst,
          executor Executor = serial>
void gemm(const A& a, const packed_weights& weights, const Epilogue& epilogue, Dst&& dst,
          const gemm_options& options = {}, Executor&& run = {}) {
    const auto to = as_view(dst);
    using view = std::remove_cvref_t<decltype(to)>;
    using element = typename view::element_type;
    static_assert(view::rank == 2, "gemm: the destination is [rows, outputs], of rank 2");
    static_assert(detail::output_type<element>::value,
                  "gemm: the destination has elements uint8_t, int8_t, int32_t or float, not const");
    static_assert(detail::stores_sums<Epilogue, element, std::int32_t>() ||
                      detail::stores_sums<Epilogue, element, float>(),
                  "gemm: what leaves the epilogue does not fit the destination; a float destination needs to_real, an "
                  "integer one must not have it");
    detail::gemm_into<Arch, Epilogue, element>(detail::operand_of(a), weights, epilogue, to, options,
                                               detail::executor_ref(run));
}

} // namespace notch

/// @file
/// How many tasks a step of a program is worth. Part of deploy/run_step.hpp.
///
/// Handing a task to another thread takes microseconds, as long as whole layers of small networks take. What a step
/// takes is estimated in multiplications: those of its sums, and for each output what an epilogue, a depthwise sum or a pool takes
/// in their place. The constants are measured (AVX-512 VNNI); where they are wrong, a step is slower, never different.
#pragma once

#include <notch/deploy/program.hpp>
#include <notch/simd/int_kernels.hpp>

#include <algorithm>
#include <cstddef>
#include <type_traits>
#include <variant>

namespace notch::detail {

/// Multiplications of the kernels of an instruction set that take about 5 us, at 3.5 GHz: a task has at least so many.
template <class Arch> [[nodiscard]] constexpr std::size_t least_task_work() noexcept {
    using ops = simd::int_ops<Arch>;
    constexpr std::size_t cycles = 17'500;
    if constexpr (std::is_same_v<Arch, simd::scalar>)
        return cycles;
    else
        return cycles * (ops::has_quad8 ? 2 * ops::bytes : ops::bytes * 3 / 4);
}

/// What one output of a step takes, in multiplications.
[[nodiscard]] inline std::size_t output_work(const program_step& step) noexcept {
    constexpr std::size_t epilogue = 15;
    constexpr std::size_t depthwise = 45;
    constexpr std::size_t other = 20;
    if (const auto* conv = std::get_if<conv_step>(&step.work)) {
        const auto& shape = conv->filters.shape(); // [O, I / groups, KH, KW]
        return shape[1] * shape[2] * shape[3] + epilogue;
    }
    if (const auto* product = std::get_if<linear_step>(&step.work))
        return product->weights.inputs() + epilogue;
    return std::holds_alternative<depthwise_step>(step.work) ? depthwise : other;
}

/// Tasks of a step that gives some outputs: at most `tasks`, of at least `least` multiplications each. Precondition: tasks > 0.
[[nodiscard]] inline std::size_t tasks_of_step(const program_step& step, std::size_t outputs, std::size_t tasks,
                                               std::size_t least) noexcept {
    // Outputs that fill a task; a step that no memory could hold does not matter.
    const std::size_t each = std::max<std::size_t>(least / output_work(step), 1);
    return std::clamp<std::size_t>(outputs / each, 1, tasks);
}

} // namespace notch::detail

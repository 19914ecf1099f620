/// @file
/// runner: runs a program in memory of its own, on the kernels of an instruction set. One per thread; the program is shared.
#pragma once

#include <notch/core/dense_tensor.hpp>
#include <notch/core/error.hpp>
#include <notch/core/executor.hpp>
#include <notch/deploy/program.hpp>
#include <notch/deploy/run_step.hpp>
#include <notch/model/float_elementwise.hpp>
#include <notch/simd/arch.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>
#include <vector>

namespace notch {

/// Memory for a program, and its main loop. `runner run(p, 32)` takes the instruction set of the compiler's flags.
template <class Arch = simd::default_arch> class runner {
public:
    /// Memory for up to `most` images at a time, in up to `tasks` tasks per layer: fewer where a task would take less than
    /// about 5 us, as long as it takes to hand it to another thread. `least_work` says it in multiplications, for executors that
    /// are faster at it: 1 is all of the tasks. The program must outlive the runner.
    /// Raises range_error for no image or no task, and every error that a step of the program could raise.
    explicit runner(const program& from, std::size_t most = 1, std::size_t tasks = 1,
                    std::size_t least_work = detail::least_task_work<Arch>())
        : program_(from), most_(most), tasks_(tasks), least_work_(least_work) {
        if (most == 0 || tasks == 0)
            detail::raise<range_error>("runner: ", most, " images in ", tasks, " tasks; at least one each");
        const program_data& data = from.data();
        arena_ =
            detail::aligned_buffer<std::uint8_t>(checked_product(data.arena_bytes, most, "bytes of an arena") + slack);
        reals_.resize(checked_product(data.tensors[data.output].size(), most, "floats of a result"));
        std::size_t workspace = 0;
        for (std::size_t count = 1; count <= most; ++count)
            for (const program_step& step : data.steps)
                workspace = std::max(workspace, detail::workspace_of<Arch>(context_of(count, serial_), step));
        workspace_.resize(workspace);
        for (const program_step& step : data.steps) // no image: every check, and no work
            detail::run_step<Arch>(context_of(0, serial_), step);
    }
    runner(const runner&) = delete;
    runner& operator=(const runner&) = delete;

    /// Bytes of memory that this runner holds.
    [[nodiscard]] std::size_t bytes() const noexcept {
        return arena_.size() + reals_.size() * sizeof(float) + workspace_.size();
    }

    /// Runs `count` images of codes [count, H, W, C] (program::encode, pixel_table) to results [count, ...]. after(step number)
    /// is called behind each step. Raises range_error for more images than there is memory for, shape_error for spans of other
    /// sizes.
    template <class After, executor Executor = serial>
    void operator()(std::span<const std::uint8_t> codes, std::size_t count, std::span<float> results,
                    const After& after, Executor&& run = {}) {
        const program_data& data = program_.data();
        const std::size_t size = program_.input().size();
        if (count > most_)
            detail::raise<range_error>("runner: ", count, " images; it has memory for ", most_);
        if (codes.size() != count * size || results.size() != count * program_.result_size())
            detail::raise<shape_error>("runner: ", codes.size(), " codes and ", results.size(), " floats for ", count,
                                       " images of ", size, " codes and ", program_.result_size(), " floats");
        const detail::run_context context = context_of(count, run);
        std::ranges::copy(codes, context.codes(data.input));
        for (std::size_t s = 0; s < data.steps.size(); ++s) {
            detail::run_step<Arch>(context, data.steps[s]);
            after(s);
        }
        finish(context, results);
    }
    /// The same without a call behind each step.
    template <executor Executor = serial>
    void operator()(std::span<const std::uint8_t> codes, std::size_t count, std::span<float> results,
                    Executor&& run = {}) {
        (*this)(
            codes, count, results, [](std::size_t) {}, run);
    }

    /// Codes [count, H, W, C] of a tensor of the last run of `count` images, as long as no later step has written over
    /// them: in after(s), those that step s has written.
    [[nodiscard]] std::span<const std::uint8_t> codes(std::size_t tensor, std::size_t count) const noexcept {
        const run_tensor& t = program_.tensors()[tensor];
        return {arena_.data() + t.offset * count, t.size() * count};
    }

private:
    static constexpr std::size_t slack = 64;

    template <class Executor> [[nodiscard]] detail::run_context context_of(std::size_t count, Executor& run) {
        return {program_.data(),
                arena_.data(),
                count,
                reals_.data(),
                {tasks_, std::as_writable_bytes(std::span(workspace_))},
                {detail::executor_ref(run)},
                least_work_};
    }
    /// Turns [H, W, C] into [C, H, W], codes into floats; then the softmax.
    void finish(const detail::run_context& context, std::span<float> results) const {
        const program_data& data = context.program;
        const run_tensor& from = data.tensors[data.output];
        const bool is_real = data.real_output;
        const std::size_t pixels = from.shape[0] * from.shape[1];
        const std::size_t channels = from.shape[2];
        for (std::size_t i = 0; i < context.count * from.size(); ++i) {
            const std::size_t n = i / from.size();
            const std::size_t pixel = i % from.size() / channels;
            const float x = is_real
                                ? context.reals[i]
                                : static_cast<float>((context.codes(data.output)[i] - from.zero_point) * from.scale);
            results[n * from.size() + i % channels * pixels + pixel] = x;
        }
        for (std::size_t n = 0; data.softmax && n < context.count; ++n)
            detail::softmax_of_image(&results[n * from.size()], channels, pixels, &results[n * from.size()]);
    }
    const program& program_;
    std::size_t most_;
    std::size_t tasks_;
    std::size_t least_work_;
    serial serial_{};
    detail::aligned_buffer<std::uint8_t> arena_;
    std::vector<float> reals_;
    std::vector<std::byte> workspace_;
};

} // namespace notch

/// @file
/// float_program: a network in floats, planned once and run on any number of images.
///
///     const float_program program(net);
///     program.run(images, batch, logits);                          logits [batch, F] from images [batch, C, H, W]
///     program.run(images, batch, logits, [&](std::size_t tensor, std::span<const float> values) { ... });
///
/// The numbers of an image depend neither on the batch it lies in nor on the executor. Tensors share memory as soon as they
/// are not needed any more: `arena_floats()` for each image of the batch where tensors are looked at; otherwise images go
/// through all layers in small blocks, and each block that is being computed has an arena of about 1 MiB, or one image.
#pragma once

#include <notch/core/dense_tensor.hpp>
#include <notch/core/error.hpp>
#include <notch/core/executor.hpp>
#include <notch/core/int_math.hpp>
#include <notch/model/arena_plan.hpp>
#include <notch/model/exact_affine.hpp>
#include <notch/model/float_conv.hpp>
#include <notch/model/float_elementwise.hpp>
#include <notch/model/float_job.hpp>
#include <notch/model/float_moves.hpp>
#include <notch/model/float_pool.hpp>
#include <notch/model/network.hpp>
#include <notch/model/shapes.hpp>
#include <notch/simd/arch.hpp>

#include <algorithm>
#include <concepts>
#include <cstddef>
#include <span>
#include <utility>
#include <variant>

namespace notch {

/// What looks at tensors while a network runs: visitor(number of the tensor, its values [batch, ...]).
template <class V>
concept tensor_visitor = std::invocable<V&, std::size_t, std::span<const float>>;

/// A network that is ready to run in floats. Copies hold weights of their own; `run` may be called at the same time by
/// several threads.
class float_program {
public:
    /// Checks the network as `validate` does, but infers the shapes itself, and plans the memory. Keeps the weights.
    explicit float_program(network net) : net_(std::move(net)) {
        infer_shapes(net_);
        detail::check_all_numbers(net_);
        for (layer& it : net_.layers)
            if (const auto* norm = std::get_if<batch_norm>(&it.op))
                it.op = detail::exact_affine(*norm, norm->gain.size()).rounded();
        plan_ = detail::plan_arena(net_);
    }

    /// Numbers of an image of the input.
    [[nodiscard]] std::size_t input_size() const noexcept { return size_of(net_.input); }
    /// Numbers of an image of the output.
    [[nodiscard]] std::size_t output_size() const noexcept { return size_of(net_.output); }
    /// Floats of memory between layers, for each image.
    [[nodiscard]] std::size_t arena_floats() const noexcept { return plan_.size; }
    /// Tensors with all shapes.
    [[nodiscard]] const std::vector<tensor_info>& tensors() const noexcept { return net_.tensors; }

    /// Computes dst [batch, output] from images [batch, input]; they must not overlap. Raises shape_error for spans of
    /// another size.
    template <class Arch = simd::default_arch, executor Executor = serial>
    void run(std::span<const float> images, std::size_t batch, std::span<float> dst, Executor&& run = {}) const {
        check_spans(images, batch, dst);
        constexpr std::size_t floats = std::size_t{1} << 18;
        const std::size_t block = std::clamp<std::size_t>(floats / std::max<std::size_t>(plan_.size, 1), 1, 32);
        detail::run_tasks(detail::executor_ref(run), ceil_div(batch, block), [&](std::size_t task) {
            const std::size_t first = task * block;
            const std::size_t count = std::min(block, batch - first);
            detail::aligned_buffer<float> arena(checked_product(plan_.size, count, "floats of the arena"));
            const memory at{images.data() + first * input_size(), dst.data() + first * output_size(), arena.data(),
                            count};
            for (const layer& it : net_.layers)
                compute<Arch>(it, at, 0, count);
            copy_input(at, dst.data() + first * output_size());
        });
    }

    /// The same, and calls visitor(tensor, values of the whole batch) for the input and then for the output of each layer,
    /// in their order, on the calling thread. Values live until the visitor returns.
    template <class Arch = simd::default_arch, tensor_visitor Visitor, executor Executor = serial>
        requires(!executor<Visitor>)
    void run(std::span<const float> images, std::size_t batch, std::span<float> dst, Visitor&& visitor,
             Executor&& run = {}) const {
        check_spans(images, batch, dst);
        detail::aligned_buffer<float> arena(checked_product(plan_.size, batch, "floats of the arena"));
        const memory at{images.data(), dst.data(), arena.data(), batch};
        visitor(net_.input, images);
        const std::size_t tasks = std::min<std::size_t>(batch, 32);
        for (const layer& it : net_.layers) {
            detail::run_tasks(detail::executor_ref(run), tasks, [&](std::size_t task) {
                compute<Arch>(it, at, part_begin(batch, tasks, task), part_begin(batch, tasks, task + 1));
            });
            visitor(it.output, std::span<const float>(tensor(at, it.output), batch * size_of(it.output)));
        }
        copy_input(at, dst.data());
    }

private:
    /// Where the tensors of some images are.
    struct memory {
        const float* input;
        float* output;
        float* arena;
        std::size_t images;
    };

    [[nodiscard]] std::size_t size_of(std::size_t index) const noexcept {
        return element_count(net_.tensors[index].shape);
    }
    [[nodiscard]] float* written(const memory& at, std::size_t index) const noexcept {
        return index == net_.output ? at.output : at.arena + plan_.offsets[index] * at.images;
    }
    [[nodiscard]] const float* tensor(const memory& at, std::size_t index) const noexcept {
        return index == net_.input ? at.input : written(at, index);
    }

    void check_spans(std::span<const float> images, std::size_t batch, std::span<float> dst) const {
        check_span("the images have", images.size(), batch, net_.input);
        check_span("the destination has", dst.size(), batch, net_.output);
    }
    void check_span(const char* what, std::size_t size, std::size_t batch, std::size_t index) const {
        const std::size_t count = size_of(index);
        if (size / count != batch || size % count != 0)
            detail::raise<shape_error>("float_program: ", what, " ", size, " numbers; ", batch, " x ",
                                       net_.tensors[index].shape, " are needed");
    }
    /// A network without layers gives what it got.
    void copy_input(const memory& at, float* dst) const noexcept {
        if (net_.input == net_.output)
            std::copy_n(at.input, at.images * input_size(), dst);
    }

    /// One layer on images [first, last).
    template <class Arch> void compute(const layer& it, const memory& at, std::size_t first, std::size_t last) const {
        detail::float_job job;
        for (const std::size_t input : it.inputs) {
            const std::size_t count = size_of(input);
            job.inputs.push_back({tensor(at, input) + first * count, &net_.tensors[input].shape, count});
        }
        job.count = size_of(it.output);
        job.output = written(at, it.output) + first * job.count;
        job.shape = &net_.tensors[it.output].shape;
        job.images = last - first;
        std::visit([&job](const auto& op) { detail::compute<Arch>(op, job); }, it.op);
    }

    network net_;
    detail::arena_plan plan_;
};

} // namespace notch

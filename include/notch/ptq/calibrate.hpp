/// @file
/// Calibration: a float network sees images, and a histogram of every tensor that will be codes is kept.
///
///     calibrator watch(net);                                  folds, fuses and groups the network
///     for (const auto& batch : batches)
///         watch.observe(batch, 64);                           [64, C, H, W] floats
///     const plan p = make_plan(watch.seen(), policy);         ptq/make_plan.hpp
///
/// Memory: the buffers of one batch and a histogram per tensor (observe/histogram.hpp, of a fixed size), whatever the number
/// of images. What is seen depends neither on how the images are cut into batches nor on the executor.
#pragma once

#include <notch/core/error.hpp>
#include <notch/core/executor.hpp>
#include <notch/model/forward.hpp>
#include <notch/model/network.hpp>
#include <notch/observe/histogram.hpp>
#include <notch/ptq/image_batches.hpp>
#include <notch/ptq/layer_groups.hpp>
#include <notch/ptq/prepare.hpp>

#include <algorithm>
#include <cstddef>
#include <functional>
#include <optional>
#include <span>
#include <utility>
#include <vector>

namespace notch {

/// What calibration has seen.
struct calibration {
    prepared_network prepared{};                     ///< the network as it will be quantized
    std::vector<layer_group> groups{};               ///< of it
    std::vector<std::optional<histogram>> tensors{}; ///< per tensor; those inside groups have none
    std::size_t images = 0;                          ///< how many were seen
};

/// Shows images to a network, see above.
class calibrator {
public:
    /// Raises the errors of prepare.
    explicit calibrator(const network& net) {
        seen_.prepared = prepare(net);
        const network& own = seen_.prepared.net;
        seen_.groups = group_layers(own);
        seen_.tensors.resize(own.tensors.size());
        const auto watch = [&](std::size_t tensor) { seen_.tensors[tensor].emplace(own.tensors[tensor].name); };
        watch(seen_.prepared.input);
        for (const layer_group& group : seen_.groups)
            watch(group.output);
        program_.emplace(own);
    }

    /// Shows a batch [count, C, H, W] of floats. Raises shape_error for another number of floats, range_error for NaN or
    /// infinity in a tensor.
    template <executor Executor = serial>
    void observe(std::span<const float> images, std::size_t count, Executor&& run = {}) {
        const network& net = seen_.prepared.net;
        output_.resize(count * element_count(net.tensors[net.output].shape));
        program_->run(
            images, count, output_,
            [this](std::size_t tensor, std::span<const float> values) {
                if (seen_.tensors[tensor])
                    seen_.tensors[tensor]->observe(values);
            },
            run);
        seen_.images += count;
    }

    /// What has been seen so far.
    [[nodiscard]] const calibration& seen() const noexcept { return seen_; }
    /// Gives it away.
    [[nodiscard]] calibration take() && noexcept { return std::move(seen_); }

private:
    calibration seen_;
    std::optional<float_program> program_;
    std::vector<float> output_;
};

/// How a calibration is run.
struct calibration_options {
    std::size_t batch = 32;                                   ///< images at a time
    std::function<void(std::size_t, std::size_t)> progress{}; ///< called with images seen and images in all
};

/// Shows all images [n, C, H, W] to a network. Raises shape_error unless the floats are whole images, and the errors of
/// calibrator.
template <executor Executor = serial>
[[nodiscard]] calibration calibrate(const network& net, std::span<const float> images,
                                    const calibration_options& options = {}, Executor&& run = {}) {
    calibrator watch(net);
    const std::size_t count = images.size() / std::max<std::size_t>(element_count(net.tensors[net.input].shape), 1);
    detail::for_each_batch("calibrate", net.tensors[net.input].shape, images, std::max<std::size_t>(options.batch, 1),
                           [&](std::span<const float> some, std::size_t n, std::size_t first) {
                               watch.observe(some, n, run);
                               if (options.progress)
                                   options.progress(first + n, count);
                           });
    return std::move(watch).take();
}

} // namespace notch

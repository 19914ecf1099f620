/// @file
/// What images show of every channel of every tensor of a float network: bounds, mean, mean square.
///
///     const std::vector<measured_channels> seen = measure_channels(net, images);
///     seen[tensor].highest[c]
///
/// Methods that rewrite a network before it is calibrated read them: mutual_rescale.hpp bounds and mean squares,
/// sub_layer_reorder.hpp the mean squares. Memory: the buffers of a batch and four numbers per channel. Images are summed in
/// their order, so the result depends neither on the batch nor on the executor.
#pragma once

#include <notch/core/executor.hpp>
#include <notch/model/forward.hpp>
#include <notch/model/network.hpp>
#include <notch/ptq/image_batches.hpp>

#include <algorithm>
#include <cstddef>
#include <limits>
#include <span>
#include <vector>

namespace notch {

/// Of one tensor: a number per channel, over all images and pixels.
struct measured_channels {
    std::vector<float> lowest{};   ///< smallest value
    std::vector<float> highest{};  ///< largest value
    std::vector<double> mean{};    ///< of the values
    std::vector<double> squares{}; ///< mean of x^2
};

namespace detail {

/// Sums of values [count, channels, pixels], image after image.
class channel_sums {
public:
    explicit channel_sums(std::size_t channels) {
        to_.lowest.assign(channels, std::numeric_limits<float>::infinity());
        to_.highest.assign(channels, -std::numeric_limits<float>::infinity());
        to_.mean.assign(channels, 0);
        to_.squares.assign(channels, 0);
    }
    void add(std::span<const float> values, std::size_t count) {
        const std::size_t channels = to_.mean.size();
        const std::size_t pixels = values.size() / count / channels;
        for (std::size_t i = 0; i < count * channels; ++i) {
            const std::size_t c = i % channels;
            double sum = 0;
            double squares = 0;
            for (const float x : values.subspan(i * pixels, pixels)) {
                to_.lowest[c] = std::min(to_.lowest[c], x);
                to_.highest[c] = std::max(to_.highest[c], x);
                sum += static_cast<double>(x);
                squares += static_cast<double>(x) * static_cast<double>(x);
            }
            to_.mean[c] += sum;
            to_.squares[c] += squares;
        }
        numbers_ += count * pixels;
    }
    [[nodiscard]] measured_channels result() const {
        measured_channels to = to_;
        for (std::size_t c = 0; c < to.mean.size(); ++c) {
            to.mean[c] /= static_cast<double>(numbers_);
            to.squares[c] /= static_cast<double>(numbers_);
        }
        return to;
    }

private:
    measured_channels to_{};
    std::size_t numbers_ = 0;
};

} // namespace detail

/// Shows all images [n, C, H, W] to a network, 32 at a time. One entry per tensor; a tensor that nothing writes has none
/// but for the input. Raises shape_error unless the floats are whole images, at least one, and the errors of float_program.
template <executor Executor = serial>
[[nodiscard]] std::vector<measured_channels> measure_channels(const network& net, std::span<const float> images,
                                                              Executor&& run = {}) {
    const float_program program(net);
    constexpr std::size_t batch = 32;
    std::vector<detail::channel_sums> sums;
    for (const tensor_info& tensor : program.tensors())
        sums.emplace_back(tensor.shape.empty() ? 1 : tensor.shape[0]);
    std::vector<bool> seen(sums.size(), false);
    std::vector<float> output(batch * program.output_size());
    const auto show = [&](std::span<const float> some, std::size_t n, std::size_t) {
        program.run(
            some, n, std::span(output).first(n * program.output_size()),
            [&](std::size_t tensor, std::span<const float> values) {
                sums[tensor].add(values, n);
                seen[tensor] = true;
            },
            run);
    };
    detail::for_each_batch("measure_channels", net.tensors[net.input].shape, images, batch, show);
    std::vector<measured_channels> result(sums.size());
    for (std::size_t t = 0; t < sums.size(); ++t)
        if (seen[t])
            result[t] = sums[t].result();
    return result;
}

} // namespace notch

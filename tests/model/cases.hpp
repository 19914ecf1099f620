/// @file
/// Networks written down in few words, and comparison with the definitions.
#pragma once

#include "catch.hpp"
#include "model/reference.hpp"

#include <notch/model/forward.hpp>
#include <notch/model/network.hpp>
#include <notch/model/shapes.hpp>

#include <string>
#include <utility>
#include <vector>

namespace model_cases {

/// A network that grows by one layer at a time.
struct builder {
    notch::network net{};

    explicit builder(std::vector<std::size_t> shape) {
        net.name = "built";
        net.input = net.output = net.add_tensor("input", std::move(shape));
    }
    /// Adds a layer; returns its tensor, which becomes the output.
    std::size_t add(notch::operation op, std::vector<std::size_t> inputs) {
        const std::string name = "layer" + std::to_string(net.layers.size());
        net.output = net.add_tensor(name + ".out");
        net.layers.push_back({name, std::move(op), std::move(inputs), net.output});
        return net.output;
    }
    /// Adds a layer behind the output.
    std::size_t add(notch::operation op) { return add(std::move(op), {net.output}); }
};

/// A convolution of random weights.
inline notch::convolution any_convolution(sequence& random, std::vector<std::size_t> shape, notch::window over = {},
                                          std::size_t groups = 1, bool bias = true) {
    notch::convolution op;
    op.weights.values = random.reals(notch::element_count(shape));
    if (bias)
        op.bias = random.reals(shape[0]);
    op.weights.shape = std::move(shape);
    op.window = over;
    op.groups = groups;
    return op;
}

inline notch::linear any_linear(sequence& random, std::size_t outputs, std::size_t inputs, bool bias = true) {
    return {{{outputs, inputs}, random.reals(outputs * inputs)}, bias ? random.reals(outputs) : std::vector<float>{}};
}

inline notch::batch_norm any_norm(sequence& random, std::size_t channels) {
    return {random.reals(channels), random.reals(channels), random.reals(channels), random.positives(channels), 1e-3F};
}

/// Computes a batch.
inline std::vector<float> run(const notch::network& net, const std::vector<float>& images, std::size_t batch) {
    const notch::float_program program(net);
    std::vector<float> result(batch * program.output_size());
    program.run(images, batch, result);
    return result;
}

/// Requires values to be those of a tensor, to 1e-5 of the largest.
inline void require_near(const float* values, const std::vector<double>& wanted, const std::string& what) {
    double largest = 1e-3;
    for (const double x : wanted)
        largest = std::max(largest, std::fabs(x));
    double worst = 0;
    for (std::size_t i = 0; i < wanted.size(); ++i)
        worst = std::max(worst, std::fabs(double{values[i]} - wanted[i]));
    INFO(what << ": " << worst << " of " << largest);
    REQUIRE(worst <= 1e-5 * largest);
}

/// Requires the shapes and values of every tensor of a network to be those of the definitions, for some images.
inline void require_plain(notch::network net, std::size_t batch = 3, std::uint64_t seed = 7) {
    notch::infer_shapes(net);
    notch::validate(net);
    sequence random(seed);
    const std::size_t size = notch::element_count(net.tensors[net.input].shape);
    const std::vector<float> images = random.reals(batch * size);
    std::vector<std::vector<real_tensor>> wanted;
    for (std::size_t n = 0; n < batch; ++n)
        wanted.push_back(
            plain_tensors(net, {images.begin() + number(n * size), images.begin() + number((n + 1) * size)}));
    for (std::size_t t = 0; t < net.tensors.size(); ++t)
        REQUIRE(numbers(net.tensors[t].shape) == wanted[0][t].shape);
    const notch::float_program program(net);
    std::vector<float> result(batch * program.output_size());
    std::size_t seen = 0;
    program.run(images, batch, result, [&](std::size_t tensor, std::span<const float> values) {
        const std::size_t count = wanted[0][tensor].count();
        REQUIRE(values.size() == batch * count);
        for (std::size_t n = 0; n < batch; ++n)
            require_near(values.data() + n * count, wanted[n][tensor].values, net.tensors[tensor].name);
        ++seen;
    });
    REQUIRE(seen == net.layers.size() + 1);
    REQUIRE(result == run(net, images, batch));
}

} // namespace model_cases

// Networks with made-up layers and weights, from a seed.
#pragma once

#include <notch/core/random.hpp>
#include <notch/model/network.hpp>
#include <notch/model/shapes.hpp>

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace notch_test {

// Numbers from a seed, the same everywhere.
class numbers {
public:
    explicit numbers(std::uint64_t seed) : seed_(seed) {}
    [[nodiscard]] std::size_t below(std::size_t n) { return notch::counter_bits(seed_, count_++) % n; }
    [[nodiscard]] bool one_in(std::size_t n) { return below(n) == 0; }
    // Roughly normal: the sum of eight uniform numbers.
    [[nodiscard]] float normal() {
        double sum = 0;
        for (int i = 0; i < 8; ++i)
            sum += static_cast<double>(below(1U << 20)) / (1U << 20) - 0.5;
        return static_cast<float>(sum * 1.22);
    }
    [[nodiscard]] std::vector<float> normals(std::size_t count, double deviation = 1) {
        std::vector<float> to(count);
        for (float& x : to)
            x = static_cast<float>(deviation) * normal();
        return to;
    }

private:
    std::uint64_t seed_;
    std::uint64_t count_ = 0;
};

// Builds a network layer by layer.
class network_builder {
public:
    explicit network_builder(std::uint64_t seed, std::vector<std::size_t> input) : random(seed) {
        net.name = "random " + std::to_string(seed);
        net.input = net.add_tensor("input", std::move(input));
        at = net.input;
    }
    [[nodiscard]] const std::vector<std::size_t>& shape() const { return net.tensors[at].shape; }

    // Adds a layer behind the last tensor, or behind given ones.
    std::size_t add(notch::operation op, std::vector<std::size_t> inputs = {}) {
        const std::string name = std::string(notch::operator_name(op)) + std::to_string(net.layers.size());
        if (inputs.empty())
            inputs = {at};
        at = net.add_tensor(name);
        net.layers.push_back({name, std::move(op), std::move(inputs), at});
        net.output = at;
        notch::infer_shapes(net);
        return at;
    }
    std::size_t conv(std::size_t outputs, std::size_t kernel, notch::window window, std::size_t groups = 1) {
        notch::convolution op;
        const std::size_t inputs = shape()[0] / groups;
        op.weights.shape = {outputs, inputs, kernel, kernel};
        const std::size_t depth = inputs * kernel * kernel;
        op.weights.values = random.normals(outputs * depth, 1 / std::sqrt(static_cast<double>(depth)));
        if (!random.one_in(4))
            op.bias = random.normals(outputs, 0.3);
        op.window = window;
        op.groups = groups;
        return add(std::move(op));
    }
    std::size_t product(std::size_t outputs) {
        notch::linear op;
        const std::size_t inputs = notch::element_count(shape());
        if (shape().size() > 1)
            add(notch::reshape{});
        op.weights.shape = {outputs, inputs};
        op.weights.values = random.normals(outputs * inputs, 1 / std::sqrt(static_cast<double>(inputs)));
        op.bias = random.normals(outputs, 0.1);
        return add(std::move(op));
    }

    numbers random;
    notch::network net;
    std::size_t at = 0;
};

// A convolution that keeps the extents of the image.
inline std::size_t same_conv(network_builder& b, std::size_t outputs) {
    const std::size_t kernel = 1 + 2 * b.random.below(2);
    const std::size_t dilation = kernel == 1 ? 1 : 1 + b.random.below(2);
    const std::size_t pad = kernel / 2 * dilation;
    return b.conv(outputs, kernel, {{1, 1}, {dilation, dilation}, {pad, pad, pad, pad}});
}

// One of the things networks are made of.
inline void add_block(network_builder& b) {
    auto& random = b.random;
    const std::size_t channels = b.shape()[0];
    const std::size_t before = b.at;
    switch (random.below(8)) {
    case 0: // residual; over one convolution it is fused into that
        if (!random.one_in(3)) {
            same_conv(b, 3 + random.below(20));
            b.add(notch::clip{});
        }
        same_conv(b, channels);
        b.add(notch::sum{}, {b.at, before});
        if (!random.one_in(3))
            b.add(notch::clip{});
        break;
    case 1: // depthwise and pointwise
        b.conv(channels, 3, {{1 + random.below(2), 1}, {1, 1}, {1, random.below(2), 1, 1}}, channels);
        b.add(notch::clip{0, 6});
        b.conv(4 + random.below(24), 1, {});
        break;
    case 2: // both branches with weights
        same_conv(b, channels + 3);
        {
            const std::size_t left = b.at;
            b.at = before;
            b.conv(channels + 3, 1, {});
            b.add(notch::sum{}, random.one_in(2) ? std::vector{left, b.at} : std::vector{b.at, left});
        }
        break;
    case 3:
        b.add(notch::max_pool{{2, 2}, {{1, 1}, {1, 1}, {0, 0, 1, 1}}, random.one_in(2)});
        break;
    case 4: { // pools that are added, and laid side by side
        const std::size_t left =
            b.add(notch::average_pool{{3, 3}, {{1, 1}, {1, 1}, {1, 1, 1, 1}}, false, random.one_in(2)});
        const std::size_t both = b.add(notch::sum{}, {left, before});
        b.add(notch::concat{0}, {both, before});
        break;
    }
    case 5: // the shortcut of ResNets on CIFAR-10
        b.add(notch::slice{{0, 0, 0}, b.shape(), {1, 1, 1 + random.below(2)}});
        b.add(notch::pad{{1, 0, 1}, {2, 1, 0}, random.one_in(2) ? 0.0F : 0.25F});
        break;
    case 6: // groups
        b.conv(channels * 2, 3, {{1, 1}, {1, 1}, {1, 1, 1, 1}}, channels % 2 == 0 ? 2 : 1);
        b.add(notch::clip{-1, 2});
        break;
    default:
        same_conv(b, 3 + random.below(30));
        b.add(notch::clip{});
        break;
    }
}

// A network of some blocks, with a product at its end or without.
[[nodiscard]] inline notch::network random_network(std::uint64_t seed) {
    numbers random(seed + 1000);
    network_builder b(seed, {1 + random.below(5), 6 + random.below(6), 5 + random.below(7)});
    same_conv(b, 8 + random.below(20));
    b.add(notch::clip{});
    const std::size_t blocks = 1 + random.below(5);
    for (std::size_t i = 0; i < blocks; ++i)
        add_block(b);
    switch (random.below(4)) {
    case 0:
        b.product(1 + random.below(12));
        break; // over the image
    case 1:
        b.add(notch::global_average_pool_layer{});
        b.product(1 + random.below(12));
        b.add(notch::softmax{});
        break;
    case 2:
        b.add(notch::global_average_pool_layer{});
        b.product(9);
        b.add(notch::clip{});
        b.product(4);
        break;
    default:
        break;
    }
    return b.net;
}

} // namespace notch_test

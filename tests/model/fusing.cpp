/// @file
/// fuse_branches: parallel convolutions as one, whatever they are made of; cost_of.
#include "model/cases.hpp"

#include <notch/model/cost.hpp>
#include <notch/model/fold_batch_norm.hpp>
#include <notch/model/fuse_branches.hpp>

using namespace model_cases;

namespace {

/// Requires the fused network to have so many layers and to compute the same, before and after folding.
void require_fused(const notch::network& net, std::size_t layers) {
    sequence random(31);
    const std::size_t size = notch::element_count(net.tensors[net.input].shape);
    const std::vector<float> images = random.reals(3 * size);
    const std::vector<float> wanted = run(net, images, 3);
    const std::vector<double> exact(wanted.begin(), wanted.end());
    const notch::network fused = notch::fuse_branches(net);
    notch::validate(fused);
    REQUIRE(fused.layers.size() == layers);
    require_near(run(fused, images, 3).data(), exact, "fused");
    const notch::folded_network folded = notch::fuse_branches(notch::fold_batch_norm(net));
    notch::validate(folded.net);
    REQUIRE(folded.statistics.size() == folded.net.tensors.size());
    require_near(run(folded.net, images, 3).data(), exact, "folded and fused");
    const notch::network late = notch::fold_batch_norm(fused).net;
    REQUIRE(late.layers.size() <= folded.net.layers.size());
    require_near(run(late, images, 3).data(), exact, "fused and folded");
}

const notch::window around{{1, 1}, {1, 1}, {1, 1, 1, 1}};

/// A block of RepVGG behind the output.
void add_block(builder& b, sequence& random, std::size_t inputs, std::size_t outputs, std::size_t stride,
               std::size_t groups = 1) {
    const std::size_t x = b.net.output;
    b.add(any_convolution(random, {outputs, inputs / groups, 3, 3}, {{stride, stride}, {1, 1}, {1, 1, 1, 1}}, groups,
                          false),
          {x});
    const std::size_t three = b.add(any_norm(random, outputs));
    b.add(any_convolution(random, {outputs, inputs / groups, 1, 1}, {{stride, stride}, {1, 1}, {}}, groups, false),
          {x});
    const std::size_t one = b.add(any_norm(random, outputs));
    b.add(notch::sum{}, {three, one});
    if (stride == 1 && inputs == outputs) {
        const std::size_t both = b.net.output;
        const std::size_t identity = b.add(any_norm(random, inputs), {x});
        b.add(notch::sum{}, {identity, both});
    }
    b.add(notch::clip{});
}

} // namespace

TEST_CASE("a fusion of hand-made numbers") {
    builder b({1, 2, 2});
    const std::size_t three = b.add(notch::convolution{{{1, 1, 3, 3}, {1, 2, 3, 4, 5, 6, 7, 8, 9}}, {1}, around}, {0});
    const std::size_t one = b.add(notch::convolution{{{1, 1, 1, 1}, {10}}, {2}}, {0});
    const std::size_t identity = b.add(notch::batch_norm{{100}, {3}, {0}, {1}, 0}, {0});
    b.add(notch::sum{}, {three, one});
    b.add(notch::sum{}, {b.net.output, identity});
    const notch::network fused = notch::fuse_branches(b.net);
    REQUIRE(fused.layers.size() == 1);
    REQUIRE(fused.layers[0].name == "layer0");
    REQUIRE(fused.tensors.size() == 2);
    const auto& op = std::get<notch::convolution>(fused.layers[0].op);
    REQUIRE(op.weights.values == std::vector<float>{1, 2, 3, 4, 115, 6, 7, 8, 9});
    REQUIRE(op.bias == std::vector<float>{6});
    REQUIRE(op.window == around);
}

TEST_CASE("blocks of RepVGG") {
    sequence random(32);
    builder b({4, 9, 8});
    add_block(b, random, 4, 6, 2);
    add_block(b, random, 6, 6, 1);
    add_block(b, random, 6, 6, 1, 3);
    add_block(b, random, 6, 6, 1, 6);
    require_fused(b.net, 8);
    const notch::folded_network folded = notch::fuse_branches(notch::fold_batch_norm(b.net));
    std::size_t known = 0;
    for (const auto& it : folded.statistics)
        known += it ? 1U : 0U;
    REQUIRE(known == 4);
}

TEST_CASE("statistics of fused branches are those of independent ones") {
    builder b({1, 2, 2});
    const auto convolved = [&] {
        b.add(notch::convolution{{{1, 1, 1, 1}, {1}}, {}}, {0});
        return b.net.output;
    };
    convolved();
    const std::size_t first = b.add(notch::batch_norm{{3}, {1}, {0}, {1}, 0});
    convolved();
    const std::size_t second = b.add(notch::batch_norm{{-4}, {2}, {0}, {1}, 0});
    b.add(notch::sum{}, {first, second});
    const notch::folded_network result = notch::fuse_branches(notch::fold_batch_norm(b.net));
    REQUIRE(result.net.layers.size() == 1);
    REQUIRE(result.statistics[result.net.output]->mean == std::vector<float>{3});
    REQUIRE(result.statistics[result.net.output]->deviation == std::vector<float>{5});
}

TEST_CASE("kernels that meet in unusual ways") {
    sequence random(33);
    const auto fused_layers = [&](const notch::convolution& one, const notch::convolution& other) {
        builder b({3, 12, 13});
        const std::size_t x = b.add(one, {0});
        const std::size_t y = b.add(other, {0});
        b.add(notch::sum{}, {x, y});
        const std::size_t layers = notch::fuse_branches(b.net).layers.size();
        require_fused(b.net, layers);
        return layers;
    };
    const auto conv = [&](std::size_t kh, std::size_t kw, const notch::window& over) {
        return any_convolution(random, {3, 3, kh, kw}, over);
    };
    using w = notch::window;
    REQUIRE(fused_layers(conv(3, 3, around), conv(3, 3, around)) == 1);
    REQUIRE(fused_layers(conv(1, 3, w{{1, 1}, {1, 1}, {0, 1, 0, 1}}), conv(3, 1, w{{1, 1}, {1, 1}, {1, 0, 1, 0}})) ==
            1);
    REQUIRE(fused_layers(conv(5, 5, w{{1, 1}, {1, 1}, {2, 2, 2, 2}}), conv(3, 3, around)) == 1);
    REQUIRE(fused_layers(conv(5, 5, w{{1, 1}, {1, 1}, {3, 1, 1, 3}}), conv(3, 3, around)) == 1);
    REQUIRE(fused_layers(conv(3, 3, w{{1, 1}, {2, 2}, {2, 2, 2, 2}}), conv(1, 1, w{})) == 1);
    REQUIRE(fused_layers(conv(3, 3, w{{2, 2}, {1, 1}, {1, 0, 0, 2}}), conv(1, 1, w{{2, 2}, {1, 1}, {}})) == 1);
    // taps that do not meet, and sums that would be larger than both
    REQUIRE(fused_layers(conv(3, 3, w{{1, 1}, {2, 2}, {2, 2, 2, 2}}), conv(3, 3, around)) == 3);
    REQUIRE(fused_layers(conv(3, 3, w{{1, 1}, {2, 2}, {3, 3, 1, 1}}), conv(1, 1, w{})) == 3);
    REQUIRE(fused_layers(conv(3, 3, around), any_convolution(random, {3, 1, 1, 1}, {}, 3)) == 3);
    REQUIRE(fused_layers(conv(1, 7, w{{1, 1}, {1, 1}, {0, 3, 0, 3}}), conv(7, 1, w{{1, 1}, {1, 1}, {3, 0, 3, 0}})) ==
            3);
}

TEST_CASE("the tensor itself is a branch") {
    sequence random(34);
    builder b({3, 6, 6});
    b.add(any_convolution(random, {3, 3, 3, 3}, around));
    b.add(notch::sum{}, {0, b.net.output});
    require_fused(b.net, 1);
    builder maps({3, 6, 6}); // maps in front of a sum, on both sides and nested
    const std::size_t x = maps.add(notch::clip{});
    maps.add(notch::affine_map{{2}, {1}}, {x});
    const std::size_t left = maps.add(any_norm(random, 3));
    const std::size_t right = maps.add(notch::sum{}, {x, left});
    maps.add(any_convolution(random, {3, 3, 1, 1}), {x});
    const std::size_t conv = maps.add(any_norm(random, 3));
    maps.add(notch::sum{}, {right, conv});
    require_fused(maps.net, 2);
}

TEST_CASE("networks without such branches stay as they are") {
    sequence random(35);
    builder b({4, 6, 6}); // residual blocks
    const std::size_t x = b.add(notch::clip{});
    b.add(any_convolution(random, {4, 4, 3, 3}, around));
    b.add(any_norm(random, 4));
    b.add(notch::clip{});
    b.add(any_convolution(random, {4, 4, 3, 3}, around));
    b.add(any_norm(random, 4));
    b.add(notch::sum{}, {x, b.net.output});
    const notch::network same = notch::fuse_branches(b.net);
    REQUIRE(same.layers.size() == b.net.layers.size());
    require_fused(b.net, 7);

    builder seen({4, 6, 6}); // somebody else reads a branch
    const std::size_t y = seen.add(any_convolution(random, {4, 4, 3, 3}, around), {0});
    const std::size_t z = seen.add(any_convolution(random, {4, 4, 1, 1}), {0});
    const std::size_t both = seen.add(notch::sum{}, {y, z});
    seen.add(notch::sum{}, {both, y});
    require_fused(seen.net, 4);

    builder maps({4, 6, 6}); // no convolution among them
    maps.add(notch::affine_map{{2}, {}}, {0});
    maps.add(notch::sum{}, {0, maps.net.output});
    require_fused(maps.net, 2);
}

TEST_CASE("sums that reach the output from several sides") {
    sequence random(36);
    builder b({4, 6, 6});
    const std::size_t y = b.add(any_convolution(random, {4, 4, 3, 3}, around), {0});
    const std::size_t z = b.add(any_convolution(random, {4, 4, 1, 1}), {0});
    const std::size_t both = b.add(notch::sum{}, {y, z});
    b.add(notch::clip{});
    b.add(notch::sum{}, {b.net.output, both}); // another input: residual
    require_fused(b.net, 3);
    builder norm({4, 6, 6}); // a normalization of the sum
    const std::size_t p = norm.add(any_convolution(random, {4, 4, 3, 3}, around), {0});
    const std::size_t q = norm.add(any_convolution(random, {4, 4, 1, 1}), {0});
    norm.add(notch::sum{}, {p, q});
    norm.add(any_norm(random, 4));
    require_fused(norm.net, 2);
}

TEST_CASE("costs of hand-made layers") {
    sequence random(37);
    builder b({3, 8, 8});
    b.net.name = "small";
    b.add(any_convolution(random, {4, 3, 3, 3}, {{2, 2}, {1, 1}, {1, 1, 1, 1}})); // [4, 4, 4]
    b.add(any_norm(random, 4));
    b.add(any_convolution(random, {4, 1, 3, 3}, around, 4, false));
    b.add(notch::global_average_pool_layer{});
    b.add(notch::reshape{});
    b.add(any_linear(random, 10, 4));
    const notch::network_cost cost = notch::cost_of(b.net);
    REQUIRE(cost.layers.size() == 6);
    REQUIRE(cost.layers[0].name == "layer0");
    REQUIRE(cost.layers[0].macs == 16 * 108);
    REQUIRE(cost.layers[0].parameters == 112);
    REQUIRE(cost.layers[0].weight_bytes == 448);
    REQUIRE(cost.layers[0].activation_bytes == 256);
    REQUIRE(cost.layers[1].macs == 0);
    REQUIRE(cost.layers[1].parameters == 8);
    REQUIRE(cost.layers[2].macs == 16 * 36);
    REQUIRE(cost.layers[5].macs == 40);
    REQUIRE(cost.total.name == "small");
    REQUIRE(cost.total.macs == 16 * 144 + 40);
    REQUIRE(cost.total.parameters == 112 + 8 + 36 + 50);
    REQUIRE(cost.total.activation_bytes == 4 * (192 + 3 * 64 + 4 + 4 + 10));
    REQUIRE(cost.peak_bytes == 4 * 2 * 64);
    const notch::network_cost narrow = notch::cost_of(b.net, {.weights = 4, .activations = 8});
    REQUIRE(narrow.layers[0].weight_bytes == 54 + 16);
    REQUIRE(narrow.layers[5].weight_bytes == 20 + 40);
    REQUIRE(narrow.total.activation_bytes == 192 + 3 * 64 + 4 + 4 + 10);
}

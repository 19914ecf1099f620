#include "catch.hpp"
#include "deploy/random_network.hpp"
#include "ptq/float_results.hpp"

#include <notch/model/forward.hpp>
#include <notch/ptq/absorb_bias.hpp>
#include <notch/ptq/channel_statistics.hpp>
#include <notch/ptq/prepare.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <span>
#include <vector>

using namespace notch;
using notch_test::difference;
using notch_test::float_results;
using notch_test::network_builder;

namespace {

// Raises the biases of every third channel of the last layer.
void raise_biases(network_builder& b, float by) {
    auto& conv = std::get<convolution>(b.net.layers.back().op);
    conv.bias.assign(conv.weights.shape[0], 0.25F);
    for (std::size_t k = 0; k < conv.bias.size(); k += 3)
        conv.bias[k] = by;
}

// Pairs: 0 to 2 without padding, 2 to 5 with padding, 5 through two pools to the product.
network_builder some_network(float by) {
    network_builder b(21, {3, 8, 8});
    b.conv(6, 3, {});
    raise_biases(b, by);
    b.add(clip{});
    b.conv(9, 3, {{1, 1}, {1, 1}, {}}, 3);
    raise_biases(b, by);
    b.add(clip{});
    b.conv(9, 3, {{1, 1}, {1, 1}, {1, 1, 1, 1}}, 9);
    raise_biases(b, by);
    b.add(clip{});
    b.add(max_pool{{2, 2}, {{2, 2}, {1, 1}, {1, 1, 1, 1}}});
    b.add(average_pool{{3, 3}, {{1, 1}, {1, 1}, {1, 1, 1, 1}}});
    b.product(4);
    return b;
}

} // namespace

TEST_CASE("what channels never fall below moves behind them, exactly on the images seen") {
    network_builder b = some_network(20);
    const auto images = b.random.normals(5 * 192);
    const auto seen = measure_channels(b.net, images);
    const absorbed_network to = absorb_biases(b.net, seen);
    CHECK(to.padded == 1);
    REQUIRE(to.pairs.size() == 2);
    CHECK(to.pairs[0].where.producer == 0);
    CHECK(to.pairs[1].where.producer == 4);
    CHECK(to.pairs[0].moved >= 2);
    CHECK(to.pairs[1].moved >= 3);
    CHECK(difference(float_results(b.net, images), float_results(to.net, images)) < 1e-5);
    const auto measured = measure_channels(to.net, images);
    for (std::size_t t = 0; t < measured.size(); ++t)
        for (std::size_t c = 0; c < measured[t].mean.size(); ++c) {
            CHECK(to.seen[t].lowest[c] == Approx(measured[t].lowest[c]).margin(1e-4));
            CHECK(to.seen[t].highest[c] == Approx(measured[t].highest[c]).margin(1e-4));
            CHECK(to.seen[t].mean[c] == Approx(measured[t].mean[c]).margin(1e-4));
            CHECK(to.seen[t].squares[c] == Approx(measured[t].squares[c]).margin(1e-2));
        }
    for (std::size_t k = 0; k < 6; ++k) // what was absorbed is what was seen
        CHECK(to.pairs[0].amounts[k] == static_cast<double>(std::max(seen[1].lowest[k], 0.0F)));
    const absorbed_network nothing = absorb_biases(to.net, measured);
    CHECK(difference(float_results(nothing.net, images), float_results(to.net, images)) < 1e-5);
}

TEST_CASE("mean - 3 deviations is almost exact") {
    network_builder b = some_network(20);
    const auto images = b.random.normals(20 * 192);
    const auto seen = measure_channels(b.net, images);
    const absorbed_network to = absorb_biases(b.net, seen, {3});
    const double deviation = std::sqrt(seen[1].squares[0] - seen[1].mean[0] * seen[1].mean[0]);
    CHECK(to.pairs[0].amounts[0] == Approx(seen[1].mean[0] - 3 * deviation).epsilon(1e-5));
    CHECK(difference(float_results(b.net, images), float_results(to.net, images)) < 0.02);
}

TEST_CASE("only a ReLU absorbs, and an average that counts padding does not pass on") {
    for (const clip behind : {clip{0, 60}, clip{-1}}) {
        network_builder b(22, {3, 4, 4});
        b.conv(3, 1, {});
        raise_biases(b, 9);
        b.add(behind);
        b.conv(2, 1, {});
        const auto images = b.random.normals(96);
        CHECK(absorb_biases(b.net, measure_channels(b.net, images)).pairs.empty());
    }
    for (const bool counted : {false, true}) {
        network_builder b(23, {3, 4, 4});
        b.conv(3, 1, {});
        raise_biases(b, 9);
        b.add(clip{});
        b.add(average_pool{{3, 3}, {{1, 1}, {1, 1}, {1, 1, 1, 1}}, false, counted});
        b.conv(2, 1, {});
        const auto images = b.random.normals(96);
        const absorbed_network to = absorb_biases(b.net, measure_channels(b.net, images));
        CHECK(to.padded == (counted ? 1U : 0U));
        CHECK(to.pairs.size() == (counted ? 0U : 1U));
        CHECK(difference(float_results(b.net, images), float_results(to.net, images)) < 1e-5);
    }
}

TEST_CASE("random networks compute the same with absorbed biases") {
    for (std::uint64_t seed = 0; seed < 60; ++seed) {
        network net = prepare(notch_test::random_network(seed)).net;
        notch_test::numbers random(seed);
        for (layer& l : net.layers)
            if (auto* conv = std::get_if<convolution>(&l.op))
                for (float& x : conv->bias)
                    x += random.one_in(3) ? 5.0F : 0.0F;
        const auto images = random.normals(3 * element_count(net.tensors[net.input].shape));
        const absorbed_network to = absorb_biases(net, measure_channels(net, images));
        INFO("seed " << seed);
        CHECK(difference(float_results(net, images), float_results(to.net, images)) < 1e-4);
    }
}

TEST_CASE("absorbing refuses wrong statistics and options with numbers") {
    network_builder b = some_network(1);
    const auto seen = measure_channels(b.net, b.random.normals(192));
    const auto all = std::span<const measured_channels>(seen);
    CHECK_THROWS_AS(absorb_biases(b.net, all.first(2)), shape_error);
    CHECK_THROWS_WITH(absorb_biases(b.net, all.first(2)), containing("absorb_biases: statistics of 2 tensors"));
    CHECK_THROWS_AS(absorb_biases(b.net, seen, {-1}), range_error);
}

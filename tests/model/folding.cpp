/// @file
/// fold_batch_norm and simplify: the same results from fewer layers, and what is kept beside them.
#include "model/cases.hpp"

#include <notch/model/fold_batch_norm.hpp>
#include <notch/model/simplify.hpp>

using namespace model_cases;

namespace {

/// Requires two networks to compute the same, up to rounding.
void require_same(const notch::network& one, const notch::network& other) {
    sequence random(21);
    const std::size_t size = notch::element_count(one.tensors[one.input].shape);
    const std::vector<float> images = random.reals(4 * size);
    const std::vector<float> wanted = run(one, images, 4);
    const std::vector<float> got = run(other, images, 4);
    REQUIRE(got.size() == wanted.size());
    require_near(got.data(), {wanted.begin(), wanted.end()}, "output");
}

/// Folds, checks that the result is right, and returns it.
notch::folded_network folded(const notch::network& net, std::size_t layers) {
    notch::folded_network result = notch::fold_batch_norm(net);
    notch::validate(result.net);
    REQUIRE(result.net.layers.size() == layers);
    REQUIRE(result.statistics.size() == result.net.tensors.size());
    require_same(net, result.net);
    return result;
}

} // namespace

TEST_CASE("a fold of hand-made numbers") {
    builder b({1, 1, 2});
    b.add(notch::convolution{{{2, 1, 1, 1}, {2, 3}}, {1, 0}});
    b.add(notch::batch_norm{{4, -6}, {0.5F, 1}, {3, 2}, {4, 9}, 0});
    const notch::folded_network result = folded(b.net, 1);
    const auto& op = std::get<notch::convolution>(result.net.layers[0].op);
    REQUIRE(op.weights.values == std::vector<float>{4, -6}); // 2 * 4 / 2, 3 * -6 / 3
    REQUIRE(op.bias == std::vector<float>{-3.5F, 5});        // (1 - 3) * 2 + 0.5, (0 - 2) * -2 + 1
    REQUIRE(result.net.layers[0].name == "layer0");
    REQUIRE(result.net.tensors.size() == 2);
    REQUIRE(result.net.tensors[1].name == "layer1.out");
    REQUIRE_FALSE(result.statistics[0]);
    REQUIRE(result.statistics[1]->mean == std::vector<float>{0.5F, 1});
    REQUIRE(result.statistics[1]->deviation == std::vector<float>{4, 6});
}

TEST_CASE("normalizations behind every kind of layer with weights") {
    sequence random(22);
    builder b({6, 7, 7});
    b.add(any_convolution(random, {4, 3, 3, 3}, {{1, 1}, {1, 1}, {1, 1, 1, 1}}, 2, false));
    b.add(any_norm(random, 4));
    b.add(any_convolution(random, {8, 1, 3, 3}, {}, 4));
    b.add(any_norm(random, 8));
    b.add(notch::clip{});
    b.add(notch::global_average_pool_layer{});
    b.add(notch::reshape{});
    b.add(any_linear(random, 5, 8, false));
    b.add(any_norm(random, 5));
    const notch::folded_network result = folded(b.net, 6);
    for (const notch::layer& it : result.net.layers)
        REQUIRE_FALSE(std::holds_alternative<notch::batch_norm>(it.op));
    REQUIRE(result.statistics[result.net.output]);
}

TEST_CASE("a normalization that others pass by is a map") {
    sequence random(23);
    builder b({3, 5, 5});
    const std::size_t y = b.add(any_convolution(random, {3, 3, 1, 1}));
    b.add(any_norm(random, 3));
    b.add(notch::sum{}, {y, b.net.output});
    const notch::folded_network result = folded(b.net, 3);
    REQUIRE(std::holds_alternative<notch::affine_map>(result.net.layers[1].op));
    REQUIRE(result.statistics[2]);
    REQUIRE_FALSE(result.statistics[1]);

    builder first({3, 5, 5});
    first.add(any_norm(random, 3));
    first.add(notch::clip{});
    REQUIRE(std::holds_alternative<notch::affine_map>(folded(first.net, 2).net.layers[0].op));

    builder seen({3, 5, 5}); // the output is read from outside
    const std::size_t out = seen.add(any_convolution(random, {3, 3, 1, 1}));
    seen.add(any_norm(random, 3));
    seen.net.output = out;
    static_cast<void>(folded(seen.net, 2));
}

TEST_CASE("maps behind a layer, and the statistics they change") {
    builder b({1, 1, 2});
    b.add(notch::convolution{{{2, 1, 1, 1}, {2, 3}}, {1, 0}});
    b.add(notch::batch_norm{{4, -6}, {0.5F, 1}, {3, 2}, {4, 9}, 0});
    b.add(notch::affine_map{{-2}, {1, 10}});
    const notch::folded_network result = folded(b.net, 1);
    const auto& op = std::get<notch::convolution>(result.net.layers[0].op);
    REQUIRE(op.weights.values == std::vector<float>{-8, 12});
    REQUIRE(op.bias == std::vector<float>{8, 0});
    REQUIRE(result.statistics[1]->mean == std::vector<float>{0, 8});
    REQUIRE(result.statistics[1]->deviation == std::vector<float>{8, 12});
}

TEST_CASE("preprocessing is folded where that is exact") {
    sequence random(24);
    const auto net_of = [&](const notch::affine_map& map, const notch::window& over, std::size_t groups) {
        builder b({4, 6, 6});
        b.add(map);
        b.add(any_convolution(random, {6, 4 / groups, 3, 3}, over, groups));
        return b.net;
    };
    const notch::window padded{{1, 1}, {1, 1}, {1, 0, 0, 0}};
    const notch::affine_map scale{random.reals(4), {}};
    const notch::affine_map both{random.reals(4), random.reals(4)};
    for (const std::size_t groups : {1U, 2U}) {
        static_cast<void>(folded(net_of(scale, padded, groups), 1));
        static_cast<void>(folded(net_of(both, {}, groups), 1));
        static_cast<void>(folded(net_of({{2}, {1}}, {}, groups), 1));
        static_cast<void>(folded(net_of(both, padded, groups), 2)); // padding is zero behind the map
    }
    builder chain({4}); // u8 / 255, - mean, / deviation
    chain.add(notch::affine_map{{1.0F / 255}, {}});
    chain.add(notch::affine_map{{}, random.reals(4)});
    chain.add(notch::affine_map{random.reals(4), {}});
    chain.add(any_linear(random, 3, 4));
    static_cast<void>(folded(chain.net, 1));
    chain.net.layers.pop_back();
    chain.net.output = 3;
    static_cast<void>(folded(chain.net, 1));
}

TEST_CASE("folds that leave the range of floats are refused") {
    builder b({1});
    b.add(notch::linear{{{1, 1}, {1e30F}}, {}});
    b.add(notch::affine_map{{1e30F}, {}});
    REQUIRE_THROWS_WITH(notch::fold_batch_norm(b.net), containing("layer 0 'layer0' (Gemm): weights[0] is inf"));
    b.net.layers[1].inputs = {5};
    REQUIRE_THROWS_AS(notch::fold_batch_norm(b.net), notch::range_error);
}

TEST_CASE("layers without effect and without readers go") {
    sequence random(25);
    builder b({4, 6, 6});
    const float infinity = std::numeric_limits<float>::infinity();
    b.add(notch::affine_map{{1}, {0, 0, 0, 0}});
    const std::size_t x = b.add(any_convolution(random, {4, 4, 1, 1}));
    b.add(notch::clip{}, {x}); // nobody reads it
    b.add(notch::affine_map{{2}, {}}, {b.net.output});
    b.add(notch::clip{-infinity, infinity}, {x});
    b.add(notch::reshape{{4, 6, 6}});
    b.add(notch::slice{{0, 0, 0}, {4, 6, 6}, {1, 1, 1}});
    b.add(notch::pad{{0, 0, 0}, {0, 0, 0}, 1});
    b.add(notch::concat{1});
    b.add(notch::max_pool{});
    b.add(notch::average_pool{});
    b.add(notch::sum{}, {b.net.output, x});
    b.add(notch::global_average_pool_layer{});
    b.add(notch::global_average_pool_layer{});
    const notch::network result = notch::simplify(b.net);
    notch::validate(result);
    require_same(b.net, result);
    REQUIRE(result.layers.size() == 3);
    REQUIRE(result.tensors.size() == 4);
    REQUIRE(result.tensors[result.output].name == b.net.tensors[b.net.output].name);
}

TEST_CASE("layers with an effect stay") {
    sequence random(26);
    builder b({4, 6, 6});
    b.add(notch::clip{-1, std::numeric_limits<float>::infinity()});
    b.add(notch::affine_map{{1}, {1}});
    b.add(notch::max_pool{{1, 1}, {{2, 1}, {1, 1}, {}}});
    b.add(notch::reshape{});
    b.add(notch::softmax{});
    const notch::network result = notch::simplify(b.net);
    REQUIRE(result.layers.size() == 5);
    require_same(b.net, result);
    builder idle({3});
    idle.add(notch::affine_map{});
    REQUIRE(notch::simplify(idle.net).layers.size() == 1);
}

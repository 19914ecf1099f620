// Which channels can change places, and that nothing else changes when they do.
#include "catch.hpp"

#include "deploy/random_network.hpp"

#include <notch/core/random.hpp>
#include <notch/model/forward.hpp>
#include <notch/model/network.hpp>
#include <notch/model/shapes.hpp>
#include <notch/ptq/permutation_classes.hpp>
#include <notch/ptq/reorder_channels.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <variant>
#include <vector>

using notch::channel_orders;
using notch::find_permutation_classes;
using notch::network;
using notch::permutation_class;
using notch_test::network_builder;
using notch_test::numbers;
using sizes = std::vector<std::size_t>;

static channel_orders random_orders(const std::vector<permutation_class>& classes, std::uint64_t seed) {
    numbers random(seed);
    channel_orders orders = notch::identity_orders(classes);
    for (sizes& order : orders)
        for (std::size_t i = order.size(); i > 1; --i)
            std::swap(order[i - 1], order[random.below(i)]);
    return orders;
}

static sizes class_sizes(const network& net) {
    sizes to;
    for (const permutation_class& c : find_permutation_classes(net))
        to.push_back(c.size);
    return to;
}

// The slots of a class in a tensor; none where it has none.
static sizes slots_in(const permutation_class& of, std::size_t tensor) {
    for (const notch::class_slots& place : of.places)
        if (place.tensor == tensor)
            return place.slots;
    return {};
}

static std::vector<float> outputs(const network& net, const std::vector<float>& images, std::size_t count) {
    const notch::float_program program(net);
    std::vector<float> to(count * program.output_size());
    program.run(images, count, to);
    return to;
}

static std::vector<const std::vector<float>*> constants(const network& net) {
    std::vector<const std::vector<float>*> to;
    for (const notch::layer& it : net.layers) {
        if (const auto* conv = std::get_if<notch::convolution>(&it.op))
            to.insert(to.end(), {&conv->weights.values, &conv->bias});
        if (const auto* product = std::get_if<notch::linear>(&it.op))
            to.insert(to.end(), {&product->weights.values, &product->bias});
        if (const auto* norm = std::get_if<notch::batch_norm>(&it.op))
            to.insert(to.end(), {&norm->gain, &norm->shift, &norm->mean, &norm->variance});
        if (const auto* map = std::get_if<notch::affine_map>(&it.op))
            to.insert(to.end(), {&map->factor, &map->offset});
    }
    return to;
}
static bool same_constants(const network& a, const network& b) {
    const auto left = constants(a);
    const auto right = constants(b);
    return std::ranges::equal(left, right, [](const auto* x, const auto* y) { return *x == *y; });
}

// Random orders change the weights, not the function; their inverses restore every float.
static void check_function(const network& net, std::uint64_t seed) {
    const auto classes = find_permutation_classes(net);
    const channel_orders orders = random_orders(classes, seed);
    const network moved = notch::reorder(net, classes, orders);
    CHECK(same_constants(notch::reorder(moved, classes, notch::inverse_orders(orders)), net));
    const std::vector<float> images = numbers(seed + 7).normals(2 * notch::element_count(net.tensors[net.input].shape));
    const std::vector<float> before = outputs(net, images, 2);
    const std::vector<float> after = outputs(moved, images, 2);
    float largest = 0;
    float worst = 0;
    for (std::size_t i = 0; i < before.size(); ++i) {
        largest = std::max(largest, std::abs(before[i]));
        worst = std::max(worst, std::abs(before[i] - after[i]));
    }
    INFO("seed " << seed << ", " << classes.size() << " classes");
    CHECK(worst <= 1e-4F * largest);
}

// Two weights of each row are 1 or -1, the others 0, biases small integers: sums are exact.
static void make_integer(network& net, numbers& random) {
    const auto fill = [&random](notch::float_array& weights, std::vector<float>& bias) {
        const std::size_t depth = weights.values.size() / weights.shape[0];
        std::ranges::fill(weights.values, 0.0F);
        for (std::size_t o = 0; o < weights.shape[0]; ++o)
            for (int n = 0; n < 2; ++n)
                weights.values[o * depth + random.below(depth)] = random.one_in(2) ? 1.0F : -1.0F;
        for (float& b : bias)
            b = static_cast<float>(random.below(7)) - 3;
    };
    for (notch::layer& it : net.layers) {
        if (auto* conv = std::get_if<notch::convolution>(&it.op))
            fill(conv->weights, conv->bias);
        if (auto* product = std::get_if<notch::linear>(&it.op))
            fill(product->weights, product->bias);
    }
}

TEST_CASE("random networks compute the same in random orders") {
    std::size_t classes = 0;
    for (std::uint64_t seed = 0; seed < 120; ++seed) {
        const network net = notch_test::random_network(seed);
        classes += find_permutation_classes(net).size();
        check_function(net, seed);
    }
    CHECK(classes > 120);
}

TEST_CASE("networks of integers compute the same bits in random orders") {
    std::size_t tested = 0;
    for (std::uint64_t seed = 0; seed < 150; ++seed) {
        network net = notch_test::random_network(seed);
        if (std::ranges::any_of(net.layers, [](const notch::layer& it) { // means are no integers
                return std::holds_alternative<notch::average_pool>(it.op) ||
                       std::holds_alternative<notch::global_average_pool_layer>(it.op) ||
                       std::holds_alternative<notch::softmax>(it.op);
            }))
            continue;
        ++tested;
        numbers random(seed);
        make_integer(net, random);
        std::vector<float> images(notch::element_count(net.tensors[net.input].shape));
        for (float& x : images)
            x = static_cast<float>(random.below(9)) - 4;
        const auto classes = find_permutation_classes(net);
        const network moved = notch::reorder(net, classes, random_orders(classes, seed));
        INFO("seed " << seed);
        CHECK(outputs(moved, images, 1) == outputs(net, images, 1));
    }
    CHECK(tested > 30);
}

TEST_CASE("input and output of a network stay, what lies between is a class") {
    network_builder b(1, {3, 6, 6});
    b.conv(8, 3, {});
    CHECK(class_sizes(b.net).empty()); // it is the output
    const std::size_t hidden = b.add(notch::clip{});
    b.conv(5, 3, {});
    const auto classes = find_permutation_classes(b.net);
    REQUIRE(classes.size() == 1);
    CHECK(classes[0].size == 8);
    CHECK(classes[0].name == "Conv0");
    CHECK(slots_in(classes[0], hidden) == sizes{0, 1, 2, 3, 4, 5, 6, 7});
    CHECK(slots_in(classes[0], b.net.input).empty());
    CHECK(slots_in(classes[0], b.net.output).empty());
    check_function(b.net, 1);
}

TEST_CASE("a stage of residual blocks is one class, what lies inside of a block another") {
    network_builder b(2, {3, 6, 6});
    std::size_t stage = b.conv(8, 3, {{1, 1}, {1, 1}, {1, 1, 1, 1}});
    for (int block = 0; block < 2; ++block) {
        b.at = stage;
        b.conv(6, 1, {});
        b.add(notch::clip{});
        b.conv(8, 1, {});
        stage = b.add(notch::sum{}, {stage, b.at});
    }
    b.conv(2, 1, {});
    CHECK(class_sizes(b.net) == sizes{8, 6, 6});
    check_function(b.net, 2);
}

TEST_CASE("a convolution between tensors of one class") {
    network_builder b(3, {3, 6, 6});
    const std::size_t stage = b.conv(8, 1, {});
    b.conv(8, 3, {{1, 1}, {1, 1}, {1, 1, 1, 1}});
    b.add(notch::sum{}, {b.at, stage});
    b.conv(2, 1, {});
    CHECK(class_sizes(b.net) == sizes{8});
    check_function(b.net, 3);
}

TEST_CASE("shortcuts of slices and padded channels") {
    network_builder b(4, {3, 8, 8});
    const std::size_t narrow = b.conv(8, 3, {{1, 1}, {1, 1}, {1, 1, 1, 1}});
    b.conv(16, 3, {{2, 2}, {1, 1}, {1, 1, 1, 1}});
    const std::size_t left = b.at;
    b.at = narrow;
    b.add(notch::slice{{0, 0, 0}, {8, 8, 8}, {1, 2, 2}});
    b.add(notch::pad{{4, 0, 0}, {4, 0, 0}});
    const std::size_t wide = b.add(notch::sum{}, {left, b.at});
    b.conv(2, 1, {});
    const auto classes = find_permutation_classes(b.net);
    REQUIRE(class_sizes(b.net) == sizes{8, 8});
    CHECK(slots_in(classes[0], narrow) == sizes{0, 1, 2, 3, 4, 5, 6, 7});
    CHECK(slots_in(classes[0], wide) == sizes{4, 5, 6, 7, 8, 9, 10, 11});
    CHECK(slots_in(classes[1], narrow).empty()); // begins in zeros
    CHECK(slots_in(classes[1], wide) == sizes{0, 1, 2, 3, 12, 13, 14, 15});
    check_function(b.net, 4);
}

TEST_CASE("concatenated channels keep to their operand, concatenated pixels join") {
    network_builder b(5, {3, 4, 4});
    const std::size_t left = b.conv(6, 1, {});
    b.at = b.net.input;
    const std::size_t right = b.conv(4, 1, {});
    const std::size_t both = b.add(notch::concat{0}, {left, right});
    b.conv(2, 1, {});
    const auto classes = find_permutation_classes(b.net);
    REQUIRE(class_sizes(b.net) == sizes{6, 4});
    CHECK(slots_in(classes[1], right) == sizes{0, 1, 2, 3});
    CHECK(slots_in(classes[1], both) == sizes{6, 7, 8, 9});
    check_function(b.net, 5);

    network_builder beside(6, {3, 4, 4});
    const std::size_t one = beside.conv(6, 1, {});
    beside.at = beside.net.input;
    const std::size_t other = beside.conv(6, 1, {});
    beside.add(notch::concat{2}, {one, other});
    beside.conv(2, 1, {});
    CHECK(class_sizes(beside.net) == sizes{6});
    check_function(beside.net, 6);
}

TEST_CASE("an element with several slots moves all of them") {
    network_builder b(7, {3, 4, 4});
    const std::size_t x = b.conv(5, 1, {});
    const std::size_t y = b.add(notch::clip{});
    const std::size_t twice = b.add(notch::concat{0}, {x, y});
    b.conv(2, 1, {});
    const auto classes = find_permutation_classes(b.net);
    REQUIRE(classes.size() == 1);
    CHECK(slots_in(classes[0], twice) == sizes{0, 5, 1, 6, 2, 7, 3, 8, 4, 9});
    check_function(b.net, 7);
}

TEST_CASE("slices cut a class into what they take and what they leave") {
    network_builder b(8, {3, 4, 4});
    const std::size_t all = b.conv(10, 1, {});
    const std::size_t part = b.add(notch::slice{{1, 0, 0}, {10, 4, 4}, {2, 1, 1}}); // 1, 3, 5, 7, 9
    const std::size_t left = b.conv(4, 1, {});
    b.at = all;
    b.conv(4, 1, {});
    b.add(notch::sum{}, {left, b.at});
    const auto classes = find_permutation_classes(b.net);
    REQUIRE(class_sizes(b.net) == sizes{5, 5});
    CHECK(slots_in(classes[0], all) == sizes{0, 2, 4, 6, 8});
    CHECK(slots_in(classes[1], all) == sizes{1, 3, 5, 7, 9});
    CHECK(slots_in(classes[1], part) == sizes{0, 1, 2, 3, 4});
    check_function(b.net, 8);
}

TEST_CASE("elements that are wired in different ways do not change places") {
    // [x0 x1 | y0 y1] cut to [x1 y0]: one slot of either element, but the second of the one and the first of the other.
    network_builder b(9, {3, 4, 4});
    const std::size_t x = b.conv(2, 1, {});
    const std::size_t y = b.add(notch::clip{});
    b.add(notch::concat{0}, {x, y});
    b.add(notch::slice{{1, 0, 0}, {3, 4, 4}, {1, 1, 1}});
    b.conv(2, 1, {});
    CHECK(class_sizes(b.net).empty());
    check_function(b.net, 9);
}

TEST_CASE("grouped convolutions keep channels in their group") {
    network_builder b(10, {3, 4, 4});
    const std::size_t in = b.conv(8, 1, {});
    const std::size_t out = b.conv(12, 3, {{1, 1}, {1, 1}, {1, 1, 1, 1}}, 2);
    b.conv(2, 1, {});
    const auto classes = find_permutation_classes(b.net);
    REQUIRE(class_sizes(b.net) == sizes{4, 4, 6, 6});
    CHECK(slots_in(classes[1], in) == sizes{4, 5, 6, 7});
    CHECK(slots_in(classes[3], out) == sizes{6, 7, 8, 9, 10, 11});
    check_function(b.net, 10);
}

TEST_CASE("depthwise filters follow their channel, several of one channel stay") {
    network_builder b(11, {3, 6, 6});
    b.conv(8, 1, {});
    b.conv(8, 3, {}, 8);
    b.conv(2, 1, {});
    CHECK(class_sizes(b.net) == sizes{8});
    check_function(b.net, 11);

    network_builder twice(12, {3, 6, 6});
    twice.conv(8, 1, {});
    twice.conv(16, 3, {}, 8);
    twice.conv(2, 1, {});
    CHECK(class_sizes(twice.net).empty());
    check_function(twice.net, 12);
}

TEST_CASE("flattened images move in runs of pixels") {
    network_builder b(13, {3, 2, 2});
    b.conv(3, 1, {});
    const std::size_t flat = b.add(notch::reshape{});
    b.product(4);
    const auto classes = find_permutation_classes(b.net);
    REQUIRE(class_sizes(b.net) == sizes{3});
    CHECK(slots_in(classes[0], flat) == sizes{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11});
    CHECK(classes[0].places.back().per_element == 4);
    check_function(b.net, 13);
}

TEST_CASE("reshapes that keep the channels pass them on, others tie them down") {
    network_builder b(14, {3, 4, 4});
    b.conv(6, 1, {});
    b.add(notch::global_average_pool_layer{});
    b.add(notch::reshape{{6}});
    b.product(4);
    CHECK(class_sizes(b.net) == sizes{6});
    check_function(b.net, 14);

    network_builder mixed(15, {3, 4, 4});
    mixed.conv(6, 1, {});
    mixed.add(notch::reshape{{12, 2, 4}});
    mixed.conv(5, 1, {});
    mixed.conv(2, 1, {});
    CHECK(class_sizes(mixed.net) == sizes{5});
    check_function(mixed.net, 15);
}

TEST_CASE("batch norms and maps per channel move with their channels") {
    network_builder b(16, {3, 4, 4});
    b.conv(6, 3, {});
    notch::batch_norm norm;
    norm.gain = b.random.normals(6);
    norm.shift = b.random.normals(6);
    norm.mean = b.random.normals(6);
    norm.variance = {1, 2, 3, 4, 5, 6};
    b.add(norm);
    b.add(notch::affine_map{b.random.normals(6), {0.5F}});
    b.add(notch::affine_map{{}, b.random.normals(6)});
    b.conv(2, 1, {});
    CHECK(class_sizes(b.net) == sizes{6});
    check_function(b.net, 16);
}

TEST_CASE("orders that are none are errors with class, number and limit") {
    network_builder b(17, {3, 4, 4});
    b.conv(4, 1, {});
    b.conv(2, 1, {});
    const auto classes = find_permutation_classes(b.net);
    const auto with = [&](channel_orders orders) { return notch::reorder(b.net, classes, orders); };
    CHECK_THROWS_WITH(with({}), "an order of 0 classes; the network has 1");
    CHECK_THROWS_AS(with({{0, 1, 2}}), notch::shape_error);
    CHECK_THROWS_WITH(with({{0, 1, 2}}), "class 0 'Conv0': an order of 3 channels; the class has 4");
    CHECK_THROWS_AS(with({{0, 1, 2, 4}}), notch::range_error);
    CHECK_THROWS_WITH(with({{0, 1, 2, 4}}), "class 0 'Conv0': channel 4 at place 3; the last one is 3");
    CHECK_THROWS_WITH(with({{0, 1, 1, 3}}), "class 0 'Conv0': channel 1 comes twice, again at place 2");

    network_builder other(18, {3, 4, 4});
    other.conv(3, 1, {});
    other.conv(2, 1, {});
    CHECK_THROWS_AS(notch::reorder(other.net, classes, {{0, 1, 2, 3}}), notch::shape_error);
}

// Orders of channels for blocks: their cost, the sort, what searches find, and that it depends on nothing but numbers.
#include "catch.hpp"
#include "deploy/random_network.hpp"
#include "threads_backwards.hpp"

#include <notch/core/random.hpp>
#include <notch/model/forward.hpp>
#include <notch/model/network.hpp>
#include <notch/ptq/channel_statistics.hpp>
#include <notch/ptq/fit_weights.hpp>
#include <notch/ptq/permutation_classes.hpp>
#include <notch/ptq/policy.hpp>
#include <notch/ptq/reorder_channels.hpp>
#include <notch/ptq/sub_layer_reorder.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <numeric>
#include <utility>
#include <variant>
#include <vector>

using notch::channel_orders;
using notch::find_permutation_classes;
using notch::grain;
using notch::network;
using notch::permutation_class;
using notch::weight_fit;
using notch::detail::blocked_layer;
using notch::detail::order_cost;
using notch_test::network_builder;
using notch_test::numbers;
using sizes = std::vector<std::size_t>;

static sizes random_order(std::size_t size, numbers& random) {
    sizes order(size);
    std::iota(order.begin(), order.end(), std::size_t{0});
    for (std::size_t i = size; i > 1; --i)
        std::swap(order[i - 1], order[random.below(i)]);
    return order;
}

// Rows and columns of unlike sizes, as trained networks have them.
static void spread_weights(network& net, std::uint64_t seed) {
    numbers random(seed);
    for (notch::layer& it : net.layers)
        if (auto* conv = std::get_if<notch::convolution>(&it.op)) {
            const sizes& shape = conv->weights.shape;
            const std::vector<float> rows = random.normals(shape[0], 0.6);
            const std::vector<float> columns = random.normals(shape[1], 0.6);
            for (std::size_t k = 0; k < conv->weights.values.size(); ++k) {
                const std::size_t kernel = k / (shape[2] * shape[3]);
                conv->weights.values[k] *= std::exp(rows[kernel / shape[1]] + columns[kernel % shape[1]]);
            }
        }
}

static std::vector<blocked_layer> blocked(const network& net, const grain& cut,
                                          const std::vector<notch::measured_channels>& seen = {}) {
    std::vector<blocked_layer> layers;
    for (const notch::layer& it : net.layers)
        if (notch::detail::weights_of(it.op).values != nullptr)
            layers.emplace_back(it, cut,
                                seen.empty() ? std::span<const double>() : std::span(seen[it.inputs[0]].squares));
    return layers;
}
static notch::detail::slot_orders whole(const network& net) {
    return notch::detail::identity_slots(notch::detail::inferred_shapes(net));
}

// Two convolutions with a class of some channels between them.
static network two_layers(std::uint64_t seed, std::size_t channels) {
    network_builder b(seed, {channels, 4, 4});
    b.conv(channels, 3, {});
    b.add(notch::clip{});
    b.conv(channels, 1, {});
    spread_weights(b.net, seed);
    return b.net;
}
// Stages with shortcuts, of blocks that have a class inside.
static network residual_network(std::uint64_t seed) {
    network_builder b(seed, {3, 8, 8});
    const notch::window same{{1, 1}, {1, 1}, {1, 1, 1, 1}};
    std::size_t stage = b.conv(16, 3, same);
    for (int block = 0; block < 2; ++block) {
        b.at = stage;
        b.conv(24, 3, same);
        b.add(notch::clip{});
        b.conv(16, 3, same);
        stage = b.add(notch::sum{}, {stage, b.at});
    }
    b.conv(32, 1, {});
    b.add(notch::clip{});
    b.conv(32, 3, same, 32);
    b.add(notch::global_average_pool_layer{});
    b.product(10);
    spread_weights(b.net, seed);
    return b.net;
}
static std::vector<notch::measured_channels> statistics(const network& net) {
    return notch::measure_channels(net, numbers(5).normals(4 * notch::element_count(net.tensors[net.input].shape)));
}

TEST_CASE("the cost of blocks by hand") {
    notch::network net;
    net.tensors = {{"x", {2}}, {"y", {2}}};
    net.output = 1;
    net.layers.push_back({"product", notch::linear{{{2, 2}, {1, -2, 3, 0.5F}}, {}}, {0}, 1});
    const std::vector<double> squares{2, 1};
    const sizes order{0, 1};
    const double signal = 1 * 2 + 4 * 1 + 9 * 2 + 0.25 * 1;
    CHECK(blocked_layer(net.layers[0], grain::tensor(), squares)(order, order) == Approx(9 * 6 / signal));
    CHECK(blocked_layer(net.layers[0], grain::channel(), squares)(order, order) == Approx((4 * 3 + 9 * 3) / signal));
    CHECK(blocked_layer(net.layers[0], grain::block(2, 1), squares)(order, order) == Approx((9 * 4 + 4 * 2) / signal));
    CHECK(blocked_layer(net.layers[0], grain::block(2, 1), {})(order, order) == Approx((9 * 2 + 4 * 2) / 14.25));
}

TEST_CASE("the cost of a class is that of the layers it touches, whatever the network") {
    std::size_t tested = 0;
    for (std::uint64_t seed = 0; seed < 60; ++seed) {
        const network net = notch_test::random_network(seed);
        const auto classes = find_permutation_classes(net);
        numbers random(seed);
        const auto layers = blocked(net, grain::block(1 + random.below(5), 1 + random.below(5)), statistics(net));
        notch::detail::slot_orders slots = whole(net);
        for (const permutation_class& of : classes) // others are out of order too
            notch::detail::place_slots(of, random_order(of.size, random), slots);
        for (const permutation_class& of : classes) {
            const order_cost cost(layers, of, slots);
            const sizes order = random_order(of.size, random);
            notch::detail::slot_orders placed = slots;
            notch::detail::place_slots(of, order, placed);
            double expected = 0;
            for (const blocked_layer& it : layers)
                if (notch::detail::find_slots(of, it.output()) != nullptr ||
                    (it.columns() > 1 && notch::detail::find_slots(of, it.input()) != nullptr))
                    expected += it(placed[it.input()], placed[it.output()]);
            CHECK(cost(order) == Approx(expected).epsilon(1e-10));
            ++tested;
        }
    }
    CHECK(tested > 60);
}

TEST_CASE("sorting is the best order where only rows or only columns have blocks (SL6)") {
    for (std::uint64_t seed = 0; seed < 8; ++seed)
        for (const std::size_t size : {2U, 4U})
            for (const bool rows : {true, false}) {
                const network net = two_layers(seed, 8);
                const auto classes = find_permutation_classes(net);
                REQUIRE(classes.size() == 1);
                std::vector<blocked_layer> layers; // the one whose rows, or whose columns, the class has
                layers.emplace_back(net.layers[rows ? 0 : 2], rows ? grain::block(size, 8) : grain::block(8, size),
                                    std::span<const double>());
                const auto slots = whole(net);
                const order_cost cost(layers, classes[0], slots);
                sizes order{0, 1, 2, 3, 4, 5, 6, 7};
                double best = cost(order);
                do
                    best = std::min(best, cost(order));
                while (std::ranges::next_permutation(order).found);
                CHECK(cost(cost.sorted()) == Approx(best).epsilon(1e-12));
            }
}

TEST_CASE("swaps and evolution never end above their start (SL6)") {
    for (std::uint64_t seed = 0; seed < 20; ++seed) {
        const network net = two_layers(seed, 16);
        const auto classes = find_permutation_classes(net);
        const auto layers = blocked(net, grain::block(4, 4));
        const auto slots = whole(net);
        const order_cost cost(layers, classes[0], slots);
        numbers random(seed);
        const sizes start = random_order(16, random);
        const sizes down = notch::detail::descend(notch::detail::swap_search(cost, start), cost.labels(), {}, seed);
        CHECK(cost(down) < cost(start));
        const sizes few = notch::detail::descend(notch::detail::swap_search(cost, start), cost.labels(), {2, 3}, seed);
        CHECK(cost(few) <= cost(start));
        const sizes grown = notch::detail::order_evolution(cost, {}, seed)({start, cost.sorted()});
        CHECK(cost(grown) <= std::min(cost(start), cost(cost.sorted())));
        CHECK(std::ranges::is_permutation(grown, start));
    }
}

TEST_CASE("errors by ladders of powers of two are those of the best scales") {
    for (std::uint64_t seed = 0; seed < 10; ++seed) {
        const network net = two_layers(seed, 12);
        const auto classes = find_permutation_classes(net);
        const auto layers = blocked(net, grain::block(4, 3));
        auto slots = whole(net);
        numbers random(seed);
        const sizes start = random_order(12, random);
        notch::detail::place_slots(classes[0], start, slots);
        const auto form = notch::scale_form::power_of_two;
        const notch::detail::block_scale_search search(4, weight_fit::least_squares, form);
        const auto exact = [&](const notch::detail::slot_orders& in) {
            double sum = 0;
            for (const blocked_layer& it : layers)
                sum += notch::detail::fit_error(it, search, in[it.input()], in[it.output()]);
            return sum;
        };
        double by_ladder = 0;
        for (const blocked_layer& it : layers) {
            const auto* rows = notch::detail::find_slots(classes[0], it.output());
            const auto* place = rows != nullptr ? rows : notch::detail::find_slots(classes[0], it.input());
            by_ladder += notch::detail::axis_errors(it, {it, 4, form}, slots, *place, rows != nullptr).total();
        }
        CHECK(by_ladder == Approx(exact(slots)).epsilon(1e-9));
        const std::vector<std::size_t> labels = order_cost(layers, classes[0], slots).labels();
        const sizes lower = notch::detail::descend(
            notch::detail::error_search(layers, classes[0], slots, start, 4, form), labels, {}, seed);
        const double before = exact(slots);
        notch::detail::place_slots(classes[0], lower, slots);
        CHECK(exact(slots) < before);
    }
}

TEST_CASE("a search raises neither cost nor error, and keeps the function") {
    for (const notch::reorder_method method :
         {notch::reorder_method::sort, notch::reorder_method::greedy, notch::reorder_method::evolution})
        for (const notch::scale_form form : {notch::scale_form::power_of_two, notch::scale_form::real}) {
            const network net = residual_network(3);
            const auto seen = statistics(net);
            notch::reorder_options options;
            options.method = method;
            options.scales = form;
            const notch::reorder_result found = notch::reorder_for(net, grain::block(4, 4), seen, options);
            const notch::reorder_gain& total = found.report.total;
            CHECK(total.cost_after < 0.95 * total.cost_before);
            CHECK(total.error_after < 0.95 * total.error_before);
            REQUIRE(found.report.classes.size() == found.classes.size());
            REQUIRE(found.report.layers.size() == 8);

            // the reordered network has the reported cost and error in its old order
            const auto moved = statistics(found.net);
            const auto layers = blocked(found.net, grain::block(4, 4), moved);
            const auto slots = whole(found.net);
            double cost = 0;
            double error = 0;
            for (const blocked_layer& it : layers) {
                cost += it(slots[it.input()], slots[it.output()]);
                error += notch::detail::fit_error(it, {4, weight_fit::least_squares, form}, slots[it.input()],
                                                  slots[it.output()]);
            }
            CHECK(cost == Approx(total.cost_after).epsilon(1e-4));
            CHECK(error == Approx(total.error_after).epsilon(1e-4));

            const std::vector<float> images = numbers(9).normals(2 * 192);
            std::vector<float> before(20);
            std::vector<float> after(20);
            notch::float_program(net).run(images, 2, before);
            notch::float_program(found.net).run(images, 2, after);
            for (std::size_t i = 0; i < before.size(); ++i)
                CHECK(after[i] == Approx(before[i]).epsilon(1e-4).margin(1e-3));
        }
}

TEST_CASE("random networks are searched without a rise") {
    for (std::uint64_t seed = 0; seed < 16; ++seed) {
        const network net = notch_test::random_network(seed);
        notch::reorder_options options;
        options.evolution.generations = 5;
        options.seed = seed;
        const auto found = notch::reorder_for(net, grain::block(3, 2), {}, options);
        INFO("seed " << seed);
        CHECK(found.report.total.cost_after <= found.report.total.cost_before * (1 + 1e-9));
        CHECK(found.report.total.error_after <= found.report.total.error_before * (1 + 1e-9));
    }
}

TEST_CASE("equal seeds find equal orders on any executor (SL9)") {
    const network net = residual_network(4);
    const auto classes = find_permutation_classes(net);
    const auto seen = statistics(net);
    notch::reorder_options options;
    options.evolution.generations = 40;
    const auto first = notch::find_channel_orders(net, classes, grain::block(4, 4), seen, options);
    CHECK(first.orders != notch::identity_orders(classes));
    CHECK(notch::find_channel_orders(net, classes, grain::block(4, 4), seen, options).orders == first.orders);
    CHECK(notch::find_channel_orders(net, classes, grain::block(4, 4), seen, options, threads_backwards{}).orders ==
          first.orders);
    options.seed = 2;
    const auto other = notch::find_channel_orders(net, classes, grain::block(4, 4), seen, options);
    CHECK(other.report.total.error_after <= other.report.total.error_before);
}

TEST_CASE("blocks that are whole layers give no order a reason, and any order the same scale (SL5)") {
    const network net = two_layers(6, 8);
    const auto classes = find_permutation_classes(net);
    for (const grain& cut : {grain::tensor(), grain::channel(), grain::block(1000, 1000)})
        CHECK(notch::find_channel_orders(net, classes, cut).orders == notch::identity_orders(classes));

    numbers random(6);
    const network moved = notch::reorder(net, classes, {random_order(8, random)});
    for (const std::size_t i : {0U, 2U}) {
        const auto fit = [i](const network& of) {
            const auto& conv = std::get<notch::convolution>(of.layers[i].op);
            notch::weight_policy policy;
            policy.bits = 4;
            policy.cut = grain::block(8, 8);
            const auto to =
                notch::fit_weights({conv.weights.values, conv.weights.shape, {}, "w"}, policy, notch::scale_form::real);
            double error = 0;
            for (std::size_t k = 0; k < to.codes.size(); ++k) {
                const double e = static_cast<double>(conv.weights.values[k]) - to.scale(0, 0) * to.codes[k];
                error += e * e;
            }
            return std::pair(to.scale(0, 0), error);
        };
        CHECK(fit(net).first == fit(moved).first);
        CHECK(fit(net).second == Approx(fit(moved).second).epsilon(1e-12));
    }
}

TEST_CASE("layers can have grains of their own or be left out") {
    const network net = two_layers(7, 8);
    const auto classes = find_permutation_classes(net);
    notch::reorder_options options;
    options.left_out = {"Conv0", "Conv2"};
    auto found = notch::find_channel_orders(net, classes, grain::block(2, 2), {}, options);
    CHECK(found.orders == notch::identity_orders(classes));
    CHECK(found.report.layers.empty());

    options.left_out = {"Conv0"};
    options.overrides.push_back({.layer = "Conv2", .cut = grain::block(8, 2)});
    found = notch::find_channel_orders(net, classes, grain::channel(), {}, options);
    REQUIRE(found.report.layers.size() == 1);
    CHECK(found.report.total.cost_after < found.report.total.cost_before);
}

TEST_CASE("errors name what is wrong and its limit") {
    const network net = two_layers(8, 8);
    const auto classes = find_permutation_classes(net);
    const auto with = [&](const notch::reorder_options& options, const grain& cut = grain::block(2, 2)) {
        return notch::find_channel_orders(net, classes, cut, {}, options);
    };
    CHECK_THROWS_AS(with({.bits = 9}), notch::range_error);
    CHECK_THROWS_AS(with({.evolution = {.population = 1}}), notch::range_error);
    CHECK_THROWS_WITH(with({.left_out = {"Conv7"}}), containing("'Conv7'"));
    CHECK_THROWS_WITH(with({.overrides = {{.layer = "Conv8", .cut = grain::channel()}}}), containing("'Conv8'"));
    CHECK_THROWS_AS(with({}, grain::block(0, 2)), notch::range_error);
    std::vector<notch::measured_channels> seen(2);
    CHECK_THROWS_AS(notch::find_channel_orders(net, classes, grain::block(2, 2), seen), notch::shape_error);
    seen.resize(net.tensors.size());
    seen[net.input].squares.resize(5);
    CHECK_THROWS_WITH(notch::find_channel_orders(net, classes, grain::block(2, 2), seen), containing("5 channels"));
}

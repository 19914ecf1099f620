#include "catch.hpp"
#include "deploy/random_network.hpp"
#include "ptq/float_results.hpp"

#include <notch/model/forward.hpp>
#include <notch/ptq/channel_statistics.hpp>
#include <notch/ptq/mutual_rescale.hpp>
#include <notch/ptq/prepare.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <span>
#include <vector>

using namespace notch;
using notch_test::difference;
using notch_test::float_results;
using notch_test::network_builder;

namespace {

constexpr rescale_rule all_rules[] = {rescale_rule::mutual, rescale_rule::equalize, rescale_rule::least_noise};

const std::vector<float>& weights_of(const network& net, std::size_t l) {
    const operation& op = net.layers[l].op;
    const auto* conv = std::get_if<convolution>(&op);
    return conv != nullptr ? conv->weights.values : std::get<linear>(op).weights.values;
}

// A convolution whose channels differ in magnitude by factors up to 100.
void spread_channels(network_builder& b) {
    auto& conv = std::get<convolution>(b.net.layers.back().op);
    const std::size_t row = conv.weights.values.size() / conv.weights.shape[0];
    conv.bias.resize(conv.weights.shape[0], 0.125F);
    for (std::size_t k = 0; k < conv.weights.shape[0]; ++k) {
        const auto factor = static_cast<float>(std::pow(10.0, static_cast<double>(b.random.below(200)) / 100 - 1));
        for (std::size_t i = 0; i < row; ++i)
            conv.weights.values[k * row + i] *= factor;
        conv.bias[k] *= factor;
    }
}

// dense, depthwise, pointwise, grouped, pool, product over an image; with one clip behind each.
network_builder chain(std::uint64_t seed, clip behind) {
    network_builder b(seed, {3, 8, 8});
    const window same{{1, 1}, {1, 1}, {1, 1, 1, 1}};
    b.conv(8, 3, same);
    spread_channels(b);
    b.add(behind);
    b.conv(8, 3, same, 8);
    spread_channels(b);
    b.add(behind);
    b.conv(12, 1, {});
    spread_channels(b);
    b.add(behind);
    b.conv(12, 3, same, 3);
    b.add(behind);
    b.add(max_pool{{2, 2}, {{2, 2}, {1, 1}, {}}});
    b.product(6);
    b.add(behind);
    b.product(4);
    return b;
}

// One depthwise and one pointwise layer with given magnitudes of filters and given pre-activation maxima.
struct golden {
    network net{};
    std::vector<measured_channels> seen{};
};
golden golden_case() {
    const std::vector<float> m{0.5F, 0.02F, 2.0F, 0.1F};
    const std::vector<float> x{6.3F, 1.0F, 3.0F, 0.2F};
    golden to;
    network_builder b(1, {4, 2, 2});
    b.conv(4, 1, {}, 4);
    std::get<convolution>(b.net.layers[0].op).weights.values = m;
    b.add(clip{0, 6});
    b.conv(2, 1, {});
    std::get<convolution>(b.net.layers[2].op).weights.values = {1, 1, 0.25F, 1, 0.5F, 0.5F, -0.125F, 0.5F};
    to.net = b.net;
    to.seen = measure_channels(to.net, std::vector<float>(16, 0.0F));
    to.seen[1].highest = x;
    to.seen[2].highest = x;
    to.seen[2].highest[0] = 6;
    return to;
}

} // namespace

TEST_CASE("the golden case of locked channels, T0 and factors") {
    const golden from = golden_case();
    rescale_options options;
    options.rule = rescale_rule::mutual;
    options.grow_share = 1;
    const rescaled_network to = rescale_channels(from.net, from.seen, options);
    REQUIRE(to.pairs.size() == 1);
    const rescaled_pair& pair = to.pairs[0];
    CHECK(pair.locked == std::vector<bool>{true, false, false, false});
    CHECK(pair.target == 0.5);
    const double factors[] = {1, 6, 0.25, 5};
    const float filters[] = {0.5F, 0.12F, 0.5F, 0.5F};
    for (std::size_t k = 0; k < 4; ++k) {
        CHECK(pair.factors[k] == Approx(factors[k]).epsilon(1e-7));
        CHECK(weights_of(to.net, 0)[k] == Approx(filters[k]).epsilon(1e-6));
    }
    CHECK(to.seen[1].highest[1] == Approx(6));
    options.powers_of_two = true;
    CHECK(rescale_channels(from.net, from.seen, options).pairs[0].factors == std::vector<double>{1, 4, 0.25, 4});
    options.grow_share = 5.9 / 6;
    options.powers_of_two = false;
    CHECK(rescale_channels(from.net, from.seen, options).pairs[0].factors[1] == Approx(5.9));
}

TEST_CASE("the weights that take factors over do not outgrow their largest") {
    golden from = golden_case();
    std::get<convolution>(from.net.layers[2].op).weights.values[2] = 0.5F; // would become 2
    rescale_options options;
    options.rule = rescale_rule::mutual;
    CHECK(rescale_channels(from.net, from.seen, options).pairs[0].factors[2] == Approx(0.5));
    options.keep_weights = false;
    CHECK(rescale_channels(from.net, from.seen, options).pairs[0].factors[2] == Approx(0.25));
}

TEST_CASE("any factors leave a network with ReLU alone, and powers of two can be taken back") {
    const network net = chain(3, clip{}).net;
    notch_test::numbers random(4);
    const std::vector<float> images = random.normals(5 * 192);
    const std::vector<float> before = float_results(net, images);
    const auto pairs = find_channel_pairs(net);
    REQUIRE(pairs.size() == 5);
    network reals = net;
    network powers = net;
    for (const channel_pair& pair : pairs)
        for (std::size_t k = 0; k < pair.channels; ++k) {
            detail::scale_channel(reals, pair, k, std::exp(static_cast<double>(random.normal())));
            detail::scale_channel(powers, pair, k, std::exp2(static_cast<double>(random.below(13)) - 6));
        }
    CHECK(weights_of(reals, 0) != weights_of(net, 0));
    CHECK(difference(before, float_results(reals, images)) < 1e-5);
    CHECK(float_results(powers, images) == before);
    notch_test::numbers again(4);
    static_cast<void>(again.normals(5 * 192));
    for (const channel_pair& pair : pairs)
        for (std::size_t k = 0; k < pair.channels; ++k) {
            static_cast<void>(again.normal());
            detail::scale_channel(powers, pair, k, std::exp2(6 - static_cast<double>(again.below(13))));
        }
    for (const channel_pair& pair : pairs) {
        CHECK(weights_of(powers, pair.producer) == weights_of(net, pair.producer));
        CHECK(weights_of(powers, pair.consumer) == weights_of(net, pair.consumer));
    }
}

TEST_CASE("locked channels stay bit for bit, and outputs on the images seen stay") {
    for (const clip behind : {clip{0, 6}, clip{-4, 4}, clip{0, 1}})
        for (const rescale_rule rule : all_rules)
            for (const bool powers : {false, true}) {
                const network net = chain(5, behind).net;
                notch_test::numbers random(6);
                const std::vector<float> images = random.normals(6 * 192, 1.5);
                rescale_options options;
                options.rule = rule;
                options.powers_of_two = powers;
                const auto seen = measure_channels(net, images);
                const rescaled_network to = rescale_channels(net, seen, options);
                std::size_t locked = 0;
                std::size_t moved = 0;
                for (const rescaled_pair& pair : to.pairs)
                    for (std::size_t k = 0; k < pair.factors.size(); ++k) {
                        locked += pair.locked[k] ? 1U : 0U;
                        moved += pair.factors[k] != 1 ? 1U : 0U;
                        CHECK((!pair.locked[k] || pair.factors[k] == 1));
                    }
                CHECK(locked > 0);
                CHECK(moved > 0);
                const rescaled_pair& first = to.pairs[0]; // rows of the first layer have one factor
                const std::size_t row = weights_of(net, 0).size() / 8;
                for (std::size_t k = 0; k < 8; ++k)
                    if (first.locked[k])
                        for (std::size_t i = k * row; i < (k + 1) * row; ++i)
                            CHECK(weights_of(to.net, 0)[i] == weights_of(net, 0)[i]);
                const auto after = float_results(to.net, images);
                CHECK(difference(float_results(net, images), after) < (powers ? 0x1p-149 : 1e-5));
            }
}

TEST_CASE("mutual: no filter leaves T0") {
    for (std::uint64_t seed = 0; seed < 20; ++seed)
        for (const bool powers : {false, true})
            for (const bool first : {false, true}) {
                network_builder b(seed, {6, 6, 6});
                if (!first) {
                    b.conv(6, 1, {});
                    b.add(clip{0, 6});
                }
                b.conv(6, 3, {}, 6);
                spread_channels(b);
                if (first) {
                    b.add(clip{0, 6});
                    b.conv(5, 1, {});
                }
                const auto images = b.random.normals(4 * 216, 2);
                const auto seen = measure_channels(b.net, images);
                rescale_options options;
                options.rule = rescale_rule::mutual;
                options.powers_of_two = powers;
                const rescaled_network to = rescale_channels(b.net, seen, options);
                REQUIRE(to.pairs.size() == 1);
                const rescaled_pair& pair = to.pairs[0];
                const std::size_t filters = first ? pair.where.producer : pair.where.consumer;
                for (std::size_t k = 0; k < 6; ++k) {
                    const auto range = [&](const network& net) {
                        double m = 0;
                        for (std::size_t i = k * 9; i < k * 9 + 9; ++i)
                            m = std::max(m, std::abs(static_cast<double>(weights_of(net, filters)[i])));
                        return std::abs(std::log(m / pair.target));
                    };
                    CHECK((pair.locked[k] || range(to.net) <= range(b.net) + 1e-6));
                }
            }
}

TEST_CASE("equalize: both sides of free channels get the same range") {
    network_builder b(7, {3, 6, 6});
    b.conv(8, 3, {});
    spread_channels(b);
    b.add(clip{});
    b.conv(8, 3, {}, 8);
    spread_channels(b);
    b.add(clip{});
    b.conv(5, 1, {});
    const auto images = b.random.normals(3 * 108);
    const auto seen = measure_channels(b.net, images);
    rescale_options options;
    options.rule = rescale_rule::equalize;
    options.keep_activations = false;
    options.smallest = 1e-6;
    options.largest = 1e6;
    options.sweeps = 200;
    options.tolerance = 1e-7;
    rescaled_network to = rescale_channels(b.net, seen, options);
    CHECK(to.sweeps < 200);
    for (const rescaled_pair& pair : to.pairs)
        for (std::size_t k = 0; k < pair.factors.size(); ++k) {
            const double r = detail::producer_of(to.net, pair.where).row_range(k);
            CHECK(r == Approx(detail::consumer_of(to.net, pair.where).column_range(k)).epsilon(1e-5));
        }
    options.powers_of_two = true;
    to = rescale_channels(b.net, seen, options);
    for (const rescaled_pair& pair : to.pairs)
        for (std::size_t k = 0; k < pair.factors.size(); ++k) {
            const double ratio = detail::producer_of(to.net, pair.where).row_range(k) /
                                 detail::consumer_of(to.net, pair.where).column_range(k);
            CHECK(ratio < 8.01); // three roundings of half a bit on each side
            CHECK(ratio > 1 / 8.01);
        }
    options.sweeps = 2;
    CHECK(rescale_channels(b.net, seen, options).sweeps == 2);
}

TEST_CASE("statistics are multiplied along") {
    for (const rescale_rule rule : all_rules) {
        const network net = chain(8, clip{0, 6}).net;
        notch_test::numbers random(9);
        const auto images = random.normals(5 * 192);
        rescale_options options;
        options.rule = rule;
        options.powers_of_two = true;
        const rescaled_network to = rescale_channels(net, measure_channels(net, images), options);
        const auto measured = measure_channels(to.net, images);
        REQUIRE(measured.size() == to.seen.size());
        for (std::size_t t = 0; t < measured.size(); ++t) {
            CHECK(measured[t].lowest == to.seen[t].lowest);
            CHECK(measured[t].highest == to.seen[t].highest);
            CHECK(measured[t].squares == to.seen[t].squares);
        }
        if (rule == rescale_rule::mutual)
            continue;
        for (std::size_t t = 0; t < measured.size(); ++t) // no tensor that is read has grown
            for (const rescaled_pair& pair : to.pairs)
                if (pair.where.tensors.back() == t) {
                    const auto before = measure_channels(net, images)[t].highest;
                    CHECK(*std::ranges::max_element(measured[t].highest) <= *std::ranges::max_element(before));
                }
    }
}

TEST_CASE("dead channels keep factor 1") {
    network_builder b = chain(10, clip{});
    auto& depthwise = std::get<convolution>(b.net.layers[2].op);
    std::fill_n(depthwise.weights.values.begin(), 9, 1e-30F);
    auto& stem = std::get<convolution>(b.net.layers[0].op);
    std::fill_n(stem.weights.values.begin() + 27, 27, 0.0F);
    const auto images = b.random.normals(4 * 192);
    const auto seen = measure_channels(b.net, images);
    for (const rescale_rule rule : all_rules) {
        rescale_options options;
        options.rule = rule;
        const rescaled_network to = rescale_channels(b.net, seen, options);
        CHECK(to.pairs[0].factors[0] == 1);
        CHECK(to.pairs[0].factors[1] == 1);
        CHECK(to.pairs[1].factors[0] == 1);
        CHECK(difference(float_results(b.net, images), float_results(to.net, images)) < 1e-5);
    }
}

TEST_CASE("tensors that are read twice, and outputs, belong to no pair") {
    network_builder b(11, {4, 6, 6});
    b.conv(4, 1, {});
    const std::size_t skip = b.add(clip{});
    b.conv(4, 1, {});
    b.add(clip{});
    b.conv(4, 1, {});
    b.add(sum{}, {b.at, skip});
    b.add(clip{});
    b.conv(3, 1, {});
    const auto pairs = find_channel_pairs(b.net);
    REQUIRE(pairs.size() == 1);
    CHECK(pairs[0].producer == 2);
    CHECK(pairs[0].clip == 3U);
    CHECK(pairs[0].consumer == 4);
    const auto images = b.random.normals(2 * 144);
    const rescaled_network to = rescale_channels(b.net, measure_channels(b.net, images));
    CHECK(weights_of(to.net, 0) == weights_of(b.net, 0));
    CHECK(weights_of(to.net, 7) == weights_of(b.net, 7));
    CHECK(weights_of(to.net, 2) != weights_of(b.net, 2));
}

TEST_CASE("random networks compute the same, and the result depends on nothing else") {
    for (std::uint64_t seed = 0; seed < 60; ++seed) {
        const network net = prepare(notch_test::random_network(seed)).net;
        notch_test::numbers random(seed);
        const auto images = random.normals(3 * element_count(net.tensors[net.input].shape));
        const auto seen = measure_channels(net, images);
        const auto before = float_results(net, images);
        for (const rescale_rule rule : all_rules)
            for (const bool powers : {false, true}) {
                rescale_options options;
                options.rule = rule;
                options.powers_of_two = powers;
                options.weight_bits = 4;
                options.sweeps = 3;
                const rescaled_network to = rescale_channels(net, seen, options);
                INFO("seed " << seed << ", powers " << powers);
                CHECK(difference(before, float_results(to.net, images)) < (powers ? 0x1p-149 : 1e-4));
                if (seed % 10 == 0) {
                    const rescaled_network again = rescale_channels(net, seen, options);
                    for (std::size_t p = 0; p < to.pairs.size(); ++p)
                        CHECK(to.pairs[p].factors == again.pairs[p].factors);
                }
                for (const rescaled_pair& pair : to.pairs)
                    for (const double s : pair.factors) {
                        CHECK(s >= 1.0 / 64);
                        CHECK(s <= 64);
                        CHECK((!powers || std::exp2(std::nearbyint(std::log2(s))) == s));
                    }
            }
    }
}

TEST_CASE("clips bound factors on both sides") {
    const auto bounds = [](clip op, double lowest, double highest) {
        return detail::clip_bounds(op, {lowest, highest}, 0.9, 0.9);
    };
    CHECK(bounds({0, 6}, -50, 3).largest == Approx(1.8));
    CHECK(bounds({0, 6}, -50, 5.41).locked);
    CHECK(bounds({-1, 1}, -0.5, 0.1).largest == Approx(1.8));
    CHECK(bounds({-1, 1}, -0.95, 0.1).locked);
    CHECK(bounds({1, 9}, 2, 3).smallest == Approx(1 / 0.9 / 2)); // stays above 1 / 0.9
    CHECK(bounds({1, 9}, 1.05, 3).locked);
    CHECK(bounds({0, 6}, -2, -1).largest == 1); // never active
    CHECK(!bounds({0, 6}, -2, -1).locked);
    constexpr float infinity = std::numeric_limits<float>::infinity();
    CHECK(std::isinf(bounds({0, infinity}, -2, 100).largest));
    CHECK(std::isinf(bounds({-infinity, infinity}, -2, 100).largest));
}

TEST_CASE("wrong statistics and options are refused with numbers") {
    const network net = chain(12, clip{}).net;
    notch_test::numbers random(13);
    auto seen = measure_channels(net, random.normals(192));
    const auto all = std::span<const measured_channels>(seen);
    CHECK_THROWS_WITH(rescale_channels(net, all.first(3)), containing("statistics of 3 tensors"));
    rescale_options options;
    options.lock_share = 2;
    CHECK_THROWS_AS(rescale_channels(net, seen, options), range_error);
    options = {};
    options.smallest = 2;
    CHECK_THROWS_WITH(rescale_channels(net, seen, options), containing("factors from 2 to 64"));
    options = {};
    options.weight_bits = 9;
    CHECK_THROWS_AS(rescale_channels(net, seen, options), range_error);
    seen[1].highest.pop_back();
    CHECK_THROWS_AS(rescale_channels(net, seen), shape_error);
    CHECK_THROWS_WITH(rescale_channels(net, seen),
                      containing("statistics of 7 channels for tensor 'Conv0' of extents [8"));
}

#include "catch.hpp"
#include "deploy/random_network.hpp"

#include <notch/ptq/calibrate.hpp>
#include <notch/ptq/layer_groups.hpp>
#include <notch/ptq/make_plan.hpp>

#include <cstddef>
#include <limits>
#include <vector>

using namespace notch;
using notch_test::network_builder;

namespace {

// conv, clip, conv, clip, conv + shortcut conv, clip, depthwise, clip, pointwise, pool, product
network_builder usual_network() {
    network_builder b(1, {3, 8, 8});
    b.conv(8, 3, {{1, 1}, {1, 1}, {1, 1, 1, 1}});
    const std::size_t stem = b.add(clip{});
    b.conv(8, 3, {{1, 1}, {1, 1}, {1, 1, 1, 1}});
    b.add(clip{});
    b.conv(12, 3, {{2, 2}, {1, 1}, {1, 1, 1, 1}});
    const std::size_t main = b.at;
    b.at = stem;
    b.conv(12, 1, {{2, 2}, {1, 1}, {}});
    b.add(sum{}, {main, b.at});
    b.add(clip{});
    b.conv(12, 3, {{1, 1}, {1, 1}, {1, 1, 1, 1}}, 12);
    b.add(clip{0, 6});
    b.conv(20, 1, {});
    b.add(global_average_pool_layer{});
    b.product(4);
    return b;
}

plan plan_of(const network& net, const quantization_policy& policy) {
    notch_test::numbers random(2);
    const auto images = random.normals(4 * element_count(net.tensors[net.input].shape));
    return make_plan(calibrate(net, images), policy);
}

} // namespace

TEST_CASE("sums and clips join the convolution in front of them") {
    const network net = usual_network().net;
    const std::vector<layer_group> groups = group_layers(net);
    REQUIRE(groups.size() == 9);
    CHECK(net.layers[groups[0].layer].name == "Conv0");
    CHECK(groups[0].last == 1);
    CHECK(groups[0].lowest == 0);
    CHECK(groups[0].highest == std::numeric_limits<float>::infinity());
    CHECK(net.layers[groups[2].layer].name == "Conv5"); // the shortcut stays alone
    CHECK(!groups[2].residual);
    CHECK(net.layers[groups[3].layer].name == "Conv4"); // more taps: takes the sum
    CHECK(groups[3].residual == groups[2].output);
    CHECK(groups[3].last == 7);
    CHECK(groups[4].highest == 6);
    CHECK(net.layers[groups[8].layer].name == "Gemm13");
}

TEST_CASE("a sum of results that others read too stays alone") {
    network_builder b(1, {4, 5, 5});
    const std::size_t left = b.conv(4, 1, {});
    b.conv(4, 1, {});
    b.add(sum{}, {left, left});
    b.add(clip{});
    const std::vector<layer_group> groups = group_layers(b.net);
    REQUIRE(groups.size() == 3);
    CHECK(groups[2].inputs == std::vector<std::size_t>{left, left});
    CHECK(groups[2].lowest == 0);
}

TEST_CASE("bits follow the policy, its ends and its overrides") {
    const network net = usual_network().net;
    quantization_policy policy;
    policy.weights.bits = 4;
    policy.activations.bits = 5;
    policy.first_last_bits = 8;
    policy.residual_bits = 7;
    policy.overrides.push_back({"Conv10", 6, 3, grain::tensor(), {}});
    const plan p = plan_of(net, policy);
    const auto weight_bits = [&](std::size_t g) { return p.groups[g].weights->bits; };
    const auto result_bits = [&](std::size_t g) { return p.tensors[p.groups[g].where.output]->bits; };
    CHECK(p.tensors[p.input]->bits == 8);
    CHECK(weight_bits(0) == 8);
    CHECK(result_bits(0) == 8); // of the first layer
    CHECK(weight_bits(1) == 4);
    CHECK(result_bits(1) == 5);
    CHECK(result_bits(2) == 7); // is only added
    CHECK(result_bits(3) == 5);
    CHECK(weight_bits(5) == 6);
    CHECK(result_bits(5) == 3);
    CHECK(bool(p.groups[5].weights->cut == grain::tensor()));
    CHECK(result_bits(6) == 8); // enters the last layer
    CHECK(weight_bits(8) == 8);
    CHECK(!p.tensors[p.net.output].has_value());
    CHECK(p.real_output);
}

TEST_CASE("results whose codes pass through keep their scale") {
    network_builder b(4, {4, 8, 8});
    b.conv(6, 3, {});
    b.add(clip{});
    const std::size_t from = b.at;
    b.add(max_pool{{2, 2}, {{2, 2}, {1, 1}, {}}, false});
    b.add(pad{{1, 0, 0}, {0, 0, 0}, 0});
    b.add(slice{{0, 0, 1}, {7, 3, 3}, {1, 1, 1}});
    const std::size_t to = b.at;
    b.conv(3, 1, {});
    const plan p = plan_of(b.net, {});
    CHECK(*p.tensors[to] == *p.tensors[from]);
}

TEST_CASE("biases stand in the scale of the sums") {
    const network net = usual_network().net;
    for (const scale_form form : {scale_form::power_of_two, scale_form::real}) {
        quantization_policy policy;
        policy.scales = form;
        const plan p = plan_of(net, policy);
        for (const planned_group& group : p.groups) {
            if (!group.weights)
                continue;
            const operation& op = p.net.layers[group.where.layer].op;
            const std::vector<float>& bias =
                std::holds_alternative<convolution>(op) ? std::get<convolution>(op).bias : std::get<linear>(op).bias;
            for (std::size_t o = 0; o < bias.size(); ++o) {
                const double unit = sum_scale(*group.weights, *p.tensors[group.where.inputs[0]], o);
                CHECK(std::abs(static_cast<double>(bias[o]) - unit * group.weights->bias[o]) <= unit / 2);
            }
        }
    }
}

TEST_CASE("calibration does not depend on the batch") {
    const network net = usual_network().net;
    notch_test::numbers random(3);
    const auto images = random.normals(7 * 3 * 64);
    const calibration whole = calibrate(net, images, {7, {}});
    std::size_t calls = 0;
    const calibration parts = calibrate(net, images, {2, [&](std::size_t seen, std::size_t all) {
                                                          ++calls;
                                                          CHECK(seen <= all);
                                                      }});
    CHECK(calls == 4);
    CHECK(whole.images == 7);
    for (std::size_t t = 0; t < whole.tensors.size(); ++t) {
        REQUIRE(whole.tensors[t].has_value() == parts.tensors[t].has_value());
        if (whole.tensors[t])
            CHECK(*whole.tensors[t] == *parts.tensors[t]);
    }
}

TEST_CASE("constant maps in front stay in front, others become depthwise convolutions") {
    network_builder b(6, {3, 6, 6});
    b.add(affine_map{{2}, {-1, 0, 1}});
    const std::size_t entry = b.at;
    b.conv(4, 3, {{1, 1}, {1, 1}, {1, 1, 1, 1}}); // padded: the map cannot be folded
    b.add(clip{});
    b.add(max_pool{{2, 2}, {{2, 2}, {1, 1}, {}}, false});
    b.add(affine_map{{1, 2, 3, 4}, {0.5F}});
    b.add(clip{});
    b.conv(2, 1, {});
    const plan p = plan_of(b.net, {});
    CHECK(p.net.tensors[p.input].name == b.net.tensors[entry].name);
    bool found = false;
    for (const layer& l : p.net.layers)
        if (const auto* conv = std::get_if<convolution>(&l.op))
            found = found || conv->groups == 4;
    CHECK(found);
}

TEST_CASE("wrong policies and calibrations are refused by name") {
    const network net = usual_network().net;
    quantization_policy policy;
    policy.weights.bits = 1;
    CHECK_THROWS_WITH(plan_of(net, policy), containing("1 bits"));
    policy = {};
    policy.overrides.push_back({"no such layer", 4, {}, {}, {}});
    CHECK_THROWS_WITH(plan_of(net, policy), containing("no such layer"));
    const auto refused = [&](const layer_override& o) {
        quantization_policy with_it;
        with_it.overrides.push_back(o);
        CHECK_THROWS_AS(plan_of(net, with_it), range_error);
        CHECK_THROWS_WITH(plan_of(net, with_it), containing("'" + o.layer + "'"));
    };
    std::string pool;
    for (const layer& l : plan_of(net, {}).net.layers)
        if (std::holds_alternative<global_average_pool_layer>(l.op))
            pool = l.name;
    REQUIRE(!pool.empty());
    policy = {};
    policy.overrides.push_back({pool, {}, 4, {}, {}}); // its result has codes of its own
    CHECK(plan_of(net, policy).groups.size() == plan_of(net, {}).groups.size());
    refused({pool, 4, {}, {}, {}});
    refused({pool, {}, {}, grain::tensor(), {}});
    refused({pool, {}, {}, {}, weight_fit::by_results});
    refused({plan_of(net, {}).net.layers.back().name, {}, 4, {}, {}}); // real
    policy = {};
    policy.weights.cut = grain::block(0, 4);
    CHECK_THROWS_WITH(plan_of(net, policy), containing("block:0x4"));
    CHECK_THROWS_AS(make_plan(calibrator(net).seen()), state_error);
    const std::vector<float> half(100);
    CHECK_THROWS_WITH(calibrate(net, half), containing("100 floats"));
    std::vector<float> bad(3 * 64, std::numeric_limits<float>::quiet_NaN());
    CHECK_THROWS_AS(calibrate(net, bad), range_error);
}

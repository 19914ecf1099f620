// Weights in two parts: what is split adds up, errors keep their bounds, layers are split where it helps.
#include "catch.hpp"
#include "deploy/random_network.hpp"

#include <notch/model/forward.hpp>
#include <notch/ptq/calibrate.hpp>
#include <notch/ptq/coarse_fine_split.hpp>
#include <notch/ptq/make_plan.hpp>
#include <notch/ptq/measure_moments.hpp>
#include <notch/ptq/round_to_results.hpp>
#include <notch/ptq/sub_layer_scales.hpp>

#include <array>
#include <cmath>
#include <cstddef>
#include <vector>

using namespace notch;

namespace {

// Filters [outputs, inputs, 3, 3] whose centre is `ratio` times as large as the taps around it.
std::vector<float> peaked(std::size_t outputs, std::size_t inputs, double ratio, std::uint64_t seed = 3,
                          std::size_t tap = 4) {
    notch_test::numbers random(seed);
    std::vector<float> w(outputs * inputs * 9);
    for (std::size_t k = 0; k < w.size(); ++k) {
        const double level = static_cast<double>(random.below(1U << 20)) / (1U << 19) - 1; // uniform in [-1, 1)
        w[k] = static_cast<float>(k % 9 == tap ? ratio * level : level);
    }
    return w;
}

weight_policy policy_of(int fine, int coarse, weight_fit fit = weight_fit::least_squares,
                        const grain& cut = grain::channel()) {
    weight_policy policy;
    policy.bits = fine;
    policy.cut = cut;
    policy.fit = fit;
    policy.split.bits = coarse;
    return policy;
}

constexpr std::array forms{scale_form::power_of_two, scale_form::fixed_point, scale_form::real};

} // namespace

TEST_CASE("the golden vector of a split") {
    const std::vector<float> w{0.01F, -0.02F, 0.03F,   0.016F, 0.8F,  -0.01F, 0.02F,  0.0F,  -0.03F,
                               0.02F, 0.01F,  -0.016F, 0.03F,  -0.3F, 0.005F, -0.02F, 0.01F, 0.0F};
    const double coarse_scale = 0.8 / 127;
    const detail::weight_range range{-127, 127};
    std::vector<double> rest(w.begin(), w.end());
    std::vector<double> coarse;
    for (const std::size_t centre : {4U, 13U}) {
        coarse.push_back(detail::code_of(rest[centre], 1 / coarse_scale, range));
        rest[centre] -= coarse.back() * coarse_scale;
    }
    CHECK(coarse == std::vector<double>{127, -48});
    CHECK(std::abs(rest[4]) < 1e-7);
    CHECK(rest[13] == Approx(0.00236220472).margin(1e-7));
    const double fine_scale = 0.03 / 127;
    const std::vector<int> expected{42, -85, 127, 68, 0, -42, 85, 0, -127, 85, 42, -68, 127, 10, 21, -85, 42, 0};
    for (std::size_t k = 0; k < rest.size(); ++k)
        CHECK(detail::code_of(rest[k], 1 / fine_scale, range) == expected[k]);
    CHECK(floor_log2(coarse_scale / fine_scale) == 4);

    // One sum for both parts: the coarse scale is 2^4 times the fine one, or better.
    const planned_weights split = split_weights({w, {1, 2, 3, 3}, {}, "w"}, policy_of(8, 8), scale_form::real);
    CHECK(split.coarse->exponents[0] - split.exponents[0] >= 4);
    double error = 0;
    for (const double x : rest) {
        const double e = x - coarse_scale / 16 * detail::code_of(x, 16 / coarse_scale, range);
        error += e * e;
    }
    CHECK(weight_error(split, w) <= error * (1 + 1e-6));
}

TEST_CASE("both parts add up, and no weight is off by more than half a fine step") {
    for (const scale_form form : forms)
        for (const grain& cut : {grain::tensor(), grain::channel(), grain::block(3, 4)})
            for (const auto& [fine, coarse] : {std::pair{8, 8}, {6, 8}, {4, 4}, {4, 8}, {3, 2}})
                for (const double ratio : {1.5, 6.0, 20.0}) {
                    INFO(to_string(form) << ", " << to_string(cut) << ", " << fine << " + " << coarse << " bits, ratio "
                                         << ratio);
                    const std::vector<float> w = peaked(6, 8, ratio);
                    const planned_weights split = split_weights(
                        {w, {6, 8, 3, 3}, {}, "w"}, policy_of(fine, coarse, weight_fit::min_max, cut), form);
                    const std::vector<double> targets = detail::fine_targets(split, w);
                    const auto top = static_cast<double>((1 << (coarse - 1)) - 1);
                    for (std::size_t o = 0; o < 6; ++o)
                        for (std::size_t i = 0; i < 8; ++i)
                            for (std::size_t t = 0; t < 9; ++t) {
                                const std::size_t k = (o * 8 + i) * 9 + t;
                                const auto x = static_cast<double>(w[k]);
                                const double c = split.coarse_value(o, i, t);
                                REQUIRE(targets[k] + c == Approx(x).epsilon(1e-15));
                                REQUIRE((t == 4 || c == 0));
                                // What is left at a split tap is half a coarse step at most, and no code would be nearer.
                                const double scale = split.base[o] * exp2_exact(split.coarse->exponents[o]);
                                REQUIRE((t != 4 || std::abs(x - c) <= scale / 2 * (1 + 1e-6)));
                                REQUIRE(std::abs(split.coarse_code(o, i, t)) <= top);
                                REQUIRE(std::abs(split.value(o, i, t) - x) <= split.scale(o, i) / 2 * (1 + 1e-6));
                            }
                }
}

TEST_CASE("a split loses less where one tap is larger than the others") {
    for (const scale_form form : forms)
        for (const double ratio : {2.0, 4.0, 10.0}) {
            INFO(to_string(form) << ", ratio " << ratio);
            const std::vector<float> w = peaked(16, 64, ratio);
            const weights_to_fit from{w, {16, 64, 3, 3}, {}, "w"};
            const double whole = weight_error(fit_weights(from, policy_of(8, 0), form), w);
            const double split = weight_error(split_weights(from, policy_of(8, 8), form), w);
            CHECK(split < whole);
            if (form == scale_form::real) // 20 log10 ratio, less what one sum costs: at most 6 dB
                CHECK(10 * std::log10(whole / split) > 20 * std::log10(ratio) - 6.1);
        }
}

TEST_CASE("the taps that are split are those that were asked for") {
    const std::vector<float> w = peaked(4, 8, 12, 5, 7);
    weight_policy policy = policy_of(4, 8);
    policy.split.taps = split_taps::peak;
    const weights_to_fit from{w, {4, 8, 3, 3}, {}, "w"};
    const planned_weights peak = split_weights(from, policy, scale_form::real);
    CHECK(peak.coarse->first == std::array<std::size_t, 2>{2, 1});
    CHECK(peak.coarse->extent == std::array<std::size_t, 2>{1, 1});
    policy.split.taps = split_taps::all;
    const planned_weights all = split_weights(from, policy, scale_form::real);
    CHECK(all.coarse->extent == std::array<std::size_t, 2>{3, 3});
    policy.split.taps = split_taps::centre;
    const planned_weights centre = split_weights(from, policy, scale_form::real);
    CHECK(centre.coarse->first == std::array<std::size_t, 2>{1, 1});
    CHECK(weight_error(peak, w) < weight_error(centre, w) / 10);
    CHECK(weight_error(all, w) < weight_error(centre, w) / 10);
    const std::vector<float> even(2 * 3 * 4 * 2, 1.0F);
    const planned_weights wide = split_weights({even, {2, 3, 4, 2}, {}, "w"}, policy, scale_form::real);
    CHECK(wide.coarse->first == std::array<std::size_t, 2>{1, 0});
    CHECK(wide.coarse->extent == std::array<std::size_t, 2>{2, 2});
}

TEST_CASE("one scale for the coarse part of a layer") {
    std::vector<float> w = peaked(4, 8, 8);
    for (std::size_t k = 72; k < 144; ++k)
        w[k] *= 0.1F;
    weight_policy policy = policy_of(6, 8);
    policy.split.per_tensor = true;
    const planned_weights split = split_weights({w, {4, 8, 3, 3}, {}, "w"}, policy, scale_form::power_of_two);
    for (const std::int32_t e : split.coarse->exponents)
        CHECK(e == split.coarse->exponents[0]);
    policy.split.per_tensor = false;
    const planned_weights own = split_weights({w, {4, 8, 3, 3}, {}, "w"}, policy, scale_form::power_of_two);
    CHECK(own.coarse->exponents[1] < own.coarse->exponents[0]);
}

TEST_CASE("sums of split weights stay below 2^30, whatever the ratio") {
    std::vector<float> w = peaked(2, 2048, 30000);
    const planned_weights split =
        split_weights({w, {2, 2048, 3, 3}, {}, "w"}, policy_of(8, 8), scale_form::power_of_two);
    CHECK(detail::sums_fit(split, 0, 2));
    for (std::size_t o = 0; o < 2; ++o) {
        double positive = 0;
        for (std::size_t k = 0; k < 2048 * 9; ++k)
            positive += std::max(split.value(o, k / 9, k % 9), 0.0);
        CHECK(255 * positive / exp2_exact(split.least[o]) < exp2_exact(31));
    }
}

TEST_CASE("zeros, one weight, and channels without a centre are split too") {
    std::vector<float> w(3 * 2 * 9, 0.0F);
    w[0] = 0.5F;        // output 0: no centre
    w[18 + 4] = -0.25F; // output 1: nothing but a centre
    for (const scale_form form : forms) {
        const planned_weights split = split_weights({w, {3, 2, 3, 3}, {}, "w"}, policy_of(4, 4), form);
        CHECK(weight_error(split, w) < 0.001);
        for (std::size_t t = 0; t < 9; ++t)
            CHECK(split.value(2, 0, t) == 0);
    }
}

TEST_CASE("an output without codes has the exponent of its coarse part, as packing has it") {
    std::vector<float> w(2 * 2 * 9, 0.0F);
    for (std::size_t k = 0; k < 18; ++k)
        w[k] = 1.0F + static_cast<float>(k);
    weight_policy policy = policy_of(4, 4, weight_fit::least_squares, grain::tensor());
    policy.split.taps = split_taps::all;
    for (const bool per_tensor : {false, true}) {
        policy.split.per_tensor = per_tensor;
        const planned_weights split = split_weights({w, {2, 2, 3, 3}, {}, "w"}, policy, scale_form::power_of_two);
        CHECK(split.least[1] == split.coarse->exponents[1]);
    }
}

TEST_CASE("plans split the layers that gain from it") {
    notch_test::network_builder b(9, {3, 8, 8});
    for (int i = 0; i < 4; ++i) {
        b.conv(8, 3, {{1, 1}, {1, 1}, {1, 1, 1, 1}});
        b.add(clip{});
    }
    b.conv(8, 3, {{1, 1}, {1, 1}, {1, 1, 1, 1}}, 8); // depthwise: stays whole
    b.conv(8, 1, {});
    b.add(global_average_pool_layer{});
    b.product(4);
    for (const std::size_t layer : {2U, 6U}) {
        auto& conv = std::get<convolution>(b.net.layers[layer].op);
        for (std::size_t k = 4; k < conv.weights.values.size(); k += 9)
            conv.weights.values[k] *= 10;
    }
    const calibration seen = calibrate(b.net, b.random.normals(4 * 3 * 64));
    quantization_policy policy;
    policy.weights = policy_of(4, 4);
    const plan p = make_plan(seen, policy);
    std::vector<std::string> split;
    for (const planned_group& group : p.groups)
        if (group.weights && group.weights->coarse)
            split.push_back(p.net.layers[group.where.layer].name);
    CHECK(split == std::vector<std::string>{b.net.layers[2].name, b.net.layers[6].name});
    policy.weights.split.bits = 9;
    CHECK_THROWS_WITH(make_plan(seen, policy), containing("the coarse part of split weights: 9 bits"));
}

TEST_CASE("products over images are not split") {
    notch_test::network_builder b(4, {2, 4, 4});
    b.conv(4, 3, {{1, 1}, {1, 1}, {1, 1, 1, 1}});
    b.add(clip{});
    b.product(6);
    b.add(clip{});
    b.product(3);
    quantization_policy policy;
    policy.weights = policy_of(4, 4);
    policy.weights.split.least_gain = -1000;
    const plan p = make_plan(calibrate(b.net, b.random.normals(2 * 32)), policy);
    std::size_t over_images = 0;
    for (const planned_group& group : p.groups)
        if (group.weights && std::holds_alternative<linear>(p.net.layers[group.where.layer].op)) {
            over_images += group.weights->taps() > 1 ? 1U : 0U;
            CHECK(!group.weights->coarse);
        }
    CHECK(over_images == 1);
}

TEST_CASE("split layers are refined by their results") {
    notch_test::network_builder b(10, {3, 8, 8});
    for (int i = 0; i < 3; ++i) {
        b.conv(8, 3, {{1, 1}, {1, 1}, {1, 1, 1, 1}});
        b.add(clip{});
    }
    b.conv(8, 3, {{1, 1}, {1, 1}, {1, 1, 1, 1}});
    const std::vector<float> images = b.random.normals(6 * 3 * 64);
    const calibration seen = calibrate(b.net, images);
    for (const scale_form form : forms) {
        quantization_policy policy;
        policy.scales = form;
        policy.weights = policy_of(3, 3);
        policy.weights.split.least_gain = -100;
        plan p = make_plan(seen, policy);
        const auto moments = measure_moments(p, images);
        std::size_t split = 0;
        for (std::size_t g = 0; g < p.groups.size(); ++g) {
            if (!p.groups[g].weights || !p.groups[g].weights->coarse)
                continue;
            ++split;
            const std::vector<std::int8_t> coarse = p.groups[g].weights->coarse->codes;
            const scale_search_result found = search_scales(p, g, *moments[g]);
            CHECK(found.after <= found.before);
            const scale_search_result rounded = round_to_results(p, g, *moments[g], {.damping = 0});
            CHECK(rounded.after < found.after);
            CHECK(rounded.after == detail::error_of(*p.groups[g].weights, moments[g]->centred()));
            CHECK(p.groups[g].weights->coarse->codes == coarse);
        }
        CHECK(split == 2);
    }
}

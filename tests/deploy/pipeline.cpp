// Methods in their order: every subset of them gives a network that runs as its plan says, and rewriting changes no function.
#include "catch.hpp"
#include "deploy/random_network.hpp"
#include "deploy/run_plan.hpp"
#include "threads_backwards.hpp"

#include <notch/deploy/as_qdq.hpp>
#include <notch/deploy/pipeline.hpp>
#include <notch/deploy/rescale_by_results.hpp>
#include <notch/deploy/simulate.hpp>
#include <notch/model/forward.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <span>
#include <vector>

using namespace notch;
using namespace notch_test;

namespace {

// A small network of all that methods rewrite: residuals, depthwise and pointwise pairs, filters with large centres.
network_builder rich_network() {
    network_builder b(21, {3, 10, 9});
    b.conv(16, 3, {{1, 1}, {1, 1}, {1, 1, 1, 1}});
    const std::size_t skip = b.add(clip{});
    b.conv(16, 3, {{1, 1}, {1, 1}, {1, 1, 1, 1}});
    auto& conv = std::get<convolution>(b.net.layers.back().op);
    for (std::size_t k = 4; k < conv.weights.values.size(); k += 9)
        conv.weights.values[k] *= 9;
    b.add(clip{});
    b.conv(16, 3, {{1, 1}, {1, 1}, {1, 1, 1, 1}});
    b.add(sum{}, {b.at, skip});
    b.add(clip{});
    b.conv(24, 1, {});
    b.add(clip{0, 6});
    b.conv(24, 3, {{2, 2}, {1, 1}, {1, 1, 1, 1}}, 24);
    b.add(clip{});
    b.conv(12, 1, {});
    b.add(global_average_pool_layer{});
    b.product(5);
    return b;
}

quantization_recipe recipe_of(unsigned bits) {
    quantization_recipe recipe;
    weight_policy& weights = recipe.policy.weights;
    weights.bits = 4;
    weights.cut = grain::block(8, 8);
    recipe.rescale = (bits & 1U) != 0;
    recipe.absorb = (bits & 2U) != 0;
    recipe.reorder = (bits & 4U) != 0;
    weights.split.bits = (bits & 8U) != 0 ? 4 : 0;
    weights.fit = (bits & 16U) != 0 ? weight_fit::by_results : weight_fit::least_squares;
    weights.rounding = (bits & 32U) != 0 ? weight_rounding::by_results : weight_rounding::nearest;
    recipe.policy.activations.rule = (bits & 64U) != 0 ? range_rule::by_results : range_rule::by_mse;
    recipe.bias_images = (bits & 128U) != 0 ? 8 : 0;
    return recipe;
}

// Subsets are some apart: 14 of them, with each step in about half; fewer where an emulator or a sanitizer runs them.
#if defined(NDEBUG) && defined(__x86_64__)
constexpr unsigned stride = 17;
constexpr bool is_slow = false;
#else
constexpr unsigned stride = 85;
constexpr bool is_slow = true;
#endif

struct outcome {
    std::size_t differing = 0; // codes and results, between plan and program
    double error = 0;          // of results, against the float network
    std::size_t split = 0;
};

outcome outcome_of(const plan& p, std::span<const float> images, std::size_t count, std::span<const float> wanted) {
    outcome to;
    const run_result got = run_plan(p, images, count, 3, 2);
    simulator simulate(p);
    std::vector<float> results(got.results.size());
    simulate.run(images, count, results, [&](std::size_t tensor, std::span<const float> codes) {
        if (got.codes[tensor].empty())
            return;
        const std::vector<float> ours = planned_codes(got, tensor, count);
        for (std::size_t i = 0; i < ours.size(); ++i)
            to.differing += ours[i] != codes[i] ? 1U : 0U;
    });
    double signal = 0;
    for (std::size_t i = 0; i < results.size(); ++i) {
        to.differing += results[i] != got.results[i] ? 1U : 0U;
        const double e = static_cast<double>(wanted[i] - results[i]);
        to.error += e * e;
        signal += static_cast<double>(wanted[i]) * static_cast<double>(wanted[i]);
    }
    to.error /= signal;
    for (const planned_group& group : p.groups)
        to.split += group.weights && group.weights->coarse ? 1U : 0U;
    return to;
}

} // namespace

TEST_CASE("any subset of the methods runs in integers as its plan says") {
    network_builder b = rich_network();
    const std::vector<float> images = b.random.normals(12 * 3 * 90);
    std::vector<float> wanted(12 * 5);
    float_program(b.net).run(images, 12, wanted);
    double plain = 0;
    for (unsigned bits = 0; bits < 256; bits += bits % 3 == 0 ? stride : stride + 6) {
        for (const scale_form form : {scale_form::power_of_two, scale_form::fixed_point, scale_form::real}) {
            if (form != scale_form::power_of_two && bits % 2 == 0)
                continue;
            INFO("methods " << bits << ", " << to_string(form));
            quantization_recipe recipe = recipe_of(bits);
            recipe.policy.scales = form;
            recipe.in_order = bits % 4 < 2;
            const plan p = quantize(b.net, images, recipe);
            const outcome found = outcome_of(p, images, 12, wanted);
            CHECK(found.differing == 0);
            CHECK(found.error < 0.2);
            CHECK((found.split > 0) == ((bits & 8U) != 0));
            if (bits == 0)
                plain = found.error;
        }
    }
    quantization_recipe all = recipe_of(255);
    all.bias_images = 0;
    CHECK(outcome_of(quantize(b.net, images, all), images, 12, wanted).error < plain / 2);
}

TEST_CASE("rewriting changes no function") {
    network_builder b = rich_network();
    const std::vector<float> images = b.random.normals(12 * 3 * 90);
    std::vector<float> wanted(12 * 5);
    float_program(b.net).run(images, 12, wanted);
    for (unsigned bits = 0; bits < 8; ++bits) {
        std::vector<float> got(wanted.size());
        float_program(rewrite(b.net, images, recipe_of(bits))).run(images, 12, got);
        for (std::size_t i = 0; i < got.size(); ++i)
            CHECK(got[i] == Approx(wanted[i]).epsilon(1e-4).margin(1e-4));
    }
}

TEST_CASE("a pipeline gives the same plan on any executor, and looks at no more images than it was told") {
    network_builder b = rich_network();
    const std::vector<float> images = b.random.normals(12 * 3 * 90);
    quantization_recipe recipe = recipe_of(127);
    recipe.images = 8;
    recipe.channel_images = 9;
    const plan one = quantize(b.net, images, recipe);
    const plan other = quantize(b.net, images, recipe, threads_backwards{});
    REQUIRE(one.groups.size() == other.groups.size());
    for (std::size_t g = 0; g < one.groups.size(); ++g)
        if (one.groups[g].weights) {
            CHECK(one.groups[g].weights->codes == other.groups[g].weights->codes);
            CHECK(one.groups[g].weights->bias == other.groups[g].weights->bias);
        }
    CHECK(one.tensors == other.tensors);
    CHECK_THROWS_WITH(quantize(b.net, std::span(images).first(100), recipe), containing("100 floats"));
}

TEST_CASE("factors by results are no worse at the output than those of any rule") {
    network_builder b = rich_network();
    const std::vector<float> images = b.random.normals(12 * 3 * 90);
    const network net = prepare(b.net).net;
    std::vector<float> wanted(12 * 5);
    float_program(net).run(images, 12, wanted);
    const std::vector<measured_channels> seen = measure_channels(net, images);
    quantization_policy policy;
    policy.weights = {.bits = 4, .cut = {grain_kind::per_tensor}};
    policy.first_last_bits = 0;
    const auto error = [&](const network& of) {
        return outcome_of(make_plan(calibrate(of, images), policy), images, 12, wanted).error;
    };
    for (const bool powers : {true, false}) {
        if (is_slow && !powers)
            break;
        policy.scales = powers ? scale_form::power_of_two : scale_form::real;
        rescale_options options = detail::with_bits_of(policy, {});
        options.powers_of_two = powers;
        const rescaled_network found = rescale_by_results(net, seen, policy, images, 12, options);
        const double own = error(found.net);
        CHECK(own < error(net)); // some factor is better than none
        for (const rescale_rule rule : {rescale_rule::mutual, rescale_rule::equalize, rescale_rule::least_noise}) {
            options.rule = rule;
            CHECK(own <=
                  error(rescale_channels(net, seen, options).net) * (1 + 1e-4)); // products are rounded once more
        }
        // The function is the same, the factors are those told, and the statistics those of the network.
        std::vector<float> got(wanted.size());
        float_program(found.net).run(images, 12, got);
        for (std::size_t i = 0; i < got.size(); ++i)
            CHECK(got[i] == Approx(wanted[i]).epsilon(1e-4).margin(1e-4));
        std::size_t moved = 0;
        network by_hand = net;
        REQUIRE(found.pairs.size() == 4);
        for (const rescaled_pair& pair : found.pairs)
            for (std::size_t k = 0; k < pair.factors.size(); ++k) {
                const double factor = pair.factors[k];
                moved += factor != 1 ? 1U : 0U;
                CHECK((!powers || std::exp2(std::round(std::log2(factor))) == factor));
                detail::scale_channel(by_hand, pair.where, k, factor);
            }
        for (std::size_t l = 0; l < net.layers.size(); ++l)
            if (const auto* conv = std::get_if<convolution>(&by_hand.layers[l].op))
                for (std::size_t i = 0; i < conv->weights.values.size(); ++i)
                    CHECK(std::get<convolution>(found.net.layers[l].op).weights.values[i] ==
                          Approx(conv->weights.values[i]).epsilon(1e-5));
        CHECK(moved > 0);
        const std::vector<measured_channels> again = measure_channels(found.net, images);
        const channel_pair& last = found.pairs.back().where;
        const std::size_t tensor = last.tensors.front();
        for (std::size_t k = 0; k < last.channels; ++k)
            CHECK(found.seen[tensor].highest[k] == Approx(again[tensor].highest[k]).epsilon(1e-4));
    }
    // Limits that are no powers of two bound factors that are.
    rescale_options narrow;
    narrow.powers_of_two = true;
    narrow.smallest = 0.3;
    narrow.largest = 3;
    narrow.weight_bits = 0; // that of the policy is taken
    narrow.sweeps = 1;
    for (const rescaled_pair& pair : rescale_by_results(net, seen, policy, images, 12, narrow).pairs)
        for (const double factor : pair.factors) {
            CHECK(std::exp2(std::round(std::log2(factor))) == factor);
            CHECK((factor >= 0.5 && factor <= 2));
        }
    narrow.sweeps = 0;
    for (const rescaled_pair& pair : rescale_by_results(net, seen, policy, images, 12, narrow).pairs)
        CHECK(std::ranges::all_of(pair.factors, [](double factor) { return factor == 1; }));
    CHECK_THROWS_WITH(rescale_by_results(net, seen, policy, {}, 0), containing("0 images"));
    CHECK_THROWS_AS(rescale_by_results(net, seen, policy, images, ~std::size_t{0}), shape_error);
    CHECK_THROWS_WITH(rescale_by_results(net, seen, policy, std::span(images).first(100), 12),
                      containing("100 numbers"));
    rescale_options options;
    options.rule = rescale_rule::by_results;
    CHECK_THROWS_WITH(rescale_channels(net, seen, options), containing("rescale_by_results"));
}

TEST_CASE("a recipe rescales by results, on any executor alike") {
    network_builder b = rich_network();
    const std::vector<float> images = b.random.normals(12 * 3 * 90);
    quantization_recipe recipe;
    recipe.policy.weights = {.bits = 4, .cut = {grain_kind::per_tensor}};
    recipe.rescale = true;
    recipe.rescaling.rule = rescale_rule::by_results;
    recipe.rescale_images = 5;
    recipe.rescaling.sweeps = 1;
    const plan one = quantize(b.net, images, recipe);
    const plan other = quantize(b.net, images, recipe, threads_backwards{});
    const network net = prepare(b.net).net;
    const std::vector<measured_channels> seen = measure_channels(net, images);
    const network direct =
        rescale_by_results(net, seen, recipe.policy, std::span(images).first(std::size_t{5} * 270), 5, recipe.rescaling)
            .net;
    REQUIRE(one.groups.size() == other.groups.size());
    for (std::size_t g = 0; g < one.groups.size(); ++g)
        if (one.groups[g].weights)
            CHECK(one.groups[g].weights->codes == other.groups[g].weights->codes);
    for (std::size_t l = 0; l < direct.layers.size(); ++l)
        if (const auto* conv = std::get_if<convolution>(&direct.layers[l].op))
            CHECK(std::get<convolution>(one.net.layers[l].op).weights.values == conv->weights.values);
}

TEST_CASE("ranges by results are no worse for what reads them than any single rule") {
    network_builder b = rich_network();
    const std::vector<float> images = b.random.normals(12 * 3 * 90);
    const calibration seen = calibrate(b.net, images);
    quantization_policy policy;
    policy.activations.bits = 4;
    policy.first_last_bits = 0;
    std::vector<chosen_range> chosen;
    const auto codes = choose_ranges(seen, policy, images, 12, &chosen);
    CHECK(chosen.size() > 6);
    const float_program program(seen.prepared.net);
    std::vector<float> results(12 * 5);
    program.run(images, 12, results, [&](std::size_t tensor, std::span<const float> values) {
        if (!codes[tensor])
            return;
        const detail::range_judge<simd::default_arch> judge(seen.prepared.net, tensor, values, 12);
        const double own = judge.error(*codes[tensor]);
        for (const range_rule rule : {range_rule::by_min_max, range_rule::by_percentile, range_rule::by_mse,
                                      range_rule::by_kl, range_rule::by_kl_masked, range_rule::by_kl_penalised}) {
            activation_policy with = policy.activations;
            with.rule = rule;
            CHECK(own <= judge.error(fit_activations(*seen.tensors[tensor], 4, with, policy.scales)));
        }
    });
    const plan p = make_plan(seen, policy, codes);
    for (std::size_t t = 0; t < codes.size(); ++t)
        if (codes[t])
            CHECK(p.tensors[t] == codes[t]);
}

TEST_CASE("a split layer is exported as two convolutions and a sum of the same numbers") {
    network_builder b(5, {4, 7, 6});
    b.conv(6, 3, {{1, 1}, {1, 1}, {1, 1, 1, 1}});
    b.conv(6, 3, {{2, 1}, {1, 1}, {1, 1, 1, 1}}); // the coarse part keeps its own taps
    b.conv(6, 3, {{1, 1}, {1, 1}, {}});           // without padding it stands among all
    b.conv(6, 1, {});
    const std::vector<float> images = b.random.normals(3 * 4 * 42);
    quantization_policy policy;
    policy.weights.bits = 4;
    policy.weights.split = {.bits = 3, .least_gain = -1000};
    const plan p = make_plan(calibrate(b.net, images), policy);
    const qdq_model model = as_qdq(p);
    REQUIRE(model.net.layers.size() == b.net.layers.size() + 4);
    CHECK(std::get<convolution>(model.net.layers[1].op).weights.shape == std::vector<std::size_t>{6, 4 + 2, 1, 1});
    CHECK(std::get<convolution>(model.net.layers[1].op).window.padding == std::array<std::size_t, 4>{});
    CHECK(std::get<convolution>(model.net.layers[4].op).weights.shape == std::vector<std::size_t>{6, 6, 3, 3});
    // Weights of the model, put into its network, compute what those of the plan compute.
    network exported = model.net;
    network planned = p.net;
    for (std::size_t i = 0; i < exported.layers.size(); ++i)
        if (model.layers[i].weights)
            if (auto* conv = std::get_if<convolution>(&exported.layers[i].op)) {
                const qdq_weights& w = *model.layers[i].weights;
                const auto& codes = std::get<0>(w.codes);
                const std::size_t each = codes.size() / w.params.scales.size();
                for (std::size_t k = 0; k < codes.size(); ++k)
                    conv->weights.values[k] = w.params.scales[k / each] * static_cast<float>(codes[k]);
            }
    for (const planned_group& group : p.groups)
        if (group.weights) {
            const planned_weights& w = *group.weights;
            auto& values = std::get<convolution>(planned.layers[group.where.layer].op).weights.values;
            for (std::size_t k = 0; k < values.size(); ++k)
                values[k] =
                    static_cast<float>(w.value(k / w.taps() / w.shape[1], k / w.taps() % w.shape[1], k % w.taps()));
        }
    infer_shapes(exported);
    std::vector<float> left(3 * element_count(exported.tensors[exported.output].shape));
    std::vector<float> right(left.size());
    float_program(exported).run(images, 3, left);
    float_program(planned).run(images, 3, right);
    for (std::size_t i = 0; i < left.size(); ++i)
        CHECK(left[i] == Approx(right[i]).epsilon(1e-4).margin(1e-4));
}

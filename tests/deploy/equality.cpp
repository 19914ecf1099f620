// A program gives the codes that the simulation of its plan gives: for every form of scales, grain, width and layer, any cut
// into batches and tasks.
#include "catch.hpp"
#include "deploy/random_plan.hpp"
#include "deploy/run_plan.hpp"

#include <notch/deploy/refine_in_order.hpp>
#include <notch/deploy/simulate.hpp>
#include <notch/model/float_elementwise.hpp>
#include <notch/ptq/make_plan.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <span>
#include <string>
#include <vector>

using namespace notch_test;

namespace {

struct comparison {
    std::size_t tensors = 0;
    std::size_t codes = 0;
    std::size_t differing = 0;
    std::size_t results = 0; // that differ
};

[[nodiscard]] comparison compare(const notch::plan& plan, std::span<const float> images, std::size_t count,
                                 std::size_t batch, std::size_t tasks) {
    const run_result got = run_plan(plan, images, count, batch, tasks);
    notch::simulator simulate(plan);
    std::vector<float> results(got.results.size());
    comparison seen;
    simulate.run(images, count, results, [&](std::size_t tensor, std::span<const float> codes) {
        if (got.codes[tensor].empty())
            return; // a reshape
        const std::vector<float> ours = planned_codes(got, tensor, count);
        REQUIRE(ours.size() == codes.size());
        ++seen.tensors;
        seen.codes += codes.size();
        for (std::size_t i = 0; i < ours.size(); ++i)
            seen.differing += ours[i] != codes[i] ? 1U : 0U;
    });
    if (got.program.softmax)
        for (std::size_t n = 0; n < count; ++n) { // that of the model room, over a vector
            float* image = &results[n * results.size() / count];
            notch::detail::softmax_of_image(image, results.size() / count, 1, image);
        }
    for (std::size_t i = 0; i < results.size(); ++i)
        seen.results += results[i] != got.results[i] ? 1U : 0U;
    return seen;
}

// Unoptimised builds, and those that an emulator runs, take a part of the cases.
#if defined(NDEBUG) && defined(__x86_64__)
constexpr std::uint64_t networks = 120;
constexpr std::array activation_widths{2, 4, 7, 8};
#else
constexpr std::uint64_t networks = 24;
constexpr std::array activation_widths{8};
#endif

constexpr std::array forms{notch::scale_form::power_of_two, notch::scale_form::fixed_point, notch::scale_form::real};
constexpr std::array grains{notch::grain::tensor(), notch::grain::channel(),     notch::grain::group(5),
                            notch::grain::group(8), notch::grain::block(16, 16), notch::grain::block(3, 4)};

} // namespace

TEST_CASE("random networks run as their plans say") {
    numbers random(7);
    std::size_t codes = 0;
    std::size_t split = 0;
    std::size_t refinements = 0;
    for (std::uint64_t seed = 0; seed < networks; ++seed) {
        const notch::network net = random_network(seed);
        const std::size_t count = 1 + random.below(5);
        const std::vector<float> images = random.normals(count * notch::element_count(net.tensors[net.input].shape));
        notch::quantization_policy policy = random_policy(random, seed);
        INFO("seed " << seed << ", " << notch::to_string(policy.scales) << ", " << notch::to_string(policy.weights.cut)
                     << ", W" << policy.weights.bits << "A" << policy.activations.bits);
        notch::plan plan = notch::make_plan(notch::calibrate(net, images), policy);
        std::size_t depth = 0; // of the longest sums; searches by results take its square
        for (const notch::planned_group& group : plan.groups)
            if (group.weights) {
                split += group.weights->coarse ? 1U : 0U;
                depth = std::max(depth, group.weights->codes.size() / group.weights->shape[0]);
            }
        const bool refined = seed % 4 > 1 && depth < 2000;
        refinements += refined ? 1U : 0U;
        if (refined) {
            policy.weights.fit = notch::weight_fit::by_results;
            policy.weights.rounding = notch::weight_rounding::by_results;
            notch::refine_in_order(plan, policy, images, count);
        }
        const comparison seen = compare(plan, images, count, 1 + random.below(3), 1 + random.below(4));
        CHECK(seen.differing == 0);
        CHECK(seen.results == 0);
        CHECK(seen.tensors > 1);
        codes += seen.codes;
    }
    CHECK(codes > 20000);
    CHECK(split > 10);
    CHECK(refinements > networks / 3);
}

TEST_CASE("every width meets every grain and form of scales") {
    network_builder b(3, {3, 9, 8});
    b.conv(16, 3, {{1, 1}, {1, 1}, {1, 1, 1, 1}});
    const std::size_t skip = b.add(notch::clip{});
    b.conv(16, 3, {{1, 1}, {1, 1}, {1, 1, 1, 1}});
    b.add(notch::sum{}, {b.at, skip});
    b.add(notch::clip{0, 6});
    b.conv(16, 3, {{2, 2}, {1, 1}, {0, 0, 1, 1}}, 16);
    b.conv(20, 1, {});
    b.add(notch::global_average_pool_layer{});
    b.product(5);
    const std::vector<float> images = b.random.normals(2 * 3 * 9 * 8);
    const notch::calibration seen = notch::calibrate(b.net, images);
    for (const notch::scale_form form : forms)
        for (const notch::grain& cut : grains)
            for (int weight_bits = 2; weight_bits <= 8; ++weight_bits)
                for (const int activation_bits : activation_widths) {
                    notch::quantization_policy policy;
                    policy.weights.bits = weight_bits;
                    policy.weights.cut = cut;
                    policy.activations.bits = activation_bits;
                    policy.first_last_bits = 0;
                    policy.scales = form;
                    INFO(notch::to_string(form)
                         << ", " << notch::to_string(cut) << ", W" << weight_bits << "A" << activation_bits);
                    const comparison result = compare(notch::make_plan(seen, policy), images, 2, 2, 3);
                    CHECK(result.differing == 0);
                    CHECK(result.results == 0);
                }
}

TEST_CASE("channels whose weights are next to nothing keep their bias") {
    network_builder b(5, {4, 6, 6});
    b.conv(8, 3, {{1, 1}, {1, 1}, {1, 1, 1, 1}});
    auto& conv = std::get<notch::convolution>(b.net.layers[0].op);
    conv.bias = {0.5F, -0.25F, 0.125F, 2, 1, -1, 0.75F, 0.3F};
    for (std::size_t i = 0; i < 4 * 36; ++i)
        conv.weights.values[i] *= 1e-30F;
    b.add(notch::clip{});
    b.conv(3, 1, {});
    const std::vector<float> images = b.random.normals(3 * 4 * 36);
    const notch::calibration seen = notch::calibrate(b.net, images);
    for (const notch::scale_form form : forms)
        for (const notch::grain& cut : grains) {
            notch::quantization_policy policy;
            policy.scales = form;
            policy.weights.cut = cut;
            INFO(notch::to_string(form) << ", " << notch::to_string(cut));
            const notch::plan plan = notch::make_plan(seen, policy);
            CHECK(compare(plan, images, 3, 3, 1).differing == 0);
            if (cut != notch::grain::channel())
                continue;
            CHECK(plan.groups[0].weights->floored == std::vector<std::uint32_t>{0, 1, 2, 3});
            const run_result run = run_plan(plan, images, 3, 3, 1);
            const std::size_t output = plan.groups[0].where.output;
            const notch::tensor_codes& codes = *plan.tensors[output];
            const std::vector<float> got = planned_codes(run, output, 3);
            const auto value = [&](std::size_t channel) { // the same everywhere
                return codes.scale * (static_cast<double>(got[channel * 36]) - codes.zero_point);
            };
            CHECK(value(0) == Approx(0.5).margin(codes.scale / 2));
            CHECK(value(1) == 0);
            CHECK(value(2) == Approx(0.125).margin(codes.scale / 2));
        }
}

TEST_CASE("a convolution of one channel takes a residual") {
    network_builder b(8, {1, 6, 7});
    const std::size_t in = b.at;
    b.conv(8, 3, {{1, 1}, {1, 1}, {1, 1, 1, 1}});
    b.add(notch::clip{});
    const std::size_t right = b.conv(8, 1, {});
    b.at = in;
    const std::size_t left = b.conv(8, 3, {{1, 1}, {1, 1}, {1, 1, 1, 1}});
    b.add(notch::sum{}, {left, right});
    const std::vector<float> images = b.random.normals(2 * 42);
    const notch::calibration seen = notch::calibrate(b.net, images);
    for (const notch::scale_form form : forms) {
        notch::quantization_policy policy;
        policy.scales = form;
        const notch::plan plan = notch::make_plan(seen, policy);
        REQUIRE(plan.groups.back().where.residual);
        REQUIRE(plan.groups.back().weights->shape[1] == 1);
        CHECK(compare(plan, images, 2, 2, 1).differing == 0);
    }
}

TEST_CASE("the form in which codes are signed changes no number") {
    const notch::network net = random_network(42);
    numbers random(1);
    const std::vector<float> images = random.normals(2 * notch::element_count(net.tensors[net.input].shape));
    const notch::calibration seen = notch::calibrate(net, images);
    notch::quantization_policy policy;
    const run_result unsigned_codes = run_plan(notch::make_plan(seen, policy), images, 2, 2, 1);
    policy.activations.is_signed = true;
    const run_result signed_codes = run_plan(notch::make_plan(seen, policy), images, 2, 2, 1);
    CHECK(unsigned_codes.results == signed_codes.results);
    CHECK(unsigned_codes.codes == signed_codes.codes);
}

TEST_CASE("outputs without weights run in split layers") {
    network_builder b(6, {4, 6, 6});
    b.conv(8, 3, {{1, 1}, {1, 1}, {1, 1, 1, 1}});
    b.add(notch::clip{});
    b.conv(8, 3, {{1, 1}, {1, 1}, {1, 1, 1, 1}});
    auto& conv = std::get<notch::convolution>(b.net.layers[2].op);
    for (std::size_t k = 0; k < 3 * 8 * 9; ++k) // outputs 0 to 2
        conv.weights.values[k] = 0;
    b.add(notch::clip{});
    b.conv(3, 1, {});
    const std::vector<float> images = b.random.normals(2 * 4 * 36);
    const notch::calibration seen = notch::calibrate(b.net, images);
    for (const notch::scale_form form : forms)
        for (const notch::grain& cut : grains)
            for (const bool per_tensor : {false, true}) {
                notch::quantization_policy policy;
                policy.scales = form;
                policy.weights = {.bits = 4, .cut = cut};
                policy.weights.split = {
                    .bits = 4, .taps = notch::split_taps::all, .per_tensor = per_tensor, .least_gain = -1000};
                INFO(notch::to_string(form) << ", " << notch::to_string(cut));
                CHECK(compare(notch::make_plan(seen, policy), images, 2, 2, 1).differing == 0);
            }
}

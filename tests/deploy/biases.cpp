#include "catch.hpp"
#include "deploy/random_network.hpp"

#include <notch/deploy/correct_biases.hpp>
#include <notch/ptq/make_plan.hpp>

#include <cmath>
#include <cstddef>
#include <span>
#include <variant>
#include <vector>

using namespace notch_test;

namespace {

// Mean over images, pixels and channels of |mean of the float result - mean of the simulated one| of each layer with weights.
double mean_shift(const notch::plan& plan, std::span<const float> images, std::size_t count) {
    std::vector<std::vector<double>> wanted(plan.net.tensors.size());
    std::vector<float> results(count * notch::element_count(plan.net.tensors[plan.net.output].shape));
    const notch::float_program floats(plan.net);
    floats.run(images, count, results, [&](std::size_t tensor, std::span<const float> values) {
        wanted[tensor] = notch::detail::channel_means(values, count, plan.net.tensors[tensor].shape[0]);
    });
    double total = 0;
    std::size_t channels = 0;
    notch::simulator simulate(plan);
    simulate.run(
        images, count, results, [](std::size_t, std::span<const float>) {},
        [&](std::size_t g, std::span<const double> sums) {
            const notch::layer_group& where = plan.groups[g].where;
            const auto& weights = *plan.groups[g].weights;
            const auto got = notch::detail::channel_means(sums, count, weights.shape[0]);
            for (std::size_t o = 0; o < got.size(); ++o) {
                const double unit = notch::sum_scale(weights, *plan.tensors[where.inputs[0]], o);
                total += std::abs(wanted[plan.net.layers[where.layer].output][o] - unit * (got[o] + weights.bias[o]));
                ++channels;
            }
        });
    return total / static_cast<double>(channels);
}

} // namespace

TEST_CASE("corrected biases take the shift of the means back") {
    network_builder b(11, {3, 10, 10});
    b.conv(16, 3, {{1, 1}, {1, 1}, {1, 1, 1, 1}});
    const std::size_t skip = b.add(notch::clip{});
    b.conv(16, 3, {{1, 1}, {1, 1}, {1, 1, 1, 1}});
    b.add(notch::sum{}, {b.at, skip});
    b.add(notch::clip{});
    b.conv(16, 3, {{1, 1}, {1, 1}, {1, 1, 1, 1}}, 16);
    b.add(notch::clip{0, 6});
    b.conv(24, 1, {});
    b.add(notch::global_average_pool_layer{});
    b.product(5);
    const std::size_t count = 24;
    const std::vector<float> images = b.random.normals(count * 300);
    const notch::calibration seen = notch::calibrate(b.net, images);
    for (const notch::scale_form form : {notch::scale_form::power_of_two, notch::scale_form::fixed_point}) {
        notch::quantization_policy policy;
        policy.weights.bits = 3;
        policy.first_last_bits = 0;
        policy.scales = form;
        notch::plan plan = notch::make_plan(seen, policy);
        const double before = mean_shift(plan, images, count);
        notch::correct_biases(plan, images, count);
        const double after = mean_shift(plan, images, count);
        CHECK(before > 1e-3);
        CHECK(after < before / 10); // what is left is half a step of the bias
        const notch::plan once = plan;
        notch::correct_biases(plan, images, count);
        for (std::size_t g = 0; g < plan.groups.size(); ++g)
            if (plan.groups[g].weights)
                CHECK(plan.groups[g].weights->bias == once.groups[g].weights->bias);
    }
    notch::plan plan = notch::make_plan(seen);
    CHECK_THROWS_AS(notch::correct_biases(plan, std::span(images).first(299), 1), notch::shape_error);
}

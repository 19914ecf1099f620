// Plans of random networks under random policies, from a seed.
#pragma once

#include "deploy/random_network.hpp"

#include <notch/ptq/calibrate.hpp>
#include <notch/ptq/make_plan.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace notch_test {

// Any grain, width, form of scales; every other one splits whatever can be split.
[[nodiscard]] inline notch::quantization_policy random_policy(numbers& random, std::uint64_t seed) {
    constexpr std::array grains{notch::grain::tensor(), notch::grain::channel(),     notch::grain::group(5),
                                notch::grain::group(8), notch::grain::block(16, 16), notch::grain::block(3, 4)};
    constexpr std::array forms{notch::scale_form::power_of_two, notch::scale_form::fixed_point,
                               notch::scale_form::real};
    notch::quantization_policy policy;
    policy.weights.bits = 2 + static_cast<int>(random.below(7));
    policy.weights.cut = grains[random.below(grains.size())];
    policy.weights.fit = random.one_in(2) ? notch::weight_fit::min_max : notch::weight_fit::least_squares;
    policy.activations.bits = random.one_in(2) ? 8 : 2 + static_cast<int>(random.below(6));
    policy.activations.is_signed = random.one_in(2);
    policy.activations.rule = random.one_in(2) ? notch::range_rule::by_min_max : notch::range_rule::by_mse;
    policy.first_last_bits = random.one_in(2) ? 0 : 8;
    policy.scales = forms[seed % 3];
    if (seed % 2 == 1) {
        policy.weights.split.bits = 2 + static_cast<int>(random.below(7));
        policy.weights.split.taps = static_cast<notch::split_taps>(random.below(3));
        policy.weights.split.per_tensor = random.one_in(2);
        policy.weights.split.least_gain = -1000;
    }
    return policy;
}

// A plan of such a policy, calibrated on two images of noise.
[[nodiscard]] inline notch::plan random_plan(std::uint64_t seed) {
    numbers random(seed + 77);
    const notch::network net = random_network(seed);
    const std::vector<float> images = random.normals(2 * notch::element_count(net.tensors[net.input].shape));
    return notch::make_plan(notch::calibrate(net, images), random_policy(random, seed));
}

} // namespace notch_test

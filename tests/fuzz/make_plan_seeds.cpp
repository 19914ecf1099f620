// Writes the seeds of plan_file.cpp, plans that are small and have something of everything, anew after a change of the format:
//
//   g++ -std=c++20 -Iinclude -Itests tests/fuzz/make_plan_seeds.cpp -o make_plan_seeds
//   ./make_plan_seeds tests/fuzz/seeds/plan_file
#include "deploy/random_network.hpp"

#include <notch/deploy/plan_file.hpp>
#include <notch/ptq/calibrate.hpp>
#include <notch/ptq/make_plan.hpp>

#include <cstdio>
#include <string>

using notch_test::network_builder;

int main(int argc, char** argv) {
    if (argc != 2)
        return std::puts("usage: make_plan_seeds FOLDER"), 2;
    const std::string folder = argv[1];
    const auto write = [&folder](const char* name, network_builder& b, const notch::quantization_policy& policy) {
        b.net.name = name;
        for (std::size_t t = 0; t < b.net.tensors.size(); ++t)
            b.net.tensors[t].name = std::to_string(t);
        for (std::size_t i = 0; i < b.net.layers.size(); ++i)
            b.net.layers[i].name = std::to_string(i);
        const std::size_t size = notch::element_count(b.net.tensors[b.net.input].shape);
        notch::save_plan(notch::make_plan(notch::calibrate(b.net, b.random.normals(2 * size)), policy),
                         folder + "/" + name + ".plan");
    };
    notch::quantization_policy policy;
    policy.weights.split = {.bits = 3, .taps = notch::split_taps::all, .least_gain = -1000};
    {
        network_builder b(1, {2, 3, 2});
        b.conv(2, 1, {});
        const std::size_t skip = b.add(notch::clip{});
        b.conv(2, 2, {{1, 1}, {1, 1}, {0, 0, 1, 1}});
        b.add(notch::clip{0, 6});
        b.conv(2, 1, {});
        b.add(notch::sum{}, {b.at, skip});
        b.add(notch::clip{});
        b.product(2);
        b.add(notch::softmax{});
        write("split", b, policy);
    }
    policy.scales = notch::scale_form::real;
    policy.weights.cut = notch::grain::block(2, 2);
    policy.weights.bits = 3;
    policy.first_last_bits = 0;
    {
        network_builder b(2, {3, 3, 3});
        b.conv(3, 3, {{1, 1}, {1, 1}, {1, 1, 1, 1}}, 3);
        b.add(notch::clip{});
        b.conv(2, 1, {{2, 2}});
        b.add(notch::max_pool{{2, 2}, {{1, 1}, {1, 1}, {0, 0, 1, 1}}, true});
        b.add(notch::pad{{0, 1, 0}, {0, 0, 1}, 0.5F});
        b.add(notch::slice{{0, 0, 0}, b.shape(), {1, 2, 1}});
        write("moves", b, policy);
    }
    policy.scales = notch::scale_form::fixed_point;
    policy.activations.is_signed = true;
    {
        network_builder b(3, {2, 2, 2});
        b.add(notch::affine_map{{0.5F}, {0.25F, 1}});
        const std::size_t in = b.at;
        const std::size_t mean = b.add(notch::average_pool{{2, 2}, {{1, 1}, {1, 1}, {0, 0, 1, 1}}, false, true});
        const std::size_t most = b.add(notch::max_pool{{2, 1}, {{1, 1}, {1, 1}, {0, 0, 1, 0}}, false}, {in});
        const std::size_t both = b.add(notch::sum{}, {mean, most});
        b.add(notch::concat{0}, {both, most});
        b.add(notch::global_average_pool_layer{});
        b.product(2);
        b.add(notch::clip{-1, 1});
        write("pools", b, policy);
    }
    return 0;
}

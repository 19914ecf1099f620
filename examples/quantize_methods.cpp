// The post-training methods one after the other, at weights of 3 bits: what each of them gains, on images that none has seen.
// Programs are simulated here, which gives the codes of the integer kernels and compiles in a fraction of the time.
#include "shapes/draw_shapes.hpp"

#include <notch/deploy/pipeline.hpp>
#include <notch/deploy/plan_file.hpp>
#include <notch/deploy/simulate.hpp>
#include <notch/io/onnx_read.hpp>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <string>
#include <vector>

namespace {

constexpr std::size_t pixels = 3072;
constexpr std::size_t classes = 10;

struct image_set {
    std::vector<float> floats{}; // [n, 3, 32, 32], (pixel / 255 - 0.5) / 0.25
    std::vector<std::size_t> labels{};
};

image_set draw(std::uint64_t seed, std::size_t count) {
    image_set to;
    to.floats.resize(count * pixels);
    for (std::size_t n = 0; n < count; ++n) {
        const auto image = shapes::draw(seed, n);
        to.labels.push_back(image.label);
        for (std::size_t i = 0; i < pixels; ++i) // pixels are [32, 32, 3]
            to.floats[n * pixels + i % 3 * 1024 + i / 3] = (static_cast<float>(image.pixels[i]) / 255 - 0.5F) / 0.25F;
    }
    return to;
}

// Top-1, and the distance from what the float network gives.
void print(const std::string& name, const notch::plan& plan, const image_set& on, const std::vector<float>& wanted) {
    const std::size_t count = on.labels.size();
    std::vector<float> got(count * classes);
    notch::simulator(plan).run(on.floats, count, got, [](std::size_t, std::span<const float>) {});
    double signal = 0;
    double noise = 0;
    std::size_t right = 0;
    for (std::size_t n = 0; n < count; ++n) {
        const auto first = got.begin() + static_cast<std::ptrdiff_t>(n * classes);
        right += static_cast<std::size_t>(std::max_element(first, first + classes) - first) == on.labels[n] ? 1U : 0U;
    }
    for (std::size_t i = 0; i < got.size(); ++i) {
        signal += std::pow(static_cast<double>(wanted[i]), 2);
        noise += std::pow(static_cast<double>(wanted[i] - got[i]), 2);
    }
    std::printf("%-34s %5.1f %%  %6.2f dB\n", name.c_str(),
                100.0 * static_cast<double>(right) / static_cast<double>(count), 10 * std::log10(signal / noise));
}

} // namespace

int main(int argc, char** argv) try {
    if (argc != 2)
        return std::puts("usage: quantize_methods shapes.onnx"), 2;
    const notch::network net = notch::onnx::read(argv[1]);
    const image_set calibration = draw(1, 128);
    const image_set test = draw(2, 300);
    std::vector<float> wanted(test.labels.size() * classes);
    notch::float_program(net).run(test.floats, test.labels.size(), wanted);

    notch::quantization_recipe recipe; // power-of-two scales for blocks of 16 x 16 channels
    recipe.policy.weights.bits = 3;
    recipe.policy.weights.cut = notch::grain::block(16, 16);
    const auto step = [&](const char* name) {
        const notch::plan plan = notch::quantize(net, calibration.floats, recipe);
        print(name, plan, test, wanted);
        return plan;
    };
    step("nearest");
    recipe.rescale = true; // channels between layers: mutual_rescale.hpp
    step("+ channels rescaled");
    recipe.reorder = true; // like channels into one block: sub_layer_reorder.hpp
    step("+ channels reordered");
    recipe.policy.weights.split = {.bits = 3, .least_gain = 6}; // large centres apart: coarse_fine_split.hpp
    step("+ filters split where it pays");
    recipe.policy.weights.fit = notch::weight_fit::by_results; // sub_layer_scales.hpp
    step("+ scales by the layer's result");
    recipe.policy.weights.rounding = notch::weight_rounding::by_results; // round_to_results.hpp
    const notch::plan plan = step("+ rounding by the layer's result");

    notch::save_plan(plan, "shapes.plan"); // what was found is a value, and a file
    print("the same, loaded from a file", notch::load_plan("shapes.plan"), test, wanted);
} catch (const notch::error& e) {
    std::fprintf(stderr, "%s\n", e.what());
    return 1;
}

// Writes what ONNX Runtime is to compute, and what the program computes:
//
//   onnx_codes MODEL IMAGES PREPROCESSING FOLDER WEIGHT_BITS ACTIVATION_BITS GRAIN SCALE
//
// IMAGES is a file of pixels [n, H, W, C], or the word drawn. PREPROCESSING: half (x / 255 - 0.5) / 0.25, raw x, or imagenet.
// FOLDER gets model.onnx, images.npy and ours.npy.
#include "deploy/run_plan.hpp"
#include "shapes/draw_shapes.hpp"

#include <notch/deploy/as_qdq.hpp>
#include <notch/io/npy.hpp>
#include <notch/io/onnx_read.hpp>
#include <notch/io/onnx_write.hpp>
#include <notch/ptq/make_plan.hpp>

#include <algorithm>
#include <cstdio>
#include <span>
#include <string>
#include <vector>

namespace {

std::vector<std::uint8_t> pixels_of(const std::string& from) {
    if (from != "drawn")
        return notch::read_raw(from);
    std::vector<std::uint8_t> pixels;
    for (std::uint64_t n = 0; n < 1000; ++n) {
        const shapes::labelled_image image = shapes::draw(2, n);
        pixels.insert(pixels.end(), image.pixels.begin(), image.pixels.end());
    }
    return pixels;
}

float prepared(std::uint8_t pixel, std::size_t channel, const std::string& how) {
    constexpr float mean[] = {0.485F, 0.456F, 0.406F};
    constexpr float deviation[] = {0.229F, 0.224F, 0.225F};
    const auto x = static_cast<float>(pixel);
    if (how == "raw")
        return x;
    return how == "half" ? (x / 255 - 0.5F) / 0.25F : (x / 255 - mean[channel]) / deviation[channel];
}

// channel, tensor, group:8, block:8x4, or split:4: per channel, every filter that can be in two parts.
notch::weight_policy weights_of(int bits, const std::string& word) {
    notch::weight_policy to;
    to.bits = bits;
    if (word == "tensor")
        to.cut = notch::grain::tensor();
    const std::size_t colon = word.find(':');
    if (colon == std::string::npos)
        return to;
    const std::string kind = word.substr(0, colon);
    const std::size_t number = std::stoul(word.substr(colon + 1));
    if (kind == "group")
        to.cut = notch::grain::group(number);
    else if (kind == "block")
        to.cut = notch::grain::block(number, std::stoul(word.substr(word.find('x') + 1)));
    else
        to.split = {.bits = static_cast<int>(number), .least_gain = -1000};
    return to;
}

void run(std::span<const std::string> words) {
    const notch::network net = notch::onnx::read(words[0]);
    const std::vector<std::size_t>& shape = net.tensors[net.input].shape;
    const std::vector<std::uint8_t> pixels = pixels_of(words[1]);
    const std::size_t size = notch::element_count(shape);
    const std::size_t count = pixels.size() / size;
    const std::size_t plane = shape[1] * shape[2];
    std::vector<float> images(count * size);
    for (std::size_t i = 0; i < images.size(); ++i) {
        const std::size_t channel = i % size / plane;
        images[i] = prepared(pixels[i / size * size + i % plane * shape[0] + channel], channel, words[2]);
    }
    notch::quantization_policy policy;
    policy.weights = weights_of(std::stoi(words[4]), words[6]);
    policy.activations.bits = std::stoi(words[5]);
    policy.scales = words[7] == "pot" ? notch::scale_form::power_of_two : notch::scale_form::fixed_point;
    const auto seen = notch::calibrate(net, std::span(images).first(std::min<std::size_t>(count, 128) * size));
    const notch::plan plan = notch::make_plan(seen, policy);
    const auto ours = notch_test::run_plan(plan, images, count, 32, 1);
    const std::string& folder = words[3];
    notch::onnx::write(notch::as_qdq(plan), folder + "/model.onnx");
    notch::write_npy({{count, shape[0], shape[1], shape[2]}, images}, folder + "/images.npy");
    notch::write_npy({{count, ours.results.size() / count}, ours.results}, folder + "/ours.npy");
}

} // namespace

int main(int argc, char** argv) {
    const std::vector<std::string> words(argv + 1, argv + argc);
    if (words.size() != 8)
        return std::puts("usage: onnx_codes MODEL IMAGES PREPROCESSING FOLDER WEIGHT_BITS ACTIVATION_BITS GRAIN SCALE"),
               2;
    try {
        run(words);
    } catch (const std::exception& e) {
        std::fprintf(stderr, "%s\n", e.what());
        return 1;
    }
    return 0;
}

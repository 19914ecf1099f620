// A float network in the ONNX format becomes an integer program, and is compared with itself on images that it has not seen.
#include "shapes/draw_shapes.hpp"

#include <notch/deploy/as_qdq.hpp>
#include <notch/deploy/lower.hpp>
#include <notch/deploy/run.hpp>
#include <notch/io/onnx_read.hpp>
#include <notch/io/onnx_write.hpp>
#include <notch/ptq/make_plan.hpp>

#include <algorithm>
#include <cstdio>
#include <vector>

// Images [n, 3, 32, 32] of a seed, (pixel / 255 - 0.5) / 0.25, and their labels.
static std::vector<float> images(std::uint64_t seed, std::size_t count, std::vector<std::size_t>& labels) {
    std::vector<float> to(count * 3072);
    for (std::size_t n = 0; n < count; ++n) {
        const auto image = shapes::draw(seed, n);
        labels.push_back(image.label);
        for (std::size_t i = 0; i < 3072; ++i) // pixels are [32, 32, 3]
            to[n * 3072 + i % 3 * 1024 + i / 3] = (static_cast<float>(image.pixels[i]) / 255 - 0.5F) / 0.25F;
    }
    return to;
}

int main(int argc, char** argv) try {
    if (argc != 2)
        return std::puts("usage: quantize_network shapes.onnx"), 2;
    const notch::network net = notch::onnx::read(argv[1]);
    std::vector<std::size_t> labels;
    const auto seen = notch::calibrate(net, images(1, 128, labels)); // streams; keeps histograms

    notch::quantization_policy policy; // per channel, power-of-two scales: every requantization is a shift
    policy.weights.bits = 4;
    const notch::plan plan = notch::make_plan(seen, policy);
    const notch::program program = notch::lower(plan); // every shift decided and bound-checked here

    labels.clear();
    const std::size_t count = 200;
    const std::vector<float> floats = images(2, count, labels);
    std::vector<std::uint8_t> codes(floats.size());
    program.encode(floats, count, codes);
    std::vector<float> logits(count * program.result_size());
    notch::runner run(program, count);
    run(codes, count, logits); // integers only, no allocation
    std::size_t right = 0;
    for (std::size_t n = 0; n < count; ++n) {
        const auto first = logits.begin() + static_cast<std::ptrdiff_t>(n * 10);
        right += static_cast<std::size_t>(std::max_element(first, first + 10) - first) == labels[n] ? 1U : 0U;
    }
    std::printf("W4A8: %zu of %zu images right; %zu bytes of tensors per image\n", right, count, program.arena_bytes());
    notch::onnx::write(notch::as_qdq(plan), "shapes.int4.onnx"); // ONNX Runtime computes the same codes
} catch (const notch::error& e) {
    std::fprintf(stderr, "%s\n", e.what());
    return 1;
}

/// @file
/// Calibration, plans and programs.
#include "network.hpp"
#include "progress.hpp"

#include <algorithm>
#include <notch/deploy/lower.hpp>
#include <notch/deploy/pipeline.hpp>
#include <utility>
#include <vector>

namespace tool {

void float_network::run(std::span<const float> images, std::size_t count, std::span<float> results,
                        thread_pool& pool) const {
    program_.run(images, count, results, pool);
}

notch::calibration calibrate(const notch::network& net, const image_file& images, thread_pool& pool) {
    constexpr std::size_t batch = 32;
    notch::calibrator watch(net);
    progress bar("calibrating", images.count());
    std::vector<float> floats;
    for (std::size_t first = 0; first < images.count(); first += batch) {
        const std::size_t count = std::min(batch, images.count() - first);
        floats.resize(count * images.size());
        images.floats(first, count, floats);
        watch.observe(floats, count, pool);
        bar.show(first + count);
    }
    return std::move(watch).take();
}

quantized_network lowered(notch::plan plan) {
    notch::program program = notch::lower(plan);
    return {std::move(plan), std::move(program)};
}

quantized_network quantize(const notch::calibration& seen, const notch::quantization_recipe& methods,
                           std::span<const float> images, thread_pool& pool) {
    return lowered(notch::plan_of(seen, images, methods, pool));
}

notch::network front_network(const notch::plan& plan) {
    notch::network front = plan.net;
    front.output = plan.input;
    front.layers.clear();
    std::size_t tensor = front.input;
    for (const notch::layer& layer : plan.net.layers)
        if (tensor != plan.input && layer.inputs[0] == tensor) {
            front.layers.push_back(layer);
            tensor = layer.output;
        }
    return front;
}

code_source::code_source(const quantized_network& to, const image_file& images)
    : program_(to.program), images_(images), front_(front_network(to.plan)),
      table_(to.program, images.scaling(), notch::front_of(to.plan)) {}

void code_source::codes(std::size_t first, std::size_t count, std::span<std::uint8_t> to) const {
    if (images_.has_pixels()) {
        table_.codes(images_.pixels(first, count), count, to);
        return;
    }
    std::vector<float> entering(to.size());
    floats(first, count, entering);
    program_.encode(entering, count, to);
}

void code_source::floats(std::size_t first, std::size_t count, std::span<float> to) const {
    std::vector<float> given(count * size());
    images_.floats(first, count, given);
    front_.run(given, count, to);
}

} // namespace tool

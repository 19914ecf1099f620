/// @file
/// What the report is told, and its file.
#include "write_report.hpp"

#include "../report.hpp"
#include "progress.hpp"
#include "step_times.hpp"

#include <algorithm>
#include <notch/deploy/report.hpp>
#include <notch/deploy/report_html.hpp>
#include <notch/deploy/report_steps.hpp>
#include <string>
#include <vector>

namespace tool {

void write_report(const network_settings& settings, const quantized_network& net, const notch::calibration& seen,
                  const image_file& images, const notch::report_accuracy& accuracy) {
    const std::size_t count = std::min<std::size_t>(images.count(), 64);
    std::vector<float> floats(count * images.size());
    images.floats(0, count, floats);
    std::vector<double> seconds = measure_steps(net, images).ms;
    for (double& each : seconds)
        each /= 1000;
    progress bar("reporting", count);
    notch::report_inputs inputs;
    inputs.name = settings.model.substr(settings.model.find_last_of('/') + 1);
    inputs.machine = std::string(notch::simd::default_arch::name) + ", one image on one thread";
    inputs.method = settings.methods.bias_images == 0 ? "" : "biases corrected";
    inputs.policy = settings.methods.policy;
    inputs.seed = settings.seed;
    inputs.images = floats;
    inputs.sensitivity = true;
    inputs.sensitivity_images = 32;
    inputs.accuracy = accuracy;
    inputs.steps = notch::steps_of(net.program, seconds);
    inputs.arena_bytes = net.program.arena_bytes();
    inputs.progress = [&bar](std::size_t done, std::size_t) { bar.show(done); };
    write_file(settings.html, notch::to_html(notch::make_report(seen, net.plan, inputs)));
}

} // namespace tool

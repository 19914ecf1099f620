/// @file
/// make_report: what a quantized network costs, and what each of its layers loses, as data (deploy/report_types.hpp).
///
///     report_inputs inputs{.policy = policy, .images = images, .sensitivity = true};
///     inputs.steps = steps_of(program, seconds);                       deploy/report_steps.hpp
///     const network_report report = make_report(seen, plan, inputs);
///     to_html(report), to_json(report)                                 deploy/report_html.hpp, report_json.hpp
///
/// Numbers of layers come from the plan and from the histograms of the calibration. With images, each is run in floats
/// and as the plan says (deploy/simulate.hpp), and the results of all layers are compared. With `sensitivity`, the
/// float network runs once more for each layer that rounds, with this layer alone in codes: layers x images / 2 runs,
/// so a few dozen images should do.
///
/// What an integer program knows, times and kernels, is given by whoever runs it: this header compiles no kernel.
#pragma once

#include <notch/core/error.hpp>
#include <notch/deploy/report_floats.hpp>
#include <notch/deploy/report_layers.hpp>
#include <notch/deploy/report_measure.hpp>
#include <notch/deploy/report_types.hpp>
#include <notch/deploy/simulate.hpp>
#include <notch/model/cost.hpp>
#include <notch/ptq/calibrate.hpp>
#include <notch/ptq/plan.hpp>
#include <notch/ptq/policy.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace notch {

/// What an integer program says of one of its steps.
struct report_step {
    std::size_t group = 0;           ///< of the plan
    std::optional<double> seconds{}; ///< per image
    std::string kernel{};            ///< what explain says
};

/// What a report needs beside plan and calibration. All of it is optional.
struct report_inputs {
    std::string name{};                  ///< instead of the network's
    std::string machine{};               ///< processor, instruction set, threads
    std::string method{};                ///< how weights were rounded, and what was done before
    quantization_policy policy{};        ///< that the plan was made with
    std::optional<std::uint64_t> seed{}; ///< of what the caller drew, to be stated
    std::span<const float> images{};     ///< [n, ...] of the network's input, for measuring
    std::size_t batch = 16;              ///< images at a time
    bool sensitivity = false;            ///< measure it
    std::size_t sensitivity_images = 0;  ///< at most so many of them; 0: all
    report_accuracy accuracy{};          ///< agreement and SQNR are measured on the images where they are not given
    std::vector<report_step> steps{};    ///< times and kernels, one per step of the program
    std::optional<std::size_t> arena_bytes{};                 ///< of the program, for one image
    std::optional<double> float_seconds{};                    ///< of the float network, per image
    std::function<void(std::size_t, std::size_t)> progress{}; ///< called with images measured and images in all
};

namespace detail {

/// Makes one report.
class report_builder {
public:
    report_builder(const calibration& seen, const plan& from, const report_inputs& inputs)
        : seen_(seen), plan_(from), inputs_(inputs) {
        if (seen.tensors.size() != from.tensors.size())
            raise<shape_error>("make_report: a calibration of ", seen.tensors.size(), " tensors and a plan of ",
                               from.tensors.size(), "; the plan must have been made of it");
        image_ = element_count(from.net.tensors[from.net.input].shape);
        if (image_ == 0 || inputs.images.size() % image_ != 0)
            raise<shape_error>("make_report: ", inputs.images.size(),
                               " floats are no whole number of images of extents ",
                               from.net.tensors[from.net.input].shape);
    }

    [[nodiscard]] network_report make() {
        to_.name = inputs_.name.empty() ? plan_.net.name : inputs_.name;
        to_.machine = inputs_.machine;
        to_.accuracy = inputs_.accuracy;
        describe_settings();
        const network_cost cost = cost_of(plan_.net);
        for (std::size_t g = 0; g < plan_.groups.size(); ++g)
            to_.layers.push_back(report_of_group(seen_, plan_, g, cost.layers[plan_.groups[g].where.layer]));
        add_steps();
        sum_up();
        if (!inputs_.images.empty())
            measure();
        return std::move(to_);
    }

private:
    void describe_settings() {
        const quantization_policy& policy = inputs_.policy;
        to_.settings.weight_bits = policy.weights.bits;
        to_.settings.activation_bits = policy.activations.bits;
        to_.settings.first_last_bits = policy.first_last_bits;
        to_.settings.grain = to_string(policy.weights.cut);
        to_.settings.scales = to_string(plan_.scales);
        to_.settings.observer = to_string(policy.activations.rule);
        to_.settings.fit = policy.weights.fit == weight_fit::min_max ? "minmax" : "leastsquares";
        to_.settings.method = inputs_.method;
        to_.settings.calibration_images = seen_.images;
        to_.settings.seed = inputs_.seed;
    }
    void add_steps() {
        for (const report_step& step : inputs_.steps) {
            if (step.group >= to_.layers.size())
                raise<range_error>("make_report: a step of group ", step.group, "; the plan has ", to_.layers.size());
            layer_report& layer = to_.layers[step.group];
            layer.kernel = step.kernel;
            layer.seconds = step.seconds;
            if (step.seconds)
                to_.totals.seconds = to_.totals.seconds.value_or(0) + *step.seconds;
        }
        for (layer_report& layer : to_.layers)
            if (layer.seconds && *to_.totals.seconds > 0)
                layer.share = *layer.seconds / *to_.totals.seconds;
    }
    void sum_up() {
        report_totals& totals = to_.totals;
        totals.layers = to_.layers.size();
        for (const layer_report& layer : to_.layers) {
            totals.macs += layer.macs;
            totals.parameters += layer.parameters;
            totals.packed_bytes += layer.weights ? layer.weights->bytes : 0;
        }
        totals.float_bytes = totals.parameters * sizeof(float);
        totals.arena_bytes = inputs_.arena_bytes;
        totals.float_seconds = inputs_.float_seconds;
    }

    /// Runs all images, batch by batch.
    void measure() {
        const std::size_t count = inputs_.images.size() / image_;
        const std::size_t sensitive = !inputs_.sensitivity              ? 0
                                      : inputs_.sensitivity_images == 0 ? count
                                                                        : std::min(count, inputs_.sensitivity_images);
        float_tensors floats(plan_);
        simulator simulated(plan_);
        errors_.resize(plan_.groups.size());
        alone_.resize(plan_.groups.size());
        for (std::size_t first = 0; first < count;) {
            // The images of the sensitivity end with a batch.
            const std::size_t end = first < sensitive ? sensitive : count;
            const std::size_t n = std::min(std::max<std::size_t>(inputs_.batch, 1), end - first);
            floats.run(inputs_.images.subspan(first * image_, n * image_), n);
            compare(floats, simulated, n);
            for (std::size_t g = 0; g < plan_.groups.size() && first < sensitive; ++g)
                if (rounds(g))
                    add_result(alone_[g], floats, floats.with_group(g));
            first += n;
            if (inputs_.progress)
                inputs_.progress(first, count);
        }
        keep_measures(sensitive != 0);
        if (!to_.accuracy.images)
            to_.accuracy.images = count;
    }
    /// Whether a group loses anything: it has weights, or codes of its own.
    [[nodiscard]] bool rounds(std::size_t g) const noexcept {
        return plan_.groups[g].weights || (plan_.tensors[plan_.groups[g].where.output] && !to_.layers[g].keeps_codes);
    }
    /// The results of all layers, in floats and simulated.
    void compare(const float_tensors& floats, simulator<>& simulated, std::size_t count) {
        const auto add = [&](std::size_t tensor, std::span<const float> values, auto real) {
            for (std::size_t g = 0; g < plan_.groups.size(); ++g)
                if (plan_.groups[g].where.output == tensor)
                    for (std::size_t i = 0; i < values.size(); ++i)
                        errors_[g].add(static_cast<double>(floats[tensor][i]), real(values[i]));
        };
        std::vector<float> results(floats[floats.logits()].size());
        simulated.run(floats[plan_.input], count, results, [&](std::size_t tensor, std::span<const float> codes) {
            const tensor_codes& scale = *plan_.tensors[tensor];
            add(tensor, codes,
                [&](float code) { return scale.scale * (static_cast<double>(code) - scale.zero_point); });
        });
        for (const planned_group& group : plan_.groups) // the layer whose result is real
            if (group.weights && !plan_.tensors[group.where.output])
                add(group.where.output, results, [](float x) { return static_cast<double>(x); });
        for (std::size_t i = 0; i < results.size(); ++i)
            logits_.add(static_cast<double>(floats[floats.logits()][i]), static_cast<double>(results[i]));
        add_result(whole_, floats, results);
    }
    void add_result(result_difference& to, const float_tensors& floats, std::span<const float> others) const {
        const std::vector<std::size_t>& shape = plan_.net.tensors[floats.logits()].shape;
        const std::size_t classes = shape.empty() ? 1 : shape[0];
        to.add(floats[floats.logits()], others, classes, element_count(shape) / classes);
    }
    void keep_measures(bool sensitivity) {
        for (std::size_t g = 0; g < plan_.groups.size(); ++g) {
            const bool is_real = plan_.groups[g].weights && !plan_.tensors[plan_.groups[g].where.output];
            if (plan_.tensors[plan_.groups[g].where.output] || is_real)
                to_.layers[g].error = errors_[g].error();
            if (sensitivity && rounds(g))
                to_.layers[g].sensitivity = alone_[g].mean();
        }
        if (!to_.accuracy.agreement)
            to_.accuracy.agreement = whole_.mean().agreement;
        if (!to_.accuracy.logits_sqnr_db)
            to_.accuracy.logits_sqnr_db = logits_.error().sqnr_db;
    }

    const calibration& seen_;
    const plan& plan_;
    const report_inputs& inputs_;
    std::size_t image_ = 0;
    network_report to_{};
    std::vector<error_sum> errors_{};
    std::vector<result_difference> alone_{};
    error_sum logits_{};
    result_difference whole_{};
};

} // namespace detail

/// Reports a plan that was made of a calibration, see above. Raises shape_error for the calibration of another network
/// and for floats that are no whole images, range_error for a step of a group that does not exist.
[[nodiscard]] inline network_report make_report(const calibration& seen, const plan& from,
                                                const report_inputs& inputs = {}) {
    return detail::report_builder(seen, from, inputs).make();
}

} // namespace notch

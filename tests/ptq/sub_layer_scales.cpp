// Scales and codes that make the error of a layer's result small: the quadratic form is that error, nothing gets worse, finer
// is never worse, and threads change nothing.
#include "catch.hpp"
#include "deploy/random_network.hpp"
#include "threads_backwards.hpp"

#include <notch/model/forward.hpp>
#include <notch/ptq/calibrate.hpp>
#include <notch/ptq/make_plan.hpp>
#include <notch/ptq/measure_moments.hpp>
#include <notch/ptq/round_to_results.hpp>
#include <notch/ptq/sub_layer_scales.hpp>

#include <cmath>
#include <cstddef>
#include <limits>
#include <vector>

using namespace notch;
using notch_test::network_builder;

namespace {

// Dense, grouped, depthwise and pointwise convolutions, strides and padding, a product over an image.
network_builder several_layers() {
    network_builder b(11, {3, 9, 8});
    b.conv(16, 3, {{1, 1}, {1, 1}, {1, 1, 1, 1}});
    b.add(clip{});
    b.conv(16, 3, {{2, 1}, {1, 1}, {0, 1, 1, 1}}, 4);
    b.add(clip{0, 6});
    b.conv(16, 3, {{1, 1}, {2, 2}, {2, 2, 2, 2}}, 16);
    b.add(clip{});
    b.conv(20, 1, {});
    b.add(reshape{});
    b.product(7);
    return b;
}

struct scene {
    network net;
    std::vector<float> images;
    calibration seen;
};

scene make_scene() {
    network_builder b = several_layers();
    scene s{b.net, b.random.normals(6 * 3 * 9 * 8), {}};
    s.seen = calibrate(s.net, s.images);
    return s;
}

quantization_policy policy_of(int bits, const grain& cut, scale_form form) {
    quantization_policy policy;
    policy.weights.bits = bits;
    policy.weights.cut = cut;
    policy.scales = form;
    policy.first_last_bits = 0;
    return policy;
}

double total_error(const plan& of, std::size_t g, const layer_moments& moments) {
    return detail::error_of(*of.groups[g].weights, moments);
}

} // namespace

TEST_CASE("the quadratic form is the square error of the layer's result") {
    const scene s = make_scene();
    const plan p = make_plan(s.seen, policy_of(4, grain::block(4, 3), scale_form::power_of_two));
    const auto moments = measure_moments(p, s.images);
    // Directly: inputs of each layer as codes, weights as codes, against what the float network gives.
    const float_program program(p.net);
    std::vector<float> results(6 * program.output_size());
    std::vector<std::vector<double>> inputs(p.net.tensors.size());
    std::size_t checked = 0;
    program.run(s.images, 6, results, [&](std::size_t tensor, std::span<const float> values) {
        for (std::size_t g = 0; g < p.groups.size(); ++g) {
            if (!p.groups[g].weights || p.net.layers[p.groups[g].where.layer].output != tensor)
                continue;
            const planned_weights& w = *p.groups[g].weights;
            const detail::layer_numbers numbers = detail::numbers_of(p, g);
            const std::vector<double>& x = inputs[p.groups[g].where.inputs[0]];
            std::vector<std::size_t> in = p.net.tensors[p.groups[g].where.inputs[0]].shape;
            std::vector<std::size_t> out = p.net.tensors[tensor].shape;
            if (in.size() == 1) {
                in.assign(w.shape.begin() + 1, w.shape.end());
                out = {out[0], 1, 1};
            }
            double error = 0;
            double energy = 0;
            std::size_t at = 0;
            for (std::size_t n = 0; n < 6; ++n)
                for (std::size_t o = 0; o < out[0]; ++o)
                    for (std::size_t oh = 0; oh < out[1]; ++oh)
                        for (std::size_t ow = 0; ow < out[2]; ++ow, ++at) {
                            const std::size_t first = o / (out[0] / numbers.groups) * w.shape[1];
                            double sum = 0;
                            for (std::size_t i = 0; i < w.shape[1]; ++i)
                                for (std::size_t kh = 0; kh < w.shape[2]; ++kh)
                                    for (std::size_t kw = 0; kw < w.shape[3]; ++kw) {
                                        const std::size_t h = oh * numbers.window.stride[0] +
                                                              kh * numbers.window.dilation[0] -
                                                              numbers.window.padding[0];
                                        const std::size_t v = ow * numbers.window.stride[1] +
                                                              kw * numbers.window.dilation[1] -
                                                              numbers.window.padding[1];
                                        if (h >= in[1] || v >= in[2])
                                            continue;
                                        const std::size_t k = (i * w.shape[2] + kh) * w.shape[3] + kw;
                                        sum += w.scale(o, i) * w.codes[o * w.shape[1] * w.taps() + k] *
                                               x[((n * in[0] + first + i) * in[1] + h) * in[2] + v];
                                    }
                            const double y =
                                static_cast<double>(values[at] - (numbers.bias.empty() ? 0.0F : numbers.bias[o]));
                            error += (y - sum) * (y - sum);
                            energy += y * y;
                        }
            INFO(p.net.layers[p.groups[g].where.layer].name);
            CHECK(total_error(p, g, *moments[g]) == Approx(error).epsilon(1e-9));
            double sum_of_energy = 0;
            for (const double e : moments[g]->energy)
                sum_of_energy += e;
            CHECK(sum_of_energy == Approx(energy).epsilon(1e-9));
            CHECK(moments[g]->positions == static_cast<double>(6 * out[1] * out[2]));
            ++checked;
        }
        if (p.tensors[tensor]) {
            std::vector<float> steps;
            detail::to_code_steps(values, *p.tensors[tensor], steps);
            inputs[tensor].assign(steps.begin(), steps.end());
            for (double& x : inputs[tensor])
                x *= p.tensors[tensor]->scale;
        }
    });
    CHECK(checked == 5);
}

TEST_CASE("a search makes no layer worse, and its account is right") {
    const scene s = make_scene();
    for (const scale_form form : {scale_form::power_of_two, scale_form::fixed_point, scale_form::real})
        for (const grain& cut : {grain::tensor(), grain::channel(), grain::group(5), grain::block(4, 4)})
            for (const int bits : {2, 4, 8}) {
                INFO(to_string(form) << ", " << to_string(cut) << ", W" << bits);
                plan p = make_plan(s.seen, policy_of(bits, cut, form));
                const auto moments = measure_moments(p, s.images);
                double before = 0;
                double after = 0;
                for (std::size_t g = 0; g < p.groups.size(); ++g) {
                    if (!moments[g])
                        continue;
                    const layer_moments centred = moments[g]->centred();
                    const double old = total_error(p, g, centred);
                    const scale_search_result found = search_scales(p, g, *moments[g]);
                    CHECK(found.before == old);
                    CHECK(found.after == total_error(p, g, centred));
                    CHECK(found.after <= found.before);
                    const scale_search_result rounded = round_to_results(p, g, *moments[g], {.damping = 0});
                    CHECK(rounded.before == found.after);
                    CHECK(rounded.after <= rounded.before * (1 + 1e-12));
                    CHECK(rounded.after == total_error(p, g, centred));
                    before += found.before;
                    after += rounded.after;
                }
                CHECK(after < before);
            }
}

TEST_CASE("a finer grain that starts at a coarser one is never worse") {
    const scene s = make_scene();
    for (const scale_form form : {scale_form::power_of_two, scale_form::real})
        for (const int bits : {3, 4}) {
            const std::vector<grain> chain{grain::tensor(),    grain::block(16, 8), grain::block(8, 4),
                                           grain::block(4, 2), grain::block(2, 1),  grain::block(1, 1)};
            std::vector<double> last(20, std::numeric_limits<double>::infinity());
            plan coarser;
            for (const grain& cut : chain) {
                INFO(to_string(form) << ", W" << bits << ", " << to_string(cut));
                plan p = make_plan(s.seen, policy_of(bits, cut, form));
                const auto moments = measure_moments(p, s.images);
                for (std::size_t g = 0; g < p.groups.size(); ++g) {
                    if (!moments[g])
                        continue;
                    search_scales(p, g, *moments[g], {},
                                  coarser.groups.empty() ? nullptr : &*coarser.groups[g].weights);
                    const double error = total_error(p, g, moments[g]->centred());
                    CHECK(error <= last[g] * (1 + 1e-12));
                    last[g] = error;
                }
                coarser = p;
            }
        }
}

TEST_CASE("importances of outputs weigh the error that falls") {
    const scene s = make_scene();
    std::size_t better = 0;
    for (const scale_form form : {scale_form::power_of_two, scale_form::real})
        for (const grain& cut : {grain::tensor(), grain::block(16, 1), grain::block(8, 4)}) {
            plan p = make_plan(s.seen, policy_of(3, cut, form));
            const auto moments = measure_moments(p, s.images);
            for (std::size_t g = 0; g < p.groups.size(); ++g) {
                if (!moments[g])
                    continue;
                std::vector<double> importance(moments[g]->outputs, 1e-3);
                importance[0] = 1;
                plan plain = p;
                search_scales(plain, g, *moments[g]);
                const layer_moments about_means = moments[g]->centred();
                const auto weighted = [&](const plan& of) {
                    return detail::error_of(*of.groups[g].weights, about_means, importance);
                };
                const double before = weighted(p);
                const scale_search_result found = search_scales(p, g, *moments[g], {}, nullptr, importance);
                CHECK(found.before == before);
                CHECK(found.after == weighted(p));
                CHECK(found.after <= found.before);
                better += weighted(p) < 0.9 * weighted(plain) ? 1U : 0U;
            }
        }
    CHECK(better > 5);
}

TEST_CASE("what a search for scales refuses") {
    const scene s = make_scene();
    plan p = make_plan(s.seen, policy_of(4, grain::block(4, 4), scale_form::power_of_two));
    const auto moments = measure_moments(p, s.images);
    const auto search = [&](const std::vector<double>& importance, const planned_weights* coarser = nullptr) {
        search_scales(p, 0, *moments[0], {}, coarser, importance);
    };
    CHECK_THROWS_AS(search({1, 1, 1}), shape_error);
    CHECK_THROWS_WITH(search({1, 1, 1}), containing("importances of 3 outputs; it has 16"));
    std::vector<double> wrong(16, 1.0);
    wrong[5] = -1;
    CHECK_THROWS_AS(search(wrong), range_error);
    CHECK_THROWS_WITH(search(wrong), containing("importance -1 of output 5"));
    wrong[5] = std::numeric_limits<double>::quiet_NaN();
    CHECK_THROWS_AS(search(wrong), range_error);
    scale_search_options none;
    none.candidates = 0;
    CHECK_THROWS_AS(search_scales(p, 0, *moments[0], none), range_error);
    const plan other = make_plan(s.seen, policy_of(4, grain::block(6, 4), scale_form::power_of_two));
    CHECK_THROWS_AS(search({}, &*other.groups[0].weights), shape_error);
    CHECK_THROWS_WITH(search({}, &*other.groups[0].weights), containing("are no parts of blocks of 6 x 3"));
}

TEST_CASE("a block of everything is per tensor, a block of one output per channel") {
    const scene s = make_scene();
    for (const scale_form form : {scale_form::power_of_two, scale_form::real}) {
        const auto codes = [&](const grain& cut) {
            plan p = make_plan(s.seen, policy_of(4, cut, form));
            const auto moments = measure_moments(p, s.images);
            std::vector<std::vector<std::int8_t>> all;
            std::vector<std::vector<double>> scales;
            for (std::size_t g = 0; g < p.groups.size(); ++g)
                if (moments[g]) {
                    search_scales(p, g, *moments[g]);
                    round_to_results(p, g, *moments[g]);
                    all.push_back(p.groups[g].weights->codes);
                    scales.push_back(detail::block_scales(*p.groups[g].weights));
                }
            return std::pair(all, scales);
        };
        CHECK(codes(grain::tensor()) == codes(grain::block(1000, 1000)));
        CHECK(codes(grain::channel()) == codes(grain::block(1, 1000)));
    }
}

TEST_CASE("what is found does not depend on the executor") {
    const scene s = make_scene();
    const auto found = [&](auto&& run) {
        plan p = make_plan(s.seen, policy_of(4, grain::block(4, 4), scale_form::power_of_two));
        const auto moments = measure_moments(p, s.images, run);
        std::vector<std::vector<std::int8_t>> all;
        for (std::size_t g = 0; g < p.groups.size(); ++g)
            if (moments[g]) {
                search_scales(p, g, *moments[g], {}, nullptr, {}, run);
                round_to_results(p, g, *moments[g], {}, run);
                all.push_back(p.groups[g].weights->codes);
            }
        return all;
    };
    CHECK(found(serial{}) == found(threads_backwards{}));
}

TEST_CASE("the bias keeps the mean of every result") {
    const scene s = make_scene();
    plan p = make_plan(s.seen, policy_of(3, grain::channel(), scale_form::real));
    const auto moments = measure_moments(p, s.images);
    for (std::size_t g = 0; g < p.groups.size(); ++g) {
        if (!moments[g])
            continue;
        search_scales(p, g, *moments[g]);
        const planned_weights& w = *p.groups[g].weights;
        const detail::layer_numbers numbers = detail::numbers_of(p, g);
        for (std::size_t o = 0; o < w.shape[0]; ++o) {
            const double unit = sum_scale(w, *p.tensors[p.groups[g].where.inputs[0]], o);
            double mean = unit * w.bias[o] * moments[g]->positions;
            const std::size_t depth = moments[g]->depth;
            for (std::size_t k = 0; k < depth; ++k)
                mean += w.scale(o, k / w.taps()) * w.codes[o * depth + k] *
                        moments[g]->inputs[moments[g]->group_of(o) * depth + k];
            const double wanted =
                moments[g]->results[o] +
                moments[g]->positions * (numbers.bias.empty() ? 0.0 : static_cast<double>(numbers.bias[o]));
            CHECK(std::abs(mean - wanted) / moments[g]->positions <= unit / 2 * (1 + 1e-9));
        }
    }
}

TEST_CASE("the angle is another aim than the square error") {
    const scene s = make_scene();
    plan p = make_plan(s.seen, policy_of(2, grain::channel(), scale_form::real));
    const auto moments = measure_moments(p, s.images);
    const auto angle = [&](std::size_t g, std::size_t o) {
        const planned_weights& w = *p.groups[g].weights;
        const layer_moments centred = moments[g]->centred();
        double n = 0;
        double d = 0;
        for (std::size_t i = 0; i < centred.depth; ++i) {
            const double a = w.scale(o, i / w.taps()) * w.codes[o * centred.depth + i];
            n += a * centred.products[o * centred.depth + i];
            for (std::size_t j = 0; j < centred.depth; ++j)
                d += a * centred.gram(o)[i * centred.depth + j] * w.scale(o, j / w.taps()) *
                     w.codes[o * centred.depth + j];
        }
        return d > 0 ? n / std::sqrt(d * centred.energy[o]) : 0.0;
    };
    std::size_t better = 0;
    std::vector<double> before;
    for (std::size_t o = 0; o < 16; ++o)
        before.push_back(angle(0, o));
    search_scales(p, 0, *moments[0], {.metric = output_metric::cosine});
    for (std::size_t o = 0; o < 16; ++o)
        better += angle(0, o) >= before[o] - 1e-12 ? 1U : 0U;
    CHECK(better == 16);
}

TEST_CASE("scales that are given are checked") {
    const std::vector<float> values(8, 1.0F);
    const weights_to_fit from{values, {4, 2, 1, 1}, {}, "layer"};
    weight_policy policy;
    policy.cut = grain::block(2, 1);
    CHECK_THROWS_WITH(fit_weights(from, policy, scale_form::real, std::vector<double>{1, 1, 1}),
                      containing("'layer': 3 scales for 4 blocks"));
    CHECK_THROWS_WITH(fit_weights(from, policy, scale_form::real, std::vector<double>{1, 1, 0, 1}),
                      containing("scale 0 of block 2 is not positive and finite"));
    const scene s = make_scene();
    const plan p = make_plan(s.seen, policy_of(4, grain::channel(), scale_form::real));
    CHECK_THROWS_WITH(measure_moments(p, std::vector<float>(5)), containing("5 floats are no whole number"));
}

TEST_CASE("the golden vector of blocks") {
    const std::vector<std::vector<double>> w{
        {0.9, -0.3, 0.1, 0.05}, {0.4, 0.7, -0.08, 0.02}, {0.06, 0.01, 0.5, -0.45}, {-0.03, 0.04, 0.2, 0.6}};
    struct block {
        std::size_t row, column;
        double scale;
        std::vector<int> codes;
    };
    for (const block& b : {block{0, 0, 0.12, {7, -2, 3, 6}}, block{0, 2, 0.1 / 7.5, {7, 4, -6, 2}},
                           block{2, 0, 0.008, {7, 1, -4, 5}}, block{2, 2, 0.08, {6, -6, 3, 7}}}) {
        double largest = 0;
        std::vector<double> values;
        for (std::size_t r = b.row; r < b.row + 2; ++r)
            for (std::size_t c = b.column; c < b.column + 2; ++c) {
                values.push_back(w[r][c]);
                largest = std::max(largest, std::abs(w[r][c]));
            }
        const detail::weight_range range = detail::range_of(4);
        CHECK(largest / (range.highest + 0.5) == Approx(b.scale).epsilon(1e-12)); // the whole of search_scales
        for (std::size_t k = 0; k < 4; ++k) {
            const double steps = values[k] / b.scale;
            CHECK(std::min(std::floor(steps + 0.5 + 1e-9), range.highest) == b.codes[k]); // ties up, as it was made
            if (std::abs(steps - std::floor(steps) - 0.5) > 1e-9)
                CHECK(detail::code_of(values[k], 1 / b.scale, range) == b.codes[k]);
        }
    }
}

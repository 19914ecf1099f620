/// @file
/// Reports: numbers against those made by hand, JSON that is JSON, HTML that loads nothing and trusts no name.
#include "catch.hpp"

#include <notch/deploy/report.hpp>
#include <notch/deploy/report_html.hpp>
#include <notch/deploy/report_json.hpp>
#include <notch/deploy/simulate.hpp>
#include <notch/model/forward.hpp>
#include <notch/model/shapes.hpp>
#include <notch/ptq/calibrate.hpp>
#include <notch/ptq/make_plan.hpp>

#if __has_include(<nlohmann/json.hpp>)
#include <nlohmann/json.hpp>
#define NOTCH_TEST_HAS_JSON 1
#else
#define NOTCH_TEST_HAS_JSON 0
#endif

#include <algorithm>
#include <cctype>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace {

using namespace notch;

const std::string hostile = "</title><script>alert('1 & 2')</script>\"";

/// Numbers that look random, between -1 and 1.
std::vector<float> numbers(std::size_t count, std::uint32_t seed) {
    std::vector<float> to(count);
    for (float& x : to) {
        seed = seed * 1664525U + 1013904223U;
        x = static_cast<float>(seed >> 8) / 8388608.0F - 1.0F;
    }
    return to;
}

/// Conv 3x3 of 2 channels to 3 on 4 x 4 pixels, Relu, Flatten, Gemm to 2.
network small_network() {
    network net;
    net.name = "small";
    const std::size_t x = net.add_tensor("input", {2, 4, 4});
    const std::size_t a = net.add_tensor("a");
    const std::size_t b = net.add_tensor("b");
    const std::size_t c = net.add_tensor("c");
    const std::size_t y = net.add_tensor("y");
    net.input = x;
    net.output = y;
    net.layers.push_back(
        {hostile, convolution{{{3, 2, 3, 3}, numbers(54, 1)}, numbers(3, 2), {.padding = {1, 1, 1, 1}}, 1}, {x}, a});
    net.layers.push_back({"relu", clip{0}, {a}, b});
    net.layers.push_back({"flatten", reshape{}, {b}, c});
    net.layers.push_back({"fc", linear{{{2, 48}, numbers(96, 3)}, numbers(2, 4)}, {c}, y});
    infer_shapes(net);
    return net;
}

/// Everything about the small network.
struct small_case {
    std::vector<float> images = numbers(32 * 6, 5);
    quantization_policy policy{};
    calibration seen{};
    plan made{};

    small_case() : seen(calibrate(small_network(), images)) {
        policy.weights.bits = 4;
        policy.first_last_bits = 0;
        made = make_plan(seen, policy);
    }
    [[nodiscard]] report_inputs inputs() const {
        return {.policy = policy, .images = images, .batch = 4, .sensitivity = true};
    }
};

std::size_t occurrences(std::string_view text, std::string_view part) {
    std::size_t count = 0;
    for (std::size_t at = text.find(part); at != std::string_view::npos; at = text.find(part, at + 1))
        ++count;
    return count;
}

/// Reads JSON by its grammar; true where all of it is.
class json_reader {
public:
    explicit json_reader(std::string_view text) : rest_(text) {}
    bool accepts() { return value() && (skip(), rest_.empty()); }

private:
    void skip() {
        while (!rest_.empty() && std::isspace(static_cast<unsigned char>(rest_[0])) != 0)
            rest_.remove_prefix(1);
    }
    bool take(std::string_view word) {
        skip();
        const bool found = rest_.substr(0, word.size()) == word;
        if (found)
            rest_.remove_prefix(word.size());
        return found;
    }
    bool value() {
        if (take("{"))
            return list('}', [this] { return string() && take(":") && value(); });
        if (take("["))
            return list(']', [this] { return value(); });
        return take("true") || take("false") || take("null") || string() || number();
    }
    template <class F> bool list(char close, const F& element) {
        if (take({&close, 1}))
            return true;
        do {
            if (!element())
                return false;
        } while (take(","));
        return take({&close, 1});
    }
    bool string() {
        if (!take("\""))
            return false;
        for (; !rest_.empty() && rest_[0] != '"'; rest_.remove_prefix(1)) {
            if (static_cast<unsigned char>(rest_[0]) < 0x20)
                return false;
            if (rest_[0] == '\\')
                rest_.remove_prefix(1);
        }
        return take("\"");
    }
    bool number() {
        const std::size_t length = rest_.find_first_not_of("+-.0123456789eE");
        const bool found = length != 0 && !rest_.empty();
        rest_.remove_prefix(found ? std::min(length, rest_.size()) : 0);
        return found;
    }
    std::string_view rest_;
};

} // namespace

TEST_CASE("Weights beyond the codes are counted, and their error measured") {
    planned_weights weights;
    weights.bits = 4;
    weights.cut = grain::channel();
    weights.shape = {2, 2, 1, 1};
    weights.block_inputs = 2;
    weights.exponents = {0, -1};
    weights.base = {1, 1};
    weights.bias = {0, 0};
    weights.codes = {1, -2, 0, 7};
    weights.floored = {1};
    const std::vector<float> floats{1.0F, -2.0F, 0.125F, 4.5F}; // in scales: 1, -2, 0.25, 9
    const weight_report report = detail::report_of(weights, floats, scale_form::power_of_two);
    CHECK(report.clipped == 0.25);
    // errors 0, 0, 0.125, 1
    CHECK(report.error.sqnr_db == Approx(10 * std::log10((1 + 4 + 0.015625 + 20.25) / (0.015625 + 1))));
    CHECK(report.error.cosine == Approx((1 + 4 + 0 + 15.75) / std::sqrt(25.265625 * 17.25)));
    CHECK(report.scales == std::vector<double>{1, 0.5});
    CHECK(report.exponents == std::vector<std::int32_t>{0, -1});
    CHECK(report.least_scale == 0.5);
    CHECK(report.largest_scale == 1);
    CHECK(report.floored == std::vector<std::uint32_t>{1});
    CHECK(report.grain == "channel");
    CHECK(report.bytes == 2 + 2 + 8);
    CHECK(report.values.min == -2);
    CHECK(report.steps.max == 9);
    CHECK(report.steps.counts.size() <= 16);
}

TEST_CASE("Weights in two parts are compared as the sum of both") {
    planned_weights weights;
    weights.bits = 4;
    weights.cut = grain::channel();
    weights.shape = {1, 1, 1, 3};
    weights.exponents = {-1};
    weights.base = {1};
    weights.bias = {0};
    weights.codes = {1, 5, -3};
    weights.coarse = coarse_weights{.bits = 4, .first = {0, 1}, .extent = {1, 1}, .codes = {3}, .exponents = {2}};
    const std::vector<float> floats{0.5F, 14.75F, -1.5F}; // 1/2, 5/2 + 3 * 4, -3/2: 1/4 is missing
    const weight_report report = detail::report_of(weights, floats, scale_form::power_of_two);
    CHECK(report.clipped == 0);
    CHECK(report.error.sqnr_db == Approx(10 * std::log10((0.25 + 217.5625 + 2.25) / 0.0625)));
    CHECK(report.steps.max == 5.5);
    CHECK(report.values.max == 14.75);
}

TEST_CASE("Values beyond the codes of a tensor are counted on both sides") {
    histogram seen("t");
    const std::vector<float> values{-3, -0.25F, 0, 0, 10, 100, 200, 300};
    seen.observe(std::span(values));
    tensor_codes codes;
    codes.scale = 1;
    codes.zero_point = 1;
    const tensor_report report = detail::report_of(codes, &seen, true);
    CHECK(report.lowest == -1);
    CHECK(report.highest == 254);
    CHECK(report.clipped_below == 0.125); // -3
    CHECK(report.clipped_above == 0.125); // 300
    CHECK(report.exponent == 0);
    const report_histogram bars = detail::bars_of(seen);
    CHECK(bars.count == 8);
    CHECK(bars.zeros == 2);
    CHECK(bars.counts.size() <= 128);
    std::uint64_t sum = bars.zeros;
    for (const std::uint64_t count : bars.counts)
        sum += count;
    CHECK(sum == 8);
    CHECK(bars.width == 4);
    CHECK(bars.counts.front() == 2); // -3 and -0.25
    CHECK(bars.counts.back() == 1);
}

TEST_CASE("Costs, names and shapes of a small network") {
    const small_case small;
    report_inputs inputs{.policy = small.policy, .seed = 7};
    inputs.steps = {{.group = 0, .seconds = 3e-6, .kernel = "one"}, {.group = 2, .seconds = 1e-6, .kernel = "two"}};
    const network_report report = make_report(small.seen, small.made, inputs);
    REQUIRE(report.layers.size() == 3);
    const layer_report& conv = report.layers[0];
    CHECK(conv.name == hostile);
    CHECK(conv.op == "Conv");
    CHECK(conv.window == "3x3");
    CHECK(conv.fused == std::vector<std::string>{"Relu"});
    CHECK(conv.input == std::vector<std::size_t>{2, 4, 4});
    CHECK(conv.output == std::vector<std::size_t>{3, 4, 4});
    CHECK(conv.macs == 3 * 2 * 9 * 16);
    CHECK(conv.parameters == 54 + 3);
    CHECK(conv.share == 0.75);
    CHECK(conv.kernel == "one");
    CHECK(report.layers[1].keeps_codes);
    CHECK_FALSE(report.layers[2].codes);
    CHECK(report.totals.macs == 864 + 96);
    CHECK(report.totals.parameters == 57 + 98);
    CHECK(report.totals.float_bytes == 4 * 155);
    CHECK(report.totals.packed_bytes == (27 + 3 + 12) + (48 + 2 + 8));
    CHECK(*report.totals.seconds == Approx(4e-6));
    CHECK(report.settings.grain == "channel");
    CHECK(report.settings.scales == "pot");
    CHECK(report.settings.calibration_images == 6);
    CHECK(report.settings.seed == 7U);
    CHECK_FALSE(conv.error);
    CHECK_FALSE(report.accuracy.agreement);
}

TEST_CASE("Errors are those of the simulation, whatever the batch") {
    const small_case small;
    report_inputs inputs = small.inputs();
    const network_report report = make_report(small.seen, small.made, inputs);
    inputs.batch = 1;
    const network_report again = make_report(small.seen, small.made, inputs);
    std::vector<float> floats(12);
    float_program(small.made.net).run(small.images, 6, floats);
    std::vector<float> simulated(12);
    simulator(small.made).run(small.images, 6, simulated, [](std::size_t, std::span<const float>) {});
    double signal = 0;
    double noise = 0;
    std::size_t same = 0;
    for (std::size_t i = 0; i < 12; ++i) {
        signal += std::pow(static_cast<double>(floats[i]), 2);
        noise += std::pow(static_cast<double>(floats[i]) - static_cast<double>(simulated[i]), 2);
    }
    for (std::size_t n = 0; n < 12; n += 2)
        same += (floats[n] < floats[n + 1]) == (simulated[n] < simulated[n + 1]) ? 1U : 0U;
    CHECK(*report.accuracy.logits_sqnr_db == Approx(10 * std::log10(signal / noise)));
    CHECK(*report.accuracy.agreement == Approx(static_cast<double>(same) / 6));
    CHECK(report.accuracy.images == 6U);
    CHECK(report.layers[2].error->sqnr_db == Approx(*report.accuracy.logits_sqnr_db));
    CHECK(report.layers[0].error->sqnr_db == Approx(report.layers[1].error->sqnr_db));
    for (std::size_t k = 0; k < 3; ++k)
        CHECK(again.layers[k].error->sqnr_db == Approx(report.layers[k].error->sqnr_db));
    CHECK(again.layers[0].sensitivity->divergence == Approx(report.layers[0].sensitivity->divergence));
}

TEST_CASE("Sensitivity is the divergence with one layer in codes") {
    const small_case small;
    const network_report report = make_report(small.seen, small.made, small.inputs());
    CHECK_FALSE(report.layers[1].sensitivity); // codes pass through
    network altered = small.made.net;
    auto& product = std::get<linear>(altered.layers.back().op);
    const planned_weights& weights = *small.made.groups[2].weights;
    const tensor_codes& input = *small.made.tensors[small.made.groups[2].where.inputs[0]];
    for (std::size_t k = 0; k < 96; ++k) // [2, 3, 4, 4]: a scale per output
        product.weights.values[k] = static_cast<float>(weights.scale(k / 48, 0) * weights.codes[k]);
    for (std::size_t o = 0; o < 2; ++o)
        product.bias[o] = static_cast<float>(sum_scale(weights, input, o) * weights.bias[o]);
    std::vector<float> p(12);
    std::vector<float> q(12);
    float_program(small.made.net).run(small.images, 6, p);
    float_program(altered).run(small.images, 6, q);
    double divergence = 0;
    for (std::size_t n = 0; n < 12; n += 2) { // two classes: a logistic function of the difference
        const auto share = [&](const std::vector<float>& x) {
            return 1 / (1 + std::exp(static_cast<double>(x[n + 1]) - static_cast<double>(x[n])));
        };
        divergence +=
            share(p) * std::log(share(p) / share(q)) + (1 - share(p)) * std::log((1 - share(p)) / (1 - share(q)));
    }
    CHECK(report.layers[2].sensitivity->divergence == Approx(divergence / 6).epsilon(1e-4));
    CHECK(report.layers[0].sensitivity->divergence > 0);
    report_inputs fewer = small.inputs();
    fewer.sensitivity_images = 2;
    CHECK(make_report(small.seen, small.made, fewer).layers[2].sensitivity->divergence !=
          report.layers[2].sensitivity->divergence);
    // Centre taps in a coarse part of the same scale stand for the same weights.
    plan parts = small.made;
    planned_weights& split = *parts.groups[0].weights;
    split.coarse =
        coarse_weights{.bits = 4, .first = {1, 1}, .extent = {1, 1}, .codes = {}, .exponents = split.exponents};
    for (std::size_t k = 4; k < split.codes.size(); k += 9) {
        split.coarse->codes.push_back(split.codes[k]);
        split.codes[k] = 0;
    }
    const network_report both = make_report(small.seen, parts, small.inputs());
    CHECK(both.layers[0].sensitivity->divergence == report.layers[0].sensitivity->divergence);
    CHECK(both.layers[0].weights->error.sqnr_db == report.layers[0].weights->error.sqnr_db);
}

TEST_CASE("JSON holds the report, with null for what is not finite") {
    const small_case small;
    network_report report = make_report(small.seen, small.made, small.inputs());
    report.layers[1].error = report_error{std::numeric_limits<double>::infinity(), 1};
    report.machine = "tab\t, quote \", byte \xff, euro \xe2\x82\xac, surrogate \xed\xa0\x80";
    const std::string json = to_json(report);
    CHECK(json_reader(json).accepts());
    CHECK_THAT(json, containing("tab\\u0009, quote \\\", byte \xef\xbf\xbd, euro \xe2\x82\xac, surrogate "
                                "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\""));
    CHECK_THAT(json, containing("\"sqnr_db\": null"));
    CHECK(json_reader(to_json({})).accepts());
#if NOTCH_TEST_HAS_JSON
    const nlohmann::json read = nlohmann::json::parse(json);
    CHECK(read["layers"].size() == 3);
    CHECK(read["layers"][0]["name"] == hostile);
    CHECK(read["layers"][1]["error"]["sqnr_db"].is_null());
    CHECK(read["layers"][0]["error"]["sqnr_db"].get<double>() == report.layers[0].error->sqnr_db);
    CHECK(read["layers"][0]["weights"]["exponents"].size() == 3);
    CHECK(read["layers"][2]["codes"].is_null());
    CHECK(read["totals"]["macs"] == 960);
    CHECK(read["accuracy"]["top1_float"].is_null());
#endif
}

TEST_CASE("HTML loads nothing, names every layer and trusts no name") {
    const small_case small;
    network_report report = make_report(small.seen, small.made, small.inputs());
    report.name = hostile;
    report.machine = hostile;
    report.settings.method = hostile;
    report.layers[0].kernel = hostile;
    report.layers[0].weights->floored = {0, 2};
    report.layers[1].name = "byte \xff, control \x01";
    report.layers[2].error->sqnr_db = 3;
    const std::string html = to_html(report);
    CHECK(occurrences(html, "<script") == 1);
    CHECK(occurrences(html, "alert(") == occurrences(html, "alert(&#39;1 &amp; 2&#39;)"));
    CHECK(occurrences(html, "&lt;/title&gt;&lt;script&gt;alert(&#39;1 &amp; 2&#39;)&lt;/script&gt;&quot;") > 5);
    for (const char* loading :
         {"http:", "https:", "src=", "url(", "@import", "<link", "<iframe", "<img", "\x01", "\xff"})
        CHECK(occurrences(html, loading) == 0);
    CHECK_THAT(html, containing("byte \xef\xbf\xbd, control \xef\xbf\xbd"));
    CHECK_THAT(html, containing("<bdi>fc</bdi>"));
    CHECK_THAT(html, containing("2 channels with a raised scale"));
    CHECK_THAT(html, containing("prefers-color-scheme:dark"));
    for (const char* id : {"id=\"layer-1\"", "id=\"layer-2\"", "id=\"layer-3\""})
        CHECK(occurrences(html, id) == 1);
    CHECK(occurrences(html, "nan") == 0);
}

TEST_CASE("HTML of numbers that are none, and of nothing") {
    const small_case small;
    network_report report = make_report(small.seen, small.made, {});
    CHECK(occurrences(to_html(report), "Sensitivity<") == 0);
    report.layers[0].error = report_error{std::numeric_limits<double>::quiet_NaN(), 0};
    report.layers[1].error = report_error{-std::numeric_limits<double>::infinity(), 0};
    report.layers[2].weights->error = {std::numeric_limits<double>::infinity(), 1};
    report.layers[2].activations = report_histogram{};
    report.accuracy.logits_sqnr_db = std::numeric_limits<double>::infinity();
    report.accuracy.mismatched_codes = 3;
    const std::string html = to_html(report);
    CHECK_THAT(html, containing("not a number"));
    CHECK_THAT(html, containing("exact"));
    CHECK_THAT(html, containing("The integer program is not what was simulated"));
    CHECK_THAT(to_html({}), containing("</html>"));
}

TEST_CASE("A report refuses images, steps and calibrations that do not fit") {
    const small_case small;
    const std::vector<float> half(16);
    CHECK_THROWS_AS(make_report(small.seen, small.made, {.images = half}), shape_error);
    report_inputs inputs;
    inputs.steps = {{.group = 3}};
    CHECK_THROWS_AS(make_report(small.seen, small.made, inputs), range_error);
    CHECK_THROWS_AS(make_report(calibration(), small.made), shape_error);
}

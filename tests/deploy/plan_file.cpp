// Plans as files: what comes back, and what is refused.
#include "catch.hpp"
#include "deploy/plan_bytes.hpp"
#include "deploy/random_plan.hpp"

#include <notch/deploy/as_qdq.hpp>
#include <notch/deploy/lower.hpp>
#include <notch/deploy/plan_file.hpp>
#include <notch/deploy/simulate.hpp>

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <limits>
#include <span>
#include <string>
#include <variant>
#include <vector>

using namespace notch_test;

namespace {

#if defined(NDEBUG)
constexpr std::uint64_t plans = 120;
#else
constexpr std::uint64_t plans = 24;
#endif

// The bytes of a plan that nobody has checked.
[[nodiscard]] std::vector<std::byte> unchecked_bytes(const notch::plan& from) {
    notch::detail::plan_writer to;
    notch::detail::each_field(to, from);
    return std::move(to).finish();
}

void check_equal(const notch::planned_weights& a, const notch::planned_weights& b) {
    CHECK(a.bits == b.bits);
    CHECK((a.cut == b.cut));
    CHECK(a.shape == b.shape);
    CHECK(a.codes == b.codes);
    CHECK(a.block_outputs == b.block_outputs);
    CHECK(a.block_inputs == b.block_inputs);
    CHECK(a.exponents == b.exponents);
    CHECK(a.base == b.base);
    CHECK(a.least == b.least);
    CHECK(a.bias == b.bias);
    CHECK(a.floored == b.floored);
    REQUIRE(a.coarse.has_value() == b.coarse.has_value());
    if (!a.coarse)
        return;
    CHECK(a.coarse->bits == b.coarse->bits);
    CHECK(a.coarse->first == b.coarse->first);
    CHECK(a.coarse->extent == b.coarse->extent);
    CHECK(a.coarse->codes == b.coarse->codes);
    CHECK(a.coarse->exponents == b.coarse->exponents);
}

void check_equal(const notch::network& a, const notch::network& b) {
    CHECK(a.name == b.name);
    CHECK(a.input == b.input);
    CHECK(a.output == b.output);
    REQUIRE(a.tensors.size() == b.tensors.size());
    for (std::size_t t = 0; t < a.tensors.size(); ++t) {
        CHECK(a.tensors[t].name == b.tensors[t].name);
        CHECK(a.tensors[t].shape == b.tensors[t].shape);
    }
    REQUIRE(a.layers.size() == b.layers.size());
    for (std::size_t i = 0; i < a.layers.size(); ++i) {
        CHECK(a.layers[i].name == b.layers[i].name);
        CHECK(a.layers[i].inputs == b.layers[i].inputs);
        CHECK(a.layers[i].output == b.layers[i].output);
        REQUIRE(a.layers[i].op.index() == b.layers[i].op.index());
        if (const auto* conv = std::get_if<notch::convolution>(&a.layers[i].op)) {
            const auto& other = std::get<notch::convolution>(b.layers[i].op);
            CHECK(conv->weights.shape == other.weights.shape);
            CHECK(conv->weights.values == other.weights.values);
            CHECK(conv->bias == other.bias);
            CHECK((conv->window == other.window));
            CHECK(conv->groups == other.groups);
        }
        if (const auto* product = std::get_if<notch::linear>(&a.layers[i].op)) {
            CHECK(product->weights.values == std::get<notch::linear>(b.layers[i].op).weights.values);
            CHECK(product->bias == std::get<notch::linear>(b.layers[i].op).bias);
        }
    }
}

void check_equal(const notch::plan& a, const notch::plan& b) {
    check_equal(a.net, b.net);
    CHECK(a.scales == b.scales);
    CHECK(a.input == b.input);
    CHECK(a.real_output == b.real_output);
    CHECK((a.tensors == b.tensors));
    REQUIRE(a.groups.size() == b.groups.size());
    for (std::size_t g = 0; g < a.groups.size(); ++g) {
        const notch::layer_group& x = a.groups[g].where;
        const notch::layer_group& y = b.groups[g].where;
        CHECK(x.layer == y.layer);
        CHECK(x.inputs == y.inputs);
        CHECK((x.residual == y.residual));
        CHECK(x.output == y.output);
        CHECK(x.last == y.last);
        CHECK(x.lowest == y.lowest);
        CHECK(x.highest == y.highest);
        REQUIRE(a.groups[g].weights.has_value() == b.groups[g].weights.has_value());
        if (a.groups[g].weights)
            check_equal(*a.groups[g].weights, *b.groups[g].weights);
    }
}

// Everything that a plan's program consists of, as far as it is bytes.
[[nodiscard]] std::vector<std::byte> program_bytes(const notch::plan& from) {
    const notch::program code = notch::lower(from);
    std::vector<std::byte> all;
    const auto add = [&](std::span<const std::byte> bytes) { all.insert(all.end(), bytes.begin(), bytes.end()); };
    const auto add_stage = [&](const notch::sum_stage& stage) {
        add(std::as_bytes(std::span(stage.bias)));
        add(std::as_bytes(std::span(stage.real)));
        add(std::as_bytes(std::span(stage.fixed.multipliers)));
        add(std::as_bytes(std::span(stage.fixed.exponents)));
        add(std::as_bytes(std::span(stage.residual.multipliers)));
        all.push_back(static_cast<std::byte>(stage.lowest));
        all.push_back(static_cast<std::byte>(stage.highest));
    };
    for (const notch::program_step& step : code.steps()) {
        all.push_back(static_cast<std::byte>(step.work.index()));
        add(std::as_bytes(std::span(step.inputs)));
        if (const auto* conv = std::get_if<notch::conv_step>(&step.work)) {
            add(conv->filters.weights().bytes());
            add_stage(conv->stage);
        }
        if (const auto* depthwise = std::get_if<notch::depthwise_step>(&step.work)) {
            add(depthwise->weights.bytes());
            add_stage(depthwise->stage);
        }
        if (const auto* product = std::get_if<notch::linear_step>(&step.work)) {
            add(product->weights.bytes());
            add_stage(product->stage);
        }
    }
    return all;
}

[[nodiscard]] std::vector<float> simulated(const notch::plan& from) {
    numbers random(5);
    const std::vector<float> images = random.normals(2 * notch::element_count(from.net.tensors[from.input].shape));
    std::vector<float> results(2 * notch::element_count(from.net.tensors[from.net.output].shape));
    std::vector<float> all;
    notch::simulator simulate(from);
    simulate.run(images, 2, results,
                 [&](std::size_t, std::span<const float> codes) { all.insert(all.end(), codes.begin(), codes.end()); });
    all.insert(all.end(), results.begin(), results.end());
    return all;
}

void check_same_export(const notch::plan& a, const notch::plan& b) {
    const notch::qdq_model x = notch::as_qdq(a);
    const notch::qdq_model y = notch::as_qdq(b);
    REQUIRE(x.layers.size() == y.layers.size());
    for (std::size_t i = 0; i < x.layers.size(); ++i) {
        REQUIRE(x.layers[i].weights.has_value() == y.layers[i].weights.has_value());
        if (!x.layers[i].weights)
            continue;
        CHECK(x.layers[i].weights->codes == y.layers[i].weights->codes);
        CHECK(x.layers[i].weights->params.scales == y.layers[i].weights->params.scales);
        REQUIRE(x.layers[i].bias.has_value() == y.layers[i].bias.has_value());
        if (x.layers[i].bias) {
            CHECK(x.layers[i].bias->codes == y.layers[i].bias->codes);
            CHECK(x.layers[i].bias->scales == y.layers[i].bias->scales);
        }
    }
}

// A residual block with weights that are split, and a product.
[[nodiscard]] notch::plan small_plan() {
    network_builder b(2, {2, 4, 3});
    b.conv(3, 3, {{1, 1}, {1, 1}, {1, 1, 1, 1}});
    const std::size_t skip = b.add(notch::clip{});
    b.conv(2, 1, {});
    b.add(notch::clip{});
    b.conv(3, 3, {{1, 1}, {1, 1}, {1, 1, 1, 1}});
    b.add(notch::sum{}, {b.at, skip});
    b.add(notch::clip{0, 6});
    b.add(notch::global_average_pool_layer{});
    b.product(2);
    b.add(notch::softmax{});
    const std::vector<float> images = b.random.normals(3 * 24);
    notch::quantization_policy policy;
    policy.weights.bits = 4;
    policy.weights.split = {.bits = 5, .least_gain = -1000};
    return notch::make_plan(notch::calibrate(b.net, images), policy);
}

void refuses(const std::function<void(notch::plan&)>& change, const std::string& words) {
    notch::plan changed = small_plan();
    change(changed);
    INFO(words);
    CHECK_THROWS_AS(notch::plan_from_bytes(unchecked_bytes(changed), "p"), notch::format_error);
    CHECK_THROWS_WITH(notch::plan_from_bytes(unchecked_bytes(changed), "p"), containing("p: ") && containing(words));
    CHECK_THROWS_AS(notch::plan_bytes(changed), notch::format_error);
}

// Reads bytes that may be anything. True where they are a plan, which then can be used.
bool use(std::span<const std::byte> bytes) {
    notch::plan read;
    try {
        read = notch::plan_from_bytes(bytes);
    } catch (const notch::format_error&) {
        return false;
    }
    CHECK(std::ranges::equal(notch::plan_bytes(read), bytes));
    try {
        static_cast<void>(simulated(read));
    } catch (const notch::error&) {
    }
    try {
        static_cast<void>(notch::lower(read));
    } catch (const notch::error&) {
    }
    static_cast<void>(notch::as_qdq(read));
    return true;
}

} // namespace

TEST_CASE("plans come back from their bytes with everything") {
    std::size_t split = 0;
    std::size_t real_outputs = 0;
    std::size_t residuals = 0;
    for (std::uint64_t seed = 0; seed < plans; ++seed) {
        INFO("seed " << seed);
        const notch::plan plan = random_plan(seed);
        const std::vector<std::byte> bytes = notch::plan_bytes(plan);
        const notch::plan again = notch::plan_from_bytes(bytes, "again");
        check_equal(plan, again);
        CHECK(notch::plan_bytes(again) == bytes);
        CHECK(simulated(plan) == simulated(again));
        CHECK(program_bytes(plan) == program_bytes(again));
        check_same_export(plan, again);
        real_outputs += plan.real_output ? 1U : 0U;
        for (const notch::planned_group& group : plan.groups) {
            split += group.weights && group.weights->coarse ? 1U : 0U;
            residuals += group.where.residual ? 1U : 0U;
        }
    }
    CHECK(split > 5);
    CHECK(real_outputs > 5);
    CHECK(residuals > 5);
}

TEST_CASE("constant maps before the input stay in a plan that is read") {
    network_builder b(9, {3, 5, 4});
    b.add(notch::affine_map{{0.5F}, {1, 2, 3}});
    b.add(notch::affine_map{{}, {-1}});
    b.conv(4, 3, {{1, 1}, {1, 1}, {1, 1, 1, 1}});
    const notch::plan plan = notch::make_plan(notch::calibrate(b.net, b.random.normals(2 * 60)));
    REQUIRE(plan.input != plan.net.input);
    const notch::plan again = notch::plan_from_bytes(notch::plan_bytes(plan));
    check_equal(plan, again);
    CHECK(std::get<notch::affine_map>(again.net.layers[0].op).offset == std::vector<float>{0, 1, 2});
}

TEST_CASE("plans are saved and loaded") {
    const auto folder = std::filesystem::temp_directory_path() / "notch_plan_file";
    std::filesystem::create_directories(folder);
    const std::string path = (folder / "net.plan").string();
    const notch::plan plan = small_plan();
    notch::save_plan(plan, path);
    check_equal(plan, notch::load_plan(path));

    notch::plan wrong = plan;
    wrong.groups[0].weights->bias.pop_back();
    CHECK_THROWS_AS(notch::save_plan(wrong, path), notch::format_error);
    check_equal(plan, notch::load_plan(path)); // the old file is as it was
    const auto files = std::filesystem::directory_iterator(folder);
    CHECK(std::distance(begin(files), end(files)) == 1);

    std::filesystem::resize_file(path, std::filesystem::file_size(path) - 1);
    CHECK_THROWS_WITH(notch::load_plan(path), containing("file '" + path + "': cannot read the plan: truncated"));
    CHECK_THROWS_AS(notch::load_plan((folder / "none.plan").string()), notch::format_error);
    if (std::filesystem::is_character_file("/dev/zero")) // a file without end
        CHECK_THROWS_WITH(notch::load_plan("/dev/zero"),
                          containing("file '/dev/zero': foreign bytes; a plan begins with"));
    CHECK_THROWS_AS(notch::save_plan(plan, (folder / "none" / "net.plan").string()), notch::format_error);
    std::filesystem::remove_all(folder);
}

TEST_CASE("no byte of a plan can change unnoticed") {
    const std::vector<std::byte> bytes = notch::plan_bytes(small_plan());
    for (std::size_t i = 0; i < bytes.size(); ++i)
        for (const unsigned mask : {0x01U, 0x80U, 0xffU}) {
            std::vector<std::byte> damaged = bytes;
            damaged[i] ^= static_cast<std::byte>(mask);
            INFO("byte " << i);
            CHECK_THROWS_AS(notch::plan_from_bytes(damaged), notch::format_error);
        }
}

TEST_CASE("a plan with a changed byte and the right checksum is a plan or refused") {
    const std::vector<std::byte> bytes = notch::plan_bytes(small_plan());
    std::size_t read = 0;
    for (std::size_t i = 0; i + 8 < bytes.size(); ++i)
        for (const unsigned mask : {0x01U, 0x02U, 0x10U, 0x80U, 0xffU}) {
            std::vector<std::byte> changed = bytes;
            changed[i] ^= static_cast<std::byte>(mask);
            INFO("byte " << i);
            read += use(with_checksum(std::move(changed))) ? 1U : 0U;
        }
    CHECK(read > 100); // float weights, biases, letters of names
}

TEST_CASE("a plan that is cut is refused") {
    const std::vector<std::byte> bytes = notch::plan_bytes(small_plan());
    for (std::size_t size = 0; size < bytes.size(); ++size) {
        std::vector<std::byte> cut(bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(size));
        INFO("size " << size);
        CHECK_THROWS_AS(notch::plan_from_bytes(cut), notch::format_error);
        if (size >= 32)
            CHECK_THROWS_AS(notch::plan_from_bytes(with_checksum(cut)), notch::format_error);
    }
    std::vector<std::byte> longer = bytes;
    longer.insert(longer.end() - 8, std::byte{0});
    CHECK_THROWS_WITH(notch::plan_from_bytes(with_checksum(longer), "p"), containing("p: ") && containing("too many"));
}

TEST_CASE("foreign frames are named") {
    const std::vector<std::byte> bytes = notch::plan_bytes(small_plan());
    const auto with = [&](std::size_t at, int value) {
        std::vector<std::byte> changed = bytes;
        changed[at] = static_cast<std::byte>(value);
        return with_checksum(changed);
    };
    CHECK_THROWS_WITH(notch::plan_from_bytes(with(0, 'N')), containing("foreign bytes"));
    CHECK_THROWS_WITH(notch::plan_from_bytes(with(8, 2)), containing("version 2; this library reads version 1"));
    CHECK_THROWS_WITH(notch::plan_from_bytes(with(12, 7)), containing("a plan of kind 7, not 1"));
    CHECK_THROWS_WITH(notch::plan_from_bytes({}), containing("truncated: 0 bytes"));
}

TEST_CASE("counts beyond the bytes are refused before anything is allocated") {
    const std::vector<std::byte> bytes = notch::plan_bytes(small_plan());
    for (std::size_t i = 24; i + 16 <= bytes.size(); ++i) { // wherever a count could be
        std::vector<std::byte> changed = bytes;
        for (std::size_t k = 0; k < 8; ++k)
            changed[i + k] = static_cast<std::byte>(k < 6 ? 0xff : 0);
        INFO("byte " << i);
        use(with_checksum(std::move(changed)));
    }
    std::vector<std::byte> changed = bytes;
    for (std::size_t k = 0; k < 8; ++k)
        changed[24 + k] = std::byte{0xff}; // letters of the network's name
    CHECK_THROWS_WITH(notch::plan_from_bytes(with_checksum(changed), "p"),
                      containing("plan.net.name has 18446744073709551615 elements of 1 byte"));
}

TEST_CASE("plans that contradict themselves are refused by name") {
    using notch::plan;
    constexpr float nan = std::numeric_limits<float>::quiet_NaN();
    const plan good = small_plan();
    REQUIRE(good.groups.size() == 7);
    REQUIRE(good.groups[2].weights->coarse);
    REQUIRE(good.groups[2].where.residual);

    SECTION("network") {
        refuses([](plan& p) { std::get<notch::convolution>(p.net.layers[0].op).weights.values[3] = nan; },
                "weights[3] is nan");
        refuses([](plan& p) { std::get<notch::convolution>(p.net.layers[0].op).weights.shape[0] = 4; }, "values");
        refuses([](plan& p) { std::get<notch::convolution>(p.net.layers[0].op).window.stride[0] = 0; }, "stride");
        refuses([](plan& p) { std::get<notch::clip>(p.net.layers[1].op).lowest = nan; }, "nan");
        refuses([](plan& p) { p.net.layers[0].inputs[0] = 100; }, "is tensor 100 of");
        refuses([](plan& p) { p.net.layers[0].output = 100; }, "is tensor 100 of");
        refuses([](plan& p) { p.net.input = 100; }, "is tensor 100 of");
        refuses([](plan& p) { p.net.output = 100; }, "is tensor 100 of");
        refuses([](plan& p) { p.net.layers[0].inputs[0] = p.net.layers[1].output; }, "no earlier layer writes");
        refuses([](plan& p) { std::swap(p.net.layers[0], p.net.layers[1]); }, "no earlier layer writes");
        refuses([](plan& p) { ++p.net.tensors[1].shape[1]; }, "extents");
        refuses([](plan& p) { p.net.tensors.push_back({"huge", {1U << 30, 1U << 30}}); }, "elements");
        refuses([](plan& p) { p.net.layers[1].op = notch::affine_map{}; }, "cannot stand in this group");
    }
    SECTION("codes of tensors") {
        refuses([](plan& p) { p.tensors.pop_back(); }, "codes for");
        refuses([](plan& p) { p.input = 100; }, "codes enter tensor 100");
        refuses([](plan& p) { p.input = p.groups[0].where.output; }, "more than constant maps");
        refuses([](plan& p) { p.tensors[p.input].reset(); }, "which has none");
        refuses([](plan& p) { p.tensors[p.input]->bits = 9; }, "bits is 9, outside [2, 8]");
        refuses([](plan& p) { p.tensors[p.input]->zero_point = 256; }, "zero_point is 256, outside [0, 255]");
        refuses([](plan& p) { p.tensors[p.input]->scale = 0; }, "scale is 0");
        refuses([](plan& p) { p.tensors[p.input]->scale = std::numeric_limits<double>::infinity(); }, "scale is inf");
        refuses([](plan& p) { ++p.tensors[p.input]->exponent; }, "the exponent beside it");
        refuses([](plan& p) { p.tensors[p.input]->scale *= 1.25; }, "the exponent beside it");
        refuses([](plan& p) { p.tensors[p.groups[0].where.output].reset(); }, "has no codes");
        refuses([](plan& p) { p.tensors[p.net.output] = p.tensors[p.input]; }, "softmax gives reals");
        refuses([](plan& p) { p.tensors[p.net.layers[0].output] = p.tensors[p.input]; }, "no group writes");
        refuses([](plan& p) { p.real_output = false; }, "real_output is false");
        refuses([](plan& p) { p.scales = notch::scale_form::real; }, "beside a scale that is no power of two");
    }
    SECTION("groups") {
        refuses([](plan& p) { p.groups[0].where.layer = 100; }, "begins with layer 100 of");
        refuses([](plan& p) { p.groups[0].where.last = 100; }, "group 0");
        refuses([](plan& p) { p.groups[0].where.inputs[0] = 100; }, "the layer reads");
        refuses([](plan& p) { p.groups[0].where.output = 100; }, "the last layer writes");
        refuses([](plan& p) { p.groups[0].where.residual = 0; }, "the residual is tensor 0");
        refuses([](plan& p) { p.groups[2].where.residual.reset(); }, "the residual is none");
        refuses([](plan& p) { p.groups[2].where.highest = 5; }, "bounds [0, 5]; the layers give [0, 6]");
        refuses([](plan& p) { p.groups[2].where.lowest = nan; }, "bounds");
        refuses([](plan& p) { std::swap(p.groups[0], p.groups[1]); }, "no earlier group writes");
        refuses([](plan& p) { p.groups.pop_back(); }, "is in no group");
        refuses([](plan& p) { p.groups[3] = p.groups[2]; }, "is in two groups");
        refuses([](plan& p) { p.groups.resize(100); }, "100 groups");
    }
    SECTION("weights") {
        refuses([](plan& p) { p.groups[0].weights.reset(); }, "the group none");
        refuses([](plan& p) { p.groups[3].weights = p.groups[0].weights; }, "the layer has no weights");
        refuses([](plan& p) { p.groups[0].weights->bits = 1; }, "bits is 1");
        refuses([](plan& p) { p.groups[2].weights->codes[7] = 8; }, "codes[7] is 8, outside [-8, 7] of 4 bits");
        refuses([](plan& p) { p.groups[0].weights->codes.pop_back(); }, "codes has 53 elements, not 54");
        refuses([](plan& p) { p.groups[0].weights->shape = {3, 2, 1, 9}; }, "the layer has [3, 2, 3, 3]");
        refuses([](plan& p) { p.groups[0].weights->shape.pop_back(); }, "the layer has [3, 2, 3, 3]");
        refuses([](plan& p) { p.groups[0].weights->block_inputs = 0; }, "blocks of 1 outputs and 0 inputs");
        refuses([](plan& p) { p.groups[0].weights->block_outputs = 3; }, "blocks of 3 outputs");
        refuses([](plan& p) { p.groups[0].weights->cut = notch::grain::block(0, 1); }, "blocks of 0 outputs");
        refuses([](plan& p) { p.groups[0].weights->cut = notch::grain::group(0); }, "blocks of 0 inputs");
        refuses([](plan& p) { p.groups[0].weights->exponents.pop_back(); }, "exponents has 2 elements, not 3");
        refuses([](plan& p) { p.groups[0].weights->exponents[1] = 1000; }, "exponents[1] is 1000, outside [-126, 126]");
        refuses([](plan& p) { p.groups[0].weights->base[1] = 1.5; }, "base[1] is 1.5, not 1");
        refuses([](plan& p) { p.groups[0].weights->base.clear(); }, "base has 0 elements, not 3");
        refuses([](plan& p) { ++p.groups[0].weights->least[2]; }, "least[2] is");
        refuses([](plan& p) { p.groups[0].weights->least.push_back(0); }, "least has 4 elements, not 3");
        refuses([](plan& p) { p.groups[0].weights->bias.clear(); }, "bias has 0 elements, not 3");
        refuses([](plan& p) { p.groups[0].weights->floored = {3}; }, "floored[0] is 3");
        refuses([](plan& p) { p.groups[0].weights->floored = {1, 1}; }, "floored[1] is 1");
        refuses([](plan& p) { p.groups[6].weights.emplace(); }, "the layer has no weights");
    }
    SECTION("coarse part") {
        refuses([](plan& p) { p.groups[2].weights->coarse->first[0] = 3; }, "coarse: 1 taps from tap 3 along axis 0");
        refuses([](plan& p) { p.groups[2].weights->coarse->extent[1] = 0; }, "0 taps from tap 1 along axis 1");
        refuses([](plan& p) { p.groups[2].weights->coarse->bits = 0; }, "coarse: bits is 0");
        refuses([](plan& p) { p.groups[2].weights->coarse->codes[0] = 16; }, "codes[0] is 16, outside [-16, 15]");
        refuses([](plan& p) { p.groups[2].weights->coarse->codes.pop_back(); }, "coarse: codes has 5 elements, not 6");
        refuses([](plan& p) { p.groups[2].weights->coarse->exponents.pop_back(); }, "coarse: exponents has 2");
        refuses([](plan& p) { p.groups[2].weights->coarse->exponents[0] = -127; }, "exponents[0] is -127");
        refuses([](plan& p) { p.groups[5].weights->coarse = p.groups[2].weights->coarse; }, "coarse");
    }
}

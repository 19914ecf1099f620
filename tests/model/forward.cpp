/// @file
/// Running networks: nothing depends on the batch, the executor or where tensors lie; products of floats.
#include "model/cases.hpp"
#include "threads_backwards.hpp"

#include <notch/model/float_gemm.hpp>

using namespace model_cases;

namespace {

/// A network of every kind of layer, with tensors of different lives.
notch::network any_network() {
    sequence random(11);
    builder b({3, 17, 15});
    const std::size_t stem = b.add(any_convolution(random, {16, 3, 3, 3}, {{1, 1}, {1, 1}, {1, 1, 1, 1}}));
    b.add(any_norm(random, 16));
    const std::size_t first = b.add(notch::clip{});
    b.add(any_convolution(random, {16, 1, 3, 3}, {{1, 1}, {1, 1}, {1, 1, 1, 1}}, 16));
    b.add(any_convolution(random, {16, 16, 1, 1}));
    const std::size_t second = b.add(notch::sum{}, {b.net.output, first});
    b.add(notch::concat{0}, {second, stem});
    b.add(notch::max_pool{{3, 3}, {{2, 2}, {1, 1}, {1, 1, 1, 1}}});
    b.add(notch::affine_map{{0.01F}, {}});
    b.add(any_convolution(random, {12, 8, 3, 3}, {{2, 1}, {1, 1}, {0, 1, 1, 0}}, 4));
    b.add(notch::global_average_pool_layer{});
    b.add(notch::reshape{});
    b.add(any_linear(random, 10, 12));
    return b.net;
}

} // namespace

TEST_CASE("a network of many layers is what its definition says") { require_plain(any_network(), 5); }

TEST_CASE("images do not depend on their batch") {
    const notch::network net = any_network();
    sequence random(12);
    const notch::float_program program(net);
    const std::size_t size = program.input_size();
    constexpr std::size_t batch = 41;
    const std::vector<float> images = random.reals(batch * size);
    const std::vector<float> all = run(net, images, batch);
    for (const std::size_t part : {1U, 2U, 7U, 40U}) {
        std::vector<float> result(all.size());
        for (std::size_t n = 0; n < batch; n += part) {
            const std::size_t count = std::min(part, batch - n);
            const auto from = std::span<const float>(images).subspan(n * size, count * size);
            const auto to = std::span<float>(result).subspan(n * 10, count * 10);
            if (part == 7)
                program.run(from, count, to, [](std::size_t, std::span<const float>) {});
            else
                program.run(from, count, to);
        }
        REQUIRE(result == all);
    }
}

TEST_CASE("images do not depend on the executor") {
    const notch::float_program program(any_network());
    sequence random(13);
    constexpr std::size_t batch = 70;
    const std::vector<float> images = random.reals(batch * program.input_size());
    std::vector<float> one(batch * 10);
    std::vector<float> other(batch * 10);
    program.run(images, batch, one);
    program.run(images, batch, other, threads_backwards{});
    REQUIRE(one == other);
    std::vector<double> totals(program.tensors().size());
    const auto look = [&](std::size_t tensor, std::span<const float> values) {
        double total = 0;
        for (const float x : values)
            total += double{x};
        totals[tensor] = total;
    };
    program.run(images, batch, one, look);
    const std::vector<double> serially = totals;
    program.run(images, batch, other, look, threads_backwards{});
    REQUIRE(one == other);
    REQUIRE(serially == totals);
}

TEST_CASE("memory is that of the tensors that live at a time") {
    builder b({4, 8, 8}); // 256 numbers
    for (int i = 0; i < 20; ++i)
        b.add(notch::clip{});
    REQUIRE(notch::float_program(b.net).arena_floats() == 2 * 256);
    builder kept({4, 8, 8});
    const std::size_t early = kept.add(notch::clip{});
    for (int i = 0; i < 20; ++i)
        kept.add(notch::clip{});
    kept.add(notch::sum{}, {early, kept.net.output});
    REQUIRE(notch::float_program(kept.net).arena_floats() == 3 * 256);
}

TEST_CASE("tensors that nobody reads do not disturb the others") {
    sequence random(14);
    builder b({4, 6, 6});
    const std::size_t x = b.add(notch::clip{-1, 1});
    for (int i = 0; i < 5; ++i)
        b.add(notch::affine_map{{2}, {1}}, {x});
    b.add(notch::sum{}, {x, 0});
    require_plain(b.net);
}

TEST_CASE("the output may be read by layers behind it") {
    builder b({2, 2});
    const std::size_t y = b.add(notch::affine_map{{2}, {}});
    b.add(notch::affine_map{{3}, {}});
    b.net.output = y;
    require_plain(b.net);
    REQUIRE(run(b.net, {1, 2, 3, 4}, 1) == std::vector<float>{2, 4, 6, 8});
}

TEST_CASE("no image is no work") {
    const notch::float_program program(any_network());
    program.run({}, 0, {});
    program.run({}, 0, {}, [](std::size_t, std::span<const float> values) { REQUIRE(values.empty()); });
}

TEST_CASE("spans of another size are named") {
    const notch::float_program program(any_network());
    std::vector<float> images(2 * program.input_size());
    std::vector<float> result(20);
    REQUIRE_THROWS_WITH(program.run(images, 1, result),
                        containing("the images have 1530 numbers; 1 x [3, 17, 15] are"));
    REQUIRE_THROWS_WITH(program.run(images, 2, std::span(result).first(19)),
                        containing("the destination has 19 numbers; 2 x [10] are"));
    REQUIRE_THROWS_AS(program.run(images, std::size_t{1} << 63, result), notch::shape_error);
}

TEST_CASE("products of floats") {
    sequence random(15);
    for (int round = 0; round < 60; ++round) {
        const std::size_t m = random.size(1, 110);
        const std::size_t n = random.size(1, round == 0 ? 1100 : 70);
        const std::size_t k = random.size(1, round % 4 == 0 ? 600 : 20);
        const bool at = random.between(0, 1) == 1;
        const bool bt = random.between(0, 1) == 1;
        const std::size_t a_stride = (at ? m : k) + random.size(0, 3);
        const std::size_t b_stride = (bt ? k : n) + random.size(0, 3);
        const std::size_t c_stride = n + random.size(0, 3);
        const std::vector<float> a = random.reals((at ? k : m) * a_stride);
        const std::vector<float> b = random.reals((bt ? n : k) * b_stride);
        const std::vector<float> bias = random.reals(m);
        const auto start = static_cast<notch::float_gemm_start>(round % 3);
        std::vector<float> c = random.reals(m * c_stride);
        const std::vector<float> before = c;
        const notch::float_operand left{a.data(), a_stride, at};
        const notch::float_operand right{b.data(), b_stride, bt};
        notch::float_gemm(m, n, k, left, right, start, bias.data(), c.data(), c_stride);
        std::vector<double> wanted(before.begin(), before.end());
        for (std::size_t i = 0; i < m; ++i)
            for (std::size_t j = 0; j < n; ++j) {
                double& total = wanted[i * c_stride + j];
                total = start == notch::float_gemm_start::sum    ? total
                        : start == notch::float_gemm_start::bias ? double{bias[i]}
                                                                 : 0.0;
                for (std::size_t l = 0; l < k; ++l)
                    total += double{*left.at(i, l)} * double{*right.at(l, j)};
            }
        require_near(c.data(), wanted, "product");
        for (std::size_t i = 0; i < m * c_stride; ++i)
            if (i % c_stride >= n)
                REQUIRE(c[i] == before[i]);
    }
}

TEST_CASE("products without columns or depth") {
    std::vector<float> c{1, 2};
    const std::vector<float> bias{5, 6};
    notch::float_gemm(2, 1, 0, {}, {}, notch::float_gemm_start::sum, nullptr, c.data(), 1);
    REQUIRE(c == std::vector<float>{1, 2});
    notch::float_gemm(2, 1, 0, {}, {}, notch::float_gemm_start::bias, bias.data(), c.data(), 1);
    REQUIRE(c == bias);
    notch::float_gemm(2, 0, 3, {}, {}, notch::float_gemm_start::zero, nullptr, c.data(), 1);
    REQUIRE(c == bias);
}

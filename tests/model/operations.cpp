/// @file
/// Every operation against its definition in doubles, with the corners of its parameters.
#include "model/cases.hpp"

using namespace model_cases;

TEST_CASE("a convolution of hand-made numbers") {
    // 1 channel, 2 x 3; kernel 2 x 2, padding left 1 and bottom 1.
    builder b({1, 2, 3});
    b.add(notch::convolution{{{1, 1, 2, 2}, {1, 10, 100, 1000}}, {0.5F}, {.padding = {0, 1, 1, 0}}});
    const std::vector<float> y = run(b.net, {1, 2, 3, 4, 5, 6}, 1);
    REQUIRE(y == std::vector<float>{4010.5F, 5421.5F, 6532.5F, 40.5F, 54.5F, 65.5F});
}

TEST_CASE("convolutions with asymmetric padding, strides, dilation and groups") {
    sequence random(1);
    for (int round = 0; round < 120; ++round) {
        const std::size_t groups = random.size(1, 3);
        const std::size_t inputs = random.size(1, 3);
        const std::size_t outputs = groups * random.size(1, 5);
        const std::size_t kh = random.size(1, 4);
        const std::size_t kw = random.size(1, 4);
        const notch::window over{{random.size(1, 3), random.size(1, 3)},
                                 {random.size(1, 2), random.size(1, 3)},
                                 {random.size(0, 4), random.size(0, 4), random.size(0, 4), random.size(0, 4)}};
        builder b({groups * inputs, random.size(7, 12), random.size(10, 20)});
        b.add(any_convolution(random, {outputs, inputs, kh, kw}, over, groups, round % 3 != 0));
        require_plain(b.net, 2);
    }
}

TEST_CASE("padding may be wider than the image") {
    sequence random(2);
    builder b({2, 3, 3});
    b.add(any_convolution(random, {3, 2, 3, 3}, {{1, 1}, {1, 1}, {9, 0, 0, 9}}));
    require_plain(b.net);
    builder depthwise({2, 3, 3});
    depthwise.add(any_convolution(random, {2, 1, 3, 3}, {{2, 2}, {1, 1}, {9, 8, 7, 6}}, 2));
    require_plain(depthwise.net);
}

TEST_CASE("convolutions of more rows, columns and taps than one block has") {
    sequence random(3);
    builder b({40, 30, 30});
    b.add(any_convolution(random, {101, 40, 3, 3}, {{1, 1}, {1, 1}, {1, 1, 1, 1}}));
    b.add(any_convolution(random, {7, 101, 1, 1}));
    require_plain(b.net, 1);
}

TEST_CASE("depthwise convolutions with a multiplier") {
    sequence random(4);
    for (const std::size_t multiplier : {1U, 2U, 3U})
        for (const std::size_t stride : {1U, 2U, 3U}) {
            builder b({5, 11, 18});
            b.add(any_convolution(random, {5 * multiplier, 1, 3, 3}, {{stride, stride}, {1, 1}, {1, 0, 0, 1}}, 5));
            require_plain(b.net);
        }
}

TEST_CASE("linear layers") {
    sequence random(5);
    for (const std::size_t inputs : {1U, 7U, 64U, 300U})
        for (const std::size_t outputs : {1U, 10U, 33U}) {
            builder b({inputs});
            b.add(any_linear(random, outputs, inputs, outputs != 10));
            require_plain(b.net, 13);
        }
}

TEST_CASE("maps, clipping and sums") {
    sequence random(6);
    builder b({5, 4, 3});
    const std::size_t norm = b.add(any_norm(random, 5));
    b.add(notch::affine_map{random.reals(5), random.reals(5)});
    b.add(notch::affine_map{{2.5F}, random.reals(5)});
    b.add(notch::affine_map{{}, {1.5F}});
    b.add(notch::affine_map{{0.5F}, {}});
    const std::size_t clipped = b.add(notch::clip{-0.5F, 1});
    b.add(notch::sum{}, {norm, clipped});
    b.add(notch::sum{}, {b.net.output, b.net.output});
    b.add(notch::clip{});
    require_plain(b.net);
    builder vector({6});
    vector.add(any_norm(random, 6));
    vector.add(notch::clip{0, 6});
    require_plain(vector.net);
}

TEST_CASE("clipping keeps what is no number") {
    builder b({3});
    b.add(notch::clip{0, 6});
    const float nan = std::numeric_limits<float>::quiet_NaN();
    const std::vector<float> y = run(b.net, {nan, -1, 7}, 1);
    REQUIRE(std::isnan(y[0]));
    REQUIRE(y[1] == 0.0F);
    REQUIRE(y[2] == 6.0F);
}

TEST_CASE("pooling of any geometry") {
    sequence random(7);
    int valid = 0;
    for (int round = 0; round < 300; ++round) {
        const std::array<std::size_t, 2> kernel{random.size(1, 4), random.size(1, 4)};
        const notch::window over{{random.size(1, 3), random.size(1, 3)},
                                 {random.size(1, 2), 1},
                                 {random.size(0, 2), random.size(0, 2), random.size(0, 2), random.size(0, 2)}};
        const bool ceil_mode = random.between(0, 1) == 1;
        builder b({2, random.size(4, 9), random.size(4, 9)});
        b.add(notch::max_pool{kernel, over, ceil_mode}, {0});
        b.add(notch::average_pool{kernel, over, ceil_mode, false}, {0});
        b.add(notch::average_pool{kernel, over, ceil_mode, true}, {0});
        try {
            notch::infer_shapes(b.net);
        } catch (const notch::shape_error&) {
            continue; // a window lies in the padding
        }
        ++valid;
        require_plain(b.net, 2);
    }
    REQUIRE(valid > 100);
}

TEST_CASE("a last window that reaches beyond the padding") {
    // ONNX: 5 pixels, kernel 2, stride 2: windows {1, 2}, {3, 4}, {5}.
    builder b({1, 1, 5});
    b.add(notch::average_pool{{1, 2}, {{1, 2}, {1, 1}, {}}, true, true});
    REQUIRE(run(b.net, {1, 2, 3, 4, 5}, 1) == std::vector<float>{1.5F, 3.5F, 5});
    builder floor({1, 1, 5});
    floor.add(notch::max_pool{{1, 2}, {{1, 2}, {1, 1}, {}}, false});
    REQUIRE(run(floor.net, {1, 2, 3, 4, 5}, 1) == std::vector<float>{2, 4});
}

TEST_CASE("global pooling, reshaping and soft maximum") {
    sequence random(8);
    builder b({6, 5, 7});
    const std::size_t input = b.net.output;
    b.add(notch::softmax{});
    b.add(notch::reshape{{3, 10, 7}}, {input});
    b.add(notch::reshape{{210}});
    b.add(notch::reshape{{6, 5, 7}});
    b.add(notch::global_average_pool_layer{});
    b.add(notch::reshape{});
    b.add(any_linear(random, 4, 6));
    b.add(notch::softmax{});
    require_plain(b.net);
}

TEST_CASE("soft maximum of large numbers") {
    builder b({2});
    b.add(notch::softmax{});
    REQUIRE(run(b.net, {1000, 1000}, 1) == std::vector<float>{0.5F, 0.5F});
}

TEST_CASE("concat along every axis") {
    for (const std::size_t axis : {0U, 1U, 2U}) {
        builder b({4, 5, 6});
        std::vector<std::size_t> begin(3, 0);
        begin[axis] = 2;
        const std::size_t part = b.add(notch::slice{begin, {4, 5, 6}, {1, 1, 1}});
        b.add(notch::concat{axis}, {part, 0, part});
        require_plain(b.net);
    }
}

TEST_CASE("slices with steps, and pads") {
    sequence random(9);
    for (int round = 0; round < 60; ++round) {
        notch::slice cut;
        notch::pad around{{}, {}, random.real()};
        for (int axis = 0; axis < 3; ++axis) {
            cut.begin.push_back(random.size(0, 4));
            cut.end.push_back(cut.begin.back() + random.size(1, 4));
            cut.step.push_back(random.size(1, 5));
            around.before.push_back(random.size(0, 2));
            around.after.push_back(random.size(0, 2));
        }
        builder b({8, 9, 10});
        b.add(cut);
        b.add(around);
        require_plain(b.net);
    }
}

TEST_CASE("a network without layers gives what it gets") {
    const builder b({2, 3});
    const std::vector<float> x{1, 2, 3, 4, 5, 6};
    REQUIRE(run(b.net, x, 1) == x);
    require_plain(b.net);
}

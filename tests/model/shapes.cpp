/// @file
/// What is wrong with a network is said with the layer, the numbers and the limit; nothing crashes.
#include "model/cases.hpp"

#include <limits>

using namespace model_cases;

namespace {

constexpr std::size_t huge = std::numeric_limits<std::size_t>::max();

/// The text of the error that an operation behind an input of a shape raises.
std::string refusal(std::vector<std::size_t> shape, notch::operation op) {
    builder b(std::move(shape));
    b.add(std::move(op));
    try {
        notch::infer_shapes(b.net);
        notch::validate(b.net);
    } catch (const notch::error& error) {
        REQUIRE_THROWS_WITH(notch::float_program(b.net), error.what());
        return error.what();
    }
    return "no error";
}

notch::convolution plain_convolution(std::vector<std::size_t> shape, notch::window over = {}, std::size_t groups = 1) {
    const std::size_t count = notch::element_count(shape);
    return {{std::move(shape), std::vector<float>(count, 1.0F)}, {}, over, groups};
}

} // namespace

TEST_CASE("shapes are inferred and checked") {
    builder b({3, 8, 9});
    const std::size_t y = b.add(plain_convolution({4, 3, 3, 3}, {{2, 1}, {1, 2}, {1, 0, 0, 1}}));
    REQUIRE_THROWS_WITH(notch::validate(b.net),
                        "tensor 1 'layer0.out' has extents []; the layers before it give [4, 4, 6]");
    notch::infer_shapes(b.net);
    REQUIRE(b.net.tensors[y].shape == std::vector<std::size_t>{4, 4, 6});
    notch::validate(b.net);
    b.net.tensors[0].shape = {3, 8, 8};
    REQUIRE_THROWS_AS(notch::validate(b.net), notch::shape_error);
    notch::infer_shapes(b.net);
    notch::validate(b.net);
}

TEST_CASE("an error of inference changes nothing") {
    builder b({3, 8, 9});
    b.add(notch::clip{});
    b.add(plain_convolution({4, 2, 3, 3}));
    REQUIRE_THROWS_AS(notch::infer_shapes(b.net), notch::shape_error);
    REQUIRE(b.net.tensors[1].shape.empty());
}

TEST_CASE("convolutions that do not fit") {
    REQUIRE(refusal({3, 8, 8}, plain_convolution({4, 2, 3, 3})) ==
            "layer 0 'layer0' (Conv): weights [4, 2, 3, 3] in 1 groups do not fit an input [3, 8, 8]");
    REQUIRE(refusal({4, 8, 8}, plain_convolution({4, 2, 3, 3}, {}, 0)) ==
            "layer 0 'layer0' (Conv): the number of groups is 0, outside [1, 2147483647]");
    REQUIRE(refusal({4, 8, 8}, plain_convolution({3, 2, 3, 3}, {}, 2)) ==
            "layer 0 'layer0' (Conv): weights [3, 2, 3, 3] in 2 groups do not fit an input [4, 8, 8]");
    REQUIRE(refusal({24}, plain_convolution({3, 2, 3, 3})) ==
            "layer 0 'layer0' (Conv): the input has extents [24]; 3 axes are needed");
    REQUIRE(refusal({3, 8, 8}, plain_convolution({4, 3, 3})) ==
            "layer 0 'layer0' (Conv): weights have extents [4, 3, 3]; 4 axes are needed");
    REQUIRE(refusal({3, 8, 8}, plain_convolution({4, 3, 3, 3}, {{0, 1}})) ==
            "layer 0 'layer0' (Conv): a stride is 0, outside [1, 2147483647]");
    REQUIRE(refusal({3, 8, 8}, plain_convolution({4, 3, 3, 3}, {{1, 1}, {1, huge}})) ==
            "layer 0 'layer0' (Conv): a dilation is 18446744073709551615, outside [1, 2147483647]");
    REQUIRE(refusal({3, 8, 8}, plain_convolution({4, 3, 3, 3}, {{1, 1}, {1, 1}, {0, huge, 0, 0}})) ==
            "layer 0 'layer0' (Conv): the padding is 18446744073709551615, outside [0, 2147483647]");
    REQUIRE(refusal({3, 8, 8}, plain_convolution({4, 3, 3, 5}, {{1, 1}, {1, 2}})) ==
            "layer 0 'layer0' (Conv): a kernel of 5 with dilation 2 spans 9 pixels, the padded image has 8");
    notch::convolution op = plain_convolution({4, 3, 3, 3});
    op.bias = {1, 2, 3};
    REQUIRE(refusal({3, 8, 8}, op) == "layer 0 'layer0' (Conv): bias has 3 numbers, not 4 or 0");
    op.bias.clear();
    op.weights.values.pop_back();
    REQUIRE(refusal({3, 8, 8}, op) == "layer 0 'layer0' (Conv): weights have extents [4, 3, 3, 3] but 107 values");
    op.weights.shape = {std::size_t{1} << 30, std::size_t{1} << 30, 1 << 30, 1 << 30};
    REQUIRE_THAT(refusal({3, 8, 8}, op), containing("but 107 values"));
}

TEST_CASE("numbers that are not finite are found") {
    notch::convolution op = plain_convolution({4, 3, 3, 3});
    op.weights.values[17] = std::numeric_limits<float>::quiet_NaN();
    op.weights.values[18] = std::numeric_limits<float>::infinity();
    REQUIRE_THAT(refusal({3, 8, 8}, op), containing("layer 0 'layer0' (Conv): weights[17] is nan; it has to be"));
    op = plain_convolution({4, 3, 3, 3});
    op.bias = {0, 0, -std::numeric_limits<float>::infinity(), 0};
    REQUIRE_THAT(refusal({3, 8, 8}, op), containing("bias[2] is -inf"));
    notch::batch_norm norm{{1, 1}, {0, 0}, {0, 0}, {1, -1}};
    REQUIRE_THAT(refusal({2}, norm), containing("variance[1] is -1, with epsilon"));
    norm.variance[1] = 0;
    norm.epsilon = 0;
    REQUIRE_THAT(refusal({2}, norm), containing("variance[1] is 0, with epsilon 0; the sum has to be positive"));
    norm = {{1, 1}, {0, std::numeric_limits<float>::infinity()}, {0, 0}, {1, 1}};
    REQUIRE_THAT(refusal({2}, norm), containing("shift[1] is inf"));
    REQUIRE_THAT(refusal({2}, notch::affine_map{{std::numeric_limits<float>::infinity()}, {}}),
                 containing("factor[0] is inf"));
    REQUIRE_THAT(refusal({2}, notch::pad{{0}, {0}, std::numeric_limits<float>::infinity()}),
                 containing("value[0] is inf"));
    REQUIRE_THAT(refusal({2}, notch::clip{0, std::numeric_limits<float>::quiet_NaN()}), containing("has no number"));
}

TEST_CASE("other layers that do not fit") {
    REQUIRE(refusal({2}, notch::clip{1, 0}) == "layer 0 'layer0' (Clip): [1, 0] has no number");
    REQUIRE(refusal({5}, notch::linear{{{2, 4}, std::vector<float>(8)}, {}}) ==
            "layer 0 'layer0' (Gemm): weights [2, 4] do not fit an input [5]");
    REQUIRE(refusal({5, 1, 1}, notch::linear{{{2, 5}, std::vector<float>(10)}, {}}) ==
            "layer 0 'layer0' (Gemm): the input has extents [5, 1, 1]; 1 axes are needed");
    REQUIRE(refusal({3, 2, 2}, notch::batch_norm{{1, 1}, {1, 1}, {1, 1}, {1, 1}}) ==
            "layer 0 'layer0' (BatchNormalization): gain has 2 numbers, not 3");
    REQUIRE(refusal({3, 2, 2}, notch::affine_map{{1, 1}, {}}) ==
            "layer 0 'layer0' (Mul+Add): factor has 2 numbers, not 3 or 1");
    REQUIRE(refusal({3, 2, 2}, notch::max_pool{{3, 1}, {}}) ==
            "layer 0 'layer0' (MaxPool): a kernel of 3 with dilation 1 spans 3 pixels, the padded image has 2");
    REQUIRE(refusal({3, 2, 2}, notch::average_pool{{1, 1}, {{1, 1}, {1, 1}, {1, 0, 0, 0}}}) ==
            "layer 0 'layer0' (AveragePool): window 0 of a kernel of 1 has no pixel of the image [3, 2, 2]");
    REQUIRE(refusal({3, 2, 2}, notch::max_pool{{0, 1}, {}}) ==
            "layer 0 'layer0' (MaxPool): the kernel is 0, outside [1, 2147483647]");
    REQUIRE(refusal({12}, notch::global_average_pool_layer{}) ==
            "layer 0 'layer0' (GlobalAveragePool): the input has extents [12]; 3 axes are needed");
    REQUIRE(refusal({3, 2, 2}, notch::reshape{{5}}) ==
            "layer 0 'layer0' (Reshape): extents [5] have 5 elements, the input [3, 2, 2] has 12");
    REQUIRE_THAT(refusal({3, 2, 2}, notch::reshape{{std::size_t{1} << 31, std::size_t{1} << 33}}),
                 containing("an extent is 2147483648"));
    REQUIRE_THAT(refusal({3, 2, 2}, notch::reshape{{std::size_t{1} << 30, std::size_t{1} << 30}}),
                 containing("have more than 2147483647 elements"));
    REQUIRE(refusal({3, 2, 2}, notch::concat{3}) == "layer 0 'layer0' (Concat): axis 3 of an input [3, 2, 2]");
    REQUIRE(refusal({3, 2, 2}, notch::slice{{0, 0}, {1, 1}, {1, 1}}) ==
            "layer 0 'layer0' (Slice): 2 numbers for the axes of an input [3, 2, 2]");
    REQUIRE(refusal({3}, notch::slice{{2}, {2}, {1}}) == "layer 0 'layer0' (Slice): [2, 2) of axis 0 of an input [3]");
    REQUIRE(refusal({3}, notch::slice{{0}, {4}, {1}}) == "layer 0 'layer0' (Slice): [0, 4) of axis 0 of an input [3]");
    REQUIRE(refusal({3}, notch::slice{{0}, {3}, {0}}) ==
            "layer 0 'layer0' (Slice): a step is 0, outside [1, 2147483647]");
    REQUIRE_THAT(refusal({3}, notch::pad{{huge}, {1}, 0}), containing("the padding is 18446744073709551615"));
    REQUIRE_THAT(refusal({70000, 70000, 1}, notch::clip{}), containing("have more than 2147483647 elements"));
    REQUIRE_THAT(refusal({0, 4, 4}, notch::clip{}), containing("an extent is 0"));
    REQUIRE_THAT(refusal({}, notch::clip{}), containing("the shape has no axis"));
}

TEST_CASE("a window without a pixel is found wherever it stands") {
    std::size_t refused = 0;
    std::size_t taken = 0;
    for (std::size_t k = 0; k < 4096; ++k) {
        const auto digit = [k](std::size_t at, std::size_t base) { return (k >> (2 * at)) % 4 % base; };
        const std::size_t extent = 1 + digit(0, 4);
        const std::size_t kernel = 1 + digit(1, 4);
        const std::size_t stride = 1 + digit(2, 3);
        const std::size_t dilation = 1 + digit(3, 4);
        const std::size_t before = digit(4, 4) * 2;
        const std::size_t after = digit(5, 4) * 2;
        const std::size_t reach = (kernel - 1) * dilation + 1;
        if (reach > extent + before + after)
            continue;
        bool empty = false; // by the definition
        for (std::size_t i = 0; i + reach <= extent + before + after; i += stride) {
            bool has = false;
            for (std::size_t t = 0; t < kernel; ++t)
                has = has || (i + t * dilation >= before && i + t * dilation < before + extent);
            empty = empty || !has;
        }
        const std::string said =
            refusal({1, extent, 1}, notch::max_pool{{kernel, 1}, {{stride, 1}, {dilation, 1}, {before, 0, after, 0}}});
        INFO(extent << " " << kernel << " " << stride << " " << dilation << " " << before << " " << after);
        CHECK((said.find("has no pixel") != std::string::npos) == empty);
        ++(empty ? refused : taken);
    }
    CHECK(refused > 100);
    CHECK(taken > 100);
    // One window per pixel of 2^30: told at once.
    CHECK(refusal({1, 1, 1U << 30}, notch::max_pool{{1, 2}, {{1, 1}, {1, 1}, {0, 0, 0, 0}}}) == "no error");
}

TEST_CASE("layers in an impossible order") {
    builder b({4});
    b.add(notch::clip{});
    const notch::network good = b.net;
    notch::infer_shapes(b.net);

    notch::network bad = good;
    bad.layers[0].inputs = {7};
    REQUIRE_THROWS_WITH(notch::infer_shapes(bad), "layer 0 'layer0' (Clip): an input is tensor 7 of 2");
    bad = good;
    bad.layers[0].output = huge;
    REQUIRE_THROWS_WITH(notch::infer_shapes(bad),
                        "layer 0 'layer0' (Clip): the output is tensor 18446744073709551615 of 2");
    bad = good;
    bad.layers[0].inputs = {1};
    REQUIRE_THROWS_WITH(notch::infer_shapes(bad),
                        "layer 0 'layer0' (Clip) reads tensor 1 'layer0.out', which no earlier layer writes");
    bad = good;
    bad.layers[0].output = 0;
    REQUIRE_THROWS_WITH(notch::infer_shapes(bad),
                        "layer 0 'layer0' (Clip) writes tensor 0 'input', which has been written before");
    bad = good;
    bad.layers.push_back(bad.layers[0]);
    REQUIRE_THROWS_WITH(notch::infer_shapes(bad),
                        "layer 1 'layer0' (Clip) writes tensor 1 'layer0.out', which has been written before");
    bad = good;
    bad.layers.clear();
    REQUIRE_THROWS_WITH(notch::infer_shapes(bad), "the output is tensor 1 'layer0.out', which no layer writes");
    bad = good;
    bad.output = 2;
    REQUIRE_THROWS_WITH(notch::infer_shapes(bad), "the output is tensor 2 of 2");
    bad = good;
    bad.layers[0].inputs = {0, 0};
    REQUIRE_THROWS_WITH(notch::infer_shapes(bad), "layer 0 'layer0' (Clip): 2 inputs; the operation has 1");
    bad = good;
    bad.layers[0].op = notch::sum{};
    REQUIRE_THROWS_WITH(notch::infer_shapes(bad), "layer 0 'layer0' (Add): 1 inputs; the operation has 2");
    bad.layers[0].op = notch::concat{};
    bad.layers[0].inputs = {};
    REQUIRE_THROWS_WITH(notch::infer_shapes(bad), "layer 0 'layer0' (Concat): 0 inputs; the operation has at least 1");
    REQUIRE_THROWS_WITH(notch::infer_shapes(bad = {}), "the input is tensor 0 of 0");
}

TEST_CASE("tensors that do not go together") {
    builder b({4, 2, 2});
    const std::size_t part = b.add(notch::slice{{0, 0, 0}, {2, 2, 2}, {1, 1, 1}});
    builder sums = b;
    sums.add(notch::sum{}, {part, 0});
    REQUIRE_THROWS_WITH(notch::infer_shapes(sums.net), containing("extents [2, 2, 2] and [4, 2, 2] differ"));
    builder joined = b;
    joined.add(notch::concat{1}, {part, 0});
    REQUIRE_THROWS_WITH(notch::infer_shapes(joined.net),
                        containing("extents [2, 2, 2] and [4, 2, 2] do not join along axis 1"));
    builder ranks = b;
    const std::size_t flat = ranks.add(notch::reshape{});
    ranks.add(notch::concat{0}, {0, flat});
    REQUIRE_THROWS_WITH(notch::infer_shapes(ranks.net), containing("do not join along axis 0"));
}

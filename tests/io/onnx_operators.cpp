/// @file
/// Each operator of ONNX that is read, in the forms of old and new versions.
#include "catch.hpp"
#include "io/onnx_model.hpp"

#include <cstddef>
#include <limits>
#include <utility>

namespace {

using extents = std::vector<std::size_t>;
constexpr float infinity = std::numeric_limits<float>::infinity();

} // namespace

TEST_CASE("A convolution keeps its weights, window and groups", "[onnx]") {
    model_builder m(13, {4, 8, 9});
    m.count("w", {6, 2, 3, 2});
    m.count("b", {6});
    m.node("Conv", {"x", "w", "b"}, {"y"})
        .integers("strides", {2, 1})
        .integers("dilations", {1, 2})
        .integers("pads", {1, 0, 2, 3})
        .integers("kernel_shape", {3, 2})
        .integer("group", 2);
    const notch::network net = m.read();
    const auto& conv = only_layer<notch::convolution>(net);
    CHECK(conv.weights.shape == extents{6, 2, 3, 2});
    CHECK(conv.weights.values.back() == 72);
    CHECK(conv.bias == std::vector<float>{1, 2, 3, 4, 5, 6});
    CHECK(conv.groups == 2);
    CHECK(conv.window == notch::window{{2, 1}, {1, 2}, {1, 0, 2, 3}});
    CHECK(result_shape(net) == extents{6, 5, 10});
    CHECK(net.name == "net");
    CHECK(net.layers[0].name == "Conv_y");
    CHECK(net.tensors[net.input].name == "x");
    CHECK(net.tensors[net.input].shape == extents{4, 8, 9});
}

TEST_CASE("auto_pad becomes padding", "[onnx]") {
    const auto [mode, padding, rows] =
        GENERATE(table<std::string, std::array<std::size_t, 4>, std::size_t>({{"SAME_UPPER", {0, 0, 1, 1}, 4},
                                                                              {"SAME_LOWER", {1, 1, 0, 0}, 4},
                                                                              {"VALID", {0, 0, 0, 0}, 3},
                                                                              {"NOTSET", {0, 0, 0, 0}, 3}}));
    model_builder m(11, {1, 8, 8});
    m.count("w", {1, 1, 3, 3});
    m.node("Conv", {"x", "w"}, {"y"}).integers("strides", {2, 2}).word("auto_pad", mode);
    const notch::network net = m.read();
    CHECK(only_layer<notch::convolution>(net).window.padding == padding);
    CHECK(result_shape(net) == extents{1, rows, rows});
}

TEST_CASE("Pooling keeps its window", "[onnx]") {
    model_builder m(11, {2, 7, 7});
    SECTION("largest") {
        m.node("MaxPool", {"x"}, {"y"})
            .integers("kernel_shape", {3, 2})
            .integers("strides", {2, 2})
            .integers("pads", {1, 0, 1, 1})
            .integer("ceil_mode", 1)
            .integer("storage_order", 0);
        const notch::network net = m.read();
        const auto& pool = only_layer<notch::max_pool>(net);
        CHECK(pool.kernel == std::array<std::size_t, 2>{3, 2});
        CHECK(pool.window == notch::window{{2, 2}, {1, 1}, {1, 0, 1, 1}});
        CHECK(pool.ceil_mode);
        CHECK(result_shape(net) == extents{2, 4, 4});
    }
    SECTION("mean") {
        m.node("AveragePool", {"x"}, {"y"}).integers("kernel_shape", {2, 2}).integer("count_include_pad", 1);
        const notch::network net = m.read();
        CHECK(only_layer<notch::average_pool>(net).count_include_pad);
        CHECK_FALSE(only_layer<notch::average_pool>(net).ceil_mode);
        CHECK(result_shape(net) == extents{2, 6, 6});
    }
    SECTION("a window that would start behind the image is dropped") {
        m.node("AveragePool", {"x"}, {"y"})
            .integers("kernel_shape", {2, 2})
            .integers("strides", {4, 4})
            .integers("pads", {1, 1, 1, 1})
            .integer("ceil_mode", 1);
        CHECK(result_shape(m.read()) == extents{2, 2, 2});
    }
    SECTION("global") {
        m.node("GlobalAveragePool", {"x"}, {"y"});
        const notch::network net = m.read();
        CHECK(std::holds_alternative<notch::global_average_pool_layer>(net.layers.at(0).op));
        CHECK(result_shape(net) == extents{2, 1, 1});
    }
}

TEST_CASE("ReduceMean over height and width is a global mean", "[onnx]") {
    const int opset = GENERATE(9, 13, 18, 25);
    const bool keeps = GENERATE(false, true);
    model_builder m(opset, {2, 7, 7});
    m.integers("axes", {-1, 2});
    std::vector<std::string> inputs{"x"};
    if (opset >= 18)
        inputs.emplace_back("axes");
    node_builder node = m.node("ReduceMean", inputs, {"y"});
    if (opset < 18)
        node.integers("axes", {2, 3});
    if (!keeps)
        node.integer("keepdims", 0);
    const notch::network net = m.read();
    CHECK(net.layers.size() == (keeps ? 1U : 2U));
    CHECK(std::holds_alternative<notch::global_average_pool_layer>(net.layers[0].op));
    CHECK(result_shape(net) == (keeps ? extents{2, 1, 1} : extents{2}));
}

TEST_CASE("BatchNormalization, Relu and Clip are read in all forms", "[onnx]") {
    SECTION("normalization") {
        model_builder m(GENERATE(9, 14, 15));
        m.reals("gain", {2}, {1, 2});
        m.reals("shift", {2}, {3, 4});
        m.reals("mean", {2}, {5, 6});
        m.reals("variance", {2}, {7, 8});
        m.node("BatchNormalization", {"x", "gain", "shift", "mean", "variance"}, {"y"})
            .real("epsilon", 0.5F)
            .real("momentum", 0.9F);
        const auto net = m.read();
        const auto& norm = only_layer<notch::batch_norm>(net);
        CHECK(norm.gain == std::vector<float>{1, 2});
        CHECK(norm.shift == std::vector<float>{3, 4});
        CHECK(norm.mean == std::vector<float>{5, 6});
        CHECK(norm.variance == std::vector<float>{7, 8});
        CHECK(norm.epsilon == 0.5F);
    }
    SECTION("Relu") {
        model_builder m(13);
        m.node("Relu", {"x"}, {"y"});
        const auto net = m.read();
        CHECK(only_layer<notch::clip>(net).lowest == 0);
        CHECK(only_layer<notch::clip>(net).highest == infinity);
    }
    SECTION("Clip with attributes") {
        model_builder m(10);
        m.node("Clip", {"x"}, {"y"}).real("min", 0).real("max", 6);
        const auto net = m.read();
        CHECK(only_layer<notch::clip>(net).highest == 6);
    }
    SECTION("Clip with inputs, of which one is left out") {
        model_builder m(11);
        m.reals("six", {}, {6});
        m.node("Clip", {"x", "", "six"}, {"y"});
        const auto net = m.read();
        CHECK(only_layer<notch::clip>(net).lowest == -infinity);
        CHECK(only_layer<notch::clip>(net).highest == 6);
    }
}

TEST_CASE("Sums of tensors are sums, constants are affine maps", "[onnx]") {
    model_builder m(13);
    SECTION("sum") {
        m.node("Add", {"x", "x"}, {"y"});
        const auto net = m.read();
        CHECK(std::holds_alternative<notch::sum>(net.layers.at(0).op));
        CHECK(net.layers[0].inputs == extents{net.input, net.input});
    }
    SECTION("per channel") {
        m.reals("c", {1, 2, 1, 1}, {3, -5});
        const auto [op, order, factor, offset] = GENERATE(
            table<std::string, bool, std::vector<float>, std::vector<float>>({{"Add", true, {1}, {3, -5}},
                                                                              {"Add", false, {1}, {3, -5}},
                                                                              {"Sub", true, {1}, {-3, 5}},
                                                                              {"Sub", false, {-1}, {3, -5}},
                                                                              {"Mul", true, {3, -5}, {0}},
                                                                              {"Mul", false, {3, -5}, {0}},
                                                                              {"Div", true, {1 / 3.0F, -0.2F}, {0}}}));
        m.node(op, order ? std::vector<std::string>{"x", "c"} : std::vector<std::string>{"c", "x"}, {"y"});
        const auto net = m.read();
        CHECK(only_layer<notch::affine_map>(net).factor == factor);
        CHECK(only_layer<notch::affine_map>(net).offset == offset);
    }
    SECTION("one number, without the batch axis") {
        m.reals("c", {1, 1}, {2});
        m.node("Mul", {"x", "c"}, {"y"});
        CHECK(only_layer<notch::affine_map>(m.read()).factor == std::vector<float>{2});
    }
    SECTION("channels without the batch axis") {
        m.reals("c", {2, 1, 1}, {2, 3});
        m.node("Mul", {"x", "c"}, {"y"});
        CHECK(only_layer<notch::affine_map>(m.read()).factor == std::vector<float>{2, 3});
    }
}

TEST_CASE("Gemm and MatMul are linear layers", "[onnx]") {
    model_builder m(13, {3});
    m.reals("t", {2, 3}, {1, 2, 3, 4, 5, 6});
    m.reals("w", {3, 2}, {1, 4, 2, 5, 3, 6});
    m.reals("b", {2}, {7, 8});
    const std::vector<float> expected{1, 2, 3, 4, 5, 6};
    SECTION("transposed weights") {
        m.node("Gemm", {"x", "t", "b"}, {"y"}).integer("transB", 1);
        const auto net = m.read();
        CHECK(only_layer<notch::linear>(net).weights.shape == extents{2, 3});
        CHECK(only_layer<notch::linear>(net).weights.values == expected);
        CHECK(only_layer<notch::linear>(net).bias == std::vector<float>{7, 8});
        CHECK(result_shape(net) == extents{2});
    }
    SECTION("alpha and beta") {
        m.node("Gemm", {"x", "w", "b"}, {"y"}).real("alpha", 2).real("beta", -1);
        const auto net = m.read();
        CHECK(only_layer<notch::linear>(net).weights.values == std::vector<float>{2, 4, 6, 8, 10, 12});
        CHECK(only_layer<notch::linear>(net).bias == std::vector<float>{-7, -8});
    }
    SECTION("one number as bias") {
        m.reals("c", {1, 1}, {9});
        m.node("Gemm", {"x", "w", "c"}, {"y"});
        CHECK(only_layer<notch::linear>(m.read()).bias == std::vector<float>{9, 9});
    }
    SECTION("MatMul") {
        m.node("MatMul", {"x", "w"}, {"y"});
        const auto net = m.read();
        CHECK(only_layer<notch::linear>(net).weights.values == expected);
        CHECK(only_layer<notch::linear>(net).bias.empty());
    }
}

TEST_CASE("Softmax over the channels is read", "[onnx]") {
    const auto [opset, axis] = GENERATE(table<int, int>({{9, 1}, {13, -1}, {13, 1}, {11, 99}, {13, 99}}));
    model_builder m(opset, {5});
    node_builder node = m.node("Softmax", {"x"}, {"y"});
    if (axis != 99) // the default
        node.integer("axis", axis);
    CHECK(std::holds_alternative<notch::softmax>(m.read().layers.at(0).op));
}

TEST_CASE("Flatten and Reshape keep images apart", "[onnx]") {
    model_builder m(13);
    SECTION("Flatten") {
        m.node("Flatten", {"x"}, {"y"}).integer("axis", GENERATE(1, -3));
        const auto net = m.read();
        CHECK(only_layer<notch::reshape>(net).shape.empty());
        CHECK(result_shape(net) == extents{32});
    }
    SECTION("targets") {
        const auto [batch, target, expected] =
            GENERATE(table<std::int64_t, std::vector<std::int64_t>, extents>({{0, {-1, 32}, {32}},
                                                                              {0, {0, -1}, {32}},
                                                                              {0, {0, 0, 16}, {2, 16}},
                                                                              {0, {-1, 2, 4, 4}, {2, 4, 4}},
                                                                              {3, {3, -1}, {32}},
                                                                              {1, {1, 8, -1}, {8, 4}},
                                                                              {1, {-1, 32}, {32}}}));
        if (batch != 0)
            m.fix_batch(batch);
        m.integers("target", target);
        m.node("Reshape", {"x", "target"}, {"y"});
        const auto net = m.read();
        CHECK(only_layer<notch::reshape>(net).shape == expected);
        CHECK(result_shape(net) == expected);
    }
    SECTION("the shape as exporters compute it") {
        m.integer("zero", 0);
        m.integers("rest", {-1});
        m.integers("axes", {0});
        m.node("Shape", {"x"}, {"shape"});
        m.node("Gather", {"shape", "zero"}, {"images"});
        m.node("Unsqueeze", {"images", "axes"}, {"list"});
        m.node("Cast", {"list"}, {"cast"}).integer("to", 7);
        m.node("Concat", {"cast", "rest"}, {"target"}).integer("axis", 0);
        m.node("Reshape", {"x", "target"}, {"y"});
        const auto net = m.read();
        CHECK(only_layer<notch::reshape>(net).shape == extents{32});
    }
    SECTION("a part of the shape") {
        m.node("Shape", {"x"}, {"shape"});
        m.integers("two", {2});
        m.integers("zeros", {0});
        m.integers("rest", {-1});
        m.node("Slice", {"shape", "zeros", "two"}, {"front"});
        m.node("Concat", {"front", "rest"}, {"target"}).integer("axis", 0);
        m.node("Reshape", {"x", "target"}, {"y"});
        CHECK(result_shape(m.read()) == extents{2, 16});
    }
}

TEST_CASE("Squeeze and Unsqueeze move axes of extent 1", "[onnx]") {
    const int opset = GENERATE(11, 13);
    model_builder m(opset, {2, 1, 1});
    m.integers("axes", {2, 3});
    const auto add = [&](const std::string& op, const std::string& from, const std::string& to) {
        if (opset < 13)
            m.node(op, {from}, {to}).integers("axes", {2, 3});
        else
            m.node(op, {from, "axes"}, {to});
    };
    add("Squeeze", "x", "vector");
    add("Unsqueeze", "vector", "y");
    const auto net = m.read();
    REQUIRE(net.layers.size() == 2);
    CHECK(net.tensors[net.layers[0].output].shape == extents{2});
    CHECK(result_shape(net) == extents{2, 1, 1});
}

TEST_CASE("Concat, Slice and Pad count axes from the channels", "[onnx]") {
    SECTION("Concat") {
        model_builder m(13);
        m.node("Concat", {"x", "x", "x"}, {"y"}).integer("axis", GENERATE(1, -3));
        const auto net = m.read();
        CHECK(only_layer<notch::concat>(net).axis == 0);
        CHECK(result_shape(net) == extents{6, 4, 4});
    }
    SECTION("Slice") {
        const int opset = GENERATE(9, 13);
        model_builder m(opset, {4, 8, 8});
        m.integers("starts", {0, -3, 1});
        m.integers("ends", {std::numeric_limits<std::int64_t>::max(), 100, -1});
        m.integers("axes", {2, 1, 3});
        m.integers("steps", {2, 1, 3});
        if (opset == 9)
            m.node("Slice", {"x"}, {"y"})
                .integers("starts", {0, -3, 1})
                .integers("ends", {std::numeric_limits<std::int64_t>::max(), 100, -1})
                .integers("axes", {2, 1, 3});
        else
            m.node("Slice", {"x", "starts", "ends", "axes", "steps"}, {"y"});
        const auto net = m.read();
        const auto& part = only_layer<notch::slice>(net);
        CHECK(part.begin == extents{1, 0, 1});
        CHECK(part.end == extents{4, 8, 7});
        CHECK(part.step == (opset == 9 ? extents{1, 1, 1} : extents{1, 2, 3}));
        CHECK(result_shape(net) == (opset == 9 ? extents{3, 8, 6} : extents{3, 4, 2}));
    }
    SECTION("Slice without axes, all images") {
        model_builder m(13);
        m.integers("starts", {0, 1});
        m.integers("ends", {std::numeric_limits<std::int64_t>::max(), 2});
        m.node("Slice", {"x", "starts", "ends"}, {"y"});
        CHECK(result_shape(m.read()) == extents{1, 4, 4});
    }
    SECTION("Pad") {
        const int opset = GENERATE(9, 13, 18);
        model_builder m(opset);
        m.integers("pads", {0, 1, 2, 0, 0, 3, 0, 4});
        m.integers("some", {1, 2, 3, 0});
        m.integers("axes", {1, -2});
        m.reals("value", {}, {5});
        if (opset == 9)
            m.node("Pad", {"x"}, {"y"}).integers("pads", {0, 1, 2, 0, 0, 3, 0, 4}).real("value", 5);
        else if (opset == 13)
            m.node("Pad", {"x", "pads", "value"}, {"y"}).word("mode", "constant");
        else
            m.node("Pad", {"x", "some", "value", "axes"}, {"y"});
        const auto net = m.read();
        const auto& around = only_layer<notch::pad>(net);
        CHECK(around.value == 5);
        CHECK(around.before == extents{1, 2, 0});
        CHECK(around.after == (opset == 18 ? extents{3, 0, 0} : extents{3, 0, 4}));
        CHECK(result_shape(net) == (opset == 18 ? extents{6, 6, 4} : extents{6, 6, 8}));
    }
}

TEST_CASE("Nodes that change nothing leave no layer", "[onnx]") {
    model_builder m(13);
    m.node("Identity", {"x"}, {"a"});
    m.node("Dropout", {"a"}, {"b", "mask"});
    m.node("Cast", {"b"}, {"c"}).integer("to", 1);
    m.node("Relu", {"c"}, {"d"});
    m.node("Identity", {"d"}, {"y"});
    m.node("Relu", {"d"}, {"unused"});
    const auto net = m.read();
    CHECK(net.layers.size() == 1);
    CHECK(net.tensors.size() == 2);
    CHECK(net.tensors[net.output].name == "y");
    CHECK(net.layers[0].inputs == extents{net.input});
}

TEST_CASE("Constants stand in nodes, initializers and inputs", "[onnx]") {
    SECTION("Constant of a tensor") {
        model_builder m(13);
        node_builder node = m.node("Constant", {}, {"six"});
        ::onnx::TensorProto* tensor = node.add("value", ::onnx::AttributeProto::TENSOR)->mutable_t();
        tensor->set_data_type(1);
        tensor->add_float_data(6);
        m.node("Identity", {"six"}, {"bound"});
        m.node("Clip", {"x", "", "bound"}, {"y"});
        CHECK(only_layer<notch::clip>(m.read()).highest == 6);
    }
    SECTION("Constant of numbers") {
        model_builder m(13);
        m.node("Constant", {}, {"six"}).real("value_float", 6);
        m.node("Constant", {}, {"target"}).integers("value_ints", {0, -1});
        m.node("Clip", {"x", "", "six"}, {"z"});
        m.node("Reshape", {"z", "target"}, {"y"});
        CHECK(m.read().layers.size() == 2);
    }
    SECTION("an input that is an initializer, as old files have it") {
        model_builder m(9);
        m.count("w", {1, 2, 1, 1});
        m.add_input("w", {2, 1, 1});
        m.node("Conv", {"x", "w"}, {"y"});
        CHECK(m.read().layers.size() == 1);
    }
}

TEST_CASE("Initializers are read in all types and forms", "[onnx]") {
    model_builder m(13, {2, 1, 1});
    m.node("Conv", {"x", "w"}, {"y"});
    const std::vector<float> expected{1.5F, -0.25F};
    SECTION("raw float") {
        ::onnx::TensorProto& w = m.add_tensor("w", 1, {1, 2, 1, 1});
        w.set_raw_data(std::string("\x00\x00\xc0\x3f\x00\x00\x80\xbe", 8));
        CHECK(only_layer<notch::convolution>(m.read()).weights.values == expected);
    }
    SECTION("float16, typed") {
        ::onnx::TensorProto& w = m.add_tensor("w", 10, {1, 2, 1, 1});
        w.add_int32_data(0x3e00);
        w.add_int32_data(0xb400);
        CHECK(only_layer<notch::convolution>(m.read()).weights.values == expected);
    }
    SECTION("float16, raw, the smallest and the largest number") {
        ::onnx::TensorProto& w = m.add_tensor("w", 10, {1, 2, 1, 1});
        w.set_raw_data(std::string("\x01\x00\xff\x7b", 4));
        CHECK(only_layer<notch::convolution>(m.read()).weights.values == std::vector<float>{0x1p-24F, 65504.0F});
    }
    SECTION("double") {
        ::onnx::TensorProto& w = m.add_tensor("w", 11, {1, 2, 1, 1});
        w.add_double_data(1.5);
        w.add_double_data(-0.25);
        CHECK(only_layer<notch::convolution>(m.read()).weights.values == expected);
    }
    SECTION("infinity and NaN are taken as they are") {
        ::onnx::TensorProto& w = m.add_tensor("w", 11, {1, 2, 1, 1});
        w.add_double_data(std::numeric_limits<double>::quiet_NaN());
        w.add_double_data(std::numeric_limits<double>::infinity());
        const auto net = m.read();
        CHECK(only_layer<notch::convolution>(net).weights.values[0] !=
              only_layer<notch::convolution>(net).weights.values[0]);
        CHECK(only_layer<notch::convolution>(net).weights.values[1] == infinity);
    }
}

/// @file
/// What onnx_write writes: read again where it is floats, looked at node by node where it is quantized.
#include "catch.hpp"
#include "io/onnx_model.hpp"

#include <notch/io/onnx_write.hpp>

#include <algorithm>
#include <cstddef>
#include <filesystem>
#include <fstream>
#include <iterator>

namespace {

using extents = std::vector<std::size_t>;

/// Whether two operations have the same numbers.
struct same_numbers {
    const notch::operation& other;

    bool operator()(const notch::convolution& a) const {
        const auto& b = std::get<notch::convolution>(other);
        return a.weights.shape == b.weights.shape && a.weights.values == b.weights.values && a.bias == b.bias &&
               a.window == b.window && a.groups == b.groups;
    }
    bool operator()(const notch::linear& a) const {
        const auto& b = std::get<notch::linear>(other);
        return a.weights.shape == b.weights.shape && a.weights.values == b.weights.values && a.bias == b.bias;
    }
    bool operator()(const notch::batch_norm& a) const {
        const auto& b = std::get<notch::batch_norm>(other);
        return a.gain == b.gain && a.shift == b.shift && a.mean == b.mean && a.variance == b.variance &&
               a.epsilon == b.epsilon;
    }
    bool operator()(const notch::affine_map& a) const {
        const auto& b = std::get<notch::affine_map>(other);
        return a.factor == b.factor && a.offset == b.offset;
    }
    bool operator()(const notch::clip& a) const {
        const auto& b = std::get<notch::clip>(other);
        return a.lowest == b.lowest && a.highest == b.highest;
    }
    bool operator()(const notch::sum&) const { return true; }
    bool operator()(const notch::max_pool& a) const {
        const auto& b = std::get<notch::max_pool>(other);
        return a.kernel == b.kernel && a.window == b.window && a.ceil_mode == b.ceil_mode;
    }
    bool operator()(const notch::average_pool& a) const {
        const auto& b = std::get<notch::average_pool>(other);
        return a.kernel == b.kernel && a.window == b.window && a.ceil_mode == b.ceil_mode &&
               a.count_include_pad == b.count_include_pad;
    }
    bool operator()(const notch::global_average_pool_layer&) const { return true; }
    bool operator()(const notch::reshape& a) const { return a.shape == std::get<notch::reshape>(other).shape; }
    bool operator()(const notch::concat& a) const { return a.axis == std::get<notch::concat>(other).axis; }
    bool operator()(const notch::slice& a) const {
        const auto& b = std::get<notch::slice>(other);
        return a.begin == b.begin && a.end == b.end && a.step == b.step;
    }
    bool operator()(const notch::pad& a) const {
        const auto& b = std::get<notch::pad>(other);
        return a.before == b.before && a.after == b.after && a.value == b.value;
    }
    bool operator()(const notch::softmax&) const { return true; }
};

void check_same(const notch::network& a, const notch::network& b) {
    CHECK(a.name == b.name);
    CHECK(a.input == b.input);
    CHECK(a.output == b.output);
    REQUIRE(a.tensors.size() == b.tensors.size());
    for (std::size_t i = 0; i < a.tensors.size(); ++i) {
        CHECK(a.tensors[i].name == b.tensors[i].name);
        CHECK(a.tensors[i].shape == b.tensors[i].shape);
    }
    REQUIRE(a.layers.size() == b.layers.size());
    for (std::size_t i = 0; i < a.layers.size(); ++i) {
        INFO("layer " << i << " " << a.layers[i].name);
        CHECK(a.layers[i].name == b.layers[i].name);
        CHECK(a.layers[i].inputs == b.layers[i].inputs);
        CHECK(a.layers[i].output == b.layers[i].output);
        REQUIRE(a.layers[i].op.index() == b.layers[i].op.index());
        CHECK(std::visit(same_numbers{b.layers[i].op}, a.layers[i].op));
    }
}

/// Builds a network layer after layer.
struct network_builder {
    notch::network net{};

    explicit network_builder(const extents& image) {
        net.name = "all";
        net.input = net.output = net.add_tensor("input", image);
    }
    std::size_t add(const notch::operation& op, const extents& shape, const std::vector<std::size_t>& inputs = {}) {
        const std::string name = notch::detail::text("layer", net.layers.size());
        const std::size_t output = net.add_tensor(name + ".out", shape);
        net.layers.push_back({name, op, inputs.empty() ? std::vector{net.output} : inputs, output});
        net.output = output;
        return output;
    }
};

notch::float_array counted(const extents& shape) {
    notch::float_array result{shape, std::vector<float>(notch::element_count(shape))};
    for (std::size_t i = 0; i < result.values.size(); ++i)
        result.values[i] = static_cast<float>(i) * 0.25F - 1;
    return result;
}

/// A network with every layer.
notch::network every_layer() {
    network_builder b({4, 9, 10});
    b.add(notch::convolution{counted({6, 2, 3, 2}), {1, 2, 3, 4, 5, 6}, {{2, 1}, {1, 2}, {1, 0, 2, 3}}, 2}, {6, 5, 11});
    b.add(notch::batch_norm{{1, 2, 3, 4, 5, 6}, {0, 0, 0, 0, 0, 1}, {1, 1, 1, 1, 1, 1}, {2, 2, 2, 2, 2, 2}, 1e-3F},
          {6, 5, 11});
    b.add(notch::clip{}, {6, 5, 11});
    b.add(notch::clip{0, 6}, {6, 5, 11});
    b.add(notch::clip{-std::numeric_limits<float>::infinity(), 3}, {6, 5, 11});
    const std::size_t a = b.add(notch::affine_map{{1, 2, 3, 4, 5, 6}, {0}}, {6, 5, 11});
    const std::size_t c = b.add(notch::affine_map{{1}, {-1}}, {6, 5, 11});
    b.add(notch::sum{}, {6, 5, 11}, {a, c});
    b.add(notch::max_pool{{3, 2}, {{2, 2}, {1, 1}, {1, 0, 1, 1}}, true}, {6, 3, 6});
    b.add(notch::average_pool{{2, 2}, {{1, 1}, {1, 1}, {1, 0, 0, 0}}, false, true}, {6, 3, 5});
    b.add(notch::pad{{1, 0, 2}, {0, 1, 1}, 0.5F}, {7, 4, 8});
    b.add(notch::slice{{0, 1, 0}, {6, 4, 8}, {1, 1, 3}}, {6, 3, 3});
    b.add(notch::reshape{{3, 9, 2}}, {3, 9, 2});
    b.add(notch::concat{1}, {3, 27, 2}, {b.net.output, b.net.output, b.net.output});
    b.add(notch::global_average_pool_layer{}, {3, 1, 1});
    b.add(notch::reshape{}, {3});
    b.add(notch::linear{counted({5, 3}), {5, 4, 3, 2, 1}}, {5});
    b.add(notch::linear{counted({2, 5}), {}}, {2});
    b.add(notch::softmax{}, {2});
    return b.net;
}

notch::network read_again(const notch::qdq_model& model) {
    const std::vector<std::byte> bytes = notch::onnx::write_bytes(model);
    return notch::onnx::read_bytes(bytes);
}

::onnx::ModelProto parsed(const notch::qdq_model& model, const notch::onnx::write_options& options = {}) {
    const std::vector<std::byte> bytes = notch::onnx::write_bytes(model, options);
    ::onnx::ModelProto result;
    REQUIRE(result.ParseFromArray(bytes.data(), static_cast<int>(bytes.size())));
    return result;
}

const ::onnx::TensorProto& tensor(const ::onnx::ModelProto& model, const std::string& name) {
    for (const ::onnx::TensorProto& each : model.graph().initializer())
        if (each.name() == name)
            return each;
    FAIL("there is no initializer " << name);
    throw 0;
}

const ::onnx::NodeProto& writer_of(const ::onnx::ModelProto& model, const std::string& name) {
    for (const ::onnx::NodeProto& each : model.graph().node())
        if (each.output(0) == name)
            return each;
    FAIL("no node writes " << name);
    throw 0;
}

/// The operators in their order.
std::string operators(const ::onnx::ModelProto& model) {
    std::string result;
    for (const ::onnx::NodeProto& each : model.graph().node())
        result += (result.empty() ? "" : " ") + each.op_type();
    return result;
}

/// x -> convolution of 1 x 1 -> ReLU.
notch::qdq_model small_model() {
    network_builder b({2, 3, 3});
    b.add(notch::convolution{counted({3, 2, 1, 1}), {1, 2, 3}, {}}, {3, 3, 3});
    b.add(notch::clip{}, {3, 3, 3});
    notch::qdq_model model{b.net, {}, {}};
    model.tensors.resize(3);
    model.layers.resize(2);
    return model;
}

notch::qdq_weights weights_of_bits(int bits) {
    notch::qdq_weights weights;
    weights.codes = std::vector<std::int8_t>{-1, 0, 1, -2, 1, -1};
    weights.params = {bits, true, -(1 << (bits - 1)), (1 << (bits - 1)) - 1, {0.25F, 0.5F, 1}, {}, 0, 0};
    return weights;
}

} // namespace

TEST_CASE("A network in floats is the same when it is read again", "[onnx]") {
    const notch::network net = every_layer();
    check_same(net, read_again({net, {}, {}}));
    CHECK(notch::onnx::write_bytes({net, {}, {}}) == notch::onnx::write_bytes({net, {}, {}}));
    const ::onnx::ModelProto model = parsed({net, {}, {}});
    CHECK(model.producer_name() == "notch");
    CHECK(model.producer_version() == "0.1.0");
    CHECK(model.opset_import(0).version() == 13);
    CHECK(model.ir_version() == 7);
}

TEST_CASE("A map of factors and offsets becomes two nodes", "[onnx]") {
    network_builder b({2});
    b.add(notch::affine_map{{2, 3}, {4, 5}}, {2});
    const notch::network again = read_again({b.net, {}, {}});
    REQUIRE(again.layers.size() == 2);
    CHECK(std::get<notch::affine_map>(again.layers[0].op).factor == std::vector<float>{2, 3});
    CHECK(std::get<notch::affine_map>(again.layers[1].op).offset == std::vector<float>{4, 5});
    CHECK(again.tensors[again.output].name == "layer0.out");
}

TEST_CASE("Names occur once, whatever the network says", "[onnx]") {
    network_builder b({2});
    for (int i = 0; i < 3; ++i)
        b.add(notch::clip{}, {2});
    for (notch::tensor_info& each : b.net.tensors)
        each.name = "";
    for (notch::layer& each : b.net.layers)
        each.name = "same";
    const notch::network again = read_again({b.net, {}, {}});
    CHECK(again.layers.size() == 3);
    CHECK(again.tensors[0].name == "tensor");
    CHECK(again.tensors[3].name == "tensor_3");
    CHECK(again.layers[2].name == "same_2");
}

TEST_CASE("Tensors are quantized behind what computes them", "[onnx]") {
    notch::qdq_model model = small_model();
    model.tensors[0] = notch::qdq_params{8, true, -128, 127, {0.5F}, {-3}, -1, 0};
    model.tensors[2] = notch::qdq_params{4, false, 0, 15, {0.25F}, {}, -1, 0};
    const ::onnx::ModelProto written = parsed(model);
    CHECK(operators(written) == "QuantizeLinear DequantizeLinear Conv Relu QuantizeLinear Clip DequantizeLinear");
    CHECK(written.graph().input(0).name() == "input");
    CHECK(written.graph().output(0).name() == "layer1.out");
    const ::onnx::NodeProto& last = writer_of(written, "layer1.out");
    CHECK(last.op_type() == "DequantizeLinear");
    const ::onnx::NodeProto& clip = writer_of(written, last.input(0));
    CHECK(clip.op_type() == "Clip");
    CHECK(tensor(written, clip.input(1)).data_type() == 2);
    CHECK(tensor(written, clip.input(2)).raw_data() == std::string(1, '\x0f'));
    CHECK(writer_of(written, "layer0.out").input(0) == "input_dequantized");
    const ::onnx::NodeProto& first = written.graph().node(0);
    CHECK(first.input(0) == "input");
    CHECK(tensor(written, first.input(1)).raw_data() == std::string("\x00\x00\x00\x3f", 4));
    CHECK(tensor(written, first.input(2)).data_type() == 3);
    CHECK(tensor(written, first.input(2)).raw_data() == "\xfd");
    CHECK(tensor(written, first.input(2)).dims_size() == 0);
}

TEST_CASE("Scales per channel of a tensor stand on the axis behind the batch", "[onnx]") {
    notch::qdq_model model = small_model();
    model.tensors[0] = notch::qdq_params{8, true, -128, 127, {0.5F, 1}, {0, 1}, 0, 0};
    const ::onnx::ModelProto written = parsed(model);
    CHECK(written.graph().node(0).attribute(0).name() == "axis");
    CHECK(written.graph().node(0).attribute(0).i() == 1);
}

TEST_CASE("Weights are codes of the type of their width", "[onnx]") {
    notch::qdq_model model = small_model();
    struct expected {
        int bits;
        bool packs;
        int type;
        std::string raw;
        int opset;
        int ir;
    };
    const std::string bytes("\xff\x00\x01\xfe\x01\xff", 6);
    const expected want = GENERATE_COPY(values<expected>({{8, true, 3, bytes, 13, 7},
                                                          {5, true, 3, bytes, 13, 7},
                                                          {4, true, 22, "\x0f\xe1\xf1", 21, 10},
                                                          {4, false, 3, bytes, 13, 7},
                                                          {2, true, 26, "\x93\x0d", 25, 13},
                                                          {2, false, 3, bytes, 13, 7}}));
    model.layers[0].weights = weights_of_bits(want.bits);
    const ::onnx::ModelProto written = parsed(model, {want.packs, false});
    CHECK(written.opset_import(0).version() == want.opset);
    CHECK(written.ir_version() == want.ir);
    const ::onnx::TensorProto& codes = tensor(written, "layer0_weights_codes");
    CHECK(codes.data_type() == want.type);
    CHECK(codes.raw_data() == want.raw);
    CHECK(codes.dims_size() == 4);
    CHECK(operators(written) ==
          (want.type == 26 ? "DequantizeLinear Reshape Conv Relu" : "DequantizeLinear Conv Relu"));
    const ::onnx::NodeProto& dequantizer = written.graph().node(0);
    CHECK(dequantizer.attribute(0).i() == 0);
    CHECK(tensor(written, dequantizer.input(1)).dims(0) == 3);
    CHECK(tensor(written, dequantizer.input(2)).data_type() == want.type);
}

TEST_CASE("Signed weights in bytes may be written as unsigned ones", "[onnx]") {
    notch::qdq_model model = small_model();
    model.layers[0].weights = weights_of_bits(GENERATE(3, 8));
    model.layers[0].weights->params.zero_points = {0, 1, -1};
    const ::onnx::ModelProto written = parsed(model, {true, true});
    CHECK(tensor(written, "layer0_weights_codes").data_type() == 2);
    CHECK(tensor(written, "layer0_weights_codes").raw_data() == "\x7f\x80\x81\x7e\x81\x7f");
    CHECK(tensor(written, "layer0_weights_zero_point").raw_data() == "\x80\x81\x7f");
}

TEST_CASE("Unsigned weights keep their zero points", "[onnx]") {
    notch::qdq_model model = small_model();
    notch::qdq_weights weights;
    weights.codes = std::vector<std::uint8_t>{15, 0, 1, 8, 9, 7};
    weights.params = {4, false, 0, 15, {0.5F}, {8}, -1, 0};
    model.layers[0].weights = weights;
    const ::onnx::ModelProto written = parsed(model);
    CHECK(tensor(written, "layer0_weights_codes").data_type() == 21);
    CHECK(tensor(written, "layer0_weights_codes").raw_data() == std::string("\x0f\x81\x79", 3));
    CHECK(tensor(written, "layer0_weights_zero_point").raw_data() == "\x08");
    CHECK(written.graph().node(0).attribute_size() == 0);
}

TEST_CASE("Blocks of scales have the extents of the weights", "[onnx]") {
    network_builder b({5});
    b.add(notch::linear{{{2, 5}, {}}, {}}, {2});
    notch::qdq_model model{b.net, {}, {}};
    model.layers.resize(1);
    notch::qdq_weights weights;
    weights.codes = std::vector<std::int8_t>(10, 7);
    weights.params = {4, true, -8, 7, {1, 2, 3, 4, 5, 6}, {}, 1, 2};
    model.layers[0].weights = weights;
    const ::onnx::ModelProto written = parsed(model);
    CHECK(written.opset_import(0).version() == 21);
    const ::onnx::NodeProto& dequantizer = written.graph().node(0);
    CHECK(dequantizer.attribute(0).i() == 1);
    CHECK(dequantizer.attribute(1).name() == "block_size");
    CHECK(dequantizer.attribute(1).i() == 2);
    CHECK(tensor(written, dequantizer.input(1)).dims(0) == 2);
    CHECK(tensor(written, dequantizer.input(1)).dims(1) == 3);
    CHECK(written.graph().node(1).op_type() == "Reshape");
}

TEST_CASE("A bias is int32 with the scales that it is given", "[onnx]") {
    notch::qdq_model model = small_model();
    model.layers[0].weights = weights_of_bits(8);
    model.layers[0].bias = notch::qdq_bias{{1, -2, 100000}, {1, 2, 4}};
    const ::onnx::ModelProto written = parsed(model);
    CHECK(operators(written) == "DequantizeLinear DequantizeLinear Conv Relu");
    const ::onnx::TensorProto& codes = tensor(written, "layer0_bias_codes");
    CHECK(codes.data_type() == 6);
    CHECK(codes.raw_data() == std::string("\x01\0\0\0\xfe\xff\xff\xff\xa0\x86\x01\0", 12));
    const ::onnx::NodeProto& dequantizer = written.graph().node(1);
    CHECK(dequantizer.input_size() == 2);
    CHECK(dequantizer.attribute(0).i() == 0);
}

TEST_CASE("Models that contradict themselves are not written", "[onnx]") {
    notch::qdq_model model = small_model();
    const auto refuse = [&](const std::string& words) {
        CHECK_THROWS_WITH(notch::onnx::write_bytes(model), containing(words));
    };
    SECTION("bits") {
        model.tensors[1] = notch::qdq_params{9, true, -128, 127, {1}, {}, -1, 0};
        refuse("tensor 1 'layer0.out': codes of 9 bits; 2 to 8 are written");
    }
    SECTION("codes") {
        model.tensors[1] = notch::qdq_params{4, true, -9, 7, {1}, {}, -1, 0};
        refuse("codes from -9 to 7; signed ones of 4 bits go from -8 to 7");
    }
    SECTION("scales") {
        model.tensors[1] = notch::qdq_params{8, true, -128, 127, {1, 2}, {}, 0, 0};
        refuse("2 scales, where 3 are needed");
    }
    SECTION("a scale of 0") {
        model.tensors[1] = notch::qdq_params{8, true, -128, 127, {0}, {}, -1, 0};
        refuse("a scale of 0, which is not positive and finite");
    }
    SECTION("zero points") {
        model.tensors[1] = notch::qdq_params{8, true, -128, 127, {1}, {128}, -1, 0};
        refuse("a zero point of 128, outside the codes from -128 to 127");
    }
    SECTION("blocks of a tensor") {
        model.tensors[1] = notch::qdq_params{8, true, -128, 127, {1}, {}, 0, 2};
        refuse("blocks of scales are for weights");
    }
    SECTION("an axis") {
        model.tensors[1] = notch::qdq_params{8, true, -128, 127, {1}, {}, 3, 0};
        refuse("scales along axis 3 of extents [3, 3, 3]");
    }
    SECTION("a code of weights") {
        model.layers[0].weights = weights_of_bits(2);
        model.layers[0].weights->params.lowest = -1;
        refuse("layer 0 'layer0': a code of -2, outside -1 to 1");
    }
    SECTION("codes of weights") {
        model.layers[0].weights = weights_of_bits(2);
        model.layers[0].weights->codes = std::vector<std::int8_t>(5);
        refuse("5 codes for weights of extents [3, 2, 1, 1]");
    }
    SECTION("the sign of codes") {
        model.layers[0].weights = weights_of_bits(2);
        model.layers[0].weights->codes = std::vector<std::uint8_t>(6);
        refuse("the type of the codes is not that of their parameters");
    }
    SECTION("a bias") {
        model.layers[0].bias = notch::qdq_bias{{1, 2}, {1}};
        refuse("a bias of 2 codes and 1 scales for 3 outputs");
    }
    SECTION("lists of other lengths") {
        model.tensors.resize(2);
        refuse("a network of 3 tensors and 2 layers comes with 2 and 2 that are quantized");
    }
    SECTION("a tensor that is not there") {
        model.net.layers[0].inputs = {7};
        refuse("a network of 3 tensors has the tensor 7");
    }
    SECTION("layers out of order") {
        std::swap(model.net.layers[0], model.net.layers[1]);
        refuse("reads tensor 1 'layer0.out', which no earlier layer writes");
    }
    SECTION("no extents") {
        model.net.tensors[2].shape.clear();
        refuse("tensor 'layer1.out', an end of the network, has no extents");
    }
    SECTION("the input as output") {
        model.net.output = 0;
        refuse("a network whose output is its input cannot be written");
    }
    SECTION("weights without numbers") {
        std::get<notch::convolution>(model.net.layers[0].op).weights.values.clear();
        refuse("layer 0 'layer0' has 0 weights of extents [3, 2, 1, 1]");
    }
}

TEST_CASE("A file appears whole or not at all", "[onnx]") {
    const std::filesystem::path folder = std::filesystem::temp_directory_path() / "notch_onnx_write";
    std::filesystem::remove_all(folder);
    std::filesystem::create_directories(folder);
    const std::string path = (folder / "net.onnx").string();
    notch::qdq_model model = small_model();
    notch::onnx::write(model, path);
    check_same(model.net, notch::onnx::read(path));
    const auto size = std::filesystem::file_size(path);

    model.net.layers[0].inputs = {7};
    CHECK_THROWS_AS(notch::onnx::write(model, path), notch::range_error);
    CHECK(std::filesystem::file_size(path) == size);
    CHECK_THROWS_WITH(notch::onnx::write(small_model(), (folder / "none" / "net.onnx").string()),
                      containing("net.onnx' cannot be written: No such file"));
    std::filesystem::create_directory(folder / "taken.onnx");
    CHECK_THROWS_WITH(notch::onnx::write(small_model(), (folder / "taken.onnx").string()),
                      containing("taken.onnx' cannot be written: Is a directory"));
    CHECK(std::distance(std::filesystem::directory_iterator(folder), {}) == 2);
    std::filesystem::remove_all(folder);
}

/// @file
/// What onnx_read refuses, with the words it says.
#include "catch.hpp"
#include "io/onnx_model.hpp"

#include <cstddef>
#include <filesystem>
#include <fstream>
#include <limits>

namespace {

/// Checks that reading is an error of a type whose text holds some words.
template <class Error> void refuses(const model_builder& m, const std::string& words) {
    try {
        static_cast<void>(m.read());
        FAIL("was read");
    } catch (const Error& error) {
        CHECK_THAT(error.what(), containing(words));
    }
}

/// A folder for the files of a test.
struct scratch_folder {
    std::filesystem::path path = std::filesystem::temp_directory_path() / "notch_onnx_hostile";
    scratch_folder() {
        std::filesystem::remove_all(path);
        std::filesystem::create_directories(path / "models");
    }
    ~scratch_folder() {
        std::error_code error;
        std::filesystem::remove_all(path, error);
    }
    void write(const std::string& name, const std::string& bytes) const {
        std::ofstream(path / name, std::ios::binary) << bytes;
    }
};

} // namespace

TEST_CASE("All nodes that cannot be computed are told at once", "[onnx]") {
    model_builder m(13);
    m.count("w", {1, 2, 1});
    m.node("LSTM", {"x"}, {"a"});
    m.node("Relu", {"a"}, {"b"});
    m.node("Gelu", {"b"}, {"c"}).node->set_domain("com.microsoft");
    m.node("Softmax", {"x"}, {"d"}).integer("axis", 2);
    m.node("Add", {"c", "d"}, {"y"});
    refuses<notch::unsupported_error>(m, "model: notch cannot compute 'LSTM_a' (LSTM); 'Gelu_c' (Gelu); 'Softmax_d' "
                                         "(Softmax): its axis 2 is not the channels alone");
}

TEST_CASE("Quantized models are told apart", "[onnx]") {
    model_builder m(13);
    m.count("s", {1});
    m.node("QuantizeLinear", {"x", "s"}, {"a"});
    m.node("DequantizeLinear", {"a", "s"}, {"y"});
    refuses<notch::unsupported_error>(m,
                                      "model: the model is quantized; models of floats are read: notch cannot compute "
                                      "'QuantizeLinear_a' (QuantizeLinear); ");
}

TEST_CASE("Operators are refused with a reason", "[onnx]") {
    model_builder m(13);
    m.count("two", {2});
    m.count("w", {2, 2, 1, 1});
    m.integers("axes", {1});
    m.integers("ones", {1, -1});
    const auto refuse = [&](const std::string& words) { refuses<notch::unsupported_error>(m, words); };
    SECTION("Mul") {
        m.node("Mul", {"x", "x"}, {"y"});
        refuse("'Mul_y' (Mul): both inputs are computed by layers");
    }
    SECTION("Add along the width") {
        m.node("Add", {"x", "two"}, {"y"});
        refuse("the constant of extents [2] is not one number per channel of images of [2, 4, 4]");
    }
    SECTION("Add of other extents") {
        m.node("GlobalAveragePool", {"x"}, {"z"});
        m.node("Add", {"x", "z"}, {"y"});
        refuse("extents [2, 4, 4] and [2, 1, 1] differ");
    }
    SECTION("a quotient") {
        m.reals("c", {}, {1});
        m.node("Div", {"c", "x"}, {"y"});
        refuse("a constant is divided by a tensor");
    }
    SECTION("weights that are computed") {
        m.node("Conv", {"x", "x"}, {"y"});
        refuse("input 1 is not constant");
    }
    SECTION("Gemm of images") {
        m.node("Gemm", {"x", "two"}, {"y"});
        refuse("its input of extents [2, 4, 4] is not one vector per image");
    }
    SECTION("Reshape that joins images") {
        m.integers("target", {1, -1});
        m.node("Reshape", {"x", "target"}, {"y"});
        refuse("extents [1, -1] do not keep the images of extents [2, 4, 4] apart");
    }
    SECTION("Reshape by the number of images elsewhere") {
        m.node("Shape", {"x"}, {"shape"});
        m.node("Gather", {"shape", "axes"}, {"channels"});
        m.node("Shape", {"x"}, {"images"}).integer("end", 1);
        m.node("Concat", {"channels", "images"}, {"target"}).integer("axis", 0);
        m.node("Reshape", {"x", "target"}, {"y"});
        refuse("extents [2, N] do not keep");
    }
    SECTION("Slice backwards") {
        m.integers("minus", {-1});
        m.node("Slice", {"x", "axes", "axes", "axes", "minus"}, {"y"});
        refuse("its step is -1");
    }
    SECTION("Slice of images") {
        m.node("Slice", {"x", "axes", "axes"}, {"y"});
        refuse("it takes some images of the batch");
    }
    SECTION("Pad that mirrors") {
        m.node("Pad", {"x", "axes"}, {"y"}).word("mode", "reflect");
        refuse("its mode is reflect");
    }
    SECTION("Pad that crops") {
        m.integers("pads", {0, -1, 0, 0, 0, 0, 0, 0});
        m.node("Pad", {"x", "pads"}, {"y"});
        refuse("crop, or pad the batch");
    }
    SECTION("Concat of images") {
        m.node("Concat", {"x", "x"}, {"y"}).integer("axis", 0);
        refuse("it joins images of the batch");
    }
    SECTION("indices of MaxPool") {
        m.node("MaxPool", {"x"}, {"z", "indices"}).integers("kernel_shape", {1, 1});
        m.node("Add", {"z", "indices"}, {"y"});
        refuse("its result 'indices' is used");
    }
    SECTION("training") {
        for (const char* name : {"gain", "shift", "mean", "variance"})
            m.count(name, {2});
        m.graph().mutable_node();
        m.model.mutable_opset_import(0)->set_version(15);
        m.node("BatchNormalization", {"x", "gain", "shift", "mean", "variance"}, {"y"}).integer("training_mode", 1);
        refuse("training_mode is on");
    }
    SECTION("Softmax in the middle") {
        m.node("Softmax", {"x"}, {"z"}).integer("axis", 1);
        m.node("Relu", {"z"}, {"y"});
        refuse("'Softmax_z' (Softmax): it is not the end of the network");
    }
    SECTION("an attribute that nobody knows") {
        m.node("Relu", {"x"}, {"y"}).real("slope", 1);
        refuse("'Relu_y' (Relu): its attribute 'slope' is unknown");
    }
    SECTION("a convolution of vectors") {
        m.node("Flatten", {"x"}, {"z"});
        m.node("Conv", {"z", "w"}, {"y"});
        refuse("images of extents [32] have not height and width");
    }
    SECTION("ReduceMean over channels") {
        m.node("ReduceMean", {"x"}, {"y"}).integers("axes", {1});
        refuse("its axes are not height and width");
    }
    SECTION("an output that no layer computes") {
        m.node("Identity", {"two"}, {"y"});
        refuse("no layer computes the output 'y'");
    }
}

TEST_CASE("Graphs that are no network are refused", "[onnx]") {
    model_builder m(13);
    m.node("Relu", {"x"}, {"y"});
    SECTION("two inputs") {
        m.add_input("z", {2, 4, 4});
        refuses<notch::unsupported_error>(m, "the graph has 2 inputs ('x', 'z'); networks have one");
    }
    SECTION("two outputs") {
        m.graph().add_output()->set_name("x");
        refuses<notch::unsupported_error>(m, "the graph has 2 outputs ('y', 'x'); networks have one");
    }
    SECTION("no output") {
        m.graph().clear_output();
        refuses<notch::format_error>(m, "the graph has no output");
    }
    SECTION("no input") {
        m.graph().clear_input();
        refuses<notch::format_error>(m, "the graph has no input");
    }
    SECTION("an open extent") {
        auto* shape = m.graph().mutable_input(0)->mutable_type()->mutable_tensor_type()->mutable_shape();
        shape->mutable_dim(2)->set_dim_param("H");
        refuses<notch::unsupported_error>(m, "extent 2 of input 'x' is open");
    }
    SECTION("a huge extent") {
        auto* shape = m.graph().mutable_input(0)->mutable_type()->mutable_tensor_type()->mutable_shape();
        shape->mutable_dim(2)->set_dim_value(std::numeric_limits<std::int64_t>::max());
        refuses<notch::format_error>(m, "extent 2 of input 'x' is 9223372036854775807");
    }
    SECTION("integers") {
        m.graph().mutable_input(0)->mutable_type()->mutable_tensor_type()->set_elem_type(2);
        refuses<notch::unsupported_error>(m, "input 'x' is no tensor of floats");
    }
    SECTION("no extents") {
        m.graph().mutable_input(0)->mutable_type()->mutable_tensor_type()->clear_shape();
        refuses<notch::unsupported_error>(m, "has no extents besides the batch");
    }
    SECTION("versions") {
        m.model.mutable_opset_import(0)->set_version(GENERATE(8, 26));
        refuses<notch::unsupported_error>(m, "versions 9 to 25 are read");
    }
    SECTION("no version") {
        m.model.clear_opset_import();
        refuses<notch::format_error>(m, "it names no version of the operators");
    }
    SECTION("no graph") {
        m.model.clear_graph();
        refuses<notch::format_error>(m, "it holds no graph");
    }
}

TEST_CASE("Contradictions are told", "[onnx]") {
    model_builder m(13);
    const auto refuse = [&](const std::string& words) { refuses<notch::format_error>(m, words); };
    SECTION("a tensor that is not there") {
        m.node("Relu", {"z"}, {"y"});
        refuse("model: node 'Relu_y' (Relu) reads 'z', which nothing writes");
    }
    SECTION("a cycle") {
        m.node("Relu", {"b"}, {"a"});
        m.node("Relu", {"a"}, {"b"});
        refuse("reads 'b', which only a later node writes: the nodes are unsorted, or form a cycle");
    }
    SECTION("two tensors of one name") {
        m.node("Relu", {"x"}, {"y"});
        m.node("Relu", {"x"}, {"y"});
        refuse("two tensors are named 'y'");
    }
    SECTION("two initializers of one name") {
        m.count("w", {2});
        m.count("w", {2});
        refuse("two tensors are named 'w'");
    }
    SECTION("a tensor without a name") {
        m.count("", {2});
        refuse("a tensor has no name");
    }
    SECTION("too few inputs") {
        m.node("Conv", {"x"}, {"y"});
        refuse("has 1 inputs, not 2 to 3");
    }
    SECTION("an input that is left out") {
        m.count("w", {1, 2, 1, 1});
        m.node("Conv", {"", "w"}, {"y"});
        refuse("lacks input 0");
    }
    SECTION("an output that is not there") {
        m.node("Relu", {"x"}, {"z"});
        refuse("nothing writes the output 'y'");
    }
    SECTION("weights that do not fit") {
        m.count("w", {1, 3, 1, 1});
        m.node("Conv", {"x", "w"}, {"y"});
        refuse("has weights of extents [1, 3, 1, 1] in 1 groups over images of extents [2, 4, 4]");
    }
    SECTION("a bias that does not fit") {
        m.count("w", {1, 2, 1, 1});
        m.count("b", {2});
        m.node("Conv", {"x", "w", "b"}, {"y"});
        refuse("has a bias of extents [2], not [1]");
    }
    SECTION("a window that does not fit") {
        m.count("w", {1, 2, 5, 1});
        m.node("Conv", {"x", "w"}, {"y"});
        refuse("has windows of 5 pixels over a padded image of 4");
    }
    SECTION("a negative stride") {
        m.count("w", {1, 2, 1, 1});
        m.node("Conv", {"x", "w"}, {"y"}).integers("strides", {1, -1});
        refuse("has the strides [1, -1]; numbers of at least 1 are expected");
    }
    SECTION("too many strides") {
        m.count("w", {1, 2, 1, 1});
        m.node("Conv", {"x", "w"}, {"y"}).integers("strides", {1, 1, 1});
        refuse("has 3 numbers in 'strides', not 2");
    }
    SECTION("an attribute of another type") {
        m.node("Flatten", {"x"}, {"y"}).real("axis", 1);
        refuse("has the attribute 'axis' of type 1, not 2");
    }
    SECTION("an attribute that occurs twice") {
        m.node("Flatten", {"x"}, {"y"}).integer("axis", 1).integer("axis", 1);
        refuse("has the attribute 'axis' twice");
    }
    SECTION("a mode that ONNX does not have") {
        m.node("MaxPool", {"x"}, {"y"}).integers("kernel_shape", {1, 1}).word("auto_pad", "MORE");
        refuse("has the auto_pad 'MORE'");
    }
    SECTION("padding of whole windows") {
        m.node("MaxPool", {"x"}, {"y"}).integers("kernel_shape", {2, 2}).integers("pads", {0, 0, 2, 0});
        refuse("which hold whole windows");
    }
    SECTION("a result that is too large") {
        m.integers("pads", {0, 0, 0, 0, 0, 2147483647, 2147483647, 2147483647});
        m.node("Pad", {"x", "pads"}, {"y"});
        refuse("an image of at most 2^31 - 1 numbers is read");
    }
    SECTION("an empty result") {
        m.integers("one", {1});
        m.node("Slice", {"x", "one", "one", "one"}, {"y"});
        refuse("has a result of extents [0, 4, 4], which is empty");
    }
    SECTION("a bound that is NaN") {
        m.reals("nan", {}, {std::numeric_limits<float>::quiet_NaN()});
        m.node("Clip", {"x", "nan"}, {"y"});
        refuse("has a bound that is NaN");
    }
    SECTION("an axis that is not there") {
        m.integers("five", {5});
        m.node("Squeeze", {"x", "five"}, {"y"});
        refuse("has the axis 5 of a tensor of rank 4");
    }
}

TEST_CASE("Tensors that are not what they claim are told", "[onnx]") {
    model_builder m(13, {2, 1, 1});
    m.node("Conv", {"x", "w"}, {"y"});
    const auto refuse = [&](const std::string& words) { refuses<notch::format_error>(m, words); };
    SECTION("too few numbers") {
        m.reals("w", {1, 2, 1, 1}, {1});
        refuse("model: tensor 'w' has 1 numbers, and extents [1, 2, 1, 1] need 2");
    }
    SECTION("too few bytes") {
        m.add_tensor("w", 1, {1, 2, 1, 1}).set_raw_data("1234567");
        refuse("tensor 'w' has 7 bytes of data, and extents [1, 2, 1, 1] need 8");
    }
    SECTION("more elements than any memory") {
        m.add_tensor("w", 1, {2147483647, 2147483647, 1, 1}).set_raw_data("1234567");
        refuse("of more than 2^40 elements");
    }
    SECTION("a great many elements, and none there") {
        m.add_tensor("w", 1, {1048576, 1048576, 1, 1}).set_raw_data("1234567");
        refuse("need 4398046511104");
    }
    SECTION("a negative extent") {
        m.add_tensor("w", 1, {-1, 2, 1, 1});
        refuse("tensor 'w' has an extent of -1");
    }
    SECTION("many axes") {
        m.add_tensor("w", 1, std::vector<std::int64_t>(33, 1));
        refuse("tensor 'w' has 33 axes; the limit is 32");
    }
    SECTION("a double beyond float") {
        ::onnx::TensorProto& w = m.add_tensor("w", 11, {1, 2, 1, 1});
        w.add_double_data(1e300);
        w.add_double_data(0);
        refuse("has the number 1e+300, which is beyond the range of float");
    }
    SECTION("integers") {
        m.integers("w", {1, 2});
        refuse("has integers as input 1, where reals are expected");
    }
    SECTION("another type") {
        m.add_tensor("w", 16, {1, 2, 1, 1}).set_raw_data("1234");
        refuses<notch::unsupported_error>(m, "tensor 'w' has elements of type 16");
    }
    SECTION("data beside a model in memory") {
        ::onnx::TensorProto& w = m.add_tensor("w", 1, {1, 2, 1, 1});
        w.set_data_location(::onnx::TensorProto::EXTERNAL);
        refuse("a model in memory has no files beside it");
    }
}

TEST_CASE("One initializer in many layers cannot fill the memory", "[onnx]") {
    model_builder m(13, {1000});
    m.count("w", {1000, 1000});
    std::string from = "x";
    for (int i = 0; i < 200; ++i) {
        const std::string to = i == 199 ? std::string("y") : notch::detail::text("t", i);
        m.node("Gemm", {from, "w"}, {to});
        from = to;
    }
    refuses<notch::format_error>(m, "far more");
}

TEST_CASE("Bytes that are no model are told", "[onnx]") {
    model_builder m(13);
    m.count("w", {2, 2, 1, 1});
    m.node("Conv", {"x", "w"}, {"y"});
    const std::string all = m.bytes();
    for (std::size_t size = 0; size < all.size(); ++size) {
        const std::string part = all.substr(0, size);
        CHECK_THROWS_AS(notch::onnx::read_bytes(std::as_bytes(std::span(part))), notch::format_error);
    }
    CHECK_THROWS_WITH(notch::onnx::read_bytes(std::as_bytes(std::span("no model at all", 15))),
                      containing("are no ONNX model: truncated, damaged, or of another format"));
}

TEST_CASE("External data lie in the folder of the model", "[onnx]") {
    const scratch_folder folder;
    model_builder m(13, {2, 1, 1});
    m.node("Conv", {"x", "w"}, {"y"});
    ::onnx::TensorProto& w = m.add_tensor("w", 1, {1, 2, 1, 1});
    w.set_data_location(::onnx::TensorProto::EXTERNAL);
    const auto entry = [&](const std::string& key, const std::string& value) {
        ::onnx::StringStringEntryProto* added = w.add_external_data();
        added->set_key(key);
        added->set_value(value);
    };
    folder.write("models/w.bin", std::string("....\x00\x00\xc0\x3f\x00\x00\x80\xbe", 12));
    folder.write("w.bin", "12345678");
    const auto read = [&] {
        folder.write("models/m.onnx", m.bytes());
        return notch::onnx::read((folder.path / "models" / "m.onnx").string());
    };
    SECTION("a part of a file") {
        entry("location", "w.bin");
        entry("offset", "4");
        entry("length", "8");
        CHECK(only_layer<notch::convolution>(read()).weights.values == std::vector<float>{1.5F, -0.25F});
    }
    SECTION("without a length") {
        entry("location", "w.bin");
        entry("offset", "4");
        CHECK(only_layer<notch::convolution>(read()).weights.values == std::vector<float>{1.5F, -0.25F});
    }
    SECTION("behind the end") {
        entry("location", "w.bin");
        entry("offset", GENERATE("5", "18446744073709551615"));
        CHECK_THROWS_WITH(read(), containing("which ends before the 8 bytes"));
    }
    SECTION("another length") {
        entry("location", "w.bin");
        entry("length", "18446744073709551615");
        CHECK_THROWS_WITH(read(), containing("need 8"));
    }
    SECTION("no number") {
        entry("location", "w.bin");
        entry("offset", "-4");
        CHECK_THROWS_WITH(read(), containing("the offset '-4', which is no number"));
    }
    SECTION("paths that lead out") {
        entry("location", GENERATE("../w.bin", "/etc/passwd", "a/../../w.bin", "", "..", "..\\w.bin"));
        CHECK_THROWS_WITH(read(), containing("which is no file inside the folder of the model"));
    }
    SECTION("a link that leads out") {
        std::filesystem::create_symlink(folder.path / "w.bin", folder.path / "models" / "link.bin");
        entry("location", "link.bin");
        CHECK_THROWS_WITH(read(), containing("which leads out of the folder of the model"));
    }
    SECTION("files that are not there, and no files") {
        entry("location", GENERATE("nothing.bin", "."));
        CHECK_THROWS_WITH(read(), containing("cannot be found beside the model"));
    }
}

TEST_CASE("Files that cannot be read are told by name", "[onnx]") {
    const scratch_folder folder;
    CHECK_THROWS_WITH(notch::onnx::read((folder.path / "none.onnx").string()),
                      containing("none.onnx' cannot be opened: No such file"));
    CHECK_THROWS_AS(notch::onnx::read(folder.path.string()), notch::format_error);
    folder.write("empty.onnx", "");
    CHECK_THROWS_WITH(notch::onnx::read((folder.path / "empty.onnx").string()), containing("it holds no graph"));
}

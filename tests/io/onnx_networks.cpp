/// @file
/// Published networks, where they are at hand: set NOTCH_DATA, or put them beside the project as shared/data.
#include "catch.hpp"
#include "io/onnx_model.hpp"

#include <cstdio>
#include <cstdlib>
#include <fstream>

namespace {

std::string path_of(const std::string& name) {
    const char* folder = std::getenv("NOTCH_DATA");
    return std::string(folder != nullptr ? folder : NOTCH_DATA_DIR) + "/" + name;
}

/// Numbers of the convolutions and products of a network.
std::size_t weight_count(const notch::network& net) {
    std::size_t count = 0;
    for (const notch::layer& each : net.layers) {
        if (const auto* conv = std::get_if<notch::convolution>(&each.op))
            count += conv->weights.values.size() + conv->bias.size();
        if (const auto* product = std::get_if<notch::linear>(&each.op))
            count += product->weights.values.size() + product->bias.size();
    }
    return count;
}

} // namespace

TEST_CASE("Published networks are read whole", "[onnx]") {
    struct expected {
        std::string file;
        std::size_t layers;
        std::size_t weights;
        std::size_t inputs;
        std::size_t outputs;
    };
    const expected net = GENERATE(values<expected>({{"resnet20_cifar10.onnx", 73, 268346, 3072, 10},
                                                    {"resnet20_cifar10jpeg.onnx", 73, 268346, 3072, 10},
                                                    {"resnet56_cifar10.onnx", 199, 848954, 3072, 10},
                                                    {"resnet8_cifar10.onnx", 29, 77706, 3072, 10},
                                                    {"repvgg_cifar10jpeg.onnx", 67, 635930, 3072, 10},
                                                    {"mobilenetv2_cifar10jpeg.onnx", 75, 194058, 3072, 10},
                                                    {"mobilenetv1_vww.onnx", 84, 210850, 27648, 2}}));
    const std::string path = path_of(net.file);
    if (!std::ifstream(path)) {
        std::printf("skipped: %s is not there; set NOTCH_DATA to its folder\n", net.file.c_str());
        return;
    }
    const notch::network read = notch::onnx::read(path);
    CHECK(read.layers.size() == net.layers);
    CHECK(weight_count(read) == net.weights);
    CHECK(notch::element_count(read.tensors[read.input].shape) == net.inputs);
    CHECK(result_shape(read) == std::vector<std::size_t>{net.outputs});
    CHECK(read.tensors[read.output].name == "logits");
}

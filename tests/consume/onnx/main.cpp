#include <cstdio>
#include <notch/io/onnx_read.hpp>
#include <notch/io/onnx_write.hpp>

int main() {
    notch::network net;
    net.input = net.add_tensor("pixels", {1, 2, 2});
    net.output = net.add_tensor("positive", {1, 2, 2});
    net.layers.push_back({"relu", notch::clip{}, {net.input}, net.output});
    const notch::network again = notch::onnx::read_bytes(notch::onnx::write_bytes({net, {}, {}}));
    std::printf("%zu layer, result %s\n", again.layers.size(), again.tensors[again.output].name.c_str());
    return again.layers.size() == 1 && again.tensors[again.output].name == "positive" ? 0 : 1;
}

/// @file
/// Fuzzing of the ONNX reader: any bytes are a network or an error of notch, and what was read can be written and read again.
#include "require.hpp"

#include <notch/io/onnx_read.hpp>
#include <notch/io/onnx_write.hpp>

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    notch::network net;
    try {
        net = notch::onnx::read_bytes(std::as_bytes(std::span(data, size)));
    } catch (const notch::error&) {
        return 0;
    }
    if (net.output == net.input)
        return 0;
    try {
        const notch::network again = notch::onnx::read_bytes(notch::onnx::write_bytes({net, {}, {}}));
        require(again.tensors[again.output].shape == net.tensors[net.output].shape, "another result after writing");
        const std::vector<std::byte> bytes = notch::onnx::write_bytes({again, {}, {}}); // maps are two layers now
        require(notch::onnx::write_bytes({notch::onnx::read_bytes(bytes), {}, {}}) == bytes,
                "other bytes after writing");
    } catch (const notch::error& error) {
        require(false, error.what());
    }
    return 0;
}

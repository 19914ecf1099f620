/// @file
/// ONNX files, in and out.
#include "network.hpp"

#include <notch/deploy/as_qdq.hpp>
#include <notch/io/onnx_read.hpp>
#include <notch/io/onnx_write.hpp>

namespace tool {

notch::network read_network(const std::string& path) { return notch::onnx::read(path); }

void write_export(const notch::plan& plan, const std::string& path) { notch::onnx::write(notch::as_qdq(plan), path); }

} // namespace tool

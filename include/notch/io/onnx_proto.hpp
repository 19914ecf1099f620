/// @file
/// The protobuf classes of ONNX, where their headers are found; link notch::onnx.
///
/// The classes are those of any libonnx. Numbers of tensor types that are newer than the library are written down here.
#pragma once

/// 1 where the headers of libonnx and protobuf are found.
#if __has_include(<onnx/onnx-ml.pb.h>) && __has_include(<google/protobuf/message.h>)
#define NOTCH_HAS_ONNX 1
#else
#define NOTCH_HAS_ONNX 0
#endif

#if NOTCH_HAS_ONNX

#ifndef ONNX_ML
#define ONNX_ML 1 // the classes with operators of machine learning are what is installed
#endif
#include <onnx/onnx_pb.h>
#if __has_include(<google/protobuf/stubs/logging.h>)
#include <google/protobuf/stubs/logging.h>
#endif

#include <notch/core/error.hpp>

#include <climits>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

namespace notch::detail {

namespace proto = ::onnx;

/// Types of the elements of a tensor: TensorProto.DataType.
enum class onnx_type : std::int32_t {
    float32 = 1,
    uint8 = 2,
    int8 = 3,
    int32 = 6,
    int64 = 7,
    boolean = 9,
    float16 = 10,
    float64 = 11,
    uint4 = 21, ///< IR version 10
    int4 = 22,
    uint2 = 25, ///< IR version 13
    int2 = 26,
};

/// Largest size of a message of protobuf.
inline constexpr std::uint64_t most_model_bytes = INT_MAX;

/// Reads a message; false where the bytes are none. Prints nothing.
template <class Message> [[nodiscard]] bool parse_message(Message& message, std::span<const std::byte> bytes) {
#if __has_include(<google/protobuf/stubs/logging.h>)
    const google::protobuf::LogSilencer silence;
#endif
    return bytes.size() <= most_model_bytes &&
           message.ParsePartialFromArray(bytes.data(), static_cast<int>(bytes.size()));
}

} // namespace notch::detail

#endif

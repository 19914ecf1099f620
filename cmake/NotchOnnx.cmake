# Finds the protobuf classes of ONNX: sets NOTCH_HAS_ONNX, and then the targets onnx_proto and protobuf::libprotobuf exist.
# Used here and, as installed, by notchConfig.cmake.
if(NOT TARGET protobuf::libprotobuf)
    find_package(Protobuf QUIET)
endif()
if(TARGET protobuf::libprotobuf AND NOT TARGET onnx_proto)
    find_package(ONNX QUIET CONFIG)
endif()
set(NOTCH_HAS_ONNX OFF)
if(TARGET protobuf::libprotobuf AND TARGET onnx_proto)
    set(NOTCH_HAS_ONNX ON)
endif()

/// @file
/// The way of a network through the library, each part compiled once: read, calibrate, plan, lower.
#pragma once

#include "images.hpp"
#include "settings.hpp"
#include "thread_pool.hpp"

#include <cstddef>
#include <notch/deploy/pixel_table.hpp>
#include <notch/deploy/program.hpp>
#include <notch/model/network.hpp>
#include <notch/ptq/calibrate.hpp>
#include <notch/ptq/plan.hpp>
#include <span>
#include <string>

namespace tool {

/// Reads an ONNX file, without softmax or with one.
[[nodiscard]] notch::network read_network(const std::string& path);

/// Writes a plan as an ONNX model of QuantizeLinear and DequantizeLinear.
void write_export(const notch::plan& plan, const std::string& path);

/// A network in floats.
class float_network {
public:
    explicit float_network(const notch::network& net) : program_(net) {}
    /// Floats of one image's results.
    [[nodiscard]] std::size_t result_size() const noexcept { return program_.output_size(); }
    /// Results [count, ...] of images [count, C, H, W].
    void run(std::span<const float> images, std::size_t count, std::span<float> results, thread_pool& pool) const;

private:
    notch::float_program program_;
};

/// Shows the calibration images to a network.
[[nodiscard]] notch::calibration calibrate(const notch::network& net, const image_file& images, thread_pool& pool);

/// A plan and what runs it.
struct quantized_network {
    notch::plan plan;
    notch::program program;
};

/// A plan, made ready to run.
[[nodiscard]] quantized_network lowered(notch::plan plan);

/// Plans, with `images` [n, C, H, W] for methods, and lowers.
[[nodiscard]] quantized_network quantize(const notch::calibration& seen, const notch::quantization_recipe& methods,
                                         std::span<const float> images, thread_pool& pool);

/// The part of a plan's network before the tensor that codes enter: constant maps, or nothing.
[[nodiscard]] notch::network front_network(const notch::plan& plan);

/// Images as a quantized network takes them. What is given must outlive it.
class code_source {
public:
    code_source(const quantized_network& to, const image_file& images);
    /// Images.
    [[nodiscard]] std::size_t count() const noexcept { return images_.count(); }
    /// Numbers of one image.
    [[nodiscard]] std::size_t size() const noexcept { return images_.size(); }
    /// Codes [count, H, W, C] of some images.
    void codes(std::size_t first, std::size_t count, std::span<std::uint8_t> to) const;
    /// Floats [count, C, H, W] of the tensor that codes enter.
    void floats(std::size_t first, std::size_t count, std::span<float> to) const;

private:
    const notch::program& program_;
    const image_file& images_;
    notch::float_program front_;
    notch::pixel_table table_;
};

} // namespace tool

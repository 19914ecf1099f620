/// @file
/// What the rows need of notch, in plain types: its headers are compiled once, in engine.cpp.
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace bench {

/// How a network is run.
struct setting {
    int bits = 0;       ///< of the weights, one scale per output channel; 0: floats
    bool fixed = false; ///< fixed-point scales instead of powers of two
};

/// A network that is ready to run on images of its own.
class running {
public:
    virtual ~running() = default;
    /// Runs all images. Integers start from codes; results are floats.
    virtual void operator()() = 0;
    /// Results of the last run, [images, ...].
    [[nodiscard]] virtual std::span<const float> results() const = 0;
    /// The sum of the median times of the steps, in percent of the median time of runs without clocks between the steps.
    [[nodiscard]] virtual double steps_percent() = 0;
};

/// A network of a file, calibrated with random images.
class model {
public:
    virtual ~model() = default;
    /// Images that runs have, as floats [most, C, H, W].
    static constexpr std::size_t most = 32;
    [[nodiscard]] virtual std::span<const float> images() const = 0;
    /// Extents of an image, [C, H, W].
    [[nodiscard]] virtual const std::vector<std::size_t>& shape() const = 0;
    /// Operations of an image: two for each product of a convolution or a linear layer.
    [[nodiscard]] virtual double operations() const = 0;
    [[nodiscard]] virtual std::unique_ptr<running> make(const setting& how, std::size_t batch, int threads) const = 0;
    /// Writes the quantized network with QuantizeLinear and DequantizeLinear.
    virtual void write_qdq(const setting& how, const std::string& path) const = 0;
    /// Turns the floats of one image into codes.
    [[nodiscard]] virtual std::unique_ptr<running> make_encoder() const = 0;
};

/// Raises notch::error where the file holds no network.
[[nodiscard]] std::unique_ptr<model> read_model(const std::string& path);

/// Writes a network that does nothing: ReLU of one number. Its shape is [1].
void write_nothing(const std::string& path);

/// Nanoseconds of reading a file and lowering its plan to a program.
[[nodiscard]] double time_of_loading(const std::string& path);

/// Whether this notch has reports.
[[nodiscard]] bool has_report() noexcept;

/// What measure_preparation has measured.
struct preparation {
    double ns = 0;
    double peak_mb = 0; ///< of memory of this process, so far
};

/// The images that a network is calibrated with there.
inline constexpr std::size_t calibration_images = 1024;

/// From a network in memory to what calibration has seen; with `whole`, from the file to the program and its report.
[[nodiscard]] preparation measure_preparation(const std::string& path, bool whole);

} // namespace bench

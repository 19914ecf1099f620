/// @file
/// What a report of a quantized network holds: numbers, texts and bars, no tensors. report.hpp fills it;
/// report_json.hpp and report_html.hpp write it. Whoever wants another form of it includes this file and nothing else.
///
/// Sizes are for one image, in bytes, products and seconds. Shares lie in [0, 1]. What nobody measured or gave is
/// empty. Layers are the groups of a plan (ptq/layer_groups.hpp): what an integer program runs as one step.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace notch {

/// How often values lie in neighbouring intervals: bar k holds [first + k width, first + (k + 1) width).
struct report_histogram {
    double first = 0;                    ///< where the first bar begins
    double width = 0;                    ///< 0: no bars
    std::vector<std::uint64_t> counts{}; ///< at most 128; zeros are counted apart
    std::uint64_t zeros = 0;             ///< values that are zero
    std::uint64_t count = 0;             ///< of all values, zeros included
    double min = 0;                      ///< smallest value
    double max = 0;                      ///< largest value
};

/// How far an approximation lies from a tensor.
struct report_error {
    double sqnr_db = 0; ///< 10 log10(sum x^2 / sum (x - y)^2); infinite where nothing is lost
    double cosine = 1;  ///< of the angle between both
};

/// Weights of a layer.
struct weight_report {
    int bits = 8;                          ///< of a code
    std::string grain{};                   ///< as users write it: "channel", "block:16x16"
    std::vector<std::size_t> shape{};      ///< [O, I, KH, KW]
    std::size_t bytes = 0;                 ///< codes packed at 2, 4 or 8 bits, scales and biases
    std::size_t rows = 1;                  ///< of blocks that have a scale: along the outputs
    std::size_t columns = 1;               ///< along the inputs
    std::size_t block_outputs = 1;         ///< outputs of a block
    std::vector<double> scales{};          ///< one per block, row-major
    std::vector<std::int32_t> exponents{}; ///< the same as powers of two, where they are
    double least_scale = 0;                ///< smallest scale of a block
    double largest_scale = 0;              ///< largest scale of a block
    std::vector<std::uint32_t> floored{};  ///< outputs whose scale was raised so that the bias fits
    double clipped = 0;                    ///< share of weights whose nearest code does not exist
    report_error error{};                  ///< weights and what their codes stand for
    report_histogram values{};             ///< of the weights
    report_histogram steps{};              ///< of the weights divided by their scales
};

/// Codes of a tensor.
struct tensor_report {
    int bits = 8;                           ///< of a code
    double scale = 1;                       ///< real of one step
    std::optional<std::int32_t> exponent{}; ///< scale = 2^exponent, where it is one
    std::int32_t zero_point = 0;            ///< code of 0
    std::int32_t lowest_code = 0;           ///< smallest code
    std::int32_t highest_code = 255;        ///< largest code
    double lowest = 0;                      ///< number of the lowest code
    double highest = 0;                     ///< number of the highest code
    double clipped_below = 0; ///< share of the values of the calibration whose nearest code would lie below
    double clipped_above = 0; ///< the same above
};

/// What quantizing one layer alone does to the result of the network.
struct sensitivity_report {
    double divergence = 0; ///< mean of sum p log(p / q) over images: p softmax in floats, q with this layer quantized
    double agreement = 1;  ///< share of images with the same top-1
};

/// One layer.
struct layer_report {
    std::string name{};                     ///< of the layer
    std::string op{};                       ///< ONNX's name
    std::vector<std::string> fused{};       ///< what the layer takes over from those behind it: "Add", "Relu", "Clip"
    std::string window{};                   ///< such as "3x3 / 2, 64 groups"; empty for products and sums
    std::vector<std::size_t> input{};       ///< shape
    std::vector<std::size_t> output{};      ///< shape
    std::size_t macs = 0;                   ///< products that are summed up
    std::size_t parameters = 0;             ///< weights and bias
    std::optional<weight_report> weights{}; ///< where it has some
    std::optional<tensor_report> codes{};   ///< of the result; a real result has none
    bool keeps_codes = false;               ///< codes pass through: those of the input
    std::optional<report_histogram> activations{};   ///< of the result in floats, as calibration saw it
    std::optional<report_error> error{};             ///< result in floats, and as the plan computes it
    std::optional<sensitivity_report> sensitivity{}; ///< where it was asked for
    std::optional<double> seconds{};                 ///< per image
    std::optional<double> share{};                   ///< of the seconds of all layers
    std::string kernel{};                            ///< what explain says
};

/// How the network was quantized.
struct report_settings {
    int weight_bits = 8;                 ///< of weights, but for the first and the last layer
    int activation_bits = 8;             ///< of results
    int first_last_bits = 8;             ///< 0: as everywhere
    std::string grain{};                 ///< of the weights, as users write it
    std::string scales{};                ///< "pot", "fixed", "real"
    std::string observer{};              ///< "minmax", "percentile", "mse", "kl"
    std::string fit{};                   ///< of the scales of weights: "minmax", "leastsquares"
    std::string method{};                ///< what the caller says of rounding and rewriting
    std::size_t calibration_images = 0;  ///< how many were seen
    std::optional<std::uint64_t> seed{}; ///< of what the caller drew
};

/// Sums over all layers.
struct report_totals {
    std::size_t layers = 0;                   ///< how many
    std::size_t macs = 0;                     ///< multiplications of one image
    std::size_t parameters = 0;               ///< weights and biases
    std::size_t float_bytes = 0;              ///< of the parameters as floats
    std::size_t packed_bytes = 0;             ///< of codes, scales and biases
    std::optional<std::size_t> arena_bytes{}; ///< of tensors that live at the same time
    std::optional<double> seconds{};          ///< of all steps, per image
    std::optional<double> float_seconds{};    ///< of the float network, per image
};

/// How good the network is. The caller knows most of it.
struct report_accuracy {
    std::optional<double> top1_float{};              ///< percent
    std::optional<double> top1_simulated{};          ///< percent
    std::optional<double> top1_integer{};            ///< percent
    std::optional<double> agreement{};               ///< share of images with the top-1 of the float network
    std::optional<double> logits_sqnr_db{};          ///< of the result before a softmax
    std::optional<std::size_t> images{};             ///< on which all of this was measured
    std::optional<std::uint64_t> compared_codes{};   ///< of the integer program and of its simulation
    std::optional<std::uint64_t> mismatched_codes{}; ///< those that differ: 0, or a bug
};

/// A quantized network.
struct network_report {
    std::string name{};                 ///< of the network
    std::string machine{};              ///< what the caller says of processor, instruction set and threads
    report_settings settings{};         ///< how it was quantized
    report_totals totals{};             ///< sums over the layers
    report_accuracy accuracy{};         ///< of the whole network
    std::vector<layer_report> layers{}; ///< in the order in which they run
};

} // namespace notch

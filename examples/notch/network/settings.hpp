/// @file
/// What a network subcommand is asked for: from its flags, and from a recipe.
#pragma once

#include <cstddef>
#include <cstdint>
#include <notch/deploy/pixel_scaling.hpp>
#include <notch/deploy/recipe.hpp>
#include <notch/ptq/policy.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace tool {

/// Everything that flags and recipes say.
struct network_settings {
    std::string model;       ///< ONNX file
    std::string plan;        ///< file of a plan, instead of calibration
    std::string calibration; ///< images that scales are found with
    std::string images;      ///< images to evaluate
    std::string labels;      ///< of them
    std::size_t calibration_images = 512;
    std::vector<std::size_t> shape{}; ///< of an image of raw bytes, [H, W, C]; empty: that of the network
    notch::pixel_scaling pixels{};
    bool says_pixels = false;             ///< a flag or a recipe did
    notch::quantization_recipe methods{}; ///< policy and methods
    std::size_t threads = 1;
    std::uint64_t seed = 0;                ///< which calibration images are taken; 0: the first ones
    std::optional<std::size_t> simulate{}; ///< images that are simulated too; none: all
    std::size_t seconds = 10;              ///< to measure
    std::vector<notch::grain> grains{};    ///< to sweep over; empty: usual ones
    bool steps = false;                    ///< evaluate after each step of the methods
    std::string recipe;
    std::string other_recipe; ///< what to compare with
    std::string golden;       ///< what to compare with
    std::string json;         ///< file to write, or empty
    std::string html;         ///< file to write, or empty
    std::string svg;          ///< file to write, or empty
    std::string save_recipe;  ///< file to write, or empty
    std::string save_plan;    ///< file to write, or empty
    std::string onnx;         ///< file to write, or empty
};

/// One setting as text: grain, block:16x16.
struct named_value {
    std::string name;
    std::string value;
};

/// A grain, as "channel", "block:16x16" or "kernel" (a scale for each filter of an input channel); raises std::runtime_error that says what is possible. `what`: for the message.
[[nodiscard]] notch::grain parse_grain(std::string_view what, std::string_view value);

/// A whole number; raises std::runtime_error with the number and the limits.
[[nodiscard]] std::uint64_t parse_number(std::string_view what, std::string_view value, std::uint64_t lowest,
                                         std::uint64_t highest);

/// Grains of a list, as "tensor,channel,block:16x16".
[[nodiscard]] std::vector<notch::grain> parse_grains(std::string_view what, std::string_view value);

/// Sets what a recipe may hold: weights, activations, grain, scale, observer, fit, rounding, split, split_scale, split_gain,
/// rescale, absorb, reorder, in_order, method_images, bias_correction, first_last, residual, calibration_images, seed,
/// scale_input, mean, std. `what` stands for the setting in messages. Raises std::runtime_error.
void apply(network_settings& settings, std::string_view what, const named_value& setting);

/// Sets something for one layer: weights, activations, grain or fit.
void apply(notch::layer_override& layer, std::string_view what, const named_value& setting);

/// The extents of a list, as "32,32,3".
[[nodiscard]] std::vector<std::size_t> parse_extents(std::string_view what, std::string_view value);

/// The numbers of a list, as "0.5,0.25".
[[nodiscard]] std::vector<double> parse_reals(std::string_view what, std::string_view value);

/// As flags name it: "minmax", "mse" or "results".
[[nodiscard]] const char* name_of(notch::weight_fit fit);

/// As flags name it: "none", "centre:4", "peak:4", "all:4".
[[nodiscard]] std::string name_of(const notch::split_policy& split);

/// As flags name it: "none", "least-noise", "mutual", "equalize", "results", the same with "-pot".
[[nodiscard]] std::string rescaling_name(const notch::quantization_recipe& methods);

/// As flags name it: "none", "sort", "greedy", "evolution".
[[nodiscard]] std::string reordering_name(const notch::quantization_recipe& methods);

} // namespace tool

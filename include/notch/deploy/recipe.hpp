/// @file
/// A recipe: everything that the pipeline (pipeline.hpp) does to a network, as a value.
#pragma once

#include <notch/ptq/policy.hpp>
#include <notch/ptq/refine_options.hpp>
#include <notch/ptq/reorder_options.hpp>
#include <notch/ptq/rescale_options.hpp>

#include <cstddef>

namespace notch {

/// What is done to a network.
struct quantization_recipe {
    quantization_policy policy{};     ///< bits, grains, scales; fits and rounding, by results too; splits
    bool rescale = false;             ///< channels between layers
    rescale_options rescaling{};      ///< bits are those of the policy
    bool absorb = false;              ///< biases
    bool reorder = false;             ///< channels, for blocks
    reorder_options ordering{};       ///< bits, scales and overrides are those of the policy
    refine_options refining{};        ///< for fit and rounding by results
    bool in_order = true;             ///< codes by results are those of layers behind quantized ones
    std::size_t channel_images = 512; ///< that rescale, absorb and reorder measure channels on, at most
    std::size_t images = 128;         ///< that methods look at, of those that calibrate, at most
    std::size_t range_images = 16;    ///< the same, for ranges by results
    std::size_t rescale_images = 64;  ///< the same, for rescaling by results; `images` at most
    std::size_t bias_images = 0;      ///< for bias correction; 0: none
};

} // namespace notch

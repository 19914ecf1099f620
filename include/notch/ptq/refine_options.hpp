/// @file
/// How weights are fitted and rounded to the results of a layer (sub_layer_scales.hpp, round_to_results.hpp).
#pragma once

#include <cstddef>

namespace notch {

/// What a search makes small. e, n, d: sums over the outputs of a row of blocks of e_o, w^T b_o, w^T G w (layer_moments.hpp).
enum class output_metric {
    squares, ///< e - 2 n + d: the square error
    cosine   ///< 1 - n / sqrt(e d): the angle between the results, whatever their length
};

/// How scales are searched.
struct scale_search_options {
    output_metric metric = output_metric::squares; ///< what is made small
    bool centred = true;                           ///< errors about their mean: biases take the mean
    double lowest = 0.5;                           ///< smallest candidate, times the scale that holds all
    double highest = 1.2;                          ///< largest one
    std::size_t candidates = 100;                  ///< steps between them
    std::size_t passes = 3;                        ///< over the blocks of a row
};

/// How codes are rounded.
struct rounding_options {
    bool centred = true;     ///< errors about their mean: biases take the mean
    std::size_t passes = 20; ///< over the weights of an output, at most
    double damping = 0.01;   ///< times the mean of the diagonal of G
};

/// How weights are refined.
struct refine_options {
    scale_search_options scales{}; ///< for weight_fit::by_results
    rounding_options rounding{};   ///< for weight_rounding::by_results
};

} // namespace notch

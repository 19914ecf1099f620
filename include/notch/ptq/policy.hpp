/// @file
/// What a user wants: bits, grain, scales and observer of a network that is to be quantized, as run-time values.
///
/// Static policies (quant/quantizer.hpp) are for people who compile kernels into an engine; these are for people who
/// convert networks. Both end in the same packed weights and the same kernels.
///
///     quantization_policy policy;
///     policy.weights.bits = 4;
///     policy.weights.cut = grain::block(16, 16);
///     policy.scales = scale_form::power_of_two;
#pragma once

#include <notch/core/error.hpp>
#include <notch/core/int_math.hpp>

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

namespace notch {

/// Which numbers scales may be, and so what a requantization is.
enum class scale_form {
    power_of_two, ///< 2^e; a rounding shift
    fixed_point,  ///< any; a 32-bit multiplier and a shift, rounded once (core/fixed_point.hpp)
    real          ///< any; a float product
};

/// Which weights share a scale.
enum class grain_kind { per_tensor, per_channel, per_group, sub_layer };

/// A grain with its sizes.
struct grain {
    grain_kind kind = grain_kind::per_channel; ///< which weights share a scale
    std::size_t outputs = 1;                   ///< output channels of a block; sub_layer only
    std::size_t inputs = 0;                    ///< input channels of a block; per_group and sub_layer

    /// One scale.
    [[nodiscard]] static constexpr grain tensor() noexcept { return {grain_kind::per_tensor, 0, 0}; }
    /// One scale per output channel.
    [[nodiscard]] static constexpr grain channel() noexcept { return {grain_kind::per_channel, 1, 0}; }
    /// One scale per output channel and `size` input channels.
    [[nodiscard]] static constexpr grain group(std::size_t size) noexcept { return {grain_kind::per_group, 1, size}; }
    /// One scale per block of output and input channels (PTQ-SL).
    [[nodiscard]] static constexpr grain block(std::size_t out, std::size_t in) noexcept {
        return {grain_kind::sub_layer, out, in};
    }
    /// Equal in everything.
    friend constexpr bool operator==(const grain&, const grain&) = default;
};

/// How the scale of a block of weights is found.
enum class weight_fit {
    min_max,       ///< the largest magnitude becomes the largest code
    least_squares, ///< least square error, over 86 scales, or over 5 powers of two
    by_results ///< least error of the layer's result on images (sub_layer_scales.hpp); least_squares until refine_weights
};

/// How weights become codes.
enum class weight_rounding {
    nearest,   ///< the nearest, ties to even
    by_results ///< up or down, for the least error of the layer's result on images (round_to_results.hpp); nearest until
               ///< refine_weights
};

/// How the range of an activation is found (observe/observer.hpp).
enum class range_rule {
    by_min_max,      ///< all that was seen
    by_percentile,   ///< all but some percent
    by_mse,          ///< least error
    by_kl,           ///< least divergence, textbook
    by_kl_masked,    ///< least divergence over bins that both distributions hold
    by_kl_penalised, ///< the same, plus a term that grows with what is clipped (CFWS)
    by_results ///< of all these, the one that the layers behind notice least (choose_ranges.hpp); by_mse without images
};

/// Which taps of a filter get a coarse part.
enum class split_taps {
    centre, ///< the middle one, or those around it where the filter is even
    peak,   ///< the one with the largest weight of the layer
    all     ///< all of them
};

/// Splitting of weights into a coarse and a fine part (coarse_fine_split.hpp).
struct split_policy {
    int bits = 0;                         ///< of the coarse part, 2 to 8; 0: weights are not split
    split_taps taps = split_taps::centre; ///< which taps have a coarse part
    bool per_tensor = false;              ///< one scale for the coarse part of a layer, not one per output
    double least_gain = 3;                ///< dB by which the error of the weights must fall, or a layer stays whole
};

/// Weights of a layer: symmetric codes of `bits` bits.
struct weight_policy {
    int bits = 8;                                        ///< 2 to 8
    grain cut = grain::channel();                        ///< which weights share a scale
    weight_fit fit = weight_fit::least_squares;          ///< how scales are found
    weight_rounding rounding = weight_rounding::nearest; ///< how codes are
    split_policy split{}; ///< dense and grouped convolutions of several taps; `bits` is that of the fine part
};

/// Activations: one scale and one zero point per tensor.
struct activation_policy {
    int bits = 8;                         ///< 2 to 8; always held in bytes
    bool is_signed = false;               ///< codes [-2^(bits-1), 2^(bits-1) - 1] instead of [0, 2^bits - 1]
    range_rule rule = range_rule::by_mse; ///< how the range is found
    double percent = 99.99;               ///< of percentile
    double power = 2.4;                   ///< of mse: the exponent of the error
};

/// Something else for one layer.
struct layer_override {
    std::string layer{};                  ///< its name
    std::optional<int> weight_bits{};     ///< instead of weights.bits
    std::optional<int> activation_bits{}; ///< of its result
    std::optional<grain> cut{};           ///< instead of weights.cut
    std::optional<weight_fit> fit{};      ///< instead of weights.fit
};

/// How a network is quantized.
struct quantization_policy {
    weight_policy weights{};                      ///< of all layers, but for first, last and overrides
    activation_policy activations{};              ///< of all results, but for first, last and overrides
    scale_form scales = scale_form::power_of_two; ///< of weights and activations
    /// Bits of the weights of the first and the last layer that have some, of the network's input, of the first layer's
    /// result and of the last layer's input. 0: as everywhere.
    int first_last_bits = 8;
    /// Bits of a tensor that is only added to another one.
    int residual_bits = 8;
    std::vector<layer_override> overrides{}; ///< by the name of the layer
};

/// As users write it: "tensor", "channel", "group:32", "block:16x16".
[[nodiscard]] inline std::string to_string(const grain& g) {
    switch (g.kind) {
    case grain_kind::per_tensor:
        return "tensor";
    case grain_kind::per_channel:
        return "channel";
    case grain_kind::per_group:
        return "group:" + std::to_string(g.inputs);
    case grain_kind::sub_layer:
        break;
    }
    return "block:" + std::to_string(g.outputs) + "x" + std::to_string(g.inputs);
}

/// As users write it: "pot", "fixed", "real".
[[nodiscard]] constexpr const char* to_string(scale_form form) noexcept {
    return form == scale_form::power_of_two ? "pot" : form == scale_form::fixed_point ? "fixed" : "real";
}

/// As users write it: "minmax", "percentile", "mse", "kl", "kl-masked", "kl-penalised", "results".
[[nodiscard]] constexpr const char* to_string(range_rule rule) noexcept {
    switch (rule) {
    case range_rule::by_min_max:
        return "minmax";
    case range_rule::by_percentile:
        return "percentile";
    case range_rule::by_mse:
        return "mse";
    case range_rule::by_kl:
        return "kl";
    case range_rule::by_kl_masked:
        return "kl-masked";
    case range_rule::by_kl_penalised:
        return "kl-penalised";
    case range_rule::by_results:
        break;
    }
    return "results";
}

namespace detail {

/// Raises range_error unless a number of bits is one of 2 to 8. `what`: whose.
inline void check_bits(int bits, const char* what) {
    if (bits < 2 || bits > 8)
        raise<range_error>(what, ": ", bits, " bits; 2 to 8 are possible");
}

/// Raises range_error for a block without elements.
inline void check_grain(const grain& g) {
    const bool needs_inputs = g.kind == grain_kind::per_group || g.kind == grain_kind::sub_layer;
    if ((needs_inputs && g.inputs == 0) || (g.kind == grain_kind::sub_layer && g.outputs == 0))
        raise<range_error>("grain ", to_string(g), ": a block has at least one channel each way");
}

/// Raises range_error for numbers outside of what they can be.
inline void check_policy(const quantization_policy& policy) {
    check_bits(policy.weights.bits, "weights");
    if (policy.weights.split.bits != 0)
        check_bits(policy.weights.split.bits, "the coarse part of split weights");
    if (is_non_finite(policy.weights.split.least_gain))
        raise<range_error>("the least gain of a split is ", policy.weights.split.least_gain,
                           " dB; it has to be finite");
    check_bits(policy.activations.bits, "activations");
    check_bits(policy.residual_bits, "residuals");
    if (policy.first_last_bits != 0)
        check_bits(policy.first_last_bits, "first and last layer");
    check_grain(policy.weights.cut);
    for (const layer_override& o : policy.overrides) {
        if (o.weight_bits)
            check_bits(*o.weight_bits, o.layer.c_str());
        if (o.activation_bits)
            check_bits(*o.activation_bits, o.layer.c_str());
        if (o.cut)
            check_grain(*o.cut);
    }
}

} // namespace detail
} // namespace notch

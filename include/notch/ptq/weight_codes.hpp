/// @file
/// Codes of weights: their ranges, blocks, exponents, and the bound of their sums. Part of fit_weights.hpp and of what fits weights
/// in other ways.
#pragma once

#include <notch/core/int_math.hpp>
#include <notch/ptq/plan.hpp>
#include <notch/ptq/policy.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace notch::detail {

/// The codes of a width: all of them, or without the lowest.
struct weight_range {
    double lowest;
    double highest;
};
[[nodiscard]] inline weight_range range_of(int bits) noexcept {
    return {-exp2_exact(bits - 1), exp2_exact(bits - 1) - 1};
}

/// clamp(round(w / s)), ties to even.
[[nodiscard]] inline double code_of(double w, double inverse, const weight_range& range) noexcept {
    return std::clamp(std::nearbyint(w * inverse), range.lowest, range.highest);
}

/// Extents of a block of a grain over [O, I], cut to them.
[[nodiscard]] inline std::array<std::size_t, 2> block_extents(const grain& g, const std::vector<std::size_t>& shape) {
    switch (g.kind) {
    case grain_kind::per_tensor:
        return {shape[0], shape[1]};
    case grain_kind::per_channel:
        return {1, shape[1]};
    case grain_kind::per_group:
        return {1, std::min(g.inputs, shape[1])};
    case grain_kind::sub_layer:
        break;
    }
    return {std::min(g.outputs, shape[0]), std::min(g.inputs, shape[1])};
}

/// Weights of a policy without codes: all lists have their lengths.
[[nodiscard]] inline planned_weights blank_weights(const weight_policy& policy, const std::vector<std::size_t>& shape) {
    planned_weights to;
    to.bits = policy.bits;
    to.cut = policy.cut;
    to.shape = shape;
    const auto [outputs, inputs] = block_extents(policy.cut, shape);
    to.block_outputs = outputs;
    to.block_inputs = inputs;
    to.exponents.resize(to.rows() * to.blocks());
    to.base.assign(shape[0], 1.0);
    to.least.resize(shape[0]);
    to.codes.resize(element_count(shape));
    return to;
}

/// The largest of the floors, one per output or none, of a row of blocks.
[[nodiscard]] inline double row_floor(const planned_weights& of, std::span<const double> floors,
                                      std::size_t row) noexcept {
    double floor = 0;
    for (std::size_t o = of.first_output(row); o < of.end_output(row) && !floors.empty(); ++o)
        floor = std::max(floor, floors[o]);
    return floor;
}

/// The nearest float.
[[nodiscard]] inline double as_float(double x) noexcept { return static_cast<double>(static_cast<float>(x)); }

/// The smallest power of two that is not below x > 0.
[[nodiscard]] inline double power_above(double x) noexcept {
    const int e = floor_log2(x);
    return exp2_exact(exp2_exact(e) < x ? e + 1 : e);
}

/// Whether an output has a code other than 0 in a block.
[[nodiscard]] inline bool any_code(const planned_weights& of, std::size_t o, std::size_t h) noexcept {
    const std::size_t taps = of.taps();
    const std::size_t first = (o * of.shape[1] + h * of.block_inputs) * taps;
    const std::size_t end = (o * of.shape[1] + std::min((h + 1) * of.block_inputs, of.shape[1])) * taps;
    return std::any_of(of.codes.begin() + static_cast<std::ptrdiff_t>(first),
                       of.codes.begin() + static_cast<std::ptrdiff_t>(end), [](std::int8_t c) { return c != 0; });
}

/// The smallest exponent of the blocks, and of the coarse part, of an output that have codes; that of the coarse part, or of
/// the first block, where none has.
[[nodiscard]] inline std::int32_t least_exponent(const planned_weights& of, std::size_t o) noexcept {
    const std::int32_t* row = of.exponents.data() + o / of.block_outputs * of.blocks();
    std::int32_t least = 0;
    bool found = false;
    for (std::size_t h = 0; h < of.blocks(); ++h)
        if (any_code(of, o, h)) {
            least = found ? std::min(least, row[h]) : row[h];
            found = true;
        }
    if (of.coarse) {
        const std::size_t count = of.coarse->codes.size() / of.shape[0];
        const auto first = of.coarse->codes.begin() + static_cast<std::ptrdiff_t>(o * count);
        if (std::any_of(first, first + static_cast<std::ptrdiff_t>(count), [](std::int8_t c) { return c != 0; })) {
            least = found ? std::min(least, of.coarse->exponents[o]) : of.coarse->exponents[o];
            found = true;
        }
    }
    if (!found && of.coarse) // packing begins with the coarse part
        return of.coarse->exponents[o];
    return found ? least : row[0];
}

/// Finds `least` anew, for codes that have changed.
inline void find_least(planned_weights& of) noexcept {
    for (std::size_t o = 0; o < of.least.size(); ++o)
        of.least[o] = least_exponent(of, o);
}

/// Codes of [O, I, KH, KW] numbers in the scales that the weights have.
inline void round_codes(planned_weights& to, std::span<const double> values) {
    const weight_range range = range_of(to.bits);
    for (std::size_t k = 0; k < values.size(); ++k) {
        const std::size_t channel = k / to.taps();
        const double scale = to.scale(channel / to.shape[1], channel % to.shape[1]);
        to.codes[k] = static_cast<std::int8_t>(code_of(values[k], 1 / scale, range));
    }
    find_least(to);
}

/// Whether no sum of outputs [first, last), with any 8-bit activations, exceeds 2^30.
[[nodiscard]] inline bool sums_fit(const planned_weights& of, std::size_t first, std::size_t last) noexcept {
    const std::size_t taps = of.taps();
    for (std::size_t o = first; o < last; ++o) {
        const std::int32_t least = least_exponent(of, o);
        double positive = 0;
        double negative = 0;
        const auto add = [&](double value) {
            positive += value > 0 ? value : 0;
            negative -= value < 0 ? value : 0;
        };
        const double unit = of.base[o] * exp2_exact(least);
        for (std::size_t i = 0; i < of.shape[1]; ++i) {
            const std::size_t block = of.block_of(o, i);
            const double factor = exp2_exact(std::max(of.exponents[block] - least, 0)) * of.multiplier(block);
            for (std::size_t t = 0; t < taps; ++t) {
                add(factor * of.codes[(o * of.shape[1] + i) * taps + t]);
                add(of.coarse_value(o, i, t) / unit);
            }
        }
        if (255 * std::max(positive, negative) > exp2_exact(30))
            return false;
    }
    return true;
}

/// Bits of a multiplier behind its first one, so that it times a code fits a byte: 3 for codes of 4 bits.
[[nodiscard]] constexpr int multiplier_bits(int bits) noexcept { return bits < 7 ? 7 - bits : 0; }

/// Scales of a row of blocks differ by 2^7 at most.
inline constexpr int block_spread = 7;

} // namespace notch::detail

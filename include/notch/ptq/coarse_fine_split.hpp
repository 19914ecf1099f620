/// @file
/// split_weights: weights as a coarse and a fine part that share one sum (CFWS). A few taps that are much larger than the others,
/// such as the centre of filters that identity branches were fused into, no longer decide the scale of all of them.
///
///     W = C + F,   C = s_C clamp(round(W / s_C))  at the split taps, 0 elsewhere;   F = W - C                     (1)
///     s_C >= max |W| at the split taps of the output (or layer) / (2^(b_C - 1) - 1),   so |W - C| <= s_C / 2       (2)
///     sum = 2^k sum of c x + sum of f x,   s_C = 2^k s_F                                                        (3)
///
/// (3) is what makes one sum of two: both parts have scales m 2^e with one m for an output, so a shift brings them together.
/// m is 1 for powers of two; otherwise the best of 16 steps of an octave, and of equality in (2), is taken, one for each row of blocks. F is rounded as
/// weights are that are not split, in blocks of any grain; s_F is the best of five powers of two for each block, or the one that clips nothing (weight_fit::min_max). k is at most
/// 8, and as small as needed for sums to stay below 2^30.
///
/// Split taps: the centre, the largest tap of the layer, or all. No threshold is searched; a layer is split where the square error
/// of its weights falls by `least_gain` dB (make_plan).
///
/// Source: CFWS (Yang et al., 2023); there s_C and s_F are free and two convolutions are added. Here s_C is up to twice as large,
/// which costs the fine part at most one bit, and nothing is added but in the sum.
#pragma once

#include <notch/core/error.hpp>
#include <notch/core/int_math.hpp>
#include <notch/ptq/fit_weights.hpp>
#include <notch/ptq/plan.hpp>
#include <notch/ptq/policy.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <utility>
#include <vector>

namespace notch {

/// Sum of squares of what codes do not say of weights [O, I, KH, KW].
[[nodiscard]] inline double weight_error(const planned_weights& codes, std::span<const float> values) noexcept {
    double error = 0;
    std::size_t at = 0;
    for (std::size_t o = 0; o < codes.shape[0]; ++o)
        for (std::size_t i = 0; i < codes.shape[1]; ++i)
            for (std::size_t t = 0; t < codes.taps(); ++t, ++at) {
                const double e = static_cast<double>(values[at]) - codes.value(o, i, t);
                error += e * e;
            }
    return error;
}

namespace detail {

/// Splits one layer.
class weight_splitter {
public:
    weight_splitter(const weights_to_fit& from, const weight_policy& policy, scale_form form)
        : from_(from), form_(form), fit_(policy.fit), fine_(range_of(policy.bits)),
          top_(range_of(policy.split.bits).highest) {
        to_ = blank_weights(policy, from.shape);
        coarse_weights coarse;
        coarse.bits = policy.split.bits;
        place(coarse, policy.split.taps);
        to_.coarse = std::move(coarse);
        find_largest(policy.split.per_tensor);
    }

    [[nodiscard]] planned_weights split() {
        to_.coarse->codes.resize(to_.shape[0] * to_.shape[1] * coarse_taps());
        to_.coarse->exponents.resize(to_.shape[0]);
        for (std::size_t row = 0; row < to_.rows(); ++row)
            split_row(row);
        find_least(to_);
        return std::move(to_);
    }

private:
    [[nodiscard]] std::size_t coarse_taps() const noexcept { return to_.coarse->extent[0] * to_.coarse->extent[1]; }
    [[nodiscard]] std::size_t depth() const noexcept { return to_.shape[1] * to_.taps(); }
    [[nodiscard]] double weight(std::size_t o, std::size_t k) const noexcept {
        return static_cast<double>(from_.values[o * depth() + k]);
    }
    /// The rectangle of taps that are split.
    void place(coarse_weights& coarse, split_taps taps) const {
        const std::array<std::size_t, 2> kernel{to_.shape[2], to_.shape[3]};
        coarse.extent = kernel;
        if (taps == split_taps::centre)
            for (std::size_t axis = 0; axis < 2; ++axis) {
                coarse.extent[axis] = 2 - kernel[axis] % 2;
                coarse.first[axis] = (kernel[axis] - coarse.extent[axis]) / 2;
            }
        if (taps != split_taps::peak)
            return;
        const auto at = std::ranges::max_element(from_.values, {}, [](float w) { return std::abs(w); });
        const std::size_t tap = static_cast<std::size_t>(at - from_.values.begin()) % to_.taps();
        coarse.first = {tap / kernel[1], tap % kernel[1]};
        coarse.extent = {1, 1};
    }
    [[nodiscard]] bool is_split(std::size_t tap) const noexcept {
        const coarse_weights& coarse = *to_.coarse;
        return tap / to_.shape[3] - coarse.first[0] < coarse.extent[0] &&
               tap % to_.shape[3] - coarse.first[1] < coarse.extent[1];
    }
    void find_largest(bool per_tensor) {
        largest_.assign(to_.shape[0], 0.0);
        for (std::size_t o = 0; o < to_.shape[0]; ++o)
            for (std::size_t k = 0; k < depth(); ++k)
                if (is_split(k % to_.taps()))
                    largest_[o] = std::max(largest_[o], std::abs(weight(o, k)));
        if (per_tensor)
            std::ranges::fill(largest_, *std::ranges::max_element(largest_));
    }

    void split_row(std::size_t row) {
        double least = std::numeric_limits<double>::infinity();
        double best = 1;
        for (const double mantissa : mantissas(row)) {
            const double error = try_row(row, mantissa, split_shift);
            if (error < least) {
                least = error;
                best = mantissa;
            }
        }
        for (std::size_t o = to_.first_output(row); o < to_.end_output(row) && !from_.floors.empty(); ++o)
            if (from_.floors[o] > 0 && largest_of(o) < from_.floors[o] * fine_.highest)
                to_.floored.push_back(static_cast<std::uint32_t>(o));
        for (int cap = split_shift; cap >= 0; --cap) {
            static_cast<void>(try_row(row, best, cap));
            if (sums_fit(to_, to_.first_output(row), to_.end_output(row)))
                break;
        }
    }
    [[nodiscard]] double largest_of(std::size_t o) const noexcept {
        double largest = 0;
        for (std::size_t k = 0; k < depth(); ++k)
            largest = std::max(largest, std::abs(weight(o, k)));
        return largest;
    }
    /// What is tried for m: 1 where scales are powers of two.
    [[nodiscard]] std::vector<double> mantissas(std::size_t row) const {
        std::vector<double> list{1};
        if (form_ == scale_form::power_of_two)
            return list;
        for (int step = 1; step < 16; ++step)
            list.push_back(as_float(std::exp2(step / 16.0)));
        double largest = 0;
        for (std::size_t o = to_.first_output(row); o < to_.end_output(row); ++o)
            largest = std::max(largest, largest_[o]);
        const double whole = as_float(largest / top_);
        if (whole > exp2_exact(-100))
            list.push_back(whole * exp2_exact(-floor_log2(whole))); // the largest code is reached
        return list;
    }
    /// The exponent of the smallest m 2^e that is not below x > 0.
    [[nodiscard]] static std::int32_t exponent_above(double x, double m) {
        const int e = floor_log2(x / m);
        return m * exp2_exact(e) < x ? e + 1 : e;
    }
    /// Splits a row of blocks with scales m 2^e, coarse ones at most 2^cap times the fine ones. The square error.
    double try_row(std::size_t row, double m, int cap) {
        const double floor = std::max(row_floor(to_, from_.floors, row), exp2_exact(-100));
        std::int32_t highest = std::numeric_limits<std::int32_t>::min();
        for (std::size_t o = to_.first_output(row); o < to_.end_output(row); ++o) {
            to_.base[o] = m;
            const std::int32_t exponent = exponent_above(std::max(largest_[o] / top_, floor), m);
            to_.coarse->exponents[o] = exponent;
            highest = std::max(highest, exponent);
            write_coarse(o, m * exp2_exact(exponent));
        }
        const std::int32_t lowest = std::max(exponent_above(floor, m), highest - cap);
        double error = 0;
        for (std::size_t h = 0; h < to_.blocks(); ++h)
            error += fit_block(row, h, m, lowest, highest);
        return error;
    }
    void write_coarse(std::size_t o, double scale) {
        const coarse_weights& coarse = *to_.coarse;
        const weight_range range{-top_, top_};
        std::int8_t* to = to_.coarse->codes.data() + o * to_.shape[1] * coarse_taps();
        for (std::size_t i = 0; i < to_.shape[1]; ++i)
            for (std::size_t h = 0; h < coarse.extent[0]; ++h)
                for (std::size_t w = 0; w < coarse.extent[1]; ++w)
                    *to++ = static_cast<std::int8_t>(code_of(
                        weight(o, (i * to_.shape[2] + coarse.first[0] + h) * to_.shape[3] + coarse.first[1] + w),
                        1 / scale, range));
    }
    /// The fine part of a block, its scale m 2^e with e >= lowest; zeros take `highest`. The square error.
    double fit_block(std::size_t row, std::size_t h, double m, std::int32_t lowest, std::int32_t highest) {
        const std::size_t first = h * to_.block_inputs;
        const std::size_t end = std::min(first + to_.block_inputs, to_.shape[1]);
        std::vector<double> rest;
        double largest = 0;
        for (std::size_t o = to_.first_output(row); o < to_.end_output(row); ++o)
            for (std::size_t i = first; i < end; ++i)
                for (std::size_t t = 0; t < to_.taps(); ++t) {
                    rest.push_back(weight(o, i * to_.taps() + t) - to_.coarse_value(o, i, t));
                    largest = std::max(largest, std::abs(rest.back()));
                }
        std::int32_t best = highest;
        double least = std::numeric_limits<double>::infinity();
        const std::int32_t above =
            largest == 0 ? highest : std::max(exponent_above(largest / fine_.highest, m), lowest);
        const std::int32_t below = fit_ == weight_fit::min_max ? 0 : 4;
        for (std::int32_t e = above; e >= std::max(above - below, lowest); --e) {
            const double error = square_error(rest, m * exp2_exact(e), fine_);
            if (error < least) {
                least = error;
                best = e;
            }
        }
        to_.exponents[row * to_.blocks() + h] = best;
        const double inverse = 1 / (m * exp2_exact(best));
        std::size_t at = 0;
        for (std::size_t o = to_.first_output(row); o < to_.end_output(row); ++o)
            for (std::size_t k = first * to_.taps(); k < end * to_.taps(); ++k, ++at)
                to_.codes[o * depth() + k] = static_cast<std::int8_t>(code_of(rest[at], inverse, fine_));
        return least;
    }

    /// Coarse scales are at most 2^8 times fine ones.
    static constexpr int split_shift = 8;
    const weights_to_fit& from_;
    scale_form form_;
    weight_fit fit_;
    weight_range fine_;
    double top_; // of coarse codes, either way
    planned_weights to_{};
    std::vector<double> largest_{}; // [O], at the split taps
};

/// What the fine part, or weights that are not split, shall say.
[[nodiscard]] inline std::vector<double> fine_targets(const planned_weights& weights, std::span<const float> values) {
    std::vector<double> targets(values.begin(), values.end());
    for (std::size_t k = 0; weights.coarse && k < targets.size(); ++k) {
        const std::size_t input = k / weights.taps();
        targets[k] -= weights.coarse_value(input / weights.shape[1], input % weights.shape[1], k % weights.taps());
    }
    return targets;
}

/// The same coarse part, and a fine part of other scales: one per block, each a power of two times the base of its outputs.
[[nodiscard]] inline planned_weights with_fine_scales(planned_weights weights, std::span<const float> values,
                                                      std::span<const double> scales) {
    for (std::size_t b = 0; b < scales.size(); ++b)
        weights.exponents[b] = floor_log2(scales[b] / weights.base[b / weights.blocks() * weights.block_outputs]);
    round_codes(weights, fine_targets(weights, values));
    return weights;
}

} // namespace detail

/// Splits weights, see above. `policy.bits` and `policy.cut` are those of the fine part. The bias is left empty. Raises the
/// errors of fit_weights.
[[nodiscard]] inline planned_weights split_weights(const weights_to_fit& from, const weight_policy& policy,
                                                   scale_form form) {
    detail::check_weights(from, policy);
    detail::check_bits(policy.split.bits, "the coarse part of split weights");
    return detail::weight_splitter(from, policy, form).split();
}

} // namespace notch

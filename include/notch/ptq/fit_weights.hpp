/// @file
/// Codes for weights: a scale per block, rounded to nearest even.
///
///     min_max         s = max |w| / (2^(b-1) - 1)
///     least_squares   s of least sum (w - s clamp(round(w / s)))^2 among  f max |w| / (2^(b-1) - 1), f = 1, 0.99 .. 0.16,
///                     and max |w| / 2^(b-1);  powers of two: the one that holds max |w|, and the four below it
///
/// Of equal errors the larger scale is kept. Where the scale changes along the inputs, scales of a row of blocks are
/// base * 2^-k, k <= 7 and as small as needed for the sums to stay below 2^30:
///
///     powers of two     base is the largest of them; all are such numbers
///     others            the nearest base * m * 2^-k, m whole, 2^f <= m < 2^(f+1), f = 7 - b: times a code it fits a byte,
///                       in which such codes are stored; the next one for min_max. For b > 6 there is no room for m;
///                       scales are rounded up to base * 2^-k.
///
/// A scale is never below the floor that is given for its outputs.
///
/// Cost: 86 passes over the weights, about 0.4 ns per weight and pass.
#pragma once

#include <notch/core/error.hpp>
#include <notch/core/int_math.hpp>
#include <notch/core/rounding.hpp>
#include <notch/ptq/block_scale_search.hpp>
#include <notch/ptq/plan.hpp>
#include <notch/ptq/policy.hpp>
#include <notch/ptq/weight_codes.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

namespace notch {

/// Weights, and what is known of their layer.
struct weights_to_fit {
    std::span<const float> values{};  ///< [O, I, KH, KW]
    std::vector<std::size_t> shape{}; ///< the same
    std::vector<double> floors{};     ///< [O]: no scale is below it; empty: none
    std::string_view name{};          ///< for messages
};

namespace detail {

/// Fits one layer.
class weight_fitter {
public:
    weight_fitter(const weights_to_fit& from, const weight_policy& policy, scale_form form)
        : from_(from), search_(policy.bits, policy.fit, form), form_(form),
          clips_nothing_(policy.fit == weight_fit::min_max), range_(range_of(policy.bits)) {
        to_ = blank_weights(policy, from.shape);
    }

    /// `scales`: those to take, one per block, or none: they are searched.
    [[nodiscard]] planned_weights fit(std::span<const double> scales = {}) {
        given_ = scales;
        if (form_ != scale_form::power_of_two && to_.blocks() > 1 && multiplier_bits(to_.bits) > 0)
            to_.multipliers.resize(to_.exponents.size());
        for (std::size_t row = 0; row < to_.rows(); ++row)
            fit_row(row);
        return std::move(to_);
    }

private:
    /// The weights of a block.
    [[nodiscard]] std::vector<double> block(std::size_t row, std::size_t column) const {
        const std::size_t taps = to_.taps();
        const std::size_t first = column * to_.block_inputs * taps;
        const std::size_t end = std::min((column + 1) * to_.block_inputs, to_.shape[1]) * taps;
        std::vector<double> w;
        w.reserve((end - first) * to_.block_outputs);
        for (std::size_t o = to_.first_output(row); o < to_.end_output(row); ++o)
            for (std::size_t k = first; k < end; ++k)
                w.push_back(static_cast<double>(from_.values[o * to_.shape[1] * taps + k]));
        return w;
    }
    void fit_row(std::size_t row) {
        const double floor = row_floor(to_, from_.floors, row);
        std::vector<double> scales(to_.blocks());
        double top = 0; // of blocks with weights other than 0
        bool is_floored = false;
        for (std::size_t h = 0; h < scales.size(); ++h) {
            const std::vector<double> w = block(row, h);
            scales[h] = given_.empty() ? search_(w, floor) : given_[row * scales.size() + h];
            const double largest = std::abs(*std::ranges::max_element(w, {}, [](double x) { return std::abs(x); }));
            is_floored = is_floored || (floor > 0 && largest < floor * range_.highest);
            if (largest > 0)
                top = std::max(top, scales[h]);
            else
                scales[h] = 0;
        }
        for (double& scale : scales)
            if (scale == 0) // zeros have any scale
                scale = top > 0 ? top : search_({}, floor);
        if (is_floored)
            for (std::size_t o = to_.first_output(row); o < to_.end_output(row); ++o)
                to_.floored.push_back(static_cast<std::uint32_t>(o));
        for (int cap = block_spread; cap >= 0; --cap) {
            settle(row, scales, cap);
            write_codes(row);
            if (cap == 0 || sums_fit(to_, to_.first_output(row), to_.end_output(row)))
                break;
        }
        for (std::size_t o = to_.first_output(row); o < to_.end_output(row); ++o)
            to_.least[o] = least_exponent(to_, o);
    }
    /// Exponents and base of a row of blocks, whose scales may differ by 2^cap.
    void settle(std::size_t row, const std::vector<double>& scales, int cap) {
        const double top = *std::ranges::max_element(scales);
        const bool powers = form_ == scale_form::power_of_two;
        if (!to_.multipliers.empty()) {
            settle_multiplied(row, scales, top, cap);
            return;
        }
        for (std::size_t o = to_.first_output(row); o < to_.end_output(row) && !powers; ++o)
            to_.base[o] = top;
        for (std::size_t h = 0; h < scales.size(); ++h) {
            const int below = std::min(floor_log2(top / scales[h]), cap);
            to_.exponents[row * scales.size() + h] = (powers ? floor_log2(top) : 0) - below;
        }
    }
    /// The same with multipliers of [2^f, 2^(f+1)): each scale becomes the nearest base m 2^-k. Sums are in units of base 2^-k,
    /// which stay above the floor too: f is as small as needed for that.
    void settle_multiplied(std::size_t row, const std::vector<double>& scales, double top, int cap) {
        const double smallest = *std::ranges::min_element(scales) * exp2_exact(-1);
        int f = multiplier_bits(to_.bits);
        while (f > 0 && smallest * exp2_exact(-f) < row_floor(to_, from_.floors, row))
            --f;
        for (std::size_t o = to_.first_output(row); o < to_.end_output(row); ++o)
            to_.base[o] = top * exp2_exact(-f);
        for (std::size_t h = 0; h < scales.size(); ++h) {
            const double steps = scales[h] / top * exp2_exact(f); // at most 2^f
            int k = std::clamp(f - floor_log2(steps), 0, cap);
            if (f == 0) // no room: rounded up
                k = std::min(floor_log2(top / scales[h]), cap);
            const double wanted = f == 0 ? 1 : steps * exp2_exact(k);
            double m = clips_nothing_ ? std::ceil(wanted) : std::nearbyint(wanted);
            if (m == exp2_exact(f + 1)) {
                m = exp2_exact(f);
                --k;
            }
            to_.multipliers[row * scales.size() + h] = static_cast<std::uint8_t>(std::max(m, exp2_exact(f)));
            to_.exponents[row * scales.size() + h] = -k;
        }
    }
    void write_codes(std::size_t row) {
        const std::size_t taps = to_.taps();
        for (std::size_t o = to_.first_output(row); o < to_.end_output(row); ++o)
            for (std::size_t i = 0; i < to_.shape[1]; ++i) {
                const double inverse = 1 / to_.scale(o, i);
                for (std::size_t t = 0; t < taps; ++t) {
                    const std::size_t k = (o * to_.shape[1] + i) * taps + t;
                    to_.codes[k] =
                        static_cast<std::int8_t>(code_of(static_cast<double>(from_.values[k]), inverse, range_));
                }
            }
    }

    const weights_to_fit& from_;
    block_scale_search search_;
    scale_form form_;
    bool clips_nothing_;
    weight_range range_;
    std::span<const double> given_{};
    planned_weights to_{};
};

inline void check_weights(const weights_to_fit& from, const weight_policy& policy) {
    check_bits(policy.bits, "weights");
    check_grain(policy.cut);
    if (from.shape.size() != 4 || element_count(from.shape) != from.values.size() || from.values.empty() ||
        (!from.floors.empty() && from.floors.size() != from.shape[0]))
        raise<shape_error>(quoted(from.name), ": ", from.values.size(), " weights and ", from.floors.size(),
                           " floors for extents ", from.shape);
}

} // namespace detail

/// Quantizes weights, see above. The bias is left empty. Raises range_error for a number of bits outside [2, 8] and an empty
/// block, shape_error unless the values have the extents given.
[[nodiscard]] inline planned_weights fit_weights(const weights_to_fit& from, const weight_policy& policy,
                                                 scale_form form) {
    detail::check_weights(from, policy);
    return detail::weight_fitter(from, policy, form).fit();
}

/// The same with scales that are given, one per block, row-major: what a search found (sub_layer_scales.hpp). Those of a row
/// of blocks become base 2^-k, as above. Raises shape_error for another number of scales, range_error unless they are
/// positive and finite.
[[nodiscard]] inline planned_weights fit_weights(const weights_to_fit& from, const weight_policy& policy,
                                                 scale_form form, std::span<const double> scales) {
    detail::check_weights(from, policy);
    const auto [outputs, inputs] = detail::block_extents(policy.cut, from.shape);
    const std::size_t blocks = ceil_div(from.shape[0], outputs) * ceil_div(from.shape[1], inputs);
    if (scales.size() != blocks)
        detail::raise<shape_error>(detail::quoted(from.name), ": ", scales.size(), " scales for ", blocks, " blocks");
    for (std::size_t b = 0; b < blocks; ++b)
        if (!(scales[b] > 0) || is_non_finite(static_cast<float>(scales[b])))
            detail::raise<range_error>(detail::quoted(from.name), ": scale ", scales[b], " of block ", b,
                                       " is not positive and finite");
    return detail::weight_fitter(from, policy, form).fit(scales);
}

} // namespace notch

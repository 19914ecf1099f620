/// @file
/// What makes codes and scales of a plan fit one another: everything that lower and the simulator index by or divide by.
/// Part of plan_file.hpp.
#pragma once

#include <notch/core/error.hpp>
#include <notch/core/int_math.hpp>
#include <notch/ptq/fit_weights.hpp>
#include <notch/ptq/plan.hpp>
#include <notch/quant/scale.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace notch::detail {

/// Exponents of scales of weights: floats hold them, and their products with other scales are doubles.
inline constexpr std::int32_t least_weight_exponent = -126;
inline constexpr std::int32_t largest_weight_exponent = 126;

/// Raises format_error that says whose number is wrong, and which limit it has. `at` ends in ": ", here and below.
template <class... Parts> [[noreturn]] NOTCH_COLD void refuse_plan(const std::string& at, const Parts&... parts) {
    raise<format_error>(at, parts...);
}

/// A number of bits.
inline void check_plan_bits(const std::string& at, int bits) {
    if (bits < 2 || bits > 8)
        refuse_plan(at, "bits is ", bits, ", outside [2, 8]");
}

/// A list of one length.
inline void check_plan_length(const std::string& at, const char* what, std::size_t length, std::size_t wanted) {
    if (length != wanted)
        refuse_plan(at, what, " has ", length, " elements, not ", wanted);
}

/// Codes of a width.
inline void check_plan_codes(const std::string& at, const std::vector<std::int8_t>& codes, int bits) {
    const int lowest = -(1 << (bits - 1));
    const auto outside = [lowest](int code) { return code < lowest || code > -lowest - 1; };
    const auto found = std::ranges::find_if(codes, outside);
    if (found != codes.end())
        refuse_plan(at, "codes[", found - codes.begin(), "] is ", int{*found}, ", outside [", lowest, ", ", -lowest - 1,
                    "] of ", bits, " bits");
}

/// Exponents of scales of weights.
inline void check_plan_exponents(const std::string& at, const std::vector<std::int32_t>& exponents) {
    for (std::size_t i = 0; i < exponents.size(); ++i)
        if (exponents[i] < least_weight_exponent || exponents[i] > largest_weight_exponent)
            refuse_plan(at, "exponents[", i, "] is ", exponents[i], ", outside [", least_weight_exponent, ", ",
                        largest_weight_exponent, "]");
}

/// A scale: positive, a float, and no smaller or larger than fitting makes them.
inline void check_plan_scale(const std::string& at, double scale) {
    const double least = exp2_exact(min_scale_exponent);
    const double largest = exp2_exact(max_scale_exponent);
    if (is_non_finite(scale) || !(scale >= least && scale <= largest))
        refuse_plan(at, " is ", scale, ", outside [2^", min_scale_exponent, ", 2^", max_scale_exponent, "]");
    if (static_cast<double>(static_cast<float>(scale)) != scale)
        refuse_plan(at, " is ", scale, ", which is no float");
}

/// How a tensor is held in codes.
inline void check_tensor_codes(const std::string& at, const tensor_codes& codes, scale_form form) {
    check_plan_bits(at, codes.bits);
    if (codes.zero_point < codes.lowest() || codes.zero_point > codes.highest())
        refuse_plan(at, "zero_point is ", codes.zero_point, ", outside [", codes.lowest(), ", ", codes.highest(), "]");
    check_plan_scale(at + "scale", codes.scale);
    const bool powers = form == scale_form::power_of_two;
    if (powers && (!is_power_of_two(codes.scale) || floor_log2(codes.scale) != codes.exponent))
        refuse_plan(at, "scale is ", codes.scale, ", not 2^", codes.exponent, ", the exponent beside it");
    if (!powers && codes.exponent != 0)
        refuse_plan(at, "exponent is ", codes.exponent, ", not 0 beside a scale that is no power of two");
}

/// Checks the weights of one group.
class weights_checker {
public:
    /// `at` stands before every message; all of them live longer than the checker.
    weights_checker(const std::string& at, const planned_weights& of, scale_form form)
        : at_(at), of_(of), form_(form) {}

    /// `shape`: extents that the network gives them, all at least 1.
    void check(const std::vector<std::size_t>& shape) const {
        check_plan_bits(at_, of_.bits);
        if (of_.shape != shape)
            refuse_plan(at_, "extents ", of_.shape, "; the layer has ", shape);
        check_plan_length(at_, "codes", of_.codes.size(), element_count(shape));
        check_plan_codes(at_, of_.codes, of_.bits);
        check_blocks();
        check_plan_length(at_, "bias", of_.bias.size(), shape[0]);
        check_base();
        if (of_.coarse)
            check_coarse(*of_.coarse);
        check_scales();
        check_least();
        check_floored();
    }

private:
    void check_blocks() const {
        const auto kind = of_.cut.kind;
        if ((kind == grain_kind::per_group || kind == grain_kind::sub_layer) && of_.cut.inputs == 0)
            refuse_plan(at_, "a grain with blocks of 0 inputs");
        if (kind == grain_kind::sub_layer && of_.cut.outputs == 0)
            refuse_plan(at_, "a grain with blocks of 0 outputs");
        const std::array<std::size_t, 2> block = block_extents(of_.cut, of_.shape);
        if (of_.block_outputs != block[0] || of_.block_inputs != block[1])
            refuse_plan(at_, "blocks of ", of_.block_outputs, " outputs and ", of_.block_inputs, " inputs; the grain '",
                        to_string(of_.cut), "' has ", block[0], " and ", block[1]);
        check_plan_length(at_, "exponents", of_.exponents.size(), ceil_div(of_.shape[0], block[0]) * of_.blocks());
        check_plan_exponents(at_, of_.exponents);
        check_multipliers();
    }
    void check_multipliers() const {
        if (of_.multipliers.empty())
            return;
        check_plan_length(at_, "multipliers", of_.multipliers.size(), of_.exponents.size());
        const int f = multiplier_bits(of_.bits);
        if (form_ == scale_form::power_of_two || of_.coarse || of_.blocks() == 1 || f == 0)
            refuse_plan(
                at_, "multipliers, which only whole weights of at most 6 bits in several blocks along the inputs have, "
                     "with scales that are no powers of two");
        for (std::size_t b = 0; b < of_.multipliers.size(); ++b)
            if (of_.multipliers[b] == 0 || of_.multipliers[b] >= 2 << f)
                refuse_plan(at_, "multipliers[", b, "] is ", int{of_.multipliers[b]}, ", outside [1, ", (2 << f) - 1,
                            "] of ", of_.bits, " bits");
    }
    void check_base() const {
        check_plan_length(at_, "base", of_.base.size(), of_.shape[0]);
        for (std::size_t o = 0; o < of_.base.size(); ++o) {
            check_plan_scale(text(at_, "base[", o, "]"), of_.base[o]);
            if (form_ == scale_form::power_of_two && of_.base[o] != 1)
                refuse_plan(at_, "base[", o, "] is ", of_.base[o], ", not 1 where scales are powers of two");
            if (of_.cut.kind == grain_kind::per_tensor && of_.base[o] != of_.base[0])
                refuse_plan(at_, "base[", o, "] is ", of_.base[o], ", not ", of_.base[0], " as all of one scale");
        }
    }
    void check_coarse(const coarse_weights& coarse) const {
        const std::string at = at_ + "coarse: ";
        check_plan_bits(at, coarse.bits);
        for (std::size_t axis = 0; axis < 2; ++axis) {
            const std::size_t taps = of_.shape[axis + 2];
            if (coarse.extent[axis] == 0 || coarse.extent[axis] > taps ||
                coarse.first[axis] > taps - coarse.extent[axis])
                refuse_plan(at, coarse.extent[axis], " taps from tap ", coarse.first[axis], " along axis ", axis,
                            " of a filter of ", taps);
        }
        check_plan_length(at, "codes", coarse.codes.size(),
                          of_.shape[0] * of_.shape[1] * coarse.extent[0] * coarse.extent[1]);
        check_plan_codes(at, coarse.codes, coarse.bits);
        check_plan_length(at, "exponents", coarse.exponents.size(), of_.shape[0]);
        check_plan_exponents(at, coarse.exponents);
    }
    /// base * 2^exponent stays a normal float.
    void check_scales() const {
        const auto check = [this](std::size_t o, std::int32_t exponent) {
            const double scale = of_.base[o] * exp2_exact(exponent);
            if (!(scale >= exp2_exact(least_weight_exponent) && scale <= exp2_exact(largest_weight_exponent)))
                refuse_plan(at_, "output ", o, ": a scale of ", scale, ", outside [2^", least_weight_exponent, ", 2^",
                            largest_weight_exponent, "]");
        };
        for (std::size_t o = 0; o < of_.shape[0]; ++o) {
            for (std::size_t h = 0; h < of_.blocks(); ++h) { // multipliers stay below 2^6
                check(o, of_.exponents[o / of_.block_outputs * of_.blocks() + h]);
                if (!of_.multipliers.empty())
                    check(o, of_.exponents[o / of_.block_outputs * of_.blocks() + h] + 6);
            }
            if (of_.coarse)
                check(o, of_.coarse->exponents[o]);
        }
    }
    /// The smallest exponents are told twice; sums in their units are exact in doubles.
    void check_least() const {
        check_plan_length(at_, "least", of_.least.size(), of_.shape[0]);
        for (std::size_t o = 0; o < of_.shape[0]; ++o) {
            if (const std::int32_t found = least_exponent(of_, o); of_.least[o] != found)
                refuse_plan(at_, "least[", o, "] is ", of_.least[o], "; the smallest exponent of the codes is ", found);
            if (const double sum = 255 * sum_of_magnitudes(o); sum >= exp2_exact(53))
                refuse_plan(at_, "output ", o, ": sums reach ", sum, ", the limit is 2^53");
        }
    }
    [[nodiscard]] double sum_of_magnitudes(std::size_t o) const noexcept {
        const auto magnitude = [](std::int8_t code) { return static_cast<double>(code < 0 ? -code : code); };
        const std::size_t taps = of_.taps();
        double total = 0;
        std::size_t at = o * of_.shape[1] * taps;
        for (std::size_t i = 0; i < of_.shape[1]; ++i) {
            double sum = 0;
            for (std::size_t t = 0; t < taps; ++t, ++at)
                sum += magnitude(of_.codes[at]);
            total += sum * of_.multiplier(of_.block_of(o, i)) *
                     exp2_exact(std::max(of_.exponents[of_.block_of(o, i)] - of_.least[o], 0));
        }
        if (!of_.coarse)
            return total;
        const std::size_t count = of_.coarse->codes.size() / of_.shape[0];
        double sum = 0;
        for (std::size_t k = o * count; k < (o + 1) * count; ++k)
            sum += magnitude(of_.coarse->codes[k]);
        return total + sum * exp2_exact(std::max(of_.coarse->exponents[o] - of_.least[o], 0));
    }
    void check_floored() const {
        for (std::size_t i = 0; i < of_.floored.size(); ++i)
            if (of_.floored[i] >= of_.shape[0] || (i > 0 && of_.floored[i] <= of_.floored[i - 1]))
                refuse_plan(at_, "floored[", i, "] is ", of_.floored[i], "; they are outputs below ", of_.shape[0],
                            ", each above the one before it");
    }

    const std::string& at_;
    const planned_weights& of_;
    scale_form form_;
};

} // namespace notch::detail

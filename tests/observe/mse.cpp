// mse: chosen ranges against a search over the raw data.
#include "catch.hpp"
#include "observe/support.hpp"

#include <notch/observe/mse.hpp>

#include <algorithm>

using namespace observe_test;
using namespace notch;

namespace {

/// One scale and zero point by the definitions of the policies, without the library: real scales.
struct grid {
    double scale;
    double zero_point;
};

template <class Q> grid real_grid(double min, double max) {
    const double lowest = Q::codes.lowest;
    const double highest = Q::codes.highest;
    if (!Q::has_zero_point)
        return {static_cast<double>(static_cast<float>(std::max(max, lowest < 0 ? -min : 0.0) / highest)), 0.0};
    const double scale = static_cast<double>(static_cast<float>((max - min) / (highest - lowest)));
    return {scale, lowest - std::nearbyint(min / scale)};
}

template <class Q> grid power_grid(double min, double max) {
    const double wanted = Q::has_zero_point ? (max - min) / (Q::codes.highest - Q::codes.lowest)
                                            : std::max(max, -min) / static_cast<double>(Q::codes.highest);
    double scale = std::ldexp(1.0, -60);
    while (scale < wanted)
        scale *= 2;
    return {scale, Q::has_zero_point ? Q::codes.lowest - std::nearbyint(min / scale) : 0.0};
}

/// (mean |x - x'|^p)^(1/p) over the raw data.
template <class Q> double raw_error(const std::vector<float>& values, grid chosen, double p) {
    double sum = 0;
    for (const float value : values) {
        const auto x = static_cast<double>(value);
        const double code = std::clamp(std::nearbyint(x / chosen.scale) + chosen.zero_point,
                                       static_cast<double>(Q::codes.lowest), static_cast<double>(Q::codes.highest));
        sum += std::pow(std::fabs(x - chosen.scale * (code - chosen.zero_point)), p);
    }
    return std::pow(sum / static_cast<double>(values.size()), 1 / p);
}

/// The chosen range errs, on the raw data, at most one bin more than the best of the 80.
template <class Q, class Grid> void check_against_raw_data(const std::vector<float>& values, double p, Grid grid_of) {
    mse seen(p);
    seen.observe(values);
    const value_range found = calibrated_range<Q>(seen);
    const double min = std::min(0.0F, *std::min_element(values.begin(), values.end()));
    const double max = std::max(0.0F, *std::max_element(values.begin(), values.end()));
    double best = 1e300;
    double whole = 0;
    bool is_candidate = false;
    for (int i = 0; i < 80; ++i) {
        const double factor = 1.0 - 0.01 * i;
        const double error = raw_error<Q>(values, grid_of(factor * min, factor * max), p);
        best = std::min(best, error);
        whole = i == 0 ? error : whole;
        is_candidate = is_candidate || (std::fabs(static_cast<double>(found.min) - factor * min) <= 1e-6 * max &&
                                        std::fabs(static_cast<double>(found.max) - factor * max) <= 1e-6 * max);
    }
    const double chosen =
        raw_error<Q>(values, grid_of(static_cast<double>(found.min), static_cast<double>(found.max)), p);
    INFO("p " << p << ", chosen " << chosen << ", best " << best << ", whole range " << whole);
    CHECK(is_candidate);
    CHECK(chosen <= best + seen.samples().width());
    CHECK(chosen <= whole + seen.samples().width());
}

template <class Scale> using s4 = quantizer<bits<4>, per_tensor, Scale>;
template <class Scale> using s2 = quantizer<bits<2>, per_tensor, Scale>;
template <class Scale> using a4 = quantizer<bits<4, unsigned_codes>, per_tensor, Scale, nearest_even, affine>;

/// Counts how often a value is rounded; otherwise ties to even.
struct counting_rounding {
    static inline std::size_t calls = 0;
    static float round(float x) {
        ++calls;
        return nearest_even::round(x);
    }
    static std::int32_t shift_right(std::int32_t a, int n) { return nearest_even::shift_right(a, n); }
};

std::vector<float> laplace_values(std::uint64_t seed, std::size_t count) {
    numbers source(seed);
    std::vector<float> values(count);
    for (float& x : values)
        x = static_cast<float>(source.laplace());
    return values;
}

} // namespace

TEST_CASE("the chosen range is within one bin of the best of the 80, on the raw data") {
    const std::vector<std::vector<float>> tensors{normal_values(1, 3000), relu(normal_values(2, 3000)),
                                                  laplace_values(3, 3000), normal_values(4, 3000, 0.5, 2.0)};
    for (const std::vector<float>& values : tensors)
        for (const double p : {1.0, 2.0, 2.4}) {
            check_against_raw_data<s4<real_scale>>(values, p, real_grid<s4<real_scale>>);
            check_against_raw_data<s2<real_scale>>(values, p, real_grid<s2<real_scale>>);
            check_against_raw_data<a4<real_scale>>(values, p, real_grid<a4<real_scale>>);
            check_against_raw_data<s4<fixed_point<>>>(values, p, real_grid<s4<fixed_point<>>>);
            check_against_raw_data<s4<power_of_two<>>>(values, p, power_grid<s4<power_of_two<>>>);
            check_against_raw_data<a4<power_of_two<snap_up>>>(values, p, power_grid<a4<power_of_two<snap_up>>>);
        }
}

TEST_CASE("a heavy tail is clipped, and less so by a larger exponent of the error") {
    std::vector<float> values = laplace_values(5, 20000);
    values[3] = 16.0F;
    mse square(2.0);
    mse fourth(4.0);
    square.observe(values);
    fourth.observe(values);
    const float square_max = calibrated_range<s4<real_scale>>(square).max;
    const float fourth_max = calibrated_range<s4<real_scale>>(fourth).max;
    CHECK(square_max < 0.7F * 16.0F);
    CHECK(fourth_max > square_max);
}

TEST_CASE("every distinct exponent is scored once") {
    using q = quantizer<bits<4>, per_tensor, power_of_two<snap_up>, counting_rounding>;
    mse seen;
    seen.observe(std::vector<float>{1.0F, 0.5F, 0.25F, -1.0F}); // four bins
    counting_rounding::calls = 0;
    static_cast<void>(calibrated_range<q>(seen));
    // wanted scale f / 7 for f = 1 .. 0.21 lies in (2^-6, 2^-2]: exponents -2, -3, -4 and, for f = 0.21, -5.
    CHECK(counting_rounding::calls == 4 * 4);

    using r = quantizer<bits<4>, per_tensor, real_scale, counting_rounding>;
    counting_rounding::calls = 0;
    static_cast<void>(calibrated_range<r>(seen));
    CHECK(counting_rounding::calls == 80 * 4);
}

TEST_CASE("of equal errors the larger range is kept") {
    // -4, -2 and 1 are codes of scale 1 (-4, -2, 1) and of scale 1/2 (-8, -4, 2): both errors are 0.
    using q = quantizer<bits<4>, per_tensor, power_of_two<snap_up>>;
    mse exact;
    exact.observe(std::vector<float>{-4.0F, -2.0F, 1.0F});
    CHECK(calibrated_range<q>(exact) == value_range{-4.0F, 1.0F});
    CHECK(calibrated_params<q>(exact).scales.at(0) == 0);
    // All zeros: every candidate is perfect.
    mse zeros;
    zeros.observe(std::vector<float>(5, 0.0F));
    CHECK(calibrated_range<q>(zeros) == value_range{0.0F, 0.0F});
    CHECK(calibrated_params<q>(zeros).scales.at(0) == 0);
}

TEST_CASE("zero is held although the data is on one side") {
    using q = quantizer<bits<4, unsigned_codes>, per_tensor, real_scale, nearest_even, affine>;
    mse seen;
    seen.observe(std::vector<float>{6.0F, 10.0F, 15.0F});
    const value_range found = calibrated_range<q>(seen);
    CHECK(found == value_range{0.0F, 15.0F}); // scale 1: all three are exact
    CHECK(calibrated_params<q>(seen).zero_points.at(0) == 0);
    mse below;
    below.observe(std::vector<float>{-6.0F, -10.0F, -15.0F});
    CHECK(calibrated_range<q>(below) == value_range{-15.0F, 0.0F});
    CHECK(calibrated_params<q>(below).zero_points.at(0) == 15);
}

TEST_CASE("ends of the floats do not overflow the score") {
    const float largest = 4e36F; // 7 steps of a scale just below 2^119, the largest
    mse seen(16.0);
    seen.observe(std::vector<float>{largest, -largest}); // codes 7 and -7 of the whole range; smaller ones clip
    CHECK(calibrated_range<s4<real_scale>>(seen) == value_range{-largest, largest});
    mse beyond(2.0, "conv9");
    beyond.observe(std::vector<float>{from_bits(0x7f7f'ffffU)});
    CHECK_THROWS_WITH(calibrated_params<s4<real_scale>>(beyond), containing("conv9") && containing("2^119"));
    mse tiny(16.0);
    tiny.observe(std::vector<float>{from_bits(0x0100'0000U), from_bits(0x0080'0000U)});
    const value_range found =
        calibrated_range<s4<real_scale>>(tiny); // far below the smallest scale: all errors are equal
    CHECK(found.max == from_bits(0x0100'0000U));
}

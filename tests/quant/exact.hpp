/// @file
/// What the tests of this room compare with: quantization by exact integer arithmetic, written
/// without any function of the library, and tensors to try it on.
#pragma once

#include <notch/core/dense_tensor.hpp>

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <random>
#include <vector>

namespace exact {

__extension__ typedef __int128 wide; // NOLINT(modernize-use-using)

/// A float as mantissa * 2^exponent with an integer mantissa.
struct decomposed {
    wide mantissa;
    int exponent;
};

inline decomposed decompose(float x) {
    int exponent = 0;
    const float fraction = std::frexp(x, &exponent);
    return {static_cast<wide>(std::ldexp(static_cast<double>(fraction), 24)), exponent - 24};
}

/// The float nearest to x / s, ties to even (IEEE 754 division), by integer long division.
/// For normal quotients; a quotient below 2^-126 is returned as 0, one beyond float as a huge number.
inline double float_quotient(float x, float s) {
    const decomposed a = decompose(x);
    const decomposed b = decompose(s);
    if (a.mantissa == 0)
        return 0.0;
    const bool negative = (a.mantissa < 0) != (b.mantissa < 0);
    const wide dividend = (a.mantissa < 0 ? -a.mantissa : a.mantissa) << 60;
    const wide divisor = b.mantissa < 0 ? -b.mantissa : b.mantissa;
    wide quotient = dividend / divisor;
    const bool rest = dividend % divisor != 0;
    int exponent = a.exponent - b.exponent - 60;
    // Keep 24 bits; `half` and `below` say what was dropped.
    int dropped = 0;
    while ((quotient >> dropped) >= (wide{1} << 24))
        ++dropped;
    const wide kept = quotient >> dropped;
    const wide tail = quotient - (kept << dropped);
    const wide half = dropped > 0 ? wide{1} << (dropped - 1) : 0;
    const bool up = dropped > 0 && (tail > half || (tail == half && (rest || (kept & 1) != 0)));
    const double magnitude = std::ldexp(static_cast<double>(kept + (up ? 1 : 0)), exponent + dropped);
    if (magnitude < 0x1p-126)
        return 0.0;
    return negative ? -magnitude : magnitude;
}

/// Nearest integer, ties to even, of a number below 2^52 in magnitude.
inline double half_even(double x) {
    const double floor = std::floor(x);
    const double rest = x - floor;
    const bool odd = std::fmod(floor, 2.0) != 0.0;
    return rest > 0.5 || (rest == 0.5 && odd) ? floor + 1.0 : floor;
}

/// ONNX QuantizeLinear: saturate(round_half_even(x / scale) + zero_point), the division in float.
inline std::int32_t quantize_linear(float x, float scale, std::int32_t zero_point, std::int32_t lowest,
                                    std::int32_t highest) {
    const double code = half_even(float_quotient(x, scale)) + zero_point;
    if (code < lowest)
        return lowest;
    return code > highest ? highest : static_cast<std::int32_t>(code);
}

/// A tensor of normally distributed values with log-normal gains per output and input channel.
template <std::size_t Rank>
notch::dense_tensor<float, Rank> random_tensor(const notch::extents<Rank>& shape, unsigned seed, float spread = 0.6F) {
    std::mt19937 generator(seed);
    std::normal_distribution<float> normal;
    notch::dense_tensor<float, Rank> tensor(shape);
    const std::size_t outputs = shape[0];
    const std::size_t inputs = Rank > 1 ? shape[1] : 1;
    std::vector<float> row_gain(outputs);
    std::vector<float> column_gain(inputs);
    for (float& gain : row_gain)
        gain = std::exp(spread * normal(generator));
    for (float& gain : column_gain)
        gain = std::exp(spread * normal(generator));
    const std::size_t taps = tensor.size() / (outputs * inputs);
    for (std::size_t i = 0; i < tensor.size(); ++i)
        tensor.data()[i] = normal(generator) * row_gain[i / taps / inputs] * column_gain[i / taps % inputs];
    return tensor;
}

} // namespace exact

/// @file
/// min_max_run against an order of floats made from sign and magnitude.
#include "catch.hpp"
#include "simd/exact_float.hpp"

#include <notch/core/random.hpp>

#include <algorithm>
#include <limits>

namespace {

using namespace notch;

float float_of(std::uint32_t bits) { return std::bit_cast<float>(bits); }
std::uint32_t bits_of(float x) { return std::bit_cast<std::uint32_t>(x); }

/// A number that orders floats as reals, with -0 below +0.
std::int64_t rank_of(float x) {
    const auto magnitude = static_cast<std::int64_t>(bits_of(x) & 0x7fff'ffffU);
    return (bits_of(x) >> 31) != 0 ? -magnitude - 1 : magnitude;
}

/// Which signs occur, and how large the numbers are.
enum class mix { positive, negative, both, zeros, denormal };

float value(mix kind, std::uint64_t seed, std::size_t i) {
    const auto bits = static_cast<std::uint32_t>(counter_bits(seed, i));
    const std::uint32_t finite = (bits & 0x7f80'0000U) == 0x7f80'0000U ? bits & 0xff7f'ffffU : bits;
    switch (kind) {
    case mix::positive:
        return float_of(finite & 0x7fff'ffffU);
    case mix::negative:
        return float_of(finite | 0x8000'0000U);
    case mix::zeros:
        return float_of(bits & 0x8000'0000U);
    case mix::denormal:
        return float_of(bits & 0x8000'0fffU);
    default:
        return float_of(finite);
    }
}

constexpr std::uint32_t non_finite[] = {0x7fc0'0000U, 0xffc0'0000U, 0x7f80'0001U,
                                        0xff80'0001U, 0x7f80'0000U, 0xff80'0000U};

} // namespace

TEMPLATE_LIST_TEST_CASE("min_max_run finds both ends of a run of any length", "[simd][min_max]", exact::archs) {
    std::size_t wrong = 0;
    for (std::size_t count = 1; count <= 130; ++count)
        for (const mix kind : {mix::positive, mix::negative, mix::both, mix::zeros, mix::denormal})
            for (std::uint64_t seed = 0; seed < 8; ++seed) {
                exact::guarded<float> x(count, seed % 5);
                for (std::size_t i = 0; i < count; ++i)
                    x.data()[i] = value(kind, 100 * count + seed, i);
                float min = 0;
                float max = 0;
                wrong += !simd::min_max_run<TestType>(x.data(), count, min, max);
                const auto by_rank = [](float a, float b) { return rank_of(a) < rank_of(b); };
                const auto [least, largest] = std::minmax_element(x.data(), x.data() + count, by_rank);
                wrong += bits_of(min) != bits_of(*least) || bits_of(max) != bits_of(*largest);
            }
    CHECK(wrong == 0);
}

TEMPLATE_LIST_TEST_CASE("min_max_run finds the ends wherever they stand", "[simd][min_max]", exact::archs) {
    std::size_t wrong = 0;
    for (const std::size_t count : {1U, 5U, 8U, 17U, 33U, 64U, 100U, 130U})
        for (std::size_t at = 0; at < count; ++at) {
            std::vector<float> x(count, 2.0F);
            float min = 0;
            float max = 0;
            x[at] = 3.0F;
            wrong += !simd::min_max_run<TestType>(x.data(), count, min, max) || bits_of(max) != bits_of(3.0F);
            x[at] = -3.0F;
            wrong += !simd::min_max_run<TestType>(x.data(), count, min, max) || bits_of(min) != bits_of(-3.0F);
        }
    CHECK(wrong == 0);
}

TEMPLATE_LIST_TEST_CASE("min_max_run reports NaN and infinity wherever they stand", "[simd][min_max]", exact::archs) {
    std::size_t wrong = 0;
    for (const float filling : {std::numeric_limits<float>::max(), std::numeric_limits<float>::lowest()})
        for (const std::size_t count : {1U, 3U, 4U, 7U, 8U, 9U, 16U, 31U, 32U, 33U, 64U, 67U, 130U}) {
            std::vector<float> x(count, filling);
            float min = 0;
            float max = 0;
            wrong += !simd::min_max_run<TestType>(x.data(), count, min, max);
            for (std::size_t at = 0; at < count; ++at) {
                for (const std::uint32_t pattern : non_finite) {
                    x[at] = float_of(pattern);
                    wrong += simd::min_max_run<TestType>(x.data(), count, min, max);
                }
                x[at] = -filling;
            }
        }
    CHECK(wrong == 0);
}

TEMPLATE_LIST_TEST_CASE("min_max_run of nothing is an empty interval", "[simd][min_max]", exact::archs) {
    float min = 0;
    float max = 0;
    CHECK(simd::min_max_run<TestType>(nullptr, 0, min, max));
    CHECK(bits_of(min) == bits_of(std::numeric_limits<float>::max()));
    CHECK(bits_of(max) == bits_of(std::numeric_limits<float>::lowest()));
}

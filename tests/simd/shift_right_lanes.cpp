/// @file
/// shift_right over registers against the scalar function, for every rounding rule and both kinds of counts.
#include "catch.hpp"

#include <notch/core/random.hpp>
#include <notch/core/rounding.hpp>
#include <notch/simd/lane_xsimd.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <tuple>
#include <vector>

namespace {

using namespace notch;
using simd::lane_width;

#if __has_include(<xsimd/xsimd.hpp>) && !defined(XSIMD_NO_SUPPORTED_ARCHITECTURE)
using lanes = std::tuple<std::int32_t, xsimd::batch<std::int32_t>>;
#else
using lanes = std::tuple<std::int32_t>;
#endif

static_assert(simd::lane<std::int32_t>);
static_assert(!simd::lane<float> && !simd::lane<std::int64_t>);
static_assert(simd::lane_count<int, std::int32_t>);
static_assert(!simd::lane_count<float, std::int32_t>);

/// Edges of int32, powers of two and their neighbours, ties of every shift, and random numbers of every magnitude.
const std::vector<std::int32_t>& numbers() {
    static const std::vector<std::int32_t> all = [] {
        std::vector<std::int32_t> list;
        const auto add = [&](std::int64_t value) {
            for (std::int64_t near = value - 2; near <= value + 2; ++near)
                if (near >= std::numeric_limits<std::int32_t>::min() &&
                    near <= std::numeric_limits<std::int32_t>::max())
                    list.push_back(static_cast<std::int32_t>(near));
        };
        for (int e = 0; e <= 31; ++e)
            for (const std::int64_t factor : {1, 3, 5, 7}) {
                add(factor << e);
                add(-(factor << e));
            }
        for (std::uint64_t i = 0; i < 4096; ++i) {
            const std::uint64_t bits = counter_bits(11, i);
            list.push_back(static_cast<std::int32_t>(static_cast<std::uint32_t>(bits)) >> (bits >> 59));
        }
        while (list.size() % 64 != 0)
            list.push_back(0);
        return list;
    }();
    return all;
}

/// floor(a / 2^n) and the fraction in units of 2^-n, in 64 bits: what the rules are checked against.
struct split {
    std::int64_t floor;
    std::int64_t rest;
    std::int64_t whole;
};

split split_of(std::int32_t a, int n) {
    const std::int64_t whole = std::int64_t{1} << n;
    std::int64_t floor = a / whole;
    floor -= a % whole < 0 ? 1 : 0;
    return {floor, a - floor * whole, whole};
}

std::int64_t expected(nearest_even, split s, std::int32_t) {
    return s.floor + (2 * s.rest > s.whole || (2 * s.rest == s.whole && s.floor % 2 != 0));
}
std::int64_t expected(nearest_up, split s, std::int32_t) { return s.floor + (2 * s.rest >= s.whole); }
std::int64_t expected(nearest_away, split s, std::int32_t) {
    return s.floor + (2 * s.rest > s.whole || (2 * s.rest == s.whole && s.floor >= 0));
}
std::int64_t expected(toward_zero, split s, std::int32_t) { return s.floor + (s.floor < 0 && s.rest > 0); }
std::int64_t expected(stochastic, split s, std::int32_t random) {
    return s.floor + (s.rest * (std::int64_t{1} << 31) + random * s.whole >= s.whole * (std::int64_t{1} << 31));
}

template <class Rule, class Lane, class Count> Lane shifted(Lane a, Count n, Lane random) {
    if constexpr (random_rounding<Rule>)
        return Rule::shift_right(a, n, random);
    else
        return Rule::shift_right(a, n);
}

template <class Rule, class Lane> std::size_t mismatches() {
    constexpr std::size_t width = lane_width<Lane>;
    std::size_t wrong = 0;
    std::array<std::int32_t, width> random;
    std::array<std::int32_t, width> counts;
    std::array<std::int32_t, width> got;
    for (int n = 0; n <= 30; ++n)
        for (std::size_t i = 0; i < numbers().size(); i += width) {
            const std::int32_t* const a = numbers().data() + i;
            for (std::size_t k = 0; k < width; ++k) {
                random[k] = counter_random(5, i + k);
                counts[k] = static_cast<std::int32_t>((static_cast<std::size_t>(n) + 7 * k) % 31);
            }
            const Lane value = simd::load_lane<Lane>(a);
            const Lane noise = simd::load_lane<Lane>(random.data());
            simd::store_lane<Lane>(got.data(), shifted<Rule>(value, n, noise));
            for (std::size_t k = 0; k < width; ++k)
                wrong += got[k] != expected(Rule{}, split_of(a[k], n), random[k]) ||
                         got[k] != shifted<Rule>(a[k], n, random[k]);
            simd::store_lane<Lane>(got.data(), shifted<Rule>(value, simd::load_lane<Lane>(counts.data()), noise));
            for (std::size_t k = 0; k < width; ++k)
                wrong += got[k] != shifted<Rule>(a[k], counts[k], random[k]);
        }
    return wrong;
}

} // namespace

TEMPLATE_LIST_TEST_CASE("shift_right rounds every lane as the rule says", "[simd][rounding]", lanes) {
    CHECK(mismatches<nearest_even, TestType>() == 0);
    CHECK(mismatches<nearest_up, TestType>() == 0);
    CHECK(mismatches<nearest_away, TestType>() == 0);
    CHECK(mismatches<toward_zero, TestType>() == 0);
    CHECK(mismatches<stochastic, TestType>() == 0);
}

TEMPLATE_LIST_TEST_CASE("lane_min and lane_max order every number of a lane", "[simd]", lanes) {
    constexpr std::size_t width = lane_width<TestType>;
    std::array<std::int32_t, width> got;
    std::size_t wrong = 0;
    for (std::size_t i = 0; i + width <= numbers().size(); i += width) {
        const std::int32_t* const a = numbers().data() + i;
        const std::int32_t* const b = numbers().data() + (numbers().size() - width - i);
        simd::store_lane<TestType>(got.data(),
                                   simd::lane_min(simd::load_lane<TestType>(a), simd::load_lane<TestType>(b)));
        for (std::size_t k = 0; k < width; ++k)
            wrong += got[k] != (a[k] < b[k] ? a[k] : b[k]);
        simd::store_lane<TestType>(got.data(),
                                   simd::lane_max(simd::load_lane<TestType>(a), simd::load_lane<TestType>(b)));
        for (std::size_t k = 0; k < width; ++k)
            wrong += got[k] != (a[k] < b[k] ? b[k] : a[k]);
    }
    CHECK(wrong == 0);
}

/// @file
/// Lanes of int32 of every instruction set against plain arithmetic on 64-bit integers.
#include "catch.hpp"
#include "compiled_archs.hpp"

#include <notch/core/fixed_point.hpp>
#include <notch/simd/int_kernels.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <type_traits>

namespace {

using namespace notch;
using namespace notch::simd;
using notch::testing::for_each_compiled;
using notch::testing::int32_samples;
using notch::testing::wrapped;

static_assert(std::is_same_v<lane_of<scalar>, std::int32_t>);
static_assert(std::is_same_v<lane_of<avx512vnni>, lane_of<avx512bw>> &&
              std::is_same_v<lane_of<avx_vnni>, lane_of<avx2>>);
static_assert(std::is_same_v<lane_of<neon_i8mm>, lane_of<neon64>> &&
              std::is_same_v<lane_of<neon_dotprod>, lane_of<neon64>>);
static_assert(compiled_for<sse41> == (lane_width<lane_of<sse41>> == 4));
static_assert(!compiled_for<avx2> || lane_width<lane_of<avx2>> == 8);
static_assert(!compiled_for<avx512bw> || lane_width<lane_of<avx512bw>> == 16);
static_assert(compiled_for<neon64> == (lane_width<lane_of<neon64>> == 4));

constexpr std::int32_t least = std::numeric_limits<std::int32_t>::min();
constexpr std::int32_t most = std::numeric_limits<std::int32_t>::max();

/// How many numbers of f(a, b) differ from expected(a, b), over pairs of samples at many distances.
template <class Lane, class F, class G> std::size_t mismatches(const F& f, const G& expected) {
    constexpr std::size_t width = lane_width<Lane>;
    const auto& list = int32_samples();
    std::array<std::int32_t, width> a;
    std::array<std::int32_t, width> b;
    std::array<std::int32_t, width> got;
    std::size_t wrong = 0;
    for (std::size_t distance = 0; distance < 64; ++distance)
        for (std::size_t i = 0; i < list.size(); i += width) {
            for (std::size_t k = 0; k < width; ++k) {
                a[k] = list[i + k];
                b[k] = list[(i + k * (distance + 1) + 7 * distance) % list.size()];
            }
            store_lane<Lane>(got.data(), f(load_lane<Lane>(a.data()), load_lane<Lane>(b.data())));
            for (std::size_t k = 0; k < width; ++k)
                wrong += got[k] != expected(a[k], b[k]);
        }
    return wrong;
}

template <class Lane> void check_arithmetic() {
    using wide = std::int64_t;
    CHECK(mismatches<Lane>([](Lane a, Lane b) { return a + b; }, [](wide a, wide b) { return wrapped(a + b); }) == 0);
    CHECK(mismatches<Lane>([](Lane a, Lane b) { return a - b; }, [](wide a, wide b) { return wrapped(a - b); }) == 0);
    CHECK(mismatches<Lane>([](Lane a, Lane b) { return a * b; }, [](wide a, wide b) { return wrapped(a * b); }) == 0);
    CHECK(mismatches<Lane>([](Lane a, Lane b) { return a & b; }, [](wide a, wide b) { return wrapped(a & b); }) == 0);
    CHECK(mismatches<Lane>([](Lane a, Lane b) { return a | b; }, [](wide a, wide b) { return wrapped(a | b); }) == 0);
    CHECK(mismatches<Lane>([](Lane a, Lane) { return ~a; }, [](wide a, wide) { return wrapped(~a); }) == 0);
    CHECK(mismatches<Lane>([](Lane a, Lane b) { return lane_min(a, b); },
                           [](wide a, wide b) { return wrapped(std::min(a, b)); }) == 0);
    CHECK(mismatches<Lane>([](Lane a, Lane b) { return lane_max(a, b); },
                           [](wide a, wide b) { return wrapped(std::max(a, b)); }) == 0);
    CHECK(mismatches<Lane>([](Lane, Lane) { return Lane(least); }, [](wide, wide) { return least; }) == 0);
}

template <class Lane> void check_shifts() {
    using wide = std::int64_t;
    const Lane mask(31);
    CHECK(mismatches<Lane>([&](Lane a, Lane b) { return a << (b & mask); },
                           [](wide a, wide b) { return wrapped(a << (b & 31)); }) == 0);
    CHECK(mismatches<Lane>([&](Lane a, Lane b) { return a >> (b & mask); },
                           [](wide a, wide b) { return wrapped(a >> (b & 31)); }) == 0);
    for (int n = 0; n < 32; ++n) {
        CAPTURE(n);
        CHECK(mismatches<Lane>([&](Lane a, Lane) { return a << n; }, [&](wide a, wide) { return wrapped(a << n); }) ==
              0);
        CHECK(mismatches<Lane>([&](Lane a, Lane) { return a >> n; }, [&](wide a, wide) { return wrapped(a >> n); }) ==
              0);
        // A constant count for all numbers takes other paths through the optimizer than a variable one.
        CHECK(mismatches<Lane>([&](Lane a, Lane) { return a << Lane(n); },
                               [&](wide a, wide) { return wrapped(a << n); }) == 0);
        CHECK(mismatches<Lane>([&](Lane a, Lane) { return a >> Lane(n); },
                               [&](wide a, wide) { return wrapped(a >> n); }) == 0);
    }
    CHECK(mismatches<Lane>([](Lane a, Lane) { return (a << Lane(31)) + (a << Lane(0)) + (a >> Lane(31)); },
                           [](wide a, wide) { return wrapped((a << 31) + a + (a >> 31)); }) == 0);
}

/// Numbers around the ends of both kinds of codes.
template <class Lane, class Code> std::size_t wrong_codes() {
    constexpr std::size_t width = lane_width<Lane>;
    constexpr std::int64_t low = std::numeric_limits<Code>::min();
    constexpr std::int64_t high = std::numeric_limits<Code>::max();
    std::vector<std::int32_t> list = int32_samples();
    for (std::int32_t x = -400; x < 400; ++x)
        list.push_back(x);
    for (std::int32_t x = 32000; x < 33600; ++x) {
        list.push_back(x);
        list.push_back(-x);
    }
    std::size_t wrong = 0;
    for (std::size_t i = 0; i + width <= list.size(); ++i) {
        std::array<Code, width + 2> got;
        got.fill(85);
        store_saturated(got.data() + 1, load_lane<Lane>(list.data() + i));
        wrong += got.front() != 85 || got.back() != 85;
        for (std::size_t k = 0; k < width; ++k)
            wrong += got[k + 1] != std::clamp<std::int64_t>(list[i + k], low, high);
    }
    return wrong;
}

template <class Lane> void check_floats() {
    constexpr std::size_t width = lane_width<Lane>;
    const auto& list = int32_samples();
    std::size_t wrong = 0;
    std::array<float, width> reals;
    std::array<std::int32_t, width> numbers;
    for (std::size_t i = 0; i < list.size(); i += width) {
        store_floats(reals.data(), to_floats(load_lane<Lane>(list.data() + i)));
        for (std::size_t k = 0; k < width; ++k)
            wrong += reals[k] != static_cast<float>(list[i + k]);
        // Whole numbers of at most 24 bits, and -2^31.
        for (std::size_t k = 0; k < width; ++k)
            reals[k] = list[i + k] == least ? -0x1p31F : static_cast<float>(list[i + k] >> 7);
        store_lane<Lane>(numbers.data(), to_ints(load_floats<Lane>(reals.data())));
        for (std::size_t k = 0; k < width; ++k)
            wrong += numbers[k] != (list[i + k] == least ? least : list[i + k] >> 7);
        const float_lane<Lane> clamped = clamp_floats(as_rounded(load_floats<Lane>(reals.data())),
                                                      float_lane<Lane>(-100.5F), float_lane<Lane>(7.0F));
        std::array<float, width> got;
        store_floats(got.data(), clamped);
        for (std::size_t k = 0; k < width; ++k)
            wrong += got[k] != std::clamp(reals[k], -100.5F, 7.0F);
    }
    CHECK(wrong == 0);
}

/// Multipliers and exponents of every kind, over all samples.
template <class Lane> void check_q31() {
    constexpr std::size_t width = lane_width<Lane>;
    const auto& list = int32_samples();
    std::array<std::int32_t, width> m;
    std::array<std::int32_t, width> e;
    std::array<std::int32_t, width> single;
    std::array<std::int32_t, width> twice;
    std::size_t wrong_single = 0;
    std::size_t wrong_double = 0;
    const std::array<std::int32_t, 4> edges{1 << 30, (1 << 30) + 1, most - 1, most};
    for (std::size_t round = 0; round < 61 * 6; ++round)
        for (std::size_t i = 0; i < list.size(); i += width) {
            for (std::size_t k = 0; k < width; ++k) {
                const std::size_t kind = (round / 61 + k) % 6;
                m[k] = kind < 4 ? edges[kind] : (1 << 30) | (counter_random(9, round * list.size() + i + k) >> 1);
                e[k] = static_cast<std::int32_t>((round + 17 * k) % 61) - 30;
            }
            const Lane x = load_lane<Lane>(list.data() + i);
            const Lane multipliers = load_lane<Lane>(m.data());
            const Lane exponents = load_lane<Lane>(e.data());
            store_lane<Lane>(single.data(), multiply_q31_single(x, multipliers, exponents));
            store_lane<Lane>(twice.data(), multiply_q31_double(x, multipliers, exponents));
            for (std::size_t k = 0; k < width; ++k) {
                wrong_single += single[k] != multiply_single(list[i + k], {m[k], e[k]});
                wrong_double += twice[k] != multiply_double(list[i + k], {m[k], e[k]});
            }
        }
    CHECK(wrong_single == 0);
    CHECK(wrong_double == 0);
}

} // namespace

TEST_CASE("lanes wrap around as 32-bit integers do", "[simd][int_lane]") {
    for_each_compiled([](auto arch) {
        using lane_type = lane_of<decltype(arch)>;
        INFO(arch.name);
        if constexpr (!std::is_same_v<lane_type, std::int32_t>)
            check_arithmetic<lane_type>();
    });
}

TEST_CASE("lanes shift by every count, one for all or one per number", "[simd][int_lane]") {
    for_each_compiled([](auto arch) {
        using lane_type = lane_of<decltype(arch)>;
        INFO(arch.name);
        if constexpr (!std::is_same_v<lane_type, std::int32_t>)
            check_shifts<lane_type>();
    });
}

TEST_CASE("store_saturated clamps every number to the code", "[simd][int_lane]") {
    for_each_compiled([](auto arch) {
        using lane_type = lane_of<decltype(arch)>;
        INFO(arch.name);
        CHECK(wrong_codes<lane_type, std::uint8_t>() == 0);
        CHECK(wrong_codes<lane_type, std::int8_t>() == 0);
    });
}

TEST_CASE("lanes become floats, and whole floats become lanes", "[simd][int_lane]") {
    for_each_compiled([](auto arch) {
        INFO(arch.name);
        check_floats<lane_of<decltype(arch)>>();
    });
}

TEST_CASE("q31 products of a lane are those of each number", "[simd][int_lane]") {
    for_each_compiled([](auto arch) {
        INFO(arch.name);
        check_q31<lane_of<decltype(arch)>>();
    });
}

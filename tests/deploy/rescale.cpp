// Products by q31 factors: those of the simulation against those of programs, and sums of two against the exact number.
#include "catch.hpp"

#include <notch/core/fixed_point.hpp>
#include <notch/core/random.hpp>
#include <notch/deploy/rescale.hpp>
#include <notch/deploy/simulate_sums.hpp>

#include <cmath>
#include <cstdint>

using namespace notch;

namespace {

std::int32_t some_sum(std::uint64_t i) {
    const std::uint64_t bits = counter_bits(3, i);
    const auto x = static_cast<std::int32_t>(static_cast<std::uint32_t>(bits) >> (bits >> 59));
    return (bits >> 40) % 2 == 0 ? x / 2 : -(x / 2);
}

double some_factor(std::uint64_t i) {
    const std::uint64_t bits = counter_bits(4, i);
    const double mantissa = bits % 4 == 0 ? 1.0 : 1.0 + static_cast<double>(bits % 1000003) / 1000003;
    return std::ldexp(mantissa, static_cast<int>((bits >> 32) % 36) - 28);
}

} // namespace

TEST_CASE("a product in doubles is rounded as the product in integers") {
    std::size_t differing = 0;
    std::size_t ties = 0;
    for (std::uint64_t i = 0; i < 400000; ++i) {
        const std::int32_t x = some_sum(i);
        const q31 factor = to_q31(some_factor(i));
        const double wanted = detail::times_q31(static_cast<double>(x), factor);
        if (std::abs(wanted) < 2147483647.0)
            differing += wanted != static_cast<double>(multiply_single(x, factor)) ? 1U : 0U;
        ties += std::fmod(std::abs(static_cast<double>(x) * factor.real()), 1.0) == 0.5 ? 1U : 0U;
    }
    CHECK(differing == 0);
    CHECK(ties > 1000);
}

TEST_CASE("products just beside a tie fall to their side") {
    // x m 2^(e - 31) = k + 1/2 -+ 2^-31 needs more bits than a double has.
    for (const std::int32_t x : {(1 << 30) + 1, (1 << 30) - 1, -(1 << 30) - 1, 2147483646, -2147483647})
        for (std::int32_t m = 1 << 30; m < (1 << 30) + 64; ++m)
            for (int e = -29; e <= 0; ++e) {
                const q31 factor{m, e};
                CHECK(detail::times_q31(static_cast<double>(x), factor) ==
                      static_cast<double>(multiply_single(x, factor)));
            }
}

TEST_CASE("the sum of two scaled codes is the nearest number, but for what the smaller factor loses") {
    for (std::uint64_t i = 0; i < 20000; ++i) {
        const double fa = std::ldexp(1 + static_cast<double>(i % 101) / 101, static_cast<int>(i % 37) - 18);
        const double fb = std::ldexp(1 + static_cast<double>(i % 89) / 89, static_cast<int>(i % 31) - 15);
        const auto x = static_cast<std::int32_t>(counter_bits(5, i) % 511) - 255;
        const auto y = static_cast<std::int32_t>(counter_bits(6, i) % 511) - 255;
        const double exact = x * fa + y * fb;
        const double lost = 512 * std::ldexp(std::fmax(fa, fb), -30); // one unit of the multiplier
        const std::int32_t got = detail::scaled_sum(to_q31(fa), to_q31(fb))(x, y);
        CHECK(std::abs(got - exact) <= 0.5 + lost);
    }
}

/// @file
/// The theorem behind quantize_run: for floats x and s whose quotient is a normal float,
///
///     float(double(x) * double(1 / s)) = the float nearest to x / s
///
/// checked by exact integer arithmetic, also on the pairs whose quotients come closest to a midpoint of two floats.
#include "catch.hpp"
#include "simd/exact_float.hpp"

#include <notch/core/random.hpp>

#include <cstdint>

namespace {

using namespace notch;

float float_of(std::uint32_t mantissa, int exponent) {
    return std::bit_cast<float>((static_cast<std::uint32_t>(exponent + 127) << 23) | (mantissa & 0x007f'ffffU));
}

/// True where the kernel's product is the nearest float.
bool product_is_quotient(float x, float s) {
    const double inverse = simd::quantize_step::of(static_cast<double>(s), 0, {-128, 127}).inverse;
    const float product = simd::detail::scaled_and_clamped(x, inverse, -0x1.fffffep127F, 0x1.fffffep127F);
    return std::bit_cast<std::uint32_t>(product) == exact::float_bits(exact::quotient(exact::of(x), exact::of(s), 24));
}

/// The inverse of an odd number modulo 2^32, by Newton's iteration.
std::uint32_t inverse_of_odd(std::uint32_t s) {
    std::uint32_t r = s;
    for (int i = 0; i < 5; ++i)
        r *= 2 - s * r;
    return r;
}

} // namespace

TEST_CASE("a product with the reciprocal is the quotient of two floats", "[simd][quotient]") {
    std::size_t wrong = 0;
    for (std::uint64_t i = 0; i < 400'000; ++i) {
        const auto a = static_cast<std::uint32_t>(counter_bits(21, 2 * i));
        const auto b = static_cast<std::uint32_t>(counter_bits(21, 2 * i + 1));
        const int scale_exponent = static_cast<int>(a >> 24) % 60 - 30;
        const int exponent = static_cast<int>(b >> 24) % 60 - 30;
        const float s = float_of(a, scale_exponent);
        wrong += !product_is_quotient(float_of(b, exponent), s);
        wrong += !product_is_quotient(-float_of(b | 0x007f'fff0U, exponent), s);
        wrong += !product_is_quotient(float_of(b & 0x000f'000fU, exponent), s);
    }
    CHECK(wrong == 0);
}

TEST_CASE("a product with the reciprocal is the quotient also next to a midpoint", "[simd][quotient]") {
    // A midpoint M has 25 bits and is odd. For an odd S and a small odd c, choose M = c / S modulo 2^k: then M S - c is a
    // multiple of 2^k, and X = (M S - c) / 2^k gives X 2^k / S = M - c / S, as close to M as a quotient by S can be.
    std::size_t tried = 0;
    std::size_t wrong = 0;
    std::size_t wrong_with_47_bits = 0;
    for (std::uint64_t i = 0; i < 60'000; ++i) {
        const std::uint32_t s = (static_cast<std::uint32_t>(counter_bits(22, i)) & 0x007f'ffffU) | 0x0080'0001U;
        for (const int k : {24, 25})
            for (std::int64_t c = -3; c <= 3; c += 2) {
                const std::uint32_t modulus = (std::uint32_t{1} << k) - 1;
                const std::uint32_t residue = (static_cast<std::uint32_t>(c) * inverse_of_odd(s)) & modulus;
                const std::uint32_t m = k == 24 ? residue | (1U << 24) : residue;
                const std::int64_t difference = static_cast<std::int64_t>(m) * s - c;
                const std::int64_t x = difference >> k;
                if (m < (1U << 24) || x < (1 << 23) || x >= (1 << 24))
                    continue;
                REQUIRE((x << k) == difference);
                ++tried;
                const int shift = static_cast<int>(i % 41) - 20;
                const float numerator = float_of(static_cast<std::uint32_t>(x), shift);
                wrong += !product_is_quotient(numerator, float_of(s, -shift / 2));
                wrong += !product_is_quotient(-numerator, float_of(s, shift / 3));
                const exact::number exact_x = exact::of(numerator);
                const exact::number exact_s = exact::of(float_of(s, 0));
                const exact::number coarse =
                    exact::rounded(exact::product(exact_x, exact::quotient(exact::of(1.0), exact_s, 47)), 24);
                wrong_with_47_bits +=
                    exact::float_bits(coarse) != exact::float_bits(exact::quotient(exact_x, exact_s, 24));
            }
    }
    CHECK(tried > 100'000);
    CHECK(wrong == 0);
    CHECK(wrong_with_47_bits > 0); // the pairs are hard: a reciprocal of six bits less does not pass them
}

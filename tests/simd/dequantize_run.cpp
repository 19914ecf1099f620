/// @file
/// dequantize_run against exact integer arithmetic.
#include "catch.hpp"
#include "simd/exact_float.hpp"

#include <cstring>
#include <numeric>

namespace {

using namespace notch;
using simd::write_path;

std::uint32_t expected_bits(std::int32_t difference, double scale) {
    const auto magnitude = static_cast<exact::wide>(difference < 0 ? -difference : difference);
    const exact::number code{difference < 0, magnitude, 0};
    return exact::float_bits(exact::rounded(exact::rounded(exact::product(code, exact::of(scale)), 53), 24));
}

template <class Arch, class Code> std::size_t mismatches(double scale, std::int32_t zero_point, std::int32_t lowest) {
    std::vector<Code> codes(256);
    for (std::size_t i = 0; i < codes.size(); ++i)
        codes[i] = static_cast<Code>(lowest + static_cast<std::int32_t>(i));
    std::size_t wrong = 0;
    for (const write_path path : {write_path::through_caches, write_path::past_caches}) {
        std::vector<float> got(codes.size());
        simd::dequantize_run<Arch>(codes.data(), codes.size(), scale, zero_point, got.data(), path);
        for (std::size_t i = 0; i < codes.size(); ++i)
            wrong += std::bit_cast<std::uint32_t>(got[i]) !=
                     expected_bits(static_cast<std::int32_t>(codes[i]) - zero_point, scale);
    }
    return wrong;
}

/// Floats, powers of two, q31 scales and doubles, from the smallest scale to products that overflow.
constexpr double scales[] = {0x1p-100,
                             0x1.000002p-100,
                             0x1p-7,
                             1.0,
                             0x1.fffffep-3,
                             0x1.99999ap-4,
                             0.1,
                             1431655765.0 * 0x1p-36,
                             2147483647.0 * 0x1p-31,
                             0x1.8p119,
                             0x1p126,
                             0x1.fffffep125};

} // namespace

TEMPLATE_LIST_TEST_CASE("dequantize_run rounds the exact product once", "[simd][dequantize]", exact::archs) {
    for (const double scale : scales) {
        for (const std::int32_t zero_point : {-128, -1, 0, 127})
            CHECK(mismatches<TestType, std::int8_t>(scale, zero_point, -128) == 0);
        for (const std::int32_t zero_point : {0, 1, 128, 255})
            CHECK(mismatches<TestType, std::uint8_t>(scale, zero_point, 0) == 0);
    }
}

TEMPLATE_LIST_TEST_CASE("dequantize_run takes every length and address and writes nothing else", "[simd][dequantize]",
                        exact::archs) {
    std::size_t wrong = 0;
    for (const double scale : {0x1.99999ap-4, 0.1})
        for (std::size_t count = 0; count <= 130; ++count)
            for (std::size_t offset = 0; offset < 5; ++offset)
                for (const write_path path : {write_path::through_caches, write_path::past_caches}) {
                    exact::guarded<std::uint8_t> codes(count, 3 * offset + 1);
                    for (std::size_t i = 0; i < count; ++i)
                        codes.data()[i] = static_cast<std::uint8_t>(i * 41);
                    exact::guarded<float> dst(count, offset);
                    simd::dequantize_run<TestType>(codes.data(), count, scale, 128, dst.data(), path);
                    for (std::size_t i = 0; i < count; ++i)
                        wrong +=
                            std::bit_cast<std::uint32_t>(dst.data()[i]) != expected_bits(codes.data()[i] - 128, scale);
                    wrong += !dst.is_intact();
                }
    CHECK(wrong == 0);
}

TEMPLATE_LIST_TEST_CASE("dequantize_run of a tiny scale is the scalar definition", "[simd][dequantize]", exact::archs) {
    // Below 2^-100 products may be denormal; flushing then acts on the definition and on the kernel alike.
    std::vector<std::int8_t> codes(256);
    std::iota(codes.begin(), codes.end(), static_cast<std::int8_t>(-128));
    std::vector<float> got(256);
    std::vector<float> defined(256);
    for (const double scale : {0x1p-140, 0x1.3p-130, 0x1p-200, 0.0}) {
        simd::dequantize_run<TestType>(codes.data(), 256, scale, 3, got.data());
        simd::detail::dequantize_elements(codes.data(), 256, scale, 3, defined.data());
        CHECK(std::memcmp(got.data(), defined.data(), 256 * sizeof(float)) == 0);
    }
}

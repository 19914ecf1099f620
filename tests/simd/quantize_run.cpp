/// @file
/// quantize_run and its kin against exact integer arithmetic and against their scalar definition.
#include "catch.hpp"
#include "simd/exact_float.hpp"

#include <notch/core/random.hpp>

#include <cfenv>
#include <cstring>
#include <limits>
#include <memory>

namespace {

using namespace notch;
using simd::quantize_step;
using simd::write_path;

float float_of(std::uint32_t bits) { return std::bit_cast<float>(bits); }

/// Both neighbours of a float, by its bits.
void add_with_neighbours(std::vector<float>& list, float x) {
    const auto bits = std::bit_cast<std::uint32_t>(x);
    if ((bits & 0x7f80'0000U) == 0x7f80'0000U)
        return;
    list.push_back(x);
    if ((bits & 0x7fff'ffffU) != 0x7f7f'ffffU)
        list.push_back(float_of(bits + 1));
    if ((bits & 0x7fff'ffffU) != 0)
        list.push_back(float_of(bits - 1));
}

/// Values on, just below and just above every code and every tie of a step, and the edges of the type.
std::vector<float> telling_values(double scale, std::int32_t zero_point, code_range codes) {
    std::vector<float> list;
    for (std::int32_t code = codes.lowest - zero_point - 2; code <= codes.highest - zero_point + 2; ++code)
        for (const double part : {0.0, 0.5, 0.3})
            add_with_neighbours(list, static_cast<float>((code + part) * scale));
    for (const std::uint32_t bits : {0x0000'0000U, 0x0000'0001U, 0x007f'ffffU, 0x0080'0000U, 0x3f80'0000U, 0x4b00'0000U,
                                     0x4f00'0000U, 0x4f80'0000U, 0x5f00'0000U, 0x7f7f'ffffU}) {
        list.push_back(float_of(bits));
        list.push_back(float_of(bits | 0x8000'0000U));
    }
    for (std::uint64_t i = 0; i < 256; ++i) {
        const auto bits = static_cast<std::uint32_t>(counter_bits(3, i));
        if ((bits & 0x7f80'0000U) != 0x7f80'0000U)
            list.push_back(float_of(bits));
    }
    return list;
}

/// Powers of two from end to end, floats, q31 scales and doubles.
const std::vector<double>& scales() {
    static const std::vector<double> all{0x1p-100,
                                         0x1p-7,
                                         1.0,
                                         0x1p126,
                                         static_cast<double>(0.0123F),
                                         static_cast<double>(1.0F / 3.0F),
                                         static_cast<double>(0x1.fffffep-6F),
                                         static_cast<double>(0x1.000002p+40F),
                                         1431655765.0 * 0x1p-36,
                                         2147483647.0 * 0x1p-31,
                                         0.1};
    return all;
}

template <class Arch, class Rule, class Code>
bool quantize(const float* x, std::size_t count, const quantize_step& step, Code* dst,
              write_path path = write_path::through_caches) {
    if constexpr (random_rounding<Rule>)
        return simd::quantize_run_random<Arch, Rule>(x, count, step, 9, 0, dst);
    else
        return simd::quantize_run<Arch, Rule>(x, count, step, dst, path);
}

/// How many codes of one quantizer differ from exact arithmetic.
template <class Arch, class Rule, class Bits> std::size_t mismatches(double scale, std::int32_t zero_point) {
    using code_type = typename Bits::code_type;
    const std::vector<float> x = telling_values(scale, zero_point, Bits::range);
    const quantize_step step = quantize_step::of(scale, zero_point, Bits::range);
    std::vector<code_type> got(x.size());
    std::size_t wrong = quantize<Arch, Rule>(x.data(), x.size(), step, got.data()) ? 0 : 1;
    for (std::size_t i = 0; i < x.size(); ++i)
        wrong += got[i] != exact::code<Rule>(x[i], scale, zero_point, Bits::range, counter_random(9, i));
    return wrong;
}

template <class Arch, class Rule, class Bits> std::size_t mismatches() {
    std::size_t wrong = 0;
    for (const double scale : scales())
        for (const std::int32_t zero_point : {Bits::lowest, Bits::highest, (Bits::lowest + Bits::highest + 1) / 2})
            wrong += mismatches<Arch, Rule, Bits>(scale, zero_point);
    return wrong;
}

template <class Arch, class Rule> void check_rule() {
    CHECK(mismatches<Arch, Rule, bits<8>>() == 0);
    CHECK(mismatches<Arch, Rule, bits<8, signed_codes, narrow_range>>() == 0);
    CHECK(mismatches<Arch, Rule, bits<8, unsigned_codes>>() == 0);
    CHECK(mismatches<Arch, Rule, bits<4>>() == 0);
    CHECK(mismatches<Arch, Rule, bits<4, unsigned_codes>>() == 0);
    CHECK(mismatches<Arch, Rule, bits<2>>() == 0);
}

/// Runs of every short length at every offset: the right codes, and nothing beside them.
template <class Arch, class Rule, class Code>
void check_lengths(double scale, std::int32_t zero_point, code_range codes) {
    const quantize_step step = quantize_step::of(scale, zero_point, codes);
    std::size_t wrong = 0;
    for (std::size_t count = 0; count <= 130; ++count)
        for (std::size_t offset = 0; offset < 5; ++offset)
            for (const write_path path : {write_path::through_caches, write_path::past_caches}) {
                exact::guarded<float> x(count, offset);
                for (std::size_t i = 0; i < count; ++i)
                    x.data()[i] =
                        static_cast<float>((static_cast<double>(counter_random(count, i) % 400) - 200) / 1.7 * scale);
                exact::guarded<Code> dst(count, 2 * offset + 1);
                wrong += !quantize<Arch, Rule>(x.data(), count, step, dst.data(), path);
                for (std::size_t i = 0; i < count; ++i)
                    wrong +=
                        dst.data()[i] != exact::code<Rule>(x.data()[i], scale, zero_point, codes, counter_random(9, i));
                wrong += !dst.is_intact();
            }
    CHECK(wrong == 0);
}

/// Steps that differ from element to element, in both layouts.
struct varying {
    std::vector<quantize_step> steps;
    std::vector<double> scale, inverse;
    std::vector<float> lowest, highest;
    std::vector<std::int32_t> zero_point;

    varying(std::size_t count, code_range codes) {
        for (std::size_t i = 0; i < count; ++i) {
            scale.push_back(scales()[1 + i % 2] * (1.0 + static_cast<double>(i) / 64.0));
            zero_point.push_back(codes.lowest +
                                 static_cast<std::int32_t>(i * 37 % static_cast<std::size_t>(codes.steps() + 1)));
            steps.push_back(quantize_step::of(scale.back(), zero_point.back(), codes));
            inverse.push_back(steps.back().inverse);
            lowest.push_back(steps.back().lowest);
            highest.push_back(steps.back().highest);
        }
    }
    simd::step_arrays arrays() const { return {inverse.data(), lowest.data(), highest.data(), zero_point.data()}; }
};

template <class Arch, class Rule, class Bits> void check_varying() {
    using code_type = typename Bits::code_type;
    std::size_t wrong = 0;
    for (std::size_t count = 0; count <= 130; ++count) {
        const varying v(count, Bits::range);
        exact::guarded<float> x(count, count % 3);
        for (std::size_t i = 0; i < count; ++i)
            x.data()[i] =
                static_cast<float>((static_cast<double>(counter_random(count, i) % 1200) - 600) / 2.0 * v.scale[i]);
        exact::guarded<code_type> apart(count, count % 7);
        exact::guarded<code_type> together(count, count % 7);
        wrong += !simd::quantize_run_varying<Arch, Rule>(x.data(), count, v.arrays(), apart.data());
        wrong += !simd::quantize_run_varying<Arch, Rule>(x.data(), count, v.steps.data(), together.data());
        for (std::size_t i = 0; i < count; ++i) {
            const std::int32_t code = exact::code<Rule>(x.data()[i], v.scale[i], v.zero_point[i], Bits::range);
            wrong += apart.data()[i] != code;
            wrong += together.data()[i] != code;
        }
        wrong += !apart.is_intact() || !together.is_intact();
    }
    CHECK(wrong == 0);
}

/// NaN with either sign, quiet and signalling, and both infinities.
constexpr std::uint32_t non_finite[] = {0x7fc0'0000U, 0xffc0'0000U, 0x7f80'0001U, 0xff80'0001U,
                                        0x7fff'ffffU, 0x7f80'0000U, 0xff80'0000U};
constexpr std::size_t run_lengths[] = {1, 3, 4, 7, 8, 9, 15, 16, 17, 31, 32, 33, 64, 67, 130};

} // namespace

TEMPLATE_LIST_TEST_CASE("quantize_run gives the code of exact arithmetic", "[simd][quantize]", exact::archs) {
    SECTION("nearest_even") { check_rule<TestType, nearest_even>(); }
    SECTION("nearest_up") { check_rule<TestType, nearest_up>(); }
    SECTION("nearest_away") { check_rule<TestType, nearest_away>(); }
    SECTION("toward_zero") { check_rule<TestType, toward_zero>(); }
    SECTION("stochastic") { check_rule<TestType, stochastic>(); }
    SECTION("a rule that knows floats only") { check_rule<TestType, exact::nearest_down>(); }
}

TEMPLATE_LIST_TEST_CASE("quantize_run takes every length and address and writes nothing else", "[simd][quantize]",
                        exact::archs) {
    check_lengths<TestType, nearest_even, std::int8_t>(0x1p-4, 0, {-128, 127});
    check_lengths<TestType, nearest_even, std::uint8_t>(static_cast<double>(0.037F), 128, {0, 255});
    check_lengths<TestType, nearest_away, std::int8_t>(static_cast<double>(0.037F), -3, {-8, 7});
    check_lengths<TestType, stochastic, std::int8_t>(static_cast<double>(0.037F), -3, {-8, 7});
    check_lengths<TestType, exact::nearest_down, std::uint8_t>(static_cast<double>(0.037F), 255, {0, 255});
}

TEMPLATE_LIST_TEST_CASE("quantize_run_varying uses the step of each element", "[simd][quantize]", exact::archs) {
    check_varying<TestType, nearest_even, bits<8>>();
    check_varying<TestType, nearest_up, bits<8, unsigned_codes>>();
    check_varying<TestType, toward_zero, bits<4>>();
    check_varying<TestType, exact::nearest_down, bits<8>>();
}

TEMPLATE_LIST_TEST_CASE("quantize_run reports NaN and infinity wherever they stand", "[simd][quantize]", exact::archs) {
    for (const double scale : {1.0, static_cast<double>(0.037F)})
        for (const std::size_t count : run_lengths) {
            const quantize_step step = quantize_step::of(scale, 0, {-128, 127});
            const std::vector<quantize_step> steps(count, step);
            std::vector<float> x(count, std::numeric_limits<float>::max());
            std::vector<std::int8_t> dst(count);
            std::size_t wrong = 0;
            wrong += !simd::quantize_run<TestType, nearest_even>(x.data(), count, step, dst.data());
            for (std::size_t at = 0; at < count; ++at)
                for (const std::uint32_t pattern : non_finite) {
                    x[at] = float_of(pattern);
                    for (const write_path path : {write_path::through_caches, write_path::past_caches})
                        wrong += simd::quantize_run<TestType, nearest_even>(x.data(), count, step, dst.data(), path);
                    wrong += simd::quantize_run_random<TestType, stochastic>(x.data(), count, step, 1, 2, dst.data());
                    wrong +=
                        simd::quantize_run_varying<TestType, nearest_even>(x.data(), count, steps.data(), dst.data());
                    x[at] = -1.0F;
                }
            CHECK(wrong == 0);
        }
}

TEST_CASE("the random bits of an element follow from its position alone", "[simd][quantize]") {
    const quantize_step step = quantize_step::of(static_cast<double>(0.37F), 0, {-128, 127});
    std::vector<float> x(200);
    for (std::size_t i = 0; i < x.size(); ++i)
        x[i] = static_cast<float>(i) * 0.1F;
    std::vector<std::int8_t> whole(x.size());
    std::vector<std::int8_t> parts(x.size());
    REQUIRE(simd::quantize_run_random<simd::default_arch, stochastic>(x.data(), x.size(), step, 4, 1000, whole.data()));
    REQUIRE(simd::quantize_run_random<simd::default_arch, stochastic>(x.data(), 77, step, 4, 1000, parts.data()));
    REQUIRE(simd::quantize_run_random<simd::default_arch, stochastic>(x.data() + 77, x.size() - 77, step, 4, 1077,
                                                                      parts.data() + 77));
    CHECK(whole == parts);
    REQUIRE(simd::quantize_run_random<simd::default_arch, stochastic>(x.data(), x.size(), step, 5, 1000, parts.data()));
    CHECK(whole != parts);
}

#if defined(FE_UPWARD) && defined(FE_DOWNWARD)
TEMPLATE_LIST_TEST_CASE("rounding to a code does not depend on the rounding mode of the processor", "[simd][quantize]",
                        exact::archs) {
    // Products with a power of two are exact, so the mode could act on the rounding step alone.
    std::size_t wrong = 0;
    for (const int mode : {FE_UPWARD, FE_DOWNWARD, FE_TOWARDZERO}) {
        const std::vector<float> x = telling_values(0x1p-7, 0, {-128, 127});
        const quantize_step step = quantize_step::of(0x1p-7, 0, {-128, 127});
        std::vector<std::int8_t> got(x.size());
        std::fesetround(mode);
        wrong += !simd::quantize_run<TestType, nearest_even>(x.data(), x.size(), step, got.data());
        std::fesetround(FE_TONEAREST);
        for (std::size_t i = 0; i < x.size(); ++i)
            wrong += got[i] != exact::code<nearest_even>(x[i], 0x1p-7, 0, {-128, 127});
    }
    CHECK(wrong == 0);
}
#endif

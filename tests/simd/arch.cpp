/// @file
/// The instruction set tags: who descends from whom, which the flags allow, and that every tag the flags allow gives the
/// results of the scalar definition, whether the elementwise kernels know it or only an ancestor.
#include "catch.hpp"

#include <notch/simd/arch.hpp>
#include <notch/simd/elementwise.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace {

using namespace notch;
using namespace notch::simd;

static_assert(std::is_same_v<avx512vnni::parent, avx512bw> && std::is_same_v<avx512bw::parent, avx2>);
static_assert(std::is_same_v<avx_vnni::parent, avx2> && std::is_same_v<avx2::parent, sse41>);
static_assert(std::is_same_v<neon_i8mm::parent, neon_dotprod> && std::is_same_v<neon_dotprod::parent, neon64>);
static_assert(std::is_same_v<sse41::parent, scalar> && std::is_same_v<neon64::parent, scalar>);
static_assert(std::is_void_v<scalar::parent>);

static_assert(extends<avx512vnni, avx2> && extends<avx512vnni, avx512vnni> && extends<neon_i8mm, scalar>);
static_assert(!extends<avx512vnni, avx_vnni> && !extends<avx2, avx512bw> && !extends<scalar, sse41>);
static_assert(!extends<neon64, sse41>);

static_assert(instruction_set<avx_vnni> && instruction_set<neon_i8mm> && instruction_set<scalar>);
static_assert(!instruction_set<int> && !instruction_set<const avx2> && !instruction_set<void>);

static_assert(compiled_for<default_arch> && compiled_for<scalar>);
static_assert(compiled_for<avx512bw> || !compiled_for<avx512vnni>);
static_assert(compiled_for<avx2> || !(compiled_for<avx_vnni> || compiled_for<avx512bw>));
static_assert(compiled_for<neon_dotprod> || !compiled_for<neon_i8mm>);
static_assert(!compiled_for<sse41> || !compiled_for<neon64>);

// A tag without lanes of its own has those of its parent, and without any, the one lane of scalar.
static_assert(elementwise<avx512vnni>::width == elementwise<avx512bw>::width);
static_assert(elementwise<avx_vnni>::width == elementwise<avx2>::width);
static_assert(elementwise<neon_i8mm>::width == elementwise<neon64>::width);
static_assert(!compiled_for<neon_dotprod> || elementwise<neon_dotprod>::width == 4);
static_assert(!compiled_for<avx_vnni> || elementwise<avx_vnni>::width == 8);
static_assert(!compiled_for<avx512vnni> || elementwise<avx512vnni>::width == 16);

/// Calls f(tag) for every tag that the flags of this file allow.
template <class F, class... Tags> void for_each_allowed(arch_list<Tags...>, const F& f) {
    const auto visit = [&]<class Tag>(Tag tag) {
        if constexpr (compiled_for<Tag>)
            f(tag);
    };
    (visit(Tags{}), ...);
}

/// What the elementwise kernels make of one run.
struct results {
    std::vector<std::int8_t> codes;
    std::vector<std::int8_t> varying;
    std::vector<float> reals;
    std::array<float, 2> ends{};

    bool operator==(const results&) const = default;
};

template <class Arch> results run(const std::vector<float>& x, const quantize_step& step) {
    const std::size_t count = x.size();
    const std::vector<quantize_step> steps(count, step);
    results r{std::vector<std::int8_t>(count), std::vector<std::int8_t>(count), std::vector<float>(count), {}};
    CHECK(quantize_run<Arch, nearest_even>(x.data(), count, step, r.codes.data()));
    CHECK(quantize_run_varying<Arch, nearest_even>(x.data(), count, steps.data(), r.varying.data()));
    dequantize_run<Arch>(r.codes.data(), count, 0.0375, step.zero_point, r.reals.data());
    CHECK(min_max_run<Arch>(x.data(), count, r.ends[0], r.ends[1]));
    return r;
}

} // namespace

TEST_CASE("the strongest allowed tag is the default", "[simd][arch]") {
    std::string last;
    for_each_allowed(every_arch{}, [&](auto tag) {
        using tag_type = decltype(tag);
        last = tag_type::name;
        if (extends<tag_type, default_arch>)
            CHECK(std::is_same_v<tag_type, default_arch>);
    });
    CHECK(last == default_arch::name);
}

TEST_CASE("every allowed tag gives the elementwise results of the scalar definition", "[simd][arch]") {
    for (const double scale : {0x1p-5, 0.0375})
        for (std::size_t count = 0; count <= 100; ++count) {
            std::vector<float> x(count);
            for (std::size_t i = 0; i < count; ++i)
                x[i] = static_cast<float>(static_cast<int>((i * 7919 + count) % 1201) - 600) * 0.0125F;
            const quantize_step step = quantize_step::of(scale, 3, {-128, 127});
            const results wanted = run<scalar>(x, step);
            for_each_allowed(every_arch{}, [&](auto tag) {
                INFO(decltype(tag)::name << ", " << count << " elements");
                CHECK(run<decltype(tag)>(x, step) == wanted);
            });
        }
}

/// @file
/// Stages of a namespace of its own, in both forms, alone, chained and fused with those of the library into a product.
#include "epilogue/lanes.hpp"

#include <notch/epilogue/activation.hpp>
#include <notch/epilogue/add_bias.hpp>
#include <notch/epilogue/add_residual.hpp>
#include <notch/epilogue/shift_requantize.hpp>
#include <notch/gemm/gemm.hpp>
#include <notch/gemm/pack.hpp>
#include <notch/gemm/reference.hpp>

namespace engine {

/// The same for every output, no prepare: a leaky ReLU with a slope of 2^-3.
struct leaky {
    template <notch::simd::lane Lane> Lane operator()(Lane x) const {
        return notch::simd::lane_max(x, Lane(std::int32_t{0})) +
               notch::nearest_even::shift_right(notch::simd::lane_min(x, Lane(std::int32_t{0})), 3);
    }
};

/// Per output and row, with a prepare that follows the range: adds 1000 * row + offset[column].
struct add_place {
    std::vector<std::int32_t> offset{};

    void prepare(notch::epilogue_problem& problem) {
        if (offset.size() != problem.columns)
            throw notch::shape_error("engine: wrong number of offsets");
        problem.highest += 1000 * static_cast<std::int64_t>(problem.rows) + 100;
        problem.lowest -= 100;
    }
    template <notch::simd::lane Lane> auto at(const notch::column_site<Lane>& site) const {
        const Lane c = site.each(offset.data());
        return [c](Lane x, std::size_t row) { return x + c + Lane(static_cast<std::int32_t>(1000 * row)); };
    }
};

/// Lacks both forms.
struct nothing {
    int number = 0;
};

} // namespace engine

using namespace lanes;

namespace {

static_assert(epilogue_stage<engine::leaky> && epilogue_stage<engine::add_place>);
static_assert(!epilogue_stage<engine::nothing> && !epilogue_stage<int>);
static_assert(epilogue_stage<identity> && epilogue_stage<decltype(relu{} | engine::leaky{})>);

/// The strongest instruction set with products, should the default have none.
template <class Arch> struct with_products { using type = typename with_products<typename Arch::parent>::type; };
template <class Arch>
    requires requires { simd::int_ops<Arch>::tile_rows; }
struct with_products<Arch> {
    using type = Arch;
};
using arch = with_products<simd::default_arch>::type;

std::int64_t leaked(std::int64_t x) { return x >= 0 ? x : nearest_even::shift_right(static_cast<std::int32_t>(x), 3); }

std::vector<std::int32_t> offsets(std::size_t columns) {
    std::vector<std::int32_t> list;
    for (std::size_t c = 0; c < columns; ++c)
        list.push_back(static_cast<std::int32_t>(c * 7 % 200) - 100);
    return list;
}

} // namespace

TEST_CASE("stages of a foreign namespace run on every lane", "[epilogue][foreign]") {
    const matrix m = numbers_up_to(100000, 12, 37);
    const auto offset = offsets(37);
    check_stage(engine::leaky{}, m, [](std::size_t, std::size_t, std::int64_t x) { return leaked(x); });
    check_stage(engine::add_place{offset}, m, [&](std::size_t row, std::size_t c, std::int64_t x) {
        return x + offset[c] + 1000 * static_cast<std::int64_t>(row);
    });
    check_stage(identity{}, m, [](std::size_t, std::size_t, std::int64_t x) { return x; });
}

TEST_CASE("stages are chained in order", "[epilogue][chain]") {
    const matrix m = numbers_up_to(100000, 12, 37);
    const auto offset = offsets(37);
    const auto wanted = [&](std::size_t row, std::size_t c, std::int64_t x) {
        const std::int64_t placed = leaked(x) + offset[c] + 1000 * static_cast<std::int64_t>(row);
        return (placed < 0 ? 0 : placed) + 5;
    };
    check_stage(stages(engine::leaky{}, engine::add_place{offset}, relu{}, add_zero_point{5}), m, wanted);
    check_stage(stages(engine::leaky{}, engine::add_place{offset}) | relu{} | add_zero_point{5}, m, wanted);
    check_stage(stages(engine::leaky{}) | stages(engine::add_place{offset}, relu{}) | add_zero_point{5}, m, wanted);
    // Each stage sees what stands in front of it: the residual behind a shift has the scale of the codes.
    std::vector<std::uint8_t> memory(12 * 37, 40);
    const strided_view<const std::uint8_t, 2> codes(memory.data(), {12, 37});
    matrix scaled = m;
    scaled.exponents.assign(37, -9);
    check_stage(shift_requantize<>{-4} | add_residual<std::uint8_t>{codes, -2, 8}, scaled,
                [](std::size_t, std::size_t, std::int64_t x) {
                    return nearest_even::shift_right(static_cast<std::int32_t>(x), 5) + 32 * 4;
                });
    check_stage(add_residual<std::uint8_t>{codes, -2, 8} | shift_requantize<>{-4}, scaled,
                [](std::size_t, std::size_t, std::int64_t x) {
                    return nearest_even::shift_right(static_cast<std::int32_t>(x + 32 * 128), 5);
                });
    // Errors of any stage come out, with the range as it is there.
    check_refused<shape_error>(stages(relu{}, engine::add_place{}), m, {"engine: wrong number"});
    check_refused<range_error>(stages(relu{}, shift_right_by<>{-20}), m, {"sums up to 100000 leaves int32"});
}

TEST_CASE("a foreign stage fuses into a product like one of the library", "[epilogue][foreign][gemm]") {
    constexpr std::size_t rows = 9;
    constexpr std::size_t inputs = 40;
    constexpr std::size_t outputs = 37;
    using q = quantizer<bits<4>, per_group<>, power_of_two<>>;
    quantized_tensor<q, 2> w;
    w.codes = dense_tensor<std::int8_t, 2>({outputs, inputs});
    for (std::size_t i = 0; i < w.codes.size(); ++i)
        w.codes.elements()[i] = static_cast<std::int8_t>(counter_random(1, i) % 16 - 8);
    std::vector<double> scales;
    for (std::size_t b = 0; b < outputs * 3; ++b)
        scales.push_back(exp2_exact(static_cast<int>(b % 4) - 6));
    w.params = params_from_scales<q>(extents<2>{outputs, inputs}, scales, {}, q{{16}});
    std::vector<std::uint8_t> a(rows * inputs);
    for (std::size_t i = 0; i < a.size(); ++i)
        a[i] = static_cast<std::uint8_t>(counter_bits(2, i));
    const activation_codes<std::uint8_t> left{strided_view<const std::uint8_t, 2>(a.data(), {rows, inputs}), 120, -4,
                                              0};
    std::vector<std::int32_t> bias(outputs, -77);
    std::vector<std::int8_t> memory(rows * 50);
    for (std::size_t i = 0; i < memory.size(); ++i)
        memory[i] = static_cast<std::int8_t>(i);
    const add_residual<std::int8_t> residual{
        strided_view<const std::int8_t, 2>(memory.data(), {rows, outputs}, {50, 1}), -5, -3};
    const auto epilogue = stages(add_bias{bias}, engine::leaky{}, shift_requantize<stochastic>{-3, 17}, residual,
                                 engine::add_place{offsets(outputs)}, relu{}, add_zero_point{-20});
    std::vector<std::int8_t> fast(rows * outputs);
    std::vector<std::int8_t> slow(rows * outputs);
    gemm<arch>(left, pack(w), epilogue, strided_view<std::int8_t, 2>(fast.data(), {rows, outputs}));
    reference_gemm(left, w, epilogue, strided_view<std::int8_t, 2>(slow.data(), {rows, outputs}));
    CHECK(fast == slow);
    // In columns: every lane has one number.
    std::vector<std::int8_t> across(rows * outputs);
    gemm<arch>(left, pack(w), epilogue, strided_view<std::int8_t, 2>(across.data(), {rows, outputs}, {1, rows}));
    std::size_t wrong = 0;
    for (std::size_t m = 0; m < rows; ++m)
        for (std::size_t n = 0; n < outputs; ++n)
            wrong += across[n * rows + m] != slow[m * outputs + n];
    CHECK(wrong == 0);
}

/// @file
/// Stages of a namespace of its own, fused with those of the library into a product.
#include "catch.hpp"
#include "epilogue/engine.hpp"

#include <notch/core/random.hpp>
#include <notch/epilogue/activation.hpp>
#include <notch/epilogue/add_bias.hpp>
#include <notch/epilogue/add_residual.hpp>
#include <notch/epilogue/shift_requantize.hpp>
#include <notch/gemm/gemm.hpp>
#include <notch/gemm/pack.hpp>
#include <notch/gemm/reference.hpp>
#include <notch/quant/params.hpp>

using namespace notch;

namespace {

/// The strongest instruction set with products, should the default have none.
template <class Arch> struct with_products { using type = typename with_products<typename Arch::parent>::type; };
template <class Arch>
    requires requires { simd::int_ops<Arch>::tile_rows; }
struct with_products<Arch> {
    using type = Arch;
};
using arch = with_products<simd::default_arch>::type;

} // namespace

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
                                 engine::add_place{engine::offsets(outputs)}, relu{}, add_zero_point{-20});
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

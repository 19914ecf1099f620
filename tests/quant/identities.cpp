// Identities that hold whatever the numbers are.
#include "catch.hpp"
#include "quant/exact.hpp"
#include "threads_backwards.hpp"

#include <notch/core/executor.hpp>
#include <notch/quant/fit.hpp>
#include <notch/quant/quantization_error.hpp>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <random>
#include <vector>

using namespace notch;

namespace {

template <class A, class B> bool same_codes(const A& a, const B& b) {
    return std::equal(a.codes.elements().begin(), a.codes.elements().end(), b.codes.elements().begin(),
                      b.codes.elements().end());
}

template <class A, class B> bool same_elements(const A& a, const B& b) {
    return std::equal(a.elements().begin(), a.elements().end(), b.elements().begin(), b.elements().end());
}

// Calls check(policy) for a spread of quantizers of every granularity and scale type.
template <class Check> void for_each_quantizer(Check check) {
    check(quantizer<bits<8>>{});
    check(quantizer<bits<4>, per_channel<0>>{});
    check(quantizer<bits<4>, per_channel<1>, power_of_two<snap_up>, nearest_up>{});
    check(quantizer<bits<3>, per_channel<-1>, real_scale, nearest_away, affine>{});
    check(quantizer<bits<8, unsigned_codes>, per_group<5>, real_scale, nearest_even, affine>{});
    check(quantizer<bits<2>, per_group<8>, power_of_two<>>{});
    check(quantizer<bits<4>, sub_layer<4, 4>, power_of_two<snap_nearest>>{});
    check(quantizer<bits<6, signed_codes, narrow_range>, sub_layer<3, 7>, fixed_point<>>{});
    check(quantizer<bits<5, unsigned_codes>, sub_layer<16, 2>, power_of_two<snap_down>, nearest_even, affine>{});
}

} // namespace

TEST_CASE("one block is per tensor, one row a block is per channel", "[identity]") {
    const auto x = exact::random_tensor<4>({9, 11, 3, 3}, 1);
    const auto whole = quantize<quantizer<bits<4>, per_tensor, power_of_two<>>>(x);
    CHECK(same_codes(whole, quantize<quantizer<bits<4>, sub_layer<9, 11>, power_of_two<>>>(x)));
    CHECK(same_codes(whole, quantize<quantizer<bits<4>, sub_layer<64, 64>, power_of_two<>>>(x)));
    const auto rows = quantize<quantizer<bits<4>, per_channel<0>>>(x);
    const auto row_blocks = quantize<quantizer<bits<4>, sub_layer<1, 11>>>(x);
    CHECK(same_codes(rows, row_blocks));
    CHECK(rows.params.scales == row_blocks.params.scales);
    CHECK(same_codes(rows, quantize<quantizer<bits<4>, per_group<11>>>(x)));
    CHECK(
        same_codes(quantize<quantizer<bits<4>, per_channel<1>>>(x), quantize<quantizer<bits<4>, sub_layer<9, 1>>>(x)));
    // The same sizes at run time.
    using chosen = quantizer<bits<4>, sub_layer<>, power_of_two<>>;
    fit_options<chosen> options;
    options.policy.granularity = {4, 5};
    const auto fixed = quantize<quantizer<bits<4>, sub_layer<4, 5>, power_of_two<>>>(x);
    const auto at_run_time = quantize<chosen>(x, options);
    CHECK(same_codes(fixed, at_run_time));
    CHECK(fixed.params.scales == at_run_time.params.scales);
}

TEST_CASE("every block is quantized as a tensor of its own", "[identity]") {
    const auto x = exact::random_tensor<4>({7, 10, 2, 3}, 2);
    for_each_quantizer([&](auto policy) {
        using q = decltype(policy);
        using alone = quantizer<typename q::bits_type, per_tensor, typename q::scale_policy, typename q::rounding_rule,
                                typename q::zero_point_policy>;
        const auto tensor = quantize<q>(x);
        const auto grid = tensor.grid();
        std::size_t wrong = 0;
        for (std::size_t block = 0; block < grid.count; ++block) {
            std::vector<float> values;
            std::vector<int> codes;
            for (std::size_t o = 0; o < 7; ++o)
                for (std::size_t i = 0; i < 10; ++i)
                    for (std::size_t h = 0; h < 2; ++h)
                        for (std::size_t w = 0; w < 3; ++w)
                            if (grid.block_of(o, i, h, w) == block) {
                                values.push_back(x(o, i, h, w));
                                codes.push_back(tensor.codes(o, i, h, w));
                            }
            const auto single = quantize<alone>(values);
            wrong +=
                !std::equal(codes.begin(), codes.end(), single.codes.elements().begin(), single.codes.elements().end());
            wrong += !(single.params.scales[0] == tensor.params.scales[block]);
            wrong += single.params.zero_point(0) != tensor.params.zero_point(block);
        }
        CHECK(wrong == 0);
    });
}

TEST_CASE("quantizing twice is quantizing once", "[identity]") {
    const auto x = exact::random_tensor<4>({8, 12, 3, 3}, 3);
    for_each_quantizer([&](auto policy) {
        const auto tensor = quantize<decltype(policy)>(x);
        const auto once = dequantize(tensor);
        CHECK(same_codes(tensor, quantize(once, tensor.params)));
        CHECK(same_elements(once, fake_quantize(once, tensor.params)));
        CHECK(same_elements(once, fake_quantize(x, tensor.params)));
        auto in_place = x;
        fake_quantize_to(in_place, tensor.params, in_place);
        CHECK(same_elements(once, in_place));
    });
}

TEST_CASE("scaling by a power of two scales everything", "[identity]") {
    const auto x = exact::random_tensor<4>({6, 9, 3, 3}, 4);
    for (const float factor : {0x1p-20F, 0.5F, 8.0F, 0x1p30F}) {
        auto scaled = x;
        for (float& value : scaled.elements())
            value *= factor;
        for_each_quantizer([&](auto policy) {
            const auto small = quantize<decltype(policy)>(x);
            const auto large = quantize<decltype(policy)>(scaled);
            CHECK(same_codes(small, large));
            auto back = dequantize(small);
            for (float& value : back.elements())
                value *= factor;
            CHECK(same_elements(back, dequantize(large)));
        });
    }
}

TEST_CASE("inside the range the error is at most half a step", "[identity]") {
    const auto x = exact::random_tensor<4>({8, 12, 3, 3}, 5);
    for_each_quantizer([&](auto policy) {
        using q = decltype(policy);
        const auto tensor = quantize<q>(x);
        const auto back = dequantize(tensor);
        const auto grid = tensor.grid();
        std::size_t wrong = 0;
        std::size_t inside = 0;
        for (std::size_t o = 0; o < 8; ++o)
            for (std::size_t i = 0; i < 12; ++i)
                for (std::size_t h = 0; h < 3; ++h)
                    for (std::size_t w = 0; w < 3; ++w) {
                        const std::size_t block = grid.block_of(o, i, h, w);
                        const double step = tensor.params.scale(block);
                        const double value = static_cast<double>(x(o, i, h, w));
                        const double lowest = step * (q::codes.lowest - tensor.params.zero_point(block));
                        const double highest = step * (q::codes.highest - tensor.params.zero_point(block));
                        if (value < lowest || value > highest)
                            continue;
                        ++inside;
                        // The quotient and the product are each rounded to float once: relative 2^-24 of the value.
                        const double slack = 0x1p-23 * std::fabs(value);
                        wrong += std::fabs(static_cast<double>(back(o, i, h, w)) - value) > step / 2 + slack;
                    }
        CHECK(wrong == 0);
        CHECK(inside > x.size() / 4);
    });
}

TEST_CASE("nothing is clipped when the scale covers the range", "[identity]") {
    const auto x = exact::random_tensor<4>({8, 12, 3, 3}, 6);
    const auto covers = [&](auto policy) {
        const auto tensor = quantize<decltype(policy)>(x);
        double largest_step = 0;
        for (std::size_t block = 0; block < tensor.params.count(); ++block)
            largest_step = std::max(largest_step, tensor.params.scale(block));
        return quantization_error(x, tensor).largest <= largest_step * (0.5 + 1e-5);
    };
    CHECK(covers(quantizer<bits<4>, sub_layer<4, 4>, power_of_two<snap_up>>{}));
    CHECK(covers(quantizer<bits<4>, per_group<3>, real_scale>{}));
    CHECK(covers(quantizer<bits<4>, per_channel<1>, fixed_point<>>{}));
}

TEST_CASE("a finer grain with the parent's scale as candidate is never worse", "[identity][fit]") {
    const auto refined_error = [](const auto& x, const auto& coarse, auto fine_policy) {
        using q = decltype(fine_policy);
        const auto params = refine_params<q>(x, coarse);
        return std::pair(params, quantization_error(x, fake_quantize(x, params)).mean_square);
    };
    std::size_t strictly_better = 0;
    for (unsigned seed = 0; seed < 40; ++seed) {
        const auto x = exact::random_tensor<4>({16, 16, 3, 3}, 100 + seed);
        const auto check = [&](auto scale) {
            using s = decltype(scale);
            const auto whole = fit_params<quantizer<bits<4>, per_tensor, s>>(x);
            double error = quantization_error(x, fake_quantize(x, whole)).mean_square;
            const auto chain = [&](const auto& params, auto next) {
                auto [finer, finer_error] = refined_error(x, params, next);
                // Per block the sum of squares never grows; the total may differ in the last digits of the summation.
                CHECK(finer_error <= error * (1 + 1e-12));
                strictly_better += finer_error < error;
                error = finer_error;
                return finer;
            };
            const auto a = chain(whole, quantizer<bits<4>, sub_layer<8, 8>, s>{});
            const auto b = chain(a, quantizer<bits<4>, sub_layer<4, 4>, s>{});
            const auto c = chain(b, quantizer<bits<4>, sub_layer<2, 4>, s>{});
            chain(c, quantizer<bits<4>, sub_layer<1, 1>, s>{});
        };
        check(real_scale{});
        check(power_of_two<>{});
        check(power_of_two<snap_nearest>{});
    }
    CHECK(strictly_better > 400);
    // Without the parent's scale it can be worse: this is what inheriting is for.
    std::size_t worse = 0;
    for (unsigned seed = 0; seed < 200; ++seed) {
        const auto x = exact::random_tensor<2>({2, 2}, 200 + seed, 0.0F);
        worse += quantization_error(x, quantize<quantizer<bits<4>, sub_layer<1, 2>>>(x)).mean_square >
                 quantization_error(x, quantize<quantizer<bits<4>>>(x)).mean_square;
    }
    CHECK(worse > 0);
}

TEST_CASE("affine refinement inherits scale and zero point", "[identity][fit]") {
    const auto x = exact::random_tensor<2>({12, 30}, 9);
    using coarse = quantizer<bits<4, unsigned_codes>, per_channel<0>, real_scale, nearest_even, affine>;
    using fine = quantizer<bits<4, unsigned_codes>, per_group<6>, real_scale, nearest_even, affine>;
    const auto parent = fit_params<coarse>(x);
    const auto child = refine_params<fine>(x, parent);
    CHECK(quantization_error(x, fake_quantize(x, child)).mean_square <=
          quantization_error(x, fake_quantize(x, parent)).mean_square);
    CHECK_THROWS_WITH(
        (refine_params<quantizer<bits<4, unsigned_codes>, sub_layer<2, 6>, real_scale, nearest_even, affine>>(x,
                                                                                                              parent)),
        containing("more than one coarser block"));
}

TEST_CASE("codes do not depend on the executor", "[identity][executor]") {
    const auto x = exact::random_tensor<4>({64, 64, 7, 7}, 7); // more than one task
    const auto long_row = exact::random_tensor<1>({300000}, 7);
    const threads_backwards threads;
    using row_quantizer = quantizer<bits<8>, per_tensor, power_of_two<>>;
    CHECK(same_codes(quantize<row_quantizer>(long_row), quantize<row_quantizer>(long_row, {}, threads)));
    for_each_quantizer([&](auto policy) {
        using q = decltype(policy);
        const auto one = quantize<q>(x);
        const auto many = quantize<q>(x, {}, threads);
        CHECK(same_codes(one, many));
        CHECK(one.params.scales == many.params.scales);
        CHECK(one.params.zero_points == many.params.zero_points);
        CHECK(same_elements(dequantize(one), dequantize(one, threads)));
        CHECK(same_elements(fake_quantize(x, one.params), fake_quantize(x, one.params, {}, threads)));
    });
    using dithered = quantizer<bits<4>, sub_layer<16, 16>, power_of_two<>, stochastic>;
    fit_options<dithered> options;
    options.seed = 5;
    CHECK(same_codes(quantize<dithered>(x, options), quantize<dithered>(x, options, threads)));
    options.seed = 6;
    CHECK_FALSE(same_codes(quantize<dithered>(x, options), quantize<dithered>(x)));
}

TEST_CASE("strides do not change codes", "[identity]") {
    const auto x = exact::random_tensor<4>({5, 12, 3, 4}, 8);
    for_each_quantizer([&](auto policy) {
        using q = decltype(policy);
        const auto straight = quantize<q>(x);
        // The same tensor stored column-major, stored with gaps, and with a negative stride.
        dense_tensor<float, 4> columns({4, 3, 12, 5});
        dense_tensor<float, 4> gaps({5, 12, 3, 9}, 77.0F);
        dense_tensor<float, 4> backwards({5, 12, 3, 4});
        for (std::size_t o = 0; o < 5; ++o)
            for (std::size_t i = 0; i < 12; ++i)
                for (std::size_t h = 0; h < 3; ++h)
                    for (std::size_t w = 0; w < 4; ++w) {
                        columns(w, h, i, o) = x(o, i, h, w);
                        gaps(o, i, h, 2 * w) = x(o, i, h, w);
                        backwards(4 - o, i, h, w) = x(o, i, h, w);
                    }
        const strided_view<float, 4> column_view(columns.data(), {5, 12, 3, 4}, {1, 5, 60, 180});
        const strided_view<float, 4> gap_view(gaps.data(), {5, 12, 3, 4}, {324, 27, 9, 2});
        const strided_view<float, 4> backward_view(&backwards(4, 0, 0, 0), {5, 12, 3, 4}, {-144, 12, 4, 1});
        const auto check = [&](const strided_view<float, 4>& view) {
            const auto strided = quantize<q>(view);
            CHECK(same_codes(straight, strided));
            CHECK(straight.params.scales == strided.params.scales);
            dequantize_to(straight, view);
            const auto expected = dequantize(straight);
            CHECK(quantization_error(expected, view).largest == 0.0);
        };
        check(column_view);
        check(gap_view);
        check(backward_view);
        CHECK(std::count(gaps.elements().begin(), gaps.elements().end(), 77.0F) == 5 * 12 * 3 * 5);
    });
}

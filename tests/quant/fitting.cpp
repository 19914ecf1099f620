// Fitting, its options, channel orders, degenerate tensors and refusals.
#include "catch.hpp"
#include "quant/exact.hpp"

#include <notch/quant/fit.hpp>
#include <notch/quant/quantization_error.hpp>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <random>
#include <string>
#include <vector>

using namespace notch;

namespace {

template <class Q> double mean_square(const dense_tensor<float, 2>& x, const quant_params<Q>& params) {
    return quantization_error(x, fake_quantize(x, params)).mean_square;
}

template <class Tensor> std::vector<int> list(const Tensor& tensor) {
    return {tensor.codes.elements().begin(), tensor.codes.elements().end()};
}

// The text of the range_error that a call raises; empty when it raises none.
template <class Call> std::string message_of(Call&& call) {
    try {
        static_cast<void>(call());
    } catch (const range_error& caught) {
        return caught.what();
    }
    return {};
}

} // namespace

TEST_CASE("least squares chooses the best of four exponents", "[fit]") {
    for (unsigned seed = 0; seed < 30; ++seed) {
        const auto x = exact::random_tensor<2>({6, 50}, seed);
        using searched = quantizer<bits<3>, per_channel<0>, power_of_two<>>;
        const auto chosen = fit_params<searched>(x);
        const auto top = fit_params<quantizer<bits<3>, per_channel<0>, power_of_two<snap_up>>>(x);
        for (std::size_t row = 0; row < 6; ++row) {
            // Brute force over the row, in plain double arithmetic with the rounding of <cmath>.
            std::vector<double> errors;
            for (int below = 0; below < 4; ++below) {
                const double step = std::ldexp(1.0, top.scales[row] - below);
                double sum = 0;
                for (std::size_t i = 0; i < 50; ++i) {
                    const double value = static_cast<double>(x(row, i));
                    const double back = step * std::clamp(exact::half_even(value / step), -4.0, 3.0);
                    sum += (value - back) * (value - back);
                }
                errors.push_back(sum);
            }
            const auto best = std::min_element(errors.begin(), errors.end()) - errors.begin();
            CHECK(chosen.scales[row] == top.scales[row] - static_cast<int>(best));
        }
    }
}

TEST_CASE("a scale search never loses and reaches both ends of its grid", "[fit]") {
    const auto x = exact::random_tensor<2>({16, 64}, 3);
    using q = quantizer<bits<3>, per_group<16>>;
    const auto plain = fit_params<q>(x);
    fit_options<q> options;
    options.search = {0.5, 1.2, 100};
    const auto searched = fit_params<q>(x, options);
    CHECK(mean_square(x, searched) < mean_square(x, plain));
    for (std::size_t block = 0; block < plain.count(); ++block) {
        const double factor = searched.scale(block) / plain.scale(block);
        CHECK((factor > 0.4999 && factor < 1.2001));
    }
    // One value of 8 and one of 7.9 at 4 bits: with the grid {0.5, 1.0} the scale 1.0 * 8 / 7 wins over clipping at 4.
    const std::vector<float> pair{8.0F, 7.9F};
    fit_options<quantizer<bits<4>>> ends;
    ends.search = {0.5, 1.0, 2};
    CHECK(fit_params<quantizer<bits<4>>>(pair, ends).scale(0) == Approx(8.0 / 7.0));
    // {0.875, 1.75}: 7 * 0.25 fits 1.75 exactly and 0.875 * 8 = 7 steps of 1: the last factor of the grid is tried too.
    const std::vector<float> grid{7.0F, 2.0F, 3.0F, -5.0F, 1.0F};
    ends.search = {0.75, 2.0, 2};
    CHECK(fit_params<quantizer<bits<4>>>(grid, ends).scale(0) == Approx(1.0)); // S0 = 1 is exact and always tried
    const std::vector<float> doubled{6.0F, 4.0F, -2.0F};
    fit_options<quantizer<bits<4>>> last;
    last.search = {0.5, 7.0 / 3.0, 3}; // S0 = 6/7, S0 * 7/3 = 2: exact for even numbers
    CHECK(fit_params<quantizer<bits<4>>>(doubled, last).scale(0) == Approx(2.0));
}

TEST_CASE("nonsensical searches are refused", "[fit]") {
    const std::vector<float> x{1.0F, 2.0F};
    fit_options<quantizer<bits<4>>> options;
    options.name = "fc";
    options.search = {0.0, 1.0, 10};
    CHECK_THROWS_WITH(fit_params<quantizer<bits<4>>>(x, options), containing("fc") && containing("from 0 to 1"));
    options.search = {1.0, 0.5, 10};
    CHECK_THROWS_AS(fit_params<quantizer<bits<4>>>(x, options), range_error);
    options.search = {0.5, 1.0, 100000};
    CHECK_THROWS_WITH(fit_params<quantizer<bits<4>>>(x, options), containing("100000 steps"));
    options.search = {1e-300, 1.0, 3}; // factors far below every scale: the smallest scale is tried, never a larger one
    CHECK(fit_params<quantizer<bits<4>>>(x, options).scale(0) == Approx(2.0 / 7.0));
    options.search = {std::numeric_limits<double>::quiet_NaN(), 1.0, 10};
    CHECK_THROWS_AS(fit_params<quantizer<bits<4>>>(x, options), range_error);
}

TEST_CASE("non-finite elements are named with their index", "[fit][error]") {
    constexpr float nan = std::numeric_limits<float>::quiet_NaN();
    constexpr float infinite = std::numeric_limits<float>::infinity();
    using q = quantizer<bits<8>, per_group<8>>;
    for (const std::size_t position : {0U, 1U, 7U, 8U, 31U, 32U, 100U, 431U}) {
        auto x = exact::random_tensor<4>({4, 12, 3, 3}, 5);
        const auto params = fit_params<q>(x);
        x.data()[position] = position % 2 == 0 ? nan : -infinite;
        const std::string index =
            notch::detail::text(extents<4>{position / 108, position / 9 % 12, position / 3 % 3, position % 3});
        fit_options<q> options;
        options.name = "conv2.weight";
        const std::string kind = position % 2 == 0 ? "NaN" : "infinite";
        const auto names_it = [&](const std::string& message) {
            return message.find("conv2.weight") != std::string::npos && message.find(index) != std::string::npos &&
                   message.find(kind) != std::string::npos;
        };
        CHECK(names_it(message_of([&] { return quantize<q>(x, options); })));
        CHECK(names_it(message_of([&] { return quantize(x, params, "conv2.weight"); })));
        CHECK(names_it(message_of([&] { return fake_quantize(x, params, "conv2.weight"); })));
        CHECK_THROWS_AS(quantization_error(x, x), range_error);
        // Of two the first is named.
        if (position != 431) {
            x.data()[431] = nan;
            CHECK(names_it(message_of([&] { return quantize(x, params, "conv2.weight"); })));
        }
    }
    // Strided and with a scale per element of a row.
    auto x = exact::random_tensor<2>({9, 30}, 5);
    x(7, 29) = nan;
    using columns = quantizer<bits<8>, per_channel<1>>;
    CHECK_THROWS_WITH(quantize<columns>(x), containing("[7, 29]"));
    const strided_view<const float, 2> transposed(x.data(), {30, 9}, {1, 30});
    CHECK_THROWS_WITH(quantize<columns>(transposed), containing("[29, 7]"));
}

TEST_CASE("degenerate tensors have one answer", "[fit]") {
    const auto with = [](auto policy, const std::vector<float>& x) { return quantize<decltype(policy)>(x); };
    const auto everywhere = [&](const std::vector<float>& x, auto check) {
        check(with(quantizer<bits<4>>{}, x));
        check(with(quantizer<bits<4>, per_tensor, power_of_two<>>{}, x));
        check(with(quantizer<bits<4>, per_tensor, fixed_point<>>{}, x));
        check(with(quantizer<bits<8, unsigned_codes>, per_tensor, real_scale, nearest_even, affine>{}, x));
        check(with(quantizer<bits<2>, per_tensor, power_of_two<snap_up>, nearest_even, affine>{}, x));
    };
    // All zeros: scale 1, every real comes back as 0.
    everywhere({0, 0, -0.0F, 0}, [](const auto& tensor) {
        CHECK(tensor.params.scale(0) == 1.0);
        const auto back = dequantize(tensor);
        for (const float value : back.elements())
            CHECK(value == 0.0F);
    });
    // Denormals lie below the smallest scale: they become 0.
    everywhere({1e-40F, -1e-42F}, [](const auto& tensor) {
        CHECK(tensor.params.scale(0) == 0x1p-100);
        const auto back = dequantize(tensor);
        for (const float value : back.elements())
            CHECK(value == 0.0F);
    });
    // A constant, of either sign and any size, comes back within half a step.
    for (const float constant : {1.0F, -3.0F, 0.1F, 1e30F, -1e30F, 1e-25F})
        everywhere({constant, constant, constant}, [&](const auto& tensor) {
            const double step = tensor.params.scale(0);
            const auto back = dequantize(tensor);
            for (const float value : back.elements())
                CHECK(std::fabs(static_cast<double>(value) - static_cast<double>(constant)) <= step / 2 * (1 + 1e-6));
        });
    // No elements at all: no blocks, no codes, no error.
    const auto none = quantize<quantizer<bits<8>>>(std::vector<float>{});
    CHECK(none.codes.size() == 0);
    CHECK(none.params.count() == 0);
    CHECK(dequantize(none).size() == 0);
    CHECK(quantize<quantizer<bits<8>, per_group<4>>>(dense_tensor<float, 2>({3, 0})).codes.size() == 0);
    CHECK(quantize<quantizer<bits<8>, per_channel<0>>>(dense_tensor<float, 2>({0, 3})).params.count() == 0);
}

TEST_CASE("values that need a scale above the largest are refused", "[fit][error]") {
    constexpr float largest = std::numeric_limits<float>::max();
    const std::vector<float> x{1.0F, -largest};
    fit_options<quantizer<bits<8>>> options;
    options.name = "huge";
    CHECK_THROWS_WITH(quantize<quantizer<bits<8>>>(x, options), containing("huge") && containing("2^119"));
    CHECK_THROWS_AS((quantize<quantizer<bits<2>, per_tensor, power_of_two<>>>(x)), range_error);
    CHECK_THROWS_AS((params_from_range<quantizer<bits<8>>>({-largest, largest})), range_error);
    // 2^119 itself is a scale: 127 steps of it come back as they are.
    const std::vector<float> top{0x1p119F * 127, -0x1p119F};
    const auto tensor = quantize<quantizer<bits<8>, per_tensor, power_of_two<snap_up>>>(top);
    CHECK(tensor.params.scales[0] == 119);
    const auto back = dequantize(tensor);
    CHECK(std::equal(top.begin(), top.end(), back.elements().begin()));
}

TEST_CASE("many blocks in one row are fitted in one pass", "[fit]") {
    // A row of a contiguous [n, 4] tensor is the whole tensor: 150,000 segments, several tasks, ranges of their own.
    const auto x = exact::random_tensor<2>({150000, 4}, 12);
    const auto params = fit_params<quantizer<bits<8>, per_channel<0>>>(x);
    std::size_t wrong = 0;
    for (std::size_t row = 0; row < x.extent(0); ++row) {
        float largest = 0;
        for (std::size_t i = 0; i < 4; ++i)
            largest = std::max(largest, std::fabs(x(row, i)));
        wrong += params.scales[row] != static_cast<float>(static_cast<double>(largest) / 127.0);
    }
    CHECK(wrong == 0);
}

TEST_CASE("a dead channel does not disturb the others", "[fit]") {
    auto x = exact::random_tensor<2>({4, 32}, 6);
    for (std::size_t i = 0; i < 32; ++i)
        x(2, i) *= 1e-32F;
    using q = quantizer<bits<8>, per_channel<0>, power_of_two<>>;
    const auto tensor = quantize<q>(x);
    for (std::size_t i = 0; i < 32; ++i)
        CHECK(std::fabs(dequantize(tensor)(2, i)) <= 0x1p-99F);
    CHECK(tensor.params.scales[2] == -100);
    CHECK(tensor.params.scales[1] > -20);
}

TEST_CASE("negative values need codes for them", "[fit][error]") {
    using q = quantizer<bits<8, unsigned_codes>, per_channel<0>>;
    dense_tensor<float, 2> x({2, 3}, 1.0F);
    CHECK_NOTHROW(quantize<q>(x));
    x(1, 2) = -0.25F;
    fit_options<q> options;
    options.name = "relu1";
    CHECK_THROWS_WITH(quantize<q>(x, options), containing("relu1") && containing("block 1") && containing("-0.25"));
    // With given parameters a negative value saturates like any other value outside the range.
    CHECK(list(quantize(x, params_from_scales<q>(x.shape(), {0.5, 0.5}))) == std::vector<int>{2, 2, 2, 2, 2, 0});
}

TEST_CASE("channel orders shape the blocks and are undone on the way back", "[fit][order]") {
    const auto x = exact::random_tensor<4>({8, 12, 3, 3}, 7);
    std::mt19937 generator(9);
    std::vector<std::uint32_t> outputs(8);
    std::vector<std::uint32_t> inputs(12);
    std::iota(outputs.begin(), outputs.end(), 0U);
    std::iota(inputs.begin(), inputs.end(), 0U);
    std::shuffle(outputs.begin(), outputs.end(), generator);
    std::shuffle(inputs.begin(), inputs.end(), generator);
    dense_tensor<float, 4> ordered(x.shape());
    for (std::size_t o = 0; o < 8; ++o)
        for (std::size_t i = 0; i < 12; ++i)
            for (std::size_t tap = 0; tap < 9; ++tap)
                ordered(o, i, tap / 3, tap % 3) = x(outputs[o], inputs[i], tap / 3, tap % 3);

    const auto check = [&](auto policy) {
        using q = decltype(policy);
        fit_options<q> options;
        options.output_order = outputs;
        options.input_order = inputs;
        const auto carried = quantize<q>(x, options);
        const auto by_hand = quantize<q>(ordered);
        CHECK(list(carried) == list(by_hand));
        CHECK(carried.params.scales == by_hand.params.scales);
        const auto back = dequantize(carried);
        const auto back_by_hand = dequantize(by_hand);
        const auto fake = fake_quantize(x, carried.params);
        std::size_t wrong = 0;
        for (std::size_t o = 0; o < 8; ++o)
            for (std::size_t i = 0; i < 12; ++i)
                for (std::size_t tap = 0; tap < 9; ++tap) {
                    wrong += back(outputs[o], inputs[i], tap / 3, tap % 3) != back_by_hand(o, i, tap / 3, tap % 3);
                    wrong += fake(outputs[o], inputs[i], tap / 3, tap % 3) != back_by_hand(o, i, tap / 3, tap % 3);
                }
        CHECK(wrong == 0);
        CHECK(quantization_error(x, carried).mean_square == Approx(quantization_error(ordered, by_hand).mean_square));
    };
    check(quantizer<bits<4>, sub_layer<4, 4>, power_of_two<>>{});
    check(quantizer<bits<4>, per_group<5>>{});
    check(quantizer<bits<4>, per_channel<1>, real_scale, nearest_even, affine>{});
    check(quantizer<bits<8>>{});

    // Blocks as large as the layer do not care about the order.
    using whole = quantizer<bits<4>>;
    fit_options<whole> options;
    options.output_order = outputs;
    CHECK(fit_params<whole>(x, options).scales == fit_params<whole>(x).scales);

    // Rank two: the input order permutes the elements of a row.
    const auto flat = exact::random_tensor<2>({8, 12}, 8);
    using blocks = quantizer<bits<4>, sub_layer<2, 3>>;
    fit_options<blocks> flat_options;
    flat_options.input_order = inputs;
    const auto carried = quantize<blocks>(flat, flat_options);
    dense_tensor<float, 2> flat_ordered(flat.shape());
    for (std::size_t o = 0; o < 8; ++o)
        for (std::size_t i = 0; i < 12; ++i)
            flat_ordered(o, i) = flat(o, inputs[i]);
    CHECK(list(carried) == list(quantize<blocks>(flat_ordered)));
    const auto back = dequantize(carried);
    CHECK(quantization_error(flat, back).sqnr_db > 15.0);
}

TEST_CASE("orders that are no permutations are refused", "[order][error]") {
    const auto x = exact::random_tensor<2>({4, 6}, 1);
    using q = quantizer<bits<4>, sub_layer<2, 2>>;
    const auto with = [&](std::vector<std::uint32_t> outputs, std::vector<std::uint32_t> inputs) {
        fit_options<q> options;
        options.name = "fc";
        options.output_order = outputs;
        options.input_order = inputs;
        return quantize<q>(x, options);
    };
    CHECK_NOTHROW(with({3, 2, 1, 0}, {}));
    CHECK_THROWS_WITH(with({0, 1, 2}, {}), containing("output_order") && containing("3 entries for 4"));
    CHECK_THROWS_WITH(with({0, 1, 2, 2}, {}), containing("output_order[3] = 2"));
    CHECK_THROWS_WITH(with({}, {0, 1, 2, 3, 4, 6}), containing("input_order[5] = 6"));
    fit_options<quantizer<bits<4>>> flat;
    const std::vector<std::uint32_t> order{0, 1};
    flat.input_order = order;
    CHECK_THROWS_AS(quantize<quantizer<bits<4>>>(std::vector<float>{1, 2}, flat), shape_error);
}

TEST_CASE("parameters fit only tensors that are cut alike", "[params][error]") {
    const auto x = exact::random_tensor<2>({4, 6}, 1);
    using q = quantizer<bits<4>, sub_layer<2, 2>>;
    const auto params = fit_params<q>(x);
    CHECK_THROWS_WITH(quantize(exact::random_tensor<2>({6, 4}, 1), params, "w"),
                      containing("[2, 3]") && containing("[3, 2]"));
    CHECK_NOTHROW(quantize(exact::random_tensor<2>({3, 5}, 1), params)); // ragged, but 2 x 3 blocks
    CHECK_THROWS_AS(quantize(exact::random_tensor<4>({4, 6, 1, 1}, 1), params), shape_error);
    using whole = quantizer<bits<4>>;
    CHECK_NOTHROW(quantize(exact::random_tensor<4>({3, 2, 2, 2}, 1), fit_params<whole>(x))); // per tensor: any shape
    auto broken = params;
    broken.scales[3] = -1.0F;
    CHECK_THROWS_WITH(quantize(x, broken, "w"), containing("-1") && containing("block 3"));
    broken = params;
    broken.scales.pop_back();
    CHECK_THROWS_AS(quantize(x, broken), shape_error);
    using p = quantizer<bits<4>, per_tensor, power_of_two<>>;
    auto exponent = fit_params<p>(x);
    exponent.scales[0] = 2000;
    CHECK_THROWS_AS(quantize(x, exponent), range_error);
    exponent.scales[0] = -2000;
    CHECK_THROWS_AS(quantize(x, exponent), range_error);
    auto fixed = fit_params<quantizer<bits<4>, per_tensor, fixed_point<>>>(x);
    for (const q31 nonsense : {q31{1 << 30, 4097}, q31{-(1 << 30), 2049}, q31{1 << 30, std::numeric_limits<int>::min()},
                               q31{1 << 30, std::numeric_limits<int>::max()}, q31{1, 31}}) {
        fixed.scales[0] = nonsense;
        CHECK_THROWS_AS(quantize(x, fixed), range_error);
    }
    quant_params<whole> never_set;
    CHECK_THROWS_AS(quantize(x, never_set), shape_error);
}

TEST_CASE("codes can be written to the caller's memory", "[quantize]") {
    const auto x = exact::random_tensor<2>({5, 7}, 2);
    using q = quantizer<bits<8>, per_channel<0>>;
    const auto params = fit_params<q>(x);
    std::vector<std::int8_t> memory(35 + 2, 99);
    quantize_to(x, params, strided_view<std::int8_t, 2>(memory.data() + 1, {5, 7}));
    const auto expected = list(quantize(x, params));
    CHECK(std::equal(expected.begin(), expected.end(), memory.begin() + 1));
    CHECK(memory.front() == 99);
    CHECK(memory.back() == 99);
    CHECK_THROWS_AS(quantize_to(x, params, strided_view<std::int8_t, 2>(memory.data(), {7, 5})), shape_error);
    CHECK_THROWS_WITH(quantize_to(x, params, strided_view<std::int8_t, 2>(memory.data(), {5, 7}, {1, 5})),
                      containing("[1, 5]"));
    dense_tensor<float, 2> wrong({7, 5});
    CHECK_THROWS_AS(dequantize_to(quantize(x, params), wrong), shape_error);
    const strided_view<float, 2> heap(wrong.data(), {5, 7}, {7, 0}); // seven reals at one place
    CHECK_THROWS_WITH(dequantize_to(quantize(x, params), heap), containing("stride 0 along axis 1 of extent 7"));
    CHECK_THROWS_WITH(fake_quantize_to(x, params, heap), containing("stride 0 along axis 1 of extent 7"));
    const dense_tensor<float, 2> none({5, 0}); // its strides are 0 and 1
    CHECK(dequantize(quantize<q>(none)).shape() == none.shape());
    CHECK(fake_quantize(none, fit_params<q>(none)).shape() == none.shape());
    const auto row = exact::random_tensor<2>({1, 7}, 2);
    const strided_view<float, 2> single(wrong.data(), {1, 7}, {0, 1}); // an axis of extent 1 may have any stride
    dequantize_to(quantize<q>(row), single);
    CHECK(quantization_error(single, dequantize(quantize<q>(row))).largest == 0.0);
}

TEST_CASE("error measures follow their formulas", "[quantization_error]") {
    const std::vector<float> x{3, 4, 0};
    const std::vector<float> y{3, 3, 2};
    const auto measures = quantization_error(x, y);
    CHECK(measures.mean_square == Approx(5.0 / 3.0));
    CHECK(measures.sqnr_db == Approx(10 * std::log10(25.0 / 5.0)));
    CHECK(measures.cosine == Approx(21.0 / (5.0 * std::sqrt(22.0))));
    CHECK(measures.largest == 2.0);
    const auto same = quantization_error(x, x);
    CHECK(same.mean_square == 0.0);
    CHECK(same.sqnr_db > 1e300);
    CHECK(same.cosine == Approx(1.0));
    const std::vector<float> zero{0, 0, 0};
    CHECK(quantization_error(zero, zero).cosine == 1.0);
    CHECK(quantization_error(x, zero).cosine == 0.0);
    CHECK(quantization_error(x, zero).sqnr_db == Approx(0.0).margin(1e-12));
    CHECK(quantization_error(zero, x).sqnr_db < -1e300);
    CHECK_THROWS_AS(quantization_error(x, std::vector<float>{1, 2}), shape_error);
}

TEST_CASE("the five rounding rules reach the codes", "[quantize]") {
    const std::vector<float> x{-2.5F, -1.5F, -0.5F, 0.5F, 1.5F, 2.5F, 0.49999997F, -0.75F};
    const auto codes = [&](auto rule) {
        using q = quantizer<bits<4>, per_tensor, real_scale, decltype(rule)>;
        return list(quantize(x, params_from_scales<q>(extents<1>{8}, {1.0})));
    };
    CHECK(codes(nearest_even{}) == std::vector<int>{-2, -2, 0, 0, 2, 2, 0, -1});
    CHECK(codes(nearest_up{}) == std::vector<int>{-2, -1, 0, 1, 2, 3, 0, -1});
    CHECK(codes(nearest_away{}) == std::vector<int>{-3, -2, -1, 1, 2, 3, 0, -1});
    CHECK(codes(toward_zero{}) == std::vector<int>{-2, -1, 0, 0, 1, 2, 0, 0});
    using dithered = quantizer<bits<8>, per_tensor, real_scale, stochastic>;
    dense_tensor<float, 1> quarter({40000}, 10.25F);
    auto params = params_from_scales<dithered>(quarter.shape(), {1.0});
    params.seed = 11;
    const auto drawn = list(quantize(quarter, params));
    const auto up = std::count(drawn.begin(), drawn.end(), 11);
    CHECK(std::count(drawn.begin(), drawn.end(), 10) + up == 40000);
    CHECK(std::abs(static_cast<double>(up) - 10000.0) < 4 * std::sqrt(40000 * 0.25 * 0.75)); // four standard errors
    for (std::size_t i = 0; i < 5; ++i)                                                      // element i draws number i
        CHECK(drawn[i] == static_cast<int>(stochastic::round(10.25F, counter_random(11, i))));
}

namespace elsewhere {
struct always_down {
    static float round(float x) {
        const auto whole = static_cast<float>(static_cast<std::int32_t>(x));
        return whole > x ? whole - 1.0F : whole;
    }
    static std::int32_t shift_right(std::int32_t a, int n) { return a >> n; }
};
} // namespace elsewhere

TEST_CASE("a foreign rounding rule quantizes", "[quantize][extending]") {
    const std::vector<float> x{-1.2F, -0.1F, 0.9F, 1.0F, 6.99F, 100.0F, -100.0F};
    using q = quantizer<bits<4>, per_tensor, power_of_two<>, elsewhere::always_down>;
    CHECK(list(quantize(x, params_from_scales<q>(extents<1>{7}, {1.0}))) == std::vector<int>{-2, -1, 0, 1, 6, 7, -8});
}

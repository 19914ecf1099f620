/// @file
/// conv/reference.hpp against sums written here: 64-bit integers for powers of two, doubles for real scales, and
/// reference_gemm over unfolded images, bit for bit.
#include "conv/cases.hpp"

#include <notch/conv/reference.hpp>
#include <notch/epilogue/add_bias.hpp>
#include <notch/epilogue/add_residual.hpp>
#include <notch/epilogue/fixed_point_requantize.hpp>
#include <notch/gemm/reference.hpp>

#include <cmath>

using namespace conv_cases;

namespace {

/// Outputs and channels that share a scale.
struct block_sizes {
    std::size_t outputs = 1;
    std::size_t channels = 1;
};

/// The granularity of these blocks where it is set at run time.
template <class Q> void set_blocks(quant_params<Q>& params, block_sizes b) {
    if constexpr (std::is_same_v<typename Q::granularity_type, sub_layer<>>)
        params.policy.granularity = {b.outputs, b.channels};
    else if constexpr (std::is_same_v<typename Q::granularity_type, per_group<>>)
        params.policy.granularity = {b.channels};
}

/// Filters with scales by chance, as cases::weights makes matrices.
template <class Q>
quantized_tensor<Q, 4> any_filters(sequence& random, const extents<4>& s, block_sizes b, int spread = 2,
                                   filling fill = filling::random) {
    quantized_tensor<Q, 4> w;
    w.name = std::string("w");
    w.codes = dense_tensor<typename Q::code_type, 4>(s);
    set_blocks(w.params, b);
    const block_grid<4> grid = make_grid(w.params.policy.granularity, s);
    w.params.blocks.assign(grid.blocks.begin(), grid.blocks.end());
    for (std::size_t i = 0; i < grid.count; ++i) {
        const double power = exp2_exact(static_cast<int>(i % 3) - 7 + random.between(0, spread));
        const bool exact = std::is_same_v<typename Q::scale_value, std::int32_t>;
        w.params.scales.push_back(
            Q::scale_policy::snap(exact ? power : power * (1.0 + random.between(0, 4095) / 4096.0)));
        if constexpr (Q::has_zero_point)
            w.params.zero_points.push_back(random.between(Q::codes.lowest, Q::codes.highest));
    }
    for (std::size_t o = 0; o < s[0]; ++o)
        for (std::size_t i = 0; i < s[1]; ++i) {
            const std::int32_t zero = w.params.zero_point(grid.block_of(o, i, std::size_t{0}, std::size_t{0}));
            const std::int32_t low = std::max(Q::codes.lowest, zero - 128);
            const std::int32_t high = std::min(Q::codes.highest, zero + 127);
            for (std::size_t t = 0; t < s[2] * s[3]; ++t)
                w.codes(o, i, t / s[3], t % s[3]) =
                    static_cast<typename Q::code_type>(fill == filling::lowest    ? low
                                                       : fill == filling::highest ? high
                                                                                  : random.between(low, high));
        }
    return w;
}

/// Value and scale of one tap, by division alone; the value of output o, channel i of its group.
template <class Q> struct plain_filters {
    const quantized_tensor<Q, 4>& w;
    block_sizes b;

    [[nodiscard]] std::size_t block(std::size_t o, std::size_t i) const {
        const std::size_t across = (w.shape()[1] + b.channels - 1) / b.channels;
        return o / b.outputs * across + i / b.channels;
    }
    [[nodiscard]] std::int64_t value(std::size_t o, std::size_t i, std::size_t h, std::size_t x) const {
        return w.codes(o, i, h, x) - (Q::has_zero_point ? w.params.zero_points[block(o, i)] : 0);
    }
    [[nodiscard]] auto scale(std::size_t o, std::size_t i) const { return w.params.scales[block(o, i)]; }
};

/// Calls body(o, i, kh, kw, x) for every tap of a result, x the code less the zero point that it meets.
template <class T, class Body>
void for_each_tap(const any_images<T>& a, const extents<4>& s, const conv_geometry& g, const extents<4>& place,
                  const Body& body) {
    const std::size_t first = place[3] / (s[0] / g.groups) * s[1];
    for (std::size_t h = 0; h < s[2]; ++h)
        for (std::size_t w = 0; w < s[3]; ++w)
            for (std::size_t i = 0; i < s[1]; ++i)
                body(i, h, w,
                     a.centred(place[0],
                               static_cast<std::int64_t>(place[1] * g.stride.h + h * g.dilation.h) -
                                   static_cast<std::int64_t>(g.padding.top),
                               static_cast<std::int64_t>(place[2] * g.stride.w + w * g.dilation.w) -
                                   static_cast<std::int64_t>(g.padding.left),
                               first + i));
}

/// A geometry under which filters fit.
struct problem {
    extents<4> images{};
    extents<4> filters{};
    conv_geometry geometry{};
    extents<4> result{};

    explicit problem(sequence& random, std::size_t most_channels = 9) {
        for (;;) {
            const std::size_t groups = random.between(0, 2) == 0 ? random.size(1, 4) : 1;
            const std::size_t per_group = random.size(1, groups == 1 ? most_channels : 4);
            images = {random.size(1, 2), random.size(1, 7), random.size(1, 7), groups * per_group};
            filters = {groups * random.size(1, 4), per_group, random.size(1, 4), random.size(1, 4)};
            geometry = {{random.size(1, 3), random.size(1, 3)},
                        {random.size(1, 2), random.size(1, 2)},
                        {random.size(0, 3), random.size(0, 3), random.size(0, 3), random.size(0, 3)},
                        groups};
            try {
                result = conv_extents(images, filters, geometry);
                return;
            } catch (const shape_error&) { // does not fit
            }
        }
    }
};

template <class Body> void for_each_place(const extents<4>& shape, const Body& body) {
    for (std::size_t n = 0; n < shape[0]; ++n)
        for (std::size_t h = 0; h < shape[1]; ++h)
            for (std::size_t w = 0; w < shape[2]; ++w)
                for (std::size_t c = 0; c < shape[3]; ++c)
                    body(extents<4>{n, h, w, c});
}

template <class V> auto& element(V&& view, const extents<4>& i) { return view(i[0], i[1], i[2], i[3]); }

block_sizes whole(const extents<4>& filters) { return {filters[0], filters[1]}; }

/// Integer sums and codes of a rounding shift of power-of-two filters.
template <class Q, class T> void check_sums(std::uint64_t seed, int spread, filling fill = filling::random) {
    sequence random(seed);
    std::size_t wrong = 0;
    for (int round = 0; round < 30; ++round) {
        const problem p(random);
        block_sizes b{random.size(1, p.filters[0]), random.size(1, p.filters[1])};
        if (std::is_same_v<typename Q::granularity_type, per_tensor>)
            b = whole(p.filters);
        if (std::is_same_v<typename Q::granularity_type, per_channel<0>>)
            b = {1, p.filters[1]};
        if (std::is_same_v<typename Q::granularity_type, per_group<>>)
            b.outputs = 1;
        const auto w = any_filters<Q>(random, p.filters, b, spread, fill);
        const plain_filters<Q> plain{w, b};
        const any_images<T> a(random, p.images, fill);
        any_strides<std::int32_t> sums(random, p.result, 12345);
        any_strides<std::uint8_t> codes(random, p.result, 99);
        std::vector<std::int32_t> bias;
        for (std::size_t o = 0; o < p.filters[0]; ++o)
            bias.push_back(random.between(-5000, 5000));
        const std::int32_t e_out = a.exponent - 1;
        reference_conv2d(a.plain(), w, p.geometry, identity{}, sums.view());
        reference_conv2d(a.plain(), w, p.geometry,
                         add_bias{bias} | shift_requantize<>{e_out} | relu{} | add_zero_point{3}, codes.view());
        for_each_place(p.result, [&](const extents<4>& at) {
            int least = 1000;
            for (std::size_t i = 0; i < p.filters[1]; ++i)
                for (std::size_t t = 0; t < p.filters[2] * p.filters[3]; ++t)
                    if (plain.value(at[3], i, t / p.filters[3], t % p.filters[3]) != 0)
                        least = std::min(least, static_cast<int>(plain.scale(at[3], i)));
            std::int64_t sum = 0;
            for_each_tap(a, p.filters, p.geometry, at, [&](auto i, auto h, auto x, std::int64_t pixel) {
                if (const std::int64_t v = plain.value(at[3], i, h, x); v != 0)
                    sum += pixel * v * (1LL << (plain.scale(at[3], i) - least));
            });
            wrong += element(sums.view(), at) != sum;
            const int e = (least == 1000 ? static_cast<int>(plain.scale(at[3], 0)) : least) + a.exponent;
            const double exact = std::ldexp(static_cast<double>(sum + bias[at[3]]), e - e_out);
            const double code = std::min(std::max(std::nearbyint(exact), 0.0) + 3, 255.0); // ties to even
            wrong += element(codes.view(), at) != code;
        });
        CHECK(sums.gaps_hold(12345));
        CHECK(codes.gaps_hold(99));
    }
    CHECK(wrong == 0);
}

double real_of(std::int32_t exponent) { return std::ldexp(1.0, exponent); }
double real_of(q31 scale) { return std::ldexp(scale.multiplier, scale.exponent - 31); }
double real_of(float scale) { return static_cast<double>(scale); }

/// Reals against a sum of doubles, codes against rounded reals.
template <class Q, class T> void check_reals(std::uint64_t seed) {
    sequence random(seed);
    std::size_t wrong = 0;
    for (int round = 0; round < 30; ++round) {
        const problem p(random);
        block_sizes b{random.size(1, p.filters[0]), random.size(1, p.filters[1])};
        if (std::is_same_v<typename Q::granularity_type, per_channel<0>>)
            b = {1, p.filters[1]};
        if (std::is_same_v<typename Q::granularity_type, per_group<>>)
            b.outputs = 1;
        const auto w = any_filters<Q>(random, p.filters, b);
        const plain_filters<Q> plain{w, b};
        any_images<T> a(random, p.images);
        a.scale = 0.0123F + static_cast<float>(random.between(0, 99)) * 0.001F;
        any_strides<float> reals(random, p.result, -1.0F);
        any_strides<std::int8_t> codes(random, p.result, 99);
        const float scale = 0.02F;
        reference_conv2d(a.plain(), w, p.geometry, to_real{}, reals.view());
        reference_conv2d(a.plain(), w, p.geometry, real_requantize<>{scale} | add_zero_point{-5}, codes.view());
        for_each_place(p.result, [&](const extents<4>& at) {
            double sum = 0;
            double size = 0;
            for_each_tap(a, p.filters, p.geometry, at, [&](auto i, auto h, auto x, std::int64_t pixel) {
                const double product = static_cast<double>(a.scale) * static_cast<double>(pixel) *
                                       real_of(plain.scale(at[3], i)) *
                                       static_cast<double>(plain.value(at[3], i, h, x));
                sum += product;
                size += std::fabs(product);
            });
            wrong += !(std::fabs(static_cast<double>(element(reals.view(), at)) - sum) <= 1e-6 * size);
            const double code = std::min(std::max(sum / static_cast<double>(scale) - 5, -128.0), 127.0);
            wrong += !(std::fabs(element(codes.view(), at) - code) <= 0.5 + 1e-6 * size / static_cast<double>(scale));
        });
        CHECK(reals.gaps_hold(-1.0F));
    }
    CHECK(wrong == 0);
}

using pot_blocks = quantizer<bits<4>, sub_layer<>, power_of_two<>>;

} // namespace

TEST_CASE("integer sums of a convolution are the sums", "[conv][reference]") {
    check_sums<quantizer<bits<8>, per_tensor, power_of_two<>>, std::uint8_t>(1, 0);
    check_sums<quantizer<bits<8>, per_channel<0>, power_of_two<>>, std::int8_t>(2, 5);
    check_sums<pot_blocks, std::uint8_t>(3, 9);
    check_sums<quantizer<bits<4>, per_group<>, power_of_two<>>, std::int8_t>(4, 9);
    check_sums<quantizer<bits<4, unsigned_codes>, sub_layer<>, power_of_two<>, nearest_even, affine>, std::uint8_t>(5,
                                                                                                                    5);
    check_sums<quantizer<bits<2>, sub_layer<>, power_of_two<>, nearest_even, affine>, std::int8_t>(6, 8);
    check_sums<quantizer<bits<3>, per_group<>, power_of_two<>, nearest_even, affine>, std::uint8_t>(7, 3);
    check_sums<quantizer<bits<8, unsigned_codes>, per_channel<0>, power_of_two<>, nearest_even, affine>, std::uint8_t>(
        8, 3);
}

TEST_CASE("integer sums of extreme codes are the sums", "[conv][reference]") {
    for (const filling fill : {filling::lowest, filling::highest}) {
        check_sums<quantizer<bits<8>, sub_layer<>, power_of_two<>>, std::uint8_t>(11, 3, fill);
        check_sums<quantizer<bits<8>, per_channel<0>, power_of_two<>>, std::int8_t>(12, 3, fill);
    }
}

TEST_CASE("real results of a convolution are near the sums", "[conv][reference]") {
    check_reals<quantizer<bits<8>, per_channel<0>, real_scale>, std::uint8_t>(21);
    check_reals<quantizer<bits<8>, per_channel<0>, fixed_point<>>, std::int8_t>(22);
    check_reals<quantizer<bits<4>, sub_layer<>, real_scale>, std::uint8_t>(23);
    check_reals<quantizer<bits<4, unsigned_codes>, per_group<>, real_scale, nearest_even, affine>, std::int8_t>(24);
    check_reals<quantizer<bits<2>, per_group<>, power_of_two<>>, std::uint8_t>(25);
}

namespace {

/// Unfolds images into rows [pixels of the result][channels of a group, all taps of each] of zero points and codes.
template <class T> std::vector<T> unfolded(const any_images<T>& a, const problem& p, std::size_t group) {
    std::vector<T> rows;
    for_each_place({p.result[0], p.result[1], p.result[2], 1}, [&](extents<4> at) {
        at[3] = group * (p.filters[0] / p.geometry.groups);
        std::vector<T> row(p.filters[1] * p.filters[2] * p.filters[3]);
        for_each_tap(a, p.filters, p.geometry, at, [&](auto i, auto h, auto x, std::int64_t pixel) {
            row[(i * p.filters[2] + h) * p.filters[3] + x] = static_cast<T>(pixel + a.zero_point);
        });
        rows.insert(rows.end(), row.begin(), row.end());
    });
    return rows;
}

/// The matrix of filters: blocks of channels with all of their taps.
template <class Q>
quantized_tensor<Q, 2> matrix_of(const quantized_tensor<Q, 4>& w, block_sizes b, std::size_t first,
                                 std::size_t outputs) {
    const extents<4>& s = w.shape();
    const std::size_t taps = s[2] * s[3];
    quantized_tensor<Q, 2> m;
    m.codes = dense_tensor<typename Q::code_type, 2>({outputs, s[1] * taps});
    for (std::size_t o = 0; o < outputs; ++o)
        for (std::size_t k = 0; k < s[1] * taps; ++k)
            m.codes(o, k) = w.codes(first + o, k / taps, k % taps / s[3], k % s[3]);
    m.params = w.params;
    set_blocks(m.params, {b.outputs, b.channels * taps});
    m.params.blocks.resize(2);
    return m;
}

/// Convolution and product of unfolded images, under an epilogue, give the same bytes.
template <class Q, class T, class To, class Epilogue>
void check_unfolded(std::uint64_t seed, const Epilogue& epilogue, float scale) {
    sequence random(seed);
    for (int round = 0; round < 25; ++round) {
        problem p(random);
        // Blocks of outputs would be cut by groups: the matrix of a group needs its own.
        while (p.geometry.groups != 1)
            p = problem(random);
        block_sizes b{random.size(1, p.filters[0]), random.size(1, p.filters[1])};
        const auto w = any_filters<Q>(random, p.filters, b);
        any_images<T> a(random, p.images);
        a.scale = scale;
        dense_tensor<To, 4> convolved(p.result);
        reference_conv2d(a.plain(), w, p.geometry, epilogue, convolved);
        const std::vector<T> rows = unfolded(a, p, 0);
        const std::size_t pixels = p.result[0] * p.result[1] * p.result[2];
        const auto matrix = matrix_of(w, b, 0, p.filters[0]);
        dense_tensor<To, 2> product({pixels, p.result[3]});
        reference_gemm(activation_codes<T>{strided_view<const T, 2>(rows.data(), {pixels, matrix.shape()[1]}),
                                           a.zero_point, a.exponent, a.scale},
                       matrix, epilogue, product);
        REQUIRE(std::memcmp(convolved.data(), product.data(), product.size() * sizeof(To)) == 0);
    }
}

} // namespace

TEST_CASE("a convolution is the product of unfolded images, bit for bit", "[conv][reference]") {
    using real_blocks = quantizer<bits<4>, sub_layer<>, real_scale>;
    using affine_blocks = quantizer<bits<8, unsigned_codes>, sub_layer<>, real_scale, nearest_even, affine>;
    check_unfolded<real_blocks, std::uint8_t, float>(31, to_real{}, 0.37F);
    check_unfolded<affine_blocks, std::int8_t, float>(32, to_real{}, 0.11F);
    check_unfolded<affine_blocks, std::uint8_t, std::int8_t>(33, real_requantize<>{0.03F} | relu{} | add_zero_point{-9},
                                                             0.02F);
    check_unfolded<pot_blocks, std::uint8_t, std::int32_t>(34, identity{}, 0);
    check_unfolded<pot_blocks, std::int8_t, std::uint8_t>(35, shift_requantize<nearest_up>{0} | add_zero_point{7}, 0);
    check_unfolded<pot_blocks, std::int8_t, std::uint8_t>(36, shift_requantize<stochastic>{1, 5} | add_zero_point{7},
                                                          0);
}

TEST_CASE("channel orders of filters are undone", "[conv][reference]") {
    sequence random(41);
    for (int round = 0; round < 30; ++round) {
        const problem p(random);
        const block_sizes b{random.size(1, p.filters[0]), random.size(1, p.filters[1])};
        auto w = any_filters<pot_blocks>(random, p.filters, b);
        const any_images<std::uint8_t> a(random, p.images);
        const auto shuffled = [&](std::size_t count) {
            std::vector<std::uint32_t> order(count);
            for (std::size_t i = 0; i < count; ++i)
                order[i] = static_cast<std::uint32_t>(i);
            for (std::size_t i = count; i-- > 1;)
                std::swap(order[i], order[random.size(0, i)]);
            return order;
        };
        const auto out = shuffled(p.filters[0]);
        const auto in = shuffled(p.filters[1]);
        w.params.output_order = out;
        w.params.input_order = in;
        const plain_filters<pot_blocks> plain{w, b};
        dense_tensor<float, 4> reals(p.result);
        reference_conv2d(a.plain(), w, p.geometry, to_real{}, reals);
        for_each_place(p.result, [&](const extents<4>& at) {
            const auto row = static_cast<std::size_t>(std::find(out.begin(), out.end(), at[3]) - out.begin());
            double sum = 0;
            for_each_tap(a, p.filters, p.geometry, at, [&](std::size_t i, auto h, auto x, std::int64_t pixel) {
                const auto column = static_cast<std::size_t>(std::find(in.begin(), in.end(), i) - in.begin());
                sum += std::ldexp(static_cast<double>(pixel * plain.value(row, column, h, x)),
                                  a.exponent + plain.scale(row, column));
            });
            REQUIRE(static_cast<double>(element(reals, at)) == sum);
        });
    }
}

TEST_CASE("two terms share an accumulator, the coarse taps in the middle", "[conv][reference]") {
    using fine_type = quantizer<bits<4>, per_group<>, power_of_two<>, nearest_even, affine>;
    using coarse_type = quantizer<bits<8, unsigned_codes>, sub_layer<>, power_of_two<>, nearest_even, affine>;
    sequence random(51);
    for (int round = 0; round < 60; ++round) {
        const problem p(random);
        extents<4> small = p.filters;
        for (const std::size_t axis : {2U, 3U})
            while (small[axis] > 2 && random.between(0, 2) != 0)
                small[axis] -= 2;
        const block_sizes fine_blocks{1, random.size(1, p.filters[1])};
        const block_sizes coarse_blocks{random.size(1, p.filters[0]), random.size(1, p.filters[1])};
        const auto fine = any_filters<fine_type>(random, p.filters, fine_blocks);
        auto coarse = any_filters<coarse_type>(random, small, coarse_blocks);
        for (auto& e : coarse.params.scales)
            e += 4;
        const plain_filters<fine_type> f{fine, fine_blocks};
        const plain_filters<coarse_type> c{coarse, coarse_blocks};
        const any_images<std::uint8_t> a(random, p.images);
        dense_tensor<float, 4> reals(p.result);
        reference_conv2d(a.plain(), filter_terms{coarse, fine}, p.geometry, to_real{}, reals);
        const std::size_t top = (p.filters[2] - small[2]) / 2;
        const std::size_t left = (p.filters[3] - small[3]) / 2;
        for_each_place(p.result, [&](const extents<4>& at) {
            double sum = 0;
            for_each_tap(a, p.filters, p.geometry, at, [&](std::size_t i, auto h, auto x, std::int64_t pixel) {
                double value = std::ldexp(static_cast<double>(f.value(at[3], i, h, x)), f.scale(at[3], i));
                if (h >= top && h < top + small[2] && x >= left && x < left + small[3])
                    value += std::ldexp(static_cast<double>(c.value(at[3], i, h - top, x - left)), c.scale(at[3], i));
                sum += static_cast<double>(pixel) * value;
            });
            REQUIRE(static_cast<double>(element(reals, at)) ==
                    static_cast<double>(static_cast<float>(std::ldexp(sum, a.exponent))));
        });
    }
}

TEST_CASE("filters of one dimension, images as quantized tensors and bare views, NCHW", "[conv][reference]") {
    using w8 = quantizer<bits<8>, per_channel<0>, power_of_two<>>;
    using a8 = quantizer<bits<8, unsigned_codes>, per_tensor, power_of_two<>, nearest_even, affine>;
    sequence random(61);
    const auto w = any_filters<w8>(random, {5, 3, 1, 4}, {1, 3});
    quantized_tensor<w8, 3> line;
    line.codes = dense_tensor<std::int8_t, 3>({5, 3, 4});
    std::copy_n(w.codes.data(), 60, line.codes.data());
    line.params = w.params;
    line.params.blocks.pop_back();
    const conv_geometry g = geometry_1d({.stride = 2, .before = 2, .after = 1});

    quantized_tensor<a8, 4> a;
    a.codes = dense_tensor<std::uint8_t, 4>({2, 1, 9, 3});
    for (std::uint8_t& code : a.codes.elements())
        code = static_cast<std::uint8_t>(random.between(0, 255));
    a.params.scales = {-4};
    a.params.zero_points = {100};
    const extents<4> shape = conv_extents(a.shape(), w.shape(), g);
    dense_tensor<std::uint8_t, 4> one(shape);
    dense_tensor<std::uint8_t, 4> other(shape);
    const auto epilogue = shift_requantize<>{-2} | add_zero_point{9};
    reference_conv2d(a, w, g, epilogue, one);
    reference_conv2d(image_codes<std::uint8_t>{as_view(a.codes), 100, -4}, line, g, epilogue, other);
    CHECK(std::equal(one.elements().begin(), one.elements().end(), other.elements().begin()));

    dense_tensor<std::int32_t, 4> sums(shape);
    dense_tensor<std::int32_t, 4> plain(shape);
    reference_conv2d(a.codes, w, g, identity{}, sums); // zero point 0
    reference_conv2d(image_codes<std::uint8_t>{as_view(a.codes), 0, 5}, w, g, identity{}, plain);
    CHECK(std::equal(sums.elements().begin(), sums.elements().end(), plain.elements().begin()));

    std::vector<std::uint8_t> planes(2 * 9 * 3);
    const strided_view<std::uint8_t, 4> nchw(planes.data(), {2, 3, 1, 9});
    for_each_place(a.shape(), [&](const extents<4>& at) { nchw(at[0], at[3], at[1], at[2]) = element(a.codes, at); });
    reference_conv2d(channels_last(nchw), w, g, identity{}, plain);
    CHECK(std::equal(sums.elements().begin(), sums.elements().end(), plain.elements().begin()));
}

TEST_CASE("a residual has one row per pixel of the result", "[conv][reference]") {
    using w8 = quantizer<bits<8>, per_channel<0>, power_of_two<>>;
    sequence random(71);
    const auto w = any_filters<w8>(random, {4, 2, 3, 3}, {1, 2});
    any_images<std::uint8_t> a(random, {2, 5, 6, 2});
    const conv_geometry g{.padding = {1, 1, 1, 1}};
    std::vector<std::int8_t> residual(2 * 5 * 6 * 4);
    for (std::int8_t& code : residual)
        code = static_cast<std::int8_t>(random.between(-128, 127));
    dense_tensor<std::int32_t, 4> sums({2, 5, 6, 4});
    dense_tensor<std::int32_t, 4> both({2, 5, 6, 4});
    const std::int32_t e = a.exponent - 3;
    reference_conv2d(a.plain(), w, g, shift_requantize<>{e}, sums);
    const strided_view<const std::int8_t, 2> rows(residual.data(), {60, 4});
    reference_conv2d(a.plain(), w, g, shift_requantize<>{e} | add_residual<std::int8_t>{rows, e + 2, 3}, both);
    for (std::size_t i = 0; i < residual.size(); ++i)
        REQUIRE(both.elements()[i] == sums.elements()[i] + 4 * (residual[i] - 3));
}

TEST_CASE("what a convolution refuses leaves the destination alone", "[conv][reference]") {
    using w8 = quantizer<bits<8>, per_channel<0>, power_of_two<>>;
    sequence random(81);
    const auto w = any_filters<w8>(random, {4, 2, 3, 3}, {1, 2});
    const any_images<std::uint8_t> a(random, {1, 5, 5, 2});
    dense_tensor<std::int32_t, 4> dst({1, 3, 3, 4}, 77);
    const auto untouched = [&] {
        for (const std::int32_t x : dst.elements())
            if (x != 77)
                return false;
        return true;
    };
    const auto call = [&](const auto& images, const auto& filters, const conv_geometry& g, const auto& epilogue) {
        return [&, g] { reference_conv2d(images, filters, g, epilogue, dst); };
    };
    CHECK(message_of<shape_error>(call(a.plain(), w, {.stride = {2, 2}}, identity{})) ==
          "conv2d: tensor 'w': a destination of extents [1, 3, 3, 4] for a result of extents [1, 2, 2, 4]");
    CHECK_THAT(message_of<shape_error>(call(a.plain(), w, {.groups = 2}, identity{})), containing("2 groups"));
    const std::vector<std::int32_t> bias(3);
    CHECK_THAT(message_of<shape_error>(call(a.plain(), w, {}, add_bias{bias})), containing("3 biases for 4 outputs"));
    CHECK_THAT(message_of<range_error>(call(a.plain(), w, {}, shift_requantize<>{-60})), containing("leaves int32"));
    auto bad = a.plain();
    bad.zero_point = 256;
    CHECK_THAT(message_of<range_error>(call(bad, w, {}, identity{})), containing("zero point 256"));
    bad = a.plain();
    bad.exponent = 128;
    CHECK_THAT(message_of<range_error>(call(bad, w, {}, identity{})), containing("exponent 128"));
    bad.scale = std::nanf("");
    CHECK_THAT(message_of<range_error>(call(bad, w, {}, identity{})), containing("scale nan"));
    bad.scale = -1;
    CHECK_THAT(message_of<range_error>(call(bad, w, {}, identity{})), containing("scale -1"));

    using blocks = quantizer<bits<4>, per_group<1>, real_scale>;
    const auto real = any_filters<blocks>(random, {4, 2, 3, 3}, {1, 1});
    CHECK_THAT(message_of<unsupported_error>(call(a.plain(), real, {}, relu{})), containing("sums are floats"));
    dense_tensor<float, 4> reals({1, 3, 3, 4}, 77.0F);
    using fixed_blocks = quantizer<bits<4>, per_group<1>, fixed_point<>>;
    const auto fixed = any_filters<fixed_blocks>(random, {4, 2, 3, 3}, {1, 1});
    CHECK_THAT(message_of<unsupported_error>(call(a.plain(), fixed, {}, identity{})), containing("fixed-point scales"));
    using per_row = quantizer<bits<4>, per_channel<2>, power_of_two<>>;
    const auto taps = any_filters<per_row>(random, {4, 2, 3, 3}, {1, 2});
    CHECK_THAT(message_of<unsupported_error>(call(a.plain(), taps, {}, identity{})),
               containing("3 scales along axis 2 of [4, 2, 3, 3]; all taps of a channel share one"));

    using a8 = quantizer<bits<8>, per_channel<3>, power_of_two<>>;
    quantized_tensor<a8, 4> many;
    many.name = std::string("x");
    many.codes = dense_tensor<std::int8_t, 4>({1, 5, 5, 2}, std::int8_t{1});
    many.params.scales = {0, 1};
    many.params.blocks = {1, 1, 1, 2};
    CHECK_THAT(message_of<unsupported_error>(call(many, w, {}, identity{})), containing("'x': images with 2 scales"));

    const auto coarse = any_filters<w8>(random, {4, 2, 2, 1}, {1, 2});
    CHECK_THAT(message_of<shape_error>(call(a.plain(), filter_terms{coarse, w}, {}, identity{})),
               containing("has extents [4, 2, 2, 1], fine tensor 'w' [4, 2, 3, 3]"));
    const auto wide = any_filters<w8>(random, {4, 2, 5, 1}, {1, 2});
    CHECK_THAT(message_of<shape_error>(call(a.plain(), filter_terms{wide, w}, {}, identity{})),
               containing("[4, 2, 5, 1]"));

    // A sum that could leave int32.
    auto steep = any_filters<pot_blocks>(random, {4, 2, 3, 3}, {4, 1}, 0, filling::highest);
    steep.params.scales[1] = steep.params.scales[0] + 20;
    CHECK_THAT(message_of<range_error>(call(a.plain(), steep, {}, identity{})),
               containing("sums of products may reach"));
    CHECK(untouched());

    // No images: nothing to do, but checked.
    const any_images<std::uint8_t> none(random, {0, 5, 5, 2});
    dense_tensor<std::int32_t, 4> empty({0, 3, 3, 4});
    reference_conv2d(none.plain(), w, conv_geometry{}, identity{}, empty);
    CHECK_THAT(
        message_of<shape_error>([&] { reference_conv2d(none.plain(), w, conv_geometry{}, add_bias{bias}, empty); }),
        containing("3 biases"));
}

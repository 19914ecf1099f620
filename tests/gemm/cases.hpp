/// @file
/// Matrices for the tests of products, what they mean in plain numbers, and a check of every instruction set against
/// gemm/reference.hpp.
#pragma once

#include "catch.hpp"
#include "gemm/guarded.hpp"
#include "gemm/products.hpp"

#include <notch/core/random.hpp>
#include <notch/gemm/pack.hpp>
#include <notch/gemm/reference.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <type_traits>
#include <vector>

namespace cases {

using namespace notch;

/// Numbers in a sequence that is the same everywhere.
class sequence {
public:
    explicit sequence(std::uint64_t seed) : seed_(seed) {}
    /// A number in [lowest, highest].
    std::int32_t between(std::int32_t lowest, std::int32_t highest) {
        const auto range = static_cast<std::uint64_t>(std::int64_t{highest} - lowest + 1);
        return static_cast<std::int32_t>(lowest +
                                         static_cast<std::int64_t>((counter_bits(seed_, next_++) >> 8) % range));
    }
    std::size_t size(std::size_t lowest, std::size_t highest) {
        return static_cast<std::size_t>(between(static_cast<std::int32_t>(lowest), static_cast<std::int32_t>(highest)));
    }
    template <class List> auto one_of(const List& list) { return list[size(0, std::size(list) - 1)]; }

private:
    std::uint64_t seed_;
    std::uint64_t next_ = 0;
};

/// What the numbers of a matrix are like.
enum class filling { random, lowest, highest };

/// Outputs, inputs, and outputs and inputs that share a scale.
struct weight_shape {
    std::size_t outputs = 1;
    std::size_t inputs = 1;
    std::size_t block_outputs = 1;
    std::size_t block_inputs = 1;
};

/// A weight matrix with random scales whose exponents, or logarithms, differ by at most `spread` along a row.
template <class Q>
quantized_tensor<Q, 2> weights(sequence& random, weight_shape s, filling fill = filling::random, int spread = 2) {
    quantized_tensor<Q, 2> w;
    w.name = std::string("w");
    w.codes = dense_tensor<typename Q::code_type, 2>({s.outputs, s.inputs});
    using granularity = typename Q::granularity_type;
    if constexpr (std::is_same_v<granularity, sub_layer<>>)
        w.params.policy.granularity = {s.block_outputs, s.block_inputs};
    else if constexpr (std::is_same_v<granularity, per_group<>>)
        w.params.policy.granularity = {s.block_inputs};
    const std::size_t across = ceil_div(s.inputs, s.block_inputs);
    w.params.blocks = {ceil_div(s.outputs, s.block_outputs), across};
    const std::size_t count = w.params.blocks[0] * across;
    std::vector<std::int32_t> zeros(count, 0);
    for (std::size_t b = 0; b < count; ++b) {
        const std::int32_t e = static_cast<std::int32_t>(b / across % 5) - 7 + random.between(0, spread);
        const double mantissa = 1.0 + random.between(0, 4095) / 4096.0;
        w.params.scales.push_back(Q::scale_policy::snap(
            std::is_same_v<typename Q::scale_value, std::int32_t> ? exp2_exact(e) : mantissa * exp2_exact(e)));
        if constexpr (Q::has_zero_point)
            w.params.zero_points.push_back(zeros[b] = random.between(Q::codes.lowest, Q::codes.highest));
    }
    for (std::size_t n = 0; n < s.outputs; ++n)
        for (std::size_t k = 0; k < s.inputs; ++k) {
            const std::int32_t zero = zeros[n / s.block_outputs * across + k / s.block_inputs];
            const std::int32_t lowest = std::max(Q::codes.lowest, zero - 128);
            const std::int32_t highest = std::min(Q::codes.highest, zero + 127);
            w.codes(n, k) =
                static_cast<typename Q::code_type>(fill == filling::lowest    ? lowest
                                                   : fill == filling::highest ? highest
                                                                              : random.between(lowest, highest));
        }
    return w;
}

/// Activations, held as uint8 and, with the highest bit flipped, as int8.
struct activations {
    std::size_t rows = 1;
    std::size_t inputs = 1;
    std::vector<std::uint8_t> codes{};
    std::int32_t zero_point = 0; ///< of the uint8 codes
    std::int32_t exponent = 0;
    float scale = 0; ///< 0: 2^exponent

    [[nodiscard]] activation_codes<std::uint8_t> plain() const {
        return {strided_view<const std::uint8_t, 2>(codes.data(), {rows, inputs}), zero_point, exponent, scale};
    }
};

inline activations left_of(sequence& random, std::size_t rows, std::size_t inputs, filling fill = filling::random) {
    activations a{rows, inputs, std::vector<std::uint8_t>(rows * inputs), 0, random.between(-3, 3), 0};
    constexpr std::int32_t zeros[] = {0, 0, 255, 128, 127, 1, 77};
    a.zero_point = random.one_of(zeros);
    for (std::uint8_t& code : a.codes)
        code = static_cast<std::uint8_t>(fill == filling::lowest    ? 0
                                         : fill == filling::highest ? 255
                                                                    : random.between(0, 255));
    if (random.between(0, 1) == 1)
        a.scale = 0.0123F + static_cast<float>(random.between(0, 99)) * 0.001F;
    return a;
}

/// What reference_gemm makes of a product, contiguous. Codes of power-of-two scales only where they can be had.
struct results {
    std::vector<std::int32_t> sums{}; ///< empty where sums are floats
    std::vector<float> reals{};
    std::vector<std::uint8_t> real_codes{};
    std::vector<std::int8_t> shifted_codes{};
    float scale = 1;           ///< of real_codes
    std::int32_t exponent = 0; ///< of shifted_codes
};

template <class T> strided_view<T, 2> view_of_rows(std::vector<T>& v, std::size_t rows, std::size_t columns) {
    v.resize(rows * columns);
    return {v.data(), {rows, columns}};
}

inline products::real_codes real_epilogue(const results& r) { return real_requantize<>{r.scale} | add_zero_point{113}; }
inline products::shifted_codes shift_epilogue(const results& r) {
    return shift_requantize<>{r.exponent} | relu{} | add_zero_point{-60};
}

template <class Q> results wanted(const activations& a, const quantized_tensor<Q, 2>& w, const packed_weights& packed) {
    const auto left = a.plain();
    const std::size_t n = packed.outputs();
    results r;
    reference_gemm(left, w, to_real{}, view_of_rows(r.reals, a.rows, n));
    float largest = 0;
    for (const float x : r.reals)
        largest = std::max(largest, x < 0 ? -x : x);
    r.scale = largest == 0.0F ? 1024.0F : largest / 150; // some codes saturate
    reference_gemm(left, w, real_epilogue(r), view_of_rows(r.real_codes, a.rows, n));
    if (packed.header().block_scales == 0)
        reference_gemm(left, w, identity{}, view_of_rows(r.sums, a.rows, n));
    if constexpr (std::is_same_v<typename Q::scale_value, std::int32_t>)
        if (a.scale == 0.0F) {
            r.exponent = floor_log2(static_cast<double>(r.scale));
            reference_gemm(left, w, shift_epilogue(r), view_of_rows(r.shifted_codes, a.rows, n));
        }
    return r;
}

/// Calls each task on one of three threads, in an order that has nothing to do with their numbers.
products::pool shuffling_threads(std::uint64_t seed);

/// True where every instruction set packs these terms into the same bytes.
bool packs_alike(std::span<const detail::weight_term> terms, const packed_weights& packed);

/// Runs a product on every instruction set, with strides, alignments, tasks and workspaces by chance, between guard pages,
/// and returns a description of the first one that differs from `expected`, or an empty text.
std::string first_difference(sequence& random, const activations& a, const packed_weights& packed,
                             const results& expected);

/// All of it for one weight matrix.
template <class Q> std::string check(sequence& random, const activations& a, const quantized_tensor<Q, 2>& w) {
    const packed_weights packed = pack(w);
    const detail::weight_term term = detail::term_of(w);
    if (!packs_alike({&term, 1}, packed))
        return "packed bytes depend on the instruction set";
    return first_difference(random, a, packed, wanted(a, w, packed));
}

} // namespace cases

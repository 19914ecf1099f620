/// @file
/// Matrix products for the tests of notch::dispatch, with the answer of gemm<simd::scalar> beside that of each instruction set.
#pragma once

#include "catch.hpp"

#include <notch/core/random.hpp>
#include <notch/gemm/dispatch.hpp>
#include <notch/gemm/pack.hpp>
#include <notch/quant/fit.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <map>
#include <string>
#include <utility>
#include <vector>

namespace dispatch_test {

using namespace notch;

/// Exponents of the tensors; sums have about 2^-14 for 8-bit weights.
inline constexpr std::int32_t input_exponent = -6;
inline constexpr std::int32_t output_exponent = -1;
inline constexpr std::int32_t residual_exponent = -2;

/// A product, and what epilogues may take.
struct problem {
    std::string name;
    packed_weights weights;
    std::size_t rows = 0;
    std::vector<std::uint8_t> input;    ///< [rows, inputs] in rows that are longer than that
    std::vector<std::uint8_t> residual; ///< [rows, outputs]
    std::vector<std::int32_t> bias;     ///< per output
    fixed_point_factors factors;        ///< per output
    std::size_t input_gap = 0;          ///< bytes between the rows of the input
    bool has_scales_of_two = true;      ///< the scale of the input is 2^input_exponent, or a real

    template <class Code> [[nodiscard]] activation_codes<Code> left() const {
        const auto stride = static_cast<std::ptrdiff_t>(weights.inputs() + input_gap);
        const auto* first = reinterpret_cast<const Code*>(input.data());
        activation_codes<Code> codes{strided_view<const Code, 2>(first, {rows, weights.inputs()}, {stride, 1}), 0, 0,
                                     0};
        codes.zero_point = std::is_signed_v<Code> ? -3 : 121;
        codes.exponent = input_exponent;
        codes.scale = has_scales_of_two ? 0.0F : 0.0173F;
        return codes;
    }
    template <class Code> [[nodiscard]] add_residual<Code> residual_stage() const {
        const auto* first = reinterpret_cast<const Code*>(residual.data());
        return {strided_view<const Code, 2>(first, {rows, weights.outputs()}), residual_exponent, 5};
    }
};

/// Weights of a quantizer with random codes; scales as the policy fits them to random numbers.
template <class Q>
[[nodiscard]] problem make_problem(const std::string& name, std::array<std::size_t, 3> shape, std::uint64_t seed) {
    const auto [rows, outputs, inputs] = shape;
    dense_tensor<float, 2> numbers({outputs, inputs});
    std::uint64_t next = 0;
    for (float& x : numbers.elements()) {
        const auto bits = static_cast<std::int64_t>(counter_bits(seed, next++) & 0xffff);
        x = static_cast<float>(bits - 32768) * (1.0F / 32768) * (next % 7 == 0 ? 0.25F : 1.0F);
    }
    auto tensor = quantize<Q>(numbers);
    tensor.name = std::string("w");
    problem p;
    p.name = name + detail::text(" ", rows, "x", outputs, "x", inputs);
    p.weights = pack(tensor);
    p.rows = rows;
    p.input_gap = seed % 3;
    p.input.resize(rows * (inputs + p.input_gap));
    p.residual.resize(rows * outputs);
    for (std::vector<std::uint8_t>* list : {&p.input, &p.residual})
        for (std::uint8_t& code : *list)
            code = static_cast<std::uint8_t>(counter_bits(seed, next++) >> 16);
    for (std::size_t n = 0; n < outputs; ++n) {
        p.bias.push_back(static_cast<std::int32_t>(counter_bits(seed, next++) % 20001) - 10000);
        p.factors.push_back(0.0001 * static_cast<double>(1 + counter_bits(seed, next++) % 50));
    }
    return p;
}

/// What a product gave: numbers, or the text of an error.
template <class T> struct answer {
    std::vector<T> numbers;
    std::string error;

    friend bool operator==(const answer& a, const answer& b) {
        return a.error == b.error && a.numbers.size() == b.numbers.size() &&
               std::memcmp(a.numbers.data(), b.numbers.data(), a.numbers.size() * sizeof(T)) == 0;
    }
};

/// Runs call(dst) on a destination with gaps, transposed on demand, filled with ones before.
template <class T, class Call> [[nodiscard]] answer<T> answer_of(const problem& p, bool transposed, const Call& call) {
    const std::size_t columns = p.weights.outputs();
    answer<T> a;
    a.numbers.assign((p.rows + 2) * (columns + 2), T(1));
    const auto wide = static_cast<std::ptrdiff_t>(columns + 2);
    const auto high = static_cast<std::ptrdiff_t>(p.rows + 2);
    const strided_view<T, 2> dst = transposed ? strided_view<T, 2>(a.numbers.data() + 1, {p.rows, columns}, {1, high})
                                              : strided_view<T, 2>(a.numbers.data() + 1, {p.rows, columns}, {wide, 1});
    try {
        call(dst);
    } catch (const error& e) {
        a.error = e.what();
    }
    return a;
}

/// Calls f(the instruction set) for each one that can run here.
template <class F> void for_each_isa(const F& f) {
    const simd::isa_set set = dispatched_isas();
    for (std::uint8_t i = 0; i < simd::detail::isa_names::size; ++i)
        if (set.has(simd::isa{i}))
            f(simd::isa{i});
}

/// How many products of a name gave numbers, and how many an error.
struct tally {
    std::size_t numbers = 0;
    std::size_t errors = 0;
};

/// The tallies of all names.
inline std::map<std::string, tally>& tallies() {
    static std::map<std::string, tally> list;
    return list;
}

/// Checks every instruction set, and one and several tasks, against gemm<simd::scalar>.
template <class T, class Code, class Stages>
void check(const problem& p, const standard_epilogue& epilogue, const Stages& stages, const std::string& what) {
    const auto left = p.left<Code>();
    for (const bool transposed : {false, true}) {
        const answer<T> expected = answer_of<T>(
            p, transposed, [&](const strided_view<T, 2>& dst) { gemm<simd::scalar>(left, p.weights, stages, dst); });
        ++(expected.error.empty() ? tallies()[what].numbers : tallies()[what].errors);
        for_each_isa([&](simd::isa which) {
            for (const std::size_t tasks : {std::size_t{1}, std::size_t{2}, std::size_t{7}}) {
                const answer<T> given = answer_of<T>(p, transposed, [&](const strided_view<T, 2>& dst) {
                    gemm_options options;
                    options.tasks = tasks;
                    std::vector<std::byte> memory(dispatched_gemm_workspace(p.weights, p.rows, tasks, which));
                    if (tasks != 2)
                        options.workspace = memory;
                    dispatched_gemm(left, p.weights, epilogue, dst, options, serial{}, which);
                });
                if (!(given == expected))
                    FAIL(p.name << ", " << what << ", " << simd::name(which) << ", " << tasks << " tasks"
                                << (transposed ? ", transposed" : "") << ": expected '" << expected.error
                                << "', given '" << given.error << "'");
            }
        });
    }
}

} // namespace dispatch_test

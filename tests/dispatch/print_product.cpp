/// @file
/// Prints the instruction set that notch::dispatch uses, and whether products are what plain sums are. It is compiled for
/// every processor; the tests run it on old ones.
#include <notch/gemm/dispatch.hpp>
#include <notch/gemm/pack.hpp>
#include <notch/quant/fit.hpp>

#include <cstddef>
#include <cstdint>
#include <cstdio>

using int8 = notch::quantizer<notch::bits<8>, notch::per_channel<0>, notch::power_of_two<>>;
using int4 = notch::quantizer<notch::bits<4>, notch::per_group<16>, notch::power_of_two<>>;

namespace {

/// Products with weights of a quantizer, hashed; 0 where one of them is wrong.
template <class Q> std::uint64_t product_hash() {
    constexpr std::size_t rows = 9;
    constexpr std::size_t outputs = 35;
    constexpr std::size_t inputs = 77;
    notch::dense_tensor<float, 2> numbers({outputs, inputs});
    notch::dense_tensor<std::uint8_t, 2> input({rows, inputs});
    std::uint32_t state = 1;
    const auto next = [&state] { return (state = state * 1664525U + 1013904223U) >> 16; };
    for (float& x : numbers.elements())
        x = static_cast<float>(next() % 2001) * 0.001F - 1.0F;
    for (std::uint8_t& code : input.elements())
        code = static_cast<std::uint8_t>(next());
    const auto weights = notch::quantize<Q>(numbers);
    const notch::packed_weights packed = notch::pack(weights);
    const notch::activation_codes<std::uint8_t> left{
        notch::strided_view<const std::uint8_t, 2>(input.data(), {rows, inputs}), 10, -7, 0};

    notch::dense_tensor<float, 2> reals({rows, outputs});
    notch::dense_tensor<std::int8_t, 2> codes({rows, outputs});
    notch::dispatched_gemm(left, packed, {.requantization = notch::to_real{}}, reals);
    notch::dispatched_gemm(left, packed, {.requantization = notch::shift_requantize{-2}}, codes);
    const auto grid = weights.grid();
    std::uint64_t hash = 0xcbf29ce484222325ULL;
    for (std::size_t m = 0; m < rows; ++m)
        for (std::size_t n = 0; n < outputs; ++n) {
            double sum = 0; // exact: few bits, scales are powers of two
            for (std::size_t k = 0; k < inputs; ++k)
                sum += weights.params.scale(grid.block_of(n, k)) * weights.codes(n, k) * (input(m, k) - 10) / 128;
            const double code = sum * 4 < -128 ? -128 : sum * 4 > 127 ? 127 : sum * 4;
            if (static_cast<double>(reals(m, n)) != sum || code - codes(m, n) > 0.5 || codes(m, n) - code > 0.5)
                return 0;
            hash = (hash ^ static_cast<std::uint8_t>(codes(m, n))) * 0x100000001b3ULL;
        }
    return hash;
}

} // namespace

int main() {
    try {
        std::printf("carries %s\n", notch::simd::names(notch::dispatched_isas()).c_str());
        const std::uint64_t eight = product_hash<int8>();
        const std::uint64_t four = product_hash<int4>();
        std::printf("hashes %016llx %016llx\n", static_cast<unsigned long long>(eight),
                    static_cast<unsigned long long>(four));
        std::printf("uses %s, products are %s\n", notch::simd::name(notch::dispatched_isa()),
                    eight != 0 && four != 0 ? "right" : "wrong");
        return eight != 0 && four != 0 ? 0 : 1;
    } catch (const notch::unsupported_error& error) {
        std::printf("error: %s\n", error.what());
        return 1;
    }
}

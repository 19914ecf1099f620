/// @file
/// The two units of the program. Both compute the same from the same headers, with different compiler flags.
#pragma once

#include <cstdint>
#include <notch/quant/fit.hpp>
#include <notch/simd/elementwise.hpp>
#include <random>
#include <vector>

/// Hash of the codes of the elementwise kernels. Compiled for every processor; runs on every processor.
std::uint64_t plain_kernels();
/// The same, compiled for a processor with AVX2; call it only there.
std::uint64_t wide_kernels();
/// Hash of fitted scales and codes of whole tensors. The linker may give both units one copy of what is shared with the
/// standard library, so that a program with both runs it only where the wide unit runs.
std::uint64_t plain_tensors();
/// The same, compiled for a processor with AVX2; call it only there.
std::uint64_t wide_tensors();

namespace {

inline std::uint64_t mix(std::uint64_t hash, std::int64_t value) {
    return (hash ^ static_cast<std::uint64_t>(value)) * 0x100000001b3ULL;
}

/// What the units share: kernels on plain memory, with nothing of the standard library between.
inline std::uint64_t kernel_hash() {
    float values[301];
    for (int i = 0; i < 301; ++i)
        values[i] = static_cast<float>((i * 7919) % 601 - 300) * 0.01375F;
    std::int8_t codes[301];
    float back[301];
    const auto step = notch::simd::quantize_step::of(0.03, 3, {-128, 127});
    const bool finite =
        notch::simd::quantize_run<notch::simd::default_arch, notch::nearest_even>(values, 301, step, codes);
    notch::simd::dequantize_run<notch::simd::default_arch>(codes, 301, 0.03, 3, back);
    std::uint64_t hash = finite ? 1 : 2;
    for (int i = 0; i < 301; ++i)
        hash = mix(mix(hash, codes[i]), static_cast<std::int64_t>(back[i] * 1048576.0F));
    return hash;
}

/// The library's front door.
inline std::uint64_t tensor_hash() {
    using int4 = notch::quantizer<notch::bits<4>, notch::sub_layer<8, 8>, notch::power_of_two<>>;
    notch::dense_tensor<float, 2> weights({40, 52});
    std::mt19937 generator(3);
    for (float& value : weights.elements())
        value = static_cast<float>(generator() % 2001) * 0.001F - 1.0F;
    const auto tensor = notch::quantize<int4>(weights);
    std::uint64_t hash = 0;
    for (const int exponent : tensor.params.scales)
        hash = mix(hash, exponent);
    for (const int code : tensor.codes.elements())
        hash = mix(hash, code);
    return hash;
}

} // namespace

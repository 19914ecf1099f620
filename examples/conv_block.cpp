/// @file
/// A residual block in int4: 3 x 3 convolution, requantization, residual, ReLU, in one pass over the sums. Every 16 x 16
/// block of filters has an exponent of its own, so scales change inside the dot products; all of it is integers.
#include <cmath>
#include <cstdio>
#include <notch/conv/conv2d.hpp>
#include <notch/conv/pack_filters.hpp>
#include <notch/conv/reference.hpp>
#include <notch/epilogue/activation.hpp>
#include <notch/epilogue/add_bias.hpp>
#include <notch/epilogue/add_residual.hpp>
#include <notch/epilogue/shift_requantize.hpp>
#include <notch/quant/fit.hpp>
#include <vector>

using w4 = notch::quantizer<notch::bits<4>, notch::sub_layer<16, 16>, notch::power_of_two<>>;

int main() {
    constexpr std::size_t size = 14;
    constexpr std::size_t channels = 64;
    notch::dense_tensor<float, 4> reals({channels, channels, 3, 3});
    for (std::size_t i = 0; i < reals.size(); ++i)
        reals.data()[i] = std::sin(1.7F * static_cast<float>(i)) * (i / 144 % 4 == 0 ? 0.8F : 0.1F);

    // When the model is loaded.
    const notch::conv_geometry geometry{.padding = {1, 1, 1, 1}};
    const notch::quantized_tensor<w4, 4> filters = notch::quantize<w4>(reals, {.name = "conv2"});
    const notch::packed_filters packed = notch::pack_filters(filters, geometry);
    constexpr std::int32_t exponent = -5; // of images, residual and result: real = 2^-5 * code
    std::vector<std::int32_t> bias(channels);
    for (std::size_t o = 0; o < channels; ++o) // 0.25 for every output
        bias[o] = static_cast<std::int32_t>(std::ldexp(0.25, -(packed.exponents()[o] + exponent)));

    // For each image [1, 14, 14, 64]: codes in, codes out, no allocation.
    notch::dense_tensor<std::uint8_t, 4> codes({1, size, size, channels});
    for (std::size_t i = 0; i < codes.size(); ++i)
        codes.data()[i] = static_cast<std::uint8_t>(29 * i % 64);
    const notch::image_codes<std::uint8_t> image{notch::as_view(codes), 0, exponent};
    std::vector<std::byte> memory(notch::conv_workspace(image, packed, geometry));
    // The residual is the input: one row per pixel of the result.
    const notch::strided_view<const std::uint8_t, 2> rows(codes.data(), {size * size, channels});
    const auto epilogue = notch::add_bias{bias} | notch::add_residual<std::uint8_t>{rows, exponent, 0} |
                          notch::shift_requantize{exponent} | notch::relu{};
    notch::dense_tensor<std::uint8_t, 4> result({1, size, size, channels});
    notch::conv2d(image, packed, geometry, epilogue, result, {.workspace = memory});

    notch::dense_tensor<std::uint8_t, 4> expected({1, size, size, channels});
    notch::reference_conv2d(image, filters, geometry, epilogue, expected); // plain loops over the codes
    std::size_t wrong = 0;
    for (std::size_t i = 0; i < result.size(); ++i)
        wrong += result.data()[i] == expected.data()[i] ? 0U : 1U;
    std::printf("%zu bytes of filters for %zu weights, %zu bytes of workspace\n", packed.size(), reals.size(),
                memory.size());
    std::printf("%zu differences from the definition\n", wrong);
    return wrong == 0 ? 0 : 1;
}

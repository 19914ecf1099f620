/// @file
/// A granularity of one's own: output channels in bands, as many as the vector unit of an accelerator has lanes.
#include <cmath>
#include <cstdio>
#include <notch/quant/fit.hpp>

namespace engine {

/// One scale per `Lanes` output channels, over all inputs and kernel taps.
template <std::size_t Lanes> struct output_bands {
    /// The scale is the same along a dot product.
    static constexpr bool splits_reduction = false;

    /// Extents of one block; the last one of an axis may be smaller.
    template <std::size_t Rank>
    [[nodiscard]] constexpr notch::extents<Rank> block(const notch::extents<Rank>& shape) const {
        notch::extents<Rank> result = shape;
        result[0] = Lanes < shape[0] ? Lanes : shape[0];
        return result;
    }
};

static_assert(notch::granularity<output_bands<8>>);

} // namespace engine

int main() {
    using w8 = notch::quantizer<notch::bits<8>, engine::output_bands<8>, notch::real_scale>;
    notch::dense_tensor<float, 4> weights({20, 16, 3, 3});
    for (std::size_t i = 0; i < weights.size(); ++i) {
        const std::size_t output = i / 144;
        weights.data()[i] = std::sin(static_cast<float>(i)) * (1.0F + static_cast<float>(output));
    }
    const auto codes = notch::quantize<w8>(weights);
    for (std::size_t block = 0; block < codes.params.count(); ++block)
        std::printf("channels from %2zu: scale %.5f\n", block * 8, codes.params.scale(block));
    return codes.params.count() == 3 ? 0 : 1; // 8 + 8 + 4 channels
}

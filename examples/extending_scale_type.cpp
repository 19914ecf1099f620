/// @file
/// A scale type of one's own: scales 2^(q/4), four steps per octave, stored in one integer.
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <notch/quant/fit.hpp>
#include <notch/quant/quantization_error.hpp>

namespace engine {

/// Scales 2^(q/4). Wanted scales are rounded up, so that nothing that fitted is clipped.
struct quarter_octaves {
    using value_type = std::int32_t; ///< q

    /// The smallest q with 2^(q/4) >= scale, within the admissible scales; 1 for a block of zeros.
    [[nodiscard]] static value_type snap(double scale) noexcept {
        if (scale == 0.0)
            return 0;
        const int q = static_cast<int>(std::ceil(4.0 * std::log2(scale)));
        return std::clamp(q, 4 * notch::min_scale_exponent, 4 * notch::max_scale_exponent);
    }

    /// 2^(q/4).
    [[nodiscard]] static double to_real(value_type q) noexcept { return std::exp2(0.25 * q); }
};

static_assert(notch::scale_type<quarter_octaves>);

} // namespace engine

int main() {
    notch::dense_tensor<float, 2> weights({64, 64});
    for (std::size_t i = 0; i < weights.size(); ++i) {
        const std::size_t output = i / 64;
        weights.data()[i] = std::sin(0.7F * static_cast<float>(i)) * (1.0F + 0.1F * static_cast<float>(output));
    }

    const auto measure = [&]<class Scale>(const char* name, Scale) {
        using w4 = notch::quantizer<notch::bits<4>, notch::per_channel<0>, Scale>;
        const double sqnr = notch::quantization_error(weights, notch::quantize<w4>(weights)).sqnr_db;
        std::printf("%-18s %.2f dB\n", name, sqnr);
        return sqnr;
    };
    const double octaves = measure("powers of two", notch::power_of_two<notch::snap_up>{});
    const double quarters = measure("quarter octaves", engine::quarter_octaves{});
    const double reals = measure("real", notch::real_scale{});
    return octaves < quarters && quarters < reals + 0.5 ? 0 : 1;
}

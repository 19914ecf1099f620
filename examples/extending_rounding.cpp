/// @file
/// A rounding rule of one's own: ties towards -infinity. It stands in a foreign namespace; no registration is needed.
#include <cstdint>
#include <cstdio>
#include <notch/core/fixed_point.hpp>
#include <notch/quant/fit.hpp>

namespace engine {

/// Nearest, ties towards -infinity: ceil(x - 1/2).
struct nearest_down {
    /// Serves floats. Precondition: |x| < 2^31.
    static float round(float x) noexcept {
        const float even = notch::nearest_even::round(x);
        return even - x == 0.5F ? even - 1.0F : even;
    }

    /// round(a / 2^n) for every a. Precondition: 0 <= n <= 30. A tie has the remainder 2^(n-1), and must not carry.
    template <class Lane, class Count> static constexpr Lane shift_right(Lane a, Count n) noexcept {
        const Lane t = (Lane(1) << n) - Lane(1);
        return (a >> n) + (((a & t) + (t >> 1)) >> n);
    }
};

static_assert(notch::rounding<nearest_down>);

} // namespace engine

int main() {
    using down = notch::quantizer<notch::bits<8>, notch::per_tensor, notch::power_of_two<>, engine::nearest_down>;
    const std::vector<float> values{-2.5F, -1.5F, -0.5F, 0.0F, 0.5F, 1.5F, 2.5F};
    const auto params = notch::params_from_scales<down>(notch::extents<1>{values.size()}, {1.0});
    const auto codes = notch::quantize(values, params);

    bool right = true;
    for (std::size_t i = 0; i < values.size(); ++i) {
        const std::int32_t shifted = engine::nearest_down::shift_right(static_cast<std::int32_t>(2 * values[i]), 1);
        std::printf("%5.1f -> %d\n", static_cast<double>(values[i]), static_cast<int>(codes.codes(i)));
        right = right && shifted == codes.codes(i); // both forms agree
    }
    return right && codes.codes(1) == -2 && codes.codes(4) == 0 ? 0 : 1;
}

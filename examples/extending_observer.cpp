/// @file
/// An observer of one's own: the range is three standard deviations on either side of the mean.
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <notch/core/random.hpp>
#include <notch/observe/observer.hpp>
#include <notch/quant/quantize.hpp>

namespace engine {

/// Mean and spread of everything seen.
class three_sigma {
public:
    /// Takes every element of a tensor; the name would stand in error messages.
    template <notch::viewable_as<float> Tensor> void observe(const Tensor& tensor, std::string_view = {}) {
        notch::for_each_element(notch::as_view(tensor), [this](float element) { // of any rank and any strides
            const double x = static_cast<double>(element);
            ++count_;
            sum_ += x;
            squares_ += x * x;
        });
    }

    /// Number of values seen.
    [[nodiscard]] std::uint64_t count() const noexcept { return count_; }

    /// mean +- 3 standard deviations.
    [[nodiscard]] notch::value_range range() const noexcept {
        const double n = static_cast<double>(count_);
        const double mean = sum_ / n;
        const double sigma = std::sqrt(std::max(0.0, squares_ / n - mean * mean));
        return {static_cast<float>(mean - 3 * sigma), static_cast<float>(mean + 3 * sigma)};
    }

private:
    std::uint64_t count_ = 0;
    double sum_ = 0;
    double squares_ = 0;
};

static_assert(notch::plain_range_observer<three_sigma>);

} // namespace engine

int main() {
    using a8 = notch::quantizer<notch::bits<8>, notch::per_tensor, notch::power_of_two<notch::snap_nearest>>;
    engine::three_sigma seen;
    std::vector<float> batch(1000);
    for (std::uint64_t number = 0; number < 4; ++number) {
        for (std::size_t i = 0; i < batch.size(); ++i)
            batch[i] = static_cast<float>(notch::counter_uniform(number, i) - 0.5);
        seen.observe(batch);
    }
    const auto params = notch::calibrated_params<a8>(seen);
    std::printf("range [%.3f, %.3f], scale 2^%d\n", static_cast<double>(seen.range().min),
                static_cast<double>(seen.range().max), static_cast<int>(params.scales[0]));
    return params.scales[0] == -7 ? 0 : 1; // 3 / sqrt(12) / 127 is nearest to 2^-7
}

#include "measure.hpp"

namespace tool {

measurement measure_power_of_two(const notch::dense_tensor<float, 4>& weights, const grain& g, int bits) {
    return measure_bits<notch::power_of_two<>>(weights, g, bits);
}

} // namespace tool

#include "measure.hpp"

namespace tool {

measurement measure_fixed_point(const notch::dense_tensor<float, 4>& weights, const grain& g, int bits) {
    return measure_bits<notch::fixed_point<>>(weights, g, bits);
}

} // namespace tool

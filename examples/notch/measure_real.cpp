#include "measure.hpp"

namespace tool {

measurement measure_real(const notch::dense_tensor<float, 4>& weights, const grain& g, int bits) {
    return measure_bits<notch::real_scale>(weights, g, bits);
}

} // namespace tool

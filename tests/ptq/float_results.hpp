// What a float network gives, and how far two results are apart.
#pragma once

#include <notch/model/forward.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <span>
#include <vector>

namespace notch_test {

inline std::vector<float> float_results(const notch::network& net, std::span<const float> images) {
    const notch::float_program program(net);
    const std::size_t count = images.size() / program.input_size();
    std::vector<float> results(count * program.output_size());
    program.run(images, count, results);
    return results;
}

// Largest difference beside the largest magnitude.
inline double difference(const std::vector<float>& a, const std::vector<float>& b) {
    double largest = 1e-30;
    double worst = 0;
    for (std::size_t i = 0; i < a.size(); ++i) {
        largest = std::max(largest, std::abs(static_cast<double>(a[i])));
        worst = std::max(worst, std::abs(static_cast<double>(a[i]) - static_cast<double>(b[i])));
    }
    return worst / largest;
}

} // namespace notch_test

/// @file
/// Matrix products to measure: their shapes, read from a file, and operands for them.
///
/// A line of the file holds M N K. [M, K] activations of uint8 times [N, K] weights of int8 give
/// [M, N] codes of uint8: clamp(round(scale[n] * (sum + bias[n]))).
#pragma once

#include "../shape_file.hpp"

#include <notch/core/random.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace bench {

struct shape {
    std::size_t m = 0; ///< rows of activations
    std::size_t n = 0; ///< output channels
    std::size_t k = 0; ///< length of the sums

    [[nodiscard]] std::string name() const {
        return std::to_string(m) + "x" + std::to_string(n) + "x" + std::to_string(k);
    }
    [[nodiscard]] double operations() const {
        return 2.0 * static_cast<double>(m) * static_cast<double>(n) * static_cast<double>(k);
    }
};

/// The shapes of a file. Ends the program with a message where it cannot be read.
inline std::vector<shape> read_shapes(const std::string& path) {
    return read_lines<shape>(path, "three numbers M N K from 1 to 1000000",
                             [](const std::vector<std::size_t>& numbers) -> std::optional<shape> {
                                 if (numbers.size() != 3 || std::ranges::count(numbers, 0U) != 0)
                                     return std::nullopt;
                                 return shape{numbers[0], numbers[1], numbers[2]};
                             });
}

/// Operands of one product. Codes are uniform over the whole range, scales spread the results over theirs.
struct problem {
    bench::shape shape;
    std::vector<std::uint8_t> source; ///< [M, K]
    std::vector<std::int8_t> weights; ///< [N, K], from -127
    std::vector<std::int32_t> bias;   ///< [N], in units of the sum
    std::vector<float> scales;        ///< [N]
    std::vector<float> real_source;   ///< the same as reals
    std::vector<float> real_weights;
    std::vector<float> real_bias;

    explicit problem(const bench::shape& s) : shape(s) {
        const auto below = [](std::uint64_t seed, std::size_t i, std::uint64_t limit) {
            return static_cast<int>((notch::counter_bits(seed, i) >> 32) % limit);
        };
        source.resize(s.m * s.k);
        for (std::size_t i = 0; i < source.size(); ++i)
            source[i] = static_cast<std::uint8_t>(below(1, i, 256));
        weights.resize(s.n * s.k);
        for (std::size_t i = 0; i < weights.size(); ++i)
            weights[i] = static_cast<std::int8_t>(below(2, i, 255) - 127);
        real_source.assign(source.begin(), source.end());
        real_weights.assign(weights.begin(), weights.end());
        const double deviation = 10850.0 * std::sqrt(static_cast<double>(s.k)); // of the sum
        for (std::size_t i = 0; i < s.n; ++i) {
            bias.push_back(static_cast<std::int32_t>(deviation * (2.0 * notch::counter_uniform(3, i))));
            scales.push_back(static_cast<float>((0.5 + notch::counter_uniform(4, i)) * 64.0 / deviation));
        }
        real_bias.assign(bias.begin(), bias.end());
    }
};

/// Operands of a shape; those of the last one are kept.
inline std::shared_ptr<const problem> problem_of(const shape& s) {
    static std::shared_ptr<const problem> last;
    if (!last || last->shape.name() != s.name()) {
        last.reset();
        last = std::make_shared<const problem>(s);
    }
    return last;
}

} // namespace bench

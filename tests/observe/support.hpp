/// @file
/// What the tests of the observe room share: data, messages of errors, independent readings of floats.
#pragma once

#include <notch/core/error.hpp>
#include <notch/core/random.hpp>

#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace observe_test {

/// A float from its bits: -ffast-math cannot reason about it.
inline float from_bits(std::uint32_t bits) { return std::bit_cast<float>(bits); }

inline float not_a_number() { return from_bits(0x7fc0'0001U); }

inline float infinity() { return from_bits(0x7f80'0000U); }

/// 2^exponent as a float with normal exponent.
inline float power(int exponent) { return std::ldexp(1.0F, exponent); }

/// A source of reproducible numbers.
class numbers {
public:
    explicit numbers(std::uint64_t seed) : seed_(seed) {}

    /// Uniform in [0, 1).
    double uniform() { return notch::counter_uniform(seed_, index_++); }
    /// Uniform in [0, limit).
    std::size_t below(std::size_t limit) { return static_cast<std::size_t>(uniform() * static_cast<double>(limit)); }
    /// Standard normal, by Box and Muller.
    double normal() {
        const double radius = std::sqrt(-2.0 * std::log(1.0 - uniform()));
        return radius * std::cos(6.283185307179586 * uniform());
    }
    /// Standard Laplace.
    double laplace() {
        const double u = uniform() - 0.5;
        return (u < 0 ? 1 : -1) * std::log(1.0 - 2.0 * (u < 0 ? -u : u) + 1e-12);
    }
    /// Random permutation.
    template <class T> void shuffle(std::vector<T>& values) {
        for (std::size_t i = values.size(); i > 1; --i)
            std::swap(values[i - 1], values[below(i)]);
    }

private:
    std::uint64_t seed_;
    std::uint64_t index_ = 0;
};

inline std::vector<float> normal_values(std::uint64_t seed, std::size_t count, double deviation = 1.0,
                                        double mean = 0.0) {
    numbers source(seed);
    std::vector<float> values(count);
    for (float& x : values)
        x = static_cast<float>(mean + deviation * source.normal());
    return values;
}

inline std::vector<float> relu(std::vector<float> values) {
    for (float& x : values)
        x = x > 0 ? x : 0.0F;
    return values;
}

/// The text of the error of type E that a call raises; another error, or none, gives a text that says so.
template <class E, class Call> std::string message_of(Call&& call) {
    try {
        std::forward<Call>(call)();
    } catch (const E& raised) {
        return raised.what();
    } catch (const std::exception& raised) {
        return std::string("another error: ") + raised.what();
    }
    return "no error";
}

/// FNV-1a with 64 bits, written down again.
inline std::uint64_t reference_fnv(const std::byte* bytes, std::size_t count) {
    std::uint64_t hash = 14695981039346656037ULL;
    for (std::size_t i = 0; i < count; ++i) {
        hash ^= static_cast<std::uint64_t>(bytes[i]);
        hash *= 1099511628211ULL;
    }
    return hash;
}

} // namespace observe_test

/// @file
/// The map x * factor[c] + offset[c] that a batch_norm or an affine_map is, in double: maps are put together exactly enough,
/// and every number is rounded to float once.
#pragma once

#include <notch/core/config.hpp>
#include <notch/model/network.hpp>

#include <algorithm>
#include <cstddef>
#include <optional>
#include <variant>
#include <vector>

namespace notch::detail {

/// y = x * factor[c] + offset[c], in double.
struct exact_affine {
    std::vector<double> factor{};
    std::vector<double> offset{};

    /// Does nothing to any of so many channels.
    explicit exact_affine(std::size_t channels) : factor(channels, 1.0), offset(channels, 0.0) {}
    exact_affine(const batch_norm& op, std::size_t channels) : exact_affine(channels) {
        for (std::size_t c = 0; c < channels; ++c) {
            factor[c] = double{op.gain[c]} / NOTCH_SQRT(double{op.variance[c]} + double{op.epsilon});
            offset[c] = double{op.shift[c]} - double{op.mean[c]} * factor[c];
        }
    }
    exact_affine(const affine_map& op, std::size_t channels) : exact_affine(channels) {
        for (std::size_t c = 0; c < channels; ++c) {
            factor[c] = double{op.factor.empty() ? 1.0F : op.factor[op.factor.size() == 1 ? 0 : c]};
            offset[c] = double{op.offset.empty() ? 0.0F : op.offset[op.offset.size() == 1 ? 0 : c]};
        }
    }

    /// This map, then another one.
    void then(const exact_affine& next) {
        for (std::size_t c = 0; c < factor.size(); ++c) {
            factor[c] *= next.factor[c];
            offset[c] = offset[c] * next.factor[c] + next.offset[c];
        }
    }
    /// Offsets are all zero.
    [[nodiscard]] bool only_scales() const noexcept {
        return std::all_of(offset.begin(), offset.end(), [](double x) { return x == 0.0; });
    }
    /// The same, rounded to floats.
    [[nodiscard]] affine_map rounded() const {
        affine_map map;
        for (std::size_t c = 0; c < factor.size(); ++c) {
            map.factor.push_back(static_cast<float>(factor[c]));
            map.offset.push_back(static_cast<float>(offset[c]));
        }
        return map;
    }
};

/// The map that a batch_norm or affine_map over some channels is; none for other operations.
[[nodiscard]] inline std::optional<exact_affine> exact_affine_of(const operation& op, std::size_t channels) {
    if (const auto* norm = std::get_if<batch_norm>(&op))
        return exact_affine(*norm, channels);
    if (const auto* map = std::get_if<affine_map>(&op))
        return exact_affine(*map, channels);
    return {};
}

} // namespace notch::detail

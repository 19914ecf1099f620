/// @file
/// Filters and geometries under which they fit, by chance.
#pragma once

#include "conv/cases.hpp"

#include <notch/core/error.hpp>
#include <notch/quant/quantized_tensor.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <type_traits>

namespace conv_cases {

/// Outputs and channels that share a scale.
struct block_sizes {
    std::size_t outputs = 1;
    std::size_t channels = 1;
};

/// The granularity of these blocks where it is set at run time.
template <class Q> void set_blocks(quant_params<Q>& params, block_sizes b) {
    if constexpr (std::is_same_v<typename Q::granularity_type, sub_layer<>>)
        params.policy.granularity = {b.outputs, b.channels};
    else if constexpr (std::is_same_v<typename Q::granularity_type, per_group<>>)
        params.policy.granularity = {b.channels};
}

/// Filters with scales by chance, as cases::weights makes matrices.
template <class Q>
quantized_tensor<Q, 4> any_filters(sequence& random, const extents<4>& s, block_sizes b, int spread = 2,
                                   filling fill = filling::random) {
    quantized_tensor<Q, 4> w;
    w.name = std::string("w");
    w.codes = dense_tensor<typename Q::code_type, 4>(s);
    set_blocks(w.params, b);
    const block_grid<4> grid = make_grid(w.params.policy.granularity, s);
    w.params.blocks.assign(grid.blocks.begin(), grid.blocks.end());
    for (std::size_t i = 0; i < grid.count; ++i) {
        const double power = exp2_exact(static_cast<int>(i % 3) - 7 + random.between(0, spread));
        const bool exact = std::is_same_v<typename Q::scale_value, std::int32_t>;
        w.params.scales.push_back(
            Q::scale_policy::snap(exact ? power : power * (1.0 + random.between(0, 4095) / 4096.0)));
        if constexpr (Q::has_zero_point)
            w.params.zero_points.push_back(random.between(Q::codes.lowest, Q::codes.highest));
    }
    for (std::size_t o = 0; o < s[0]; ++o)
        for (std::size_t i = 0; i < s[1]; ++i) {
            const std::int32_t zero = w.params.zero_point(grid.block_of(o, i, std::size_t{0}, std::size_t{0}));
            const std::int32_t low = std::max(Q::codes.lowest, zero - 128);
            const std::int32_t high = std::min(Q::codes.highest, zero + 127);
            for (std::size_t t = 0; t < s[2] * s[3]; ++t)
                w.codes(o, i, t / s[3], t % s[3]) =
                    static_cast<typename Q::code_type>(fill == filling::lowest    ? low
                                                       : fill == filling::highest ? high
                                                                                  : random.between(low, high));
        }
    return w;
}

/// A geometry under which filters fit.
struct problem {
    extents<4> images{};
    extents<4> filters{};
    conv_geometry geometry{};
    extents<4> result{};

    explicit problem(sequence& random, std::size_t most_channels = 9, std::size_t most_outputs = 4,
                     std::size_t most_pixels = 7) {
        for (;;) {
            const std::size_t groups = random.between(0, 2) == 0 ? random.size(1, 4) : 1;
            const std::size_t per_group =
                random.size(1, groups == 1 ? most_channels : std::max<std::size_t>(4, most_channels / 3));
            images = {random.size(1, 2), random.size(1, most_pixels), random.size(1, most_pixels), groups * per_group};
            filters = {groups * random.size(1, most_outputs), per_group, random.size(1, 4), random.size(1, 4)};
            geometry = {{random.size(1, 3), random.size(1, 3)},
                        {random.size(1, 2), random.size(1, 2)},
                        {random.size(0, 3), random.size(0, 3), random.size(0, 3), random.size(0, 3)},
                        groups};
            try {
                result = conv_extents(images, filters, geometry);
                return;
            } catch (const shape_error&) { // does not fit
            }
        }
    }
};

inline block_sizes whole(const extents<4>& filters) { return {filters[0], filters[1]}; }

} // namespace conv_cases

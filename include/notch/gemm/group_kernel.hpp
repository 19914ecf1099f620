/// @file
/// Microkernels for panels that hold the outputs of several groups of channels, as convolutions have them.
///
///     tile[i][c] = sum over steps of the products of row i, group of column c, and column c
///
/// The groups of a panel stand side by side in a row: 2 of 4 or 8 channels, or 4 of 4. Sixteen bytes hold a tap of all of them,
/// and for each step a shuffle gives each column the four bytes of its group.
///
/// They exist where `int_ops` shuffle sixteen bytes, for quads and sums that are finished once. Sixteen bytes
/// of a row are read for a tap.
#pragma once

#include <notch/core/config.hpp>
#include <notch/gemm/microkernel.hpp>
#include <notch/simd/int_kernels.hpp>

#include <cstddef>
#include <cstdint>
#include <utility>

namespace notch::detail {

/// Bytes that are read for a tap.
inline constexpr std::size_t group_read_bytes = 16;

/// Rows of a tile, at most: pointers to more of them would not fit the registers.
inline constexpr std::size_t group_rows = 10;

/// Which bytes of sixteen each column takes for a step.
template <std::size_t Groups, std::size_t Channels, std::size_t Step> struct group_bytes {
    static_assert(Groups * Channels <= group_read_bytes);
    alignas(64) std::uint8_t of[step_bytes];
    constexpr group_bytes() noexcept : of() {
        for (std::size_t i = 0; i < step_bytes; ++i)
            of[i] = static_cast<std::uint8_t>(i / step_inputs / (panel_columns / Groups) * Channels +
                                              Step * step_inputs + i % step_inputs);
    }
};

/// The microkernel. Each segment has the steps of one tap, or none.
template <class Arch, std::size_t Groups, std::size_t Channels, std::size_t Rows>
void group_product(const tile_work& work) noexcept {
    using ops = simd::int_ops<Arch>;
    using reg = typename ops::reg;
    constexpr std::size_t steps = Channels / step_inputs; // of a tap
    static_assert(steps == 1 || steps == 2);
    static constexpr group_bytes<Groups, Channels, 0> first;
    static constexpr group_bytes<Groups, Channels, steps - 1> second;
    const std::byte* rows[Rows];
#pragma GCC unroll 16
    for (std::size_t i = 0; i < Rows; ++i)
        rows[i] = one_by_one(work.rows[i]);
    tile_registers<Arch, Rows, 1> tile;
    tile.clear();
    if (work.adds)
        tile.load(work.tile);
    const reg which[2] = {ops::load(first.of), ops::load(second.of)};
    const std::byte* column = work.panels.first;
    const row_segment* const end = work.segments + work.segment_count;
    for (const row_segment* segment = work.segments; segment != end; ++segment) {
        const std::ptrdiff_t at = segment->offset;
        if (segment->steps == 0) {
            column += steps * step_bytes;
            continue;
        }
        const reg values[2] = {ops::load(column), ops::load(column + (steps - 1) * step_bytes)};
        column += steps * step_bytes;
#pragma GCC unroll 16
        for (std::size_t i = 0; i < Rows; ++i) {
            const reg codes = ops::repeat16(rows[i] + at);
#pragma GCC unroll 2
            for (std::size_t s = 0; s < steps; ++s)
                tile.sums[i][0] =
                    ops::as_computed(ops::quad8(tile.sums[i][0], ops::shuffle16(codes, which[s]), values[s]));
        }
    }
    tile.store(work.tile);
}

template <class Arch, std::size_t Groups, std::size_t Channels, std::size_t... Rows>
[[nodiscard]] inline tile_kernel group_kernel_of(std::size_t rows, std::index_sequence<Rows...>) noexcept {
    static constexpr tile_kernel kernels[] = {&group_product<Arch, Groups, Channels, Rows + 1>...};
    return kernels[rows - 1];
}

/// The microkernel for panels of some groups, for a tile of some rows.
template <class Arch>
[[nodiscard]] tile_kernel find_group_kernel(std::size_t groups, std::size_t channels, std::size_t rows) noexcept {
    constexpr auto all = std::make_index_sequence<group_rows>();
    if (groups == 4)
        return group_kernel_of<Arch, 4, 4>(rows, all);
    return channels == 8 ? group_kernel_of<Arch, 2, 8>(rows, all) : group_kernel_of<Arch, 2, 4>(rows, all);
}

} // namespace notch::detail

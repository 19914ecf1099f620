/// @file
/// The plan of a convolution by minimal filtering (transformed_filters.hpp): whether it is taken, and the cut into blocks of
/// lines, tiles and tasks.
#pragma once

#include <notch/conv/conv_job.hpp>
#include <notch/core/config.hpp>
#include <notch/core/int_math.hpp>
#include <notch/gemm/plan.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>

namespace notch::detail {

/// Tiles of 2 x 2 results whose sums are found at once: their sums stay in the first-level cache.
inline constexpr std::size_t transformed_tiles = 24;

/// True where minimal filtering gives the sums.
[[nodiscard]] NOTCH_INLINE bool takes_transformed(const conv_job& job, const kernel_traits& traits) noexcept {
    return !traits.has_quad8 && job.filters->transformed().steps != 0 && meets_every_pixel(job.geometry) &&
           job.result[1] > 1 && job.result[2] > 1;
}

/// Cuts a convolution into blocks of lines, tiles and tasks for minimal filtering. False, and nothing changed, where too
/// little memory is left for tiles to pay.
[[nodiscard]] NOTCH_INLINE bool cut_transformed(conv_job& job, const kernel_traits& traits,
                                                std::size_t tasks) noexcept {
    const packed_header& head = job.product.weights.header();
    const std::size_t channels = job.image.shape[3];
    const std::size_t panels = head.panels() < traits.tile_panels ? 1 : traits.tile_panels;
    transformed_cut to;
    to.across = ceil_div(job.result[2], 2);
    to.tile_bytes = round_up(channels * sizeof(std::int16_t), 64);
    const std::size_t columns = 2 * to.across + 2;
    const std::size_t line = columns * channels * sizeof(std::int16_t);
    const auto band = [line](std::size_t lines) { return round_up((lines + 2) * line, 64) + 64; };
    const std::size_t all = job.most_workspace();
    const std::size_t sums = (16 + 4) * panels * step_bytes; // of a tile, and its results
    const std::size_t tile = 16 * to.tile_bytes + sums;
    const std::size_t height = round_up(job.result[1], 2);
    if (band(2) + std::min(traits.tile_rows, to.across * height / 2) * tile > all)
        return false;
    const std::size_t left = (all - band(2)) / tile;
    to.tiles = std::min({transformed_tiles, left, to.across * height / 2});
    if (to.tiles > traits.tile_rows)
        to.tiles -= to.tiles % traits.tile_rows;
    gemm_blocking& cut = job.product.cut;
    cut.tile_rows = traits.tile_rows;
    cut.tile_panels = panels;
    cut.groups = ceil_div(head.panels(), panels);
    cut.copies_rows = true;
    tasks = std::max<std::size_t>(tasks, 1);
    const std::size_t pairs = std::max<std::size_t>(job.result[0], 1) * height / 2; // of lines
    cut.row_tasks = pairs < 4 * tasks && cut.groups >= 2 * tasks ? 1 : std::min(tasks, pairs);
    cut.column_tasks = std::clamp<std::size_t>(tasks / cut.row_tasks, 1, cut.groups);
    const std::size_t most = std::min(height, 2 * ceil_div(pairs, cut.row_tasks));
    job.block_lines = 2;
    while (job.block_lines + 2 <= most && (job.block_lines + 2) * job.result[2] <= conv_block_pixels &&
           band(job.block_lines + 2) <= band_bytes && band(job.block_lines + 2) + to.tiles * tile <= all)
        job.block_lines += 2;
    to.tiles = std::min(to.tiles, to.across * job.block_lines / 2);
    to.image_bytes = 16 * to.tiles * to.tile_bytes;
    to.sum_bytes = 16 * to.tiles * panels * step_bytes;
    job.element = sizeof(std::int16_t);
    job.plane_channels = channels;
    job.band_columns = columns;
    job.pixel_bytes = static_cast<std::ptrdiff_t>(channels * job.element);
    job.line_bytes = static_cast<std::ptrdiff_t>(line);
    job.plane_bytes = static_cast<std::ptrdiff_t>(job.band_lines(job.block_lines)) * job.line_bytes;
    cut.row_bytes = band(job.block_lines);
    job.task_bytes = cut.row_bytes + to.image_bytes + to.tiles * sums;
    job.transformed = to;
    return true;
}

} // namespace notch::detail

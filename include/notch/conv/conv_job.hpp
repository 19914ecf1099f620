/// @file
/// A planned convolution: what conv_plan.hpp decides and its tasks read.
#pragma once

#include <notch/conv/geometry.hpp>
#include <notch/conv/packed_filters.hpp>
#include <notch/core/tensor_view.hpp>
#include <notch/gemm/panel_walk.hpp>

#include <cstddef>
#include <cstdint>

namespace notch::detail {

/// Bytes of panel operands that a convolution expands at once.
inline constexpr std::size_t conv_panel_bytes = std::size_t{32} << 10;
/// Pixels of the result in a block, at most, unless a line has more.
inline constexpr std::size_t conv_block_pixels = 1024;
/// Bytes of a band, unless a line of the result needs more.
inline constexpr std::size_t band_bytes = std::size_t{256} << 10;

/// Images in memory.
struct image_place {
    const std::uint8_t* data = nullptr; ///< int8 where is_signed
    bool is_signed = false;
    std::int32_t zero_point = 0;
    extents<4> shape{};             ///< [N, H, W, C]
    std::ptrdiff_t strides[4] = {}; ///< of codes
};

/// How images are cut for minimal filtering (transformed_filters.hpp): tiles of 2 x 2 results, some at a time.
struct transformed_cut {
    std::size_t tiles = 0;       ///< at a time; 0: sums are found tap by tap
    std::size_t across = 0;      ///< tiles of a line
    std::size_t tile_bytes = 0;  ///< of an element of a transformed tile, all channels
    std::size_t image_bytes = 0; ///< workspace of a task: transformed tiles
    std::size_t sum_bytes = 0;   ///< workspace of a task: the 16 sums of all tiles

    [[nodiscard]] bool is_taken() const noexcept { return tiles != 0; }
};

/// Results along one axis whose first or last taps meet padding only, see tap_windows.hpp.
struct tap_edges {
    std::size_t before = 0;       ///< first results
    std::size_t after = 0;        ///< last results
    std::size_t lacks_before = 0; ///< taps that all of the first ones lack
    std::size_t lacks_after = 0;  ///< taps that all of the last ones lack

    [[nodiscard]] bool exist() const noexcept { return lacks_before + lacks_after != 0; }
};

/// Parts of the result that see the same taps, see tap_windows.hpp.
enum class tap_region : std::uint8_t { middle, left, right, top, bottom };
inline constexpr std::size_t tap_regions = 5; ///< how many there are

/// A planned convolution.
struct conv_job {
    gemm_job product{};
    const packed_filters* filters = nullptr;
    image_place image{};
    conv_geometry geometry{};
    extents<4> result{}; ///< [N, OH, OW, O]

    bool in_place = false;          ///< rows point into the image
    std::size_t element = 1;        ///< bytes of a code in the operand
    std::size_t band_columns = 0;   ///< pixels of a line of the band
    std::ptrdiff_t pixel_bytes = 0; ///< from pixel to pixel, in the band or in the image
    std::ptrdiff_t line_bytes = 0;  ///< from line to line
    std::ptrdiff_t plane_bytes = 0; ///< from plane to plane of the band
    std::size_t column_step = 1;    ///< pixels of the operand from one result to the next
    std::size_t line_step = 1;      ///< lines of the operand
    std::size_t planes = 1;         ///< of the band
    std::size_t plane_channels = 0; ///< channels of each
    std::size_t block_lines = 1;    ///< lines of the result in a block
    tap_edges line_edges{};
    tap_edges column_edges{};
    std::size_t table_bytes = 0;   ///< workspace of a task: a pointer for each pixel of a block
    transformed_cut transformed{}; ///< where sums are found by minimal filtering
    std::size_t task_bytes = 0;    ///< workspace of a task

    [[nodiscard]] std::size_t lines() const noexcept { return result[0] * result[1]; }
    /// Bytes behind a band that kernels may read; they meet weights of value 0 only.
    [[nodiscard]] std::size_t slack_bytes() const noexcept {
        return product.choice.panel_groups > 1 ? group_read_bytes : step_inputs * element;
    }
    /// Lists of segments: one for each region.
    [[nodiscard]] std::size_t segment_lists() const noexcept {
        return line_edges.exist() || column_edges.exist() ? tap_regions : 1;
    }
    /// The workspace of one task stays below the image and 64 KiB, where one line of the result allows it.
    [[nodiscard]] std::size_t most_workspace() const noexcept {
        return image.shape[1] * image.shape[2] * image.shape[3] + (std::size_t{63} << 10);
    }
    [[nodiscard]] std::size_t workspace() const noexcept {
        return product.cut.segment_bytes + product.cut.tasks() * task_bytes;
    }
    /// Lines of the band for some lines of the result.
    [[nodiscard]] std::size_t band_lines(std::size_t count) const noexcept {
        return filters->shape()[2] == 1
                   ? count
                   : (count - 1) * geometry.stride.h + (filters->shape()[2] - 1) * geometry.dilation.h + 1;
    }
};

} // namespace notch::detail

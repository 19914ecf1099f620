/// @file
/// Taps that meet padding only are not multiplied: results are sorted by the taps that see the image.
///
///     left | top    | right        five regions of the result; those of the edges have filters with fewer lines or columns.
///          | middle |              A corner belongs to its column, and multiplies what lies above or below it by padding.
///          | bottom |
///
/// Each region has segments of its own (microkernel.hpp) that pass over the weights of the taps it lacks, and its zero point
/// meets the sum of the others.
#pragma once

#include <notch/conv/conv_job.hpp>
#include <notch/core/config.hpp>
#include <notch/core/int_math.hpp>
#include <notch/gemm/panel_walk.hpp>
#include <notch/gemm/plan.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace notch::detail {

/// The edges along one axis: `in` pixels, `out` results.
[[nodiscard]] NOTCH_INLINE tap_edges find_edges(std::size_t in, std::size_t out, std::size_t taps, std::size_t stride,
                                                std::size_t dilation, std::size_t padding) noexcept {
    tap_edges edges;
    const std::size_t reach = (taps - 1) * dilation; // of the last tap
    const std::size_t begin = ceil_div(padding, stride);
    const std::size_t end = in + padding > reach ? (in + padding - reach - 1) / stride + 1 : 0;
    if (begin >= std::min(end, out))
        return edges; // no result sees the image through all taps
    if (begin > 0) {
        edges.before = begin;
        edges.lacks_before = std::min(ceil_div(padding - (begin - 1) * stride, dilation), taps);
    }
    if (end < out) {
        edges.after = out - end;
        edges.lacks_after = taps - std::min(ceil_div(in + padding - end * stride, dilation), taps);
    }
    return edges;
}

/// Finds the edges of a convolution whose geometry is known, and has been planned as to kernel and band.
NOTCH_INLINE void find_windows(conv_job& job) noexcept {
    const packed_filters& filters = *job.filters;
    const kernel_choice& choice = job.product.choice;
    if (job.in_place || filters.sums_of_taps().lines.empty() || choice.family == dot_family::chain)
        return;
    const extents<4>& shape = filters.shape();
    const conv_geometry& g = job.geometry;
    job.line_edges = find_edges(job.image.shape[1], job.result[1], shape[2], g.stride.h, g.dilation.h, g.padding.top);
    if (!choice.slides && (!filters.joined() || filters.block() % step_inputs == 0))
        job.column_edges =
            find_edges(job.image.shape[2], job.result[2], shape[3], g.stride.w, g.dilation.w, g.padding.left);
}

/// The taps that a region sees.
[[nodiscard]] NOTCH_INLINE filter_taps taps_of_region(const conv_job& job, tap_region region) noexcept {
    filter_taps taps{0, 0, job.filters->shape()[2], job.filters->shape()[3]};
    const tap_edges& lines = job.line_edges;
    const tap_edges& columns = job.column_edges;
    switch (region) {
    case tap_region::middle:
        break;
    case tap_region::left:
        taps.left = columns.lacks_before;
        taps.width -= columns.lacks_before;
        break;
    case tap_region::right:
        taps.width -= columns.lacks_after;
        break;
    case tap_region::top:
        taps.top = lines.lacks_before;
        taps.height -= lines.lacks_before;
        break;
    case tap_region::bottom:
        taps.height -= lines.lacks_after;
        break;
    }
    return taps;
}

/// The sums of the taps that a region lacks: first or last ones of one axis.
[[nodiscard]] NOTCH_INLINE lacking_sums lacking_of_region(const conv_job& job, tap_region region) noexcept {
    const extents<4>& shape = job.filters->shape();
    const filter_taps seen = taps_of_region(job, region);
    const bool by_columns = seen.width != shape[3];
    const std::vector<std::int32_t>& sums =
        by_columns ? job.filters->sums_of_taps().columns : job.filters->sums_of_taps().lines;
    const std::size_t first = by_columns ? seen.left : seen.top;
    const std::size_t count = by_columns ? seen.width : seen.height;
    const std::size_t all = by_columns ? shape[3] : shape[2];
    if (job.product.zero_point == 0 || count == all)
        return {};
    return {sums.data() + (first == 0 ? count : 0) * shape[0], all - count, shape[0]};
}

/// Results of a region in a block of lines: a rectangle.
struct result_window {
    tap_region region = tap_region::middle;
    std::size_t top = 0; ///< line of the block
    std::size_t left = 0;
    std::size_t height = 0;
    std::size_t width = 0;
};

/// The windows of a block of lines.
struct result_windows {
    std::array<result_window, tap_regions> windows{};
    std::size_t count = 0;

    void add(const result_window& window) noexcept {
        if (window.height != 0 && window.width != 0)
            windows[count++] = window;
    }
};

/// Fewer results of an edge are computed with all taps, among those of the middle.
inline constexpr std::size_t least_window = 4;

/// Cuts the lines y .. y + lines of an image into windows.
[[nodiscard]] NOTCH_INLINE result_windows cut_windows(const conv_job& job, std::size_t y, std::size_t lines) noexcept {
    const auto gains = [](std::size_t height, std::size_t width, std::size_t lacks) {
        return lacks != 0 && height * width >= least_window;
    };
    const tap_edges& rows = job.line_edges;
    const tap_edges& columns = job.column_edges;
    const std::size_t left = gains(lines, columns.before, columns.lacks_before) ? columns.before : 0;
    const std::size_t right = gains(lines, columns.after, columns.lacks_after) ? columns.after : 0;
    const std::size_t width = job.result[2] - left - right;
    std::size_t top = std::min(rows.before - std::min(rows.before, y), lines);
    if (!gains(top, width, rows.lacks_before))
        top = 0;
    const std::size_t last = job.result[1] - rows.after; // line of the image
    std::size_t bottom = std::min(y + lines - std::min(last, y + lines), lines - top);
    if (!gains(bottom, width, rows.lacks_after))
        bottom = 0;
    result_windows all;
    all.add({tap_region::top, 0, left, top, width});
    all.add({tap_region::middle, top, left, lines - top - bottom, width});
    all.add({tap_region::bottom, lines - bottom, left, bottom, width});
    all.add({tap_region::left, 0, 0, lines, left});
    all.add({tap_region::right, 0, left + width, lines, right});
    return all;
}

/// A segment without the taps that a region lacks.
/// `piece`: its taps, of one line; `tap_steps`: of each of them, where there are several.
[[nodiscard]] NOTCH_INLINE row_segment clip_segment(row_segment segment, const segment_place& place,
                                                    const filter_taps& piece, const filter_taps& seen,
                                                    std::size_t tap_steps, dot_family family) noexcept {
    const std::size_t end = place.first + place.steps;
    std::size_t from = end;
    std::size_t to = end;
    if (piece.top >= seen.top && piece.top < seen.top + seen.height) {
        const auto step_of = [&](std::size_t column) { // from the first step of the piece
            return (std::clamp(column, piece.left, piece.left + piece.width) - piece.left) * tap_steps;
        };
        from = seen.left <= piece.left ? place.first : std::clamp(step_of(seen.left), place.first, end);
        if (seen.left + seen.width < piece.left + piece.width)
            to = std::clamp(step_of(seen.left + seen.width), from, end);
    }
    const std::size_t size = operand_step_bytes(family);
    segment.offset += static_cast<std::ptrdiff_t>((from - place.first) * row_step_bytes(family));
    segment.steps = static_cast<std::uint32_t>(to - from);
    segment.skips_before = static_cast<std::uint32_t>((from - place.first) * size);
    segment.skips_after = static_cast<std::uint32_t>((end - to) * size);
    return segment;
}

} // namespace notch::detail

/// @file
/// The plan of a convolution: kernel, segments of a dot product, and the cut into blocks of lines and tasks.
///
/// A pixel of the result is a row of a product. Its operand are the pixels of the image under the filter; nothing is
/// unfolded. Where the kernel takes the codes as they are and no tap falls outside, rows point into the image. Otherwise
/// a band of lines is copied, in the form of the kernel, with its padding, once for a block of lines of the result. Each block
/// of channels is a plane of the band, so that the taps of a line stand side by side whatever the blocks; groups, whose
/// channels are few, share one plane.
#pragma once

#include <notch/conv/conv_job.hpp>
#include <notch/conv/geometry.hpp>
#include <notch/conv/image.hpp>
#include <notch/conv/packed_filters.hpp>
#include <notch/conv/tap_windows.hpp>
#include <notch/conv/transformed_plan.hpp>
#include <notch/core/config.hpp>
#include <notch/core/int_math.hpp>
#include <notch/gemm/plan.hpp>
#include <notch/gemm/row_operand.hpp>
#include <notch/gemm/workspace.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>

namespace notch::detail {

/// The place of an image.
template <class Code> [[nodiscard]] image_place place_of(const image_codes<Code>& images) noexcept {
    image_place place;
    place.data = reinterpret_cast<const std::uint8_t*>(images.codes.data());
    place.is_signed = lowest_code<Code> < 0;
    place.zero_point = images.zero_point;
    place.shape = images.codes.shape();
    for (std::size_t axis = 0; axis < 4; ++axis)
        place.strides[axis] = place.shape[axis] == 1 ? 0 : images.codes.stride(axis);
    if (place.shape[3] == 1)
        place.strides[3] = 1;
    return place;
}

/// True where every tap of every result meets the image.
[[nodiscard]] NOTCH_INLINE bool stays_inside(const conv_job& job) noexcept {
    const extents<4>& filters = job.filters->shape();
    const conv_geometry& g = job.geometry;
    return g.padding.top == 0 && g.padding.left == 0 &&
           (job.result[1] - 1) * g.stride.h + (filters[2] - 1) * g.dilation.h < job.image.shape[1] &&
           (job.result[2] - 1) * g.stride.w + (filters[3] - 1) * g.dilation.w < job.image.shape[2];
}

/// True where rows may point into the image.
[[nodiscard]] NOTCH_INLINE bool image_in_place(const conv_job& job) noexcept {
    const kernel_choice& choice = job.product.choice;
    const packed_filters& filters = *job.filters;
    const std::size_t channels = filters.shape()[1];
    const auto pixel = static_cast<std::ptrdiff_t>(channels);
    const bool side_by_side = filters.shape()[3] == 1 || !filters.joined() || job.image.strides[2] == pixel;
    const bool one_plane = filters.shape()[3] == 1 || !filters.joined() || filters.blocks() == 1;
    const std::size_t piece = filters.joined() ? filters.block() * filters.shape()[3] : filters.block();
    const std::size_t coarse = filters.joined() ? filters.block() * filters.coarse().width : filters.block();
    const bool whole_steps = piece % step_inputs == 0 && coarse % step_inputs == 0 && channels % filters.block() == 0;
    return codes_in_place(choice, job.image.is_signed) && choice.panel_groups == 1 && job.image.strides[3] == 1 &&
           filters.order().empty() && side_by_side && one_plane && whole_steps && stays_inside(job);
}

/// Where the operand of a result lies, in a band or in the image.
NOTCH_INLINE void place_operand(conv_job& job) noexcept {
    const extents<4>& filters = job.filters->shape();
    const conv_geometry& g = job.geometry;
    job.element = row_step_bytes(job.product.choice.family) / step_inputs;
    job.in_place = image_in_place(job);
    if (job.in_place) {
        job.pixel_bytes = job.image.strides[2];
        job.line_bytes = job.image.strides[1];
        job.column_step = g.stride.w;
        job.line_step = g.stride.h;
        return;
    }
    // Filters of one column or line skip what they do not see.
    job.column_step = filters[3] == 1 ? 1 : g.stride.w;
    job.line_step = filters[2] == 1 ? 1 : g.stride.h;
    job.band_columns = (job.result[2] - 1) * job.column_step + (filters[3] - 1) * g.dilation.w + 1;
    if (job.filters->groups() == 1) {
        job.planes = job.filters->blocks();
        job.plane_channels = job.filters->block();
    } else {
        job.plane_channels = job.image.shape[3];
    }
    const std::size_t pixel = job.plane_channels * job.element;
    job.pixel_bytes = static_cast<std::ptrdiff_t>(pixel);
    job.line_bytes = static_cast<std::ptrdiff_t>(capped_bytes(job.band_columns, pixel));
}

/// Bytes of a band, with some behind it that the last step of a piece may read. At least most_bytes where it cannot be had.
[[nodiscard]] NOTCH_INLINE std::size_t bytes_of_band(const conv_job& job, std::size_t lines) noexcept {
    if (job.in_place)
        return 0;
    const std::size_t line = capped_bytes(job.planes, static_cast<std::size_t>(job.line_bytes));
    return round_up(capped_bytes(job.band_lines(lines), line) + job.slack_bytes(), 64);
}

/// Who plans, for messages.
[[nodiscard]] inline window_text text_of(const conv_job& job) {
    return {"conv2d", job.filters->name(), job.image.shape, {"filters", job.filters->shape()}};
}

/// Raises range_error where the band for one line of the result cannot be addressed.
inline void check_band(const conv_job& job) {
    if (bytes_of_band(job, 1) >= most_bytes)
        text_of(job).fail<range_error>("a line of the result takes a band of ", job.band_lines(1), " lines of ",
                                       job.band_columns, " pixels of ", job.planes * job.plane_channels * job.element,
                                       " bytes, padding and dilation included; the most are ", most_bytes, " bytes");
}
/// Raises range_error where the workspace of all tasks cannot be addressed.
inline void check_workspace(const conv_job& job) {
    const std::size_t tasks = job.product.cut.tasks();
    if (job.task_bytes > (most_bytes - unaligned_workspace(job.product.cut.segment_bytes)) / tasks)
        text_of(job).fail<range_error>(tasks, " tasks with a workspace of ", job.task_bytes,
                                       " bytes each; the most are ", most_bytes, " bytes");
}

/// Cuts a convolution into blocks of lines and tasks.
NOTCH_INLINE void cut_convolution(conv_job& job, const kernel_traits& traits, std::size_t tasks) noexcept {
    const packed_header& head = job.product.weights.header();
    const kernel_choice& choice = job.product.choice;
    gemm_blocking& cut = job.product.cut;
    cut.tile_panels = job.filters->groups() > 1 ? 1 : traits.panels_of_tile(head.panels(), choice.finish);
    cut.tile_rows = choice.slides             ? sliding_rows
                    : choice.panel_groups > 1 ? group_rows
                                              : traits.rows_of_tile(cut.tile_panels, choice.finish);
    cut.groups = ceil_div(head.panels(), cut.tile_panels);
    cut.copies_panels = !panels_in_place(head, choice); // numbers of depth blocks, where codes are unpacked in tiles
    cut.copies_rows = !job.in_place;
    tasks = std::max<std::size_t>(tasks, 1);
    // Few lines cannot be shared evenly; panels are, then.
    const std::size_t all_lines = std::max<std::size_t>(job.lines(), 1); // no images are planned as one
    cut.row_tasks = all_lines < 8 * tasks && cut.groups >= 2 * tasks ? 1 : std::min(tasks, all_lines);
    cut.column_tasks = std::clamp<std::size_t>(tasks / cut.row_tasks, 1, cut.groups);
    cut.segment_bytes = round_up(job.segment_lists() * choice.segments * sizeof(row_segment), 64);

    const std::size_t panels = cut.copies_panels ? cut.tile_panels * round_up(choice.part_bytes, 64) : 0;
    const std::size_t width = job.result[2];
    const auto sums = [&](std::size_t lines) {
        return choice.parts > 1 ? lines * width * cut.tile_panels * step_bytes : 0;
    };
    const auto table = [&](std::size_t lines) { return round_up(lines * width * sizeof(void*), 64); };
    const std::size_t all = job.most_workspace();
    const std::size_t taken = std::min(all, panels + cut.segment_bytes);
    const auto fits = [&](std::size_t lines) {
        const std::size_t band = bytes_of_band(job, lines);
        return lines * width <= conv_block_pixels && band <= band_bytes &&
               band + sums(lines) + table(lines) <= all - taken;
    };
    const std::size_t most = std::min(job.result[1], ceil_div(all_lines, cut.row_tasks));
    job.block_lines = 1;
    for (std::size_t lines = 2; lines <= most && fits(lines); ++lines)
        job.block_lines = lines;
    job.block_lines = ceil_div(most, ceil_div(most, job.block_lines)); // blocks of like size
    if (!job.in_place)
        job.plane_bytes = static_cast<std::ptrdiff_t>(job.band_lines(job.block_lines)) * job.line_bytes;
    cut.row_bytes = bytes_of_band(job, job.block_lines);
    cut.sum_bytes = sums(job.block_lines);
    job.table_bytes = table(job.block_lines);
    job.task_bytes = job.table_bytes + cut.row_bytes + cut.sum_bytes + panels;
}

/// Rows of a tile from which on results side by side gain: sums of fewer wait for each other.
inline constexpr std::size_t least_sliding_rows = 9;

/// Steps of a dot product from which on unpacking in tiles is faster than expanding for all pixels of a block.
inline constexpr std::size_t least_unpacked_steps = 64;

/// Lets the microkernels unpack the codes of filters where they can, and gain: whole groups of panels, taps that are whole
/// units.
NOTCH_INLINE void choose_unpacking(kernel_choice& choice, const kernel_traits& traits,
                                   const packed_filters& filters) noexcept {
    const packed_header& head = filters.weights().header();
    const std::size_t unit = head.unit_steps() * step_inputs;                      // inputs
    const std::size_t numbers = head.blocks * unpack_number_bytes(choice.absorbs); // of a panel
    if (!unpacks_values(traits, head, choice) || head.panels() % traits.tile_panels != 0 || filters.groups() != 1 ||
        head.term_steps(0) < least_unpacked_steps || filters.block() % unit != 0 ||
        filters.shape()[1] % filters.block() != 0 || numbers * traits.tile_panels > conv_panel_bytes)
        return;
    choice = choose_kernel(traits, head, filters.pieces(), unlimited_steps * traits.tile_panels);
    choice.unpacks = true;
    choice.part_bytes = numbers;
}

/// Lets results side by side share their pixels, where outputs fill one panel only. Kernel and panels have been chosen.
NOTCH_INLINE void choose_sliding(conv_job& job, const kernel_traits& traits) noexcept {
    const packed_filters& filters = *job.filters;
    const packed_header& head = job.product.weights.header();
    kernel_choice& choice = job.product.choice;
    const extents<4>& shape = filters.shape();
    const std::size_t width = job.result[2];
    choice.slides = traits.slides && choice.family == dot_family::quad && choice.finish == dot_finish::once &&
                    choice.parts == 1 && head.panels() == 1 && head.terms == 1 && filters.groups() == 1 &&
                    filters.joined() && shape[3] == sliding_taps && job.geometry.stride.w == 1 &&
                    job.geometry.dilation.w == 1 && filters.block() == sliding_pixel_steps * step_inputs &&
                    shape[1] % filters.block() == 0 && width / ceil_div(width, sliding_rows) >= least_sliding_rows;
    if (choice.slides)
        job.product.line_rows = width;
}

/// Plans a convolution for an instruction set of some traits. Geometry and extents have been checked. Raises range_error where
/// its workspace cannot be addressed.
[[nodiscard]] NOTCH_INLINE conv_job plan_convolution(const kernel_traits& traits, const packed_filters& filters,
                                                     const image_place& image, const conv_geometry& geometry,
                                                     const extents<4>& result, std::size_t tasks) {
    conv_job job;
    job.filters = &filters;
    job.image = image;
    job.geometry = geometry;
    job.result = result;
    job.product.weights.base = filters.weights().bytes().data();
    job.product.choice = choose_kernel(traits, job.product.weights.header(), filters.pieces(), conv_panel_bytes,
                                       filters.coarse_pieces());
    choose_unpacking(job.product.choice, traits, filters);
    if (traits.joins_groups && job.product.choice.finish == dot_finish::once && filters.blocks() == 1) {
        job.product.choice.panel_groups = filters.panel_groups();
        job.product.choice.group_channels = filters.shape()[1];
    }
    job.product.zero_point = operand_zero_point(job.product.choice, image.is_signed, image.zero_point);
    if (!takes_transformed(job, traits) || !cut_transformed(job, traits, tasks)) {
        choose_sliding(job, traits);
        place_operand(job);
        check_band(job);
        find_windows(job);
        cut_convolution(job, traits, tasks);
    }
    check_workspace(job);
    return job;
}

/// The segments of each region. `to` has job.segment_lists() times choice.segments elements.
inline void fill_segments(const conv_job& job, row_segment* to) noexcept {
    const kernel_choice& choice = job.product.choice;
    const packed_filters& filters = *job.filters;
    const auto step = static_cast<std::ptrdiff_t>(row_step_bytes(choice.family));
    const bool planes = !job.in_place && filters.groups() == 1;
    const std::ptrdiff_t block = planes ? job.plane_bytes : static_cast<std::ptrdiff_t>(filters.block() * job.element);
    const std::size_t terms = job.product.weights.header().terms;
    filter_taps seen[tap_regions];
    for (std::size_t r = 0; r < tap_regions; ++r)
        seen[r] = taps_of_region(job, static_cast<tap_region>(r));
    walk_segments(job.product.weights.header(), choice, [&](const segment_place& place) {
        const filter_taps all{0, 0, filters.shape()[2], filters.shape()[3]};
        const filter_taps& taps = place.term + 1 < terms ? filters.coarse() : all;
        const std::size_t columns = filters.joined() ? 1 : taps.width;
        const filter_taps piece{taps.top + place.piece / columns, taps.left + place.piece % columns, 1,
                                filters.joined() ? taps.width : 1};
        const auto kh = static_cast<std::ptrdiff_t>(piece.top * job.geometry.dilation.h);
        const auto kw = static_cast<std::ptrdiff_t>(piece.left * job.geometry.dilation.w);
        const std::ptrdiff_t offset = kh * job.line_bytes + kw * job.pixel_bytes +
                                      static_cast<std::ptrdiff_t>(place.block) * block +
                                      static_cast<std::ptrdiff_t>(place.first) * step;
        const row_segment segment{offset, static_cast<std::uint32_t>(place.steps), place.begins, place.ends,
                                  place.ends_part};
        for (std::size_t r = 0; r < job.segment_lists(); ++r)
            to[r * choice.segments] =
                clip_segment(segment, place, piece, seen[r],
                             filters.joined() ? filters.block() / step_inputs : unlimited_steps, choice.family);
        ++to;
    });
}

} // namespace notch::detail

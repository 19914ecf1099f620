/// @file
/// One task of a convolution: bands of the image, pointers to the operand of each pixel, the walk over the panels.
#pragma once

#include <notch/conv/conv_plan.hpp>
#include <notch/conv/tap_windows.hpp>
#include <notch/core/config.hpp>
#include <notch/gemm/panel_walk.hpp>
#include <notch/gemm/row_operand.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>

namespace notch::detail {

/// Copies lines of an image in the form of a kernel, with padding around them.
template <class Arch> class band_maker {
public:
    explicit band_maker(const conv_job& job) noexcept
        : job_(job), image_(job.image), write_(job.product.choice, job.image.is_signed, job.image.zero_point),
          column_step_(job.filters->shape()[3] == 1 ? job.geometry.stride.w : 1) {
        // Pixels of the band that lie in the image.
        const std::size_t left = job.geometry.padding.left;
        first_ = std::min(ceil_div(left, column_step_), job.band_columns);
        const std::size_t end = left + image_.shape[2];
        last_ = std::max(first_, std::min(ceil_div(end, column_step_), job.band_columns));
    }

    /// Writes the band for lines line .. line + lines of the result of image n.
    void operator()(std::size_t n, std::size_t line, std::size_t lines, std::byte* to) const noexcept {
        const std::size_t step = job_.filters->shape()[2] == 1 ? job_.geometry.stride.h : 1;
        const std::size_t count = job_.band_lines(lines);
        for (std::size_t l = 0; l < count; ++l) {
            // A line above the image wraps to a number beyond it.
            const std::size_t h = line * job_.geometry.stride.h + l * step - job_.geometry.padding.top;
            const std::uint8_t* from = h < image_.shape[1]
                                           ? image_.data + static_cast<std::ptrdiff_t>(n) * image_.strides[0] +
                                                 static_cast<std::ptrdiff_t>(h) * image_.strides[1]
                                           : nullptr;
            std::byte* plane = to + static_cast<std::ptrdiff_t>(l) * job_.line_bytes;
            for (std::size_t p = 0; p < job_.planes; ++p, plane += job_.plane_bytes)
                write_line(from, p * job_.plane_channels, plane);
        }
        std::memset(to + static_cast<std::ptrdiff_t>(job_.planes) * job_.plane_bytes, 0, job_.slack_bytes());
    }

private:
    /// Pixels of padding.
    void fill(std::size_t pixels, std::byte* to) const noexcept {
        std::memset(to, write_.zero_byte(), pixels * static_cast<std::size_t>(job_.pixel_bytes));
    }

    /// One line of the plane that begins with a channel; null is a line of padding.
    void write_line(const std::uint8_t* line, std::size_t channel, std::byte* to) const noexcept {
        if (line == nullptr) {
            fill(job_.band_columns, to);
            return;
        }
        fill(first_, to);
        to += static_cast<std::ptrdiff_t>(first_) * job_.pixel_bytes;
        const std::size_t pixels = last_ - first_;
        const auto step = static_cast<std::ptrdiff_t>(column_step_) * image_.strides[2];
        const std::uint8_t* from =
            line + static_cast<std::ptrdiff_t>(first_ * column_step_ - job_.geometry.padding.left) * image_.strides[2];
        const std::size_t count = std::min(job_.plane_channels, image_.shape[3] - channel);
        const std::size_t gap = (job_.plane_channels - count) * write_.size();
        if (image_.strides[3] == 1 && job_.filters->order().empty()) {
            from += channel;
            if (gap == 0 && step == static_cast<std::ptrdiff_t>(count)) {
                write_(from, pixels * count, to);
                to += static_cast<std::ptrdiff_t>(pixels) * job_.pixel_bytes;
            } else if (gap == 0 && write_.writes_pixels(count)) {
                write_.pixels(from, step, pixels, count, to);
                to += static_cast<std::ptrdiff_t>(pixels) * job_.pixel_bytes;
            } else {
                for (std::size_t x = 0; x < pixels; ++x, from += step, to += job_.pixel_bytes) {
                    write_(from, count, to);
                    std::memset(to + count * write_.size(), 0, gap);
                }
            }
        } else {
            for (std::size_t x = 0; x < pixels; ++x, from += step, to += job_.pixel_bytes) {
                gather(from, channel, count, to);
                std::memset(to + count * write_.size(), 0, gap);
            }
        }
        fill(job_.band_columns - last_, to);
    }

    /// Channels of a pixel that lie apart, or have an order within each group.
    void gather(const std::uint8_t* pixel, std::size_t first, std::size_t count, std::byte* to) const noexcept {
        constexpr std::size_t piece = 256;
        std::uint8_t codes[piece];
        const auto order = job_.filters->order();
        for (std::size_t c = 0; c < count; c += piece) {
            const std::size_t some = std::min(piece, count - c);
            for (std::size_t i = 0; i < some; ++i) {
                std::size_t channel = first + c + i;
                if (!order.empty())
                    channel = channel - channel % order.size() + order[channel % order.size()];
                codes[i] = pixel[static_cast<std::ptrdiff_t>(channel) * image_.strides[3]];
            }
            write_(codes, some, to + c * write_.size());
        }
    }

    const conv_job& job_;
    const image_place& image_;
    code_writer<Arch> write_;
    std::size_t column_step_; ///< pixels of the image from one of the band to the next
    std::size_t first_ = 0;
    std::size_t last_ = 0;
};

/// Pointers to the operands of all rows.
struct listed_operands {
    const std::byte* const* list;
};

/// One task.
template <class Arch, class Store> class conv_task {
public:
    conv_task(const conv_job& job, const Store& store, std::byte* workspace) noexcept
        : job_(job), make_band_(job), pointers_(reinterpret_cast<const std::byte**>(workspace)),
          band_(workspace + job.table_bytes), walk_(job.product, store, band_ + job.product.cut.row_bytes) {}

    /// Computes task number `task`.
    void run(std::size_t task) noexcept {
        const gemm_blocking& cut = job_.product.cut;
        const std::size_t row_task = task / cut.column_tasks;
        const std::size_t column_task = task % cut.column_tasks;
        const std::size_t end = part_begin(job_.lines(), cut.row_tasks, row_task + 1);
        const std::size_t first_group = part_begin(cut.groups, cut.column_tasks, column_task);
        const std::size_t last_group = part_begin(cut.groups, cut.column_tasks, column_task + 1);
        const std::size_t height = job_.result[1];
        for (std::size_t line = part_begin(job_.lines(), cut.row_tasks, row_task); line < end;) {
            const std::size_t y = line % height;
            const std::size_t lines = std::min({job_.block_lines, height - y, end - line});
            point(line / height, y, lines);
            for (std::size_t group = first_group; group < last_group; ++group)
                run_group(group);
            line += lines;
        }
    }

private:
    /// Finds the operands of some lines of the result, window by window.
    void point(std::size_t n, std::size_t y, std::size_t lines) noexcept {
        const std::byte* first = band_;
        if (job_.in_place)
            first = reinterpret_cast<const std::byte*>(job_.image.data) +
                    static_cast<std::ptrdiff_t>(n) * job_.image.strides[0] +
                    static_cast<std::ptrdiff_t>(y * job_.line_step) * job_.line_bytes;
        else
            make_band_(n, y, lines, band_);
        const std::size_t width = job_.result[2];
        const std::ptrdiff_t line_step = static_cast<std::ptrdiff_t>(job_.line_step) * job_.line_bytes;
        const std::ptrdiff_t pixel_step = static_cast<std::ptrdiff_t>(job_.column_step) * job_.pixel_bytes;
        const result_windows cut = cut_windows(job_, y, lines);
        window_count_ = cut.count;
        const std::byte** to = pointers_;
        for (std::size_t w = 0; w < cut.count; ++w) {
            const result_window& window = cut.windows[w];
            const std::size_t rows = window.height * window.width;
            windows_[w] = {(n * job_.result[1] + y + window.top) * width + window.left,
                           rows,
                           window.width == width ? rows : window.width,
                           width,
                           job_.product.segments +
                               static_cast<std::size_t>(window.region) * job_.product.choice.segments,
                           lacking_of_region(job_, window.region)};
            const std::byte* line = first + static_cast<std::ptrdiff_t>(window.top) * line_step +
                                    static_cast<std::ptrdiff_t>(window.left) * pixel_step;
            for (std::size_t l = 0; l < window.height; ++l, line += line_step) {
                const std::byte* pixel = line;
                for (std::size_t x = 0; x < window.width; ++x, pixel += pixel_step)
                    *to++ = pixel;
            }
        }
    }

    void run_group(std::size_t group) noexcept {
        const packed_filters& filters = *job_.filters;
        if (filters.groups() == 1) {
            walk_.run_group(group, windows_, window_count_, listed_operands{pointers_});
            return;
        }
        // A panel belongs to one group of channels, or to several, side by side.
        const std::size_t sharing = filters.panel_groups();
        const std::size_t first = sharing > 1 ? group * sharing : group * panel_columns / filters.group_columns();
        const auto run = [&](std::size_t channel_group, const column_range& columns) {
            const std::size_t offset = channel_group * filters.shape()[1] * job_.element;
            walk_.run_group(
                group, windows_, window_count_, [this, offset](std::size_t r) { return pointers_[r] + offset; },
                columns);
        };
        if (sharing == job_.product.choice.panel_groups) {
            run(first, {});
            return;
        }
        // Kernels take the panel for one group: its columns are what is wanted of it.
        for (std::size_t g = 0; g < sharing; ++g)
            if (g * filters.group_outputs() + group * panel_columns < filters.outputs())
                run(first + g, {g * filters.group_outputs(), filters.group_outputs()});
    }

    const conv_job& job_;
    band_maker<Arch> make_band_;
    const std::byte** pointers_;
    std::byte* band_;
    panel_walk<Arch, Store> walk_;
    row_window windows_[tap_regions];
    std::size_t window_count_ = 0;
};

} // namespace notch::detail

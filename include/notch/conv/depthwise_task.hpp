/// @file
/// One task of a depthwise convolution: source lines become units, lines of sums are computed, tiles are stored.
#pragma once

#include <notch/conv/depthwise_line.hpp>
#include <notch/conv/depthwise_plan.hpp>
#include <notch/conv/pack_depthwise.hpp>
#include <notch/core/config.hpp>
#include <notch/gemm/blocking.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>

namespace notch::detail {

/// A depthwise convolution without its epilogue.
struct depthwise_job {
    const packed_depthwise* weights = nullptr;
    depthwise_problem problem{};
    depthwise_cut cut{};
    std::uint8_t flip = 0;      ///< is xored with the codes of the source
    std::uint8_t zero_code = 0; ///< what padding holds, once it is xored
};

/// Makes units of the source lines of one panel.
template <class Arch> class depthwise_lines {
    using ops = simd::depthwise_ops<Arch>;
    static constexpr std::size_t columns = ops::columns;
    static constexpr std::size_t channels = simd::depthwise_channels;

public:
    explicit depthwise_lines(const depthwise_job& job) noexcept : job_(job), problem_(job.problem) {
        std::memset(padding_, static_cast<int>(job.zero_code ^ job.flip), channels);
    }

    /// Makes the units of a line for the block of output columns that begins at `first_column`. `line` is its first code.
    void make(const std::uint8_t* line, std::size_t panel, std::size_t first_column, std::size_t block_columns,
              std::byte* to) noexcept {
        const std::size_t output = panel * channels;
        const std::size_t count = std::min(channels, problem_.outputs() - output);
        const bool plain = problem_.multiplier == 1 && problem_.channel_stride == 1;
        line_ = line;
        output_ = output;
        // Pixels that can be read as sixteen codes: all of them, or those that others follow.
        readable_ = !plain                     ? 0
                    : count == channels        ? problem_.width
                    : !is_dense(problem_)      ? 0
                    : problem_.width <= behind(count) ? 0
                                               : problem_.width - behind(count);
        const depthwise_cut& cut = job_.cut;
        for (std::size_t c = 0; c < std::min(cut.class_count, block_columns); ++c) {
            const std::size_t units = cut.class_units(cut.class_outputs(block_columns, c));
            make_class((first_column + c) * problem_.stride_w, units, to);
            to += units * ops::unit_bytes;
        }
    }

private:
    [[nodiscard]] static bool is_dense(const depthwise_problem& p) noexcept {
        return p.pixel_stride == static_cast<std::ptrdiff_t>(p.channels);
    }
    /// How many pixels at the end of a line are too close to it to be read as sixteen codes.
    [[nodiscard]] std::size_t behind(std::size_t count) const noexcept {
        return ceil_div(channels - count, problem_.channels);
    }

    /// Units whose first column is `start` in the padded image, the next one a dilation further.
    void make_class(std::size_t start, std::size_t units, std::byte* to) noexcept {
        const std::size_t step = problem_.dilation_w;
        const std::size_t left = problem_.left;
        // Columns [begin, end) of the class can be read in place.
        const std::size_t begin = start >= left ? 0 : ceil_div(left - start, step);
        const std::size_t end = readable_ + left > start ? ceil_div(readable_ + left - start, step) : 0;
        const std::size_t first = std::min(ceil_div(begin, columns), units);
        const std::size_t last = std::clamp(end / columns, first, units);
        for (std::size_t u = 0; u < first; ++u)
            make_unit(start, u, to + u * ops::unit_bytes);
        if (first < last) {
            const std::ptrdiff_t column_step = static_cast<std::ptrdiff_t>(step) * problem_.pixel_stride;
            const std::uint8_t* from =
                line_ + static_cast<std::ptrdiff_t>(output_) +
                static_cast<std::ptrdiff_t>(start + first * columns * step - left) * problem_.pixel_stride;
            std::byte* unit = to + first * ops::unit_bytes;
            for (std::size_t u = first; u < last; ++u) {
                const std::uint8_t* pixels[columns];
#pragma GCC unroll 4
                for (std::size_t i = 0; i < columns; ++i)
                    pixels[i] = from + static_cast<std::ptrdiff_t>(i) * column_step;
                ops::unit_of_codes(pixels, job_.flip, unit);
                from += static_cast<std::ptrdiff_t>(columns) * column_step;
                unit += ops::unit_bytes;
            }
        }
        for (std::size_t u = last; u < units; ++u)
            make_unit(start, u, to + u * ops::unit_bytes);
    }

    /// One unit near a border, or of channels that do not lie side by side.
    void make_unit(std::size_t start, std::size_t unit, std::byte* to) const noexcept {
        std::uint8_t gathered[columns][channels];
        const std::uint8_t* pixels[columns];
        for (std::size_t i = 0; i < columns; ++i) {
            const std::size_t padded = start + (unit * columns + i) * problem_.dilation_w;
            pixels[i] = padding_;
            if (padded < problem_.left || padded - problem_.left >= problem_.width)
                continue;
            const std::size_t x = padded - problem_.left;
            const std::uint8_t* pixel = line_ + static_cast<std::ptrdiff_t>(x) * problem_.pixel_stride;
            if (x < readable_) {
                pixels[i] = pixel + output_;
            } else {
                gather(pixel, gathered[i]);
                pixels[i] = gathered[i];
            }
        }
        ops::unit_of_codes(pixels, job_.flip, to);
    }

    /// The codes of sixteen outputs of one pixel.
    void gather(const std::uint8_t* pixel, std::uint8_t* to) const noexcept {
        const std::size_t count = std::min(channels, problem_.outputs() - output_);
        if (problem_.multiplier == 1) {
            for (std::size_t i = 0; i < count; ++i)
                to[i] = pixel[static_cast<std::ptrdiff_t>(output_ + i) * problem_.channel_stride];
        } else {
            std::size_t channel = output_ / problem_.multiplier;
            std::size_t left = problem_.multiplier - output_ % problem_.multiplier;
            for (std::size_t i = 0; i < count; ++i) {
                to[i] = pixel[static_cast<std::ptrdiff_t>(channel) * problem_.channel_stride];
                if (--left == 0) {
                    ++channel;
                    left = problem_.multiplier;
                }
            }
        }
        for (std::size_t i = count; i < channels; ++i)
            to[i] = 0;
    }

    const depthwise_job& job_;
    const depthwise_problem& problem_;
    const std::uint8_t* line_ = nullptr;
    std::size_t output_ = 0;
    std::size_t readable_ = 0;
    std::uint8_t padding_[channels];
};

/// The operands of the weights of one panel: [phase][row][unit]. `values` has room for the taps and one more.
template <class Arch>
void make_depthwise_weights(const depthwise_job& job, std::size_t panel, std::int8_t* values, std::byte* to) noexcept {
    using ops = simd::depthwise_ops<Arch>;
    constexpr std::size_t columns = ops::columns;
    const depthwise_header& head = job.weights->header();
    const std::size_t taps = head.kernel_w;
    depthwise_values(*job.weights, head, panel, values);
    const std::int8_t* none = values + head.taps() * panel_columns;
    std::memset(values + head.taps() * panel_columns, 0, panel_columns);
    for (std::size_t phase = 0; phase < job.cut.phases; ++phase)
        for (std::size_t row = 0; row < head.kernel_h; ++row)
            for (std::size_t unit = 0; unit < job.cut.units; ++unit, to += ops::unit_bytes) {
                const std::int8_t* pointers[columns];
                for (std::size_t i = 0; i < columns; ++i) {
                    const std::size_t tap = unit * columns + i - phase; // wraps below 0
                    pointers[i] = tap < taps ? values + (row * taps + tap) * panel_columns : none;
                }
                ops::unit_of_weights(pointers, to);
            }
}

/// One task. `store(tile, image, line, column, lines, columns, first output)` takes sums [lines][columns][16].
template <class Arch, class Store> class depthwise_task {
    using ops = simd::depthwise_ops<Arch>;
    static constexpr std::size_t channels = simd::depthwise_channels;

public:
    depthwise_task(const depthwise_job& job, const Store& store, std::byte* workspace) noexcept
        : job_(job), problem_(job.problem), cut_(job.cut), store_(store), lines_(job), weights_(workspace),
          ring_(weights_ + cut_.group_panels * cut_.weight_bytes),
          padding_(ring_ + cut_.group_panels * cut_.ring_lines * cut_.line_bytes),
          tile_(reinterpret_cast<std::int32_t*>(padding_ + cut_.line_bytes)),
          values_(reinterpret_cast<std::int8_t*>(padding_ + cut_.line_bytes + cut_.tile_bytes)),
          rows_(reinterpret_cast<const std::byte**>(padding_ + cut_.line_bytes + cut_.tile_bytes + cut_.value_bytes)) {}

    /// Computes task number `task`.
    void run(std::size_t task) noexcept {
        const std::size_t line_task = task / cut_.group_tasks;
        const std::size_t group_task = task % cut_.group_tasks;
        const std::size_t lines = problem_.images * problem_.out_height;
        const std::size_t first = part_begin(lines, cut_.line_tasks, line_task);
        const std::size_t end = part_begin(lines, cut_.line_tasks, line_task + 1);
        const std::size_t last_group = part_begin(cut_.groups, cut_.group_tasks, group_task + 1);
        fill_padding();
        for (std::size_t g = part_begin(cut_.groups, cut_.group_tasks, group_task); g < last_group; ++g)
            run_group(g, first, end);
    }

private:
    void fill_padding() noexcept {
        std::uint8_t codes[channels];
        std::memset(codes, static_cast<int>(job_.zero_code ^ job_.flip), channels);
        const std::uint8_t* pixels[ops::columns];
        for (const std::uint8_t*& pixel : pixels)
            pixel = codes;
        for (std::size_t at = 0; at < cut_.line_bytes; at += ops::unit_bytes)
            ops::unit_of_codes(pixels, job_.flip, padding_ + at);
    }

    void run_group(std::size_t group, std::size_t first, std::size_t end) noexcept {
        const std::size_t panels = ceil_div(problem_.outputs(), channels);
        first_panel_ = group * cut_.group_panels;
        panels_ = std::min(cut_.group_panels, panels - first_panel_);
        for (std::size_t p = 0; p < panels_; ++p)
            make_depthwise_weights<Arch>(job_, first_panel_ + p, values_, weights_ + p * cut_.weight_bytes);
        for (std::size_t column = 0; column < problem_.out_width; column += cut_.block_columns) {
            column_ = column;
            columns_ = std::min(cut_.block_columns, problem_.out_width - column);
            for (std::size_t line = first; line < end;) {
                const std::size_t image = line / problem_.out_height;
                const std::size_t begin = line % problem_.out_height;
                const std::size_t count = std::min(problem_.out_height - begin, end - line);
                run_image(image, begin, begin + count);
                line += count;
            }
        }
    }

    /// Output lines of one image.
    void run_image(std::size_t image, std::size_t begin, std::size_t end) noexcept {
        made_ = 0;
        for (std::size_t y = begin; y < end; y += cut_.tile_lines) {
            const std::size_t lines = std::min(cut_.tile_lines, end - y);
            const std::size_t from = first_line(y);
            const std::size_t to = std::min(
                first_line(y + lines - 1, (problem_.kernel_h - 1) * problem_.dilation_h + 1), problem_.height);
            for (std::size_t p = 0; p < panels_; ++p) {
                for (std::size_t line = std::max(from, made_); line < to; ++line)
                    if (is_read(line))
                        make_line(image, line, p);
                run_tile(image, y, lines, p);
            }
            made_ = std::max(made_, to);
        }
    }

    /// The source line, no less than 0, that lies `beyond` lines behind the first one of an output line.
    [[nodiscard]] std::size_t first_line(std::size_t y, std::size_t beyond = 0) const noexcept {
        const std::size_t padded = y * problem_.stride_h + beyond;
        return padded < problem_.top ? 0 : padded - problem_.top;
    }

    /// True where some output line reads a source line.
    [[nodiscard]] bool is_read(std::size_t line) const noexcept {
        if (problem_.stride_h == 1)
            return true;
        for (std::size_t r = 0; r < problem_.kernel_h; ++r)
            if (line + problem_.top >= r * problem_.dilation_h &&
                (line + problem_.top - r * problem_.dilation_h) % problem_.stride_h == 0)
                return true;
        return false;
    }

    [[nodiscard]] std::byte* ring_line(std::size_t panel, std::size_t line) const noexcept {
        return ring_ + (panel * cut_.ring_lines + line % cut_.ring_lines) * cut_.line_bytes;
    }

    void make_line(std::size_t image, std::size_t line, std::size_t panel) noexcept {
        const std::uint8_t* from = problem_.source + static_cast<std::ptrdiff_t>(image) * problem_.image_stride +
                                   static_cast<std::ptrdiff_t>(line) * problem_.line_stride;
        lines_.make(from, first_panel_ + panel, column_, columns_, ring_line(panel, line));
    }

    void run_tile(std::size_t image, std::size_t y, std::size_t lines, std::size_t panel) noexcept {
        depthwise_line work;
        work.rows = rows_;
        work.weights = weights_ + panel * cut_.weight_bytes;
        work.row_count = problem_.kernel_h;
        work.units = cut_.units;
        work.stride = cut_.class_stride;
        work.sums_stride = cut_.class_count * channels;
        const depthwise_kernel kernel =
            find_depthwise_kernel<Arch>(problem_.kernel_h, problem_.kernel_w, cut_.class_stride);
        for (std::size_t i = 0; i < lines; ++i) {
            for (std::size_t r = 0; r < problem_.kernel_h; ++r) {
                const std::size_t padded = (y + i) * problem_.stride_h + r * problem_.dilation_h;
                const bool inside = padded >= problem_.top && padded - problem_.top < problem_.height;
                rows_[r] = inside ? ring_line(panel, padded - problem_.top) : padding_;
            }
            for (std::size_t c = 0; c < std::min(cut_.class_count, columns_); ++c) {
                work.count = cut_.class_outputs(columns_, c);
                work.sums = tile_ + (i * columns_ + c) * channels;
                kernel(work);
                const std::size_t bytes = cut_.class_units(work.count) * ops::unit_bytes;
                for (std::size_t r = 0; r < problem_.kernel_h; ++r)
                    rows_[r] += bytes;
            }
        }
        store_(tile_, image, y, column_, lines, columns_, (first_panel_ + panel) * channels);
    }

    const depthwise_job& job_;
    const depthwise_problem& problem_;
    const depthwise_cut& cut_;
    const Store& store_;
    depthwise_lines<Arch> lines_;
    std::byte* weights_;
    std::byte* ring_;
    std::byte* padding_;
    std::int32_t* tile_;
    std::int8_t* values_;
    const std::byte** rows_;
    std::size_t first_panel_ = 0;
    std::size_t panels_ = 0;
    std::size_t column_ = 0;
    std::size_t columns_ = 0;
    std::size_t made_ = 0; ///< source lines below are made, where they are still kept
};

} // namespace notch::detail

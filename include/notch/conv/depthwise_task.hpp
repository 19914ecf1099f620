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
};

/// Makes units of the source lines of a block, for one panel.
template <class Arch, bool Signed> class depthwise_source {
    using ops = simd::depthwise_ops<Arch>;
    static constexpr std::size_t columns = ops::columns;
    static constexpr std::size_t channels = simd::depthwise_channels;
    static constexpr std::size_t slice_bytes = ops::unit_bytes / ops::slices;
    static constexpr std::size_t short_line = 8;

public:
    /// Of panel number `panel`.
    depthwise_source(const depthwise_job& job, std::size_t panel) noexcept
        : problem_(job.problem), cut_(job.cut), slice_step_(cut_.line_bytes / ops::slices), output_(panel * channels),
          count_(std::min(channels, problem_.outputs() - output_)) {
        std::memset(padding_, static_cast<int>(static_cast<std::uint8_t>(problem_.zero_point)), channels);
        const bool plain = problem_.multiplier == 1 && problem_.channel_stride == 1;
        const bool is_dense = problem_.pixel_stride == static_cast<std::ptrdiff_t>(problem_.channels);
        // How many pixels at the end of a line are too close to it to be read as sixteen codes.
        const std::size_t behind = ceil_div(channels - count_, problem_.channels);
        readable_ = !plain                                  ? 0
                    : count_ == channels                    ? problem_.width
                    : !is_dense || problem_.width <= behind ? 0
                                                            : problem_.width - behind;
    }

    /// Makes `lines` lines from line `first` of the padded image on.
    void make(std::size_t image, std::size_t first, std::size_t lines, std::size_t first_column,
              std::size_t block_columns, std::byte* to) const noexcept {
        const std::uint8_t* source = problem_.source + static_cast<std::ptrdiff_t>(image) * problem_.image_stride;
        // Lines [begin, end) lie in the image.
        const std::size_t begin = std::clamp<std::size_t>(problem_.top, first, first + lines);
        const std::size_t end = std::clamp<std::size_t>(problem_.top + problem_.height, begin, first + lines);
        pad(begin - first, to);
        pad(first + lines - end, to + (end - first) * cut_.line_bytes);
        to += (begin - first) * cut_.line_bytes;
        source += static_cast<std::ptrdiff_t>(begin) * problem_.line_stride -
                  static_cast<std::ptrdiff_t>(problem_.top) * problem_.line_stride;
        for (std::size_t c = 0; c < std::min(cut_.class_count, block_columns) && begin < end; ++c) {
            const std::size_t class_units = cut_.class_units(cut_.class_outputs(block_columns, c));
            make_class(source, end - begin, (first_column + c) * problem_.stride_w, class_units, to);
            to += class_units * slice_bytes;
        }
    }

private:
    /// Lines of padding: codes less the zero point.
    void pad(std::size_t lines, std::byte* to) const noexcept {
        if (lines != 0)
            std::memset(to, 0, lines * cut_.line_bytes);
    }

    /// Units whose first column is `start` in the padded image, the next one a dilation further.
    void make_class(const std::uint8_t* source, std::size_t lines, std::size_t start, std::size_t units,
                    std::byte* to) const noexcept {
        const std::size_t step = problem_.dilation_w;
        const std::size_t left = problem_.left;
        // Columns [begin, end) of the class can be read in place.
        const std::size_t begin = start >= left ? 0 : ceil_div(left - start, step);
        const std::size_t end = readable_ + left > start ? ceil_div(readable_ + left - start, step) : 0;
        const std::size_t first = std::min(ceil_div(begin, columns), units);
        const std::size_t last = std::clamp(end / columns, first, units);
        if (first < last) {
            const std::ptrdiff_t column_step = static_cast<std::ptrdiff_t>(step) * problem_.pixel_stride;
            const std::uint8_t* from =
                source + static_cast<std::ptrdiff_t>(output_) +
                static_cast<std::ptrdiff_t>(start + first * columns * step - left) * problem_.pixel_stride;
            std::byte* unit = to + first * slice_bytes;
            if (last - first >= std::min(lines, short_line)) {
                for (std::size_t i = 0; i < lines; ++i)
                    make_units(from + static_cast<std::ptrdiff_t>(i) * problem_.line_stride, column_step, last - first,
                               problem_.zero_point, unit + i * cut_.line_bytes, slice_step_);
            } else { // columns of units are longer than lines of them
                for (std::size_t u = first; u < last; ++u, unit += slice_bytes) {
                    const std::uint8_t* pixels[columns];
                    std::ptrdiff_t steps[columns];
#pragma GCC unroll 4
                    for (std::size_t i = 0; i < columns; ++i) {
                        pixels[i] = from + static_cast<std::ptrdiff_t>((u - first) * columns + i) * column_step;
                        steps[i] = problem_.line_stride;
                    }
                    make_column(pixels, steps, lines, problem_.zero_point, cut_.line_bytes, slice_step_, unit);
                }
            }
        }
        for (std::size_t u = 0; u < first; ++u)
            make_unit(source, lines, start, u, to + u * slice_bytes);
        for (std::size_t u = last; u < units; ++u)
            make_unit(source, lines, start, u, to + u * slice_bytes);
    }

    /// Units inside a line.
    static NOTCH_INLINE void make_units(const std::uint8_t* from, std::ptrdiff_t column_step, std::size_t count,
                                        std::int32_t zero, std::byte* to, std::size_t slice_step) noexcept {
        for (std::size_t u = 0; u < count; ++u) {
            const std::uint8_t* pixels[columns];
#pragma GCC unroll 4
            for (std::size_t i = 0; i < columns; ++i)
                pixels[i] = from + static_cast<std::ptrdiff_t>(i) * column_step;
            ops::template unit_of_codes<Signed>(pixels, zero, to, slice_step);
            from += static_cast<std::ptrdiff_t>(columns) * column_step;
            to += slice_bytes;
        }
    }

    /// A unit near a border, or of channels that do not lie side by side, in some lines.
    void make_unit(const std::uint8_t* source, std::size_t lines, std::size_t start, std::size_t unit,
                   std::byte* to) const noexcept {
        const std::uint8_t* pixels[columns];
        std::ptrdiff_t steps[columns];
        const std::uint8_t* sources[columns]; ///< of what is gathered, or null
        bool gathers = false;
        for (std::size_t i = 0; i < columns; ++i) {
            const std::size_t padded = start + (unit * columns + i) * problem_.dilation_w;
            pixels[i] = padding_;
            steps[i] = 0;
            sources[i] = nullptr;
            if (padded < problem_.left || padded - problem_.left >= problem_.width)
                continue;
            const std::size_t x = padded - problem_.left;
            const std::uint8_t* pixel = source + static_cast<std::ptrdiff_t>(x) * problem_.pixel_stride;
            if (x < readable_) {
                pixels[i] = pixel + output_;
                steps[i] = problem_.line_stride;
            } else {
                sources[i] = pixel;
                gathers = true;
            }
        }
        if (gathers)
            make_gathered(pixels, steps, sources, lines, to);
        else
            make_column(pixels, steps, lines, problem_.zero_point, cut_.line_bytes, slice_step_, to);
    }

    /// A unit in some lines. The last step beyond the last line is not made: it could leave the image.
    static NOTCH_INLINE void make_column(const std::uint8_t* (&pixels)[columns], const std::ptrdiff_t (&steps)[columns],
                                         std::size_t lines, std::int32_t zero, std::size_t line_bytes,
                                         std::size_t slice_step, std::byte* to) noexcept {
        for (;; to += line_bytes) {
            ops::template unit_of_codes<Signed>(pixels, zero, to, slice_step);
            if (--lines == 0)
                return;
#pragma GCC unroll 4
            for (std::size_t i = 0; i < columns; ++i)
                pixels[i] += steps[i];
        }
    }

    /// The same where columns are gathered: those that have a source.
    void make_gathered(const std::uint8_t* (&pixels)[columns], const std::ptrdiff_t (&steps)[columns],
                       const std::uint8_t* (&sources)[columns], std::size_t lines, std::byte* to) const noexcept {
        std::uint8_t gathered[columns][channels];
        for (std::size_t line = 0; line < lines; ++line) {
            for (std::size_t i = 0; i < columns; ++i) {
                if (sources[i] == nullptr) {
                    pixels[i] += line == 0 ? 0 : steps[i];
                } else {
                    sources[i] += line == 0 ? 0 : problem_.line_stride;
                    gather(sources[i], gathered[i]);
                    pixels[i] = gathered[i];
                }
            }
            ops::template unit_of_codes<Signed>(pixels, problem_.zero_point, to + line * cut_.line_bytes, slice_step_);
        }
    }

    /// The codes of sixteen outputs of one pixel.
    void gather(const std::uint8_t* pixel, std::uint8_t* to) const noexcept {
        if (problem_.multiplier == 1) {
            for (std::size_t i = 0; i < count_; ++i)
                to[i] = pixel[static_cast<std::ptrdiff_t>(output_ + i) * problem_.channel_stride];
        } else {
            std::size_t channel = output_ / problem_.multiplier;
            std::size_t left = problem_.multiplier - output_ % problem_.multiplier;
            for (std::size_t i = 0; i < count_; ++i) {
                to[i] = pixel[static_cast<std::ptrdiff_t>(channel) * problem_.channel_stride];
                if (--left == 0) {
                    ++channel;
                    left = problem_.multiplier;
                }
            }
        }
        for (std::size_t i = count_; i < channels; ++i)
            to[i] = 0;
    }

    const depthwise_problem& problem_;
    const depthwise_cut& cut_;
    std::size_t slice_step_;
    std::size_t output_;
    std::size_t count_;
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
    static constexpr std::size_t slice_bytes = ops::unit_bytes / ops::slices;

public:
    depthwise_task(const depthwise_job& job, const Store& store, std::byte* workspace) noexcept
        : job_(job), problem_(job.problem), cut_(job.cut), store_(store), source_(workspace),
          weights_(source_ + round_up(cut_.source_lines * cut_.line_bytes, 64)),
          tile_(reinterpret_cast<std::int32_t*>(weights_ + cut_.weight_bytes)),
          values_(reinterpret_cast<std::int8_t*>(weights_ + cut_.weight_bytes + cut_.tile_bytes)),
          kernel_(find_depthwise_kernel<Arch>(problem_.kernel_h, problem_.kernel_w, cut_.class_stride)) {}

    /// Computes task number `task`: some pieces, which are panels of blocks.
    void run(std::size_t task) noexcept {
        const std::size_t pieces = problem_.images * cut_.line_blocks * cut_.column_blocks * cut_.panels;
        const std::size_t end = part_begin(pieces, cut_.tasks, task + 1);
        for (std::size_t piece = part_begin(pieces, cut_.tasks, task); piece < end; ++piece) {
            const std::size_t block = piece / cut_.panels;
            const std::size_t line_block = block / cut_.column_blocks;
            run_block(line_block / cut_.line_blocks, line_block % cut_.line_blocks, block % cut_.column_blocks,
                      piece % cut_.panels);
        }
    }

private:
    void run_block(std::size_t image, std::size_t line_block, std::size_t column_block, std::size_t panel) noexcept {
        const std::size_t y = line_block * cut_.block_lines;
        const std::size_t lines = std::min(cut_.block_lines, problem_.out_height - y);
        const std::size_t x = column_block * cut_.block_columns;
        const std::size_t columns = std::min(cut_.block_columns, problem_.out_width - x);
        make_depthwise_weights<Arch>(job_, panel, values_, weights_);
        const std::size_t source_lines =
            (lines - 1) * problem_.stride_h + (problem_.kernel_h - 1) * problem_.dilation_h + 1;
        if (problem_.is_signed)
            depthwise_source<Arch, true>(job_, panel)
                .make(image, y * problem_.stride_h, source_lines, x, columns, source_);
        else
            depthwise_source<Arch, false>(job_, panel)
                .make(image, y * problem_.stride_h, source_lines, x, columns, source_);
        depthwise_lines_work work;
        work.weights = weights_;
        work.slice_step = cut_.line_bytes / ops::slices;
        work.row_count = problem_.kernel_h;
        work.row_step = problem_.dilation_h * cut_.line_bytes;
        work.units = cut_.units;
        work.stride = cut_.class_stride;
        work.line_step = problem_.stride_h * cut_.line_bytes;
        work.sums_stride = cut_.class_count * channels;
        work.sums_line_stride = columns * channels;
        for (std::size_t line = 0; line < lines; line += work.lines) {
            work.lines = std::min(cut_.tile_lines, lines - line);
            work.source = source_ + line * work.line_step;
            for (std::size_t c = 0; c < std::min(cut_.class_count, columns); ++c) {
                work.count = cut_.class_outputs(columns, c);
                work.sums = tile_ + c * channels;
                kernel_(work);
                work.source += cut_.class_units(work.count) * slice_bytes;
            }
            store_(tile_, image, y + line, x, work.lines, columns, panel * channels);
        }
    }

    const depthwise_job& job_;
    const depthwise_problem& problem_;
    const depthwise_cut& cut_;
    const Store& store_;
    std::byte* source_;
    std::byte* weights_;
    std::int32_t* tile_;
    std::int8_t* values_;
    depthwise_kernel kernel_;
};

} // namespace notch::detail

/// @file
/// Source lines of a depthwise convolution become units: interleaved, widened, less the zero point.
///
/// Lines are made unit by unit, or, where a block has few columns, units line by line. Pixels near a border come from an
/// array of zero points; channels that do not lie side by side, or of which outputs share one, are gathered first.
#pragma once

#include <notch/conv/depthwise_plan.hpp>
#include <notch/conv/packed_depthwise.hpp>
#include <notch/core/config.hpp>
#include <notch/core/int_math.hpp>
#include <notch/simd/depthwise_isa.hpp>

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

/// The values of one panel, [tap][16]: those of 8 bits where they lie, others in `room`.
template <class Arch>
[[nodiscard]] NOTCH_INLINE const std::int8_t* taps_of_panel(const packed_depthwise& weights,
                                                            const depthwise_header& head, std::size_t panel,
                                                            std::int8_t* room) noexcept {
    const auto* codes = weights.section<std::uint8_t>(head.codes) + panel * head.taps() * head.tap_bytes();
    if (head.bits == 8)
        return reinterpret_cast<const std::int8_t*>(codes);
    simd::depthwise_taps<Arch>::unpack(
        codes, head.bits, weights.section<std::uint8_t>(head.biases) + panel * panel_columns, head.taps(), room);
    return room;
}

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

} // namespace notch::detail

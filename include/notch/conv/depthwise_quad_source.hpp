/// @file
/// Source lines of a depthwise convolution become pairs: bytes of two columns side by side, in up to 64 channels.
///
/// Pixels beyond the borders are the zero point; those so close to the end of a line that a whole register cannot be read
/// there are copied first.
#pragma once

#include <notch/conv/depthwise_plan.hpp>
#include <notch/conv/depthwise_source.hpp>
#include <notch/core/config.hpp>
#include <notch/core/int_math.hpp>
#include <notch/simd/depthwise_isa.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>

namespace notch::detail {

/// What the pairs of some lines are made of.
struct depthwise_quad_lines_source {
    const std::uint8_t* source = nullptr; ///< the first channel of the group in the first pixel of the first line
    std::ptrdiff_t line_stride = 0;
    std::ptrdiff_t pixel_stride = 0;
    std::size_t left = 0;       ///< pixels of padding in front of a line
    std::size_t width = 0;      ///< pixels of a line
    std::size_t readable = 0;   ///< of them, those where a whole register can be read
    std::size_t channels = 0;   ///< of the group
    std::uint8_t zero_code = 0; ///< what padding holds
    std::size_t start = 0;      ///< first column of the padded line
    std::size_t pairs = 0;      ///< of a line
    std::size_t lines = 0;
    std::size_t line_bytes = 0; ///< between lines of pairs
};

/// Where the codes of a column of a padded line can be read as a whole register: in the image, in a copy, or padding.
inline const std::uint8_t* quad_pixel(const depthwise_quad_lines_source& from, const std::uint8_t* line,
                                      std::size_t column, const std::uint8_t* padding, std::uint8_t* copy) noexcept {
    const std::size_t x = column - from.left; // wraps below 0
    if (x >= from.width)
        return padding;
    const std::uint8_t* const codes = line + static_cast<std::ptrdiff_t>(x) * from.pixel_stride;
    if (x < from.readable)
        return codes;
    std::memcpy(copy, codes, from.channels);
    return copy;
}

/// Makes the pairs of some lines of the image.
template <class Arch, bool Signed, std::size_t Panels>
void make_quad_lines(const depthwise_quad_lines_source& given, std::byte* to) noexcept {
    using ops = simd::depthwise_quads<Arch>;
    constexpr std::size_t bytes = quad_pair_bytes<Arch>(Panels);
    const depthwise_quad_lines_source from = given;             // what is stored could change the original
    std::uint8_t outside[3][Panels * simd::depthwise_channels]; // padding, copies of two pixels
    std::memset(outside, from.zero_code, sizeof outside);
    // Pairs [first, last) can be read in place.
    const std::size_t first = std::min((std::max(from.left, from.start) - from.start + 1) / 2, from.pairs);
    const std::size_t end = from.left + from.readable;
    const std::size_t last = std::clamp((std::max(end, from.start) - from.start) / 2, first, from.pairs);
    const std::ptrdiff_t next = from.pixel_stride;
    const std::uint8_t* line = from.source;
    for (std::size_t left = from.lines; left != 0; --left, line += from.line_stride, to += from.line_bytes) {
        for (std::size_t k = 0; k < from.pairs; ++k) {
            if (k == first && k < last) {
                const std::uint8_t* pixel =
                    line +
                    (static_cast<std::ptrdiff_t>(from.start + 2 * k) - static_cast<std::ptrdiff_t>(from.left)) * next;
                for (; k < last; ++k, pixel += 2 * next)
                    ops::template store_pair<Panels, Signed>(to + k * bytes, pixel, pixel + next);
                if (k == from.pairs)
                    break;
            }
            const std::size_t column = from.start + 2 * k;
            ops::template store_pair<Panels, Signed>(to + k * bytes,
                                                     quad_pixel(from, line, column, outside[0], outside[1]),
                                                     quad_pixel(from, line, column + 1, outside[0], outside[2]));
        }
    }
}

/// Makes the pairs of a group of panels.
template <class Arch> class depthwise_quad_source {
public:
    /// Of group number `group`.
    depthwise_quad_source(const depthwise_job& job, std::size_t group) noexcept
        : problem_(job.problem), cut_(job.cut), output_(group * cut_.group_panels * simd::depthwise_channels) {
        const std::size_t wanted = cut_.group_panels * simd::depthwise_channels;
        count_ = std::min(wanted, problem_.outputs() - output_);
        // The last group may be narrow.
        panels_ = 1;
        while (panels_ * simd::depthwise_channels < count_)
            panels_ *= 2;
        const std::size_t read = panels_ * simd::depthwise_channels;
        const bool is_dense = problem_.pixel_stride == static_cast<std::ptrdiff_t>(problem_.channels);
        // How many pixels at the end of a line are too close to it to be read as whole registers.
        const std::size_t behind = ceil_div(read - count_, problem_.channels);
        readable_ = read == count_                          ? problem_.width
                    : !is_dense || problem_.width <= behind ? 0
                                                            : problem_.width - behind;
    }

    /// Panels of the pairs: a power of two.
    [[nodiscard]] std::size_t panels() const noexcept { return panels_; }
    /// Outputs of the group.
    [[nodiscard]] std::size_t outputs() const noexcept { return count_; }
    /// The first of them.
    [[nodiscard]] std::size_t first_output() const noexcept { return output_; }
    /// Bytes of a line of pairs.
    [[nodiscard]] std::size_t line_bytes() const noexcept {
        return cut_.line_bytes / quad_pair_bytes<Arch>(cut_.group_panels) * quad_pair_bytes<Arch>(panels_);
    }

    /// Makes `lines` lines of `pairs` pairs from line `first` of the padded image on.
    void make(std::size_t image, std::size_t first, std::size_t lines, std::size_t start, std::size_t pairs,
              std::byte* to) const noexcept {
        // Lines [begin, end) lie in the image.
        const std::size_t begin = std::clamp<std::size_t>(problem_.top, first, first + lines);
        const std::size_t end = std::clamp<std::size_t>(problem_.top + problem_.height, begin, first + lines);
        const auto zero = static_cast<std::uint8_t>(problem_.zero_point);
        const int padding = problem_.is_signed ? zero ^ 0x80 : zero;
        std::memset(to, padding, (begin - first) * line_bytes());
        std::memset(to + (end - first) * line_bytes(), padding, (first + lines - end) * line_bytes());
        if (begin == end)
            return;
        depthwise_quad_lines_source from;
        from.source = problem_.source + static_cast<std::ptrdiff_t>(image) * problem_.image_stride +
                      static_cast<std::ptrdiff_t>(begin - problem_.top) * problem_.line_stride +
                      static_cast<std::ptrdiff_t>(output_);
        from.line_stride = problem_.line_stride;
        from.pixel_stride = problem_.pixel_stride;
        from.left = problem_.left;
        from.width = problem_.width;
        from.readable = readable_;
        from.channels = count_;
        from.zero_code = zero;
        from.start = start;
        from.pairs = pairs;
        from.lines = end - begin;
        from.line_bytes = line_bytes();
        to += (begin - first) * line_bytes();
        if (problem_.is_signed)
            make_panels<true>(from, to);
        else
            make_panels<false>(from, to);
    }

private:
    template <bool Signed> void make_panels(const depthwise_quad_lines_source& from, std::byte* to) const noexcept {
        constexpr std::size_t most = simd::depthwise_quads<Arch>::register_bytes / simd::depthwise_channels;
        if constexpr (most >= 4)
            if (panels_ == 4)
                return make_quad_lines<Arch, Signed, 4>(from, to);
        if constexpr (most >= 2)
            if (panels_ == 2)
                return make_quad_lines<Arch, Signed, 2>(from, to);
        make_quad_lines<Arch, Signed, 1>(from, to);
    }

    const depthwise_problem& problem_;
    const depthwise_cut& cut_;
    std::size_t output_;
    std::size_t count_ = 0;
    std::size_t panels_ = 1;
    std::size_t readable_ = 0;
};

} // namespace notch::detail

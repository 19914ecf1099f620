/// @file
/// Source lines of a depthwise convolution become pairs: bytes of two columns side by side, in up to 64 channels.
///
/// Pixels beyond the borders are the zero point; those so close to the end of a line that a whole register cannot be read
/// there are copied first.
#pragma once

#include <notch/conv/depthwise_problem.hpp>
#include <notch/conv/depthwise_quad_line.hpp>
#include <notch/core/config.hpp>
#include <notch/core/int_math.hpp>
#include <notch/simd/depthwise_isa.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>

namespace notch::detail {

/// Lines of pairs of one group.
struct depthwise_quad_lines_source {
    const depthwise_problem* problem = nullptr;
    const std::uint8_t* source = nullptr; ///< the first channel of the group in the first pixel of the image
    std::size_t readable = 0;             ///< pixels of a line where a whole register can be read
    std::size_t channels = 0;             ///< of the group
    std::size_t start = 0;                ///< first column of the padded line
    std::size_t pairs = 0;                ///< of a line
    std::size_t line = 0;                 ///< first line of the padded image
    std::size_t row_step = 1;             ///< see quad_cut
    std::size_t row = 0;                  ///< first line of the block that is made
    std::size_t end = 0;                  ///< the line behind the last one
    std::size_t ring = 1;                 ///< lines of the ring
    std::size_t line_bytes = 0;           ///< between them
};

/// Where the codes of a column of a padded line can be read as a whole register: in the image, in a copy, or padding.
inline const std::uint8_t* quad_pixel(const depthwise_quad_lines_source& from, const std::uint8_t* line,
                                      std::size_t column, const std::uint8_t* padding, std::uint8_t* copy) noexcept {
    const std::size_t x = column - from.problem->left; // wraps below 0
    if (x >= from.problem->width)
        return padding;
    const std::uint8_t* const codes = line + static_cast<std::ptrdiff_t>(x) * from.problem->pixel_stride;
    if (x < from.readable)
        return codes;
    std::memcpy(copy, codes, from.channels);
    return copy;
}

/// Makes pairs of some lines.
template <class Arch, bool Signed, std::size_t Panels>
void make_quad_lines(const depthwise_quad_lines_source& from, std::byte* ring) noexcept {
    using ops = simd::depthwise_quads<Arch>;
    constexpr std::size_t bytes = quad_pair_bytes<Arch>(Panels);
    const depthwise_problem& problem = *from.problem;
    std::uint8_t outside[3][Panels * simd::depthwise_channels]; // padding, copies of two pixels
    std::memset(outside, static_cast<int>(static_cast<std::uint8_t>(problem.zero_point)), sizeof outside);
    // Pairs [first, last) can be read in place.
    const std::size_t start = from.start;
    const std::size_t pairs = from.pairs;
    const std::size_t first = std::min((std::max(problem.left, start) - start + 1) / 2, pairs);
    const std::size_t last = std::clamp((std::max(problem.left + from.readable, start) - start) / 2, first, pairs);
    const std::ptrdiff_t next = problem.pixel_stride;
    const std::ptrdiff_t inside =
        (static_cast<std::ptrdiff_t>(start + 2 * first) - static_cast<std::ptrdiff_t>(problem.left)) * next;
    std::size_t slot = from.row % from.ring;
    for (std::size_t row = from.row; row < from.end; ++row) {
        std::byte* const to = ring + slot * from.line_bytes;
        slot = slot + 1 == from.ring ? 0 : slot + 1;
        // Where lines share nothing, the ring has only those that are read.
        const std::size_t line = from.row_step < simd::quad_taps
                                     ? from.line + row
                                     : from.line + row / simd::quad_taps * problem.stride_h + row % simd::quad_taps;
        if (line - problem.top >= problem.height) { // wraps below 0
            std::memset(to, outside[0][0] ^ (Signed ? 0x80 : 0), pairs * bytes);
            continue;
        }
        const std::uint8_t* const codes =
            from.source + static_cast<std::ptrdiff_t>(line - problem.top) * problem.line_stride;
        const auto border = [&](std::size_t k) NOTCH_LAMBDA_INLINE {
            const std::size_t column = start + 2 * k;
            ops::template store_pair<Panels, Signed>(to + k * bytes,
                                                     quad_pixel(from, codes, column, outside[0], outside[1]),
                                                     quad_pixel(from, codes, column + 1, outside[0], outside[2]));
        };
        for (std::size_t k = 0; k < first; ++k)
            border(k);
        const std::uint8_t* pixel = codes + inside;
        for (std::size_t k = first; k < last; ++k, pixel += 2 * next)
            ops::template store_pair<Panels, Signed>(to + k * bytes, pixel, pixel + next);
        for (std::size_t k = last; k < pairs; ++k)
            border(k);
    }
}

/// The same of a number of panels, a power of two.
template <class Arch, bool Signed>
void make_quad_lines(const depthwise_quad_lines_source& from, std::size_t panels, std::byte* ring) noexcept {
    constexpr std::size_t most = simd::depthwise_quads<Arch>::register_bytes / simd::depthwise_channels;
    if constexpr (most >= 4)
        if (panels == 4)
            return make_quad_lines<Arch, Signed, 4>(from, ring);
    if constexpr (most >= 2)
        if (panels == 2)
            return make_quad_lines<Arch, Signed, 2>(from, ring);
    make_quad_lines<Arch, Signed, 1>(from, ring);
}

} // namespace notch::detail

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
#include <type_traits>

namespace notch::detail {

/// Lines of pairs of some groups.
struct depthwise_quad_lines_source {
    const depthwise_problem* problem = nullptr;
    const std::uint8_t* source = nullptr; ///< the first channel of the first group in the first pixel of the image
    std::size_t full_groups = 0;          ///< groups of a whole register of channels
    std::size_t rest_channels = 0;        ///< channels of the group behind them, or 0
    std::size_t readable = 0;             ///< pixels of a line where whole registers can be read
    std::size_t start = 0;                ///< first column of the padded line
    std::size_t pairs = 0;                ///< of a line
    std::size_t line = 0;                 ///< first line of the padded image
    std::size_t row_step = 1;             ///< see quad_cut
    std::size_t row = 0;                  ///< first line of the block that is made
    std::size_t end = 0;                  ///< the line behind the last one
    std::size_t ring = 1;                 ///< lines of the ring
    std::size_t line_bytes = 0;           ///< between them
};

/// The codes of a pixel: those of full groups `step` bytes apart, those of the rest where they can be read as a whole.
struct quad_pixel {
    const std::uint8_t* full;
    std::size_t step;
    const std::uint8_t* rest;
};

/// Makes pairs of some lines; the last group has `Rest` panels, or none. Groups of a line follow one another.
template <class Arch, bool Signed, std::size_t Rest> struct quad_pairs {
    using ops = simd::depthwise_quads<Arch>;
    static constexpr std::size_t full_channels = ops::register_bytes;
    static constexpr std::size_t full_panels = full_channels / simd::depthwise_channels;
    static constexpr std::size_t full_bytes = quad_pair_bytes<Arch>(full_panels);
    static constexpr std::size_t rest_bytes = Rest == 0 ? 0 : quad_pair_bytes<Arch>(Rest);

    /// Pair number k of all groups.
    template <class Groups>
    static NOTCH_INLINE void make(const quad_pixel& a, const quad_pixel& b, Groups groups, std::size_t pairs,
                                  std::size_t k, std::byte* line) noexcept {
        std::byte* to = line + k * full_bytes;
        for (std::size_t g = 0; g < groups; ++g, to += pairs * full_bytes)
            ops::template store_pair<full_panels, Signed>(to, a.full + g * a.step, b.full + g * b.step);
        if constexpr (Rest != 0)
            ops::template store_pair<Rest, Signed>(line + groups * pairs * full_bytes + k * rest_bytes, a.rest, b.rest);
    }

    /// A column of a padded line, wherever it lies.
    static NOTCH_INLINE quad_pixel any(const depthwise_quad_lines_source& from, const std::uint8_t* codes,
                                       std::size_t column, const std::uint8_t* padding, std::uint8_t* copy) noexcept {
        const std::size_t x = column - from.problem->left; // wraps below 0
        if (x >= from.problem->width)
            return {padding, 0, padding};
        const std::uint8_t* const at = codes + static_cast<std::ptrdiff_t>(x) * from.problem->pixel_stride;
        const std::uint8_t* const rest = at + from.full_groups * full_channels;
        if (x < from.readable)
            return {at, full_channels, rest};
        std::memcpy(copy, rest, from.rest_channels);
        return {at, full_channels, copy};
    }

    static void run(const depthwise_quad_lines_source& from, std::byte* ring) noexcept {
        const depthwise_problem& problem = *from.problem;
        std::uint8_t outside[3][full_channels]; // padding, copies of two pixels
        std::memset(outside, static_cast<int>(static_cast<std::uint8_t>(problem.zero_point)), sizeof outside);
        // Pairs [first, last) can be read in place.
        const std::size_t start = from.start;
        const std::size_t pairs = from.pairs;
        const std::size_t groups = from.full_groups;
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
                std::memset(to, outside[0][0] ^ (Signed ? 0x80 : 0), pairs * (groups * full_bytes + rest_bytes));
                continue;
            }
            const std::uint8_t* const codes =
                from.source + static_cast<std::ptrdiff_t>(line - problem.top) * problem.line_stride;
            const auto border = [&](std::size_t k) NOTCH_LAMBDA_INLINE {
                const std::size_t column = start + 2 * k;
                make(any(from, codes, column, outside[0], outside[1]),
                     any(from, codes, column + 1, outside[0], outside[2]), groups, pairs, k, to);
            };
            for (std::size_t k = 0; k < first; ++k)
                border(k);
            const auto in_place = [&](auto count) NOTCH_LAMBDA_INLINE {
                const std::uint8_t* pixel = codes + inside;
                const std::size_t rest = count * full_channels;
                for (std::size_t k = first; k < last; ++k, pixel += 2 * next)
                    make({pixel, full_channels, pixel + rest}, {pixel + next, full_channels, pixel + next + rest},
                         count, pairs, k, to);
            };
            // Loops over no group and over one are not worth their question.
            if (Rest != 0 && groups == 0)
                in_place(std::integral_constant<std::size_t, 0>{});
            else if (groups == 1)
                in_place(std::integral_constant<std::size_t, 1>{});
            else
                in_place(groups);
            for (std::size_t k = last; k < pairs; ++k)
                border(k);
        }
    }
};

/// Makes pairs of some lines.
template <class Arch, bool Signed>
void make_quad_pairs(const depthwise_quad_lines_source& from, std::byte* ring) noexcept {
    constexpr std::size_t most = simd::depthwise_quads<Arch>::register_bytes / simd::depthwise_channels;
    if (from.rest_channels == 0)
        return quad_pairs<Arch, Signed, 0>::run(from, ring);
    if constexpr (most >= 4)
        if (from.rest_channels > 2 * simd::depthwise_channels)
            return quad_pairs<Arch, Signed, 4>::run(from, ring);
    if constexpr (most >= 2)
        if (from.rest_channels > simd::depthwise_channels)
            return quad_pairs<Arch, Signed, 2>::run(from, ring);
    quad_pairs<Arch, Signed, 1>::run(from, ring);
}

} // namespace notch::detail

/// @file
/// explain for convolutions: which kernel conv2d and depthwise_conv2d take, in words.
///
///     int4 x u8, avx512vnni 6x64, exponents absorbed, exact
///     filters 'conv1' [16, 16, 3, 3]: power-of-two scales, 9 depth blocks of 16 inputs; 1792 bytes, 6.22 bits per weight
///     products: four bytes to int32; value * 2^shift, at most 56, fits int8
///     sums: at most 154320 in magnitude, 18 of 31 bits
///     images [1, 32, 32, 16]: a band of lines is copied, 16 lines of the result at a time; panels are expanded; ...
///
/// Everything is read from the plans that the convolutions use. The text is for people and for logs: its wording may change
/// in every version.
#pragma once

#include <notch/conv/conv2d.hpp>
#include <notch/conv/depthwise.hpp>
#include <notch/conv/geometry.hpp>
#include <notch/conv/packed_depthwise.hpp>
#include <notch/conv/packed_filters.hpp>
#include <notch/core/error.hpp>
#include <notch/core/tensor_view.hpp>
#include <notch/gemm/explain.hpp>
#include <notch/simd/arch.hpp>

#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <string>

namespace notch {
namespace detail {

/// Where images are that nobody reads.
inline constexpr std::uint8_t no_image = 0;

/// Images of some extents, side by side, of which nothing is read.
[[nodiscard]] inline image_codes<std::uint8_t> images_of_extents(const extents<4>& images) {
    return {strided_view<const std::uint8_t, 4>(&no_image, images), 0, 0, 0};
}

/// How the pixels under the filters reach the kernel, and the memory for that.
[[nodiscard]] inline std::string explain_images(const conv_job& job) {
    const gemm_blocking& cut = job.product.cut;
    std::string line = text("images ", job.image.shape, ": ");
    if (job.transformed.is_taken())
        line += text("a band of ", job.band_lines(job.block_lines), " lines is widened");
    else if (job.in_place)
        line += "rows point into the image";
    else
        line += text("a band of ", job.band_lines(job.block_lines), " lines is copied in the form of the kernel");
    line += job.transformed.is_taken()
                ? text(", ", job.block_lines, " lines of ", job.result[2], " results at a time; ",
                       counted(job.transformed.tiles, "tile"), " of 2 x 2 results at once")
                : text(", ", counted(job.block_lines, "line"), " of ", job.result[2], " results at a time; panels are ",
                       job.product.choice.unpacks ? "unpacked by the kernels"
                       : cut.copies_panels        ? "expanded"
                                                  : "read in place",
                       job.product.choice.slides ? "; results side by side share their pixels" : "",
                       job.segment_lists() > 1 ? "; at the edges taps that meet padding only are left out" : "");
    return line +
           text("; workspace ", unaligned_workspace(job.workspace()), " bytes (", counted(cut.tasks(), "task"), ')');
}

/// Extents, scales and size of filters.
[[nodiscard]] inline std::string explain_filters(const packed_filters& filters) {
    const packed_header& head = filters.weights().header();
    constexpr const char* kinds[] = {"power-of-two", "fixed-point", "real"};
    const extents<4>& shape = filters.shape();
    const double weights = static_cast<double>(shape[0] * shape[1] * shape[2] * shape[3]);
    const double bits = 8.0 * static_cast<double>(head.bytes) / weights;
    std::string line = filters.name().empty() ? std::string("filters") : text("filters '", filters.name(), '\'');
    line += text(' ', shape, ": ", kinds[head.kind], " scales, ");
    line += filters.blocks() == 1 ? std::string("one block of channels")
                                  : text(filters.blocks(), " blocks of ", filters.block(), " channels");
    line += filters.joined() && shape[3] > 1 ? ", taps of a line joined" : "";
    if (filters.panel_groups() > 1)
        line += text(", ", filters.panel_groups(), " groups share a panel");
    line += text("; ", head.bytes, " bytes, ", std::round(bits * 100) / 100, " bits per weight");
    return filters.transformed().steps == 0
               ? line
               : line + text("; transformed ", sizeof(std::int16_t) * filters.transformed().values.size(), " bytes");
}

/// What a product of a depthwise convolution is.
[[nodiscard]] inline std::string explain_units(const depthwise_cut& cut) {
    const std::size_t bits = 8 * cut.unit_bytes / (simd::depthwise_channels * cut.unit_columns);
    return text("products: int", bits, ", ", counted(cut.unit_columns, "tap"), " of a line in 16 channels at once; ",
                counted(cut.units, "such product"), " for a line of taps");
}

} // namespace detail

/// Says in five lines, without a newline at the end, which kernel conv2d<Arch> takes for these filters and codes [N, H, W, C]
/// that lie side by side, why none that is faster, and what it needs. Raises what conv_workspace raises.
template <class Arch = simd::default_arch>
[[nodiscard]] std::string explain(const packed_filters& filters, const extents<4>& images,
                                  const conv_geometry& geometry, std::size_t tasks = 1) {
    const extents<4> result = detail::checked_result(filters, images, geometry);
    const detail::conv_job job =
        detail::plan_convolution(detail::kernel_traits_of<Arch>, filters,
                                 detail::place_of(detail::images_of_extents(images)), geometry, result, tasks);
    const detail::packed_header& head = filters.weights().header();
    const detail::kernel_choice& choice = job.product.choice;
    const bool transforms = job.transformed.is_taken();
    return detail::text(
        detail::explain_kernel<Arch>(head, choice, job.product.cut), transforms ? " by minimal filtering\n" : "\n",
        detail::explain_filters(filters), '\n',
        transforms ? "products: 16 of int16 for 2 x 2 results instead of 36; sums modulo 2^32 that end below 2^31"
                   : detail::explain_products<Arch>(head, choice),
        '\n', detail::explain_sums(head), '\n', detail::explain_images(job));
}

/// The same of depthwise_conv2d<Arch>.
template <class Arch = simd::default_arch>
[[nodiscard]] std::string explain(const packed_depthwise& weights, const extents<4>& images,
                                  const conv_geometry& geometry, std::size_t tasks = 1) {
    const detail::depthwise_header& head = weights.header();
    const detail::depthwise_problem problem =
        detail::depthwise_problem_of(detail::images_of_extents(images), weights, geometry);
    const detail::depthwise_cut cut = detail::cut_depthwise<Arch>(problem, tasks, weights.name());
    const auto bound = static_cast<std::uint64_t>(head.bound);
    constexpr const char* kinds[] = {"power-of-two", "fixed-point", "real"};
    return detail::text(
        "int", head.bits, " x u8, ", Arch::name, " depthwise, exact\nweights", weights.name().empty() ? "" : " '",
        weights.name(), weights.name().empty() ? "" : "'", " [", head.outputs, ", 1, ", head.kernel_h, ", ",
        head.kernel_w, "]: ", kinds[static_cast<std::size_t>(head.kind)], " scales; ", head.bytes, " bytes in ",
        detail::counted(head.panels(), "panel"), " of 16 outputs\n", detail::explain_units(cut), "\nsums: at most ",
        bound, " in magnitude, ", std::bit_width(bound), " of 31 bits\nimages ", images, ": blocks of ",
        detail::counted(cut.block_lines, "line"), " of ", cut.block_columns,
        " results stay in the first-level cache; workspace ", detail::unaligned_workspace(cut.workspace()), " bytes (",
        detail::counted(cut.tasks, "task"), ')');
}

} // namespace notch

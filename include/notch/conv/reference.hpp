/// @file
/// The definition of conv2d: plain loops over the quantized tensors, no packing, no instruction set.
///
///     sum[n][oh][ow][o] = sum over channels i of the group of o and taps (kh, kw) of
///                         (x[n][oh stride_h + kh dilation_h - top][ow stride_w + kw dilation_w - left][i] - x_zero)
///                         * (w[o][i][kh][kw] - w_zero[o][i]) * 2^(e[o][i] - e_min[o])
///
/// A pixel outside the image is the zero point, so it adds 0. e_min[o] is the smallest exponent of a block of output o
/// that has a value other than 0; two terms share it. With real scales that change along the channels: sum = float sum
/// over the blocks of channels, in order, of float(sum of the block over its channels and all taps) * scale.
/// The epilogue then runs over std::int32_t (or float), the lane of one number; its rows are the pixels of the result,
/// row (n OH + oh) OW + ow, its columns the outputs.
#pragma once

#include <notch/conv/filters.hpp>
#include <notch/conv/geometry.hpp>
#include <notch/conv/image.hpp>
#include <notch/core/int_math.hpp>
#include <notch/gemm/gemm.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>

namespace notch {

namespace detail {

/// Raises errors unless a destination has the extents of the result, and an epilogue takes the sums.
template <class Epilogue, class T>
void check_conv_destination(const packed_weights& packed, const extents<4>& dst, const extents<4>& wanted) {
    if (dst != wanted)
        raise<shape_error>("conv2d: ", quoted(packed.name()), ": a destination of extents ", dst,
                           " for a result of extents ", wanted);
    check_sums<Epilogue, T>("conv2d", packed);
}

/// One result of a convolution as reference_conv2d defines it.
template <class Code> class filter_sum {
public:
    filter_sum(const image_codes<Code>& images, const filter_operand& filters, const conv_geometry& geometry,
               const packed_weights& packed)
        : images_(images), filters_(filters), geometry_(geometry), packed_(packed) {}

    /// Adds up pixel (n, oh, ow) of the output that stands in a row of the codes.
    void run(std::size_t n, std::size_t oh, std::size_t ow, std::size_t row) {
        const auto& order = filters_.terms[0].output_order;
        output = order.empty() ? row : order[row];
        sum = 0;
        real_sum = 0;
        for (const weight_term& term : filters_.terms)
            for (std::size_t first = 0; first < term.inputs; first += term.block_inputs) {
                const std::size_t end = std::min(first + term.block_inputs, term.inputs);
                const std::size_t block = term.block_of(row, first);
                std::int64_t dot = 0;
                bool zeros = true;
                for (std::size_t k = first; k < end; ++k) {
                    const std::int32_t value = value_of(term, row, k);
                    zeros = zeros && value == 0;
                    dot += pixel(n, oh, ow, term.input_order.empty() ? k : term.input_order[k]) * value;
                }
                const bool shifts = term.kind == scale_kind::power_of_two && !zeros;
                sum += shifts ? dot * (std::int64_t{1} << (term.exponents[block] - packed_.exponents()[output])) : dot;
                if (term.kind == scale_kind::real)
                    real_sum += simd::as_rounded(static_cast<float>(dot) * term.reals[block]);
            }
    }

    std::size_t output = 0;
    std::int64_t sum = 0; ///< lies in int32
    float real_sum = 0;

private:
    [[nodiscard]] static std::int32_t value_of(const weight_term& term, std::size_t row, std::size_t k) {
        const std::uint8_t code = term.codes[row * term.inputs + k];
        const std::int32_t zero = term.zero_points.empty() ? 0 : term.zero_points[term.block_of(row, k)];
        return (term.is_signed ? static_cast<std::int8_t>(code) : code) - zero;
    }
    /// The code that input k = (channel KH + kh) KW + kw of the output meets, less the zero point.
    [[nodiscard]] std::int32_t pixel(std::size_t n, std::size_t oh, std::size_t ow, std::size_t k) const {
        const std::size_t kw = k % filters_.shape[3];
        const std::size_t kh = k / filters_.shape[3] % filters_.shape[2];
        const std::size_t group = output / (filters_.shape[0] / geometry_.groups);
        const std::size_t c = group * filters_.shape[1] + k / filters_.taps();
        // Rows above the image wrap to numbers beyond it.
        const std::size_t h = oh * geometry_.stride.h + kh * geometry_.dilation.h - geometry_.padding.top;
        const std::size_t w = ow * geometry_.stride.w + kw * geometry_.dilation.w - geometry_.padding.left;
        const bool padding = h >= images_.codes.extent(1) || w >= images_.codes.extent(2);
        return padding ? 0 : images_.codes(n, h, w, c) - images_.zero_point;
    }

    const image_codes<Code>& images_;
    const filter_operand& filters_;
    const conv_geometry& geometry_;
    const packed_weights& packed_;
};

} // namespace detail

/// Convolves images with filters, slowly. `images`: a quantized_tensor [N, H, W, C] with one scale, image_codes, or any
/// view of int8_t or uint8_t. `filters`: a quantized_tensor [O, C / groups, KH, KW] or [O, C / groups, KW], of any width,
/// scale, zero point and channel order, whose scales are the same for all taps of a channel; or filter_terms. An input
/// order permutes the channels within each group. `dst`: [N, OH, OW, O] of uint8_t, int8_t, int32_t or float, any strides.
/// Errors, before anything is written: those of conv_extents; of pack, for filters [O, C / groups * KH * KW]; of the
/// stages; shape_error for a destination of other extents; unsupported_error for images with more than one scale and
/// filters whose taps differ in scale.
template <detail::image_source Images, detail::filter_source Filters, epilogue_stage Epilogue, class Dst>
void reference_conv2d(const Images& images, const Filters& filters, const conv_geometry& geometry, Epilogue epilogue,
                      Dst&& dst) {
    const auto from = detail::image_of(images);
    const detail::filter_operand weights = detail::filters_of(filters);
    const auto to = as_view(dst);
    using element = typename std::remove_cvref_t<decltype(to)>::element_type;
    static_assert(std::remove_cvref_t<decltype(to)>::rank == 4, "conv2d: the destination is [N, OH, OW, O], of rank 4");
    static_assert(detail::output_type<element>::value,
                  "conv2d: the destination has elements uint8_t, int8_t, int32_t or float, not const");
    const extents<4> shape = conv_extents(from.codes.shape(), weights.shape, geometry, weights.name);
    const packed_weights packed = detail::packed_matrix(weights); // for the scales of the sums and the bound
    detail::check_conv_destination<Epilogue, element>(packed, to.shape(), shape);
    const std::size_t rows = shape[0] * shape[1] * shape[2];
    epilogue_problem problem = detail::problem_of(detail::operand_of_image(from, rows, packed.inputs()), packed);
    const bool floats = problem.is_float;
    detail::prepare_stage(epilogue, problem);

    detail::filter_sum result(from, weights, geometry, packed);
    std::size_t row = 0;
    for (std::size_t n = 0; n < shape[0]; ++n)
        for (std::size_t oh = 0; oh < shape[1]; ++oh)
            for (std::size_t ow = 0; ow < shape[2]; ++ow, ++row)
                for (std::size_t o = 0; o < shape[3]; ++o) {
                    result.run(n, oh, ow, o);
                    const auto stages =
                        detail::stage_at<std::int32_t>(epilogue, column_site<std::int32_t>{result.output, problem});
                    auto* place = &to(n, oh, ow, result.output);
                    if (floats) {
                        if constexpr (detail::stores_sums<Epilogue, element, float>())
                            detail::store_lane_as<std::int32_t>(place, stages(result.real_sum, row));
                    } else {
                        if constexpr (detail::stores_sums<Epilogue, element, std::int32_t>())
                            detail::store_lane_as<std::int32_t>(place,
                                                                stages(static_cast<std::int32_t>(result.sum), row));
                    }
                }
}

} // namespace notch

/// @file
/// How far an approximation lies from the tensor it stands for.
///
/// | measure      | formula                                      | exact approximation |
/// |--------------|----------------------------------------------|---------------------|
/// | mean_square  | sum (x - y)^2 / n                            | 0                   |
/// | sqnr_db      | 10 log10(sum x^2 / sum (x - y)^2)            | infinity            |
/// | cosine       | sum x y / sqrt(sum x^2 sum y^2)              | 1                   |
/// | largest      | max |x - y|                                  | 0                   |
///
/// Sums are doubles in the order of the elements. Two zero tensors have cosine 1; a zero tensor and
/// another one have 0. A zero reference with an error has an SQNR of minus infinity.
#pragma once

#include <notch/core/config.hpp>
#include <notch/core/tensor_view.hpp>
#include <notch/quant/quantize.hpp>

#include <cstddef>
#include <limits>
#include <string_view>

namespace notch {

/// The measures above.
struct error_measures {
    double mean_square = 0;                                   ///< mean of the squared differences
    double sqnr_db = std::numeric_limits<double>::infinity(); ///< signal to quantization noise, in decibels
    double cosine = 1;                                        ///< cosine of the angle between the two tensors
    double largest = 0;                                       ///< largest absolute difference
};

/// Measures how far `approximation` lies from `reference`. Raises shape_error where the extents differ,
/// range_error where an element of either is NaN or infinite.
template <viewable_as<float> Reference, viewable_as<float> Approximation>
    requires(view_of<const Reference>::rank == view_of<const Approximation>::rank)
[[nodiscard]] error_measures quantization_error(const Reference& reference, const Approximation& approximation,
                                                std::string_view name = {}) {
    constexpr std::size_t rank = view_of<const Reference>::rank;
    const strided_view<const float, rank> x = as_view(reference);
    const strided_view<const float, rank> y = as_view(approximation);
    detail::check_same_shape(x.shape(), y.shape(), "the approximation", name);
    const auto plan = detail::make_row_plan(make_grid(per_tensor{}, x.shape()), detail::channel_order{}, x, y);
    const detail::row_access<const float, rank> x_access(x, plan);
    const detail::row_access<const float, rank> y_access(y, plan);
    double signal = 0;
    double approximated = 0;
    double noise = 0;
    double product = 0;
    error_measures measures;
    const serial run;
    plan.for_each_piece(detail::executor_ref(run), [&] {
        return [&](std::size_t row, std::size_t begin, std::size_t end) {
            const float* const x_row = x_access.row(row);
            const float* const y_row = y_access.row(row);
            for (std::size_t j = begin; j < end; ++j) {
                if (is_non_finite(*x_access.element(x_row, j)))
                    detail::raise_non_finite(x_access, plan, row, j, j + 1, name);
                if (is_non_finite(*y_access.element(y_row, j)))
                    detail::raise_non_finite(y_access, plan, row, j, j + 1, name);
                const auto a = static_cast<double>(*x_access.element(x_row, j));
                const auto b = static_cast<double>(*y_access.element(y_row, j));
                signal += a * a;
                approximated += b * b;
                product += a * b;
                noise += (a - b) * (a - b);
                const double distance = a < b ? b - a : a - b;
                measures.largest = distance > measures.largest ? distance : measures.largest;
            }
        };
    });
    if (x.size() != 0)
        measures.mean_square = noise / static_cast<double>(x.size());
    if (noise > 0)
        measures.sqnr_db = signal > 0 ? 10.0 * NOTCH_LOG10(signal / noise) : -std::numeric_limits<double>::infinity();
    if (signal > 0 || approximated > 0)
        measures.cosine =
            signal > 0 && approximated > 0 ? product / (NOTCH_SQRT(signal) * NOTCH_SQRT(approximated)) : 0.0;
    return measures;
}

/// Measures how far a quantized tensor lies from the reals it was made of.
template <viewable_as<float> Reference, quantizer_type Q, std::size_t Rank>
    requires(view_of<const Reference>::rank == Rank)
[[nodiscard]] error_measures quantization_error(const Reference& reference, const quantized_tensor<Q, Rank>& tensor) {
    return quantization_error(reference, dequantize(tensor), tensor.name);
}

} // namespace notch

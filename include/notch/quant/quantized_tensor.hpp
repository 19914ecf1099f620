/// @file
/// A quantized tensor: codes, one byte each, and the parameters that give them meaning.
///
/// It is the hand-over between the two halves of notch: quantization methods produce it, packing
/// and kernels consume it. gemm/pack.hpp stores the codes of weights in fewer bits.
#pragma once

#include <notch/core/dense_tensor.hpp>
#include <notch/quant/params.hpp>

#include <cstddef>
#include <string>

namespace notch {

/// Codes in row-major order, in the channel order of `params`, and their parameters.
template <quantizer_type Q, std::size_t Rank> struct quantized_tensor {
    using quantizer_type = Q;                 ///< the policies
    static constexpr std::size_t rank = Rank; ///< number of axes

    dense_tensor<typename Q::code_type, Rank> codes; ///< one code per element
    quant_params<Q> params;                          ///< scales, zero points, channel order
    std::string name;                                ///< for messages and reports; may be empty

    /// All extents.
    [[nodiscard]] const extents<Rank>& shape() const noexcept { return codes.shape(); }
    /// How the granularity cuts this tensor. Raises shape_error where the parameters do not fit.
    [[nodiscard]] block_grid<Rank> grid() const { return detail::checked_grid(params, codes.shape(), name); }
};

} // namespace notch

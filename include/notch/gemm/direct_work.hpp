/// @file
/// What a kernel of few rows is given. Part of gemm/direct_kernel.hpp.
#pragma once

#include <notch/gemm/direct_plan.hpp>
#include <notch/simd/int_kernels.hpp>

#include <cstddef>
#include <cstdint>

namespace notch::detail {

/// Some panels that follow each other, and some rows.
struct direct_work {
    const std::byte* codes = nullptr;       ///< of the first panel
    std::size_t code_stride = 0;            ///< bytes from a panel to the next one
    const std::byte* const* rows = nullptr; ///< operands
    const std::uint8_t* shifts = nullptr;   ///< of the first panel [depth block][16]; null: 0
    const std::uint8_t* biases = nullptr;   ///< the same; null: the sums of the rows have the bias in them
    const float* scales = nullptr;          ///< the same; null: sums are integers
    std::size_t table_stride = 0;           ///< numbers from a panel to the next one
    direct_layout layout{};
    std::size_t terms = 1;
    std::uint32_t zero = 0;       ///< the zero point of the rows, four times, for floats
    std::int32_t* tile = nullptr; ///< [rows][16 panels], of floats where there are scales
};

/// What the sums of a kernel for quads are: integers, or floats of depth blocks, less the zero point of the rows.
enum class direct_finish { integers, floats };

/// Computes the sums.
using direct_kernel = void (*)(const direct_work&) noexcept;

/// Panels that a kernel takes at a time: as many as keep the sums of a register of each in registers.
template <class Arch> [[nodiscard]] constexpr std::size_t direct_panels(std::size_t rows) noexcept {
    using ops = simd::int_ops<Arch>;
    return !ops::has_quad8 || ops::count > 1 || ops::tile_panels == 1 ? 1 : rows <= 2 ? 4 : 2;
}

} // namespace notch::detail

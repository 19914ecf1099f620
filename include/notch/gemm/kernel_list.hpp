/// @file
/// The microkernels of an instruction set, by family, finish, panels and rows.
#pragma once

#include <notch/gemm/microkernel.hpp>
#include <notch/gemm/plan.hpp>

#include <array>
#include <cstddef>
#include <utility>

namespace notch::detail {

template <class Arch, dot_family Family, dot_finish Finish, std::size_t Panels>
[[nodiscard]] inline tile_kernel kernel_of_rows(std::size_t rows) noexcept {
    static constexpr auto kernels = tile_kernels_of<Arch, Family, Finish, Panels>(
        std::make_index_sequence<kernel_traits_of<Arch>.rows_of_tile(Panels, Finish)>());
    return kernels[rows - 1];
}

template <class Arch, std::size_t Panels>
[[nodiscard]] inline tile_kernel kernel_of_family(const kernel_choice& choice, std::size_t rows) noexcept {
    if constexpr (simd::int_ops<Arch>::has_quad8) {
        switch (choice.finish) {
        case dot_finish::once:
            return kernel_of_rows<Arch, dot_family::quad, dot_finish::once, Panels>(rows);
        case dot_finish::shift:
            if constexpr (Panels == 1 || kernel_traits_of<Arch>.panels_of_tile(Panels, dot_finish::shift) == Panels)
                return kernel_of_rows<Arch, dot_family::quad, dot_finish::shift, Panels>(rows);
            else
                return nullptr; // there are no such tiles
        default:
            return kernel_of_rows<Arch, dot_family::quad, dot_finish::real, Panels>(rows);
        }
    } else {
        if (choice.family == dot_family::chain)
            return kernel_of_rows<Arch, dot_family::chain, dot_finish::once, Panels>(rows);
        switch (choice.finish) {
        case dot_finish::once:
            return kernel_of_rows<Arch, dot_family::pair, dot_finish::once, Panels>(rows);
        case dot_finish::shift:
            return kernel_of_rows<Arch, dot_family::pair, dot_finish::shift, Panels>(rows);
        default:
            return kernel_of_rows<Arch, dot_family::pair, dot_finish::real, Panels>(rows);
        }
    }
}

/// The microkernel for 1 <= rows <= rows_of_tile, and for as many panels as tiles have.
template <class Arch>
[[nodiscard]] tile_kernel find_kernel(const kernel_choice& choice, std::size_t panels, std::size_t rows) noexcept {
    constexpr std::size_t most = simd::int_ops<Arch>::tile_panels;
    if constexpr (most > 1) {
        if (panels == most)
            return kernel_of_family<Arch, most>(choice, rows);
    }
    if constexpr (most > 2) {
        if (panels == 2)
            return kernel_of_family<Arch, 2>(choice, rows);
    }
    static_cast<void>(panels);
    return kernel_of_family<Arch, 1>(choice, rows);
}

} // namespace notch::detail

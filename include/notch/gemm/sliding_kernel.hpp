/// @file
/// Microkernels for one panel and results side by side, of convolutions with three taps in a line and a stride of 1.
///
///     tile[i][c] = sum over lines and steps s of the products of step s of row i and column c, and
///     step s of row i + 1 is step s + pixel_steps of row i
///
/// A panel alone leads to a load of four bytes for each product, as many as the processor has. Here those of a pixel are loaded
/// once for the three results that see it.
///
/// They exist for quads with one register per panel and step, and for pixels of 16 channels, those of the first layers of
/// residual networks.
#pragma once

#include <notch/core/config.hpp>
#include <notch/gemm/microkernel.hpp>
#include <notch/gemm/plan.hpp>
#include <notch/simd/int_kernels.hpp>

#include <cstddef>
#include <cstdint>
#include <utility>

namespace notch::detail {

/// Taps of a line.
inline constexpr std::size_t sliding_taps = 3;
/// Steps of a pixel.
inline constexpr std::size_t sliding_pixel_steps = 4;

/// The microkernel. The first pointer of `rows` is that of all of them; each segment has the steps of a line of taps, or none.
template <class Arch, std::size_t Rows> void sliding_product(const tile_work& work) noexcept {
    using ops = simd::int_ops<Arch>;
    using reg = typename ops::reg;
    constexpr std::ptrdiff_t pixel_bytes = sliding_pixel_steps * step_inputs;
    constexpr std::ptrdiff_t tap_bytes = sliding_pixel_steps * step_bytes;
    kept_pointer<const tile_work> kept(work);
    const std::byte* const first = work.rows[0];
    const std::byte* column = work.panels.first;
    tile_registers<Arch, Rows, 1> tile;
    tile.clear();
    waiting_blocks<Arch, 1> waiting(work);
    const row_segment* const end = work.segments + work.segment_count;
    for (const row_segment* segment = work.segments; segment != end; ++segment) {
        column += segment->skips_before;
        if (segment->steps != 0) {
            const std::byte* at = first + segment->offset;
            for (std::size_t step = 0; step < sliding_pixel_steps; ++step) {
                reg pixels[Rows + sliding_taps - 1];
#pragma GCC unroll 16
                for (std::size_t p = 0; p < Rows + sliding_taps - 1; ++p)
                    pixels[p] = ops::repeat4(at + static_cast<std::ptrdiff_t>(p) * pixel_bytes);
#pragma GCC unroll 4
                for (std::size_t tap = 0; tap < sliding_taps; ++tap) {
                    const reg values = ops::load(column + static_cast<std::ptrdiff_t>(tap) * tap_bytes);
#pragma GCC unroll 16
                    for (std::size_t i = 0; i < Rows; ++i)
                        tile.sums[i][0] = ops::as_computed(ops::quad8(tile.sums[i][0], pixels[i + tap], values));
                }
                at += step_inputs;
                column += step_bytes;
                waiting.step([] {});
            }
            column += (sliding_taps - 1) * tap_bytes;
        }
        column += segment->skips_after;
    }
    tile.store((*kept).tile);
}

template <class Arch, std::size_t... Rows>
[[nodiscard]] inline tile_kernel sliding_kernel_of(std::size_t rows, std::index_sequence<Rows...>) noexcept {
    static constexpr tile_kernel kernels[] = {&sliding_product<Arch, Rows + 1>...};
    return kernels[rows - 1];
}

/// The microkernel for a tile of some rows.
template <class Arch> [[nodiscard]] tile_kernel find_sliding_kernel(std::size_t rows) noexcept {
    return sliding_kernel_of<Arch>(rows, std::make_index_sequence<sliding_rows>());
}

} // namespace notch::detail

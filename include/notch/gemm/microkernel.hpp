/// @file
/// Microkernels: a tile of int32 (or float) sums from rows of activations and panels of weights.
///
///     tile[i][16 p + c] = sum over steps of the products of row i and column c of panel p
///
/// A panel holds 16 columns. A step takes four inputs of one row and 64 weights. Three families compute it,
/// each exact for what reaches it:
///
/// | family | row operand   | panel operand, per step     | sums                                             |
/// |--------|---------------|-----------------------------|--------------------------------------------------|
/// | quad   | 8 bits        | [16][4] int8                | int32, four products per lane and instruction    |
/// | pair   | int16         | 2 x [16][2] int16           | int32, two products per lane                     |
/// | chain  | uint8         | [16][4] int8, small         | int16 for a run of steps, then widened           |
///
/// and in three ways a tile is finished where the scale changes along the inputs:
///
/// * `once`: nothing happens between the runs; exponents were absorbed in the panel operand.
/// * `shift`: each run of steps is shifted left, by a count per column, and added to the tile.
/// * `real`: each run is converted to float, multiplied by a scale per column and added to a tile of floats.
///
/// A chain absorbs exponents in the multiplication that widens it: pairs16(sums, 2^k). Where there are
/// headers (64 bytes of counts, scales or multipliers per panel), they stand in front of the run; `quad` with
/// `real` has a second one, int32 that are added to the sums before they are converted.
///
/// Rows are pointers, so that a convolution can point into its image, and rows beyond the last may alias it.
/// The tile goes to memory (a few hundred bytes that stay in the first-level cache) and not from register
/// to register into the epilogue: one microkernel then serves every epilogue, no compiler spills
/// accumulators, and the stores and loads run on ports that the products leave idle.
#pragma once

#include <notch/core/config.hpp>
#include <notch/gemm/packed_weights.hpp>
#include <notch/simd/int_kernels.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <type_traits>

namespace notch::detail {

/// How products are added, see above.
enum class dot_family { quad, pair, chain };
/// What happens between runs of steps, see above.
enum class dot_finish { once, shift, real };

/// Bytes in front of each run of a panel.
[[nodiscard]] NOTCH_INLINE constexpr std::size_t run_header_bytes(dot_family family, dot_finish finish) noexcept {
    if (family == dot_family::chain || finish == dot_finish::shift)
        return step_bytes;
    if (finish == dot_finish::once)
        return 0;
    return family == dot_family::quad ? 2 * step_bytes : step_bytes;
}

/// Bytes of a step of the panel operand.
[[nodiscard]] NOTCH_INLINE constexpr std::size_t operand_step_bytes(dot_family family) noexcept {
    return family == dot_family::pair ? 2 * step_bytes : step_bytes;
}

/// Bytes of a step of the row operand.
[[nodiscard]] NOTCH_INLINE constexpr std::size_t row_step_bytes(dot_family family) noexcept {
    return operand_step_bytes(family) / panel_columns;
}

/// The work of one tile.
struct tile_work {
    const std::byte* const* rows = nullptr;   ///< first operand byte of each row
    const std::byte* const* panels = nullptr; ///< operand stream of each panel
    const std::uint32_t* runs = nullptr;      ///< steps of each run
    std::size_t run_count = 0;                ///< runs of one term
    std::size_t terms = 1;                    ///< how often the rows are walked
    std::int32_t* tile = nullptr;             ///< [rows][16 panels], floats where the finish is `real`
};

/// Computes one tile.
using tile_kernel = void (*)(const tile_work&) noexcept;

/// The sums of a tile in registers.
template <class Arch, std::size_t Rows, std::size_t Panels> struct tile_registers {
    using ops = simd::int_ops<Arch>;
    using reg = typename ops::reg;
    static constexpr std::size_t columns = Panels * ops::count; ///< registers per row
    reg sums[Rows][columns];

    NOTCH_INLINE void clear() noexcept {
#pragma GCC unroll 16
        for (std::size_t i = 0; i < Rows; ++i)
#pragma GCC unroll 16
            for (std::size_t j = 0; j < columns; ++j)
                sums[i][j] = ops::zero();
    }
    NOTCH_INLINE void store(std::int32_t* tile) const noexcept {
#pragma GCC unroll 16
        for (std::size_t i = 0; i < Rows; ++i)
#pragma GCC unroll 16
            for (std::size_t j = 0; j < columns; ++j)
                ops::store(bytes_of(tile, i, j), sums[i][j]);
    }
    /// Where the lanes of register j of row i lie.
    static NOTCH_INLINE std::byte* bytes_of(std::int32_t* tile, std::size_t i, std::size_t j) noexcept {
        return reinterpret_cast<std::byte*>(tile + i * Panels * panel_columns) + j * ops::bytes;
    }
};

/// One vector of products of a family added to a register.
template <class Ops, dot_family Family>
NOTCH_INLINE typename Ops::reg add_products(typename Ops::reg sum, typename Ops::reg row,
                                            typename Ops::reg column) noexcept {
    if constexpr (Family == dot_family::quad)
        return Ops::quad8(sum, row, column);
    else if constexpr (Family == dot_family::pair)
        return Ops::add32(sum, Ops::pairs16(row, column));
    else
        return Ops::add16(sum, Ops::pairs8(row, column));
}

/// Adds `steps` steps to the sums and moves the panels on; the rows are read from `offset`.
template <class Arch, dot_family Family, std::size_t Rows, std::size_t Panels>
NOTCH_INLINE void add_steps(tile_registers<Arch, Rows, Panels>& tile, const std::byte* const (&rows)[Rows],
                            const std::byte* (&panels)[Panels], std::size_t& offset, std::size_t steps) noexcept {
    using ops = simd::int_ops<Arch>;
    using reg = typename ops::reg;
    constexpr std::size_t V = ops::count;
    const std::size_t vectors = Family == dot_family::pair ? 2 * steps : steps;
    for (std::size_t s = 0; s < vectors; ++s) {
        reg column[Panels * V];
#pragma GCC unroll 16
        for (std::size_t p = 0; p < Panels; ++p)
#pragma GCC unroll 16
            for (std::size_t v = 0; v < V; ++v)
                column[p * V + v] = ops::load(panels[p] + s * step_bytes + v * ops::bytes);
#pragma GCC unroll 16
        for (std::size_t i = 0; i < Rows; ++i) {
            const reg row = ops::repeat4(rows[i] + offset);
#pragma GCC unroll 16
            for (std::size_t j = 0; j < Panels * V; ++j) {
                // A point the optimizer cannot look through: gcc 12 would collect the products of a step before it adds them.
                tile.sums[i][j] = ops::as_computed(add_products<ops, Family>(tile.sums[i][j], row, column[j]));
            }
        }
        offset += 4;
    }
#pragma GCC unroll 16
    for (std::size_t p = 0; p < Panels; ++p)
        panels[p] += vectors * step_bytes;
}

/// Adds the sums of a run to the tile in memory, with the headers that stood in front of it.
template <class Arch, dot_family Family, dot_finish Finish, std::size_t Rows, std::size_t Panels>
NOTCH_INLINE void finish_run(const tile_registers<Arch, Rows, Panels>& tile, const std::byte* const (&headers)[Panels],
                             std::int32_t* memory) noexcept {
    using ops = simd::int_ops<Arch>;
    constexpr std::size_t V = ops::count;
#pragma GCC unroll 16
    for (std::size_t j = 0; j < Panels * V; ++j) {
        const std::byte* header = headers[j / V] + (j % V) * ops::bytes;
#pragma GCC unroll 16
        for (std::size_t i = 0; i < Rows; ++i) {
            std::byte* place = tile.bytes_of(memory, i, j);
            if constexpr (Family == dot_family::chain)
                ops::store(place, ops::add32(ops::load(place), ops::pairs16(tile.sums[i][j], ops::load(header))));
            else if constexpr (Finish == dot_finish::shift)
                ops::store(place, ops::add32(ops::load(place), ops::shift_left32(tile.sums[i][j], ops::load(header))));
            else if constexpr (Family == dot_family::quad)
                ops::add_scaled(reinterpret_cast<float*>(place),
                                ops::add32(tile.sums[i][j], ops::load(header + step_bytes)),
                                reinterpret_cast<const float*>(header));
            else
                ops::add_scaled(reinterpret_cast<float*>(place), tile.sums[i][j],
                                reinterpret_cast<const float*>(header));
        }
    }
}

/// The microkernel.
template <class Arch, dot_family Family, dot_finish Finish, std::size_t Rows, std::size_t Panels>
void tile_product(const tile_work& work) noexcept {
    using tile_type = tile_registers<Arch, Rows, Panels>;
    constexpr bool in_registers = Family != dot_family::chain && Finish == dot_finish::once;
    const std::byte* rows[Rows];
    const std::byte* panels[Panels];
    for (std::size_t i = 0; i < Rows; ++i)
        rows[i] = work.rows[i];
    for (std::size_t p = 0; p < Panels; ++p)
        panels[p] = work.panels[p];
    tile_type tile;
    tile.clear();
    if constexpr (!in_registers)
        tile.store(work.tile); // zeros, of either type
    for (std::size_t term = 0; term < work.terms; ++term) {
        std::size_t offset = 0;
        for (std::size_t run = 0; run < work.run_count; ++run) {
            if constexpr (in_registers) {
                add_steps<Arch, Family>(tile, rows, panels, offset, work.runs[run]);
            } else {
                const std::byte* headers[Panels];
                for (std::size_t p = 0; p < Panels; ++p) {
                    headers[p] = panels[p];
                    panels[p] += run_header_bytes(Family, Finish);
                }
                tile.clear();
                add_steps<Arch, Family>(tile, rows, panels, offset, work.runs[run]);
                finish_run<Arch, Family, Finish>(tile, headers, work.tile);
            }
        }
    }
    if constexpr (in_registers)
        tile.store(work.tile);
}

/// Microkernels for 1 .. Most rows.
template <class Arch, dot_family Family, dot_finish Finish, std::size_t Panels, std::size_t... Rows>
constexpr auto tile_kernels_of(std::index_sequence<Rows...>) noexcept {
    return std::array<tile_kernel, sizeof...(Rows)>{&tile_product<Arch, Family, Finish, Rows + 1, Panels>...};
}

} // namespace notch::detail

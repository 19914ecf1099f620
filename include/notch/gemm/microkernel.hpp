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
/// Rows are pointers, and steps are found by offsets from them, so that a convolution can point into its image. Long
/// dot products are computed part by part, so that what they read stays in the caches.
/// The tile goes to memory (a few hundred bytes that stay in the first-level cache) and not from register
/// to register into the epilogue: one microkernel then serves every epilogue, and no compiler spills
/// accumulators. Where numbers say what the epilogue does, and registers hold a row of a panel, the microkernel
/// does that itself (gemm/finish_codes.hpp).
#pragma once

#include <notch/core/config.hpp>
#include <notch/gemm/packed_weights.hpp>
#include <notch/gemm/tile_work.hpp>
#include <notch/gemm/waiting_blocks.hpp>
#include <notch/simd/int_kernels.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <type_traits>

namespace notch::detail {

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
    NOTCH_INLINE void load(std::int32_t* tile) noexcept {
#pragma GCC unroll 16
        for (std::size_t i = 0; i < Rows; ++i)
#pragma GCC unroll 16
            for (std::size_t j = 0; j < columns; ++j)
                sums[i][j] = ops::load(bytes_of(tile, i, j));
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

/// Adds the steps of a segment to the sums and moves the panels on.
template <class Arch, dot_family Family, std::size_t Rows, std::size_t Panels, class Waiting, class Read>
NOTCH_INLINE void add_steps(tile_registers<Arch, Rows, Panels>& tile, const std::byte* const (&rows)[Rows],
                            panel_stream& panels, const row_segment& segment, Waiting& waiting,
                            const Read& read_again) noexcept {
    using ops = simd::int_ops<Arch>;
    using reg = typename ops::reg;
    constexpr std::size_t V = ops::count;
    constexpr std::ptrdiff_t vectors = Family == dot_family::pair ? 2 : 1;
    const std::ptrdiff_t end = segment.offset + 4 * vectors * static_cast<std::ptrdiff_t>(segment.steps);
    const std::byte* column_bytes = panels.first + segment.skips_before;
    // One counter that is added to every row, and one pointer for all panels: a pointer for each would not fit the registers.
    for (std::ptrdiff_t at = segment.offset; at != end; at += 4) {
#if defined(__GNUC__)
        asm("" : "+r"(at)); // or gcc makes a pointer for each
#endif
        reg column[Panels * V];
#pragma GCC unroll 16
        for (std::size_t p = 0; p < Panels; ++p)
#pragma GCC unroll 16
            for (std::size_t v = 0; v < V; ++v)
                column[p * V + v] = ops::load(column_bytes + static_cast<std::ptrdiff_t>(p) * panels.stride +
                                              static_cast<std::ptrdiff_t>(v * ops::bytes));
        column_bytes += step_bytes;
#pragma GCC unroll 16
        for (std::size_t i = 0; i < Rows; ++i) {
            const reg row = ops::repeat4(rows[i] + at);
#pragma GCC unroll 16
            for (std::size_t j = 0; j < Panels * V; ++j) {
                // A point the optimizer cannot look through: gcc 12 would collect the products of a step before it adds them.
                tile.sums[i][j] = ops::as_computed(add_products<ops, Family>(tile.sums[i][j], row, column[j]));
            }
        }
        waiting.step(read_again);
    }
    panels.first = column_bytes + segment.skips_after;
}

/// Adds the sums of a run to the tile in memory, with the headers that stood in front of it.
template <class Arch, dot_family Family, dot_finish Finish, std::size_t Rows, std::size_t Panels>
NOTCH_INLINE void finish_run(const tile_registers<Arch, Rows, Panels>& tile, const panel_stream& headers,
                             std::int32_t* memory) noexcept {
    using ops = simd::int_ops<Arch>;
    constexpr std::size_t V = ops::count;
#pragma GCC unroll 16
    for (std::size_t j = 0; j < Panels * V; ++j) {
        const std::byte* header = headers.at(j / V) + (j % V) * ops::bytes;
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

/// Panels of a tile whose runs are shifted and added in registers, beside the sums of the run; 0 where there are too few registers.
template <class Ops> [[nodiscard]] constexpr std::size_t shift_panels_of() noexcept {
    if constexpr (requires { Ops::shift_panels; })
        return Ops::shift_panels;
    else
        return 0;
}

/// Sums of shifted runs: two sets of registers, and memory at the ends only.
template <class Arch, dot_family Family, std::size_t Rows, std::size_t Panels>
NOTCH_INLINE void shifted_product(const tile_work& work, const std::byte* const (&rows)[Rows]) noexcept {
    using ops = simd::int_ops<Arch>;
    using tile_type = tile_registers<Arch, Rows, Panels>;
    kept_pointer<const tile_work> kept(work);
    panel_stream panels = work.panels;
    tile_type total;
    total.clear();
    if (work.adds)
        total.load(work.tile);
    panel_stream headers = panels;
    const std::uint8_t* shifts = work.shifts;
    tile_type run;
    run.clear();
    const row_segment* const end = work.segments + work.segment_count;
    for (const row_segment* segment = work.segments; segment != end; ++segment) {
        if (segment->begins) {
            headers = panels;
            panels.first += shifts == nullptr ? run_header_bytes(Family, dot_finish::shift) : 0;
            run.clear();
        }
        nothing_waits waiting;
        add_steps<Arch, Family>(run, rows, panels, *segment, waiting, nullptr);
        if (!segment->ends)
            continue;
        const std::uint8_t* const own = shifts;
        shifts += shifts == nullptr ? 0 : panel_columns;
#pragma GCC unroll 16
        for (std::size_t j = 0; j < tile_type::columns; ++j) {
            static_assert(ops::count == 1, "a register holds the shifts of a panel");
            const auto counts = own != nullptr ? ops::bytes32(own + static_cast<std::ptrdiff_t>(j) * work.shift_stride)
                                               : ops::load(headers.at(j));
#pragma GCC unroll 16
            for (std::size_t i = 0; i < Rows; ++i)
                total.sums[i][j] = ops::add32(total.sums[i][j], ops::shift_left32(run.sums[i][j], counts));
        }
    }
    total.store((*kept).tile);
}

/// The microkernel.
template <class Arch, dot_family Family, dot_finish Finish, std::size_t Rows, std::size_t Panels>
void tile_product(const tile_work& work) noexcept {
    using tile_type = tile_registers<Arch, Rows, Panels>;
    kept_pointer<const tile_work> kept(work);
    constexpr bool in_registers = Family != dot_family::chain && Finish == dot_finish::once;
    const std::byte* rows[Rows];
    read_rows(rows, work.rows);
    if constexpr (Finish == dot_finish::shift && Panels <= shift_panels_of<simd::int_ops<Arch>>()) {
        shifted_product<Arch, Family, Rows, Panels>(work, rows);
        return;
    }
    panel_stream panels = work.panels;
    tile_type tile;
    tile.clear();
    if (in_registers && work.adds)
        tile.load(work.tile);
    if (!in_registers && !work.adds)
        tile.store(work.tile); // zeros, of either type
    panel_stream headers = panels;
    waiting_kind<Arch, Family, Finish, Panels> waiting(work);
    const row_segment* const end = work.segments + work.segment_count;
    for (const row_segment* segment = work.segments; segment != end; ++segment) {
        if (!in_registers && segment->begins) {
            headers = panels;
            panels.first += run_header_bytes(Family, Finish);
            tile.clear();
        }
        add_steps<Arch, Family>(tile, rows, panels, *segment, waiting,
                                [&]() NOTCH_LAMBDA_INLINE { read_rows(rows, (*kept).rows, Rows - 1); });
        if constexpr (!in_registers) {
            if (segment->ends)
                finish_run<Arch, Family, Finish>(tile, headers, work.tile);
        }
    }
    if constexpr (in_registers)
        tile.store((*kept).tile);
}

/// Microkernels for 1 .. Most rows.
template <class Arch, dot_family Family, dot_finish Finish, std::size_t Panels, std::size_t... Rows>
constexpr auto tile_kernels_of(std::index_sequence<Rows...>) noexcept {
    return std::array<tile_kernel, sizeof...(Rows)>{&tile_product<Arch, Family, Finish, Rows + 1, Panels>...};
}

} // namespace notch::detail

/// @file
/// One task of a convolution by minimal filtering (transformed_filters.hpp): tiles of 4 x 4 codes are transformed, multiplied
/// element by element by the microkernels of gemm, and transformed back into 2 x 2 sums each.
#pragma once

#include <notch/conv/conv_plan.hpp>
#include <notch/conv/conv_task.hpp>
#include <notch/core/config.hpp>
#include <notch/core/int_math.hpp>
#include <notch/gemm/microkernel.hpp>
#include <notch/gemm/store_tile.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <utility>

namespace notch::detail {

/// B^T of four registers, in place.
template <class Ops> NOTCH_INLINE void transform_four(typename Ops::reg (&x)[4]) noexcept {
    const auto first = Ops::subtract16(x[0], x[2]);
    const auto second = Ops::add16(x[1], x[2]);
    const auto third = Ops::subtract16(x[2], x[1]);
    x[3] = Ops::subtract16(x[1], x[3]);
    x[0] = first;
    x[1] = second;
    x[2] = third;
}

/// V of tiles side by side: the channels of `count` tiles from a band of int16, element k of tile t at
/// to + k * element_bytes + t * tile_bytes. Whole registers are read and written; what lies behind the channels meets
/// filters of value 0.
template <class Ops>
NOTCH_INLINE void transform_tiles(const std::byte* band, std::ptrdiff_t line_bytes, std::ptrdiff_t pixel_bytes,
                                  std::size_t count, std::size_t channels, std::size_t element_bytes,
                                  std::size_t tile_bytes, std::byte* to) noexcept {
    using reg = typename Ops::reg;
    for (std::size_t at = 0; at < channels * sizeof(std::int16_t); at += Ops::bytes) {
        const std::byte* from = band + at;
        std::byte* tile = to + at;
        reg columns[4][4]; // of the image, each transformed downwards
        const auto load = [&](reg(&column)[4]) NOTCH_LAMBDA_INLINE {
#pragma GCC unroll 4
            for (std::ptrdiff_t l = 0; l < 4; ++l)
                column[l] = Ops::load(from + l * line_bytes);
            transform_four<Ops>(column);
            from += pixel_bytes;
        };
        load(columns[0]);
        load(columns[1]);
        for (std::size_t t = 0; t < count; ++t, tile += tile_bytes) {
            load(columns[2]);
            load(columns[3]);
#pragma GCC unroll 4
            for (std::size_t i = 0; i < 4; ++i) {
                reg row[4] = {columns[0][i], columns[1][i], columns[2][i], columns[3][i]};
                transform_four<Ops>(row);
#pragma GCC unroll 4
                for (std::size_t j = 0; j < 4; ++j)
                    Ops::store(tile + (4 * i + j) * element_bytes, row[j]);
            }
#pragma GCC unroll 4
            for (std::size_t i = 0; i < 4; ++i) {
                columns[0][i] = columns[2][i];
                columns[1][i] = columns[3][i];
            }
        }
    }
}

/// A^T of four registers.
template <class Ops>
NOTCH_INLINE void restore_four(const typename Ops::reg (&x)[4], typename Ops::reg& first,
                               typename Ops::reg& second) noexcept {
    first = Ops::add32(Ops::add32(x[0], x[1]), x[2]);
    second = Ops::subtract32(Ops::subtract32(x[1], x[2]), x[3]);
}

/// Y of `count` tiles: from their sums [16][...] of `element` numbers each, `columns` numbers a tile, to two lines of
/// 2 * count pixels.
template <class Ops>
NOTCH_INLINE void restore_tiles(const std::int32_t* sums, std::size_t element, std::size_t columns, std::size_t count,
                                std::int32_t* upper, std::int32_t* lower) noexcept {
    using reg = typename Ops::reg;
    constexpr std::size_t lanes = Ops::bytes / sizeof(std::int32_t);
    for (std::size_t t = 0; t < count; ++t, sums += columns, upper += 2 * columns, lower += 2 * columns)
        for (std::size_t c = 0; c < columns; c += lanes) {
            reg above[4];
            reg below[4];
#pragma GCC unroll 4
            for (std::size_t j = 0; j < 4; ++j) {
                reg column[4];
#pragma GCC unroll 4
                for (std::size_t i = 0; i < 4; ++i)
                    column[i] = Ops::load(sums + (4 * i + j) * element + c);
                restore_four<Ops>(column, above[j], below[j]);
            }
            reg results[4];
            restore_four<Ops>(above, results[0], results[1]);
            restore_four<Ops>(below, results[2], results[3]);
            Ops::store(upper + c, Ops::template shift_right32<2>(results[0]));
            Ops::store(upper + columns + c, Ops::template shift_right32<2>(results[1]));
            Ops::store(lower + c, Ops::template shift_right32<2>(results[2]));
            Ops::store(lower + columns + c, Ops::template shift_right32<2>(results[3]));
        }
}

/// Products of one element of transformed tiles and filters.
struct element_work {
    const std::byte* rows = nullptr; ///< that element of the first tile
    std::size_t row_bytes = 0;       ///< from tile to tile
    panel_stream panels{};
    std::size_t steps = 0;        ///< of 4 channels
    std::size_t groups = 0;       ///< of tiles
    std::int32_t* sums = nullptr; ///< [groups * Rows][16 panels]
};

/// Groups of `Rows` tiles, one after the other.
template <class Arch, std::size_t Panels, std::size_t Rows> void element_products(const element_work& work) noexcept {
    const row_segment all{0, static_cast<std::uint32_t>(work.steps)};
    const std::byte* row = work.rows;
    std::int32_t* sums = work.sums;
    for (std::size_t group = 0; group < work.groups; ++group, sums += Rows * Panels * panel_columns) {
        const std::byte* rows[Rows];
        for (std::size_t r = 0; r < Rows; ++r, row += work.row_bytes)
            rows[r] = row;
        panel_stream panels = work.panels;
        tile_registers<Arch, Rows, Panels> tile;
        tile.clear();
        nothing_waits waiting;
        add_steps<Arch, dot_family::pair>(tile, rows, panels, all, waiting, nullptr);
        tile.store(sums);
    }
}

/// The same for 1 .. Most tiles in a group.
template <class Arch, std::size_t Panels, std::size_t... Rows>
constexpr auto element_kernels_of(std::index_sequence<Rows...>) noexcept {
    return std::array<void (*)(const element_work&) noexcept, sizeof...(Rows)>{
        &element_products<Arch, Panels, Rows + 1>...};
}

/// One task.
template <class Arch, class Store> class transformed_task {
    using ops = simd::int_ops<Arch>;

public:
    transformed_task(const conv_job& job, const Store& store, std::byte* workspace) noexcept
        : job_(job), cut_(job.transformed), head_(job.product.weights.header()), store_(store), make_band_(job),
          band_(workspace), images_(band_ + job.product.cut.row_bytes),
          sums_(reinterpret_cast<std::int32_t*>(images_ + cut_.image_bytes)),
          results_(sums_ + cut_.sum_bytes / sizeof(std::int32_t)) {}

    /// Computes task number `task`.
    void run(std::size_t task) noexcept {
        const gemm_blocking& cut = job_.product.cut;
        const std::size_t row_task = task / cut.column_tasks;
        const std::size_t column_task = task % cut.column_tasks;
        first_group_ = part_begin(cut.groups, cut.column_tasks, column_task);
        last_group_ = part_begin(cut.groups, cut.column_tasks, column_task + 1);
        const std::size_t pairs = ceil_div(job_.result[1], 2); // of lines
        const std::size_t all = job_.result[0] * pairs;
        const std::size_t end = part_begin(all, cut.row_tasks, row_task + 1);
        for (std::size_t pair = part_begin(all, cut.row_tasks, row_task); pair < end;) {
            const std::size_t first = pair % pairs;
            const std::size_t count = std::min({job_.block_lines / 2, pairs - first, end - pair});
            make_band_(pair / pairs, 2 * first, 2 * count, band_);
            // Registers that begin within the last pixel end behind it.
            std::memset(band_ + job_.band_lines(2 * count) * static_cast<std::size_t>(job_.line_bytes), 0, ops::bytes);
            run_block(pair / pairs, first, count);
            pair += count;
        }
    }

private:
    /// Some pairs of lines of image n, tile by tile.
    void run_block(std::size_t n, std::size_t pair, std::size_t count) noexcept {
        const std::size_t all = cut_.across * count;
        for (std::size_t first = 0; first < all; first += cut_.tiles) {
            const std::size_t tiles = std::min(cut_.tiles, all - first);
            for_each_run(first, tiles, [&](std::size_t line, std::size_t x, std::size_t done, std::size_t run) {
                transform_tiles<ops>(band_ + static_cast<std::ptrdiff_t>(2 * line) * job_.line_bytes +
                                         static_cast<std::ptrdiff_t>(2 * x) * job_.pixel_bytes,
                                     job_.line_bytes, job_.pixel_bytes, run, job_.plane_channels, element_bytes(),
                                     cut_.tile_bytes, images_ + done * cut_.tile_bytes);
            });
            for (std::size_t group = first_group_; group < last_group_; ++group) {
                const std::size_t panel = group * job_.product.cut.tile_panels;
                const std::size_t panels = std::min(job_.product.cut.tile_panels, head_.panels() - panel);
                if (panels == ops::tile_panels)
                    run_panels<ops::tile_panels>(n, pair, first, tiles, panel);
                else
                    for (std::size_t p = 0; p < panels; ++p)
                        run_panels<1>(n, pair, first, tiles, panel + p);
            }
        }
    }

    /// Calls body(pair of lines, tile of the line, tiles before, how many) for runs of tiles in one line.
    template <class Body>
    NOTCH_INLINE void for_each_run(std::size_t first, std::size_t tiles, const Body& body) const noexcept {
        for (std::size_t done = 0; done < tiles;) {
            const std::size_t x = (first + done) % cut_.across;
            const std::size_t run = std::min(cut_.across - x, tiles - done);
            body((first + done) / cut_.across, x, done, run);
            done += run;
        }
    }

    /// The sums of some tiles and panels, and what becomes of them.
    template <std::size_t Panels>
    void run_panels(std::size_t n, std::size_t pair, std::size_t first, std::size_t tiles, std::size_t panel) noexcept {
        constexpr std::size_t columns = Panels * panel_columns;
        multiply<Panels>(tiles, panel);
        const std::size_t width = job_.result[2];
        const std::size_t column = panel * panel_columns;
        const std::size_t used = std::min<std::size_t>(columns, head_.outputs - column);
        std::int32_t* const lower = results_ + 2 * cut_.tiles * columns;
        for_each_run(first, tiles, [&](std::size_t line, std::size_t x, std::size_t done, std::size_t run) {
            restore_tiles<ops>(sums_ + done * columns, cut_.tiles * columns, columns, run, results_, lower);
            const std::size_t y = 2 * (pair + line);
            const std::size_t row = (n * job_.result[1] + y) * width + 2 * x;
            const std::size_t rows = std::min(2 * run, width - 2 * x);
            store_(results_, {row, rows, column, used, columns});
            if (y + 1 < job_.result[1])
                store_(lower, {row + width, rows, column, used, columns});
        });
    }

    /// All 16 products of transformed tiles with filters.
    template <std::size_t Panels> void multiply(std::size_t tiles, std::size_t panel) noexcept {
        constexpr std::size_t columns = Panels * panel_columns;
        const transformed_filters& filters = job_.filters->transformed();
        static constexpr auto kernels = element_kernels_of<Arch, Panels>(std::make_index_sequence<ops::tile_rows>());
        // Groups of like size: the first ones have a tile more.
        const std::size_t groups = ceil_div(tiles, ops::tile_rows);
        const std::size_t least = tiles / groups;
        const std::size_t longer = tiles - least * groups;
        const std::ptrdiff_t stride = Panels == 1 ? 0 : filters.element(panel + 1, 0) - filters.element(panel, 0);
        for (std::size_t k = 0; k < 16; ++k) {
            const panel_stream streams{filters.element(panel, k), stride};
            element_work work{images_ + k * element_bytes(),   cut_.tile_bytes, streams, filters.steps, longer,
                              sums_ + k * cut_.tiles * columns};
            if (longer != 0)
                kernels[least](work);
            work.rows += longer * (least + 1) * cut_.tile_bytes;
            work.sums += longer * (least + 1) * columns;
            work.groups = groups - longer;
            kernels[least - 1](work);
        }
    }

    /// From an element of transformed tiles to the next.
    [[nodiscard]] NOTCH_INLINE std::size_t element_bytes() const noexcept { return cut_.tiles * cut_.tile_bytes; }

    const conv_job& job_;
    const transformed_cut& cut_;
    const packed_header& head_;
    const Store& store_;
    band_maker<Arch> make_band_;
    std::byte* band_;
    std::byte* images_;
    std::int32_t* sums_;
    std::int32_t* results_;
    std::size_t first_group_ = 0;
    std::size_t last_group_ = 0;
};

} // namespace notch::detail

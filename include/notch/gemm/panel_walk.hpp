/// @file
/// How a product is cut, and the walk over the panels for a block of rows. Part of gemm/blocking.hpp, which says how.
#pragma once

#include <notch/core/config.hpp>
#include <notch/core/int_math.hpp>
#include <notch/gemm/finishing_rows.hpp>
#include <notch/gemm/group_kernel.hpp>
#include <notch/gemm/kernel_list.hpp>
#include <notch/gemm/panel_operand.hpp>
#include <notch/gemm/row_operand.hpp>
#include <notch/gemm/sliding_kernel.hpp>
#include <notch/gemm/store_tile.hpp>
#include <notch/gemm/unpacking_kernel.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <type_traits>

namespace notch::detail {

/// Bytes of row operands that a task keeps.
inline constexpr std::size_t row_block_bytes = std::size_t{384} << 10;
/// Bytes of sums that wait for the next part.
inline constexpr std::size_t sum_block_bytes = std::size_t{64} << 10;

/// How a product is cut.
struct gemm_blocking {
    std::size_t tile_rows = 1;   ///< of the largest tile
    std::size_t tile_panels = 1; ///< panels of a group
    std::size_t row_tasks = 1;
    std::size_t column_tasks = 1;
    std::size_t groups = 1;     ///< of panels
    std::size_t block_rows = 1; ///< rows whose operands are made at once
    bool copies_rows = false;
    bool copies_panels = false;
    std::size_t segment_bytes = 0; ///< workspace of all tasks: the segments
    std::size_t row_bytes = 0;     ///< workspace of a task: row operands
    std::size_t sum_bytes = 0;     ///< workspace of a task: sums that wait
    std::size_t task_bytes = 0;    ///< workspace of a task

    [[nodiscard]] std::size_t tasks() const noexcept { return row_tasks * column_tasks; }
    [[nodiscard]] std::size_t workspace() const noexcept { return segment_bytes + tasks() * task_bytes; }
};

/// Cuts a product of some rows. `in_place`: row operands need not be made.
[[nodiscard]] NOTCH_INLINE gemm_blocking cut_product(const kernel_traits& traits, const packed_header& head,
                                                     const kernel_choice& choice, std::size_t rows, bool in_place,
                                                     std::size_t tasks) noexcept {
    gemm_blocking cut;
    cut.tile_panels = traits.panels_of_tile(head.panels(), choice.finish);
    cut.tile_rows = traits.rows_of_tile(cut.tile_panels, choice.finish);
    cut.groups = ceil_div(head.panels(), cut.tile_panels);
    tasks = std::max<std::size_t>(tasks, 1);
    cut.row_tasks = std::clamp<std::size_t>(rows / (2 * cut.tile_rows), 1, tasks);
    cut.column_tasks = std::clamp<std::size_t>(tasks / cut.row_tasks, 1, cut.groups);
    cut.copies_rows = !in_place;
    cut.copies_panels = !panels_in_place(head, choice);
    const std::size_t task_rows = ceil_div(std::max<std::size_t>(rows, 1), cut.row_tasks);
    cut.block_rows = task_rows;
    const std::size_t sums = cut.tile_panels * step_bytes;
    const auto limit = [&cut, task_rows](std::size_t bytes, std::size_t each) {
        const std::size_t most = std::max<std::size_t>(bytes / each / cut.tile_rows, 4) * cut.tile_rows;
        cut.block_rows = std::min({cut.block_rows, task_rows, most});
    };
    if (cut.copies_rows)
        limit(row_block_bytes, choice.row_bytes);
    if (choice.parts > 1)
        limit(sum_block_bytes, sums);
    if (cut.copies_rows)
        cut.row_bytes = round_up(cut.block_rows * choice.row_bytes, 64);
    if (choice.parts > 1)
        cut.sum_bytes = cut.block_rows * sums;
    cut.segment_bytes = round_up(choice.segments * sizeof(row_segment), 64);
    cut.task_bytes =
        cut.row_bytes + cut.sum_bytes + (cut.copies_panels ? cut.tile_panels * round_up(choice.part_bytes, 64) : 0);
    return cut;
}

/// Cuts a product of some rows for an instruction set.
template <class Arch>
[[nodiscard]] gemm_blocking cut_product(const packed_header& head, const kernel_choice& choice, std::size_t rows,
                                        bool in_place, std::size_t tasks) noexcept {
    return cut_product(kernel_traits_of<Arch>, head, choice, rows, in_place, tasks);
}

/// A product without its epilogue.
struct gemm_job {
    packed_pointer weights{};
    kernel_choice choice{};
    gemm_blocking cut{};
    activation_rows rows{};
    const row_segment* segments = nullptr;
    std::int32_t zero_point = 0; ///< of the row operands
    std::size_t line_rows = 0;   ///< results side by side, where kernels slide
};

/// Fewer tiles are not finished beside one another: preparing that takes longer than it saves.
inline constexpr std::size_t least_finishing_tiles = 4;

/// Columns of a group of panels that are wanted.
struct column_range {
    std::size_t first = 0;
    std::size_t count = std::numeric_limits<std::size_t>::max();
};

/// The panels of a product, for blocks of rows.
template <class Arch, class Store> class panel_walk {
    using ops = simd::int_ops<Arch>;
    static constexpr kernel_traits traits = kernel_traits_of<Arch>;
    static constexpr std::size_t most_rows =
        std::max({traits.tile_rows, traits.narrow_rows, traits.shift_rows, traits.slides ? sliding_rows : 0});
    static constexpr std::size_t most_panels = traits.tile_panels;
    /// Sums that are finished together, as whole tiles: what the epilogue knows of their columns is found once for all of
    /// them. They stay in the first-level cache.
    static constexpr std::size_t stored_sums =
        std::max(std::size_t{3} << 10, 2 * (most_rows + 3) * most_panels * panel_columns);

public:
    /// `memory`: of a task, behind its rows.
    panel_walk(const gemm_job& job, const Store& store, std::byte* memory) noexcept
        : job_(job), head_(job.weights.header()), store_(store), sum_memory_(reinterpret_cast<std::int32_t*>(memory)),
          panel_memory_(memory + job.cut.sum_bytes) {}

    /// All sums of rows row .. row + rows of the product and a group of panels. operand(r) is the pointer of number r of the
    /// rows; or operand.list holds all pointers.
    template <class Operand>
    void run_group(std::size_t group, std::size_t row, std::size_t rows, const Operand& operand) noexcept {
        const row_window all{row, rows, rows, rows, job_.segments};
        run_group(group, &all, 1, operand);
    }
    /// The same of the rows of some windows, whose operands follow one another, and of some of the columns.
    template <class Operand>
    void run_group(std::size_t group, const row_window* windows, std::size_t count, const Operand& operand,
                   const column_range& wanted = {}) noexcept {
        wanted_ = wanted;
        const std::size_t first = group * job_.cut.tile_panels;
        const std::size_t panels = std::min(job_.cut.tile_panels, head_.panels() - first);
        for (std::size_t p = 0; p < panels;) {
            const std::size_t some = traits.panels_of_tile(panels - p, job_.choice.finish);
            if (job_.choice.unpacks)
                unpack_windows(first + p, windows, count, operand);
            else if (unpacks(some, windows->rows))
                unpack_panels(first + p, *windows, operand);
            else
                run_panels(first + p, some, windows, count, operand);
            p += some;
        }
    }

private:
    /// True where codes of so many panels are unpacked by the microkernels.
    [[nodiscard]] bool unpacks(std::size_t panels, std::size_t rows) const noexcept {
        return has_unpacking_kernels<Arch> && panels == most_panels &&
               rows / ceil_div(rows, traits.tile_rows) >= least_unpacking_rows &&
               unpacks_in_tiles(traits, head_, job_.choice);
    }

    /// Some rows and as many panels as tiles have, without operands of the panels, part by part.
    template <class Operand>
    void unpack_panels(std::size_t first, const row_window& window, const Operand& operand) noexcept {
        if constexpr (has_unpacking_kernels<Arch>) {
            unpack_parts<Arch> parts(job_.weights, job_.choice, first);
            for (std::size_t s = 0; s < job_.choice.segments; ++s) {
                const row_segment* const segment = job_.segments + s;
                const std::size_t units = head_.units_of(segment->steps);
                const unpack_work& codes = parts.next(units, panel_memory_);
                const part_place part{s == 0, s + 1 == job_.choice.segments};
                run_tiles({}, most_panels, first, segment, 1, part, window, 0, operand, &codes);
                if (!part.last)
                    parts.leave(units);
            }
        }
    }

    /// Some windows and as many panels as tiles have, without operands of the panels, in one go.
    template <class Operand>
    void unpack_windows(std::size_t first, const row_window* windows, std::size_t window_count,
                        const Operand& operand) noexcept {
        if constexpr (has_unpacking_kernels<Arch>) {
            unpack_parts<Arch> parts(job_.weights, job_.choice, first);
            const unpack_work& codes = parts.next(head_.panel_bytes() / step_bytes, panel_memory_);
            std::size_t number = 0;
            for (std::size_t w = 0; w < window_count; number += windows[w++].rows)
                run_tiles({}, most_panels, first, windows[w].segments, job_.choice.segments, {true, true}, windows[w],
                          number, operand, &codes);
        }
    }

    /// Some rows and panels, part by part.
    template <class Operand>
    void run_panels(std::size_t first, std::size_t panels, const row_window* windows, std::size_t window_count,
                    const Operand& operand) noexcept {
        panel_stream streams{job_.weights.template section<std::byte>(head_.codes) + first * head_.panel_bytes(),
                             static_cast<std::ptrdiff_t>(head_.panel_bytes())};
        panel_position positions[most_panels];
        const std::size_t copy_bytes = round_up(job_.choice.part_bytes, 64);
        for (std::size_t begin = 0; begin < job_.choice.segments;) {
            const row_segment* const segments = job_.segments + begin;
            std::size_t count = 1;
            while (!segments[count - 1].ends_part)
                ++count;
            if (job_.cut.copies_panels) {
                streams = {panel_memory_, static_cast<std::ptrdiff_t>(copy_bytes)};
                for (std::size_t p = 0; p < panels; ++p)
                    expand_panel<Arch>(job_.weights, job_.choice, job_.zero_point, first + p, positions[p], segments,
                                       count, panel_memory_ + p * copy_bytes);
            }
            const part_place part{begin == 0, begin + count == job_.choice.segments};
            std::size_t number = 0; // of an operand
            for (std::size_t w = 0; w < window_count; number += windows[w++].rows)
                run_tiles(streams, panels, first, windows[w].segments + begin, count, part, windows[w], number,
                          operand);
            begin += count;
        }
    }

    /// Which part of a dot product is computed.
    struct part_place {
        bool first;
        bool last;
    };

    /// One part of all tiles of a window and some panels: of panel operands, or, where there is `codes`, of these.
    /// `number`: of the first operand of the window.
    template <class Operand>
    void run_tiles(const panel_stream& streams, std::size_t panels, std::size_t first_panel,
                   const row_segment* segments, std::size_t count, part_place part, const row_window& window,
                   std::size_t number, const Operand& operand, const unpack_work* codes = nullptr) noexcept {
        alignas(64) std::int32_t tiles[stored_sums];
        const std::byte* pointers[most_rows];
        tile_work work{pointers, streams, segments, count, !part.first, tiles};
        if (job_.choice.reads_shifts) {
            const std::size_t of_panel = head_.depth_blocks() * panel_columns;
            work.shifts = job_.weights.template section<std::uint8_t>(head_.block_shifts) + first_panel * of_panel;
            work.shift_stride = static_cast<std::ptrdiff_t>(of_panel);
        }
        const std::size_t stride = panels * panel_columns;
        tile_place place{};
        place.column = first_panel * panel_columns + wanted_.first;
        place.columns = std::min(
            std::min<std::size_t>(stride, head_.outputs - first_panel * panel_columns) - wanted_.first, wanted_.count);
        place.stride = stride;
        place.lacking = window.lacking;
        // Tiles of like size, of a line where kernels slide: the first ones have a row more.
        const bool slides = has_sliding_kernels<Arch> && job_.choice.slides;
        const std::size_t largest = slides                         ? sliding_rows
                                    : job_.choice.panel_groups > 1 ? group_rows
                                                                   : traits.rows_of_tile(panels, job_.choice.finish);
        const std::size_t rows = window.rows;
        const std::size_t line = slides ? job_.line_rows : rows;
        const std::size_t line_tiles = ceil_div(line, largest);
        const std::size_t tile_count = line_tiles * (slides ? rows / line : 1);
        const std::size_t least = line / std::max<std::size_t>(line_tiles, 1);
        const std::size_t longer = line - least * line_tiles;
        tile_kernel kernels[2] = {};
        unpacking_kernel unpacking[2] = {};
        for (std::size_t more = 0; more < 2; ++more) {
            const std::size_t tile_rows = std::clamp<std::size_t>(least + more, 1, largest);
            if (slides)
                kernels[more] = sliding_kernel(tile_rows);
            else if (job_.choice.panel_groups > 1)
                kernels[more] = group_kernel(tile_rows);
            else if (codes == nullptr)
                kernels[more] = find_kernel<Arch>(job_.choice, panels, tile_rows);
            else if constexpr (has_unpacking_kernels<Arch>)
                unpacking[more] = find_unpacking_kernel<Arch>(head_.bits, job_.choice.absorbs, tile_rows);
        }
        const bool waits = !part.first || !part.last;
        std::int32_t* const waiting = sum_memory_ + number * stride;
        const auto compute = [&](std::size_t t, std::size_t begin, std::int32_t* to) NOTCH_LAMBDA_INLINE {
            const std::size_t more = t % std::max<std::size_t>(line_tiles, 1) < longer ? 1 : 0;
            const std::size_t tile_rows = least + more;
            if constexpr (requires { operand.list; })
                work.rows = operand.list + number + begin;
            else
                for (std::size_t r = 0; r < tile_rows; ++r)
                    pointers[r] =
                        one_by_one(operand(number + begin + r)); // or they would wait for the units that multiply
            work.tile = waits ? waiting + begin * stride : to;
            if (codes != nullptr)
                unpacking[more](work, *codes);
            else
                kernels[more](work);
            return tile_rows;
        };
        const auto finish = [&]<std::size_t Panels>(std::integral_constant<std::size_t, Panels>) {
            finishing_rows<Arch, Panels, most_rows> end(window);
            if (!end.prepare(store_, place))
                return false;
            end.set_interval(times_asked(segments, count, codes), least + (longer != 0 ? 1 : 0));
            for (std::size_t t = 0, begin = 0; t < tile_count; ++t) {
                const std::size_t some = compute(t, begin, tiles + t % 2 * ((largest + 3) * stride));
                work.finish = end.next(work.tile, some);
                begin += some;
            }
            end.rest();
            return true;
        };
        if constexpr (finishes_codes<Arch, dot_family::quad, dot_finish::once, most_panels>()) {
            if (part.last && tile_count >= least_finishing_tiles && place.columns == stride && sums_stay_in_registers())
                if ((panels == most_panels && finish(std::integral_constant<std::size_t, most_panels>())) ||
                    (slides && finish(std::integral_constant<std::size_t, 1>())))
                    return;
        }
        const std::size_t stored_rows = stored_sums / stride;
        std::size_t stored = 0; // rows
        for (std::size_t t = 0, begin = 0; t < tile_count; ++t) {
            begin += compute(t, begin, tiles + (begin - stored) * stride);
            if (part.last && (begin - stored + largest > stored_rows || begin == rows)) {
                store_rows((waits ? waiting + stored * stride : tiles) + wanted_.first, window, stored, begin, place);
                stored = begin;
            }
        }
    }

    /// True where microkernels keep sums in registers until their tile is complete.
    [[nodiscard]] bool sums_stay_in_registers() const noexcept {
        const kernel_choice& choice = job_.choice;
        return choice.family != dot_family::chain && choice.finish == dot_finish::once && choice.panel_groups == 1;
    }
    /// How often a microkernel asks what waits: after each step, each unit of codes, or each step of all taps.
    [[nodiscard]] std::size_t times_asked(const row_segment* segments, std::size_t count,
                                          const unpack_work* codes) const noexcept {
        const std::size_t together = job_.choice.slides ? sliding_taps : codes == nullptr ? 1 : 8 / head_.bits;
        std::size_t times = 0;
        for (std::size_t i = 0; i < count; ++i)
            times += segments[i].steps / together;
        return times;
    }

    /// The kernel of results side by side.
    [[nodiscard]] tile_kernel sliding_kernel(std::size_t rows) const noexcept {
        if constexpr (has_sliding_kernels<Arch>)
            return find_sliding_kernel<Arch>(rows);
        else
            return nullptr; // never planned
    }

    /// The kernel of panels that groups share.
    [[nodiscard]] tile_kernel group_kernel(std::size_t rows) const noexcept {
        if constexpr (has_group_kernels<Arch>)
            return find_group_kernel<Arch>(job_.choice.panel_groups, job_.choice.group_channels, rows);
        else
            return nullptr; // never planned
    }

    /// Finishes the rows begin .. end of a window.
    void store_rows(const std::int32_t* sums, const row_window& window, std::size_t begin, std::size_t end,
                    tile_place place) const noexcept {
        const std::size_t x = begin % window.width;
        place.row = window.row + begin / window.width * window.pitch + x;
        place.rows = end - begin;
        place.lacking = window.lacking;
        if (window.width == 1) {
            place.row_step = window.pitch;
        } else if (window.width < window.rows) {
            place.left = window.width - x;
            place.width = window.width;
            place.gap = window.pitch - window.width;
        }
        store_(sums, place);
    }

    const gemm_job& job_;
    const packed_header& head_;
    const Store& store_;
    std::int32_t* sum_memory_;
    std::byte* panel_memory_;
    column_range wanted_{}; ///< of the group that is computed
};

} // namespace notch::detail

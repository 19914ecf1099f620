/// @file
/// How a blocked tensor is walked: rows of elements, cut into segments that share a scale.
///
/// Codes are contiguous and in the new channel order; the float tensor may be strided and in the old
/// order. The walk goes in the order of the codes. A row covers the trailing axes that every float
/// view stores without gaps and that the blocks do not cut, so that a contiguous [O, I, 3, 3] tensor
/// cut into channel groups is walked in rows of I * 9 elements and segments of K * 9.
///
///     code offset of element j in row r  = r * length + j
///     block of element j in row r        = outer_block(r) * segments + j / segment
#pragma once

#include <notch/core/executor.hpp>
#include <notch/core/tensor_view.hpp>
#include <notch/quant/granularity.hpp>

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

namespace notch::detail {

/// Channel orders of axes 0 and 1, new position -> old channel; empty means as they come.
struct channel_order {
    std::span<const std::uint32_t> outputs;
    std::span<const std::uint32_t> inputs;

    /// The order of one axis, or null.
    [[nodiscard]] const std::uint32_t* of(std::size_t axis) const noexcept {
        const auto& order = axis == 0 ? outputs : inputs;
        return axis > 1 || order.empty() ? nullptr : order.data();
    }
};

/// The cut of a tensor into rows and segments, see above.
template <std::size_t Rank> struct row_plan {
    block_grid<Rank> grid;    ///< how the tensor is cut
    channel_order order;      ///< new position -> old channel
    std::size_t axis = 0;     ///< first axis of a row
    std::size_t length = 0;   ///< elements of a row
    std::size_t segment = 1;  ///< elements of a full segment
    std::size_t segments = 0; ///< segments of a row
    std::size_t rows = 0;     ///< number of rows

    /// Number of the first block of a row, divided by the segments of a row.
    [[nodiscard]] std::size_t outer_block(std::size_t row) const noexcept {
        const extents<Rank> index = outer_index(row);
        std::size_t number = 0;
        for (std::size_t a = 0; a < axis; ++a)
            number = number * grid.blocks[a] + index[a] / grid.block[a];
        return number;
    }

    /// Position of a row on the axes before `axis`, in the order of the codes.
    [[nodiscard]] extents<Rank> outer_index(std::size_t row) const noexcept {
        extents<Rank> index{};
        for (std::size_t a = axis; a-- > 0;) {
            index[a] = row % grid.shape[a];
            row /= grid.shape[a];
        }
        return index;
    }

    /// Position of an element of the float tensor, in its own order.
    [[nodiscard]] extents<Rank> source_index(std::size_t row, std::size_t j) const noexcept {
        extents<Rank> index = outer_index(row);
        for (std::size_t a = Rank; a-- > axis;) {
            index[a] = a == axis ? j : j % grid.shape[a];
            j /= grid.shape[a];
        }
        for (std::size_t a = 0; a < Rank && a < 2; ++a)
            if (const std::uint32_t* old = order.of(a))
                index[a] = old[index[a]];
        return index;
    }

    /// Calls body(block, begin, end) for each segment of [begin, end) of a row.
    template <class Body>
    void for_each_segment(std::size_t row, std::size_t begin, std::size_t end, Body&& body) const {
        const std::size_t first = outer_block(row) * segments;
        for (std::size_t j = begin; j < end;) {
            const std::size_t number = j / segment;
            const std::size_t stop = std::min(end, (number + 1) * segment);
            body(first + number, j, stop);
            j = stop;
        }
    }

    /// Calls body(row, begin, end) for the part of every row that lies in a block, in the order of the codes.
    template <class Body> void for_each_row_of_block(std::size_t block, Body&& body) const {
        extents<Rank> first{};
        extents<Rank> stop{};
        for (std::size_t a = Rank; a-- > 0;) {
            first[a] = block % grid.blocks[a] * grid.block[a];
            stop[a] = std::min(grid.shape[a], first[a] + grid.block[a]);
            block /= grid.blocks[a];
        }
        const std::size_t volume = length / grid.shape[axis];
        extents<Rank> index = first;
        for (bool more = true; more;) {
            std::size_t row = 0;
            for (std::size_t a = 0; a < axis; ++a)
                row = row * grid.shape[a] + index[a];
            body(row, first[axis] * volume, stop[axis] * volume);
            more = false;
            for (std::size_t a = axis; a-- > 0 && !more;) {
                more = ++index[a] < stop[a];
                index[a] = more ? index[a] : first[a];
            }
        }
    }

    /// Covers the tensor with pieces of rows, spread over the tasks of an executor: every task calls
    /// make_worker() once and then worker(row, begin, end) for its pieces in order; the pieces of a
    /// lower task lie before those of a higher one.
    template <class MakeWorker> void for_each_piece(executor_ref run, MakeWorker&& make_worker) const {
        constexpr std::size_t piece = std::size_t{1} << 16;
        if (rows == 0 || length == 0)
            return;
        const std::size_t pieces = length >= 2 * piece ? length / piece : 1;
        const std::size_t rows_per_task = pieces > 1 ? 1 : std::max<std::size_t>(1, piece / length);
        run_tasks(run, pieces > 1 ? rows * pieces : ceil_div(rows, rows_per_task), [&](std::size_t task) {
            auto worker = make_worker();
            if (pieces > 1) {
                const std::size_t number = task % pieces;
                worker(task / pieces, number * piece, number + 1 == pieces ? length : (number + 1) * piece);
                return;
            }
            const std::size_t stop = std::min(rows, (task + 1) * rows_per_task);
            for (std::size_t row = task * rows_per_task; row < stop; ++row)
                worker(row, std::size_t{0}, length);
        });
    }
};

/// The rows of one float view under a plan.
template <class T, std::size_t Rank> class row_access {
public:
    row_access(const strided_view<T, Rank>& view, const row_plan<Rank>& plan)
        : view_(view), plan_(&plan), step_(plan.length == 1 ? 1 : view.stride(plan.axis)),
          order_(plan.order.of(plan.axis)) {
        if (plan.axis + 1 < Rank)
            step_ = 1; // the trailing axes are contiguous, else the plan would have stopped at the last axis
    }

    /// First element of a row.
    [[nodiscard]] T* row(std::size_t number) const noexcept {
        const extents<Rank> index = plan_->outer_index(number);
        std::ptrdiff_t offset = 0;
        for (std::size_t a = 0; a < plan_->axis; ++a) {
            const std::uint32_t* old = plan_->order.of(a);
            offset += static_cast<std::ptrdiff_t>(old ? old[index[a]] : index[a]) * view_.stride(a);
        }
        return view_.data() + offset;
    }

    /// True where the elements of a row lie side by side.
    [[nodiscard]] bool is_unit() const noexcept { return step_ == 1 && order_ == nullptr; }

    /// Element j of the row that starts at `first`.
    [[nodiscard]] T* element(T* first, std::size_t j) const noexcept {
        return first + static_cast<std::ptrdiff_t>(order_ ? order_[j] : j) * step_;
    }

private:
    strided_view<T, Rank> view_;
    const row_plan<Rank>* plan_;
    std::ptrdiff_t step_;
    const std::uint32_t* order_;
};

/// Floats that are copied at a time where a row is not contiguous.
inline constexpr std::size_t gather_length = 512;

/// True where axes `axis - 1` and `axis` of a view can be walked as one, given that those behind are contiguous.
template <class T, std::size_t Rank>
[[nodiscard]] bool joins(const strided_view<T, Rank>& view, std::size_t axis) noexcept {
    std::ptrdiff_t behind = 1;
    for (std::size_t a = Rank; a-- > axis;) {
        if (view.extent(a) != 1 && view.stride(a) != behind)
            return false;
        behind *= static_cast<std::ptrdiff_t>(view.extent(a));
    }
    return view.extent(axis - 1) == 1 || view.stride(axis - 1) == behind;
}

/// Plans the walk of one or two float views of the same extents.
template <std::size_t Rank, class... T>
[[nodiscard]] row_plan<Rank> make_row_plan(const block_grid<Rank>& grid, channel_order order,
                                           const strided_view<T, Rank>&... views) {
    row_plan<Rank> plan{grid, order};
    if (grid.count == 0)
        return plan; // no elements, no rows
    std::size_t volume = 1;
    plan.axis = Rank - 1;
    while (plan.axis > 0 && grid.block[plan.axis] >= grid.shape[plan.axis] && order.of(plan.axis) == nullptr &&
           order.of(plan.axis - 1) == nullptr && (joins(views, plan.axis) && ...)) {
        volume *= grid.shape[plan.axis];
        --plan.axis;
    }
    plan.length = grid.shape[plan.axis] * volume;
    plan.segment = std::max<std::size_t>(1, grid.block[plan.axis] * volume);
    plan.segments = grid.blocks[plan.axis];
    plan.rows = 1;
    for (std::size_t a = 0; a < plan.axis; ++a)
        plan.rows *= grid.shape[a];
    return plan;
}

/// Raises range_error for the first NaN or infinity of [begin, end) of a row. Precondition: there is one.
template <std::size_t Rank>
[[noreturn]] NOTCH_COLD void raise_non_finite(const row_access<const float, Rank>& access, const row_plan<Rank>& plan,
                                              std::size_t row, std::size_t begin, std::size_t end,
                                              std::string_view name) {
    const float* const first = access.row(row);
    std::size_t j = begin;
    while (j + 1 < end && !is_non_finite(*access.element(first, j)))
        ++j;
    const bool is_nan = (std::bit_cast<std::uint32_t>(*access.element(first, j)) & 0x007f'ffffU) != 0;
    raise<range_error>(quoted(name), ": element ", plan.source_index(row, j), " is ", is_nan ? "NaN" : "infinite",
                       "; only finite numbers can be quantized");
}

} // namespace notch::detail

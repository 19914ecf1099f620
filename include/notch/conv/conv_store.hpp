/// @file
/// From tiles of sums to the destination of a convolution: the epilogue of gemm, over pixels as rows.
#pragma once

#include <notch/conv/packed_filters.hpp>
#include <notch/conv/pixel_rows.hpp>
#include <notch/core/tensor_view.hpp>
#include <notch/epilogue/stage.hpp>
#include <notch/gemm/store_tile.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <type_traits>

namespace notch::detail {

/// Stores tiles of one convolution; sums are floats or integers.
template <class Arch, class Epilogue, class T, bool Floats> class conv_store {
public:
    using sum_type = std::conditional_t<Floats, float, std::int32_t>; ///< of a tile

    conv_store(const Epilogue& epilogue, const epilogue_problem& problem, const packed_filters& filters,
               std::int32_t zero_point, const strided_view<T, 4>& dst) noexcept
        : epilogue_(epilogue), problem_(problem), filters_(filters), sums_(filters.sums()), zero_point_(zero_point),
          dst_(dst), column_stride_(channel_stride(dst)) {
        // Pixels of all images at one distance; strides of extent 1 mean nothing.
        const auto pixel = dst.stride(2);
        const auto line = static_cast<std::ptrdiff_t>(dst.extent(2)) * pixel;
        joins_ = dst.extent(2) > 1 && (dst.extent(1) == 1 || dst.stride(1) == line) &&
                 (dst.extent(0) == 1 || dst.stride(0) == static_cast<std::ptrdiff_t>(dst.extent(1)) * line);
    }

    /// See tile_store.
    [[nodiscard]] code_rows describe(const tile_place& place, plain_codes& codes) const noexcept {
        const tile_place to = of_outputs(place);
        if (Floats || !joins_ || to.columns != place.columns)
            return {};
        return store_to(dst_.data()).describe(to, codes);
    }

    void operator()(const std::int32_t* tile, const tile_place& place) const noexcept {
        tile_place to = of_outputs(place);
        if (joins_) {
            finish(tile, to, dst_.data());
            return;
        }
        // As many rows at a time as lie at one distance.
        std::size_t run = to.left; // of the line of the tile
        while (to.rows > 0) {
            tile_place some = to;
            const std::size_t rest = dst_.extent(2) - to.row % dst_.extent(2); // of the line of the image
            some.rows = std::min({to.rows, run, ceil_div(rest, to.row_step)});
            some.left = some.rows;
            const std::size_t line = some.row / dst_.extent(2);
            finish(tile, some, row_zero(dst_, line / dst_.extent(1), line % dst_.extent(1), some.row % dst_.extent(2)));
            tile += some.rows * to.stride;
            to.row += some.rows * to.row_step;
            to.rows -= some.rows;
            run -= some.rows;
            if (run == 0) {
                to.row += to.gap;
                run = to.width;
            }
        }
    }

private:
    using store_type = tile_store<Arch, Epilogue, T>;

    /// Columns of panels as those of outputs: groups need not fill their panels.
    [[nodiscard]] tile_place of_outputs(tile_place place) const noexcept {
        const std::size_t columns = filters_.group_columns();
        const std::size_t used = filters_.group_outputs();
        if (columns != used) {
            const std::size_t inside = place.column % columns;
            place.column = place.column / columns * used + inside;
            place.columns = std::min(place.columns, used - inside);
        }
        return place;
    }
    /// `first`: where row 0 would lie.
    [[nodiscard]] store_type store_to(T* first) const noexcept {
        return {epilogue_, problem_, sums_, zero_point_, first, dst_.stride(2), column_stride_};
    }
    void finish(const std::int32_t* tile, const tile_place& place, T* first) const noexcept {
        store_to(first).template finish<Floats>(tile, place);
    }

    const Epilogue& epilogue_;
    const epilogue_problem& problem_;
    const packed_filters& filters_;
    const std::int32_t* sums_;
    std::int32_t zero_point_;
    const strided_view<T, 4>& dst_;
    std::ptrdiff_t column_stride_;
    bool joins_ = false;
};

} // namespace notch::detail

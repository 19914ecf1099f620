/// @file
/// From tiles of sums to the destination of a depthwise convolution: the epilogue of gemm, over pixels as rows.
#pragma once

#include <notch/conv/pixel_rows.hpp>
#include <notch/core/config.hpp>
#include <notch/core/tensor_view.hpp>
#include <notch/epilogue/stage.hpp>
#include <notch/gemm/packed_weights.hpp>
#include <notch/gemm/store_tile.hpp>
#include <notch/simd/lane_pair.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>

namespace notch::detail {

/// Where the codes of some outputs go, from a pixel on.
struct code_pixels {
    std::uint8_t* first = nullptr; ///< null: nowhere
    std::ptrdiff_t pixel_step = 0;
    std::ptrdiff_t line_step = 0;
    bool is_signed = false;
};

/// Stores tiles of sums: sums, the place of the first one, lines and columns of the tile, first output channel, how many
/// there are, and what lies between the sums of two pixels.
template <class Arch, class Epilogue, class T> class depthwise_store {
public:
    depthwise_store(const Epilogue& epilogue, const epilogue_problem& problem, const std::int32_t* sums,
                    const strided_view<T, 4>& dst) noexcept
        : epilogue_(epilogue), problem_(problem), sums_(sums), dst_(dst), column_stride_(channel_stride(dst)),
          joins_lines_(dst.stride(1) == static_cast<std::ptrdiff_t>(dst.extent(2)) * dst.stride(2)) {}

    void operator()(const std::int32_t* tile, std::size_t image, std::size_t y, std::size_t x, std::size_t lines,
                    std::size_t columns, std::size_t output, std::size_t outputs,
                    std::size_t tile_stride) const noexcept {
        if (joins_lines_ && columns == dst_.extent(2)) {
            finish(tile, image, y, x, lines * columns, output, outputs, tile_stride);
            return;
        }
        for (std::size_t i = 0; i < lines; ++i)
            finish(tile + i * columns * tile_stride, image, y + i, x, columns, output, outputs, tile_stride);
    }

    /// Where kernels may store codes that are made of sums as `codes` says, see epilogue/plain_codes.hpp: those of some
    /// outputs, from a pixel on.
    [[nodiscard]] code_pixels describe(std::size_t image, std::size_t y, std::size_t x, std::size_t output,
                                       std::size_t outputs, plain_codes& codes) const noexcept {
        const tile_store<Arch, Epilogue, T> store(epilogue_, problem_, sums_, 0, pixel_of(dst_, image, y, x),
                                                  dst_.stride(2), column_stride_);
        const code_rows rows = store.describe({0, 0, output, outputs, outputs}, codes);
        return {rows.first, dst_.stride(2), dst_.stride(1), rows.is_signed};
    }

private:
    using lane = simd::lane_of<Arch>;
    static constexpr std::size_t width = simd::lane_width<lane>;
    static constexpr bool pairs_fit = width > 1 && 2 * width <= panel_columns && sizeof(T) == 1;

    /// Some rows of two lanes of columns: what tile_store does, with one store for both.
    void pairs(const std::int32_t* tile, std::size_t tile_stride, std::size_t row, std::size_t rows, std::size_t column,
               T* to, std::ptrdiff_t stride) const noexcept {
        const column_site<lane> left_site{column, problem_};
        const column_site<lane> right_site{column + width, problem_};
        with_stage<lane>(epilogue_, left_site, [&](const auto& left) NOTCH_LAMBDA_INLINE {
            with_stage<lane>(epilogue_, right_site, [&](const auto& right) NOTCH_LAMBDA_INLINE {
                const std::int32_t* from = tile;
                T* at = to;
                std::size_t r = row;
                const std::size_t end = row + rows;
                const std::ptrdiff_t step = stride;
                const auto at_left = [&](std::size_t i) NOTCH_LAMBDA_INLINE {
                    return left(simd::load_lane<lane>(from + i * tile_stride), r + i);
                };
                const auto at_right = [&](std::size_t i) NOTCH_LAMBDA_INLINE {
                    return right(simd::load_lane<lane>(from + i * tile_stride + width), r + i);
                };
                for (; r + 2 <= end; r += 2, from += 2 * tile_stride, at += 2 * step)
                    simd::store_saturated_square(at, step, at_left(0), at_right(0), at_left(1), at_right(1));
                if (r < end)
                    simd::store_saturated_pair(at, at_left(0), at_right(0));
            });
        });
    }

    void finish(const std::int32_t* tile, std::size_t image, std::size_t y, std::size_t x, std::size_t rows,
                std::size_t output, std::size_t outputs, std::size_t tile_stride) const noexcept {
        const std::size_t row = row_of(dst_, image, y, x);
        if constexpr (pairs_fit) {
            if (column_stride_ == 1) {
                for (; outputs >= 2 * width; outputs -= 2 * width, output += 2 * width, tile += 2 * width)
                    pairs(tile, tile_stride, row, rows, output, pixel_of(dst_, image, y, x, output), dst_.stride(2));
                if (outputs == 0)
                    return;
            }
        }
        const tile_store<Arch, Epilogue, T> store(epilogue_, problem_, sums_, 0, row_zero(dst_, image, y, x),
                                                  dst_.stride(2), column_stride_);
        store.template finish<false>(tile, {row, rows, output, outputs, tile_stride});
    }

    const Epilogue& epilogue_;
    const epilogue_problem& problem_;
    const std::int32_t* sums_;
    const strided_view<T, 4>& dst_;
    std::ptrdiff_t column_stride_;
    bool joins_lines_;
};

} // namespace notch::detail

/// @file
/// From a tile of sums to the destination: zero point of the activations, stages of the epilogue, clamp, store.
#pragma once

#include <notch/core/config.hpp>
#include <notch/core/tensor_view.hpp>
#include <notch/epilogue/stage.hpp>
#include <notch/simd/code_bytes.hpp>
#include <notch/simd/int_kernels.hpp>
#include <notch/simd/wide_lane.hpp>

#include <algorithm>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <utility>

namespace notch::detail {

/// Sums of the weights that sums of products lack, of those that belong to a column altogether: lists of a number for each.
struct lacking_sums {
    const std::int32_t* first = nullptr;
    std::size_t lists = 0;
    std::size_t stride = 0; ///< from list to list
};

/// Where a tile lies in the product: rows of some lines.
struct tile_place {
    std::size_t row = 0; ///< the first one
    std::size_t rows = 0;
    std::size_t column = 0;
    std::size_t columns = 0;
    std::size_t stride = 0;                                      ///< of the tile in memory
    std::size_t row_step = 1;                                    ///< from a row of a line to the next one
    std::size_t left = std::numeric_limits<std::size_t>::max();  ///< rows of the first line
    std::size_t width = std::numeric_limits<std::size_t>::max(); ///< rows of the others
    std::size_t gap = 0;                                         ///< rows that are passed over between lines
    lacking_sums lacking{};
};

/// Rows of codes in the destination.
struct code_rows {
    std::uint8_t* first = nullptr; ///< of row 0, its first column; null: there are none
    std::ptrdiff_t stride = 0;     ///< from row to row
    bool is_signed = false;        ///< codes are int8
};

/// a + b * c modulo 2^32.
template <simd::lane Lane> [[nodiscard]] NOTCH_INLINE Lane wrapping_add_product(Lane a, Lane b, Lane c) noexcept {
    if constexpr (std::same_as<Lane, std::int32_t>)
        return static_cast<std::int32_t>(static_cast<std::uint32_t>(a) +
                                         static_cast<std::uint32_t>(b) * static_cast<std::uint32_t>(c));
    else
        return a + b * c;
}

/// a + b modulo 2^32.
template <simd::lane Lane> [[nodiscard]] NOTCH_INLINE Lane wrapping_add(Lane a, Lane b) noexcept {
    if constexpr (std::same_as<Lane, std::int32_t>)
        return static_cast<std::int32_t>(static_cast<std::uint32_t>(a) + static_cast<std::uint32_t>(b));
    else
        return a + b;
}

/// True where sums of a type may enter the epilogue, and what leaves it may be stored as T.
template <class Epilogue, class T, class Sum> [[nodiscard]] constexpr bool stores_sums() noexcept {
    if constexpr (std::same_as<Sum, float> && !takes_floats<Epilogue>()) {
        return false;
    } else {
        using result = decltype(stage_at<std::int32_t>(
            std::declval<const Epilogue&>(), std::declval<const column_site<std::int32_t>&>())(Sum{}, std::size_t{}));
        return std::same_as<result, float> == std::same_as<T, float>;
    }
}

/// Stores a lane of results, integers or floats, clamped to the element type.
template <class Lane, class T, class X> NOTCH_INLINE void store_lane_as(T* to, const X& x) noexcept {
    using simd::store_floats;
    using simd::store_saturated;
    if constexpr (std::same_as<T, float>) {
        store_floats(to, x);
    } else {
        if constexpr (std::same_as<T, std::int32_t>)
            simd::store_lane<Lane>(to, x);
        else
            store_saturated(to, x);
    }
}

/// Finishes tiles of one product.
template <class Arch, class Epilogue, class T> class tile_store {
public:
    tile_store(const Epilogue& epilogue, const epilogue_problem& problem, const std::int32_t* sums,
               std::int32_t zero_point, const strided_view<T, 2>& dst) noexcept
        : tile_store(epilogue, problem, sums, zero_point, dst.data(), dst.stride(0),
                     dst.extent(1) == 1 ? 1 : dst.stride(1)) {}
    tile_store(const Epilogue& epilogue, const epilogue_problem& problem, const std::int32_t* sums,
               std::int32_t zero_point, T* dst, std::ptrdiff_t row_stride, std::ptrdiff_t column_stride) noexcept
        : epilogue_(epilogue), problem_(problem), sums_(sums), zero_point_(zero_point), dst_(dst),
          row_stride_(row_stride), column_stride_(column_stride) {}

    /// Where microkernels may store codes that are made of sums as `codes` says, see epilogue/plain_codes.hpp.
    [[nodiscard]] code_rows describe(const tile_place& place, plain_codes& codes) const noexcept {
        using lane = simd::lane_of<Arch>;
        constexpr std::size_t width = simd::lane_width<lane>;
        if constexpr (simd::has_code_bytes<Arch> && sizeof(T) == 1 && has_description<lane, Epilogue>) {
            if (column_stride_ != 1)
                return {};
            codes.clear();
            for (std::size_t at = 0; at < place.columns; at += width) {
                codes.how = plain_codes::scaling::none;
                const std::size_t column = place.column + at;
                simd::store_lane<lane>(codes.add + at, zero_of_columns<lane>(place, column));
                if (!describe_stage<lane>(epilogue_, codes, at, column_site<lane>{column, problem_}))
                    return {};
            }
            if (codes.how == plain_codes::scaling::none)
                return {};
            return {reinterpret_cast<std::uint8_t*>(dst_ + place.column), row_stride_, std::same_as<T, std::int8_t>};
        } else {
            return {};
        }
    }

    /// Finishes a tile of int32, or of floats.
    template <bool Floats> void finish(const std::int32_t* tile, const tile_place& place) const noexcept {
        if (column_stride_ == 1)
            columns_from<Floats, simd::wide_lane_of<Arch>>(tile, place, 0);
        else
            columns_from<Floats, std::int32_t>(tile, place, 0);
    }

private:
    /// What the zero point of the activations adds to sums.
    template <class Lane>
    [[nodiscard]] NOTCH_INLINE Lane zero_of_columns(const tile_place& place, std::size_t column) const noexcept {
        Lane weights = simd::load_lane<Lane>(sums_ + column);
        for (std::size_t i = 0; i < place.lacking.lists; ++i)
            weights = wrapping_add_product(
                weights, simd::load_lane<Lane>(place.lacking.first + i * place.lacking.stride + column), Lane(-1));
        return wrapping_add_product(Lane(0), weights, Lane(-zero_point_));
    }

    /// The columns from column c on: as many as fill lanes, the others with narrower ones.
    template <bool Floats, class Lane>
    void columns_from(const std::int32_t* tile, const tile_place& place, std::size_t c) const noexcept {
        constexpr std::size_t width = simd::lane_width<Lane>;
        for (; c + width <= place.columns; c += width)
            columns<Floats, Lane>(tile + c, place, place.column + c);
        if constexpr (width > 1)
            if (c < place.columns)
                columns_from<Floats, typename simd::narrower_lane<Lane>::type>(tile, place, c);
    }

    template <bool Floats, class Lane>
    NOTCH_INLINE void columns(const std::int32_t* tile, const tile_place& place, std::size_t column) const noexcept {
        T* const first = dst_ + static_cast<std::ptrdiff_t>(place.row) * row_stride_ +
                         static_cast<std::ptrdiff_t>(column) * column_stride_;
        with_stage<Lane>(epilogue_, column_site<Lane>{column, problem_}, [&](const auto& stages) NOTCH_LAMBDA_INLINE {
            if constexpr (Floats) {
                walk_rows(tile, first, place, [&](const std::int32_t* from, T* to, std::size_t r) NOTCH_LAMBDA_INLINE {
                    store_lane_as<Lane>(to, stages(simd::load_floats<Lane>(reinterpret_cast<const float*>(from)), r));
                });
            } else {
                const Lane correction = zero_of_columns<Lane>(place, column);
                walk_rows(tile, first, place, [&](const std::int32_t* from, T* to, std::size_t r) NOTCH_LAMBDA_INLINE {
                    store_lane_as<Lane>(to, stages(wrapping_add(simd::load_lane<Lane>(from), correction), r));
                });
            }
        });
    }

    /// Calls body(sums, place of the result, number of the row).
    template <class Body>
    NOTCH_INLINE void walk_rows(const std::int32_t* from, T* to, const tile_place& place,
                                const Body& body) const noexcept {
        // In registers, whatever the results may lie on.
        const std::size_t row_step = place.row_step;
        const std::ptrdiff_t step = row_stride_ * static_cast<std::ptrdiff_t>(row_step);
        const std::size_t stride = place.stride;
        std::size_t r = place.row;
        std::size_t rows = place.rows;
        for (std::size_t line = std::min(place.left, rows);;) {
            rows -= line;
            for (; line != 0; --line, from += stride, to += step, r += row_step)
                body(from, to, r);
            if (rows == 0)
                return;
            to += static_cast<std::ptrdiff_t>(place.gap) * row_stride_;
            r += place.gap;
            line = std::min(place.width, rows);
        }
    }

    const Epilogue& epilogue_;
    const epilogue_problem& problem_;
    const std::int32_t* sums_;
    std::int32_t zero_point_;
    T* dst_;
    std::ptrdiff_t row_stride_;
    std::ptrdiff_t column_stride_;
};

/// The store of a product whose sums are floats, or integers.
template <class TileStore, bool Floats> struct product_store {
    const TileStore& tiles;

    NOTCH_INLINE void operator()(const std::int32_t* tile, const tile_place& place) const noexcept {
        tiles.template finish<Floats>(tile, place);
    }
    [[nodiscard]] NOTCH_INLINE code_rows describe(const tile_place& place, plain_codes& codes) const noexcept {
        return Floats ? code_rows{} : tiles.describe(place, codes);
    }
};

} // namespace notch::detail

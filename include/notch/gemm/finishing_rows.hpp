/// @file
/// The rows of a product, as the walk over panels finishes them: windows, and tiles that wait for their epilogue.
#pragma once

#include <notch/core/config.hpp>
#include <notch/core/int_math.hpp>
#include <notch/gemm/finish_codes.hpp>
#include <notch/gemm/microkernel.hpp>
#include <notch/gemm/store_tile.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>

namespace notch::detail {

/// Rows that take the same segments. In the product they are lines of some rows each.
struct row_window {
    std::size_t row = 0;   ///< of the product, the first one
    std::size_t rows = 0;  ///< how many
    std::size_t width = 0; ///< rows of a line, side by side
    std::size_t pitch = 0; ///< rows of the product from line to line
    const row_segment* segments = nullptr;
    lacking_sums lacking{}; ///< of what the segments pass over
};

/// Tiles of a window that microkernels finish, one after the other, each while the next one is computed.
template <class Arch, std::size_t Panels, std::size_t MostRows> class finishing_rows {
    static constexpr std::size_t block_rows = block_registers / Panels;

public:
    explicit finishing_rows(const row_window& window) noexcept : window_(window), row_(window.row) {}

    /// False where the epilogue of these columns is not plain, or codes have no place in rows.
    template <class Store> [[nodiscard]] bool prepare(const Store& store, const tile_place& place) noexcept {
        to_ = store.describe(place, tile_.numbers);
        if (to_.first == nullptr)
            return false;
        tile_.numbers.complete(place.columns, to_.is_signed);
        return true;
    }
    /// Spreads the blocks of a tile over the steps of another.
    void set_interval(std::size_t steps, std::size_t rows) noexcept {
        interval_ = std::max<std::size_t>(steps / std::max<std::size_t>(ceil_div(rows, block_rows), 1), 1);
    }
    /// The tile of the next rows, for the one behind it. What is left of the tile before it is finished.
    [[nodiscard]] code_finish* next(const std::int32_t* sums, std::size_t rows) noexcept {
        rest();
        for (std::size_t r = 0; r < rows; ++r) {
            pointers_[r] = to_.first + static_cast<std::ptrdiff_t>(row_) * to_.stride;
            ++row_;
            if (++x_ == window_.width) {
                x_ = 0;
                row_ += window_.pitch - window_.width;
            }
        }
        for (std::size_t r = rows; r % block_rows != 0; ++r)
            pointers_[r] = nowhere_;
        static_cast<code_finish&>(tile_) = {sums, pointers_, ceil_div(rows, block_rows), interval_};
        return &tile_;
    }
    /// The last tile.
    void rest() noexcept {
        while (!tile_.is_done())
            store_block<Arch, Panels>(tile_, codes_of_block<Arch>(tile_));
    }

private:
    const row_window& window_;
    std::size_t row_;   ///< of the product, the next one
    std::size_t x_ = 0; ///< in its line
    std::size_t interval_ = 1;
    code_rows to_{};
    std::uint8_t* pointers_[MostRows + block_rows - 1];
    std::uint8_t nowhere_[panel_columns]; ///< of rows that are not there
    finishing_tile<Arch> tile_;
};

} // namespace notch::detail

/// @file
/// Tiles whose epilogue is plain (epilogue/plain_codes.hpp), from sums to codes, while the next one is computed.
///
/// Four registers of sums make a block, a row of four panels or four rows of one, which becomes a register of codes. Microkernels finish a block of the tile before
/// theirs every few steps: its additions and shifts run on units that products leave idle. All of a tile at a time they
/// would not, because the processor does not look that far ahead.
#pragma once

#include <notch/core/config.hpp>
#include <notch/core/rounding.hpp>
#include <notch/epilogue/plain_codes.hpp>
#include <notch/simd/code_bytes.hpp>
#include <notch/simd/int_kernels.hpp>

#include <cstddef>
#include <cstdint>

namespace notch::detail {

/// Registers of a block.
inline constexpr std::size_t block_registers = 4;

/// Numbers of an epilogue, as operands of the instructions that finish a block.
template <class Arch> struct finish_numbers : plain_codes {
    alignas(64) std::int32_t half[most_columns]; ///< what is added before a shift
    alignas(64) std::int32_t odd[most_columns];  ///< 1 where a shift rounds
    simd::code_bytes<Arch> bytes;

    /// Completes the numbers of a block, from those of some columns for each of its rows.
    void complete(std::size_t columns, bool is_signed) noexcept {
        using lane = simd::lane_of<Arch>;
        constexpr std::size_t width = simd::lane_width<lane>;
        for (std::size_t at = columns; at < most_columns; at += width) {
            simd::store_lane<lane>(add + at, simd::load_lane<lane>(add + at - columns));
            if (how == scaling::product)
                simd::store_floats(factors + at, simd::load_floats<lane>(factors + at - columns));
            else
                simd::store_lane<lane>(shifts + at, simd::load_lane<lane>(shifts + at - columns));
        }
        for (std::size_t at = 0; at < most_columns && how != scaling::product; at += width) {
            const auto shift = simd::load_lane<lane>(shifts + at);
            if (how == scaling::short_shift) {
                simd::store_lane<lane>(shifts + at, simd::code_bytes<Arch>::shift_of(shift));
                continue;
            }
            const auto low = low_bits<lane>(shift);
            simd::store_lane<lane>(half + at, low >> 1);
            simd::store_lane<lane>(odd + at, low & lane(1));
        }
        bytes = simd::code_bytes<Arch>(zero_point, lowest, highest, is_signed);
    }
};

/// A tile that waits for its epilogue.
struct code_finish {
    const std::int32_t* sums = nullptr;  ///< of the next block
    std::uint8_t* const* rows = nullptr; ///< where its codes go
    std::size_t blocks = 0;              ///< that are left
    std::size_t steps = 0;               ///< of a microkernel, from block to block

    [[nodiscard]] NOTCH_INLINE bool is_done() const noexcept { return blocks == 0; }
};

/// The same with its numbers, so that one pointer leads to all of them: microkernels have few to spare.
template <class Arch> struct finishing_tile : code_finish { finish_numbers<Arch> numbers; };

/// The codes of the next block of a finishing_tile.
template <class Arch> [[nodiscard]] NOTCH_INLINE auto codes_of_block(const code_finish& finish) noexcept {
    using lane = simd::lane_of<Arch>;
    constexpr std::size_t width = simd::lane_width<lane>;
    static_assert(block_registers * width == plain_codes::most_columns);
    const auto* tile = static_cast<const finishing_tile<Arch>*>(&finish);
    const std::int32_t* from = finish.sums;
#if defined(__GNUC__)
    asm volatile("" : "+r"(tile), "+r"(from)); // numbers are operands in memory, each time
#endif
    const finish_numbers<Arch>* const how = &tile->numbers;
    const auto sums = [from, how](std::size_t j) NOTCH_LAMBDA_INLINE {
        return simd::load_lane<lane>(from + width * j) + simd::load_lane<lane>(how->add + width * j);
    };
    lane of[4] = {lane(0), lane(0), lane(0), lane(0)};
    if (how->how == plain_codes::scaling::short_shift) {
#pragma GCC unroll 4
        for (std::size_t j = 0; j < 4; ++j)
            of[j] = nearest_ints(
                simd::code_bytes<Arch>::shifted(to_floats(sums(j)), simd::load_lane<lane>(how->shifts + width * j)));
    } else if (how->how == plain_codes::scaling::product) {
#pragma GCC unroll 4
        for (std::size_t j = 0; j < 4; ++j)
            of[j] = nearest_ints(as_rounded(to_floats(sums(j)) * simd::load_floats<lane>(how->factors + width * j)));
    } else {
        // nearest_even::shift_right_bounded, of whose numbers most are ready.
#pragma GCC unroll 4
        for (std::size_t j = 0; j < 4; ++j) {
            const lane shift = simd::load_lane<lane>(how->shifts + width * j);
            const lane odd = (sums(j) >> shift) & simd::load_lane<lane>(how->odd + width * j);
            of[j] = (sums(j) + simd::load_lane<lane>(how->half + width * j) + odd) >> shift;
        }
    }
    return how->bytes(of[0].value, of[1].value, of[2].value, of[3].value);
}

/// What was written stays in memory.
NOTCH_INLINE void in_memory(code_finish& finish) noexcept {
#if defined(__GNUC__)
    asm volatile("" : "+m"(finish));
#else
    static_cast<void>(finish);
#endif
}

/// Stores the codes of the next block, of tiles of some panels.
template <class Arch, std::size_t Panels, class Codes>
NOTCH_INLINE void store_block(code_finish& finish, const Codes& codes) noexcept {
    constexpr std::size_t rows = block_registers / Panels;
    simd::code_bytes<Arch>::template store<rows>(finish.rows, codes);
    // One after the other, in memory: together they would go through a register of vectors, and wait there for the products.
    finish.rows += rows;
    in_memory(finish);
    finish.sums += plain_codes::most_columns;
    in_memory(finish);
    --finish.blocks;
}

} // namespace notch::detail

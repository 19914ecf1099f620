/// @file
/// What a microkernel is given: families and finishes, segments of rows, streams of panels. Part of gemm/microkernel.hpp, which
/// says what they mean.
#pragma once

#include <notch/core/config.hpp>
#include <notch/gemm/finish_codes.hpp>
#include <notch/gemm/packed_weights.hpp>

#include <cstddef>
#include <cstdint>

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

/// Steps that lie side by side in the rows; one or several are a run.
struct row_segment {
    std::ptrdiff_t offset = 0; ///< bytes from the pointer of a row to its first step
    std::uint32_t steps = 0;
    bool begins = true;             ///< a run
    bool ends = true;               ///< a run
    bool ends_part = true;          ///< of the dot product
    std::uint32_t skips_before = 0; ///< bytes of the panel operand that are passed over, behind the header of a run
    std::uint32_t skips_after = 0;  ///< the same behind the steps
};

/// A pointer that the optimizer may not handle together with others, in a register of several.
[[nodiscard]] NOTCH_INLINE const std::byte* one_by_one(const std::byte* pointer) noexcept {
#if defined(__GNUC__)
    asm("" : "+r"(pointer));
#endif
    return pointer;
}

/// A pointer that is kept in memory while others need the registers: it does not wait for the units that multiply, as it
/// would in a register of theirs.
template <class T> class kept_pointer {
public:
    NOTCH_INLINE explicit kept_pointer(T& to) noexcept : to_(&to) {}
    NOTCH_INLINE T& operator*() noexcept {
#if defined(__GNUC__)
        asm volatile("" : "+m"(to_)); // is read here, and not before
#endif
        return *to_;
    }

private:
    T* to_;
};

/// Operands of panels at one distance; all move on together.
struct panel_stream {
    const std::byte* first = nullptr; ///< of the first panel
    std::ptrdiff_t stride = 0;        ///< bytes from panel to panel

    /// Of panel p.
    [[nodiscard]] NOTCH_INLINE const std::byte* at(std::size_t p) const noexcept {
        return first + static_cast<std::ptrdiff_t>(p) * stride;
    }
};

/// The work of one tile, or a part of it: some segments.
struct tile_work {
    const std::byte* const* rows = nullptr; ///< one pointer per row
    panel_stream panels{};
    const row_segment* segments = nullptr; ///< whole runs, where something happens between runs
    std::size_t segment_count = 0;
    bool adds = false;            ///< to what the tile holds; else it begins with zeros
    std::int32_t* tile = nullptr; ///< [rows][16 panels], floats where the finish is `real`
    /// Of the first panel and the first run, sixteen for each run; null: runs have headers.
    const std::uint8_t* shifts = nullptr;
    std::ptrdiff_t shift_stride = 0; ///< from panel to panel
    /// What is finished meanwhile, of the tile before this one, as far as there is time; null: nothing.
    code_finish* finish = nullptr;
};

/// Computes one tile.
using tile_kernel = void (*)(const tile_work&) noexcept;

/// Reads the pointers of rows, from one on.
template <std::size_t Rows>
NOTCH_INLINE void read_rows(const std::byte* (&rows)[Rows], const std::byte* const* from,
                            std::size_t first = 0) noexcept {
#pragma GCC unroll 16
    for (std::size_t i = first; i < Rows; ++i) {
        // Not several at once: pointers that were just written one by one would have to reach the cache first.
        rows[i] = one_by_one(from[i]);
    }
}

} // namespace notch::detail

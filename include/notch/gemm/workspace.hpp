/// @file
/// Memory of a product or convolution: the caller's, a small one on the stack, or one that is allocated.
#pragma once

#include <notch/core/config.hpp>
#include <notch/core/dense_tensor.hpp>
#include <notch/core/error.hpp>
#include <notch/core/int_math.hpp>

#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <string_view>

namespace notch::detail {

/// Workspace that needs no allocation.
inline constexpr std::size_t small_workspace = std::size_t{16} << 10;

/// Bytes of a workspace, at most: more cannot be addressed.
inline constexpr std::size_t most_bytes = static_cast<std::size_t>(std::numeric_limits<std::ptrdiff_t>::max());

/// a * b, or most_bytes where that is less.
[[nodiscard]] NOTCH_INLINE constexpr std::size_t capped_bytes(std::size_t a, std::size_t b) noexcept {
    return a != 0 && b > most_bytes / a ? most_bytes : a * b;
}

[[nodiscard]] inline std::byte* align_64(std::byte* p) noexcept {
    const auto address = reinterpret_cast<std::uintptr_t>(p);
    return p + (round_up(address, 64) - address);
}

/// Bytes in which `bytes` at a multiple of 64 find room, wherever they begin.
[[nodiscard]] inline constexpr std::size_t unaligned_workspace(std::size_t bytes) noexcept { return bytes + 63; }

/// Calls work(memory) with `bytes` at a multiple of 64. `name`: of the weights; `function`: the one that says how many
/// bytes the caller has to bring. Raises range_error where the caller brought fewer.
template <class Work>
void in_workspace(std::size_t bytes, std::span<std::byte> workspace, std::string_view name, const char* function,
                  const Work& work) {
    const std::size_t needed = unaligned_workspace(bytes);
    if (!workspace.empty()) {
        if (workspace.size() < needed)
            raise<range_error>(quoted(name), ": a workspace of ", workspace.size(), " bytes; ", function, " asks for ",
                               needed);
        work(align_64(workspace.data()));
    } else if (needed <= small_workspace) {
        std::byte memory[small_workspace];
        work(align_64(memory));
    } else {
        aligned_buffer<std::byte> memory(needed);
        work(align_64(memory.data()));
    }
}

} // namespace notch::detail

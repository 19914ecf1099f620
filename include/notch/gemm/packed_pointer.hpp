/// @file
/// Packed weights as kernels see them: a pointer to the bytes, known to be good.
///
/// packed_weights owns memory, has a name and can raise errors; kernels that a program carries for another
/// instruction set than its own must not instantiate such things (gemm/dispatch.hpp). All here is inlined by force.
#pragma once

#include <notch/core/config.hpp>
#include <notch/gemm/packed_weights.hpp>

#include <cstddef>
#include <cstdint>

namespace notch::detail {

/// Packed bytes that somebody keeps.
struct packed_pointer {
    const std::byte* base = nullptr; ///< of the header

    /// The header.
    [[nodiscard]] NOTCH_INLINE const packed_header& header() const noexcept {
        return *reinterpret_cast<const packed_header*>(base);
    }
    /// A section of the bytes, null for offset 0.
    template <class T> [[nodiscard]] NOTCH_INLINE const T* section(std::uint64_t offset) const noexcept {
        return offset == 0 ? nullptr : reinterpret_cast<const T*>(base + offset);
    }
};

/// Asks for codes that are read soon: processors do not read ahead beyond a page by themselves.
NOTCH_INLINE void prefetch_codes(const std::byte* from) noexcept {
    constexpr std::uintptr_t distance = 6144; // may lie behind the end, which does no harm
    NOTCH_PREFETCH(reinterpret_cast<const void*>(reinterpret_cast<std::uintptr_t>(from) + distance));
}

} // namespace notch::detail

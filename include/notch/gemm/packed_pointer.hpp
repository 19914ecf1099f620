/// @file
/// Packed weights as kernels see them: a pointer to the bytes, known to be good.
///
/// packed_weights owns memory, has a name and can raise errors; kernels that a program carries for another
/// instruction set than its own must not instantiate such things (gemm/dispatch.hpp). All here is inlined by force.
#pragma once

#include <notch/core/config.hpp>
#include <notch/gemm/packed_weights.hpp>

#include <algorithm>
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

/// Asks for the codes of some panels that are read side by side, and at their end for those of the next ones.
class code_prefetch {
public:
    NOTCH_INLINE code_prefetch(const std::byte* codes, std::size_t stride, std::size_t panels) noexcept
        : at_(reinterpret_cast<std::uintptr_t>(codes) + std::min(distance, stride)),
          end_(reinterpret_cast<std::uintptr_t>(codes) + stride), jump_((panels - 1) * stride) {}
    /// A line of each panel. What lies behind the end does no harm.
    template <std::size_t Panels> NOTCH_INLINE void next(std::size_t stride) noexcept {
        at_ += at_ == end_ ? jump_ : 0;
#pragma GCC unroll 16
        for (std::size_t p = 0; p < Panels; ++p)
            NOTCH_PREFETCH(reinterpret_cast<const void*>(at_ + p * stride));
        at_ += step_bytes;
    }

private:
    static constexpr std::size_t distance = 512;
    std::uintptr_t at_;
    std::uintptr_t end_;
    std::uintptr_t jump_;
};

/// Asks for codes that are read soon: processors do not read ahead beyond a page by themselves.
template <std::uintptr_t Distance = 2048> NOTCH_INLINE void prefetch_codes(const std::byte* from) noexcept {
    // May lie behind the end, which does no harm.
    NOTCH_PREFETCH(reinterpret_cast<const void*>(reinterpret_cast<std::uintptr_t>(from) + Distance));
}

} // namespace notch::detail

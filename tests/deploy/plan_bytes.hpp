// Bytes of plan files, repaired.
#pragma once

#include <notch/core/checksum.hpp>

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace notch_test {

// Length and checksum as they have to be, whatever lies between. Fewer bytes than a frame has stay as they are.
[[nodiscard]] inline std::vector<std::byte> with_checksum(std::span<const std::byte> from) {
    std::vector<std::byte> bytes(from.begin(), from.end());
    if (bytes.size() < 32)
        return bytes;
    const auto put = [&](std::size_t at, std::uint64_t value) {
        for (std::size_t i = 0; i < 8; ++i)
            bytes[at + i] = static_cast<std::byte>(value >> (8 * i) & 0xff);
    };
    put(16, bytes.size() - 32);
    put(bytes.size() - 8, notch::detail::checksum64(std::span(bytes).first(bytes.size() - 8)));
    return bytes;
}

} // namespace notch_test

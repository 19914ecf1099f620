/// @file
/// Packed weights as the bytes of a file: written once, mapped by every process that runs them.
///
///     write(path, packed_bytes(packed));                         // the caller's own input and output
///     const packed_weights again = packed_view(mapped, "fc1");   // looks at mapped memory, copies nothing
///     const packed_weights mine = packed_copy(bytes, "fc1");     // owns its bytes, wherever `bytes` lie
///
/// The bytes are those in memory (gemm/packed_weights.hpp) with a checksum: a header of 256 bytes with magic, version,
/// layout, instruction set (0: any), byte order and sizes, then the sections, at multiples of 64 bytes.
/// Equal weights give equal bytes. A file of another byte order is refused; move weights between such
/// machines in the canonical form (quant/canonical_bytes.hpp).
///
/// The reader trusts nothing. A damaged, truncated or foreign file is a format_error, and so is one whose checksum is right
/// but whose numbers do not fit its codes: what packed_check.hpp lists is counted again. No file makes a wrong number or a
/// wrong access to memory.
///
/// Cost: two walks over the bytes, one for the checksum (12 GB/s) and one that counts the codes: together 0.3 to 0.6 ns per
/// weight with g++ 12 -O3, 0.9 where a scale spans 16 inputs, on one core of an AMD EPYC; clang 14 takes half of it.
/// That is a third of the time of pack, or less. A file that changes while it is mapped is not noticed.
#pragma once

#include <notch/core/dense_tensor.hpp>
#include <notch/core/error.hpp>
#include <notch/gemm/packed_check.hpp>
#include <notch/gemm/packed_weights.hpp>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace notch {

/// Writes weights and their checksum into memory of exactly weights.bytes().size() bytes, of any alignment.
/// Raises shape_error for memory of another size, state_error for weights that were never packed.
inline void packed_bytes_to(const packed_weights& weights, std::span<std::byte> dst) {
    const std::span<const std::byte> bytes = weights.bytes();
    if (dst.size() != bytes.size())
        detail::raise<shape_error>(detail::quoted(weights.name()), ": ", dst.size(), " bytes for packed weights of ",
                                   bytes.size());
    detail::packed_header head = weights.header();
    head.checksum = detail::packed_checksum(head, bytes);
    std::memmove(dst.data(), bytes.data(), bytes.size());
    std::memcpy(dst.data(), &head, sizeof head);
}

/// Weights with their checksum, as the bytes of a file. The name is left out. Allocates once.
[[nodiscard]] inline std::vector<std::byte> packed_bytes(const packed_weights& weights) {
    std::vector<std::byte> bytes(weights.bytes().size());
    packed_bytes_to(weights, bytes);
    return bytes;
}

/// Weights that look at the bytes of a file, which must stay where they are, and as they are.
/// Raises format_error as said above, unsupported_error for bytes that do not lie at a multiple of 64 bytes (memory that
/// mmap returns does).
[[nodiscard]] inline packed_weights packed_view(std::span<const std::byte> bytes, std::string name = {}) {
    detail::packed_checker checker(bytes, name);
    checker.check_header();
    if (const auto beyond = reinterpret_cast<std::uintptr_t>(bytes.data()) % 64; beyond != 0)
        detail::raise<unsupported_error>(detail::quoted(name), ": packed weights lie ", beyond,
                                         " bytes beyond a multiple of 64; map them there, or use packed_copy");
    checker.check();
    return packed_weights(bytes.data(), std::move(name));
}

/// Weights that own a copy of the bytes of a file. The copy is what is checked. Allocates once.
/// Raises format_error as said above.
[[nodiscard]] inline packed_weights packed_copy(std::span<const std::byte> bytes, std::string name = {}) {
    detail::packed_checker(bytes, name).check_header();
    detail::aligned_buffer<std::byte> copy(bytes.size());
    std::memcpy(copy.data(), bytes.data(), bytes.size());
    detail::packed_checker({copy.data(), copy.size()}, name).check();
    return packed_weights(std::move(copy), std::move(name));
}

} // namespace notch

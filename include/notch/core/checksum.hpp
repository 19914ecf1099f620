/// @file
/// Checksums of bytes that come from outside: files, and what observers write.
///
///     fnv1a        FNV-1a, byte by byte: for a few kilobytes
///     checksum64   four lanes of 64-bit words: for megabytes, at about the speed of memory
///
/// checksum64 takes stripes of 32 bytes, the last one filled up with zeros. Word i (little-endian) of each goes to lane i
/// by the round of XXH64, and in the end the lanes and the length go to one word by the same round:
///
///     round(h, w) = rotate_left(h + w * P2, 31) * P1
///
/// XXH64 merges its lanes otherwise. Here every step is a bijection of h for each w and of w for each h, since P1 and P2
/// are odd: a change of a single byte, or of any bytes of one word, is always noticed; of other damage, all but about
/// one case in 2^64. It is no defence against people who change bytes and checksum.
/// Source of round and primes: Collet, XXH64, doc/xxhash_spec.md of the xxHash project.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>

namespace notch::detail {

/// FNV-1a with 64 bits. Source: RFC 9923 (Fowler, Noll, Vo, Eastlake, Hansen).
[[nodiscard]] constexpr std::uint64_t fnv1a(std::span<const std::byte> bytes) noexcept {
    std::uint64_t hash = 0xCBF2'9CE4'8422'2325ULL;
    for (const std::byte byte : bytes)
        hash = (hash ^ std::to_integer<std::uint64_t>(byte)) * 0x0000'0100'0000'01B3ULL;
    return hash;
}

/// Reads a little-endian integer of `size` bytes. Precondition: size <= 8 bytes are there.
[[nodiscard]] constexpr std::uint64_t little_endian(const std::byte* bytes, std::size_t size) noexcept {
    std::uint64_t value = 0;
    for (std::size_t i = size; i-- > 0;)
        value = value << 8 | std::to_integer<std::uint64_t>(bytes[i]);
    return value;
}

/// The sum of bytes that come in pieces, see above.
class checksum_stream {
public:
    /// Adds bytes. All pieces but the last have a multiple of 32 bytes.
    void add(std::span<const std::byte> bytes) noexcept {
        std::uint64_t lane[4] = {lanes_[0], lanes_[1], lanes_[2], lanes_[3]};
        const std::size_t whole = bytes.size() / stripe * stripe;
        for (std::size_t i = 0; i < whole; i += stripe)
            add_stripe(lane, bytes.data() + i);
        if (whole != bytes.size()) {
            std::byte rest[stripe] = {};
            std::memcpy(rest, bytes.data() + whole, bytes.size() - whole);
            add_stripe(lane, rest);
        }
        std::memcpy(lanes_, lane, sizeof lanes_);
        length_ += bytes.size();
    }
    /// The sum of what was added.
    [[nodiscard]] std::uint64_t value() const noexcept {
        std::uint64_t hash = round(0, length_);
        for (const std::uint64_t lane : lanes_)
            hash = round(hash, lane);
        return hash;
    }

private:
    static constexpr std::size_t stripe = 32;
    static constexpr std::uint64_t prime_1 = 0x9E37'79B1'85EB'CA87ULL;
    static constexpr std::uint64_t prime_2 = 0xC2B2'AE3D'27D4'EB4FULL;

    [[nodiscard]] static std::uint64_t round(std::uint64_t hash, std::uint64_t word) noexcept {
        return std::rotl(hash + word * prime_2, 31) * prime_1;
    }
    [[nodiscard]] static std::uint64_t word_at(const std::byte* bytes) noexcept {
        if constexpr (std::endian::native == std::endian::little) {
            std::uint64_t word = 0;
            std::memcpy(&word, bytes, sizeof word);
            return word;
        } else {
            return little_endian(bytes, 8);
        }
    }
    static void add_stripe(std::uint64_t (&lane)[4], const std::byte* bytes) noexcept {
        for (std::size_t i = 0; i < 4; ++i)
            lane[i] = round(lane[i], word_at(bytes + 8 * i));
    }

    std::uint64_t lanes_[4] = {1, 2, 3, 4};
    std::uint64_t length_ = 0;
};

/// The sum of bytes, see above.
[[nodiscard]] inline std::uint64_t checksum64(std::span<const std::byte> bytes) noexcept {
    checksum_stream sum;
    sum.add(bytes);
    return sum.value();
}

} // namespace notch::detail

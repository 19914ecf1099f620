/// @file
/// How the state of an observer becomes bytes and comes back.
///
///     offset    bytes    content, integers little-endian
///     0         8        the letters "notchobs"
///     8         4        version of the format, 1
///     12        4        kind of observer
///     16        8        length n of the payload
///     24        n        payload
///     24 + n    8        FNV-1a (64 bits) of everything before it
///
/// A step of FNV-1a is a bijection of the hash for every byte and of the byte for every hash, so a
/// change of any single byte is always noticed; of other damage, all but one case in 2^64.
///
/// The reader trusts nothing: lengths are compared with what is there before anything is read, and
/// nothing is allocated by a number that comes from the bytes.
#pragma once

#include <notch/core/error.hpp>

#include <bit>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

namespace notch::detail {

/// First eight bytes of a frame.
inline constexpr std::string_view frame_magic = "notchobs";
/// The format that is written, and the only one that is read.
inline constexpr std::uint32_t frame_version = 1;
/// Bytes before the payload.
inline constexpr std::size_t frame_header_size = 24;
/// Bytes behind the payload.
inline constexpr std::size_t frame_checksum_size = 8;

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

/// Writes one frame: construct, append the payload, finish.
class frame_writer {
public:
    /// Starts a frame of one kind.
    explicit frame_writer(std::uint32_t kind) {
        for (const char letter : frame_magic)
            bytes_.push_back(static_cast<std::byte>(letter));
        put(frame_version, 4);
        put(kind, 4);
        put(0, 8);
    }

    /// Appends 64 bits.
    void put_u64(std::uint64_t value) { put(value, 8); }
    /// Appends the bits of a float.
    void put_float(float value) { put(std::bit_cast<std::uint32_t>(value), 4); }
    /// Appends the bits of a double.
    void put_double(double value) { put(std::bit_cast<std::uint64_t>(value), 8); }

    /// Fills in the length, appends the checksum and hands the bytes over.
    [[nodiscard]] std::vector<std::byte> finish() && {
        const std::uint64_t length = bytes_.size() - frame_header_size;
        for (std::size_t i = 0; i < 8; ++i)
            bytes_[16 + i] = static_cast<std::byte>(length >> (8 * i) & 0xff);
        put(fnv1a(bytes_), frame_checksum_size);
        return std::move(bytes_);
    }

private:
    void put(std::uint64_t value, std::size_t size) {
        for (std::size_t i = 0; i < size; ++i)
            bytes_.push_back(static_cast<std::byte>(value >> (8 * i) & 0xff));
    }

    std::vector<std::byte> bytes_;
};

/// Reads one frame: the constructor checks the frame, the getters walk through the payload.
class frame_reader {
public:
    /// Raises format_error unless the bytes are one whole undamaged frame of this kind. `label` says what
    /// is being read, `name` whose it is; both must outlive the reader.
    frame_reader(std::span<const std::byte> bytes, std::uint32_t kind, std::string_view label, std::string_view name)
        : bytes_(bytes), label_(label), name_(name) {
        constexpr std::size_t smallest = frame_header_size + frame_checksum_size;
        if (bytes.size() < smallest)
            fail("truncated: ", bytes.size(), " bytes, the smallest frame has ", smallest);
        for (std::size_t i = 0; i < frame_magic.size(); ++i)
            if (bytes[i] != static_cast<std::byte>(frame_magic[i]))
                fail("foreign bytes: byte ", i, " is ", std::to_integer<int>(bytes[i]), " where \"", frame_magic,
                     "\" is expected");
        if (const std::uint64_t version = little_endian(&bytes[8], 4); version != frame_version)
            fail("format version ", version, "; this library reads version ", frame_version);
        const std::uint64_t there = bytes.size() - smallest;
        if (const std::uint64_t length = little_endian(&bytes[16], 8); length != there)
            fail(length > there ? "truncated: " : "bytes behind the end: ", "the payload has ", there,
                 " bytes, the header says ", length);
        const std::uint64_t expected = little_endian(&bytes[bytes.size() - frame_checksum_size], 8);
        if (const std::uint64_t found = fnv1a(bytes.first(bytes.size() - frame_checksum_size)); found != expected)
            fail("damaged: the checksum of the bytes is ", found, ", the stored one is ", expected);
        if (const std::uint64_t other = little_endian(&bytes[12], 4); other != kind)
            fail("the bytes hold an observer of kind ", other, ", not ", kind);
        bytes_ = bytes.subspan(frame_header_size, static_cast<std::size_t>(there));
    }

    /// Payload bytes not yet read.
    [[nodiscard]] std::size_t remaining() const noexcept { return bytes_.size(); }
    /// Whose bytes these are.
    [[nodiscard]] std::string_view name() const noexcept { return name_; }

    /// The next 64 bits.
    [[nodiscard]] std::uint64_t get_u64(const char* what) { return get(8, what); }
    /// The next float.
    [[nodiscard]] float get_float(const char* what) {
        return std::bit_cast<float>(static_cast<std::uint32_t>(get(4, what)));
    }
    /// The next double.
    [[nodiscard]] double get_double(const char* what) { return std::bit_cast<double>(get(8, what)); }

    /// Raises format_error where payload is left over.
    void finish() const {
        if (!bytes_.empty())
            fail("the payload has ", bytes_.size(), " bytes too many");
    }

    /// Raises format_error: whose bytes, what they should be, what is wrong.
    template <class... Parts> [[noreturn]] NOTCH_COLD void fail(const Parts&... parts) const {
        raise<format_error>(quoted(name_), ": cannot read the ", label_, ": ", parts...);
    }

private:
    [[nodiscard]] std::uint64_t get(std::size_t size, const char* what) {
        if (bytes_.size() < size)
            fail("the payload ends before ", what);
        const std::uint64_t value = little_endian(bytes_.data(), size);
        bytes_ = bytes_.subspan(size);
        return value;
    }

    std::span<const std::byte> bytes_;
    std::string_view label_;
    std::string_view name_;
};

} // namespace notch::detail

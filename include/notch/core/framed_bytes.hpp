/// @file
/// Frames: how a small object becomes bytes that say what they are, and comes back.
///
///     offset    bytes    content, integers little-endian
///     0         8        letters that name the format
///     8         4        version of the format
///     12        4        kind: which of several things that share the format
///     16        8        length n of the payload
///     24        n        payload
///     24 + n    8        checksum of everything before it
///
/// The reader trusts nothing: lengths are compared with what is there before anything is read, and
/// nothing is allocated by a number that comes from the bytes. Observers (observe/byte_frame.hpp), quantized tensors
/// (quant/canonical_bytes.hpp) and plans (deploy/plan_writer.hpp) use it.
#pragma once

#include <notch/core/checksum.hpp>
#include <notch/core/error.hpp>

#include <bit>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace notch::detail {

/// Bytes before the payload.
inline constexpr std::size_t frame_header_size = 24;
/// Bytes behind the payload.
inline constexpr std::size_t frame_checksum_size = 8;

/// What the frames of a format have in common.
struct frame_format {
    std::string_view magic{};      ///< eight letters
    std::uint32_t version = 1;     ///< that is written, and the only one that is read
    std::string_view holds_kind{}; ///< "an observer of kind", for messages
    std::uint64_t (*checksum)(std::span<const std::byte>) noexcept = nullptr;
    bool names_are_tensors = true; ///< in messages "tensor 'name'"; otherwise the name as it is
};

/// Writes one frame: construct, append the payload, finish.
class framed_writer {
public:
    /// Starts a frame of one kind.
    framed_writer(const frame_format& format, std::uint32_t kind) : checksum_(format.checksum) {
        for (const char letter : format.magic)
            bytes_.push_back(static_cast<std::byte>(letter));
        put(format.version, 4);
        put(kind, 4);
        put(0, 8);
    }

    /// Makes room for a payload.
    void reserve(std::size_t payload) { bytes_.reserve(frame_header_size + payload + frame_checksum_size); }
    /// Appends bytes, all 0, and returns the first; it is valid until the next call.
    [[nodiscard]] std::byte* put_zeros(std::size_t count) {
        bytes_.resize(bytes_.size() + count);
        return bytes_.data() + (bytes_.size() - count);
    }
    /// Appends 32 bits.
    void put_u32(std::uint32_t value) { put(value, 4); }
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
        put(checksum_(bytes_), frame_checksum_size);
        return std::move(bytes_);
    }

private:
    void put(std::uint64_t value, std::size_t size) {
        for (std::size_t i = 0; i < size; ++i)
            bytes_.push_back(static_cast<std::byte>(value >> (8 * i) & 0xff));
    }

    std::uint64_t (*checksum_)(std::span<const std::byte>) noexcept;
    std::vector<std::byte> bytes_;
};

/// Reads one frame: the constructor checks the frame, the getters walk through the payload.
class framed_reader {
public:
    /// Raises format_error unless the bytes are one whole undamaged frame of this format and kind. `label` says what
    /// is being read, `name` whose it is; both must outlive the reader.
    framed_reader(const frame_format& format, std::span<const std::byte> bytes, std::uint32_t kind,
                  std::string_view label, std::string_view name)
        : bytes_(bytes), label_(label), name_(name), names_are_tensors_(format.names_are_tensors) {
        constexpr std::size_t smallest = frame_header_size + frame_checksum_size;
        if (bytes.size() < smallest)
            fail("truncated: ", bytes.size(), " bytes, the smallest frame has ", smallest);
        for (std::size_t i = 0; i < format.magic.size(); ++i)
            if (bytes[i] != static_cast<std::byte>(format.magic[i]))
                fail("foreign bytes: byte ", i, " is ", std::to_integer<int>(bytes[i]), " where \"", format.magic,
                     "\" is expected");
        if (const std::uint64_t version = little_endian(&bytes[8], 4); version != format.version)
            fail("format version ", version, "; this library reads version ", format.version);
        const std::uint64_t there = bytes.size() - smallest;
        if (const std::uint64_t length = little_endian(&bytes[16], 8); length != there)
            fail(length > there ? "truncated: " : "bytes behind the end: ", "the payload has ", there,
                 " bytes, the header says ", length);
        const std::uint64_t expected = little_endian(&bytes[bytes.size() - frame_checksum_size], 8);
        if (const std::uint64_t found = format.checksum(bytes.first(bytes.size() - frame_checksum_size));
            found != expected)
            fail("damaged: the checksum of the bytes is ", found, ", the stored one is ", expected);
        if (const std::uint64_t other = little_endian(&bytes[12], 4); other != kind)
            fail("the bytes hold ", format.holds_kind, " ", other, ", not ", kind);
        bytes_ = bytes.subspan(frame_header_size, static_cast<std::size_t>(there));
    }

    /// Payload bytes not yet read.
    [[nodiscard]] std::size_t remaining() const noexcept { return bytes_.size(); }
    /// Whose bytes these are.
    [[nodiscard]] std::string_view name() const noexcept { return name_; }

    /// The next bytes.
    [[nodiscard]] std::span<const std::byte> get_bytes(std::size_t size, const char* what) {
        if (bytes_.size() < size)
            fail("the payload ends before ", what);
        const std::span<const std::byte> result = bytes_.first(size);
        bytes_ = bytes_.subspan(size);
        return result;
    }
    /// The next 32 bits.
    [[nodiscard]] std::uint32_t get_u32(const char* what) { return static_cast<std::uint32_t>(get(4, what)); }
    /// The next 64 bits.
    [[nodiscard]] std::uint64_t get_u64(const char* what) { return get(8, what); }
    /// The next float.
    [[nodiscard]] float get_float(const char* what) { return std::bit_cast<float>(get_u32(what)); }
    /// The next double.
    [[nodiscard]] double get_double(const char* what) { return std::bit_cast<double>(get(8, what)); }

    /// Raises format_error where payload is left over.
    void finish() const {
        if (!bytes_.empty())
            fail("the payload has ", bytes_.size(), " bytes too many");
    }

    /// Raises format_error: whose bytes, what they should be, what is wrong.
    template <class... Parts> [[noreturn]] NOTCH_COLD void fail(const Parts&... parts) const {
        raise<format_error>(names_are_tensors_ ? quoted(name_) : std::string(name_), ": cannot read the ", label_, ": ",
                            parts...);
    }

private:
    [[nodiscard]] std::uint64_t get(std::size_t size, const char* what) {
        return little_endian(get_bytes(size, what).data(), size);
    }

    std::span<const std::byte> bytes_;
    std::string_view label_;
    std::string_view name_;
    bool names_are_tensors_;
};

} // namespace notch::detail

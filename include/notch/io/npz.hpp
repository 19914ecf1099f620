/// @file
/// Archives of arrays: .npz files, as numpy.savez writes them.
///
///     for (const npz_entry& entry : read_npz("golden.npz"))
///         compare(entry.name, entry.array);
///
/// An .npz is a ZIP archive of .npy files. Entries that are stored are read and their CRC-32 compared; compressed ones
/// (numpy.savez_compressed), encrypted ones and archives beyond 4 GiB are an unsupported_error. The list at the end of the
/// archive is what counts. No entry may overlap another one or the list: the bytes of all together are at most those of
/// the file.
#pragma once

#include <notch/core/error.hpp>
#include <notch/io/file_bytes.hpp>
#include <notch/io/npy.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <unordered_set>
#include <utility>
#include <vector>

namespace notch {

/// An array of an archive.
struct npz_entry {
    std::string name{}; ///< without .npy
    npy_array array{};  ///< its numbers
};

namespace detail {

/// The remainders of single bytes for crc32.
inline constexpr std::array<std::uint32_t, 256> crc32_table = [] {
    std::array<std::uint32_t, 256> table{};
    for (std::uint32_t byte = 0; byte < 256; ++byte) {
        std::uint32_t rest = byte;
        for (int bit = 0; bit < 8; ++bit)
            rest = rest >> 1 ^ ((rest & 1) != 0 ? 0xedb88320U : 0U);
        table[byte] = rest;
    }
    return table;
}();

/// The checksum of ZIP: polynomial 0x04c11db7, low bits first, begun and ended by inversion.
[[nodiscard]] inline std::uint32_t crc32(std::span<const std::byte> bytes) noexcept {
    std::uint32_t rest = 0xffffffffU;
    for (const std::byte byte : bytes)
        rest = rest >> 8 ^ crc32_table[(rest ^ std::to_integer<std::uint32_t>(byte)) & 0xff];
    return ~rest;
}

/// Reads an archive.
class npz_reader {
public:
    /// Both must outlive it.
    npz_reader(std::span<const std::byte> bytes, std::string_view label) : bytes_(bytes), label_(label) {}

    /// All arrays in the order of the list.
    [[nodiscard]] std::vector<npz_entry> read() {
        const std::size_t end = find_end();
        const std::size_t count = number(end + 10, 2);
        const std::size_t size = number(end + 12, 4);
        std::size_t at = number(end + 16, 4);
        if (number(end + 4, 2) != 0 || number(end + 8, 2) != count)
            raise<unsupported_error>(label_, ": an archive of several files");
        if (count == 0xffff || at == 0xffffffff)
            raise<unsupported_error>(label_, ": an archive of more than 65534 entries or 4 GiB");
        if (at > end || size > end - at)
            fail("the list of ", size, " bytes at ", at, " does not lie before its end at ", end);
        left_ = at;
        std::vector<npz_entry> result;
        for (std::size_t i = 0; i < count; ++i) {
            if (end - at < 46 || number(at, 4) != 0x02014b50)
                fail("entry ", i, " of ", count, " is not in the list");
            const std::size_t rest = number(at + 28, 2) + number(at + 30, 2) + number(at + 32, 2);
            if (rest > end - at - 46)
                fail("entry ", i, " of ", count, " leads out of the list");
            result.push_back(read_entry(at));
            at += 46 + rest;
        }
        return result;
    }

private:
    template <class... Parts> [[noreturn]] NOTCH_COLD void fail(const Parts&... parts) const {
        raise<format_error>(label_, ": its bytes are no archive: ", parts...);
    }

    /// A little-endian number, which must be there.
    [[nodiscard]] std::size_t number(std::size_t at, std::size_t size) const noexcept {
        std::size_t result = 0;
        for (std::size_t i = 0; i < size; ++i)
            result |= std::to_integer<std::size_t>(bytes_[at + i]) << (8 * i);
        return result;
    }

    /// Where the end of the list is, behind which only a comment may stand.
    [[nodiscard]] std::size_t find_end() const {
        constexpr std::size_t length = 22;
        if (bytes_.size() < length)
            fail("truncated: they are ", bytes_.size(), ", and the smallest archive has ", length);
        for (std::size_t comment = 0; comment <= 0xffff && comment + length <= bytes_.size(); ++comment) {
            const std::size_t at = bytes_.size() - length - comment;
            if (number(at, 4) == 0x06054b50 && number(at + 20, 2) == comment)
                return at;
        }
        fail("the end of their list is not there");
    }

    [[nodiscard]] npz_entry read_entry(std::size_t listed) {
        const std::string_view name(reinterpret_cast<const char*>(bytes_.data()) + listed + 46, number(listed + 28, 2));
        const std::size_t stored = number(listed + 20, 4);
        const std::size_t size = number(listed + 24, 4);
        const std::size_t local = number(listed + 42, 4);
        if ((number(listed + 8, 2) & 1) != 0)
            raise<unsupported_error>(label_, ": entry '", name, "' is encrypted");
        if (const std::size_t method = number(listed + 10, 2); method != 0)
            raise<unsupported_error>(label_, ": entry '", name, "' is compressed by method ", method,
                                     "; numpy.savez stores, numpy.savez_compressed does not");
        if (stored == 0xffffffff || size == 0xffffffff || local == 0xffffffff)
            raise<unsupported_error>(label_, ": entry '", name, "' is beyond 4 GiB");
        if (stored != size)
            fail("entry '", name, "' is stored in ", stored, " bytes and has ", size);
        if (local > bytes_.size() || bytes_.size() - local < 30 || number(local, 4) != 0x04034b50)
            fail("entry '", name, "' is not at ", local);
        const std::size_t begin = local + 30 + number(local + 26, 2) + number(local + 28, 2);
        if (begin > bytes_.size() || bytes_.size() - begin < size)
            fail("entry '", name, "' of ", size, " bytes ends behind the file");
        if (begin - local > left_ || size > left_ - (begin - local))
            fail("entry '", name, "' overlaps another one");
        left_ -= begin - local + size;
        const std::span<const std::byte> data = bytes_.subspan(begin, size);
        if (const std::uint32_t sum = crc32(data); sum != number(listed + 16, 4))
            raise<format_error>(label_, ": entry '", name, "' is damaged: its checksum is ", sum, ", the stored one ",
                                number(listed + 16, 4));
        if (!name.ends_with(".npy"))
            raise<unsupported_error>(label_, ": entry '", name, "' is no .npy file");
        const std::string_view shown = name.substr(0, name.size() - 4);
        if (!names_.insert(shown).second)
            fail("two entries are named '", shown, "'");
        return {std::string(shown), npy_from(data, text(label_, ", entry '", shown, "'"))};
    }

    std::span<const std::byte> bytes_;
    std::string_view label_;
    std::size_t left_ = 0; ///< bytes before the list that no entry has taken
    std::unordered_set<std::string_view> names_{};
};

} // namespace detail

/// The arrays of the bytes of an .npz file. Raises format_error for bytes that are none, unsupported_error for entries that
/// are compressed or hold other types.
[[nodiscard]] inline std::vector<npz_entry> npz_from_bytes(std::span<const std::byte> bytes) {
    return detail::npz_reader(bytes, "archive").read();
}

/// Reads an .npz file. Raises format_error where it cannot be read; otherwise as npz_from_bytes.
[[nodiscard]] inline std::vector<npz_entry> read_npz(const std::string& path) {
    const std::vector<std::byte> bytes = detail::read_file(path, detail::most_array_bytes);
    const std::string label = detail::text("file '", path, "'");
    return detail::npz_reader(bytes, label).read();
}

} // namespace notch

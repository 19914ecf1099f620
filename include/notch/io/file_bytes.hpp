/// @file
/// Whole files as bytes, and files that appear whole.
///
/// A file is read piece by piece until it ends, so that no number that the system or the file claims is allocated; more
/// bytes than a limit are refused. A file is written under another name in the same folder and renamed, so that readers
/// see the old file or the new one, never a part.
#pragma once

#include <notch/core/error.hpp>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

namespace notch::detail {

/// Closes a file of the C library.
struct file_closer {
    void operator()(std::FILE* file) const noexcept { std::fclose(file); }
};
using file_handle = std::unique_ptr<std::FILE, file_closer>;

/// What the system says about its last failure.
[[nodiscard]] inline std::string system_message() { return errno == 0 ? "unknown reason" : std::strerror(errno); }

/// Opens a file; raises format_error where that fails.
[[nodiscard]] inline file_handle open_file(const std::string& path, const char* mode) {
    if (path.find('\0') != std::string::npos)
        raise<format_error>("a name of a file holds a zero byte");
    errno = 0;
    file_handle file(std::fopen(path.c_str(), mode));
    if (!file)
        raise<format_error>("file '", path, "' cannot be opened: ", system_message());
    return file;
}

/// All bytes of a file. Raises format_error where it cannot be read, or has more than `limit` bytes.
[[nodiscard]] inline std::vector<std::byte> read_file(const std::string& path, std::uint64_t limit) {
    const file_handle file = open_file(path, "rb");
    std::vector<std::byte> bytes;
    std::size_t size = 0;
    for (;;) {
        bytes.resize(std::max(std::size_t{1} << 16, size * 2));
        errno = 0;
        size += std::fread(bytes.data() + size, 1, bytes.size() - size, file.get());
        if (std::ferror(file.get()) != 0)
            raise<format_error>("file '", path, "' cannot be read: ", system_message());
        if (size > limit)
            raise<format_error>("file '", path, "' has more than ", limit, " bytes, the limit");
        if (size < bytes.size())
            break;
    }
    bytes.resize(size);
    return bytes;
}

/// A new file beside another one, for what will replace that, and its name; no file where that fails.
[[nodiscard]] inline std::pair<file_handle, std::string> open_beside(const std::string& path) {
    for (int attempt = 0; attempt < 100; ++attempt) {
        std::string name = text(path, ".partial", attempt);
        errno = 0;
        if (file_handle file{std::fopen(name.c_str(), "wbx")})
            return {std::move(file), std::move(name)};
        if (errno != EEXIST)
            break;
    }
    return {};
}

/// Writes all bytes and closes the file; false where that fails.
[[nodiscard]] inline bool write_bytes(file_handle file, std::span<const std::byte> bytes) {
    errno = 0;
    const bool written = std::fwrite(bytes.data(), 1, bytes.size(), file.get()) == bytes.size();
    return std::fclose(file.release()) == 0 && written;
}

/// Writes a file that is there as a whole, or not at all, under the rights that it had; through a symbolic link, what that
/// names. What is no regular file (a pipe, a device) is written, not replaced. Returns why that failed, or nothing; then a
/// regular file that was there before is as it was.
[[nodiscard]] inline std::string try_write_file(const std::string& path, std::span<const std::byte> bytes) {
    namespace fs = std::filesystem;
    std::error_code code;
    const fs::file_status before = fs::status(path, code);
    const bool is_link = fs::is_symlink(fs::symlink_status(path, code));
    if (fs::exists(before) ? !fs::is_regular_file(before) : is_link) {
        errno = 0;
        file_handle file(std::fopen(path.c_str(), "wb"));
        return file && write_bytes(std::move(file), bytes) ? std::string() : system_message();
    }
    const std::string target = is_link ? fs::canonical(path, code).string() : path;
    auto [file, name] = open_beside(target);
    if (!file)
        return system_message();
    bool written = write_bytes(std::move(file), bytes);
    if (written && fs::exists(before))
        fs::permissions(name, before.permissions(), code);
    if (written)
        written = std::rename(name.c_str(), target.c_str()) == 0;
    if (written)
        return {};
    std::string reason = system_message();
    std::remove(name.c_str());
    return reason;
}

/// The same; raises format_error where it fails.
inline void write_file(const std::string& path, std::span<const std::byte> bytes) {
    if (path.find('\0') != std::string::npos)
        raise<format_error>("a name of a file holds a zero byte");
    if (const std::string reason = try_write_file(path, bytes); !reason.empty())
        raise<format_error>("file '", path, "' cannot be written: ", reason);
}

} // namespace notch::detail

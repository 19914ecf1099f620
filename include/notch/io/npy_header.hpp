/// @file
/// The header of a .npy file: a dictionary in Python's notation.
///
///     offset   bytes   content
///     0        6       93 'NUMPY'
///     6        2       version: 1, 2 or 3, and 0
///     8        2 or 4  length of the dictionary, little-endian; 2 bytes in version 1
///              ...     {'descr': '<f4', 'fortran_order': False, 'shape': (3, 4), }, spaces, a line feed
///
/// The reader takes exactly these three keys, in any order, and nothing else that Python could mean.
#pragma once

#include <notch/core/error.hpp>

#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace notch::detail {

/// What the header says.
struct npy_header {
    std::string descr{}; ///< byte order, kind and size of an element
    bool fortran_order = false;
    std::vector<std::size_t> shape{};
    std::size_t data = 0; ///< where the elements begin
};

/// Reads the header of bytes whose place in messages is `label`.
class npy_header_reader {
public:
    /// Both must outlive it.
    npy_header_reader(std::span<const std::byte> bytes, std::string_view label) : bytes_(bytes), label_(label) {}

    /// Raises format_error unless there is a whole header, unsupported_error for records.
    [[nodiscard]] npy_header read() {
        constexpr std::string_view magic = "\x93NUMPY";
        for (std::size_t i = 0; i < magic.size(); ++i)
            if (bytes_.size() <= i || static_cast<char>(bytes_[i]) != magic[i])
                fail("they do not begin with the letters of a .npy file");
        if (bytes_.size() < 10)
            fail("truncated: they end within the header");
        const auto version = std::to_integer<unsigned>(bytes_[6]);
        if (version < 1 || version > 3 || bytes_[7] != std::byte{0})
            fail("version ", version, ".", std::to_integer<unsigned>(bytes_[7]), "; 1.0, 2.0 and 3.0 are read");
        const std::size_t wide = version == 1 ? 2 : 4;
        std::size_t length = 0;
        for (std::size_t i = 0; i < wide && 8 + i < bytes_.size(); ++i)
            length |= std::to_integer<std::size_t>(bytes_[8 + i]) << (8 * i);
        if (bytes_.size() < 8 + wide || bytes_.size() - 8 - wide < length)
            fail("truncated: the header has ", length, " bytes, more than there are");
        header_.data = 8 + wide + length;
        text_ = {reinterpret_cast<const char*>(bytes_.data()) + 8 + wide, length};
        read_dictionary();
        return header_;
    }

private:
    template <class... Parts> [[noreturn]] NOTCH_COLD void fail(const Parts&... parts) const {
        raise<format_error>(label_, ": its bytes are no array: ", parts...);
    }

    void skip_spaces() noexcept {
        while (!text_.empty() && (text_[0] == ' ' || text_[0] == '\n'))
            text_.remove_prefix(1);
    }
    /// Whether a letter comes next; takes it.
    [[nodiscard]] bool take(char letter) noexcept {
        skip_spaces();
        if (text_.empty() || text_[0] != letter)
            return false;
        text_.remove_prefix(1);
        return true;
    }
    void expect(char letter) {
        if (!take(letter))
            fail("the header lacks a '", letter, "'");
    }
    [[nodiscard]] bool take_word(std::string_view word) noexcept {
        skip_spaces();
        if (text_.substr(0, word.size()) != word)
            return false;
        text_.remove_prefix(word.size());
        return true;
    }

    [[nodiscard]] std::string read_string() {
        skip_spaces();
        const char quote = text_.empty() ? '\0' : text_[0];
        const std::size_t end = quote == '\'' || quote == '"' ? text_.find(quote, 1) : std::string_view::npos;
        if (end == std::string_view::npos)
            fail("the header has no text where one is expected");
        std::string result(text_.substr(1, end - 1));
        text_.remove_prefix(end + 1);
        return result;
    }
    [[nodiscard]] std::size_t read_number() {
        skip_spaces();
        std::size_t result = 0;
        std::size_t digits = 0;
        for (; digits < text_.size() && text_[digits] >= '0' && text_[digits] <= '9'; ++digits) {
            const auto digit = static_cast<std::size_t>(text_[digits] - '0');
            if (result > (std::numeric_limits<std::size_t>::max() - digit) / 10)
                fail("an extent of the header does not fit 64 bits");
            result = result * 10 + digit;
        }
        if (digits == 0)
            fail("the shape of the header holds something that is no extent");
        text_.remove_prefix(digits);
        return result;
    }
    [[nodiscard]] std::vector<std::size_t> read_shape() {
        std::vector<std::size_t> shape;
        expect('(');
        while (!take(')')) {
            if (shape.size() == 32)
                fail("more than 32 axes");
            shape.push_back(read_number());
            if (take(')')) {
                if (shape.size() == 1) // (3) is a number in Python
                    fail("the shape of the header is no tuple");
                break;
            }
            expect(',');
        }
        return shape;
    }

    void read_dictionary() {
        bool has_descr = false;
        bool has_order = false;
        bool has_shape = false;
        expect('{');
        while (!take('}')) {
            const std::string key = read_string();
            expect(':');
            bool* const has = key == "descr"           ? &has_descr
                              : key == "fortran_order" ? &has_order
                              : key == "shape"         ? &has_shape
                                                       : nullptr;
            if (has == nullptr || *has)
                fail("the header has the key '", key, has == nullptr ? "', which is unknown" : "' twice");
            *has = true;
            if (has == &has_descr)
                read_descr();
            else if (has == &has_shape)
                header_.shape = read_shape();
            else if (!take_word("False") && !(header_.fortran_order = take_word("True")))
                fail("fortran_order is neither True nor False");
            if (take('}'))
                break;
            expect(',');
        }
        skip_spaces();
        if (!text_.empty())
            fail("the header goes on behind its dictionary");
        if (!has_descr || !has_order || !has_shape)
            fail("the header lacks one of descr, fortran_order and shape");
    }
    void read_descr() {
        skip_spaces();
        if (!text_.empty() && text_[0] == '[')
            raise<unsupported_error>(label_, ": arrays of records are not read");
        header_.descr = read_string();
    }

    std::span<const std::byte> bytes_;
    std::string_view label_;
    std::string_view text_{};
    npy_header header_{};
};

} // namespace notch::detail

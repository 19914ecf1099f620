/// @file
/// Text of reports: UTF-8 made whole, numbers without a locale, a small writer of JSON.
#pragma once

#include <array>
#include <charconv>
#include <cmath>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

namespace notch::detail {

/// Bytes of the UTF-8 sequence that a text begins with; 0 where it begins with none. Overlong forms, surrogates and
/// numbers above 0x10ffff are none.
[[nodiscard]] inline std::size_t utf8_length(std::string_view text) noexcept {
    const auto byte = [&](std::size_t k) { return static_cast<unsigned char>(text[k]); };
    const unsigned char first = byte(0);
    if (first < 0x80)
        return 1;
    const std::size_t length = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
    if (first < 0xc2 || first > 0xf4 || text.size() < length)
        return 0;
    for (std::size_t k = 1; k < length; ++k)
        if ((byte(k) & 0xc0) != 0x80)
            return 0;
    const bool overlong = (first == 0xe0 && byte(1) < 0xa0) || (first == 0xf0 && byte(1) < 0x90);
    const bool beyond = (first == 0xed && byte(1) >= 0xa0) || (first == 0xf4 && byte(1) >= 0x90);
    return overlong || beyond ? 0 : length;
}

/// Calls ascii(char) for bytes below 0x80 and appends everything else to a text, with U+FFFD for what is no UTF-8.
template <class Ascii> void append_utf8(std::string& to, std::string_view from, const Ascii& ascii) {
    while (!from.empty()) {
        const std::size_t length = utf8_length(from);
        if (length == 1)
            ascii(from[0]);
        else if (length == 0)
            to += "\xef\xbf\xbd";
        else
            to += from.substr(0, length);
        from.remove_prefix(length == 0 ? 1 : length);
    }
}

/// A number with some digits behind the point, whatever the locale.
[[nodiscard]] inline std::string fixed_text(double x, int digits) {
    std::array<char, 400> buffer{};
    const auto end = std::to_chars(buffer.data(), buffer.data() + buffer.size(), x, std::chars_format::fixed, digits);
    return end.ec == std::errc() ? std::string(buffer.data(), end.ptr) : std::string("?");
}

/// The shortest text that is read as the same double.
[[nodiscard]] inline std::string exact_text(double x) {
    std::array<char, 64> buffer{};
    const auto end = std::to_chars(buffer.data(), buffer.data() + buffer.size(), x);
    return {buffer.data(), end.ptr};
}

/// Writes JSON, member by member; commas and line breaks are its business.
class json_writer {
public:
    /// What has been written.
    [[nodiscard]] std::string take() && { return std::move(to_) + '\n'; }

    /// A member {...}: f() writes its members.
    template <class F> void object(std::string_view name, const F& f) { nested(name, '{', '}', f); }
    /// A member [...]: f() writes its elements, without names.
    template <class F> void array(std::string_view name, const F& f) { nested(name, '[', ']', f); }
    /// A member, or an element where the name is empty. NaN, infinity and what is missing are null.
    template <class T> void member(std::string_view name, const T& value) {
        begin(name);
        write(value);
    }

private:
    template <class F> void nested(std::string_view name, char open, char close, const F& f) {
        begin(name);
        to_ += open;
        empty_ = true;
        ++depth_;
        f();
        --depth_;
        if (!empty_)
            line();
        to_ += close;
        empty_ = false;
    }
    void begin(std::string_view name) {
        if (depth_ != 0) {
            if (!empty_)
                to_ += ',';
            line();
        }
        empty_ = false;
        if (name.empty())
            return;
        write(name);
        to_ += ": ";
    }
    void line() { to_.append(1, '\n').append(2 * depth_, ' '); }

    void write(bool value) { to_ += value ? "true" : "false"; }
    void write(std::string_view value) {
        to_ += '"';
        append_utf8(to_, value, [this](char c) { escaped(c); });
        to_ += '"';
    }
    void write(const std::string& value) { write(std::string_view(value)); }
    void write(const char* value) { write(std::string_view(value)); }
    void write(double value) { to_ += std::isfinite(value) ? exact_text(value) : "null"; }
    template <std::integral T> void write(T value) { to_ += std::to_string(value); }
    template <class T> void write(const std::optional<T>& value) {
        if (value)
            write(*value);
        else
            to_ += "null";
    }
    template <class T> void write(const std::vector<T>& values) {
        to_ += '[';
        for (std::size_t k = 0; k < values.size(); ++k) {
            to_ += k == 0 ? "" : ", ";
            write(values[k]);
        }
        to_ += ']';
    }
    void escaped(char c) {
        constexpr std::string_view digits = "0123456789abcdef";
        const auto byte = static_cast<unsigned char>(c);
        if (c == '"' || c == '\\')
            to_.append(1, '\\').append(1, c);
        else if (byte < 0x20 || byte == 0x7f)
            to_.append("\\u00").append(1, digits[byte >> 4]).append(1, digits[byte & 15]);
        else
            to_ += c;
    }

    std::string to_;
    std::size_t depth_ = 0;
    bool empty_ = true;
};

} // namespace notch::detail

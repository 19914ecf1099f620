/// @file
/// The errors of notch: what went wrong, with which number, against which limit.
///
/// Five kinds, all derived from `notch::error`, so that one `catch` is enough:
///
/// | type              | meaning                                                            |
/// |-------------------|--------------------------------------------------------------------|
/// | shape_error       | extents, ranks, strides or block sizes that do not fit together     |
/// | range_error       | a number outside what an operation can represent (NaN included)     |
/// | unsupported_error | valid input that notch does not implement                           |
/// | format_error      | bytes from outside that are not what they claim to be               |
/// | state_error       | a call that needs another call first                                |
///
/// Texts carry the name of the tensor, the number and the limit, in release builds too. They are
/// raised at front doors; inner loops are noexcept. Under -fno-exceptions the same text goes to
/// stderr and the program aborts.
#pragma once

#include <notch/core/config.hpp>

#include <concepts>
#include <cstdio>
#include <cstdlib>
#include <stdexcept>
#include <string>
#include <string_view>
#include <type_traits>

namespace notch {

/// Base of every error that notch raises; what() is one complete sentence.
class error : public std::runtime_error {
public:
    using std::runtime_error::runtime_error;
};

/// Extents, ranks, strides or block sizes do not fit together.
class shape_error : public error {
public:
    using error::error;
};

/// A number lies outside what the operation can represent; NaN and infinity are such numbers.
class range_error : public error {
public:
    using error::error;
};

/// The request is well formed, but notch has no implementation of it.
class unsupported_error : public error {
public:
    using error::error;
};

/// Bytes read from outside are damaged, truncated or of another format.
class format_error : public error {
public:
    using error::error;
};

/// A call was made before the call it depends on.
class state_error : public error {
public:
    using error::error;
};

namespace detail {

template <class T>
concept extent_list = requires(const T& list) {
    { list.size() } -> std::convertible_to<std::size_t>;
    { list[0] } -> std::convertible_to<long long>;
}
&&!std::convertible_to<T, std::string_view>;

/// Appends one part of a message: text as it is, integers in decimal, reals with nine significant
/// digits (enough to tell any two floats apart), lists as [a, b, c].
template <class Part> void append_text(std::string& text, const Part& part) {
    if constexpr (std::convertible_to<const Part&, std::string_view>)
        text += std::string_view(part);
    else if constexpr (std::same_as<Part, char>)
        text += part;
    else if constexpr (std::same_as<Part, bool>)
        text += part ? "true" : "false";
    else if constexpr (std::floating_point<Part>) {
        char digits[40];
        std::snprintf(digits, sizeof digits, "%.9g", static_cast<double>(part));
        text += digits;
    } else if constexpr (std::integral<Part>)
        text += std::to_string(part);
    else {
        static_assert(extent_list<Part>, "a message is made of text, numbers and lists of numbers");
        text += '[';
        for (std::size_t i = 0; i < part.size(); ++i) {
            if (i != 0)
                text += ", ";
            append_text(text, part[i]);
        }
        text += ']';
    }
}

/// Joins the parts of a message into one string.
template <class... Parts> [[nodiscard]] std::string text(const Parts&... parts) {
    std::string joined;
    (append_text(joined, parts), ...);
    return joined;
}

/// The name of a tensor as it stands in a message: quoted, or a plain word when it has none.
/// An object, not a function, so that std::quoted of <iomanip> is never taken for it.
struct quoted_name {
    [[nodiscard]] std::string operator()(std::string_view name) const {
        return name.empty() ? std::string("tensor") : text("tensor '", name, "'");
    }
};
inline constexpr quoted_name quoted{};

/// Raises `Error` with the joined parts; prints them and aborts where exceptions are switched off.
template <class Error, class... Parts> [[noreturn]] NOTCH_COLD void raise(const Parts&... parts) {
    static_assert(std::is_base_of_v<error, Error>, "notch raises only its own errors");
    const std::string message = text(parts...);
#if NOTCH_HAS_EXCEPTIONS
    throw Error(message);
#else
    std::fprintf(stderr, "notch: %s\n", message.c_str());
    std::abort();
#endif
}

} // namespace detail
} // namespace notch

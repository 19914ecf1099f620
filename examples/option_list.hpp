/// @file
/// Command lines of --name value and --name=value, for programs that have no library for them.
#pragma once

#include <algorithm>
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

namespace tool {

/// A command line that cannot be obeyed: the program says why and ends with 2.
struct usage_error : std::runtime_error {
    using std::runtime_error::runtime_error;
};

/// What a program does with its options, in its name.
struct option_list {
    std::string program; ///< begins every message
    std::string help;    ///< what to try for more

    [[noreturn]] void refuse(const std::string& text) const { throw usage_error(program + ": " + text); }

    /// Calls take(name, value) for each option, in order. Raises usage_error for one that is not among the known ones, comes
    /// twice, or has no value.
    template <class Take>
    void read(std::span<const char* const> arguments, std::span<const std::string_view> known, const Take& take) const {
        std::vector<std::string_view> given;
        for (std::size_t i = 0; i < arguments.size(); ++i) {
            const std::string_view argument = arguments[i];
            const std::size_t equals = argument.find('=');
            const std::string_view name = argument.substr(0, equals);
            if (std::find(known.begin(), known.end(), name) == known.end())
                refuse("there is no option '" + std::string(argument) + "'; try " + help);
            if (std::find(given.begin(), given.end(), name) != given.end())
                refuse(std::string(name) + " is given twice");
            given.push_back(name);
            if (equals == std::string_view::npos && i + 1 == arguments.size())
                refuse(std::string(name) + " needs a value");
            take(name,
                 equals == std::string_view::npos ? std::string_view(arguments[++i]) : argument.substr(equals + 1));
        }
    }

    /// A whole number. Raises usage_error for anything else, and beyond the limits.
    [[nodiscard]] std::uint64_t number(std::string_view name, std::string_view value, std::uint64_t lowest,
                                       std::uint64_t highest) const {
        const std::string limits = "a whole number from " + std::to_string(lowest) + " to " + std::to_string(highest);
        std::uint64_t result = 0;
        const auto [end, code] = std::from_chars(value.data(), value.data() + value.size(), result);
        if (code == std::errc::invalid_argument || end != value.data() + value.size())
            refuse(std::string(name) + " is '" + std::string(value) + "'; it takes " + limits);
        if (code == std::errc::result_out_of_range || result < lowest || result > highest)
            refuse(std::string(name) + " is " + std::string(value) + "; it takes " + limits);
        return result;
    }

    /// The name of a file. Raises usage_error for an empty one.
    [[nodiscard]] std::string file(std::string_view name, std::string_view value) const {
        if (value.empty())
            refuse(std::string(name) + " takes the name of a file, and it is empty");
        return std::string(value);
    }

    /// Raises usage_error where two options name the same file; empty names are no files.
    void require_different(std::string_view first, const std::string& a, std::string_view second,
                           const std::string& b) const {
        if (!a.empty() && !b.empty() && std::filesystem::weakly_canonical(a) == std::filesystem::weakly_canonical(b))
            refuse(std::string(first) + " and " + std::string(second) + " name the same file, '" + a + "'");
    }
};

} // namespace tool

#include "options.hpp"

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <iterator>
#include <limits>
#include <string>
#include <system_error>
#include <vector>

namespace tool {

namespace {

[[noreturn]] void refuse(const std::string& text) { throw usage_error("notch grains: " + text); }

[[nodiscard]] std::uint64_t number(std::string_view name, std::string_view value, std::uint64_t lowest,
                                   std::uint64_t highest) {
    const std::string limits = "a whole number from " + std::to_string(lowest) + " to " + std::to_string(highest);
    std::uint64_t result = 0;
    const auto [end, code] = std::from_chars(value.data(), value.data() + value.size(), result);
    if (code == std::errc::invalid_argument || end != value.data() + value.size())
        refuse(std::string(name) + " is '" + std::string(value) + "'; it takes " + limits);
    if (code == std::errc::result_out_of_range || result < lowest || result > highest)
        refuse(std::string(name) + " is " + std::string(value) + "; it takes " + limits);
    return result;
}

[[nodiscard]] int width(std::string_view name, std::string_view value) {
    for (const int bits : {2, 3, 4, 8})
        if (value == std::to_string(bits))
            return bits;
    refuse(std::string(name) + " is '" + std::string(value) + "'; it takes 2, 3, 4 or 8");
}

[[nodiscard]] scale_kind kind(std::string_view name, std::string_view value) {
    for (const scale_kind candidate : {scale_kind::real, scale_kind::power_of_two, scale_kind::fixed_point})
        if (value == name_of(candidate))
            return candidate;
    refuse(std::string(name) + " is '" + std::string(value) + "'; it takes real, pot or fixed");
}

[[nodiscard]] std::string file(std::string_view name, std::string_view value) {
    if (value.empty())
        refuse(std::string(name) + " takes the name of a file, and it is empty");
    return std::string(value);
}

} // namespace

std::string_view name_of(scale_kind kind) {
    switch (kind) {
    case scale_kind::real:
        return "real";
    case scale_kind::power_of_two:
        return "pot";
    case scale_kind::fixed_point:
        break;
    }
    return "fixed";
}

grains_options parse_grains(std::span<const char* const> arguments) {
    grains_options options;
    std::vector<std::string_view> given;
    for (std::size_t i = 0; i < arguments.size(); ++i) {
        const std::string_view argument = arguments[i];
        const std::size_t equals = argument.find('=');
        const std::string_view name = argument.substr(0, equals);
        constexpr std::string_view known[] = {"--rows",  "--cols", "--kernel", "--bits",
                                              "--scale", "--seed", "--svg",    "--json"};
        if (std::find(std::begin(known), std::end(known), name) == std::end(known))
            refuse("there is no option '" + std::string(argument) + "'; try notch --help");
        if (std::find(given.begin(), given.end(), name) != given.end())
            refuse(std::string(name) + " is given twice");
        given.push_back(name);
        if (equals == std::string_view::npos && i + 1 == arguments.size())
            refuse(std::string(name) + " needs a value");
        const std::string_view value = equals == std::string_view::npos ? arguments[++i] : argument.substr(equals + 1);

        if (name == "--rows")
            options.rows = number(name, value, 1, most_channels);
        else if (name == "--cols")
            options.cols = number(name, value, 1, most_channels);
        else if (name == "--kernel")
            options.kernel = number(name, value, 1, most_taps);
        else if (name == "--bits")
            options.bits = width(name, value);
        else if (name == "--scale")
            options.scale = kind(name, value);
        else if (name == "--seed")
            options.seed = number(name, value, 0, std::numeric_limits<std::uint64_t>::max());
        else if (name == "--svg")
            options.svg = file(name, value);
        else
            options.json = file(name, value);
    }
    const std::size_t weights = options.rows * options.cols * options.kernel * options.kernel; // at most 2^42
    if (weights > most_weights)
        refuse("--rows x --cols x --kernel x --kernel are " + std::to_string(weights) + " weights; the limit is " +
               std::to_string(most_weights));
    if (!options.svg.empty() &&
        std::filesystem::weakly_canonical(options.svg) == std::filesystem::weakly_canonical(options.json))
        refuse("--svg and --json name the same file, '" + options.svg + "'");
    return options;
}

} // namespace tool

#include "options.hpp"

#include <limits>
#include <string>

namespace tool {

namespace {

const option_list list{"notch grains", "notch --help"};

[[nodiscard]] int width(std::string_view name, std::string_view value) {
    for (const int bits : {2, 3, 4, 8})
        if (value == std::to_string(bits))
            return bits;
    list.refuse(std::string(name) + " is '" + std::string(value) + "'; it takes 2, 3, 4 or 8");
}

[[nodiscard]] scale_kind kind(std::string_view name, std::string_view value) {
    for (const scale_kind candidate : {scale_kind::real, scale_kind::power_of_two, scale_kind::fixed_point})
        if (value == name_of(candidate))
            return candidate;
    list.refuse(std::string(name) + " is '" + std::string(value) + "'; it takes real, pot or fixed");
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
    constexpr std::string_view known[] = {"--rows",  "--cols", "--kernel", "--bits",
                                          "--scale", "--seed", "--svg",    "--json"};
    list.read(arguments, known, [&](std::string_view name, std::string_view value) {
        if (name == "--rows")
            options.rows = list.number(name, value, 1, most_channels);
        else if (name == "--cols")
            options.cols = list.number(name, value, 1, most_channels);
        else if (name == "--kernel")
            options.kernel = list.number(name, value, 1, most_taps);
        else if (name == "--bits")
            options.bits = width(name, value);
        else if (name == "--scale")
            options.scale = kind(name, value);
        else if (name == "--seed")
            options.seed = list.number(name, value, 0, std::numeric_limits<std::uint64_t>::max());
        else
            (name == "--svg" ? options.svg : options.json) = list.file(name, value);
    });
    const std::size_t weights = options.rows * options.cols * options.kernel * options.kernel; // at most 2^42
    if (weights > most_weights)
        list.refuse("--rows x --cols x --kernel x --kernel are " + std::to_string(weights) + " weights; the limit is " +
                    std::to_string(most_weights));
    list.require_different("--svg", options.svg, "--json", options.json);
    return options;
}

} // namespace tool

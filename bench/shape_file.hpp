/// @file
/// Files of shapes: one a line, as numbers; `#` starts a comment.
#pragma once

#include <algorithm>
#include <charconv>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <optional>
#include <string>
#include <system_error>
#include <vector>

namespace bench {

/// The numbers of a line, up to 1000000 each; nothing where there is something else.
inline std::optional<std::vector<std::size_t>> parse_numbers(std::string line) {
    line.resize(std::min(line.size(), line.find('#')));
    std::vector<std::size_t> numbers;
    const char* at = line.data();
    const char* const end = at + line.size();
    const auto is_space = [](char c) { return c == ' ' || c == '\t' || c == '\r'; };
    for (;;) {
        while (at != end && is_space(*at))
            ++at;
        if (at == end)
            return numbers;
        std::size_t value = 0;
        const auto [next, error] = std::from_chars(at, end, value);
        constexpr std::size_t largest = 1'000'000;
        if (error != std::errc() || value > largest || (next != end && !is_space(*next)))
            return std::nullopt;
        at = next;
        numbers.push_back(value);
    }
}

/// The shapes of a file. `make` turns the numbers of a line into an optional shape; `expected` says which they are. Ends
/// the program with a message where the file cannot be read.
template <class Shape, class Make>
std::vector<Shape> read_lines(const std::string& path, const char* expected, const Make& make) {
    std::ifstream file(path);
    std::string line;
    std::vector<Shape> shapes;
    for (int number = 1; std::getline(file, line); ++number) {
        const auto numbers = parse_numbers(line);
        if (numbers && numbers->empty())
            continue;
        const std::optional<Shape> next = numbers ? make(*numbers) : std::nullopt;
        if (!next) {
            std::fprintf(stderr, "%s:%d: expected %s, not '%s'\n", path.c_str(), number, expected, line.c_str());
            std::exit(2);
        }
        shapes.push_back(*next);
    }
    if (!file.eof() || shapes.empty()) {
        std::fprintf(stderr, file.eof() ? "%s: no shapes\n" : "%s: cannot be read\n", path.c_str());
        std::exit(2);
    }
    return shapes;
}

} // namespace bench

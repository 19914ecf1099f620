/// @file
/// Includes Catch2, version 2 or 3, so that tests read the same with both. Approx is a global name with both.
#pragma once

#if __has_include(<catch2/catch_all.hpp>)
#include <catch2/catch_all.hpp>
using Catch::Approx;
using text_matcher = Catch::Matchers::StringContainsMatcher;
#else
#include <catch2/catch.hpp>
using text_matcher = Catch::Matchers::StdString::ContainsMatcher;
#endif

#include <string>

/// Matches a message that contains a text.
inline text_matcher containing(const std::string& text) {
#if __has_include(<catch2/catch_all.hpp>)
    return Catch::Matchers::ContainsSubstring(text);
#else
    return Catch::Matchers::Contains(text);
#endif
}

/// @file
/// A line on the terminal that says how far something is. Where standard error is no terminal nothing is written.
#pragma once

#include <chrono>
#include <cstddef>
#include <string>

namespace tool {

/// Shows a bar with the time that is left, and wipes it in the end.
class progress {
public:
    /// `what` is being done to `total` things.
    progress(std::string what, std::size_t total);
    progress(const progress&) = delete;
    progress& operator=(const progress&) = delete;
    ~progress();

    /// So many are done. One caller at a time.
    void show(std::size_t done);

private:
    using clock = std::chrono::steady_clock;

    std::string what_;
    std::size_t total_;
    clock::time_point begin_ = clock::now();
    clock::time_point shown_ = begin_;
    bool is_terminal_;
    bool is_visible_ = false;
};

} // namespace tool

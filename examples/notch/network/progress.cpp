/// @file
/// The bar is drawn over itself, ten times a second at most.
#include "progress.hpp"

#include <cstdio>
#include <unistd.h>
#include <utility>

namespace tool {

progress::progress(std::string what, std::size_t total)
    : what_(std::move(what)), total_(total), is_terminal_(isatty(STDERR_FILENO) != 0) {}

progress::~progress() {
    if (is_visible_)
        std::fputs("\r\033[K", stderr);
}

void progress::show(std::size_t done) {
    using namespace std::chrono_literals;
    const clock::time_point now = clock::now();
    if (!is_terminal_ || done == 0 || now - begin_ < 500ms || now - shown_ < 100ms)
        return;
    constexpr std::size_t width = 30;
    const std::size_t filled = total_ == 0 ? width : done * width / total_;
    const double left = std::chrono::duration<double>(now - begin_).count() *
                        (static_cast<double>(total_) - static_cast<double>(done)) / static_cast<double>(done);
    const std::string bar = std::string(filled, '#') + std::string(width - filled, '.');
    std::fprintf(stderr, "\r\033[K%s [%s] %zu of %zu, %.0f s left", what_.c_str(), bar.c_str(), done, total_, left);
    std::fflush(stderr);
    is_visible_ = true;
    shown_ = now;
}

} // namespace tool

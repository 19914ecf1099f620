/// @file
/// A few threads that stay, as an executor of notch.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <exception>
#include <mutex>
#include <thread>
#include <type_traits>
#include <vector>

namespace tool {

/// Runs tasks on the calling thread and on threads - 1 others. One caller at a time.
class thread_pool {
public:
    /// Starts the other threads.
    explicit thread_pool(std::size_t threads);
    thread_pool(const thread_pool&) = delete;
    thread_pool& operator=(const thread_pool&) = delete;
    ~thread_pool();

    /// Threads, with the caller.
    [[nodiscard]] std::size_t size() const noexcept { return helpers_.size() + 1; }

    /// Calls body(0) .. body(n_tasks - 1), and returns when all have ended. If some throw, the first exception arrives here.
    template <class Body> void operator()(std::size_t n_tasks, Body&& body) {
        run(
            n_tasks, [](void* erased, std::size_t task) { (*static_cast<std::remove_reference_t<Body>*>(erased))(task); },
            const_cast<void*>(static_cast<const void*>(&body)));
    }

private:
    using task_function = void (*)(void* body, std::size_t task);

    void run(std::size_t n_tasks, task_function call, void* body);
    void help();
    void work(std::size_t n_tasks, task_function call, void* body);

    std::vector<std::thread> helpers_;
    std::mutex mutex_;
    std::condition_variable begin_;
    std::condition_variable end_;
    std::size_t round_ = 0;   ///< calls of run so far
    std::size_t working_ = 0; ///< helpers that have not ended the round
    bool stops_ = false;
    std::size_t n_tasks_ = 0;
    task_function call_ = nullptr;
    void* body_ = nullptr;
    std::exception_ptr problem_{};
    std::atomic<std::size_t> next_{0};
};

} // namespace tool

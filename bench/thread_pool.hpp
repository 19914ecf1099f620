/// @file
/// The threads of our rows.
#pragma once

#include <atomic>
#include <cstddef>
#include <functional>
#include <thread>
#include <vector>

namespace bench {

/// Threads that wait for tasks, spinning for some 20 microseconds, as those of the peers do: what an engine would bring
/// along. Longer spinning would take the processor from the peer that is measured next.
class thread_pool {
public:
    explicit thread_pool(int threads) {
        for (int t = 1; t < threads; ++t)
            workers_.emplace_back([this, t](const std::stop_token& stop) { work(stop, static_cast<std::size_t>(t)); });
    }
    ~thread_pool() {
        for (std::jthread& worker : workers_)
            worker.request_stop();
        round_.fetch_add(1);
        round_.notify_all();
    }
    thread_pool(const thread_pool&) = delete;
    thread_pool& operator=(const thread_pool&) = delete;

    /// Task 0 on the calling thread, task t on worker t. Precondition: at most as many tasks as threads.
    template <class Body> void operator()(std::size_t n_tasks, Body&& body) {
        body_ = [&body](std::size_t task) { body(task); };
        left_.store(n_tasks - 1);
        tasks_.store(n_tasks);
        round_.fetch_add(1, std::memory_order_release);
        round_.notify_all();
        body_(0);
        while (left_.load(std::memory_order_acquire) != 0) {
        }
    }

private:
    void work(const std::stop_token& stop, std::size_t number) {
        constexpr int spins = 10'000;
        std::size_t seen = 0;
        for (int idle = 0; !stop.stop_requested();) {
            const std::size_t round = round_.load(std::memory_order_acquire);
            if (round == seen) {
                if (++idle > spins)
                    round_.wait(seen, std::memory_order_acquire);
                continue;
            }
            seen = round;
            idle = 0;
            if (number < tasks_.load()) {
                body_(number);
                left_.fetch_sub(1, std::memory_order_release);
            }
        }
    }

    std::function<void(std::size_t)> body_;
    std::atomic<std::size_t> round_{0};
    std::atomic<std::size_t> tasks_{0};
    std::atomic<std::size_t> left_{0};
    std::vector<std::jthread> workers_;
};

} // namespace bench

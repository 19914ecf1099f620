/// @file
/// The threads wait for a round of tasks, and take them one by one.
#include "thread_pool.hpp"

#include <utility>

namespace tool {

thread_pool::thread_pool(std::size_t threads) {
    for (std::size_t i = 1; i < threads; ++i)
        helpers_.emplace_back([this] { help(); });
}

thread_pool::~thread_pool() {
    {
        const std::lock_guard lock(mutex_);
        stops_ = true;
    }
    begin_.notify_all();
    for (std::thread& helper : helpers_)
        helper.join();
}

void thread_pool::work(std::size_t n_tasks, task_function call, void* body) {
    for (std::size_t task = next_++; task < n_tasks; task = next_++) {
        try {
            call(body, task);
        } catch (...) {
            const std::lock_guard lock(mutex_);
            if (!problem_)
                problem_ = std::current_exception();
        }
    }
}

void thread_pool::run(std::size_t n_tasks, task_function call, void* body) {
    if (n_tasks < 2 || helpers_.empty()) {
        for (std::size_t task = 0; task < n_tasks; ++task)
            call(body, task);
        return;
    }
    {
        const std::lock_guard lock(mutex_);
        n_tasks_ = n_tasks;
        call_ = call;
        body_ = body;
        next_ = 0;
        working_ = helpers_.size();
        ++round_;
    }
    begin_.notify_all();
    work(n_tasks, call, body);
    std::unique_lock lock(mutex_);
    end_.wait(lock, [this] { return working_ == 0; });
    if (problem_)
        std::rethrow_exception(std::exchange(problem_, nullptr));
}

void thread_pool::help() {
    std::size_t seen = 0;
    for (;;) {
        std::unique_lock lock(mutex_);
        begin_.wait(lock, [&] { return stops_ || round_ != seen; });
        if (stops_)
            return;
        seen = round_;
        const std::size_t n_tasks = n_tasks_;
        const task_function call = call_;
        void* body = body_;
        lock.unlock();
        work(n_tasks, call, body);
        lock.lock();
        if (--working_ == 0)
            end_.notify_one();
    }
}

} // namespace tool

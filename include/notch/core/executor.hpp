/// @file
/// Where work runs: any callable `executor(n_tasks, body)` that calls body(0) .. body(n_tasks - 1).
///
/// notch creates no threads. A caller hands over its own pool as a callable; `serial` is the
/// default, core/executor_openmp.hpp and core/executor_tbb.hpp are adapters. Tasks may run in any
/// order and on any thread; what notch computes never depends on that, nor on the number of tasks.
///
///     notch::quantize<w8>(weights, {}, [&pool](std::size_t n, auto&& body) { pool.parallel_for(n, body); });
#pragma once

#include <notch/core/config.hpp>
#include <notch/core/error.hpp>
#include <notch/core/random.hpp>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <limits>

namespace notch {

namespace detail {
/// Stands for the body of a parallel loop where a concept has to name one.
struct task_archetype {
    void operator()(std::size_t) const {}
};
} // namespace detail

/// A callable that runs body(i) once for every i in [0, n_tasks) and returns when all have ended.
template <class E>
concept executor = requires(E& run, std::size_t n_tasks, detail::task_archetype body) {
    run(n_tasks, body);
};

/// Runs the tasks one after the other on the calling thread.
struct serial {
    /// Calls body(0), body(1), ..., body(n_tasks - 1).
    template <class Body> void operator()(std::size_t n_tasks, Body&& body) const {
        for (std::size_t task = 0; task < n_tasks; ++task)
            body(task);
    }
};

namespace detail {

/// A task body by reference, so that code behind it is compiled once whatever the body is.
class task_ref {
public:
    template <class Body>
    explicit task_ref(Body& body) noexcept
        : body_(const_cast<void*>(static_cast<const void*>(&body))),
          call_([](void* erased, std::size_t task) { (*static_cast<Body*>(erased))(task); }) {}
    void operator()(std::size_t task) const { call_(body_, task); }

private:
    void* body_;
    void (*call_)(void*, std::size_t);
};

/// An executor by reference, so that what runs on it is compiled once for all executors.
class executor_ref {
public:
    template <executor Executor>
    explicit executor_ref(Executor& run) noexcept
        : run_(const_cast<void*>(static_cast<const void*>(&run))),
          call_([](void* erased, std::size_t n_tasks, task_ref body) {
              (*static_cast<Executor*>(erased))(n_tasks, body);
          }) {}
    void operator()(std::size_t n_tasks, task_ref body) const { call_(run_, n_tasks, body); }

private:
    void* run_;
    void (*call_)(void*, std::size_t, task_ref);
};

/// Keeps other tasks out while it lives. It spins, which is right for a few thousand instructions and nothing longer;
/// the standard mutex costs every header a tenth of a second to compile.
class spin_guard {
public:
    explicit spin_guard(std::atomic_flag& taken) noexcept : taken_(taken) {
        while (taken_.test_and_set(std::memory_order_acquire))
            while (taken_.test(std::memory_order_relaxed)) {
            }
    }
    spin_guard(const spin_guard&) = delete;
    spin_guard& operator=(const spin_guard&) = delete;
    ~spin_guard() { taken_.clear(std::memory_order_release); }

private:
    std::atomic_flag& taken_;
};

/// Which tasks have ended, as far as two numbers can tell: how many, and the sum of their mixed numbers. Other tasks
/// than 0 .. n - 1 have the sum of these by an accident of one in 2^64.
class task_tally {
public:
    /// Notes the end of a task.
    void add(std::size_t task) noexcept {
        sum_ += counter_bits(0, task);
        ++ended_; // last: who sees the count sees what the tasks wrote
    }
    /// Raises state_error unless every task has ended once.
    void check(std::size_t n_tasks) const {
        const std::size_t ended = ended_.load();
        if (ended != n_tasks)
            raise<state_error>("the executor ran ", ended, " tasks of ", n_tasks, "; each is to run once");
        std::uint64_t rest = sum_.load();
        for (std::size_t task = 0; task < n_tasks; ++task)
            rest -= counter_bits(0, task);
        if (rest != 0)
            raise<state_error>("the executor ran some of ", n_tasks,
                               " tasks twice and others never; each is to run once");
    }

private:
    std::atomic<std::size_t> ended_{0};
    std::atomic<std::uint64_t> sum_{0};
};

/// Raises state_error for a task that was not asked for.
inline void check_task(std::size_t task, std::size_t n_tasks) {
    if (task >= n_tasks)
        raise<state_error>("the executor ran task ", task, " of ", n_tasks);
}

/// Runs the tasks and lets an exception of a task reach the caller whatever the executor does with
/// exceptions: of several, the one of the lowest task index wins, so that the report is the same
/// for any number of threads. All tasks run to their end or to their own exception. An executor that
/// runs too few or too many of them, or one twice instead of another, is a state_error: half a result is none.
inline void run_erased(executor_ref run, std::size_t n_tasks, task_ref body) {
    if (n_tasks == 1) {
        body(std::size_t{0});
        return;
    }
    task_tally tally;
#if NOTCH_HAS_EXCEPTIONS
    std::atomic_flag taken{};
    std::exception_ptr first;
    std::size_t first_task = std::numeric_limits<std::size_t>::max();
    auto guarded = [&](std::size_t task) {
        try {
            check_task(task, n_tasks);
            body(task);
        } catch (...) {
            const spin_guard guard(taken);
            if (task < first_task) {
                first_task = task;
                first = std::current_exception();
            }
        }
        tally.add(task);
    };
    run(n_tasks, task_ref(guarded));
    if (first)
        std::rethrow_exception(first);
#else
    auto guarded = [&](std::size_t task) {
        check_task(task, n_tasks);
        body(task);
        tally.add(task);
    };
    run(n_tasks, task_ref(guarded));
#endif
    tally.check(n_tasks);
}

/// run_erased for any body.
template <class Body> void run_tasks(executor_ref run, std::size_t n_tasks, Body&& body) {
    run_erased(run, n_tasks, task_ref(body));
}

} // namespace detail
} // namespace notch
